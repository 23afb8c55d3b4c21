//! The socket: real HTTP/1.1 on a loopback port that survives an outage.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::endpoints;
use super::state::{Shared, outage};
use super::trouble::{DRIP, Manner};
use crate::clock::BoxFuture;
use crate::clock::Clock;

/// A loopback port that is ours while nobody listens: connections to it are refused, and no other
/// server of a parallel test gets it meanwhile.
pub(super) struct Port {
    socket: TcpSocket,
    number: u16,
}

impl Port {
    pub(super) fn reserve(number: u16) -> io::Result<Port> {
        let socket = TcpSocket::new_v4()?;
        // Connections of before the outage may linger in TIME_WAIT.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, number)))?;
        let number = socket.local_addr()?.port();
        Ok(Port { socket, number })
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

/// A listening server; dropped, it stops listening and drops its connections.
pub(super) struct Listening {
    task: JoinHandle<()>,
}

impl Listening {
    pub(super) fn on(port: Port, server: Arc<Shared>) -> io::Result<Listening> {
        let listener = port.socket.listen(1024)?;
        let task = tokio::spawn(accept(listener, server));
        Ok(Listening { task })
    }

    /// Waits until listener and connections are closed, once the server is not open any more.
    pub(super) async fn closed(mut self) {
        // It fails if the runtime shuts down, which closes everything too.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: Arc<Shared>) {
    let mut open = server.open.subscribe();
    // Dropped with this task, it aborts the connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = outage(&mut open) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&server)));
                }
                // The caller is gone already, or there are no descriptors left for a moment.
                Err(_) => tokio::task::yield_now().await,
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn serve(stream: TcpStream, server: Arc<Shared>) {
    let service = service_fn(move |request| respond(Arc::clone(&server), request));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error is a caller that went away, or trouble we make ourselves.
    let _ = connection.await;
}

async fn respond(
    server: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Sending>, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    let delivery = endpoints::answer(&server, Request::from_parts(parts, body));
    let Some((response, manner)) = delivery else {
        return std::future::pending().await;
    };
    match manner {
        Manner::Late(duration) => server.clock.sleep(duration).await,
        // Whatever the error is, hyper ends the connection without an answer.
        Manner::Unanswered => return Err("hung up, as asked".into()),
        _ => {}
    }
    Ok(response.map(|body| Sending::new(body, manner, &server.clock)))
}

/// A body on its way, in the manner of the trouble its endpoint is in.
struct Sending {
    pieces: VecDeque<Bytes>,
    /// What `Content-Length` says; `None` is chunked.
    announced: Option<u64>,
    drip: Option<Drip>,
    cut: Option<Cut>,
}

struct Drip {
    clock: Arc<dyn Clock>,
    /// Before the next piece.
    pause: BoxFuture<'static, ()>,
}

/// The steps after the last piece of a body that ends too early.
enum Cut {
    Flush,
    Drop,
}

impl Sending {
    fn new(body: Vec<u8>, manner: Manner, clock: &Arc<dyn Clock>) -> Sending {
        const PIECE: usize = 16 * 1024;
        let body = Bytes::from(body);
        let length = body.len();
        let mut sending = Sending {
            announced: Some(length as u64),
            pieces: VecDeque::from([body.clone()]),
            drip: None,
            cut: None,
        };
        match manner {
            Manner::Whole | Manner::Late(_) | Manner::Unanswered => {}
            Manner::Padded(bytes) => {
                let blanks = Bytes::from(vec![b' '; PIECE]);
                let mut left = bytes.saturating_sub(length);
                while left > 0 {
                    let piece = blanks.slice(..left.min(PIECE));
                    left -= piece.len();
                    sending.pieces.push_back(piece);
                }
                sending.announced = None;
            }
            Manner::Dripped => {
                sending.pieces = (0..length).map(|at| body.slice(at..=at)).collect();
                sending.drip = Some(Drip {
                    clock: Arc::clone(clock),
                    pause: clock.sleep(DRIP),
                });
            }
            Manner::Cut => {
                sending.pieces = VecDeque::from([body.slice(..length / 2)]);
                sending.cut = Some(Cut::Flush);
            }
        }
        sending.pieces.retain(|piece| !piece.is_empty());
        sending
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(drip) = &mut self.drip {
            std::task::ready!(drip.pause.as_mut().poll(cx));
            drip.pause = drip.clock.sleep(DRIP);
        }
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match self.cut {
            None => Poll::Ready(None),
            Some(Cut::Flush) => {
                // Only a pause makes hyper send what it has before it sees the error.
                self.cut = Some(Cut::Drop);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Cut::Drop) => Poll::Ready(Some(Err(io::Error::other("reset, as asked")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.announced
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::UnixTime;
    use crate::fetch::Fetch as _;
    use crate::testing::{AuthorizationServer, Endpoint, ManualClock, Trouble};

    /// Reads until `enough` is satisfied or the connection ends; false if it ended.
    async fn read(
        stream: &TcpStream,
        text: &mut String,
        enough: impl Fn(&str) -> bool,
    ) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        while !enough(text) {
            stream.readable().await?;
            match stream.try_read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => text.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    async fn connect(server: &AuthorizationServer) -> io::Result<TcpStream> {
        let (_, address) = server.issuer().split_once("://").unwrap();
        TcpStream::connect(address).await
    }

    fn ask(stream: &TcpStream) {
        let request = b"GET /jwks HTTP/1.1\r\nhost: localhost\r\n\r\n";
        assert_eq!(stream.try_write(request).unwrap(), request.len());
    }

    async fn is_answered(server: &AuthorizationServer, stream: &TcpStream) -> bool {
        stream.writable().await.unwrap();
        ask(stream);
        let jwks = server.jwks().to_string();
        let mut text = String::new();
        let whole = read(stream, &mut text, |text| text.ends_with(&jwks)).await;
        whole.unwrap() && text.starts_with("HTTP/1.1 200 OK\r\n")
    }

    /// Waits until the other side has closed, orderly or not.
    async fn closed(stream: &TcpStream) {
        let _ = read(stream, &mut String::new(), |_| false).await;
    }

    #[tokio::test]
    async fn answers_over_a_kept_connection_and_in_process() {
        let server = AuthorizationServer::start().await.unwrap();
        let stream = connect(&server).await.unwrap();
        assert!(is_answered(&server, &stream).await);
        assert!(is_answered(&server, &stream).await);
        let request = Request::get(server.jwks_uri()).body(Vec::new()).unwrap();
        let answer = server.fetcher().fetch(request, 4096).await;
        assert_eq!(answer.unwrap().status(), 200);
        assert_eq!(server.asked(Endpoint::Jwks), 3);
    }

    #[tokio::test]
    async fn an_outage_ends_on_the_same_port() {
        let server = AuthorizationServer::start().await.unwrap();
        let stream = connect(&server).await.unwrap();
        assert!(is_answered(&server, &stream).await);
        for _ in 0..2 {
            server.stop().await;
            let refused = connect(&server).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
        closed(&stream).await;
        server.restart().await.unwrap();
        server.restart().await.unwrap();
        let stream = connect(&server).await.unwrap();
        assert!(is_answered(&server, &stream).await);
    }

    #[tokio::test]
    async fn stops_with_the_last_handle() {
        let server = AuthorizationServer::start().await.unwrap();
        let clone = server.clone();
        let fetcher = server.fetcher();
        let stream = connect(&server).await.unwrap();
        drop(server);
        assert!(is_answered(&clone, &stream).await);
        let (_, address) = clone.issuer().split_once("://").unwrap();
        let address = address.to_owned();
        drop(clone);
        closed(&stream).await;
        assert!(TcpStream::connect(address).await.is_err());
        drop(fetcher);
    }

    #[tokio::test]
    async fn troubles_reach_the_wire() {
        let clock = ManualClock::at(UnixTime::EPOCH);
        let server = AuthorizationServer::builder()
            .clock(clock.clone())
            .start()
            .await
            .unwrap();
        let jwks = server.jwks().to_string();
        let asked = async |trouble| {
            server.trouble(Endpoint::Jwks, trouble);
            let stream = connect(&server).await.unwrap();
            stream.writable().await.unwrap();
            ask(&stream);
            stream
        };

        let stream = asked(Trouble::Huge(100_000)).await;
        let mut text = String::new();
        let end = |text: &str| text.ends_with("\r\n0\r\n\r\n");
        assert!(read(&stream, &mut text, end).await.unwrap());
        assert!(text.contains("transfer-encoding: chunked"));
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.matches(' ').count(), 100_000 - jwks.len());

        let stream = asked(Trouble::Reset).await;
        let mut text = String::new();
        let whole = read(&stream, &mut text, |text| text.ends_with(&jwks)).await;
        assert!(!whole.unwrap());
        assert!(text.ends_with(&jwks[..jwks.len() / 2]), "{text}");
        assert!(text.contains(&format!("content-length: {}\r\n", jwks.len())));

        let stream = asked(Trouble::HangUp).await;
        let mut text = String::new();
        assert!(!read(&stream, &mut text, |_| false).await.unwrap());
        assert_eq!(text, "");

        let stream = asked(Trouble::ContentType("text/plain".to_owned())).await;
        let mut text = String::new();
        let whole = read(&stream, &mut text, |text| text.ends_with(&jwks)).await;
        assert!(whole.unwrap());
        assert_eq!(text.matches("content-type: text/plain\r\n").count(), 1);
        assert_eq!(text.matches("content-type").count(), 1);

        let stream = asked(Trouble::Drip).await;
        let mut text = String::new();
        let begun = |text: &str| text.ends_with("\r\n\r\n{");
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(1));
        assert!(read(&stream, &mut text, begun).await.unwrap());
        drop(stream);

        let stream = asked(Trouble::Hang).await;
        while server.asked(Endpoint::Jwks) < 6 {
            tokio::task::yield_now().await;
        }
        server.stop().await;
        closed(&stream).await;
    }
}

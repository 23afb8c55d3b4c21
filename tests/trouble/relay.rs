//! What stands between a gate and its issuer: it counts what goes through, speaks TLS if it is to, and
//! breaks connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::certificates::Certificate;

/// How answers are let through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Whole,
    /// The connection is reset when the answer begins.
    ResetBefore,
    /// The connection is reset after the head of the answer and some of its body.
    ResetInside,
}

/// A relay on a loopback port. It ends with this.
pub(crate) struct Relay {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    to: SocketAddr,
    /// Whoever is connected when it changes is cut off, so that the change is for everybody.
    mode: watch::Sender<Mode>,
    connections: AtomicUsize,
    /// The most that any one connection took of an answer, in bytes.
    most_sent: AtomicU64,
}

#[derive(Clone, Copy)]
struct Mode {
    manner: Manner,
    certificate: Option<Certificate>,
}

impl Relay {
    /// Lets plain HTTP through to `issuer`.
    pub(crate) async fn plain(issuer: &str) -> Relay {
        Relay::start("http", issuer, None).await
    }

    /// Speaks TLS with who comes, and plain HTTP with `issuer`.
    pub(crate) async fn tls(issuer: &str) -> Relay {
        Relay::start("https", issuer, Some(Certificate::Good)).await
    }

    async fn start(scheme: &'static str, issuer: &str, certificate: Option<Certificate>) -> Relay {
        let to = issuer.strip_prefix("http://").expect("an http URL");
        let to = to.parse().expect("a loopback address");
        let manner = Manner::Whole;
        let shared = Arc::new(Shared {
            to,
            mode: watch::Sender::new(Mode {
                manner,
                certificate,
            }),
            connections: AtomicUsize::new(0),
            most_sent: AtomicU64::new(0),
        });
        let listener = listen().expect("a free port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Relay {
            address,
            scheme,
            shared,
            task,
        }
    }

    /// `http://127.0.0.1:PORT`, or with https.
    pub(crate) fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn most_sent(&self) -> u64 {
        self.shared.most_sent.load(Ordering::Relaxed)
    }

    pub(crate) fn let_through(&self, manner: Manner) {
        self.shared.mode.send_modify(|mode| mode.manner = manner);
    }

    pub(crate) fn show(&self, certificate: Certificate) {
        let shown = Some(certificate);
        self.shared
            .mode
            .send_modify(|mode| mode.certificate = shown);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is sent is to mean what was taken: the system is to hold little of it.
fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(32 * 1024)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    socket.listen(1024)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((gate, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut mode = shared.mode.subscribe();
            let now = *mode.borrow_and_update();
            tokio::select! {
                // Whoever went away, or did not like our certificate, is no business of ours.
                _ = relay(gate, now, &shared) => {}
                _ = mode.changed() => {}
            }
        });
    }
}

async fn relay(gate: TcpStream, mode: Mode, shared: &Shared) -> io::Result<()> {
    match mode.certificate {
        Some(certificate) => {
            let gate = certificate.acceptor().accept(gate).await?;
            let plain = |_: &_| Ok(());
            carry(gate, plain, mode.manner, shared).await
        }
        None => {
            // A close with this set is a reset.
            let reset = |gate: &TcpStream| gate.set_zero_linger();
            carry(gate, reset, mode.manner, shared).await
        }
    }
}

async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    gate: S,
    reset: impl FnOnce(&S) -> io::Result<()>,
    manner: Manner,
    shared: &Shared,
) -> io::Result<()> {
    /// What of the body comes before a reset inside of it.
    const BEGINNING: usize = 5;
    let issuer = TcpStream::connect(shared.to).await?;
    let (mut from_issuer, mut to_issuer) = issuer.into_split();
    let (mut gate_asks, mut gate_hears) = tokio::io::split(gate);
    let asking = async { tokio::io::copy(&mut gate_asks, &mut to_issuer).await };
    let answering = async {
        let mut sent: u64 = 0;
        let mut head = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = from_issuer.read(&mut buffer).await?;
            let mut piece = &buffer[..count];
            let mut ends = false;
            match manner {
                _ if count == 0 => ends = true,
                Manner::Whole => {}
                Manner::ResetBefore => return Ok(true),
                Manner::ResetInside => {
                    head.extend_from_slice(piece);
                    let end = head.windows(4).position(|four| four == b"\r\n\r\n");
                    if let Some(end) = end.map(|end| end + 4 + BEGINNING) {
                        let before = head.len() - count;
                        if end <= head.len() {
                            piece = &piece[..end.saturating_sub(before)];
                            ends = true;
                        }
                    }
                }
            }
            gate_hears.write_all(piece).await?;
            sent += piece.len() as u64;
            shared.most_sent.fetch_max(sent, Ordering::Relaxed);
            if ends {
                return io::Result::Ok(manner != Manner::Whole);
            }
        }
    };
    // Either side's end is the end of both.
    let to_be_reset = tokio::select! {
        _ = asking => false,
        answered = answering => answered?,
    };
    let gate = gate_asks.unsplit(gate_hears);
    if to_be_reset {
        reset(&gate)?;
    }
    Ok(())
}

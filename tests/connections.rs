//! Connections to an introspection endpoint, on real sockets: they are used again, and one that breaks
//! costs no request. The endpoint writes its bytes by hand, so that it can break off anywhere.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod showing;
mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis::testing::ManualClock;
use portcullis::{
    ClientAuth, EndpointStatus, IntrospectionVerifier, Reason, ResourceServer, UnixTime,
};
use showing::{reason, show};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the endpoint does with a request.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Answers,
    /// Answers, and closes the connection without having said so.
    AnswersAndCloses,
    /// Closes the connection without a byte, as if it had been idle for too long.
    Closes,
    /// As `Closes`, but with a reset.
    Resets,
    ClosesInMidBody,
    ResetsInMidBody,
    Fails,
    Stammers,
    Hangs,
}

/// Decides by the number of the request, from 0.
type Script = fn(usize) -> Does;

#[derive(Clone, Default)]
struct Counts {
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

struct Gate {
    counts: Counts,
    clock: ManualClock,
    server: ResourceServer,
}

impl Gate {
    async fn before(script: Script) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/introspect", listener.local_addr().unwrap());
        let counts = Counts::default();
        tokio::spawn(listen(listener, counts.clone(), script));
        Gate::at(&url, counts)
    }

    fn at(url: &str, counts: Counts) -> Gate {
        let auth = ClientAuth::basic("gate", "s3cret");
        let verifier = IntrospectionVerifier::builder(url, auth, "https://api.example.com/");
        let clock = ManualClock::at(UnixTime::from_secs(1_795_262_400));
        let server = ResourceServer::builder().clock(clock.clone());
        Gate {
            server: server.verifier(verifier.build().unwrap()).build().unwrap(),
            clock,
            counts,
        }
    }

    fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    fn status(&self) -> EndpointStatus {
        self.server.status().endpoints.remove(0)
    }

    /// Shows a token that must pass.
    async fn passes(&self, token: &str) {
        let proven = show(&self.server, token).await.unwrap();
        assert_eq!(proven.subject(), Some("alice"));
    }

    /// Shows a token that cannot be asked about, and says why.
    async fn fails(&self, token: &str) -> String {
        let outcome = show(&self.server, token).await;
        assert_eq!(reason(&outcome), Some(Reason::LookupUnavailable));
        outcome.unwrap_err().to_string()
    }
}

async fn listen(listener: TcpListener, counts: Counts, script: Script) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        counts.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(serve(stream, counts.clone(), script));
    }
}

async fn serve(mut stream: TcpStream, counts: Counts, script: Script) {
    while read_request(&mut stream).await {
        let does = script(counts.requests.fetch_add(1, Ordering::SeqCst));
        let body = r#"{"active":true,"sub":"alice","aud":"https://api.example.com/"}"#;
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        let bytes = match does {
            Does::Answers | Does::AnswersAndCloses => head + body,
            Does::Closes | Does::Resets | Does::Hangs => String::new(),
            Does::ClosesInMidBody | Does::ResetsInMidBody => head + &body[..length / 2],
            Does::Fails => "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Does::Stammers => "HTT HTT HTT\r\n\r\n".to_owned(),
        };
        stream.write_all(bytes.as_bytes()).await.unwrap();
        match does {
            Does::Answers | Does::Fails => continue,
            Does::Hangs => std::future::pending().await,
            Does::Resets | Does::ResetsInMidBody => stream.set_zero_linger().unwrap(),
            Does::AnswersAndCloses | Does::Closes | Does::ClosesInMidBody | Does::Stammers => {}
        }
        return;
    }
}

/// Reads a request to its end; `false` if the connection is closed first.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let (_, length) = head.split_once("content-length: ").unwrap();
            let length = length.lines().next().unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return true;
            }
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return false,
            Ok(read) => text.push_str(std::str::from_utf8(&bytes[..read]).unwrap()),
        }
    }
}

#[tokio::test]
async fn fifty_introspections_use_one_connection() {
    let gate = Gate::before(|_| Does::Answers).await;
    for n in 0..50 {
        gate.passes(&format!("token-{n}")).await;
    }
    assert_eq!((gate.connections(), gate.requests()), (1, 50));
}

#[tokio::test]
async fn a_crowd_uses_no_more_connections_than_there_are_turns() {
    let gate = Gate::before(|_| Does::Answers).await;
    let shown: Vec<_> = (0..300)
        .map(|n| {
            let server = gate.server.clone();
            tokio::spawn(async move { show(&server, &format!("token-{n}")).await })
        })
        .collect();
    for shown in shown {
        shown.await.unwrap().unwrap();
    }
    assert_eq!(gate.requests(), 300);
    assert!(gate.connections() <= 64, "{}", gate.connections());
}

/// The endpoint closes each connection after its answer, and does not say so beforehand: whether the
/// client finds out in time or sends its next request into a closed connection, nobody notices.
#[tokio::test]
async fn a_connection_that_is_closed_while_idle_costs_no_request() {
    let gate = Gate::before(|_| Does::AnswersAndCloses).await;
    for n in 0..50 {
        gate.passes(&format!("token-{n}")).await;
    }
    assert_eq!((gate.connections(), gate.requests()), (50, 50));
}

/// The same, at the worst moment: the request is on its way when the connection is closed.
#[tokio::test]
async fn a_connection_that_is_closed_under_a_request_costs_no_request() {
    for does in [(|n| [Does::Answers, Does::Closes][n % 2]) as Script, |n| {
        [Does::Answers, Does::Resets][n % 2]
    }] {
        let gate = Gate::before(does).await;
        for n in 0..10 {
            gate.passes(&format!("token-{n}")).await;
        }
        // The first is answered; then each is closed on, and answered on a connection of its own.
        assert_eq!(gate.requests(), 19);
        assert_eq!(gate.connections(), 10);
        let status = gate.status();
        assert_eq!((status.calls, status.failures), (19, 9));
        assert!(status.available);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_mid_body_is_tried_again_once() {
    for breaks in [
        (|n| [Does::ResetsInMidBody, Does::Answers][n.min(1)]) as Script,
        |n| [Does::ClosesInMidBody, Does::Answers][n.min(1)],
    ] {
        let gate = Gate::before(breaks).await;
        gate.passes("token").await;
        assert_eq!((gate.connections(), gate.requests()), (2, 2));
    }
    for always in [
        (|_| Does::ResetsInMidBody) as Script,
        |_| Does::ClosesInMidBody,
        |_| Does::Resets,
        |_| Does::Closes,
    ] {
        let gate = Gate::before(always).await;
        gate.fails("token").await;
        assert_eq!(gate.requests(), 2, "once more, and no more");
    }
}

#[tokio::test]
async fn an_answer_is_not_asked_for_again() {
    let gate = Gate::before(|_| Does::Fails).await;
    assert_eq!(
        gate.fails("token").await,
        "the introspection endpoint cannot be asked: status is 500, wanted 200"
    );
    assert_eq!(gate.requests(), 1);
    // Not even one that makes no sense.
    let gate = Gate::before(|_| Does::Stammers).await;
    gate.fails("token").await;
    assert_eq!(gate.requests(), 1);
}

#[tokio::test]
async fn a_call_that_hangs_is_not_tried_again() {
    let gate = Gate::before(|_| Does::Hangs).await;
    let server = gate.server.clone();
    let shown = tokio::spawn(async move { show(&server, "token").await });
    while gate.requests() == 0 {
        tokio::task::yield_now().await;
    }
    gate.clock.advance(Duration::from_secs(5));
    let outcome = shown.await.unwrap();
    assert_eq!(reason(&outcome), Some(Reason::LookupUnavailable));
    assert_eq!((gate.requests(), gate.status().calls), (1, 1));
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gate = Gate::at(&format!("http://{address}/"), Counts::default());
    let sentence = gate.fails("token").await;
    assert!(sentence.contains("refused"), "{sentence}");
    let status = gate.status();
    assert_eq!((status.calls, status.failures), (1, 1));
}

/// The other side breaks off the handshake: a TLS connection was never made.
#[tokio::test]
async fn a_handshake_that_breaks_off_is_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/introspect", listener.local_addr().unwrap());
    let counts = Counts::default();
    let connections = counts.connections.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            stream.read_u8().await.unwrap();
        }
    });
    let auth = ClientAuth::basic("gate", "s3cret");
    let verifier = IntrospectionVerifier::builder(&url, auth, "https://api.example.com/");
    // A machine without certificates makes no TLS connections at all.
    let Ok(verifier) = verifier.build() else {
        return;
    };
    let server = ResourceServer::builder()
        .verifier(verifier)
        .build()
        .unwrap();
    let outcome = show(&server, "token").await;
    assert_eq!(reason(&outcome), Some(Reason::LookupUnavailable));
    let status = server.status().endpoints.remove(0);
    assert_eq!(status.calls, 1, "{status:?}");
    assert_eq!(counts.connections.load(Ordering::SeqCst), 1);
}

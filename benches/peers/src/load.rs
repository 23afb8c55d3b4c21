//! Requests over connections that are kept: as cheap as can be, so that the server is what is measured.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::gate::PATH;

const CONNECTIONS: usize = 32;

/// When to stop.
#[derive(Clone, Copy)]
pub enum Until {
    Elapsed(Duration),
    Sent(usize),
}

/// What was answered, all of it with 200.
pub struct Answered {
    pub requests: usize,
    pub took: Duration,
}

/// The bytes of a request with this token.
pub fn request(token: &str) -> Vec<u8> {
    format!("GET {PATH} HTTP/1.1\r\nhost: api.example.com\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

/// Sends these requests in turn, each connection one after the other.
pub async fn send(
    server: SocketAddr,
    requests: &[Vec<u8>],
    until: Until,
) -> Result<Answered, String> {
    let requests: Rc<[Vec<u8>]> = requests.into();
    let sent = Rc::new(Cell::new(0));
    let begun = Instant::now();
    let local = LocalSet::new();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let (requests, sent) = (Rc::clone(&requests), Rc::clone(&sent));
        connections.push(local.spawn_local(async move {
            let mut connection = Connection::open(server).await?;
            loop {
                let number = sent.get();
                match until {
                    Until::Elapsed(window) if begun.elapsed() >= window => {
                        return Ok::<(), String>(());
                    }
                    Until::Sent(count) if number >= count => return Ok(()),
                    _ => sent.set(number + 1),
                }
                connection.ask(&requests[number % requests.len()]).await?;
            }
        }));
    }
    local
        .run_until(async {
            for connection in connections {
                connection.await.map_err(|error| error.to_string())??;
            }
            Ok::<(), String>(())
        })
        .await?;
    Ok(Answered {
        requests: sent.get(),
        took: begun.elapsed(),
    })
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(server: SocketAddr) -> Result<Connection, String> {
        let stream = TcpStream::connect(server)
            .await
            .map_err(|error| error.to_string())?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        Ok(Connection {
            stream,
            buffer: vec![0; 4096],
        })
    }

    async fn ask(&mut self, request: &[u8]) -> Result<(), String> {
        let failed = |error: std::io::Error| error.to_string();
        self.stream.write_all(request).await.map_err(failed)?;
        let mut read = 0;
        loop {
            let more = self
                .stream
                .read(&mut self.buffer[read..])
                .await
                .map_err(failed)?;
            read += more;
            let answer = &self.buffer[..read];
            match length(answer) {
                Some(length) if read >= length => break,
                _ if more == 0 => return Err("the server hung up".to_owned()),
                _ => {}
            }
        }
        let answer = &self.buffer[..read];
        if answer.starts_with(b"HTTP/1.1 200 ") {
            return Ok(());
        }
        let first = answer
            .split(|byte| *byte == b'\r')
            .next()
            .unwrap_or_default();
        Err(format!(
            "under load it answers {}",
            String::from_utf8_lossy(first)
        ))
    }
}

/// How long the whole answer is, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    const LENGTH: &[u8] = b"\r\ncontent-length: ";
    let find = |what: &[u8]| answer.windows(what.len()).position(|window| window == what);
    let head = find(b"\r\n\r\n")? + 4;
    let digits = &answer[find(LENGTH)? + LENGTH.len()..];
    let body = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    Some(head + body)
}

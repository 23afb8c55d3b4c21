//! Requests over connections that are kept: as cheap as can be, so that the server is what is measured.

use std::cell::Cell;
use std::io;
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

/// Holds the connections to one server.
pub struct Client {
    connections: Vec<Connection>,
}

impl Client {
    pub async fn new(server: SocketAddr) -> Result<Client, String> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let open = Connection::open(server).await;
            connections.push(open.map_err(|error| error.to_string())?);
        }
        Ok(Client { connections })
    }

    /// Sends these requests in turn, on each connection one after the other.
    pub async fn send(
        &mut self,
        requests: &Rc<[Vec<u8>]>,
        until: Until,
    ) -> Result<Answered, String> {
        let sent = Rc::new(Cell::new(0));
        let begun = Instant::now();
        let tasks = LocalSet::new();
        let work = self.connections.drain(..).map(|mut connection| {
            let (requests, sent) = (Rc::clone(requests), Rc::clone(&sent));
            tasks.spawn_local(async move {
                loop {
                    let number = sent.get();
                    match until {
                        Until::Elapsed(window) if begun.elapsed() >= window => break,
                        Until::Sent(count) if number >= count => break,
                        _ => sent.set(number + 1),
                    }
                    connection.ask(&requests[number % requests.len()]).await?;
                }
                Ok::<Connection, String>(connection)
            })
        });
        let work: Vec<_> = work.collect();
        let done = async {
            for task in work {
                let connection = task.await.map_err(|error| error.to_string())??;
                self.connections.push(connection);
            }
            Ok::<(), String>(())
        };
        tasks.run_until(done).await?;
        Ok(Answered {
            requests: sent.get(),
            took: begun.elapsed(),
        })
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(server: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            buffer: vec![0; 4096],
        })
    }

    async fn ask(&mut self, request: &[u8]) -> Result<(), String> {
        let failed = |error: io::Error| error.to_string();
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

//! A client of an API: real HTTP on a connection that is kept, and an end to every wait.
#![allow(dead_code)] // No test needs all of it.

use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any wait that a gate may ask of its clients: an exchange that takes longer hangs.
pub(crate) const HANGS: Duration = Duration::from_secs(20);

/// A client with one connection, which is made anew when the other side has closed it.
pub(crate) struct Client {
    authority: String,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// How many connections it has made.
    pub(crate) connections: usize,
}

/// An answer whose body has been read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    /// From sending the request to the last byte of the answer.
    pub(crate) took: Duration,
}

impl Answer {
    /// `Retry-After` in seconds, if there is one.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let value = self.headers.get("retry-after")?.to_str().ok()?;
        value.parse().ok()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl Client {
    /// A client of what listens at `base`, such as `http://127.0.0.1:3000`.
    pub(crate) fn of(base: &str) -> Client {
        let authority = base.strip_prefix("http://").expect("an http URL");
        Client {
            authority: authority.to_owned(),
            connection: None,
            connections: 0,
        }
    }

    /// Shows a Bearer token.
    ///
    /// # Errors
    ///
    /// A sentence, if there was no whole answer.
    pub(crate) async fn show(&mut self, path: &str, token: &str) -> Result<Answer, String> {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(String::new()).expect("a request"))
            .await
    }

    /// Sends a form.
    ///
    /// # Errors
    ///
    /// A sentence, if there was no whole answer.
    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Result<Answer, String> {
        let request = Request::post(path).header("content-type", FORM);
        self.send(request.body(form.to_owned()).expect("a request"))
            .await
    }

    /// Sends a request whose URI is a mere path.
    ///
    /// # Errors
    ///
    /// A sentence, if there was no whole answer.
    pub(crate) async fn send(&mut self, request: Request<String>) -> Result<Answer, String> {
        let asked = Instant::now();
        let answer = timeout(HANGS, self.exchange(request)).await;
        let answer =
            answer.unwrap_or_else(|_| Err(format!("no whole answer within {} s", HANGS.as_secs())));
        // What is left of a broken exchange must not be taken for the next answer.
        let (head, body) = answer.inspect_err(|_| self.connection = None)?;
        Ok(Answer {
            status: head.status().as_u16(),
            headers: head.headers().clone(),
            body,
            took: asked.elapsed(),
        })
    }

    async fn exchange(&mut self, mut request: Request<String>) -> Result<Head, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let host = self.authority.parse().expect("an authority");
        request.headers_mut().insert("host", host);
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => {
                let stream = TcpStream::connect(&*self.authority).await;
                let stream = stream.map_err(|error| said(&error))?;
                let _ = stream.set_nodelay(true);
                let (sender, connection) = handshake(TokioIo::new(stream))
                    .await
                    .map_err(|error| said(&error))?;
                tokio::spawn(connection);
                self.connections += 1;
                sender
            }
        };
        connection.ready().await.map_err(|error| said(&error))?;
        let request = request.map(|text| Full::new(Bytes::from(text)));
        let answer = connection.send_request(request).await;
        let (head, body) = answer.map_err(|error| said(&error))?.into_parts();
        let body = body.collect().await.map_err(|error| said(&error))?;
        self.connection = Some(connection);
        let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok((Response::from_parts(head, ()), body))
    }
}

type Head = (Response<()>, String);

const FORM: &str = "application/x-www-form-urlencoded";

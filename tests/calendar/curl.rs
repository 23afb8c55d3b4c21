//! As much of curl as the printed lines need, over real HTTP.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::built::PATIENCE;
use super::program::Program;

/// An answer whose body has been read.
pub struct Answer(Response<String>);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.0.headers().get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub fn body(&self) -> &str {
        self.0.body()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap_or_else(|_| panic!("{:?}", self.body()))
    }
}

/// Performs a command line as a shell and curl would.
pub async fn curl(line: &str) -> Answer {
    let words = words(line);
    let mut words = words.iter().map(String::as_str);
    assert_eq!(words.next(), Some("curl"), "{line}");
    let mut request = Request::builder();
    let mut data: Vec<String> = Vec::new();
    let mut method = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{line}"));
        match word {
            "-i" => {}
            "-X" => method = Some(value()),
            "-d" => data.push(value().to_owned()),
            "--data-urlencode" => data.push(url_encoded(value())),
            "-H" => {
                let (name, value) = value().split_once(": ").expect("a header");
                request = request.header(name, value);
            }
            url if url.starts_with("http://") => request = request.uri(url),
            other => panic!("{other:?} in {line}"),
        }
    }
    if !data.is_empty() {
        method = method.or(Some("POST"));
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    let request = request.method(method.unwrap_or("GET"));
    send(request.body(data.join("&")).expect(line)).await
}

/// Sends a request with a Bearer token to the calendar.
pub async fn ask(program: &Program, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", program.base))
        .header("authorization", format!("Bearer {token}"));
    send(request.body(body.to_owned()).unwrap()).await
}

/// Sends a request on a connection of its own.
pub async fn send(mut request: Request<String>) -> Answer {
    let authority = request.uri().authority().expect("an absolute URL").clone();
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.expect("a path"));
    let host = authority.as_str().parse().unwrap();
    request.headers_mut().insert("host", host);
    let exchange = async {
        let stream = TcpStream::connect(authority.as_str()).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let body = |text: String| Full::new(Bytes::from(text));
        let answer = sender.send_request(request.map(body)).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer(Response::from_parts(
            parts,
            String::from_utf8(body.into()).unwrap(),
        ))
    };
    timeout(PATIENCE, exchange)
        .await
        .expect("it answers in time")
}

/// Splits at blanks outside of double quotes. The printed lines have no other quoting, and inside
/// the quotes nothing a shell would change.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        assert!(!"$`\\'!".contains(character), "{character} in {line}");
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    assert!(!quoted, "{line}");
    words
}

/// `name=value` with the value percent-encoded.
fn url_encoded(pair: &str) -> String {
    let (name, value) = pair.split_once('=').expect("name and value");
    let encoded = value.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    format!("{name}={}", encoded.collect::<String>())
}

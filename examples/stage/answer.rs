//! What comes back from an API: asked for, read, and shown without tokens.

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::tell;

/// Headers that tell a reader nothing.
const DULL: [&str; 5] = [
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
];
/// Of a longer word only beginning and end are shown: tokens do not belong on screens.
const LONG_WORD: usize = 32;
/// How many letters of each part of a JWT are shown.
const SHORT_PART: usize = 6;
/// How much of a body is shown, in characters.
const LONG_BODY: usize = 400;

/// An answer that has been read. If there was none, its status is 0.
#[derive(Default)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as JSON, or `null`.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// A text in the JSON object that the body is, such as a token; or nothing.
    pub fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_default().to_owned()
    }

    /// Prints what a reader wants to see of it.
    pub(super) fn show(&self) {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        tell(&format!("   < {status}\n"));
        for (name, value) in &self.headers {
            if !DULL.contains(&name.as_str()) {
                let value = String::from_utf8_lossy(value.as_bytes());
                tell(&format!("   < {name}: {}\n", short(&value)));
            }
        }
        let body = short(&self.body);
        let mut shown: String = body.chars().take(LONG_BODY).collect();
        if shown.len() < body.len() {
            shown += " …";
        }
        for line in shown.lines() {
            tell(&format!("   < {line}\n"));
        }
    }
}

/// Sends a request on a connection of its own.
pub(super) async fn send(
    method: Method,
    url: &str,
    headers: &[(String, String)],
    body: String,
) -> Result<Answer, Box<dyn Error>> {
    let url: Uri = url.parse()?;
    let authority = url.authority().ok_or("the URL has no host")?.as_str();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", authority);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let stream = TokioIo::new(TcpStream::connect(authority).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = request.body(Full::new(Bytes::from(body)))?;
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// Leaves out the middle of long words with digits, which are tokens or look like some.
pub fn short(text: &str) -> String {
    let outside = |letter: char| !letter.is_ascii_alphanumeric() && !"-._~+".contains(letter);
    let mut shown = String::new();
    // Each piece is a word with the letter that ends it.
    for piece in text.split_inclusive(outside) {
        let word = piece.trim_end_matches(outside);
        let is_long =
            word.len() > LONG_WORD && word.contains(|letter: char| letter.is_ascii_digit());
        let is_jwt = word.starts_with("ey") && word.contains(".ey");
        if is_long && is_jwt {
            let parts: Vec<String> = word.split('.').map(short_part).collect();
            shown += &parts.join("·");
        } else if is_long {
            shown += &format!("{}…{}", &word[..10], &word[word.len() - 4..]);
        } else {
            shown += word;
        }
        shown += &piece[word.len()..];
    }
    shown
}

/// Shows how a part of a JWT begins, and a checksum: other claims may begin and end alike.
fn short_part(part: &str) -> String {
    if part.len() <= SHORT_PART {
        return part.to_owned();
    }
    let mut hasher = DefaultHasher::new();
    part.hash(&mut hasher);
    format!("{}…{:04x}", &part[..SHORT_PART], hasher.finish() & 0xffff)
}

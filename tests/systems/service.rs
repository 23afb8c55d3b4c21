//! An axum service and its issuer as their clients meet them: a request in, status, headers and body
//! out.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use portcullis::testing::AuthorizationServer;
use portcullis::{AccessToken, Error, Fetch as _, ResourceServer};
use serde_json::Value;
use tower::ServiceExt;

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Sends a request without a body.
pub async fn call(service: &Router, request: http::request::Builder) -> Answer {
    send(service, request.body(Body::empty()).unwrap()).await
}

pub async fn send(service: &Router, request: Request<Body>) -> Answer {
    let response = service.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.into()).unwrap(),
    }
}

/// `GET path` with these headers; the answer's status.
pub async fn get(service: &Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    call(service, request).await
}

pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Calls an issuer in process; a `null` is no body.
pub async fn ask_issuer(
    issuer: &AuthorizationServer,
    request: http::request::Builder,
    body: &Value,
) -> http::Response<Vec<u8>> {
    let body = match body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    let request = request.body(body).unwrap();
    issuer.fetcher().fetch(request, 65_536).await.unwrap()
}

/// As [`ask_issuer`]: the status, and the body if that is JSON.
pub async fn issuer_call(
    issuer: &AuthorizationServer,
    request: http::request::Builder,
    body: &Value,
) -> (u16, Value) {
    let answer = ask_issuer(issuer, request, body).await;
    let body = serde_json::from_slice(answer.body()).unwrap_or_default();
    (answer.status().as_u16(), body)
}

/// What the gate makes of a request with this header, without any service behind it.
pub async fn authenticate(
    server: &ResourceServer,
    name: &str,
    value: &str,
) -> Result<Option<AccessToken>, Error> {
    let request = Request::get("/").header(name, value);
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    server.authenticate(&mut parts).await
}

/// A member that is a text.
pub fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap().to_owned()
}

/// The claims with one of them changed, by a JSON pointer; `null` takes it out.
pub fn with(mut claims: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = claims.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value.is_null() {
        true => parent.remove(name),
        false => parent.insert(name.to_owned(), value),
    };
    claims
}

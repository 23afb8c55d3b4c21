//! The gate in plain hyper: no tower, no axum, no HTTP client.
//!
//! ```text
//! cargo run --example hyper --no-default-features --features jwt
//! ```
//!
//! Listens on 127.0.0.1:3001; another port may be given as the only argument. The issuer lives in
//! this process and is asked in process; `RemoteJwks::fetch` takes any HTTP client of yours instead.

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use portcullis::testing::AuthorizationServer;
use portcullis::{ConfigError, JwtVerifier, RemoteJwks, ResourceServer};
use tokio::net::TcpListener;

portcullis::scopes! {
    /// Hear a greeting.
    Greet = "read:greeting";
    /// Change the greeting.
    Change = "write:greeting";
}

const AUDIENCE: &str = "https://api.example.com/greeting/";

/// The gate.
fn gate(issuer: &AuthorizationServer) -> Result<ResourceServer, ConfigError> {
    let keys = RemoteJwks::discover(issuer.issuer())
        .fetch(issuer.fetcher())
        .build()?;
    let jwt = JwtVerifier::builder(issuer.issuer(), AUDIENCE)
        .keys(keys)
        .build()?;
    ResourceServer::builder()
        .realm("greeting")
        .verifier(jwt)
        .build()
}

/// Routes a request. The gate's errors become its answers in one place, below.
async fn route(
    server: &ResourceServer,
    request: Request<Incoming>,
) -> Result<Response<String>, portcullis::Error> {
    let (mut parts, _body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    if path == "/healthz" {
        return Ok(text(StatusCode::OK, "ok\n".to_owned()));
    }
    if path != "/greeting" {
        return Ok(text(StatusCode::NOT_FOUND, "not found\n".to_owned()));
    }
    let token = server
        .authenticate(&mut parts)
        .await?
        .ok_or_else(portcullis::Error::missing_credential)?;
    match parts.method {
        Method::GET | Method::HEAD => {
            token.require::<Greet>()?;
            Ok(text(
                StatusCode::OK,
                format!("hello, {}\n", token.principal()),
            ))
        }
        Method::POST => {
            token.require::<(Greet, Change)>()?;
            Ok(text(StatusCode::OK, "changed\n".to_owned()))
        }
        _ => {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, String::new());
            let allowed = HeaderValue::from_static("GET, HEAD, POST");
            answer.headers_mut().insert(ALLOW, allowed);
            Ok(answer)
        }
    }
}

async fn answer(
    server: ResourceServer,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    let routed = route(&server, request).await;
    Ok(routed.unwrap_or_else(|error| server.answer(&error)))
}

fn text(status: StatusCode, body: String) -> Response<String> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    answer
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args()
        .nth(1)
        .map_or(Ok(3001), |port| port.parse::<u16>());
    let port = port.map_err(|_| "the only argument is a port, 0 to 65535")?;
    let issuer = AuthorizationServer::new();
    let server = gate(&issuer)?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    tell(&tour(&issuer, listener.local_addr()?.port()));

    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: wait until some are free again.
                    let _ = writeln!(std::io::stderr(), "cannot accept: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            _ = &mut stop => break,
        };
        let server = server.clone();
        let service = service_fn(move |request| answer(server.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new()
            // Without a timer hyper waits for a request's head for ever.
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        // A client that hangs up is its own affair.
        tokio::spawn(async move { drop(connection.await) });
    }
    drop(listener);
    let patience = tokio::time::sleep(Duration::from_secs(2));
    tokio::select! {
        () = graceful.shutdown() => {}
        () = patience => {}
    }
    Ok(())
}

/// Curl lines to paste, each with the status it gets.
fn tour(issuer: &AuthorizationServer, port: u16) -> String {
    let token = issuer.token().audience(AUDIENCE).subject("alice");
    let token = token.expires_in(3600).scope("read:greeting");
    let url = format!("http://127.0.0.1:{port}");
    format!(
        "The greeting listens on {url}\n\n\
         # 200, open to everyone\ncurl -i {url}/healthz\n\n\
         # 200, alice is greeted\ncurl -i {url}/greeting -H \"Authorization: Bearer {good}\"\n\n\
         # 401, no token\ncurl -i {url}/greeting\n\n\
         # 401, this token expired an hour ago\n\
         curl -i {url}/greeting -H \"Authorization: Bearer {expired}\"\n\n\
         # 401, this token is for another server\n\
         curl -i {url}/greeting -H \"Authorization: Bearer {elsewhere}\"\n\n\
         # 403, this token may hear the greeting, but not change it\n\
         curl -i -X POST {url}/greeting -H \"Authorization: Bearer {good}\"\n\n",
        good = token.mint(),
        expired = token.clone().expires_in(-3600).mint(),
        elsewhere = token.audience("https://elsewhere.example/").mint(),
    )
}

/// Prints to stdout. A reader that went away (`| head`) is no reason to fail.
fn tell(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

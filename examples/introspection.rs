//! Opaque tokens only: the issuer is asked about each (RFC 7662), its answer is remembered for a
//! while, and a log-out is heeded at once.
//!
//! ```text
//! cargo run --example introspection
//! ```
//!
//! Listens on 127.0.0.1:3002; another port may be given as the only argument.

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{get, post};
use portcullis::testing::AuthorizationServer;
use portcullis::{
    AccessToken, ClientAuth, ConfigError, IntrospectionVerifier, RequireScope, ResourceServer,
};
use tokio::net::TcpListener;

portcullis::scopes! {
    /// Hear a greeting.
    Greet = "read:greeting";
}

const AUDIENCE: &str = "https://api.example.com/greeting/";

/// How long a token that the issuer has revoked may still pass here, in seconds.
const REMEMBERED: u64 = 10;

/// The gate.
fn gate(endpoint: &str, issuer: &str) -> Result<ResourceServer, ConfigError> {
    let auth = ClientAuth::basic("greeting", "greeting-secret");
    let opaque = IntrospectionVerifier::builder(endpoint, auth, AUDIENCE)
        .issuer(issuer)
        .remember_accepted(Duration::from_secs(REMEMBERED))
        .build()?;
    ResourceServer::builder()
        .realm("greeting")
        .verifier(opaque)
        .build()
}

#[derive(Clone)]
struct App {
    server: ResourceServer,
    issuer: AuthorizationServer,
}

async fn greet(token: RequireScope<Greet>) -> String {
    format!("hello, {}\n", token.principal())
}

/// Revokes the token of the request and forgets it here. The order matters: forgotten first, it
/// could be asked about and remembered again before it is revoked.
async fn log_out(
    _: AccessToken,
    State(app): State<App>,
    parts: Parts,
) -> Result<StatusCode, portcullis::Error> {
    if let Some(credential) = app.server.credential(&parts)? {
        // With an issuer elsewhere this is a call to its revocation endpoint (RFC 7009).
        app.issuer.revoke(credential.token());
        app.server.forget(&credential);
    }
    Ok(StatusCode::NO_CONTENT)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args()
        .nth(1)
        .map_or(Ok(3002), |port| port.parse::<u16>());
    let port = port.map_err(|_| "the only argument is a port, 0 to 65535")?;
    let issuer = AuthorizationServer::start().await?;
    issuer.client("greeting", "greeting-secret");
    issuer.client("web", "web-secret");
    let server = gate(&issuer.introspection_endpoint(), issuer.issuer())?;
    let router = Router::new()
        .route("/greeting", get(greet))
        .route("/logout", post(log_out))
        .route_layer(server.layer())
        .with_state(App {
            server,
            issuer: issuer.clone(),
        });
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    tell(&tour(&issuer, listener.local_addr()?.port()));
    // Ends with the process; examples/calendar shows a graceful shutdown.
    axum::serve(listener, router).await?;
    Ok(())
}

/// Curl lines to paste in this order, each with the status it gets.
fn tour(issuer: &AuthorizationServer, port: u16) -> String {
    let token = issuer
        .opaque()
        .audience(AUDIENCE)
        .subject("alice")
        .client_id("web");
    let token = token.expires_in(3600).scope("read:greeting");
    let greeting = |token: &str| {
        format!("curl -i http://127.0.0.1:{port}/greeting -H \"Authorization: Bearer {token}\"")
    };
    let first = token.mint();
    let second = token.mint();
    format!(
        "The greeting listens on http://127.0.0.1:{port}\n\n\
         # 200, the issuer is asked and says that the token is active\n{with_first}\n\n\
         # 401, no token\ncurl -i http://127.0.0.1:{port}/greeting\n\n\
         # 401, a refresh token: it is active, but for nobody's audience\n{refresh}\n\n\
         # 403, a token without the scope\n{scopeless}\n\n\
         # 200, the issuer revokes the first token\n\
         curl -i {revocation} -d client_id=web -d client_secret=web-secret -d token={first}\n\n\
         # 200, but for {REMEMBERED} seconds after the first line its answer was remembered\n\
         {with_first}\n\n\
         # 401, after that\nsleep {REMEMBERED}; {with_first}\n\n\
         # 200, a second token\n{with_second}\n\n\
         # 204, its user logs out\n\
         curl -i -X POST http://127.0.0.1:{port}/logout -H \"Authorization: Bearer {second}\"\n\n\
         # 401, at once\n{with_second}\n\n",
        with_first = greeting(&first),
        with_second = greeting(&second),
        refresh = greeting(&token.clone().refresh_token().without("aud").mint()),
        scopeless = greeting(&token.clone().scope("read:mail").mint()),
        revocation = issuer.revocation_endpoint(),
    )
}

/// Prints to stdout. A reader that went away (`| head`) is no reason to fail.
fn tell(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

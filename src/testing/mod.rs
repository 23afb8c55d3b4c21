//! An authorization server for tests: it lives in the test process, mints good and broken tokens,
//! rotates keys, answers late or wrongly, on a clock you turn by hand.
//!
//! [`AuthorizationServer::new`] needs no socket: give the gate its
//! [`fetcher`](AuthorizationServer::fetcher) and its [`clock`](AuthorizationServer::clock).
//! [`AuthorizationServer::start`] listens on 127.0.0.1 for tests of the real HTTP client. Both
//! answer with the same functions.
//!
//! A token system that issues in ways of its own gets
//! [endpoints of its own](AuthorizationServer::answer_at).
//!
//! It is made for tests, so it panics with a sentence where it is used wrongly, and its secrets
//! are compared in no constant time. Never put it into production.
//!
//! # Examples
//!
//! A router behind a gate, without a socket (`tower` with its feature `util` has `oneshot`):
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, body::Body, http::Request, routing::get};
//! use portcullis::{AccessToken, testing::AuthorizationServer};
//! use tower::ServiceExt;
//!
//! async fn me(token: AccessToken) -> String {
//!     format!("hello {}", token.principal())
//! }
//!
//! let issuer = AuthorizationServer::new();
//! let jwt = issuer.jwt_verifier("https://api.example.com/").build()?;
//! let gate = issuer.resource_server().verifier(jwt).build()?;
//! let app: Router = Router::new().route("/me", get(me)).layer(gate.layer());
//!
//! let show = |token: String| {
//!     let request = Request::get("/me").header("authorization", format!("Bearer {token}"));
//!     app.clone().oneshot(request.body(Body::empty()).unwrap())
//! };
//! let good = issuer.token().audience("https://api.example.com/").subject("alice");
//! assert_eq!(show(good.mint()).await?.status(), 200);
//! let elsewhere = issuer.token().audience("https://billing.example.com/");
//! assert_eq!(show(elsewhere.mint()).await?.status(), 401);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! An opaque token is active until its time is over:
//!
//! ```
//! use portcullis::testing::{AuthorizationServer, ManualClock};
//! use portcullis::{Fetch, UnixTime};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let clock = ManualClock::at(UnixTime::from_secs(1_795_262_400));
//! let server = AuthorizationServer::builder().clock(clock.clone()).build();
//! server.client("gate", "secret");
//! let token = server.opaque().scope("read:events").expires_in(60).mint();
//!
//! let active = async || {
//!     let request = http::Request::post(server.introspection_endpoint())
//!         .header("authorization", "Basic Z2F0ZTpzZWNyZXQ=") // gate:secret
//!         .header("content-type", "application/x-www-form-urlencoded")
//!         .body(format!("token={token}").into_bytes())
//!         .unwrap();
//!     let answer = server.fetcher().fetch(request, 4096).await.unwrap();
//!     let answer: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
//!     answer["active"] == true
//! };
//! assert!(active().await);
//! clock.advance(Duration::from_secs(60));
//! assert!(!active().await);
//! # }
//! ```

mod builder;
mod claims;
mod clients;
mod clock;
mod control;
mod desk;
mod endpoints;
mod exchange;
mod gate;
mod grants;
mod keys;
mod listen;
mod mint;
mod opaque;
mod refusal;
mod server;
mod site;
mod state;
#[cfg(test)]
mod tests;
mod trouble;

pub use builder::AuthorizationServerBuilder;
pub use clock::ManualClock;
pub use desk::Desk;
pub use exchange::{basic_credentials, bearer_token, json_answer, json_body, parameters};
pub use gate::{access_token, access_token_of_kind};
pub use mint::TokenBuilder;
pub use opaque::OpaqueBuilder;
pub use server::AuthorizationServer;
pub use site::{Endpoint, Place};
pub use trouble::Trouble;

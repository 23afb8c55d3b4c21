//! The gate itself in tests: wired to the embedded issuer, or with claims instead of tokens.

use serde::Serialize;

use super::AuthorizationServer;
use crate::claims::ClaimSet;
use crate::clock::UnixTime;
use crate::jwks::RemoteJwks;
use crate::jwt::{JwtVerifier, JwtVerifierBuilder};
use crate::kind::ACCESS_TOKEN;
use crate::middleware::AuthenticateLayer;
use crate::server::{ResourceServer, ResourceServerBuilder, Side};
use crate::token::AccessToken;
use crate::verified::Verified;

impl AuthorizationServer {
    /// Begins a verifier of this server's JWTs for `audience`. It finds the keys through the
    /// metadata, in process, without a socket.
    pub fn jwt_verifier(&self, audience: &str) -> JwtVerifierBuilder {
        let keys = RemoteJwks::discover(self.issuer())
            .fetch(self.fetcher())
            .build();
        JwtVerifier::builder(self.issuer(), audience).keys(keys.expect("the issuer is a URL"))
    }

    /// Begins a gate on this server's clock; add a verifier.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::testing::AuthorizationServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = AuthorizationServer::new();
    /// let jwt = issuer.jwt_verifier("https://api.example.com/").build()?;
    /// let server = issuer.resource_server().verifier(jwt).build()?;
    ///
    /// let token = issuer.token().subject("alice").scope("read:events").mint();
    /// let request = http::Request::get("/events").header("authorization", format!("Bearer {token}"));
    /// let (mut parts, ()) = request.body(())?.into_parts();
    /// let proven = server.authenticate(&mut parts).await?.expect("a token was sent");
    /// assert_eq!(proven.subject(), Some("alice"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn resource_server(&self) -> ResourceServerBuilder {
        ResourceServer::builder().clock(self.clock())
    }
}

impl ResourceServer {
    /// A layer like [`layer`](Self::layer) that takes every request to carry a proven token with
    /// these claims: tests of handlers need no issuer and no token. Refusals are worded as this
    /// server words them.
    ///
    /// # Panics
    ///
    /// If `claims` is no JSON object with well-typed claims, or of no kind or several kinds of this
    /// server; it counts as the claims of an `at+jwt` in the carrier its kind is bound to.
    ///
    /// # Examples
    ///
    /// ```
    /// use portcullis::testing::AuthorizationServer;
    /// use serde_json::json;
    ///
    /// # fn app() -> axum::Router { axum::Router::new() }
    /// let issuer = AuthorizationServer::new();
    /// let server = issuer.resource_server()
    ///     .verifier(issuer.jwt_verifier("https://api.example.com/").build()?)
    ///     .build()?;
    /// let app = app().layer(server.with_claims(json!({"sub": "alice", "scope": "read:events"})));
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    #[track_caller]
    pub fn with_claims(&self, claims: impl Serialize) -> AuthenticateLayer {
        self.layer_with(token_of(self, Side::First, claims), None)
    }

    /// As [`with_claims`](Self::with_claims), for a server with a second credential slot: every
    /// request carries a proven token in each.
    ///
    /// # Panics
    ///
    /// As [`with_claims`](Self::with_claims), and if the server has no second slot.
    #[track_caller]
    pub fn with_claims_of_both(
        &self,
        first: impl Serialize,
        second: impl Serialize,
    ) -> AuthenticateLayer {
        let first = token_of(self, Side::First, first);
        self.layer_with(first, Some(token_of(self, Side::Second, second)))
    }
}

#[track_caller]
fn token_of(server: &ResourceServer, side: Side, claims: impl Serialize) -> AccessToken {
    let claims = ClaimSet::from_serialize(&claims).expect("claims are a JSON object");
    let token = server.token_with(side, claims);
    token.unwrap_or_else(|why| panic!("{why}"))
}

/// A proven token with these claims, for handlers that are called as plain functions.
///
/// # Panics
///
/// If `claims` is no JSON object with well-typed claims.
///
/// # Examples
///
/// ```
/// use portcullis::{AccessToken, testing};
/// use serde_json::json;
///
/// async fn me(token: AccessToken) -> String {
///     format!("hello {}", token.principal())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let alice = testing::access_token(json!({"sub": "alice"}));
/// assert_eq!(me(alice).await, "hello alice");
/// # }
/// ```
#[track_caller]
pub fn access_token(claims: impl Serialize) -> AccessToken {
    let claims = ClaimSet::from_serialize(&claims).expect("claims are a JSON object");
    AccessToken::new(Verified::new(claims), ACCESS_TOKEN.into(), UnixTime::MAX)
}

//! The gate itself in tests: wired to the embedded issuer, or with claims instead of tokens.

use serde::Serialize;

use super::AuthorizationServer;
use crate::claims::ClaimSet;
use crate::clock::UnixTime;
use crate::jwks::RemoteJwks;
use crate::jwt::{JwtVerifier, JwtVerifierBuilder};
use crate::kind::ACCESS_TOKEN;
use crate::middleware::AuthenticateLayer;
use crate::server::{Proven, ResourceServer, ResourceServerBuilder};
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
        let claims = ClaimSet::from_serialize(&claims).expect("claims are a JSON object");
        let token = self.token_with(claims);
        self.layer_with(Proven::of(Some(
            token.unwrap_or_else(|why| panic!("{why}")),
        )))
    }

    /// As [`with_claims`](Self::with_claims), with a token for each named kind, in the credential slot
    /// the kind belongs into. The kind is taken at its word: its marks and demands are not looked at.
    ///
    /// # Panics
    ///
    /// If a kind is none of this server's, two belong into one slot, or claims are no JSON object with
    /// well-typed claims.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn app() -> axum::Router { axum::Router::new() }
    /// # fn both(server: portcullis::ResourceServer) {
    /// use serde_json::json;
    ///
    /// let app = app().layer(server.with_kinds([
    ///     ("applicant", json!({"sub": "alice"})),
    ///     ("job session", json!({"sub": "shop", "job": "cook"})),
    /// ]));
    /// # }
    /// ```
    #[track_caller]
    pub fn with_kinds<'a>(
        &self,
        tokens: impl IntoIterator<Item = (&'a str, impl Serialize)>,
    ) -> AuthenticateLayer {
        let mut proven = Proven::default();
        for (kind, claims) in tokens {
            let claims = ClaimSet::from_serialize(&claims).expect("claims are a JSON object");
            let added = self.add_token(&mut proven, kind, claims);
            added.unwrap_or_else(|why| panic!("{why}"));
        }
        self.layer_with(proven)
    }
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
    access_token_of_kind(ACCESS_TOKEN, claims)
}

/// As [`access_token`], of the kind `name`.
///
/// # Panics
///
/// As [`access_token`].
///
/// # Examples
///
/// ```
/// use portcullis::{FromToken, Token, TokenKind, testing};
/// use serde_json::json;
///
/// struct Applicant;
/// impl TokenKind for Applicant {
///     const NAME: &'static str = "applicant";
/// }
///
/// async fn apply(applicant: Token<Applicant>) -> String {
///     format!("thank you, {}", applicant.principal())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), portcullis::Error> {
/// let token = testing::access_token_of_kind("applicant", json!({"sub": "alice"}));
/// assert_eq!(apply(Token::from_token(&token)?).await, "thank you, alice");
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn access_token_of_kind(name: &str, claims: impl Serialize) -> AccessToken {
    let claims = ClaimSet::from_serialize(&claims).expect("claims are a JSON object");
    AccessToken::new(Verified::new(claims), name.into(), UnixTime::MAX)
}

//! Gates for the tokens of the stage: keys at hand, nothing to wait for.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::request::Parts;
use portcullis::{
    AccessToken, Algorithm, ByIssuer, Carrier, Clock, Credential, Error, JwtVerifier, Moment,
    ResourceServer, StaticJwks, SystemClock, Verified, Verifier,
};
use serde::Deserialize;

use super::route::now_or_never;
use super::tokens::{self, AUDIENCE, ISSUER, SigningKey};

portcullis::scopes! {
    /// What the tokens of the stage hold.
    pub ReadEvents = "read:events";
}

/// The claims as an application reads them: seven strings.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Party {
    pub iss: String,
    pub sub: String,
    pub aud: String,
    pub client_id: String,
    pub jti: String,
    pub scope: String,
    pub tenant: String,
    pub exp: u64,
    pub iat: u64,
    pub nbf: u64,
}

impl Party {
    /// How many of its fields lie in memory of their own.
    pub const FIELDS: u64 = 7;
}

/// How many tokens a gate of the stage remembers, unless it is asked for more.
pub const CAPACITY: u64 = 20_000;

/// Longer than anything is measured.
const LONG: Duration = Duration::from_secs(86_400);

/// The verifier of a key.
pub fn verifier(key: &SigningKey) -> JwtVerifier {
    let builder = JwtVerifier::builder(ISSUER, AUDIENCE).remember_accepted(LONG);
    match key.secret() {
        Some(secret) => builder.hmac_secret(Algorithm::HS256, secret),
        None => builder
            .algorithms([key.alg.parse().unwrap()])
            .keys(StaticJwks::from_json(&tokens::jwks([key])).unwrap()),
    }
    .build()
    .unwrap()
}

/// The gate of a key.
pub fn gate(key: &SigningKey) -> ResourceServer {
    gate_for(verifier(key), CAPACITY)
}

/// A gate that remembers as many.
pub fn gate_for(verifier: impl Verifier, capacity: u64) -> ResourceServer {
    let server = ResourceServer::builder().verifier(verifier);
    server.verdict_capacity(capacity).build().unwrap()
}

/// A verifier with as many keys, of which `key` is one.
pub fn with_keys(key: &SigningKey, count: usize) -> JwtVerifier {
    let keys = StaticJwks::from_json(&tokens::crowded_jwks(key, count)).unwrap();
    let builder = JwtVerifier::builder(ISSUER, AUDIENCE).algorithms([key.alg.parse().unwrap()]);
    builder.remember_accepted(LONG).keys(keys).build().unwrap()
}

/// A verifier of as many issuers, of which [`ISSUER`] is the middle one. They share a key: it is the
/// number that is measured.
pub fn with_issuers(key: &SigningKey, count: usize) -> ByIssuer {
    let keys = StaticJwks::from_json(&tokens::jwks([key])).unwrap();
    let verifiers = (0..count).map(|number| {
        let issuer = match number == count / 2 {
            true => ISSUER.to_owned(),
            false => format!("https://issuer.example/tenants/{number:08}"),
        };
        let builder = JwtVerifier::builder(&issuer, AUDIENCE)
            .algorithms([key.alg.parse().unwrap()])
            .remember_accepted(LONG)
            .keys(keys.clone());
        builder.build().unwrap()
    });
    ByIssuer::new(verifiers).unwrap()
}

/// The header's value that presents a token.
pub fn bearer(token: &str) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes_of(format!("Bearer {token}"))).unwrap()
}

/// As a connection holds them: shared, so that cloning the header copies nothing.
fn bytes_of(text: String) -> axum::body::Bytes {
    axum::body::Bytes::from(text.into_bytes())
}

/// The head of a request with this header, for who asks the heart of the gate.
pub fn head(authorization: &HeaderValue) -> Parts {
    let request = http::Request::get("/calendar/v1/events").header("authorization", authorization);
    request.body(()).unwrap().into_parts().0
}

/// Asks the heart of the gate, which must know the answer at once.
pub fn ask(server: &ResourceServer, parts: &mut Parts) -> Result<Option<AccessToken>, Error> {
    now_or_never(server.authenticate(parts)).expect("nothing has to be waited for")
}

/// Shows a gate a token until it knows it by heart: what is seen twice may be kept nearer.
pub fn acquaint(server: &ResourceServer, authorization: &HeaderValue) {
    for _ in 0..8 {
        let token = ask(server, &mut head(authorization)).unwrap().unwrap();
        // Read once per token, and remembered beside it.
        token.claims_as::<Party>().unwrap();
    }
}

/// From a token's text to typed, checked claims, with no cache and no request around it.
pub struct Cold<V> {
    verifier: V,
    carrier: Carrier,
    clock: Arc<dyn Clock>,
}

impl<V: Verifier> Cold<V> {
    /// Measures `verifier`.
    pub fn new(verifier: V) -> Cold<V> {
        Cold {
            verifier,
            carrier: Carrier::bearer(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Proves a token.
    pub fn verified(&self, token: &str) -> Verified {
        let credential = Credential::new(token, &self.carrier);
        let answer = self
            .verifier
            .verify_now(&credential, &Moment::of(&self.clock));
        answer.expect("the key is at hand").expect("it is good")
    }

    /// Proves a token, and reads its claims.
    pub fn party(&self, token: &str) -> Party {
        self.verified(token).claims().read().unwrap()
    }
}

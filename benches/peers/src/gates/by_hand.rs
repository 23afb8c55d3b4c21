//! What one writes oneself: a middleware function around jsonwebtoken, and the same with a cache in
//! front of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use moka::sync::Cache;

use super::{Member, REMEMBERED};
use crate::gate::{ANSWER, Axum, Entry, Gate, PATH};
use crate::stage::Source;
use crate::tokens::AUDIENCE;

pub const PLAIN: Entry = Entry {
    name: "by hand, jsonwebtoken",
    package: Some("jsonwebtoken"),
    crypto: "aws-lc-rs",
    note: "`from_fn`, `decode_header` and `decode`",
    build: |source| Box::pin(async { build(source, None) }),
    ..Entry::PLAIN
};

pub const REMEMBERING: Entry = Entry {
    name: "by hand, jsonwebtoken and moka",
    note: "the same, asking a cache whose key is the whole token",
    remembers: true,
    build: |source| {
        let cache = Cache::builder()
            .max_capacity(REMEMBERED)
            .time_to_live(Duration::from_secs(300))
            .build();
        Box::pin(async { build(source, Some(cache)) })
    },
    ..PLAIN
};

struct Verifier {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
    seen: Option<Cache<String, Arc<Member>>>,
}

impl Verifier {
    fn verify(&self, token: &str) -> Option<Arc<Member>> {
        let Some(seen) = &self.seen else {
            return self.decode(token);
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        if let Some(member) = seen.get(token) {
            return (member.exp > now).then_some(member);
        }
        let member = self.decode(token)?;
        seen.insert(token.to_owned(), Arc::clone(&member));
        Some(member)
    }

    fn decode(&self, token: &str) -> Option<Arc<Member>> {
        let kid = decode_header(token).ok()?.kid?;
        let token = decode::<Member>(token, self.keys.get(&kid)?, &self.validation).ok()?;
        Some(Arc::new(token.claims))
    }
}

async fn gate(
    State(verifier): State<Arc<Verifier>>,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let header = request.headers().get(AUTHORIZATION);
    let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let member = token.and_then(|token| verifier.verify(token));
    let member = member.ok_or(StatusCode::UNAUTHORIZED)?;
    request.extensions_mut().insert(member);
    Ok(next.run(request).await)
}

async fn events(_: Extension<Arc<Member>>) -> &'static str {
    ANSWER
}

fn build(
    source: Source,
    seen: Option<Cache<String, Arc<Member>>>,
) -> Result<Box<dyn Gate>, String> {
    let jwks: JwkSet = serde_json::from_str(&source.jwks).map_err(|error| error.to_string())?;
    let mut keys = HashMap::new();
    for jwk in &jwks.keys {
        let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
        keys.insert(jwk.common.key_id.clone().unwrap_or_default(), key);
    }
    let algorithm: Algorithm = source.algorithm.parse().map_err(|_| "no such algorithm")?;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[&source.issuer]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.validate_nbf = true;
    let verifier = Arc::new(Verifier {
        keys,
        validation,
        seen,
    });
    let router = Router::new()
        .route(PATH, get(events))
        .layer(from_fn_with_state(verifier, gate));
    Ok(Box::new(Axum(router)))
}

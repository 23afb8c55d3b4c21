//! aliri_tower: a layer around an authority of aliri_oauth2, with keys fetched from their URL.

use std::time::Duration;

use aliri::jwa::Algorithm;
use aliri::jwt::{
    Audience, Audiences, CoreClaims, CoreValidator, Issuer, IssuerRef, Subject, SubjectRef,
};
use aliri_clock::UnixTime;
use aliri_oauth2::{Authority, HasScope, Scope};
use aliri_tower::Oauth2Authorizer;
use axum::Router;
use axum::routing::get;
use serde::Deserialize;

use crate::gate::{ANSWER, Axum, Entry, Gate, PATH};
use crate::stage::Source;
use crate::tokens::AUDIENCE;

pub const ENTRY: Entry = Entry {
    name: "aliri_tower",
    package: Some("aliri_tower"),
    crypto: "ring",
    note: "knows no EdDSA; the types of its claims are its own",
    lacks: &["EdDSA"],
    build: |source| Box::pin(build(source)),
    ..Entry::PLAIN
};

#[derive(Clone, Debug, Deserialize)]
#[allow(dead_code)] // A handler would read them.
struct Claims {
    iss: Issuer,
    sub: Subject,
    aud: Audiences,
    client_id: String,
    jti: String,
    scope: Scope,
    tenant: String,
    exp: UnixTime,
    iat: UnixTime,
    nbf: UnixTime,
}

impl CoreClaims for Claims {
    fn nbf(&self) -> Option<UnixTime> {
        Some(self.nbf)
    }
    fn exp(&self) -> Option<UnixTime> {
        Some(self.exp)
    }
    fn aud(&self) -> &Audiences {
        &self.aud
    }
    fn iss(&self) -> Option<&IssuerRef> {
        Some(&self.iss)
    }
    fn sub(&self) -> Option<&SubjectRef> {
        Some(&self.sub)
    }
}

impl HasScope for Claims {
    fn scope(&self) -> &Scope {
        &self.scope
    }
}

async fn build(source: Source) -> Result<Box<dyn Gate>, String> {
    let algorithm = match source.algorithm.as_str() {
        "RS256" => Algorithm::RS256,
        _ => Algorithm::ES256,
    };
    let validator = CoreValidator::default()
        .add_approved_algorithm(algorithm)
        .add_allowed_audience(Audience::from_static(AUDIENCE))
        .require_issuer(Issuer::new(source.issuer));
    let authority = Authority::new_from_url(source.jwks_url, validator)
        .await
        .map_err(|error| error.to_string())?;
    authority.spawn_refresh(Duration::from_secs(600));
    let authorizer = Oauth2Authorizer::new()
        .with_claims::<Claims>()
        .with_terse_error_handler();
    let router = Router::new()
        .route(PATH, get(|| async { ANSWER }))
        .layer(authorizer.jwt_layer(authority));
    Ok(Box::new(Axum(router)))
}

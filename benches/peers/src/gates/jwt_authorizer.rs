//! jwt-authorizer: a layer, with the issuer's keys found through its metadata.

use axum07::Router;
use axum07::routing::get;
use jwt_authorizer::{Authorizer, IntoLayer, JwtAuthorizer, JwtClaims, Validation};

use super::{Member, bare};
use crate::gate::{ANSWER, Entry, Gate, OlderAxum, PATH};
use crate::stage::Source;
use crate::tokens::AUDIENCE;

pub const ENTRY: Entry = Entry {
    name: "jwt-authorizer",
    package: Some("jwt-authorizer"),
    crypto: "ring",
    note: "on axum 0.7, compared with no gate there",
    baseline: bare::NONE_ON_OLDER_AXUM.name,
    build: |source| Box::pin(build(source)),
    ..Entry::PLAIN
};

async fn build(source: Source) -> Result<Box<dyn Gate>, String> {
    let validation = Validation::new()
        .iss(&[&source.issuer])
        .aud(&[AUDIENCE])
        .nbf(true);
    let authorizer: Authorizer<Member> = JwtAuthorizer::from_oidc(&source.issuer)
        .validation(validation)
        .build()
        .await
        .map_err(|error| error.to_string())?;
    let router = Router::new()
        .route(PATH, get(events))
        .layer(authorizer.into_layer());
    Ok(Box::new(OlderAxum(router)))
}

async fn events(_: JwtClaims<Member>) -> &'static str {
    ANSWER
}

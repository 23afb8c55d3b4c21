//! huskarl-axum: a layer around a validator for RFC 9068, with the issuer's keys found through its
//! metadata.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use huskarl_axum::extractors::ValidatedToken;
use huskarl_axum::layers::ValidatorLayer;
use huskarl_axum::resource_server::core::jwk::JwksSource;
use huskarl_axum::resource_server::core::server_metadata::AuthorizationServerMetadata;
use huskarl_axum::resource_server::validator::rfc9068::{
    Rfc9068AccessTokenClaims, Rfc9068Validator,
};
use huskarl_reqwest::ReqwestClient;
use huskarl_reqwest::mtls::NoMtls;

use crate::gate::{ANSWER, Axum, Entry, Gate, PATH};
use crate::stage::Source;
use crate::tokens::AUDIENCE;

pub const ENTRY: Entry = Entry {
    name: "huskarl-axum",
    package: Some("huskarl-axum"),
    crypto: "RustCrypto",
    note: "it has no other crypto outside of browsers",
    build: |source| Box::pin(build(source)),
    ..Entry::PLAIN
};

async fn build(source: Source) -> Result<Box<dyn Gate>, String> {
    let client = ReqwestClient::builder().mtls(NoMtls).build().await;
    let client = client.map_err(|error| error.to_string())?;
    let metadata = AuthorizationServerMetadata::fetch()
        .http_client(&client)
        .issuer(source.issuer)
        .call()
        .await
        .map_err(|error| error.to_string())?;
    let validator: Rfc9068Validator = Rfc9068Validator::builder_from_metadata(&metadata)
        .audience(AUDIENCE)
        .jws_verifier_factory(Arc::new(JwksSource::builder().http_client(client).build()))
        .build()
        .await
        .map_err(|error| error.to_string())?;
    let layer = ValidatorLayer::builder().validator(validator).build();
    let router = Router::new()
        .route(PATH, get(events))
        .layer(layer.authenticated());
    Ok(Box::new(Axum(router)))
}

async fn events(_: ValidatedToken<Rfc9068AccessTokenClaims>) -> &'static str {
    ANSWER
}

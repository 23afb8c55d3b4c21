//! axum-jwt-auth: an extractor, with keys that are fetched in the background.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::get;
use axum_jwt_auth::{Claims, Decoder, RemoteJwksDecoder};
use jsonwebtoken10::crypto::{CryptoProvider, aws_lc, rust_crypto};
use jsonwebtoken10::{Algorithm, Validation};

use super::Member;
use crate::gate::{ANSWER, Axum, Entry, Gate, PATH};
use crate::stage::Source;
use crate::tokens::AUDIENCE;

pub const SHIPPED: Entry = Entry {
    name: "axum-jwt-auth, as shipped",
    package: Some("axum-jwt-auth"),
    crypto: "RustCrypto",
    note: "it turns jsonwebtoken's backend rust_crypto on for everybody",
    build: |source| Box::pin(build(source, &rust_crypto::DEFAULT_PROVIDER)),
    ..Entry::PLAIN
};

pub const FASTEST: Entry = Entry {
    name: "axum-jwt-auth, another backend",
    crypto: "aws-lc-rs",
    note: "with jsonwebtoken's backend aws_lc_rs turned on beside its own and installed for the process",
    build: |source| Box::pin(build(source, &aws_lc::DEFAULT_PROVIDER)),
    ..SHIPPED
};

#[derive(Clone, FromRef)]
struct App {
    decoder: Decoder<Member>,
}

async fn build(source: Source, provider: &'static CryptoProvider) -> Result<Box<dyn Gate>, String> {
    // Once per process, and a gate may be built several times there.
    let _ = provider.install_default();
    let algorithm: Algorithm = source.algorithm.parse().map_err(|_| "no such algorithm")?;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[&source.issuer]);
    let decoder = RemoteJwksDecoder::builder()
        .jwks_url(source.jwks_url)
        .validation(validation)
        .build()
        .map_err(|error| error.to_string())?;
    let decoder = Arc::new(decoder);
    decoder
        .initialize()
        .await
        .map_err(|error| error.to_string())?;
    let router = Router::new().route(PATH, get(events));
    Ok(Box::new(Axum(router.with_state(App { decoder }))))
}

async fn events(_: Claims<Member>) -> &'static str {
    ANSWER
}

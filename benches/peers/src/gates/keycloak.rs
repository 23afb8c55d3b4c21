//! axum-keycloak-auth: a layer, with the realm's keys found through its metadata.

use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use axum_keycloak_auth::decode::KeycloakToken;
use axum_keycloak_auth::instance::{KeycloakAuthInstance, KeycloakConfig};
use axum_keycloak_auth::layer::KeycloakAuthLayer;
use axum_keycloak_auth::{PassthroughMode, Url};
use serde::Deserialize;

use crate::gate::{ANSWER, Axum, Entry, Gate, PATH};
use crate::stage::Source;
use crate::tokens::{AUDIENCE, Claims};

pub const ENTRY: Entry = Entry {
    name: "axum-keycloak-auth",
    package: Some("axum-keycloak-auth"),
    crypto: "ring",
    note: "its tokens have the claims typ and azp in place of client_id; same length",
    claims: Claims::WithParty,
    build: |source| Box::pin(build(source)),
    ..Entry::PLAIN
};

/// What its tokens say beside the claims it knows.
#[derive(Clone, Debug, Deserialize)]
#[allow(dead_code)] // A handler would read them.
struct Extra {
    scope: String,
    tenant: String,
}

async fn build(source: Source) -> Result<Box<dyn Gate>, String> {
    let server = Url::parse(&source.issuer).map_err(|error| error.to_string())?;
    let config = KeycloakConfig::builder()
        .server(server)
        .realm("peers".to_owned())
        .build();
    let instance = Arc::new(KeycloakAuthInstance::new(config));
    // A request that comes before the fetch has begun meets an assertion in the layer.
    while !instance.is_operational().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let layer = KeycloakAuthLayer::<String, Extra>::builder()
        .instance(instance)
        .passthrough_mode(PassthroughMode::Block)
        .persist_raw_claims(false)
        .expected_audiences(vec![AUDIENCE.to_owned()])
        .build();
    let router = Router::new().route(PATH, get(events)).layer(layer);
    Ok(Box::new(Axum(router)))
}

async fn events(_: Extension<KeycloakToken<String, Extra>>) -> &'static str {
    ANSWER
}

//! tower-oauth2-resource-server: a layer, with the issuer's keys found through its metadata.

use axum::routing::get;
use axum::{Extension, Router};
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;

use super::Member;
use crate::gate::{ANSWER, Axum, Entry, Gate, PATH};
use crate::stage::Source;
use crate::tokens::AUDIENCE;

pub const ENTRY: Entry = Entry {
    name: "tower-oauth2-resource-server",
    package: Some("tower-oauth2-resource-server"),
    crypto: "aws-lc-rs",
    note: "with its feature jwt-aws-lc-rs; RustCrypto is its default",
    build: |source| Box::pin(build(source)),
    ..Entry::PLAIN
};

async fn build(source: Source) -> Result<Box<dyn Gate>, String> {
    let tenant = TenantConfiguration::builder(source.issuer)
        .audiences(&[AUDIENCE])
        .build()
        .await
        .map_err(|error| error.to_string())?;
    let server = OAuth2ResourceServer::<Member>::builder()
        .add_tenant(tenant)
        .build()
        .await
        .map_err(|error| error.to_string())?;
    let router = Router::new()
        .route(PATH, get(events))
        .layer(server.into_layer());
    Ok(Box::new(Axum(router)))
}

async fn events(_: Extension<Member>) -> &'static str {
    ANSWER
}

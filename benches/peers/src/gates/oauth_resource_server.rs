//! oauth-resource-server: a layer, with the issuer's keys found through its metadata.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use oauth_resource_server::axum::AuthLayer;
use oauth_resource_server::{
    Credential, KeyNaming, OAuthConfig, OAuthValidator, static_token_policy,
};

use crate::gate::{ANSWER, Axum, Entry, Gate, PATH};
use crate::stage::Source;
use crate::tokens::{AUDIENCE, SCOPE};

pub const ENTRY: Entry = Entry {
    name: "oauth-resource-server",
    package: Some("oauth-resource-server"),
    crypto: "ring",
    note: "checks a scope, too: it is not built without one",
    build: |source| Box::pin(build(source)),
    ..Entry::PLAIN
};

async fn build(source: Source) -> Result<Box<dyn Gate>, String> {
    let config = OAuthConfig {
        enabled: true,
        issuer: source.issuer,
        audience: AUDIENCE.to_owned(),
        resource: AUDIENCE.to_owned(),
        required_scope: Some(SCOPE.to_owned()),
        ..OAuthConfig::default()
    };
    let config = config
        .resolve(KeyNaming::Dotted("oauth"))
        .map_err(|error| error.to_string())?
        .ok_or("not enabled")?;
    let validator = OAuthValidator::new(&config).map_err(|error| error.to_string())?;
    let validator = Arc::new(validator);
    validator.spawn_background_refresh();
    validator
        .refresh_now()
        .await
        .map_err(|error| error.to_string())?;
    let decision = static_token_policy(None, Some(&config), false);
    let decision = decision.map_err(|error| error.to_string())?;
    let layer = AuthLayer::from_decision(decision, Some(validator));
    let layer = layer.map_err(|error| error.to_string())?;
    let router = Router::new().route(PATH, get(events)).route_layer(layer);
    Ok(Box::new(Axum(router)))
}

async fn events(_: Credential) -> &'static str {
    ANSWER
}

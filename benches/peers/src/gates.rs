//! Every gate that is measured, each in a file of its own, configured as its documentation shows.

pub mod aliri;
pub mod axum_jwt_auth;
pub mod bare;
pub mod by_hand;
pub mod huskarl;
pub mod jwt_authorizer;
pub mod keycloak;
pub mod oauth_resource_server;
pub mod ours;
pub mod tower_oauth2;

use serde::{Deserialize, Serialize};

use crate::gate::Entry;

/// In the order of the table.
pub static ALL: [Entry; 17] = [
    bare::NONE,
    bare::IDLE,
    ours::EXTRACTOR,
    ours::AROUND,
    ours::LAYER,
    ours::FORGETFUL,
    by_hand::REMEMBERING,
    by_hand::PLAIN,
    aliri::ENTRY,
    axum_jwt_auth::FASTEST,
    axum_jwt_auth::SHIPPED,
    keycloak::ENTRY,
    huskarl::ENTRY,
    jwt_authorizer::ENTRY,
    oauth_resource_server::ENTRY,
    tower_oauth2::ENTRY,
    bare::NONE_ON_OLDER_AXUM,
];

/// The gate of this name.
pub fn find(name: &str) -> Result<&'static Entry, String> {
    let found = ALL.iter().find(|entry| entry.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|entry| entry.name).collect();
        format!("no gate {name:?}, wanted one of: {}", names.join(", "))
    })
}

/// How many tokens a gate that remembers may hold: the ring, and room to spare.
pub const REMEMBERED: u64 = 20_000;

/// The claims of a token, for gates that let their user say what they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
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

//! The gate: whom we trust, and which token goes to which verifier. Copy this.

use std::time::Duration;

use portcullis::{
    Carrier, ClientAuth, ConfigError, IntrospectionVerifier, JwtVerifier, RemoteJwks,
    ResourceServer, When,
};

use crate::options::{Options, Typ};

portcullis::scopes! {
    /// See one's own events.
    pub ReadCalendar = "read:calendar";
    /// Create and delete one's own events.
    pub WriteCalendar = "write:calendar";
}

/// An introspection endpoint, and how we identify ourselves there.
pub struct Introspection {
    pub uri: String,
    pub auth: ClientAuth,
}

/// JWTs are proven here, with the issuer's keys. Opaque tokens are proven by the issuer, if we may
/// ask it.
pub fn gate(
    options: &Options,
    issuer: &str,
    introspection: Option<Introspection>,
) -> Result<ResourceServer, ConfigError> {
    let mut keys = match &options.jwks_uri {
        Some(uri) => RemoteJwks::at(uri),
        None => RemoteJwks::discover(issuer),
    };
    if let Some(file) = &options.keys_file {
        keys = keys.last_known_good(file);
    }
    let leeway = Duration::from_secs(options.leeway);
    let mut jwt = JwtVerifier::builder(issuer, &options.audience)
        .keys(keys.build()?)
        .algorithms(options.algorithms().iter().copied())
        .leeway(leeway);
    if options.typ == Typ::Lax {
        // For issuers that predate RFC 9068. ID tokens are still refused.
        jwt = jwt.legacy_typ("JWT").legacy_missing_typ();
    }
    let mut server = ResourceServer::builder()
        .realm("calendar")
        .carrier(Carrier::bearer())
        .route(When::header("Authorization").and(When::jwt()), jwt.build()?);
    if let Some(Introspection { uri, auth }) = introspection {
        let opaque = IntrospectionVerifier::builder(&uri, auth, &options.audience)
            .issuer(issuer)
            .leeway(leeway);
        server = server.route(When::opaque(), opaque.build()?);
    }
    if options.app_token {
        server = server.carrier(Carrier::header("App-Token")?);
    }
    server.build()
}

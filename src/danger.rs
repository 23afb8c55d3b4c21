//! What opens the gate to an attack, each with what it costs.
//!
//! Milder concessions are builder methods that name what they admit: `legacy_typ`,
//! `legacy_missing_typ`, `numeric_subject`, `leeway`, `trust_stale_for`, `allow_preflight`.

use crate::credential::Carrier;

/// Reads the token from the query parameter `name` of a WebSocket handshake, and of nothing else.
///
/// Browsers cannot set headers on a handshake, so a route that serves them may need this; give
/// that route a server of its own. The URL, token included, ends up in the access logs of every
/// proxy on the way (RFC 9700 §4.3.2): use tokens that live seconds.
///
/// The value is taken as it stands, without percent-decoding, and must be a `b64token`.
pub fn websocket_query(name: &str) -> Carrier {
    Carrier::websocket_query(name)
}

/// Accepts introspection answers that name no audience at all.
///
/// Some servers never send `aud`. The price: a *refresh* token introspects as active on real
/// servers, with its user's scopes, and only its missing `aud` tells; after this call it passes as
/// an access token, and so does a token that was issued for another server. An `aud` that is there
/// must still name this server.
#[cfg(feature = "introspection")]
pub fn accept_missing_audience(
    builder: crate::IntrospectionVerifierBuilder,
) -> crate::IntrospectionVerifierBuilder {
    builder.let_audience_be_absent()
}

//! Every way to weaken the gate, each with what it costs. Nothing outside this module weakens it.

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

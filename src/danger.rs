//! What opens the gate to an attack, each with what it costs.
//!
//! Milder concessions are builder methods that name what they admit: `legacy_typ`,
//! `legacy_missing_typ`, `legacy_missing_subject`, `numeric_subject`, `leeway`, `trust_stale_for`, `allow_preflight`.

use crate::credential::Carrier;
use crate::error::Error;

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

/// Reads the token from the query parameter `name` of every request (RFC 6750 §2.3), for links that
/// hold one.
///
/// The URL, token included, ends up in browser histories, in `Referer` headers and in the access
/// logs of every proxy on the way (RFC 9700 §4.3.2). Give the one route that needs it a server of
/// its own. A request that has the token in a header, too, is refused.
///
/// The value is taken as it stands, without percent-decoding, and must be a `b64token`.
pub fn query_parameter(name: &str) -> Carrier {
    Carrier::query(name)
}

/// As [`Carrier::bearer`], and admits parameters after the token: `Bearer token, name="value"`,
/// against RFC 6750 §2.1, for clients that state more than they can prove.
///
/// Whatever such a parameter says, its sender made it up: it is never part of the token. Read them
/// with [`unproven_parameters`].
pub fn bearer_with_parameters() -> Carrier {
    Carrier::bearer_with_parameters()
}

/// What stands beside the Bearer token of a request, for servers that read
/// [`bearer_with_parameters`]. Nobody has proven any of it.
///
/// # Errors
///
/// [`Error`] of kind `InvalidRequest` if the header is outside its grammar.
pub fn unproven_parameters(headers: &http::HeaderMap) -> Result<Vec<(String, String)>, Error> {
    Ok(Carrier::bearer_parameters(headers)?)
}

/// Accepts JWTs that name no audience, and no others.
///
/// Some systems never write `aud` and tell their tokens apart by a secret for each kind. The price:
/// a token that the issuer made for another server, or another purpose, passes here if the keys are
/// the same. A token that does name an audience is refused, since it is for somebody else
/// (RFC 7519 §4.1.3). The audience that the builder was begun with is dropped, so begin it with `""`.
///
/// # Examples
///
/// ```
/// use portcullis::{Algorithm, JwtVerifier, danger};
///
/// let verifier = danger::accept_no_audience(JwtVerifier::builder("https://as.example", ""))
///     .hmac_secret(Algorithm::HS256, "a secret of at least 32 bytes, for users")
///     .build()?;
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[cfg(feature = "jwt")]
pub fn accept_no_audience(builder: crate::JwtVerifierBuilder) -> crate::JwtVerifierBuilder {
    builder.let_audience_be_absent()
}

/// Accepts an HMAC secret that is shorter than its hash, against RFC 7518 §3.2.
///
/// Whoever has one token can try secrets against it as fast as a graphics card hashes; short or
/// pronounceable ones are found within hours. Then anybody can make tokens.
#[cfg(feature = "jwt")]
pub fn accept_short_secret(builder: crate::JwtVerifierBuilder) -> crate::JwtVerifierBuilder {
    builder.let_secret_be_short()
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

/// Begins a verifier that proves opaque tokens by asking `endpoint`, a UserInfo endpoint (OpenID
/// Connect Core §5.3), for an issuer without introspection.
///
/// It proves that the token is alive and whose it is, and nothing else: not that it is meant for
/// this server, not its scopes, not its end. Any token with the scope `openid` that any application
/// of the same issuer was given passes. Admit it only where everybody with an account may come in.
///
/// Every opaque token that is sent here is forwarded to the endpoint, so send it only what looks like
/// this issuer's, with [`ResourceServerBuilder::route`](crate::ResourceServerBuilder::route).
#[cfg(feature = "introspection")]
pub fn userinfo(endpoint: &str) -> crate::UserinfoVerifierBuilder {
    crate::UserinfoVerifierBuilder::new(endpoint)
}

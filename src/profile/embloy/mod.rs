//! Embloy: a secret for each kind of token, roles in `typ`, scopes that are URLs.
//!
//! Embloy signs its tokens with HS256. No token names an audience, no header has a `typ`, and `sub`
//! is the number of a user.
//!
//! | kind | travels in | says |
//! |---|---|---|
//! | [`Refresh`] | a body, to Embloy alone | that somebody logged in |
//! | [`Access`] | `Authorization: Bearer` | who acts, in which role, with which scope |
//! | [`Client`] | `client_token` | which company's server asks, and its subscription |
//! | [`Request`] | `request_token` | for which job of which company somebody applies |
//!
//! # Examples
//!
//! The whole gate, a route for moderators, and one that takes the applicant's token beside the
//! company's:
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::Router;
//! use axum::routing::{get, post};
//! use portcullis::profile::embloy::{
//!     Access, Client, Dialect, ErrorStyle, Moderator, Request, RequestClaims, verifier,
//! };
//! use portcullis::{ConfigError, CredentialSlot, Error, RequireScope, ResourceServer, Token};
//!
//! fn gate(access: &str, client: &str, request: &str) -> Result<ResourceServer, ConfigError> {
//!     ResourceServer::builder()
//!         .kind(Access::kind(Dialect::Current), verifier(access).build()?)
//!         .second_slot(
//!             CredentialSlot::new()
//!                 .carrier(Client::carrier()?)
//!                 .carrier(Request::carrier()?)
//!                 .kind(Client::kind(), verifier(client).build()?)
//!                 .kind(Request::kind(), verifier(request).build()?),
//!         )
//!         .check_with(Access::scope_fits(Dialect::Current, "https://api.embloy.com"))
//!         .renderer(ErrorStyle)
//!         .build()
//! }
//!
//! async fn reports(moderator: RequireScope<Moderator>) -> String {
//!     format!("the reports, for {}", moderator.principal())
//! }
//!
//! async fn apply(applicant: Token<Access>, company: Token<Request>) -> Result<String, Error> {
//!     let claims = company.claims_as::<RequestClaims>()?;
//!     Ok(format!("{} applies for {}", applicant.principal(), claims.session.job_slug))
//! }
//!
//! # fn api(access: &str, client: &str, request: &str) -> Result<Router, ConfigError> {
//! let api = Router::new()
//!     .route("/api/v0/reports", get(reports))
//!     .route("/api/v0/sdk/request/handle", post(apply))
//!     .layer(gate(access, client, request)?.layer());
//! # Ok(api)
//! # }
//! # }
//! ```
//!
//! Routes for companies' servers, which send no Bearer token, stand behind
//! [`optional_layer`](crate::ResourceServer::optional_layer) and take [`Token<Client>`](crate::Token).
//! Whom Embloy has blocked is refused by [`unless_blocked`]; lifetimes are capped with
//! [`Kind::max_lifetime`].

mod claims;
mod error_style;
mod scope;

use std::time::Duration;

use http::request::Parts;
use serde_json::Value;

use crate::{
    AccessToken, Algorithm, Carrier, CarrierError, ClaimSet, Error, JwtVerifier,
    JwtVerifierBuilder, Kind, Role, TokenKind, danger,
};

pub use claims::{
    AccessClaims, ClientClaims, Job, Mode, RefreshClaims, RequestClaims, Session, Tier,
};
pub use error_style::ErrorStyle;

/// The `iss` of all tokens since February 2024. Before that it was a host name, which
/// [`also_issuer`](JwtVerifierBuilder::also_issuer) admits.
pub const ISSUER: &str = "api.embloy.com";

/// Begins the verifier of one kind, with that kind's secret. Clocks must agree, as Embloy demands
/// itself; [`leeway`](JwtVerifierBuilder::leeway) forgives.
pub fn verifier(secret: impl AsRef<[u8]>) -> JwtVerifierBuilder {
    danger::accept_no_audience(JwtVerifier::builder(ISSUER, ""))
        .hmac_secret(Algorithm::HS256, secret)
        .legacy_missing_typ()
        .numeric_subject()
        .leeway(Duration::ZERO)
}

/// How access tokens are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// As in January 2024, without `mod` and `scope`. Today's tokens pass, too.
    January2024,
    /// As today.
    Current,
}

/// Buys a new access token from Embloy, until the person has to log in again. No API takes it.
#[derive(Clone, Copy, Debug)]
pub struct Refresh;

/// Lets a person act. Embloy makes them for 20 minutes.
#[derive(Clone, Copy, Debug)]
pub struct Access;

/// Lets a company's server make request tokens. Embloy makes them for 3 months; the subscription
/// in it is that of the day it was made.
#[derive(Clone, Copy, Debug)]
pub struct Client;

/// Lets whoever holds it, beside an access token of their own, apply for one job. Embloy makes them
/// for 30 minutes; until February 2024 they lived 30 hours.
#[derive(Clone, Copy, Debug)]
pub struct Request;

#[diagnostic::do_not_recommend]
impl TokenKind for Refresh {
    const NAME: &'static str = "refresh";
}

#[diagnostic::do_not_recommend]
impl TokenKind for Access {
    const NAME: &'static str = "access";
}

#[diagnostic::do_not_recommend]
impl TokenKind for Client {
    const NAME: &'static str = "client";
}

#[diagnostic::do_not_recommend]
impl TokenKind for Request {
    const NAME: &'static str = "request";
}

impl Refresh {
    /// The kind, for a service that takes refresh tokens, such as a logout.
    pub fn kind() -> Kind {
        Kind::named(Refresh::NAME)
            .with_claim("iat")
            .without_claim("typ")
            .without_claim("session")
            .reads_as::<RefreshClaims>()
    }
}

impl Access {
    /// The kind. Its `typ` is a role, so no other kind passes for it, even if somebody gave two kinds
    /// one secret.
    pub fn kind(dialect: Dialect) -> Kind {
        let kind = Kind::named(Access::NAME)
            .claim_in("typ", ROLES)
            .reads_as::<AccessClaims>();
        match dialect {
            Dialect::January2024 => kind,
            Dialect::Current => kind.with_claim("mod"),
        }
    }
}

impl Client {
    /// The header `client_token`, or `Client-Token` behind proxies that drop names with underscores.
    ///
    /// # Errors
    ///
    /// None: both are names of headers.
    pub fn carrier() -> Result<Carrier, CarrierError> {
        Carrier::header(CLIENT_TOKEN)?.alias("Client-Token")
    }

    /// The kind.
    pub fn kind() -> Kind {
        Kind::named(Client::NAME)
            .in_header(CLIENT_TOKEN)
            .claim_in("typ", TIERS)
            .with_claim("iat")
            .reads_as::<ClientClaims>()
    }
}

impl Request {
    /// The header `request_token`, or `Request-Token` behind proxies that drop names with underscores.
    ///
    /// # Errors
    ///
    /// None: both are names of headers.
    pub fn carrier() -> Result<Carrier, CarrierError> {
        Carrier::header(REQUEST_TOKEN)?.alias("Request-Token")
    }

    /// The kind: its session is complete, and that of the user it was made for.
    pub fn kind() -> Kind {
        Kind::named(Request::NAME)
            .in_header(REQUEST_TOKEN)
            .without_claim("typ")
            .with_object("session")
            .with_claim("iat")
            .reads_as::<RequestClaims>()
            .check(is_own_session)
    }
}

const TIERS: [&str; 5] = [
    "basic",
    "premium",
    "enterprise_1",
    "enterprise_2",
    "enterprise_3",
];

const CLIENT_TOKEN: &str = "client_token";
const REQUEST_TOKEN: &str = "request_token";

fn is_own_session(claims: &ClaimSet) -> Result<(), String> {
    match (claims.at("/session/user_id"), claims.get("sub")) {
        (Some(user), Some(sub)) if user == sub => Ok(()),
        (user, sub) => Err(format!(
            "user_id of the session is {}, wanted {} as in sub",
            user.unwrap_or(&Value::Null),
            sub.unwrap_or(&Value::Null)
        )),
    }
}

crate::roles! {
    claim "typ";
    /// Does everything.
    pub Admin = "admin";
    /// Edits.
    pub Editor = "editor" below Admin;
    /// Develops on Embloy; no editor, and not even a verified user.
    pub Developer = "developer" below Admin;
    /// Moderates.
    pub Moderator = "moderator" below Editor;
    /// Has an address that was verified.
    pub Verified = "verified" below Moderator;
    /// Looks on.
    pub Spectator = "spectator" below Verified, Developer;
}

const ROLES: [&str; 6] = [
    Admin::NAME,
    Editor::NAME,
    Developer::NAME,
    Moderator::NAME,
    Verified::NAME,
    Spectator::NAME,
];

/// For [`check_with`](crate::ResourceServerBuilder::check_with): refuses (403) the tokens for which
/// `is_blocked(sub, jti)` holds, on each request. Block a user by `sub`, a token by both: a `jti` is
/// that of all who logged in within the same second, and only refresh tokens have one.
pub fn unless_blocked(
    is_blocked: impl Fn(&str, Option<&str>) -> bool + Send + Sync + 'static,
) -> impl Fn(&AccessToken, &Parts) -> Result<(), Error> + Send + Sync + 'static {
    move |token, _| {
        let user = token.subject().unwrap_or_default();
        match is_blocked(user, token.claims().token_id()) {
            true => Err(Error::forbidden("the user or the token is blocked")),
            false => Ok(()),
        }
    }
}

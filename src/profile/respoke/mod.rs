//! Respoke: sessions, apps and administrators in headers of their own, and role trees.
//!
//! An app shows its `App-Secret` to be given a `tokenId` for one of its users, an *endpoint*. The
//! endpoint's client exchanges it, once, for a session, and shows the session's `App-Token` with
//! every request; the role that the app chose says what the endpoint may do. An `Admin-Token` is for
//! the account that owns the apps. All of these are opaque: the API looks them up in the
//! application's own store.
//!
//! # Examples
//!
//! ```
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::collections::HashMap;
//!
//! use axum::{Json, Router, extract::Path, routing::post};
//! use portcullis::profile::respoke::{
//!     AppSecret, AppToken, Caller, ErrorBody, Found, GroupAction, Session, Sessions,
//! };
//! use portcullis::{
//!     Carrier, Claims, ConfigError, Error, LookupAnswer, ResourceServer, StaticTokens,
//!     Unavailable,
//! };
//! use serde::Deserialize;
//! use serde_json::{Value, json};
//!
//! /// Stands for a database: one row for each `App-Token`, and for each `tokenId`.
//! struct Rows(HashMap<&'static str, Value>);
//!
//! impl Sessions for Rows {
//!     async fn find(&self, token: &str) -> Result<Option<Found>, Unavailable> {
//!         Ok(match self.0.get(token) {
//!             None => None,
//!             Some(row) if row["tokenId"] == token => Some(Found::TokenId),
//!             Some(row) => Some(Found::Session(LookupAnswer::from_serialize(row)?)),
//!         })
//!     }
//! }
//!
//! fn gate(rows: Rows, app_secret: &str) -> Result<ResourceServer, ConfigError> {
//!     let app = StaticTokens::new().token(app_secret, AppSecret::claims("0DFC")?)?;
//!     ResourceServer::builder()
//!         .carrier(Carrier::header("App-Token")?)
//!         .carrier(Carrier::header("App-Secret")?)
//!         .kind(AppToken::kind(), AppToken::verifier(rows).build()?)
//!         .kind(AppSecret::kind(), app)
//!         .renderer(ErrorBody)
//!         .build()
//! }
//!
//! /// For endpoints whose role permits it.
//! async fn publish(session: Claims<Session>, group: Path<String>) -> Result<String, Error> {
//!     session.role.require(GroupAction::Publish, [&*group])?;
//!     Ok(format!("{} tells {}", session.endpoint_id, *group))
//! }
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct Message { endpoint_id: Option<String>, text: String }
//!
//! /// For endpoints as themselves, and for the app as whomever it names.
//! async fn send(caller: Claims<Caller>, message: Json<Message>) -> Result<String, Error> {
//!     let from = caller.act_as(message.endpoint_id.as_deref())?;
//!     Ok(format!("{from} says {}", message.text))
//! }
//!
//! let session = json!({
//!     "appId": "0DFC", "endpointId": "bobsmith", "expiryTime": 4_000_000_000_i64,
//!     "forDevelopment": false, "role": {"groups": {"team*": {"publish": true}}},
//! });
//! let rows = Rows(HashMap::from([("F9B2F271", session)]));
//! let server = gate(rows, "28B061B9-A0D4-4E52-A0ED-EB6EA125F82A")?;
//! let api = Router::new()
//!     .route("/channels/{group}/publish", post(publish))
//!     .route("/messages", post(send))
//!     .layer(server.layer());
//!
//! # use tower::ServiceExt;
//! for (group, status) in [("team7", 200), ("lobby", 403)] {
//!     let request = http::Request::post(format!("/channels/{group}/publish"))
//!         .header("App-Token", "F9B2F271")
//!         .body(axum::body::Body::empty())?;
//!     assert_eq!(api.clone().oneshot(request).await?.status(), status);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is refused unread
//!
//! A header whose value has a comma or a blank holds no token, and the store is not asked. It is
//! answered 401 with [`ErrorBody`]. RFC 6750 §3.1 would have 400, `invalid_request`, which is the
//! status wherever another renderer is set.

mod role;
mod session;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::text::quote;
use crate::{
    ClaimError, ClaimSet, Error, Grant, Kind, LookupVerifierBuilder, Reason, Renderer, Requirement,
    TokenKind,
};

pub use self::role::{
    GroupAction, ListGroups, MediaRelay, Role, SubscribeToEvents, UnsubscribeFromEvents,
};
use self::session::Finder;
pub use self::session::{Found, Session, Sessions};

macro_rules! levels {
    ($($(#[doc = $doc:literal])+ $name:ident = $header:literal;)+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        #[diagnostic::do_not_recommend]
        impl TokenKind for $name {
            const NAME: &'static str = $header;
        }

        impl $name {
            #[doc = concat!("The kind of credential in the header `", $header, "`.")]
            pub fn kind() -> Kind {
                of_level($header).in_header($header)
            }
        }
    )+ };
}

// What a credential is goes by one word: its header, its kind, its level.
levels! {
    /// An endpoint's session, the weakest of the three levels.
    AppToken = "App-Token";
    /// An app.
    AppSecret = "App-Secret";
    /// An account, whose apps and their endpoints are all its own.
    AdminToken = "Admin-Token";
}

/// Demands an app or an account, and no endpoint: to make roles, to issue tokens.
#[derive(Clone, Copy, Debug)]
pub struct AppLevel;

#[diagnostic::do_not_recommend]
impl Requirement for AppLevel {
    fn met_by(grant: &Grant<'_>) -> bool {
        [AppSecret::NAME, AdminToken::NAME].contains(&grant.kind)
    }
}

fn of_level(level: &str) -> Kind {
    Kind::named(level).claim_is("level", level)
}

impl AppToken {
    /// The same kind, wherever it sits: for a server that knows no other kind, such as one of
    /// WebSocket handshakes that reads `?app-token=`
    /// ([`danger::websocket_query`](crate::danger::websocket_query)).
    pub fn kind_in_any_carrier() -> Kind {
        of_level(AppToken::NAME)
    }

    /// Begins a verifier that finds sessions in `store`. They end at their `expiryTime`, to the
    /// second; sessions for development are refused.
    pub fn verifier(store: impl Sessions) -> LookupVerifierBuilder {
        Finder::verifier(store, false)
    }

    /// As [`verifier`](Self::verifier), and admits sessions for development: anybody can have one
    /// without any secret, as whichever endpoint they like.
    pub fn verifier_in_development_mode(store: impl Sessions) -> LookupVerifierBuilder {
        Finder::verifier(store, true)
    }
}

impl AppSecret {
    /// What an app's secret stands for, for [`StaticTokens`](crate::StaticTokens) or a
    /// [`Lookup`](crate::Lookup) of your own. The principal is the app, a machine.
    ///
    /// # Errors
    ///
    /// None that a text can cause.
    pub fn claims(app_id: &str) -> Result<ClaimSet, ClaimError> {
        let level = AppSecret::NAME;
        ClaimSet::from_serialize(&json!({"level": level, "client_id": app_id, "appId": app_id}))
    }
}

impl AdminToken {
    /// As [`AppSecret::claims`], of an account. The principal is the account, not who logged in.
    ///
    /// # Errors
    ///
    /// None that a text can cause.
    pub fn claims(account_id: &str) -> Result<ClaimSet, ClaimError> {
        let (level, account) = (AdminToken::NAME, account_id);
        let claims = json!({"level": level, "client_id": account, "accountId": account});
        ClaimSet::from_serialize(&claims)
    }
}

/// Whoever acts, whichever header says so: `Claims<Caller>`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "level", rename_all_fields = "camelCase")]
pub enum Caller {
    /// An endpoint, by its `App-Token`.
    #[serde(rename = "App-Token")]
    Endpoint(Session),
    /// An app, by its `App-Secret`.
    #[serde(rename = "App-Secret")]
    App {
        /// The app.
        app_id: String,
    },
    /// An account, by an `Admin-Token`.
    #[serde(rename = "Admin-Token")]
    Admin {
        /// The account.
        account_id: String,
    },
}

impl Caller {
    /// The endpoint to act as, if the request names `endpoint_id`. An endpoint acts as itself, also
    /// where it names nobody; everybody else must name one. An empty name is none.
    ///
    /// # Errors
    ///
    /// [`Reason::Denied`] (403) for an endpoint that names another, [`Reason::Parameter`] (400) for
    /// an app or account that names none.
    pub fn act_as<'a>(&'a self, endpoint_id: Option<&'a str>) -> Result<&'a str, Error> {
        let named = endpoint_id.filter(|name| !name.is_empty());
        match (self, named) {
            (Caller::Endpoint(session), None) => Ok(&session.endpoint_id),
            (Caller::Endpoint(session), Some(named)) if named != session.endpoint_id => {
                Err(Error::forbidden(format!(
                    "endpointId is {}, wanted {} as in the session",
                    quote(named),
                    quote(&session.endpoint_id)
                )))
            }
            (_, Some(named)) => Ok(named),
            (_, None) => Err(Error::invalid_request(
                "endpointId is absent, wanted the endpoint to act as",
            )),
        }
    }

    /// Demands that something is the caller's: of the same app, or of one of the account's apps.
    ///
    /// # Errors
    ///
    /// [`Reason::Denied`] (403).
    pub fn require_owner(&self, app_id: &str, account_id: &str) -> Result<(), Error> {
        let (name, found, wanted) = match self {
            Caller::Endpoint(session) => ("appId", app_id, &session.app_id),
            Caller::App { app_id: own } => ("appId", app_id, own),
            Caller::Admin { account_id: own } => ("accountId", account_id, own),
        };
        if found == wanted {
            return Ok(());
        }
        let (found, wanted) = (quote(found), quote(wanted));
        Err(Error::forbidden(format!(
            "{name} of the resource is {found}, wanted {wanted}"
        )))
    }
}

/// Refusals as `{"error": "…"}`. A header whose value can be no token, such as one with a comma or a
/// blank, is a 401 here, not the 400 of RFC 6750: nobody is authenticated, and 400 is for parameters.
#[derive(Clone, Copy, Debug)]
pub struct ErrorBody;

impl Renderer for ErrorBody {
    fn render(&self, error: &Error, response: &mut Response<String>) {
        let reason = error.reason();
        *response.body_mut() = json!({"error": reason.description()}).to_string();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        if let Reason::MalformedCredential | Reason::CredentialTooLong = reason {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
    }
}

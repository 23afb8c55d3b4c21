//! Rocket Lawyer: general, service and scoped access tokens, told apart by `aud` and `srv`.
//!
//! A partner's backend asks for an *Access Token*, here called [`General`], which opens everything
//! of its application. With it the backend asks for a [`Service`] token, which names one interview
//! or one party (by UPID, the universal party identifier) and lives for a year. A browser is given
//! that token only to exchange it for [`Scoped`] access tokens of ten hours, which open what the
//! service token names. All are JWTs, signed with one HMAC secret. `srv` says what a service token
//! was made for, and is copied into each scoped one.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::extract::Path;
//! use axum::routing::{get, post};
//! use portcullis::profile::rocket_lawyer::{
//!     self as rl, BackendOr, For, General, InterviewId, Parties, PartyRole, Record, Records,
//!     RocketDocument, Upid,
//! };
//! use portcullis::{ConfigError, Error, PermittedBy, RequireScope, ResourceServer, Token};
//!
//! /// An interview as this application keeps it.
//! #[derive(Clone)]
//! struct Interview { id: InterviewId, owner: Upid }
//!
//! impl Record for Interview {
//!     fn interview(&self) -> Option<&InterviewId> {
//!         Some(&self.id)
//!     }
//!
//!     fn role_of(&self, upid: &Upid) -> Option<PartyRole> {
//!         (*upid == self.owner).then_some(PartyRole::Owner)
//!     }
//! }
//!
//! /// Stands for a database.
//! #[derive(Clone)]
//! struct Store(Vec<Interview>);
//!
//! impl Records<InterviewId> for Store {
//!     type Record = Interview;
//!
//!     async fn find(&self, id: &InterviewId) -> Result<Option<Interview>, Error> {
//!         Ok(self.0.iter().find(|interview| interview.id == *id).cloned())
//!     }
//! }
//!
//! /// Backends only.
//! async fn create(_: Token<General>) -> &'static str {
//!     "created"
//! }
//!
//! /// Backends, and frontends of this interview or of a party to it.
//! async fn read(
//!     _: RequireScope<BackendOr<For<RocketDocument>>>,
//!     PermittedBy(access, _): PermittedBy<Parties<Store>, Path<InterviewId>>,
//! ) -> String {
//!     format!("interview {}", access.record.id)
//! }
//!
//! fn service(secret: &str, store: Store) -> Result<axum::Router, ConfigError> {
//!     let server = ResourceServer::builder()
//!         .verifier(rl::verifier(secret).build()?)
//!         .kinds(rl::kinds()?)
//!         .renderer(rl::ApigeeFaults)
//!         .build()?;
//!     Ok(axum::Router::new()
//!         .route("/interviews", post(create))
//!         .route("/interviews/{id}", get(read))
//!         .route_layer(server.layer())
//!         .with_state(store))
//! }
//! # service("a secret of at least thirty-two bytes", Store(Vec::new()))?;
//! # }
//! # Ok::<(), portcullis::ConfigError>(())
//! ```
//!
//! # Routes that admit service tokens
//!
//! A service token is for another audience: 401, unless the route has a gate of its own that says
//! otherwise. It travels in links, so such a gate may read it from the query, too:
//!
//! ```
//! use portcullis::profile::rocket_lawyer as rl;
//! use portcullis::{Carrier, ResourceServer, danger};
//!
//! let secret = "a secret of at least thirty-two bytes";
//! let server = ResourceServer::builder()
//!     .carrier(Carrier::bearer())
//!     .carrier(danger::query_parameter("serviceToken"))
//!     .verifier(rl::verifier(secret).audience(rl::SERVICE_TOKENS).build()?)
//!     .kinds(rl::kinds()?)
//!     .build()?;
//! # Ok::<(), portcullis::ConfigError>(())
//! ```

mod issued;
mod parties;
mod srv;

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;

use crate::algorithm::Algorithm;
use crate::challenge::Renderer;
use crate::error::{Error, ErrorKind, Reason};
use crate::jwt::{JwtVerifier, JwtVerifierBuilder};
use crate::kind::{Kind, KindError, Kinds, TokenKind};
use crate::requirement::{AnyOf, Grant, OfKind, Requirement};

pub use issued::IssuedToken;
pub use parties::{
    Access, AnyParty, Owner, Parties, Party, PartyRole, PartyRule, Payee, Payer, Record, Records,
    Signer, Viewer,
};
pub use srv::{BoundClaims, InterviewId, Srv, UPID_NAMES, Upid};

/// The `iss` of all tokens.
pub const ISSUER: &str = "rocketlawyer.com";
/// The `aud` of general and of scoped access tokens.
pub const ACCESS_TOKENS: &str = "rocketlawyer.com/access-tokens";
/// The `aud` of service tokens.
pub const SERVICE_TOKENS: &str = "rocketlawyer.com/service-tokens";

macro_rules! named {
    ($trait:ident: $($(#[doc = $doc:literal])+ $name:ident = $word:literal;)+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        #[diagnostic::do_not_recommend]
        impl $trait for $name {
            const NAME: &'static str = $word;
        }
    )+ };
}

named! { TokenKind:
    /// The Access Token of a backend: no `srv`. `Token<General>` is a route for backends only.
    General = "general";
    /// The token that is exchanged for scoped ones, or shown on a route that admits it.
    Service = "service";
    /// The access token of a frontend. That a token is of this kind does not yet say that it is bound to
    /// anything: a route for frontends only is `RequireScope<Frontend>`.
    Scoped = "scoped";
}

/// Begins the verifier of access tokens; the secret has at least 32 bytes.
///
/// A token ends at the very second of its `exp`. If clocks differ, give it some
/// [`leeway`](JwtVerifierBuilder::leeway): without any, a fresh token is refused for as long as our
/// clock is behind its `iat`. Add the [`audience`](JwtVerifierBuilder::audience)
/// [`SERVICE_TOKENS`] to admit service tokens.
pub fn verifier(secret: impl AsRef<[u8]>) -> JwtVerifierBuilder {
    JwtVerifier::builder(ISSUER, ACCESS_TOKENS)
        .hmac_secret(Algorithm::HS256, secret)
        .legacy_typ("JWT")
        .legacy_missing_subject()
        .leeway(Duration::ZERO)
}

/// The three kinds of tokens; for every gate, since a token that names both audiences is of none.
///
/// Scoped and service tokens end with `srv.expirationTime`, too, whatever their `exp`.
///
/// # Errors
///
/// Never: the three are told apart.
pub fn kinds() -> Result<Kinds, KindError> {
    let general = Kind::named(General::NAME).audience(ACCESS_TOKENS);
    let scoped = Kind::named(Scoped::NAME).audience(ACCESS_TOKENS);
    let service = Kind::named(Service::NAME).audience(SERVICE_TOKENS);
    Kinds::new([
        general.without_claim("srv"),
        scoped
            .with_object("srv")
            .also_ends_at("/srv/expirationTime"),
        service
            .also_ends_at("/srv/expirationTime")
            // With an `srv` that makes it neither general nor scoped, it would be a service token.
            .check(|claims| match claims.audience().contains(ACCESS_TOKENS) {
                true => Err("token is for access and for service, wanted one of them".to_owned()),
                false => Ok(()),
            }),
    ])
}

/// What a token of a frontend was made for: the text of `srv.purpose`.
pub trait Purpose: 'static {
    /// The purpose as tokens name it.
    const NAME: &'static str;
}

named! { Purpose:
    /// Answering one interview.
    RocketDocument = "api.rocketlawyer.com/rocketdoc";
    /// Taking part in a binder.
    BinderPartyAccess = "api.rocketlawyer.com/binder-party-access";
    /// The same, as older tokens name it.
    DocumentManager = "api.rocketlawyer.com/document-manager/v1/binders";
    /// Signing the documents of a binder.
    BinderSign = "api.rocketlawyer.com/rocketsign/binder/sign";
}

/// The token of a frontend that is bound to an interview or to a party. One that is bound to nothing
/// authorises nothing.
#[derive(Clone, Copy, Debug)]
pub struct Frontend;

#[diagnostic::do_not_recommend]
impl Requirement for Frontend {
    fn met_by(grant: &Grant<'_>) -> bool {
        let srv = grant.claims.get("srv");
        let names = |name: &&str| {
            let value = srv.and_then(|srv| srv.get(name)?.as_str());
            value.is_some_and(|text| !text.is_empty())
        };
        grant.kind != General::NAME && ["interviewId"].iter().chain(UPID_NAMES).any(names)
    }
}

/// A token that is bound ([`Frontend`]) and was made for the purpose `P`; general tokens are made for
/// none. The purposes of a
/// route are `RequireScope<For<P>>`, or `AnyOf<(For<P>, For<Q>)>` in its place.
pub struct For<P>(PhantomData<fn() -> P>);

#[diagnostic::do_not_recommend]
impl<P: Purpose> Requirement for For<P> {
    fn met_by(grant: &Grant<'_>) -> bool {
        let purpose = grant.claims.at("/srv/purpose");
        Frontend::met_by(grant) && purpose.is_some_and(|found| found == P::NAME)
    }
}

impl<P: Purpose> fmt::Debug for For<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("For").field(&P::NAME).finish()
    }
}

/// A general token, or one that meets `R`: the requirement of routes that backends and frontends
/// share.
pub type BackendOr<R> = AnyOf<(OfKind<General>, R)>;

/// Words refusals as the system does: a 401 as the fault of its Apigee gateway, 400, 403 and 404 as
/// its services, though without `timestamp` and `path`.
#[derive(Clone, Copy, Debug)]
pub struct ApigeeFaults;

impl Renderer for ApigeeFaults {
    fn render(&self, error: &Error, response: &mut http::Response<String>) {
        let fault = |text: &str, code: &str| {
            let code = format!("keymanagement.service.{code}");
            json!({"fault": {"faultstring": text, "detail": {"errorcode": code}}})
        };
        let status = response.status().as_u16();
        let service = |word: &str| {
            let message = error.reason().description();
            json!({"status": status, "error": word, "message": message})
        };
        let body = match (error.kind(), error.reason()) {
            (_, Reason::Expired) => fault("Access Token expired", "access_token_expired"),
            (ErrorKind::MissingCredential | ErrorKind::InvalidToken, _) => {
                fault("Invalid Access Token", "invalid_access_token")
            }
            (ErrorKind::InvalidRequest, _) => service("BAD_REQUEST"),
            (ErrorKind::InsufficientScope | ErrorKind::Forbidden, _) => service("FORBIDDEN"),
            (ErrorKind::NotFound, _) => service("NOT_FOUND"),
            (ErrorKind::MissingLayer | ErrorKind::Unavailable, _) => return,
        };
        *response.body_mut() = body.to_string();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
    }
}

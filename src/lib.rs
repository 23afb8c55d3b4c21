//! tower middleware and axum extractors for OAuth resource servers.
//!
//! An API that accepts access tokens is a *resource server*. This crate is its gate: it takes the
//! credential from a request, proves it, and hands handlers typed facts. What follows reads from
//! the first token to operation; every item of the crate says the rest.
//!
//! # Hello world
//!
//! A gate needs an issuer, an audience, and a place in your stack.
//!
//! ```no_run
//! # #[cfg(all(feature = "axum", feature = "jwt", feature = "reqwest"))] {
//! use axum::{Router, routing::get};
//! use portcullis::{AccessToken, JwtVerifier, ResourceServer};
//!
//! async fn me(token: AccessToken) -> String {
//!     format!("hello {}", token.principal())
//! }
//!
//! // The issuer's keys are found through its metadata, when the first token comes.
//! let jwt = JwtVerifier::builder("https://as.example", "https://api.example.com/").build()?;
//! let server = ResourceServer::builder().verifier(jwt).build()?;
//! let app: Router = Router::new().route("/me", get(me)).layer(server.layer());
//! # }
//! # Ok::<(), portcullis::ConfigError>(())
//! ```
//!
//! A request without a token is answered 401 with a bare challenge; with a bad one, 401 and
//! `invalid_token`; with two credentials, 400; while the issuer cannot be reached and its keys are
//! not at hand, 503 with `Retry-After`. Handlers run only with a proven token. A service that also
//! serves strangers takes [`ResourceServer::optional_layer`] and `Option<AccessToken>`.
//!
//! No axum? [`ResourceServer::authenticate`] takes the [`Parts`](http::request::Parts) of any
//! request, and [`ResourceServer::answer`] words a refusal. No layer? [`Authenticated`] takes the
//! server from the application's state.
//!
//! # Why was it refused, or a 503?
//!
//! Clients get fixed words; the reason, with what was found and what was wanted, goes to `tracing`
//! at `debug` with its [`Reason::label`]. To see it, show `portcullis=debug`, here with the crate
//! `tracing-subscriber`:
//!
//! ```no_run
//! use tracing_subscriber::{filter::{LevelFilter, Targets}, layer::SubscriberExt, util::SubscriberInitExt};
//!
//! let shown = Targets::new().with_default(LevelFilter::WARN).with_target("portcullis", LevelFilter::DEBUG);
//! tracing_subscriber::registry().with(tracing_subscriber::fmt::layer()).with(shown).init();
//! ```
//!
//! Common ones: `iss` and `aud` differ from what you configured by a final slash; `typ` is `JWT`, because the
//! issuer predates RFC 9068 (admit it with [`JwtVerifierBuilder::legacy_typ`]). Outages, whose answer is a 503,
//! are told at `warn`, once per fetch or question that failed: the issuer cannot be reached, or its metadata
//! names another issuer than you do, or keys of another origin ([`RemoteJwksBuilder::allow_jwks_origin`]). A
//! missing layer is told at `error`. No token is ever in a log line.
//!
//! # Scopes and claims
//!
//! Declare the scopes of your API once with [`scopes!`]; each becomes a type.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use portcullis::{AnyOf, Claims, RequireScope};
//! use serde::Deserialize;
//!
//! portcullis::scopes! {
//!     /// See events.
//!     pub EventsRead = "read:events";
//!     /// Create and change events.
//!     pub EventsWrite = "write:events";
//!     /// Everything.
//!     pub Admin = "admin";
//! }
//!
//! async fn list(token: RequireScope<EventsRead>) -> String {
//!     format!("the events of {}", token.principal())
//! }
//! async fn edit(_: RequireScope<(EventsRead, EventsWrite)>) {} // all of
//! async fn stats(_: RequireScope<AnyOf<(EventsRead, Admin)>>) {} // any of
//!
//! #[derive(Deserialize)]
//! struct Member { tenant: String }
//!
//! async fn tenant(member: Claims<Member>) -> String { // read once, not per request
//!     member.tenant.clone()
//! }
//! # }
//! ```
//!
//! A refusal is a 403 that names *all* scopes of the operation, so that a client can ask for them
//! at once. [`RequireScopeLayer`] demands scopes of a whole route, [`AccessToken::require`]
//! anywhere. Scopes are exact words, unless a [`ScopeHierarchy`] says that one implies another.
//!
//! Not all an operation asks is a scope. [`permissions!`] declares words of the claim `permissions`,
//! which never stand in for scopes; [`roles!`] roles of which one includes another; [`OfKind`] asks
//! for a kind of token, [`ByUser`] and its siblings for a person or a machine; a [`Requirement`] of
//! your own for whatever you write. They combine like scopes: `RequireScope<(EventsWrite, ByUser)>`.
//!
//! # Opaque tokens, and other carriers
//!
//! [`IntrospectionVerifier`] asks the issuer about a token (RFC 7662), [`LookupVerifier`] a store of
//! your own, a [`Verifier`] whomever you like. [`Carrier`] says where credentials may sit, and
//! [`ResourceServerBuilder::route`] sends each to its verifier by its looks:
//!
//! ```
//! # #[cfg(all(feature = "jwt", feature = "introspection"))]
//! # fn set_up(
//! #     jwt: portcullis::JwtVerifier,
//! #     introspection: portcullis::IntrospectionVerifier,
//! #     sessions: portcullis::LookupVerifier,
//! # ) -> Result<(), portcullis::ConfigError> {
//! use portcullis::{Carrier, ResourceServer, When};
//!
//! let server = ResourceServer::builder()
//!     .carrier(Carrier::bearer())
//!     .carrier(Carrier::header("App-Token")?)
//!     .route(When::header("App-Token"), sessions)
//!     .route(When::jwt(), jwt)
//!     .route(When::opaque(), introspection)
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Kinds
//!
//! A server that accepts several kinds of tokens (a person's, a client's, one for a single
//! interview) declares them as [`Kinds`]: named rule sets, of which exactly one must match a proven
//! token (RFC 8725 §3.12). Handlers demand one with [`Token<K>`](Token). Kinds with keys of their
//! own are added with [`ResourceServerBuilder::kind`]; two that nothing tells apart are not built.
//!
//! ```
//! # #[cfg(feature = "jwt")]
//! # fn set_up(
//! #     applicants: portcullis::JwtVerifier,
//! #     sessions: portcullis::JwtVerifier,
//! # ) -> Result<(), portcullis::ConfigError> {
//! use portcullis::{Carrier, CredentialSlot, Kind, ResourceServer, TokenKind};
//! use std::time::Duration;
//!
//! struct Applicant;
//! impl TokenKind for Applicant {
//!     const NAME: &'static str = "applicant";
//! }
//! struct Session;
//! impl TokenKind for Session {
//!     const NAME: &'static str = "session";
//! }
//!
//! // A person's Bearer token, and beside it the session of the shop that sent them.
//! let server = ResourceServer::builder()
//!     .kind(Kind::of::<Applicant>().without_claim("shop"), applicants)
//!     .second_slot(
//!         CredentialSlot::new()
//!             .carrier(Carrier::header("session_token")?)
//!             .kind(Kind::of::<Session>().max_lifetime(Duration::from_secs(1800)), sessions),
//!     )
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! A request carries one credential, or, on a server with a
//! [second slot](ResourceServerBuilder::second_slot), one of each: both are proven by themselves, and
//! a handler that names `Token<Applicant>` and `Token<Session>` gets both or does not run. Several
//! issuers in one place are a [`ByIssuer`].
//!
//! # Resources
//!
//! A scope says what kind of thing a token may do, not to which thing. [`Permits`] is that policy,
//! in one sentence and free of HTTP; [`Permitted`] asks it and hands out the resource only if the
//! answer is yes.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::extract::Path;
//! use portcullis::{Claims, Permits, Permitted};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Member { tenant: String }
//!
//! #[derive(Deserialize)]
//! struct TenantPath { tenant: String }
//!
//! impl Permits<TenantPath> for Member {
//!     fn permits(&self, path: &TenantPath) -> bool {
//!         self.tenant == path.tenant
//!     }
//! }
//!
//! async fn settings(
//!     Permitted(_, Path(path)): Permitted<Claims<Member>, Path<TenantPath>>,
//! ) -> String {
//!     format!("the settings of {}", path.tenant)
//! }
//! # }
//! ```
//!
//! Where the policy is that a claim equals a part of the path, the query or the host, a
//! [`ResourceGuard`] says so without a type, as a function or as a layer:
//!
//! ```
//! use portcullis::ResourceGuard;
//!
//! let guard = ResourceGuard::path("/tenants/{tenant}/{*rest}")
//!     .param_is("tenant", ["/tenant"])
//!     .build()?;
//! let layer = guard.layer(); // inside of `server.layer()`
//! # Ok::<(), portcullis::ConfigError>(())
//! ```
//!
//! What only the application knows (is this person party to this interview?) is a [`Policy`], asked
//! through [`PermittedBy`]; it answers with what the handler wants to know anyway. A policy or guard
//! may hide that a resource exists: 404 instead of 403. What must be asked of every request, such as
//! whether a token was revoked, is a [`Check`].
//!
//! # A system of your own
//!
//! The [`guide`] shows in sixty lines how a token system becomes a gate. The feature `profiles` has
//! five that exist, each with a story among the examples.
//!
//! # Refusals in your own shape
//!
//! The default body is a problem document (RFC 9457). A [`Renderer`] changes body, headers or
//! status; [`Reason::description`] has the words a client may see. Handlers may return
//! `Result<_, portcullis::Error>`, with [`Error::forbidden`] for a policy of their own.
//!
//! # Tests
//!
//! The feature `testing`, for your `[dev-dependencies]`, brings `testing::access_token` for handlers
//! that are called as functions, `ResourceServer::with_claims` for a router without tokens, and
//! `testing::AuthorizationServer`, an issuer in the test process that mints good and broken tokens,
//! rotates keys and fails on demand, on a clock turned by hand.
//!
//! # Operation
//!
//! - **Keys.** A request whose key is known never waits. A token with an unknown `kid` causes one fetch
//!   for all such tokens, at most every 5 seconds, and waits at most 2 seconds; if none may begin in that
//!   time the answer is 503, since whether the key is new or made up is not known.
//! - **Outage.** Known keys serve for an hour past their lifetime; what cannot be proven is a 503. An
//!   outage is never a 401: every client would throw its session away.
//! - **Revocation.** A withdrawn key ends its tokens with the set that lacks it, remembered ones
//!   included. Of an opaque token it is seen within 30 seconds; a route may
//!   [demand](ResourceServer::fresh) that it knows sooner, of JWTs, too.
//! - The module [`operation`] has all numbers, what to watch, and the test that proves each; the module
//!   [`performance`] what a request costs, and how to size what is remembered.
//! - **Order of layers.** tower-http's `CorsLayer` outside, then [`ResourceServer::layer`], then
//!   [`RequireScopeLayer`] and [`ResourceGuardLayer`], then the handler. With `Router::layer` the
//!   layer added last is the outermost. Where gates are nested, the one nearest to the handler decides and words.
//!
//! # Attacks
//!
//! [`guide::attacks`] tells, a paragraph each, what verifiers have suffered, what this crate does about
//! it, and which test plays it again. `SECURITY.md` says by attacker what stops them, and what is not
//! defended.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The hello world of the README, compiled.
#[cfg(all(doctest, feature = "axum", feature = "jwt", feature = "reqwest"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod algorithm;
mod answer;
mod challenge;
mod claims;
mod clock;
mod credential;
pub mod danger;
mod error;
#[cfg(feature = "axum")]
mod extract;
// `Fetch` and `Clock` are public whatever is on; their users inside are not.
#[cfg_attr(not(any(feature = "jwt", feature = "introspection")), allow(dead_code))]
mod fetch;
#[cfg(any(feature = "jwt", feature = "introspection"))]
mod fetch_default;
#[cfg(all(feature = "reqwest", any(feature = "jwt", feature = "introspection")))]
mod fetch_reqwest;
mod freshness;
mod guard;
pub mod guide;
mod hierarchy;
#[cfg(any(feature = "jwt", feature = "introspection"))]
mod hints;
#[cfg(feature = "introspection")]
mod introspection;
#[cfg(any(feature = "jwt", feature = "introspection"))]
mod jitter;
#[cfg_attr(not(feature = "jwt"), allow(dead_code))]
mod json;
#[cfg(feature = "jwt")]
mod jwks;
#[cfg(feature = "jwt")]
mod jws;
#[cfg(feature = "jwt")]
mod jwt;
mod kind;
mod lease;
mod middleware;
pub mod operation;
#[cfg(feature = "introspection")]
mod pem;
mod percent;
pub mod performance;
#[cfg(any(feature = "jwt", feature = "introspection"))]
mod places;
mod principal;
#[cfg(feature = "profiles")]
pub mod profile;
mod requirement;
mod role_tree;
mod route;
#[cfg(any(feature = "jwt", feature = "introspection"))]
mod rules;
mod scope;
#[cfg(any(feature = "jwt", feature = "introspection", feature = "cache"))]
mod secret;
mod server;
#[cfg(any(feature = "introspection", feature = "testing"))]
mod signing;
mod status;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod token;
mod typed;
#[cfg(all(test, feature = "jwt"))]
mod vectors;
#[cfg(feature = "cache")]
mod verdict;
mod verified;
mod verify;

pub use algorithm::{Algorithm, AlgorithmError};
pub use answer::{AnswerError, LookupAnswer};
pub use challenge::Renderer;
pub use claims::{Audience, ClaimError, ClaimSet};
pub use clock::{Clock, SystemClock, UnixTime};
pub use credential::{Carrier, CarrierError, Credential};
pub use error::{ConfigError, Error, ErrorKind, Reason};
#[cfg(feature = "axum")]
pub use extract::{
    Authenticated, Claims, Permitted, PermittedBy, PermittedRejection, Rejection, RequireScope,
    Token,
};
pub use fetch::{Fetch, FetchError};
pub use freshness::Freshness;
pub use guard::{ResourceGuard, ResourceGuardBuilder, path_segments};
pub use hierarchy::ScopeHierarchy;
#[cfg(feature = "introspection")]
pub use introspection::{
    ClientAuth, IntrospectionVerifier, IntrospectionVerifierBuilder, Lookup, LookupFn,
    LookupVerifier, LookupVerifierBuilder, StaticTokens, Unavailable, UserinfoVerifier,
    UserinfoVerifierBuilder,
};
#[cfg(feature = "jwt")]
pub use jwks::{RemoteJwks, RemoteJwksBuilder, StaticJwks};
#[cfg(feature = "jwt")]
pub use jws::Keys;
#[cfg(feature = "jwt")]
pub use jwt::{ByIssuer, JwtVerifier, JwtVerifierBuilder};
pub use kind::{Kind, KindError, Kinds, TokenKind};
pub use middleware::{
    Authenticate, AuthenticateLayer, FreshLayer, Guarded, GuardedFuture, RequireScopeLayer,
    ResourceGuardLayer, ResponseFuture,
};
pub use principal::{Principal, PrincipalType};
pub use requirement::{
    Alternatives, AnyOf, ByAnonymous, ByMachine, ByUser, Grant, OfKind, Requirement, Role,
};
pub use role_tree::RoleTree;
pub use route::When;
pub use scope::{Scope, ScopeError, Scopes};
pub use server::{Check, CredentialSlot, FreshGuard, ResourceServer, ResourceServerBuilder};
pub use status::{EndpointStatus, KeyStatus, Status};
pub use token::{AccessToken, FromToken, Permits, Policy};
pub use verified::Verified;
pub use verify::{Moment, Refuse, Reworded, VerdictLifetime, Verifier};

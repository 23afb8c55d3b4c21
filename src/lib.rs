//! tower middleware and axum extractors for OAuth resource servers.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod algorithm;
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
#[cfg(feature = "reqwest")]
#[cfg_attr(not(any(feature = "jwt", feature = "introspection")), allow(dead_code))]
mod fetch_reqwest;
#[cfg(feature = "introspection")]
mod introspection;
#[cfg_attr(not(feature = "jwt"), allow(dead_code))]
mod json;
#[cfg(feature = "jwt")]
mod jwks;
#[cfg(feature = "jwt")]
mod jwt;
mod kind;
mod middleware;
mod requirement;
mod route;
#[cfg(any(feature = "jwt", feature = "introspection"))]
mod rules;
mod scope;
mod server;
#[cfg(any(feature = "introspection", feature = "testing"))]
mod signing;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod token;
#[cfg(feature = "cache")]
mod verdict;
mod verify;

pub use algorithm::{Algorithm, AlgorithmError};
pub use challenge::Renderer;
pub use claims::{Audience, ClaimError, ClaimSet};
pub use clock::{Clock, SystemClock, UnixTime};
pub use credential::{Carrier, CarrierError, Credential};
pub use error::{ConfigError, Error, ErrorKind, Reason};
#[cfg(feature = "axum")]
pub use extract::{
    Authenticated, Claims, Permitted, PermittedRejection, Rejection, RequireScope, Token,
};
pub use fetch::{Fetch, FetchError};
#[cfg(feature = "introspection")]
pub use introspection::{
    ClientAuth, IntrospectionVerifier, IntrospectionVerifierBuilder, Lookup, LookupFn,
    LookupVerifier, LookupVerifierBuilder, Unavailable,
};
#[cfg(feature = "jwt")]
pub use jwks::{RemoteJwks, RemoteJwksBuilder, StaticJwks};
#[cfg(feature = "jwt")]
pub use jwt::{JwtVerifier, JwtVerifierBuilder, Keys};
pub use kind::{Kind, KindError, Kinds};
pub use middleware::{
    Authenticate, AuthenticateLayer, RequireScopeFuture, RequireScopeLayer, RequireScopeService,
    ResponseFuture,
};
pub use requirement::{Alternatives, AnyOf, Grant, Requirement};
pub use route::When;
pub use scope::{Scope, ScopeError, Scopes};
pub use server::{ResourceServer, ResourceServerBuilder};
pub use token::{AccessToken, FromToken, Permits, Principal, TokenKind, Verified};
pub use verify::{Moment, VerdictLifetime, Verifier};

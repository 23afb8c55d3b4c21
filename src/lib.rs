//! tower middleware and axum extractors for OAuth resource servers.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "jwt", feature = "introspection"))]
mod algorithm;
mod challenge;
mod claims;
mod clock;
mod credential;
pub mod danger;
mod error;
mod fetch;
#[cfg(feature = "reqwest")]
mod fetch_reqwest;
mod json;
mod kind;
mod requirement;
mod scope;
#[cfg(any(feature = "jwt", feature = "introspection"))]
mod signing;
mod text;
mod token;
mod verify;

pub use algorithm::{Algorithm, AlgorithmError};
pub use challenge::Renderer;
pub use claims::{Audience, ClaimError, ClaimSet};
pub use clock::{Clock, SystemClock, UnixTime};
pub use credential::{Carrier, CarrierError, Credential};
pub use error::{ConfigError, Error, ErrorKind, Reason};
pub use fetch::{Fetch, FetchError};
pub use kind::{Kind, KindError, Kinds};
pub use requirement::{Alternatives, AnyOf, Grant, Requirement};
pub use scope::{Scope, ScopeError, Scopes};
pub use token::{AccessToken, FromToken, Permits, Principal, TokenKind, Verified};
pub use verify::{Moment, VerdictLifetime, Verifier};

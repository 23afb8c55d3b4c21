//! Opaque tokens: asked of the issuer (RFC 7662, or who their user is), of a store of your own, or
//! known from the start.

mod breaker;
#[cfg(test)]
mod breaker_tests;
mod client_auth;
mod endpoint;
mod form;
mod known;
mod lookup;
mod settings;
#[cfg(feature = "jwt")]
mod signed;
mod turns;
mod unsaid;
mod upstream;
mod userinfo;
mod verifier;

pub use client_auth::ClientAuth;
pub use known::StaticTokens;
pub use lookup::{Lookup, LookupFn, LookupVerifier, LookupVerifierBuilder, Unavailable};
pub use userinfo::{UserinfoVerifier, UserinfoVerifierBuilder};
pub use verifier::{IntrospectionVerifier, IntrospectionVerifierBuilder};

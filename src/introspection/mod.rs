//! Opaque tokens: asked of the issuer (RFC 7662), or of a store of your own.

mod client_auth;
mod lookup;
mod verifier;

pub use client_auth::ClientAuth;
pub use lookup::{Lookup, LookupFn, LookupVerifier, LookupVerifierBuilder, Unavailable};
pub use verifier::{IntrospectionVerifier, IntrospectionVerifierBuilder};

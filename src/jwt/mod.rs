//! JWT access tokens: compact form, header, signature, claim rules.

mod builder;
mod compact;
mod header;
mod typ;
mod verifier;

pub use builder::{JwtVerifierBuilder, Keys};
pub use verifier::JwtVerifier;

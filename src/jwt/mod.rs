//! JWT access tokens: compact form, header, signature, claim rules.

mod builder;
mod by_issuer;
mod compact;
mod header;
mod typ;
mod verifier;

pub use builder::{JwtVerifierBuilder, Keys};
pub use by_issuer::ByIssuer;
pub use verifier::JwtVerifier;

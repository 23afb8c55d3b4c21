//! JWT access tokens: `typ`, claim rules, issuers.

mod builder;
mod by_issuer;
mod typ;
mod verifier;

pub use builder::JwtVerifierBuilder;
pub use by_issuer::ByIssuer;
pub use verifier::JwtVerifier;

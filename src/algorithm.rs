//! The signature algorithms we know, by their JOSE names.

use std::fmt;

/// A JWS signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2).
///
/// `none` is not one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256. Only with a secret you pass yourself.
    HS256,
    /// HMAC with SHA-384. Only with a secret you pass yourself.
    HS384,
    /// HMAC with SHA-512. Only with a secret you pass yourself.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519 under its older, polymorphic name.
    EdDSA,
    /// Ed25519 under the name of RFC 9864.
    Ed25519,
}

impl Algorithm {
    /// Every algorithm with a public key: what a verifier allows unless told otherwise.
    pub const ASYMMETRIC: &'static [Algorithm] = &[
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
        Algorithm::Ed25519,
    ];

    const SYMMETRIC: &'static [Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];

    /// The JOSE name, as in the `alg` header.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::HS256 => "HS256",
            Algorithm::HS384 => "HS384",
            Algorithm::HS512 => "HS512",
            Algorithm::RS256 => "RS256",
            Algorithm::RS384 => "RS384",
            Algorithm::RS512 => "RS512",
            Algorithm::PS256 => "PS256",
            Algorithm::PS384 => "PS384",
            Algorithm::PS512 => "PS512",
            Algorithm::ES256 => "ES256",
            Algorithm::ES384 => "ES384",
            Algorithm::ES512 => "ES512",
            Algorithm::EdDSA => "EdDSA",
            Algorithm::Ed25519 => "Ed25519",
        }
    }

    /// Whether it needs a shared secret instead of a public key.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
    }
}

impl std::str::FromStr for Algorithm {
    type Err = AlgorithmError;

    /// Reads a JOSE name; case matters (RFC 7515 §4.1.1).
    fn from_str(name: &str) -> Result<Algorithm, AlgorithmError> {
        Algorithm::ASYMMETRIC
            .iter()
            .chain(Algorithm::SYMMETRIC)
            .find(|algorithm| algorithm.name() == name)
            .copied()
            .ok_or_else(|| AlgorithmError {
                found: crate::text::quote(name),
            })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Says which name is no [`Algorithm`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlgorithmError {
    found: String,
}

impl fmt::Display for AlgorithmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "algorithm is {}, wanted a JWS signature algorithm such as \"RS256\"",
            self.found
        )
    }
}

impl std::error::Error for AlgorithmError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for &algorithm in Algorithm::ASYMMETRIC.iter().chain(Algorithm::SYMMETRIC) {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
        for other in ["none", "None", "rs256", "", "ES256K", "RSA-OAEP"] {
            assert!(other.parse::<Algorithm>().is_err(), "{other}");
        }
        assert_eq!(
            "none".parse::<Algorithm>().unwrap_err().to_string(),
            "algorithm is \"none\", wanted a JWS signature algorithm such as \"RS256\""
        );
    }
}

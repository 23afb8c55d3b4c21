//! The tokens that every gate is shown: an issuer with one key, and tokens of which each has the same
//! length and no two are equal. How they are signed is the stage's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::signing::{self, SigningKey};

pub use crate::signing::AUDIENCE;

/// A scope that every token has.
pub const SCOPE: &str = "read:events";

/// Longer than any measuring, in seconds.
const DAY: i64 = 86_400;

/// How the client begins in a payload, and what some gates want in its place: as long, so that the tokens
/// are, too.
const CLIENT: &str = r#""client_id":"3Kfh1lPbM"#;
const PARTY: &str = r#""typ":"Bearer","azp":""#;

/// How an issuer signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// RSA with 2048 bits, PKCS #1 v1.5.
    Rs256,
    /// ECDSA on P-256.
    Es256,
    /// Ed25519, under the name that the field uses.
    EdDsa,
}

impl Signing {
    /// The name in a header's `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Signing::Rs256 => "RS256",
            Signing::Es256 => "ES256",
            Signing::EdDsa => "EdDSA",
        }
    }
}

/// Claims that are the same in each token of an issuer but for the token's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// Those of RFC 9068, and the tenant.
    Standard,
    /// Those without which a gate made for one product takes no token: `typ` and `azp`.
    WithParty,
}

/// Who signs tokens with a key of its own.
pub struct Issuer {
    url: String,
    signing: Signing,
    key: SigningKey,
}

impl Issuer {
    /// Makes a key.
    pub fn new(url: &str, signing: Signing) -> Issuer {
        Issuer {
            url: url.to_owned(),
            signing,
            key: signing::signing_key(signing.name()),
        }
    }

    /// What its tokens' `iss` says.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How it signs.
    pub fn signing(&self) -> Signing {
        self.signing
    }

    /// Its public key, as a JWK set of one.
    pub fn jwks(&self) -> String {
        signing::jwks([&self.key])
    }

    /// The token with this number: the same claims, a `jti` of its own.
    pub fn token(&self, claims: Claims, number: u32) -> String {
        let payload = signing::payload(number.into(), &self.url, signing::SCOPE, DAY);
        let payload = match claims {
            Claims::Standard => payload,
            Claims::WithParty => payload.replacen(CLIENT, PARTY, 1),
        };
        signing::signed(&self.key, &payload)
    }
}

/// The same token with one bit of its signature turned over.
pub fn forged(token: &str) -> String {
    let (signed, mut signature) = signing::taken_apart(token);
    let middle = signature.len() / 2;
    signature[middle] ^= 1;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

//! What is measured is the check of one and the same token: an issuer with one key, and tokens of
//! which each has the same length and no two are equal.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

/// Whom the tokens are for.
pub const AUDIENCE: &str = "https://api.example.com/";

/// A scope that every token has.
pub const SCOPE: &str = "read:events";

/// The length of a payload: seven string claims and three times, as issuers in the field write them.
/// A token is 1,086 bytes long with RS256, 830 with ES256 and EdDSA.
pub const PAYLOAD: usize = 499;

/// How long a token lives: longer than any measuring.
const LIFETIME: u64 = 6 * 3600;

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
    key: Key,
    now: u64,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Issuer {
    /// Makes a key.
    ///
    /// # Panics
    ///
    /// If the machine cannot.
    pub fn new(url: &str, signing: Signing) -> Issuer {
        let key = match signing {
            Signing::Rs256 => {
                RsaKeyPair::generate(KeySize::Rsa2048).map(|key| Key::Rsa(Box::new(key)))
            }
            Signing::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Key::Ecdsa)
            }
            Signing::EdDsa => Ed25519KeyPair::generate().map(Key::Ed25519),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Issuer {
            url: url.to_owned(),
            signing,
            key: key.expect("a key"),
            now: now.expect("a time after 1970").as_secs(),
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
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.key {
            Key::Rsa(pair) => {
                let key = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(key.modulus().big_endian_without_leading_zero()),
                    "e": encode(key.exponent().big_endian_without_leading_zero()),
                })
            }
            Key::Ecdsa(pair) => {
                // An uncompressed point: 0x04, x, y.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Key::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = json!(self.kid());
        jwk["alg"] = json!(self.signing.name());
        jwk["use"] = json!("sig");
        json!({"keys": [jwk]}).to_string()
    }

    /// The token with this number: the same claims, a subject and a `jti` of its own.
    pub fn token(&self, claims: Claims, number: u32) -> String {
        let header = format!(
            r#"{{"alg":"{}","typ":"at+jwt","kid":"{}"}}"#,
            self.signing.name(),
            self.kid()
        );
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(self.payload(claims, number), &mut token);
        let signature = self.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    fn kid(&self) -> String {
        format!("signing-2026-{}", self.signing.name().to_lowercase())
    }

    fn payload(&self, claims: Claims, number: u32) -> String {
        let party = match claims {
            Claims::Standard => r#""client_id":"calendar-web-frontend""#,
            Claims::WithParty => r#""azp":"calendar-web-frontend","typ":"Bearer""#,
        };
        let start = format!(
            concat!(
                r#"{{"iss":"{}","sub":"user-{:08}-7f1c22d4","aud":"{}",{},"#,
                r#""jti":"{:08x}-5b1e-4c8a-9d53-0f6e7a2b9c41","#,
                r#""scope":"{} write:events read:calendars write:calendars offline_access","#,
                r#""exp":{},"iat":{},"nbf":{},"tenant":""#,
            ),
            self.url,
            number,
            AUDIENCE,
            party,
            number,
            SCOPE,
            self.now + LIFETIME,
            self.now,
            self.now,
        );
        let end = "\"}";
        let left = PAYLOAD.checked_sub(start.len() + end.len());
        let tenant = "tenant-of-a-customer-".repeat(PAYLOAD / 20);
        let tenant = &tenant[..left.expect("a short URL of the issuer")];
        format!("{start}{tenant}{end}")
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("a signature");
                signature
            }
            Key::Ecdsa(pair) => {
                let signature = pair.sign(&random, message).expect("a signature");
                signature.as_ref().to_vec()
            }
            Key::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// The same token with one bit of its signature turned over.
pub fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a token");
    let mut signature = URL_SAFE_NO_PAD.decode(signature).expect("a signature");
    let middle = signature.len() / 2;
    signature[middle] ^= 1;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

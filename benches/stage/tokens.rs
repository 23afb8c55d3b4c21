//! Tokens as issuers sign them: 499 bytes of JSON with seven string claims. Knows aws-lc-rs and no gate,
//! so that every gate is shown the same.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, RsaEncoding, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Whose tokens they are.
pub const ISSUER: &str = "https://issuer.example/tenants/1f6e2c0a";
/// For whom they are.
pub const AUDIENCE: &str = "https://api.example.com/calendar/v1/";
/// What they may be used for, unless a token says otherwise.
pub const SCOPE: &str = "read:events write:events read:profile";

/// How long the payload is.
const PAYLOAD: usize = 499;

/// One key that signs, and its public half.
pub struct SigningKey {
    /// The `alg` of its tokens.
    pub alg: &'static str,
    /// Its name.
    pub kid: String,
    signer: Signer,
}

enum Signer {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Hmac(Box<hmac::Key>, Vec<u8>),
}

/// Makes a new key for RS256, PS256, ES256, ES384, EdDSA or HS256.
pub fn signing_key(alg: &'static str) -> SigningKey {
    let signer = match alg {
        "RS256" | "PS256" => {
            let encoding: &'static dyn RsaEncoding = match alg {
                "RS256" => &signature::RSA_PKCS1_SHA256,
                _ => &signature::RSA_PSS_SHA256,
            };
            Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), encoding)
        }
        "ES256" => {
            let curve = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
            Signer::Ecdsa(EcdsaKeyPair::generate(curve).unwrap())
        }
        "ES384" => {
            let curve = &signature::ECDSA_P384_SHA384_FIXED_SIGNING;
            Signer::Ecdsa(EcdsaKeyPair::generate(curve).unwrap())
        }
        "EdDSA" => Signer::Ed25519(Ed25519KeyPair::generate().unwrap()),
        "HS256" => {
            let secret =
                b"a secret of the bench's own, of sixty-four bytes as is recommended".to_vec();
            Signer::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &secret)), secret)
        }
        _ => panic!("alg is {alg}, wanted one that is measured"),
    };
    // As long as issuers' names for keys; with it an RS256 token has 1,086 bytes and an ES256 token
    // 830. An HMAC is shorter, and its token is filled up to the same 830.
    let mut kid = format!("bench-{}-000001", alg.to_lowercase());
    if alg == "HS256" {
        kid.push_str("-filled-up-to-the-length-of-ES25");
    }
    SigningKey { alg, kid, signer }
}

impl SigningKey {
    /// Signs.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.signer {
            Signer::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Signer::Ecdsa(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Signer::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Signer::Hmac(key, _) => hmac::sign(key, message).as_ref().to_vec(),
        }
    }

    /// The shared secret, if it is one.
    pub fn secret(&self) -> Option<&[u8]> {
        match &self.signer {
            Signer::Hmac(_, secret) => Some(secret),
            _ => None,
        }
    }

    /// The public half as a JWK.
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.signer {
            Signer::Rsa(key, _) => {
                let public = key.public_key();
                let n = public.modulus().big_endian_without_leading_zero();
                let e = public.exponent().big_endian_without_leading_zero();
                json!({"kty": "RSA", "n": text(n), "e": text(e)})
            }
            Signer::Ecdsa(key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)})
            }
            Signer::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(key.public_key().as_ref())})
            }
            Signer::Hmac(..) => panic!("a secret has no public half"),
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.alg);
        jwk["use"] = json!("sig");
        jwk
    }

    /// What nothing can be faster than: the check of one signature with a key that was prepared.
    pub fn raw_check(&self) -> RawCheck {
        match &self.signer {
            Signer::Hmac(key, _) => RawCheck::Secret(key.clone()),
            _ => raw_check_of(&self.jwk()),
        }
    }
}

/// The check with the key that a JWK holds.
pub fn raw_check_of(jwk: &Value) -> RawCheck {
    let bytes = |name: &str| {
        let text = jwk[name].as_str().unwrap();
        URL_SAFE_NO_PAD.decode(text).unwrap()
    };
    let point = |algorithm| {
        ParsedPublicKey::new(algorithm, [vec![4], bytes("x"), bytes("y")].concat()).unwrap()
    };
    let rsa = |algorithm| {
        let (n, e) = (bytes("n"), bytes("e"));
        let components = RsaPublicKeyComponents { n, e };
        components.to_parsed_public_key(algorithm).unwrap()
    };
    RawCheck::Public(match jwk["alg"].as_str().unwrap() {
        "RS256" => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        "PS256" => rsa(&signature::RSA_PSS_2048_8192_SHA256),
        "ES256" => point(&signature::ECDSA_P256_SHA256_FIXED),
        "ES384" => point(&signature::ECDSA_P384_SHA384_FIXED),
        "EdDSA" => ParsedPublicKey::new(&signature::ED25519, bytes("x")).unwrap(),
        alg => panic!("alg is {alg}, wanted one that is measured"),
    })
}

/// A key that was prepared for nothing but to check signatures.
pub enum RawCheck {
    /// Of a key pair.
    Public(ParsedPublicKey),
    /// A shared secret.
    Secret(Box<hmac::Key>),
}

impl RawCheck {
    /// Checks one signature.
    pub fn check(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            RawCheck::Public(key) => key.verify_sig(message, signature).is_ok(),
            RawCheck::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

/// The keys as a JWK set.
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> String {
    let keys: Vec<Value> = keys.into_iter().map(SigningKey::jwk).collect();
    json!({ "keys": keys }).to_string()
}

/// `key` under its own name, and under as many others as make `count`, its own in the middle. It is
/// the number that is measured, and RSA keys take long to make.
pub fn crowded_jwks(key: &SigningKey, count: usize) -> String {
    let keys = (0..count).map(|number| {
        let mut jwk = key.jwk();
        if number != count / 2 {
            jwk["kid"] = json!(format!("bench-other-{number:06}"));
        }
        jwk
    });
    json!({ "keys": keys.collect::<Vec<_>>() }).to_string()
}

/// The token number `n` of `key`: good for a day.
pub fn token(key: &SigningKey, n: u64) -> String {
    signed(key, &payload(n, ISSUER, SCOPE, DAY))
}

/// One of another issuer.
pub fn token_of(key: &SigningKey, n: u64, issuer: &str) -> String {
    signed(key, &payload(n, issuer, SCOPE, DAY))
}

/// One with these scopes.
pub fn token_with_scope(key: &SigningKey, n: u64, scope: &str) -> String {
    signed(key, &payload(n, ISSUER, scope, DAY))
}

/// One that was good until an hour ago.
pub fn expired_token(key: &SigningKey, n: u64) -> String {
    signed(key, &payload(n, ISSUER, SCOPE, -3_600))
}

const DAY: i64 = 86_400;

/// The claims of a token that ends in `left` seconds.
pub fn payload(n: u64, issuer: &str, scope: &str, left: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = now.as_secs() as i64;
    let mut json = format!(
        r#"{{"iss":"{issuer}","sub":"auth|5f7c8ec7c33c6c004bbafe82","aud":"{AUDIENCE}","client_id":"3Kfh1lPbMqTz8vWcYx0RsUaEd7GnJo2i","jti":"{n:032x}","scope":"{scope}","iat":{},"exp":{},"nbf":{},"tenant":""#,
        now + left.min(0) - 60,
        now + left,
        now + left.min(0) - 60,
    );
    // Filled up with what looks like a word: the last claim.
    let rest = PAYLOAD.saturating_sub(json.len() + r#""}"#.len());
    for place in 0..rest.max(8) {
        json.push(char::from(b'a' + (place % 26) as u8));
    }
    json.push_str(r#""}"#);
    json
}

/// A signed token with this payload.
pub fn signed(key: &SigningKey, payload: &str) -> String {
    let header = format!(
        r#"{{"alg":"{}","typ":"at+jwt","kid":"{}"}}"#,
        key.alg, key.kid
    );
    signed_as(key, &header, payload)
}

/// A signed token with this header and payload.
pub fn signed_as(key: &SigningKey, header: &str, payload: &str) -> String {
    let mut token = String::with_capacity(1_200);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes());
    let _ = write!(token, ".{}", URL_SAFE_NO_PAD.encode(signature));
    token
}

/// What the signature covers, and the signature.
pub fn taken_apart(token: &str) -> (&str, Vec<u8>) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    (message, URL_SAFE_NO_PAD.decode(signature).unwrap())
}

/// The same token under another header; its signature is wrong.
pub fn under_header(token: &str, header: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(header);
    format!("{header}.{}", token.split_once('.').unwrap().1)
}

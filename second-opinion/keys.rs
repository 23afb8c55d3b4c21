//! A key for each algorithm that all three know. ES512 is left out: neither of the others has it.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::Algorithm;
use serde_json::{Value, json};

pub const ALGORITHMS: [Algorithm; 10] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::HS256,
];

/// The name of the key that signs.
pub const KID: &str = "k1";

/// The name of the one beside it in the issuer's set, for the same algorithm. It signs nothing.
pub const OTHER_KID: &str = "k2";

pub const SECRET: &[u8] = b"a secret of at least 32 bytes, and known to all three";

/// The key pairs of an issuer.
pub struct Keys {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
    secret: Vec<u8>,
}

impl Keys {
    pub fn new(secret: &[u8]) -> Keys {
        Keys {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            p384: EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
            ed25519: Ed25519KeyPair::generate().unwrap(),
            secret: secret.to_vec(),
        }
    }

    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let padding: &dyn signature::RsaEncoding = match algorithm {
            Algorithm::RS256 => &signature::RSA_PKCS1_SHA256,
            Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
            Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
            Algorithm::PS256 => &signature::RSA_PSS_SHA256,
            Algorithm::PS384 => &signature::RSA_PSS_SHA384,
            Algorithm::PS512 => &signature::RSA_PSS_SHA512,
            Algorithm::ES256 => {
                let signature = self.p256.sign(&random, message);
                return signature.unwrap().as_ref().to_vec();
            }
            Algorithm::ES384 => {
                let signature = self.p384.sign(&random, message);
                return signature.unwrap().as_ref().to_vec();
            }
            Algorithm::EdDSA => return self.ed25519.sign(message).as_ref().to_vec(),
            Algorithm::HS256 => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
                return hmac::sign(&key, message).as_ref().to_vec();
            }
            other => panic!("there is no key for {other}"),
        };
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa
            .sign(padding, &random, message, &mut signature)
            .unwrap();
        signature
    }

    /// The attack that takes a public key, which all know, for the secret (RFC 8725 §2.1).
    pub fn sign_with_public_key(&self, message: &[u8]) -> Vec<u8> {
        let der: PublicKeyX509Der = self.rsa.public_key().as_der().unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, der.as_ref());
        hmac::sign(&key, message).as_ref().to_vec()
    }

    /// The public key for `algorithm`, under this name; there is none for a secret.
    pub fn jwk(&self, algorithm: Algorithm, kid: &str) -> Value {
        let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let mut jwk = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => {
                let (pair, curve) = match algorithm {
                    Algorithm::ES256 => (&self.p256, "P-256"),
                    _ => (&self.p384, "P-384"),
                };
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Algorithm::EdDSA => {
                let x = self.ed25519.public_key().as_ref();
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(x)})
            }
            _ => {
                let key = self.rsa.public_key();
                let n = key.modulus().big_endian_without_leading_zero().to_vec();
                let e = key.exponent().big_endian_without_leading_zero().to_vec();
                json!({"kty": "RSA", "n": encode(&n), "e": encode(&e)})
            }
        };
        jwk["alg"] = algorithm.name().into();
        jwk["kid"] = kid.into();
        jwk
    }
}

//! The server's signing keys, and the public keys of clients that sign their assertions.

use std::sync::Arc;

use aws_lc_rs::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::algorithm::Algorithm;
use crate::signing::SigningKey;

/// The keys a server ever had. The newest of an algorithm that is not merely announced is its current
/// one.
#[derive(Default)]
pub(super) struct KeyRing {
    prefix: String,
    keys: Vec<Key>,
    odd: Vec<Value>,
}

#[derive(Clone)]
pub(super) struct Key {
    pub(super) kid: String,
    pub(super) signing: Arc<SigningKey>,
    published: bool,
    /// Published ahead of the rotation that makes it current.
    announced: bool,
}

impl KeyRing {
    /// Its keys' names begin with `prefix`.
    pub(super) fn named(prefix: String) -> KeyRing {
        KeyRing {
            prefix,
            ..KeyRing::default()
        }
    }

    /// The current key of `algorithm`, made now if there is none: an RSA key takes its time.
    #[track_caller]
    pub(super) fn current(&mut self, algorithm: Algorithm) -> Key {
        assert!(
            !algorithm.is_symmetric(),
            "{algorithm} has no key pair, use `hmac` with a secret"
        );
        match self.newest(algorithm) {
            Some(key) => key.clone(),
            None => self.add(algorithm, false),
        }
    }

    /// The current key of `algorithm`, if there is one.
    fn newest(&self, algorithm: Algorithm) -> Option<&Key> {
        self.of(algorithm).filter(|key| !key.announced).last()
    }

    #[track_caller]
    fn add(&mut self, algorithm: Algorithm, announced: bool) -> Key {
        let number = self.of(algorithm).count() + 1;
        let key = Key {
            kid: format!(
                "{}{}-{number}",
                self.prefix,
                algorithm.name().to_lowercase()
            ),
            signing: Arc::new(new_key(algorithm)),
            published: true,
            announced,
        };
        self.keys.push(key.clone());
        key
    }

    fn of(&self, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(move |key| key.signing.algorithm() == algorithm)
    }

    fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ASYMMETRIC
            .iter()
            .copied()
            .filter(|algorithm| self.of(*algorithm).next().is_some())
    }

    pub(super) fn rotate(&mut self) {
        self.announce();
        for key in &mut self.keys {
            key.announced = false;
        }
    }

    pub(super) fn announce(&mut self) {
        let algorithms: Vec<Algorithm> = self.algorithms().collect();
        for algorithm in algorithms {
            if !self.of(algorithm).any(|key| key.announced) {
                self.add(algorithm, true);
            }
        }
    }

    pub(super) fn publish(&mut self, jwk: Value) {
        self.odd.push(jwk);
    }

    /// Whether a key of this name was published.
    pub(super) fn withdraw(&mut self, kid: &str) -> bool {
        let before = self.published();
        for key in self.keys.iter_mut().filter(|key| key.kid == kid) {
            key.published = false;
        }
        self.odd.retain(|jwk| jwk["kid"] != kid);
        self.published() < before
    }

    pub(super) fn withdraw_old(&mut self) {
        let current: Vec<String> = self
            .algorithms()
            .filter_map(|algorithm| self.newest(algorithm))
            .map(|key| key.kid.clone())
            .collect();
        for key in &mut self.keys {
            key.published &= key.announced || current.contains(&key.kid);
        }
    }

    fn published(&self) -> usize {
        self.keys.iter().filter(|key| key.published).count() + self.odd.len()
    }

    pub(super) fn jwks(&self) -> Value {
        let keys = self.keys.iter().filter(|key| key.published);
        let keys = keys.map(|key| {
            let mut jwk = key.signing.public_jwk();
            jwk["kid"] = json!(key.kid);
            jwk["use"] = json!("sig");
            jwk["alg"] = json!(key.signing.algorithm().name());
            jwk
        });
        json!({"keys": keys.chain(self.odd.iter().cloned()).collect::<Vec<_>>()})
    }
}

/// # Panics
///
/// If the machine cannot make such a key.
#[track_caller]
pub(super) fn new_key(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm).unwrap_or_else(|error| panic!("{error}"))
}

/// The private key as `-----BEGIN PRIVATE KEY-----` (RFC 7468 §10).
#[track_caller]
pub(super) fn pem(key: &SigningKey) -> String {
    let der = key.pkcs8().unwrap_or_else(|error| panic!("{error}"));
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    let mut left = text.as_str();
    while !left.is_empty() {
        let (line, rest) = left.split_at(left.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        left = rest;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

/// A public key and the one algorithm it verifies.
pub(super) struct PublicKey {
    pub(super) algorithm: Algorithm,
    parts: Parts,
}

enum Parts {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point on a curve, as the verification algorithm wants it.
    Point(Vec<u8>),
}

impl PublicKey {
    /// Reads a public JWK (RFC 7517). `None` unless it is one for `algorithm`.
    pub(super) fn from_jwk(jwk: &Value, algorithm: Algorithm) -> Option<PublicKey> {
        let bytes = |member: &str| URL_SAFE_NO_PAD.decode(jwk[member].as_str()?).ok();
        let on_curve = |curve: &str| (jwk["kty"] == "EC" && jwk["crv"] == curve).then_some(());
        let parts = match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return None,
            Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 => {
                on_curve(match algorithm {
                    Algorithm::ES256 => "P-256",
                    Algorithm::ES384 => "P-384",
                    _ => "P-521",
                })?;
                Parts::Point([vec![4], bytes("x")?, bytes("y")?].concat())
            }
            Algorithm::EdDSA | Algorithm::Ed25519 => {
                (jwk["kty"] == "OKP" && jwk["crv"] == "Ed25519").then_some(())?;
                Parts::Point(bytes("x")?)
            }
            _ => {
                (jwk["kty"] == "RSA").then_some(())?;
                Parts::Rsa {
                    n: bytes("n")?,
                    e: bytes("e")?,
                }
            }
        };
        Some(PublicKey { algorithm, parts })
    }

    pub(super) fn verifies(&self, message: &[u8], signed: &[u8]) -> bool {
        let verified = match &self.parts {
            Parts::Rsa { n, e } => {
                let padding = match self.algorithm {
                    Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
                    Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n, e }.verify(padding, message, signed)
            }
            Parts::Point(point) => {
                let scheme: &'static dyn signature::VerificationAlgorithm = match self.algorithm {
                    Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
                    Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
                    Algorithm::ES512 => &signature::ECDSA_P521_SHA512_FIXED,
                    _ => &signature::ED25519,
                };
                UnparsedPublicKey::new(scheme, point).verify(message, signed)
            }
        };
        verified.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kids(ring: &KeyRing) -> Vec<String> {
        let jwks = ring.jwks();
        let keys = jwks["keys"].as_array().unwrap();
        keys.iter()
            .map(|jwk| jwk["kid"].as_str().unwrap_or("-").to_owned())
            .collect()
    }

    #[test]
    fn rotation_keeps_old_keys_until_they_are_withdrawn() {
        let mut ring = KeyRing::default();
        assert_eq!(ring.current(Algorithm::ES256).kid, "es256-1");
        assert_eq!(ring.current(Algorithm::EdDSA).kid, "eddsa-1");
        ring.rotate();
        assert_eq!(ring.current(Algorithm::ES256).kid, "es256-2");
        assert_eq!(kids(&ring), ["es256-1", "eddsa-1", "es256-2", "eddsa-2"]);
        assert!(ring.withdraw("eddsa-2"));
        assert!(!ring.withdraw("eddsa-2"));
        ring.withdraw_old();
        assert_eq!(kids(&ring), ["es256-2"]);
        // Whoever stole a withdrawn key still signs with it.
        assert_eq!(ring.current(Algorithm::EdDSA).kid, "eddsa-2");
    }

    #[test]
    fn names_begin_as_they_were_told_to() {
        let mut ring = KeyRing::named("second-".to_owned());
        assert_eq!(ring.current(Algorithm::ES256).kid, "second-es256-1");
        ring.rotate();
        assert_eq!(kids(&ring), ["second-es256-1", "second-es256-2"]);
    }

    #[test]
    fn an_announced_key_is_published_before_it_signs() {
        let mut ring = KeyRing::default();
        assert_eq!(ring.current(Algorithm::ES256).kid, "es256-1");
        ring.announce();
        ring.announce();
        assert_eq!(kids(&ring), ["es256-1", "es256-2"]);
        assert_eq!(ring.current(Algorithm::ES256).kid, "es256-1");
        ring.withdraw_old();
        assert_eq!(kids(&ring), ["es256-1", "es256-2"]);
        ring.rotate();
        assert_eq!(ring.current(Algorithm::ES256).kid, "es256-2");
        assert_eq!(kids(&ring), ["es256-1", "es256-2"]);
        ring.withdraw_old();
        assert_eq!(kids(&ring), ["es256-2"]);
    }

    #[test]
    fn odd_keys_are_published_as_they_are() {
        let mut ring = KeyRing::default();
        ring.publish(json!({"kty": "moon", "kid": "x"}));
        ring.publish(json!("no key at all"));
        assert_eq!(kids(&ring), ["x", "-"]);
        assert!(ring.withdraw("x"));
        assert_eq!(kids(&ring), ["-"]);
    }

    #[test]
    fn every_key_survives_its_pem_and_its_jwk() {
        use Algorithm::*;
        for algorithm in [RS256, RS512, PS384, ES256, ES384, ES512, EdDSA, Ed25519] {
            let key = new_key(algorithm);
            let read = SigningKey::from_pem(&pem(&key), algorithm).unwrap();
            let signed = read.sign(b"message").unwrap();
            let public = PublicKey::from_jwk(&key.public_jwk(), algorithm).unwrap();
            assert!(public.verifies(b"message", &signed), "{algorithm}");
            assert!(!public.verifies(b"massage", &signed), "{algorithm}");
            assert!(PublicKey::from_jwk(&json!({"kty": "EC"}), algorithm).is_none());
        }
        assert!(PublicKey::from_jwk(&json!({"kty": "oct"}), HS256).is_none());
    }
}

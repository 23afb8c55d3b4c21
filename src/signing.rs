//! Private keys that sign: client assertions of the introspection client, tokens of the test
//! issuer. Never access tokens of a production server.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::algorithm::Algorithm;
use crate::error::ConfigError;
#[cfg(feature = "introspection")]
use crate::pem;
use crate::secret::Secret;

/// A private key and the one algorithm it signs with.
pub(crate) struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Reads a PKCS#8 private key in PEM.
    ///
    /// # Errors
    ///
    /// If it is none, or does not fit `algorithm`.
    #[cfg(feature = "introspection")]
    pub(crate) fn from_pem(pem: &str, algorithm: Algorithm) -> Result<SigningKey, ConfigError> {
        let der = pem::private_key(pem).ok_or_else(|| {
            ConfigError::new("private key is no PEM, wanted a PKCS#8 PRIVATE KEY")
        })?;
        SigningKey::from_der(&der, algorithm)
    }

    pub(crate) fn from_der(der: &[u8], algorithm: Algorithm) -> Result<SigningKey, ConfigError> {
        let misfit = || {
            ConfigError::new(format!(
                "private key does not fit the algorithm {algorithm}"
            ))
        };
        let pair = match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return Err(misfit()),
            Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 => {
                let curve = match algorithm {
                    Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                    Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
                    _ => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
                };
                Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, der).map_err(|_| misfit())?)
            }
            Algorithm::EdDSA | Algorithm::Ed25519 => {
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(der).map_err(|_| misfit())?)
            }
            _ => Pair::Rsa(
                RsaKeyPair::from_pkcs8(der)
                    .or_else(|_| RsaKeyPair::from_der(der))
                    .map_err(|_| misfit())?,
            ),
        };
        Ok(SigningKey { algorithm, pair })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The compact JWS of a header and a payload (RFC 7515 §3.1). Whoever holds it may be taken for us,
    /// so it wipes itself; without its signature it is no secret.
    ///
    /// # Errors
    ///
    /// If the machine has no randomness for the signature.
    #[cfg_attr(not(feature = "introspection"), allow(dead_code))]
    pub(crate) fn jws(&self, header: &str, payload: &str) -> Result<Secret<String>, ConfigError> {
        let encode = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
        let signed = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(payload.as_bytes())
        );
        let signature = Secret::new(self.sign(signed.as_bytes())?);
        let signature = Secret::new(encode(&signature));
        // Its room is made for all of it at once.
        Ok(Secret::new([&*signed, &**signature].join(".")))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ConfigError> {
        let failed = |_| ConfigError::new(format!("signing with {} failed", self.algorithm));
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => Ok(pair
                .sign(&random, message)
                .map_err(failed)?
                .as_ref()
                .to_vec()),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let padding: &dyn signature::RsaEncoding = match self.algorithm {
                    Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_SHA384,
                    Algorithm::PS512 => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signed = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signed)
                    .map_err(failed)?;
                Ok(signed)
            }
        }
    }
}

#[cfg(feature = "testing")]
impl SigningKey {
    /// Makes a new key.
    pub(crate) fn generate(algorithm: Algorithm) -> Result<SigningKey, ConfigError> {
        let failed = |_| ConfigError::new(format!("no {algorithm} key can be made"));
        let random = SystemRandom::new();
        let der = match algorithm {
            Algorithm::ES256 => {
                EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            }
            Algorithm::ES384 => {
                EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &random)
            }
            Algorithm::ES512 => {
                EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, &random)
            }
            Algorithm::EdDSA | Algorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
            _ => {
                let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048);
                let pair = Pair::Rsa(pair.map_err(failed)?);
                return Ok(SigningKey { algorithm, pair });
            }
        };
        SigningKey::from_der(der.map_err(failed)?.as_ref(), algorithm)
    }

    /// The private key in PKCS#8 (RFC 5208), for a client that signs its assertions with it.
    pub(crate) fn pkcs8(&self) -> Result<Vec<u8>, ConfigError> {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        let failed = |_| ConfigError::new(format!("no PKCS#8 of the {} key", self.algorithm));
        let der = match &self.pair {
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                return Ok(der.as_ref().to_vec());
            }
            Pair::Ecdsa(pair) => pair.to_pkcs8v1(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1(),
        };
        Ok(der.map_err(failed)?.as_ref().to_vec())
    }

    /// The public part as a JWK (RFC 7517), without `kid`, `use` and `alg`.
    pub(crate) fn public_jwk(&self) -> serde_json::Value {
        use aws_lc_rs::signature::KeyPair as _;
        use serde_json::json;
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(key.modulus().big_endian_without_leading_zero()),
                    "e": encode(key.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::Ecdsa(pair) => {
                let curve = match self.algorithm {
                    Algorithm::ES256 => "P-256",
                    Algorithm::ES384 => "P-384",
                    _ => "P-521",
                };
                // An uncompressed point: 0x04, x, y.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        }
    }
}

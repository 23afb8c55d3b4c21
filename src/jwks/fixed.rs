//! Keys that do not change: given as JSON, PEM or a file.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use super::key::Key;
use super::set::KeySet;
use crate::algorithm::Algorithm;
use crate::clock::UnixTime;
use crate::error::ConfigError;

/// A key set that is given once and never fetched. Cloning is cheap.
///
/// For issuers whose keys you deploy yourself; a rotation needs a restart.
///
/// # Examples
///
/// ```
/// use portcullis::{JwtVerifier, StaticJwks};
///
/// let keys = StaticJwks::from_json(r#"{"keys":[{
///     "kty":"OKP","crv":"Ed25519","kid":"one","alg":"EdDSA",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
/// }]}"#)?;
/// let verifier = JwtVerifier::builder("https://as.example", "https://api.example.com/")
///     .keys(keys)
///     .build()?;
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct StaticJwks {
    pub(crate) set: Arc<KeySet>,
}

impl StaticJwks {
    /// Reads a JWK set (RFC 7517 §5). Keys that cannot be used are left out with a logged reason.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is no key set or has no usable key.
    pub fn from_json(document: &str) -> Result<StaticJwks, ConfigError> {
        let set = KeySet::parse(document, UnixTime::MAX, None).map_err(ConfigError::new)?;
        for sentence in set.left_out() {
            tracing::warn!("{sentence}");
        }
        Ok(StaticJwks { set: Arc::new(set) })
    }

    /// Reads one public key in PEM (`-----BEGIN PUBLIC KEY-----`, RFC 7468 §13) and pins it to
    /// `algorithm`. Whatever `kid` a token names, this key is meant.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is no such PEM, holds a private key, or does not fit
    /// `algorithm`.
    pub fn from_pem(pem: &str, algorithm: Algorithm) -> Result<StaticJwks, ConfigError> {
        if pem.contains("PRIVATE KEY") {
            return Err(ConfigError::new(
                "PEM holds a private key, wanted a PUBLIC KEY",
            ));
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| ConfigError::new("PEM holds no key, wanted a PUBLIC KEY"))?;
        let key = Key::from_spki(&der, algorithm).map_err(ConfigError::new)?;
        Ok(StaticJwks {
            set: Arc::new(KeySet::of_one(key)),
        })
    }

    /// Reads a JWK set from a file, once.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the file cannot be read, and as [`from_json`](Self::from_json).
    pub fn from_file(path: impl AsRef<Path>) -> Result<StaticJwks, ConfigError> {
        let path = path.as_ref();
        let document = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::new(format!(
                "key set {} cannot be read: {error}",
                path.display()
            ))
        })?;
        StaticJwks::from_json(&document)
    }
}

impl std::fmt::Debug for StaticJwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaticJwks")
            .field("keys", &self.set.len())
            .finish()
    }
}

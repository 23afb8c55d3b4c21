//! How this server proves to the introspection endpoint who it is (RFC 7662 §2.1).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::form::Form;
use crate::algorithm::Algorithm;
use crate::clock::UnixTime;
use crate::error::ConfigError;
use crate::secret::Secret;
use crate::signing::SigningKey;

/// The credentials of this server at its authorization server. They never print.
///
/// What is kept of them is wiped from memory when this is dropped. The text that they were made of is the
/// caller's to wipe.
///
/// # Examples
///
/// ```
/// use portcullis::ClientAuth;
///
/// let auth = ClientAuth::basic("calendar", "s3cret:with/odd chars");
/// assert_eq!(format!("{auth:?}"), "ClientAuth::basic(\"calendar\", [redacted])");
/// ```
pub struct ClientAuth {
    client_id: Box<str>,
    method: Method,
}

enum Method {
    /// The header, made once, and the secret in it as it was given.
    Basic(HeaderValue, Secret<Box<str>>),
    Post(Secret<Box<str>>),
    PrivateKeyJwt {
        key: SigningKey,
        kid: Option<Box<str>>,
    },
}

/// What a client assertion is for (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl ClientAuth {
    /// `client_secret_basic`: id and secret are form-encoded, then base64-encoded into
    /// `Authorization: Basic` (RFC 6749 §2.3.1), so that any character may stand in them.
    pub fn basic(client_id: &str, secret: &str) -> ClientAuth {
        // Base64 is always a header value.
        let header = basic(client_id, secret).header();
        ClientAuth {
            client_id: client_id.into(),
            method: Method::Basic(
                header.unwrap_or_else(|| HeaderValue::from_static("Basic")),
                Secret::new(secret.into()),
            ),
        }
    }

    /// `client_secret_post`: id and secret in the form (RFC 6749 §2.3.1).
    pub fn post(client_id: &str, secret: &str) -> ClientAuth {
        ClientAuth {
            client_id: client_id.into(),
            method: Method::Post(Secret::new(secret.into())),
        }
    }

    /// `private_key_jwt`: a signed assertion, new for each call (RFC 7523 §2.2). `pem` is a PKCS#8
    /// `PRIVATE KEY` that fits `algorithm`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `pem` is no such key or `algorithm` is symmetric.
    pub fn private_key_jwt(
        client_id: &str,
        pem: &str,
        algorithm: Algorithm,
    ) -> Result<ClientAuth, ConfigError> {
        Ok(ClientAuth {
            client_id: client_id.into(),
            method: Method::PrivateKeyJwt {
                key: SigningKey::from_pem(pem, algorithm)?,
                kid: None,
            },
        })
    }

    /// Names the key of [`private_key_jwt`](Self::private_key_jwt) in the assertion's header.
    /// Nothing else heeds it.
    #[must_use]
    pub fn kid(mut self, name: &str) -> ClientAuth {
        if let Method::PrivateKeyJwt { kid, .. } = &mut self.method {
            *kid = Some(name.into());
        }
        self
    }

    #[cfg(feature = "jwt")]
    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What must not be repeated: the secret, and the header it is sent in.
    pub(super) fn secrets(&self) -> [&str; 2] {
        match &self.method {
            Method::Basic(header, secret) => {
                let sent = header.to_str().unwrap_or_default();
                [sent.trim_start_matches("Basic "), secret]
            }
            Method::Post(secret) => ["", secret],
            // What is signed for a call, that call knows.
            Method::PrivateKeyJwt { .. } => ["", ""],
        }
    }

    /// Adds the credentials to a request, and says which of them were made for it. `audience` is whom an
    /// assertion is for.
    pub(super) fn authenticate(
        &self,
        headers: &mut HeaderMap,
        form: &mut Form,
        audience: &str,
        now: UnixTime,
    ) -> Result<Option<Secret<String>>, ConfigError> {
        Ok(match &self.method {
            Method::Basic(header, _) => {
                headers.insert(AUTHORIZATION, header.clone());
                None
            }
            Method::Post(secret) => {
                form.append("client_id", &self.client_id);
                form.append("client_secret", secret);
                None
            }
            Method::PrivateKeyJwt { key, kid } => {
                let assertion = self.assertion(key, kid.as_deref(), audience, now)?;
                form.append("client_id", &self.client_id);
                form.append("client_assertion_type", ASSERTION_TYPE);
                form.append("client_assertion", &assertion);
                Some(assertion)
            }
        })
    }

    fn assertion(
        &self,
        key: &SigningKey,
        kid: Option<&str>,
        audience: &str,
        now: UnixTime,
    ) -> Result<Secret<String>, ConfigError> {
        let mut jti = [0; 16];
        aws_lc_rs::rand::fill(&mut jti)
            .map_err(|_| ConfigError::new("this machine has no randomness"))?;
        let mut header = serde_json::json!({"alg": key.algorithm().name(), "typ": "JWT"});
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let claims = serde_json::json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "jti": URL_SAFE_NO_PAD.encode(jti),
            "iat": now.as_secs(),
            "exp": now.as_secs() + 60,
        });
        key.jws(&header.to_string(), &claims.to_string())
    }
}

/// The value of `Authorization`, made in rooms that are large enough from the beginning: what grows leaves
/// its beginnings behind.
fn basic(client_id: &str, secret: &str) -> Secret<Vec<u8>> {
    const SCHEME: &[u8] = b"Basic ";
    let encoded = |text| form_urlencoded::byte_serialize(str::as_bytes(text));
    let parts = || encoded(client_id).chain([":"]).chain(encoded(secret));
    let mut pair = Secret::new(String::with_capacity(parts().map(str::len).sum()));
    parts().for_each(|part| pair.push_str(part));
    let digits = pair.len().div_ceil(3) * 4;
    let mut header = Secret::new(vec![0; SCHEME.len() + digits]);
    let (scheme, rest) = header.split_at_mut(SCHEME.len());
    scheme.copy_from_slice(SCHEME);
    // It has exactly the room that it takes.
    let _ = STANDARD.encode_slice(&*pair, rest);
    header
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.method {
            Method::Basic(..) => "basic",
            Method::Post(_) => "post",
            Method::PrivateKeyJwt { .. } => "private_key_jwt",
        };
        write!(f, "ClientAuth::{name}({:?}, [redacted])", self.client_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(auth: &ClientAuth) -> (HeaderMap, String) {
        let mut headers = HeaderMap::new();
        let mut form = Form::new();
        auth.authenticate(
            &mut headers,
            &mut form,
            "https://as.example",
            UnixTime::from_secs(7),
        )
        .unwrap();
        (headers, String::from_utf8(form.finish()).unwrap())
    }

    #[test]
    fn basic_is_form_encoded_before_base64() {
        let (headers, form) = sent(&ClientAuth::basic("rs:odd one/%2F", "a+b&c"));
        let header = &headers[AUTHORIZATION];
        assert!(header.is_sensitive());
        let pair = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(
            String::from_utf8(STANDARD.decode(pair).unwrap()).unwrap(),
            "rs%3Aodd+one%2F%252F:a%2Bb%26c"
        );
        assert_eq!(form, "");
    }

    #[test]
    fn post_puts_both_into_the_form() {
        let (headers, form) = sent(&ClientAuth::post("rs", "a b"));
        assert!(headers.is_empty());
        assert_eq!(form, "client_id=rs&client_secret=a+b");
    }

    #[test]
    fn a_key_that_does_not_fit_is_named() {
        let error = ClientAuth::private_key_jwt("rs", "not a pem", Algorithm::ES256).unwrap_err();
        assert_eq!(
            error.to_string(),
            "private key is no PEM, wanted a PKCS#8 PRIVATE KEY"
        );
    }
}

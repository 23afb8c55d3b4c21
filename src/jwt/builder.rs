//! What may be said about a [`JwtVerifier`], beyond issuer and audience.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;

use super::typ::TypRules;
use super::verifier::JwtVerifier;
use crate::algorithm::Algorithm;
use crate::error::ConfigError;
use crate::jwks::{Prepared, RemoteJwks};
use crate::jws::{Headers, Keys, Source};
use crate::rules::{ClaimRules, MayLack};
use crate::secret::Secret;
use crate::verify::{ErasedVerifier, VerdictLifetime, Verifier};

/// Sets up a [`JwtVerifier`].
#[must_use]
pub struct JwtVerifierBuilder {
    rules: ClaimRules,
    typ: TypRules,
    algorithms: Option<Vec<Algorithm>>,
    keys: Option<Keys>,
    secret: Option<(Algorithm, Secret<Box<[u8]>>)>,
    short_secret: bool,
    lifetime: Duration,
    confirmed_by: Option<ConfirmedBy>,
}

/// Who is asked whether a token still stands, and how long their refusals are remembered.
type ConfirmedBy = (Box<dyn ErasedVerifier>, Duration);

impl JwtVerifierBuilder {
    pub(super) fn new(issuer: &str, audience: &str) -> JwtVerifierBuilder {
        JwtVerifierBuilder {
            rules: ClaimRules::new(Some(issuer), Some(audience), MayLack::default()),
            typ: TypRules::default(),
            algorithms: None,
            keys: None,
            secret: None,
            short_secret: false,
            lifetime: Duration::from_secs(300),
            confirmed_by: None,
        }
    }

    /// Another `iss` that the tokens may have, with the same keys: a former name of the same issuer.
    /// An issuer with keys of its own gets a verifier of its own, see [`ByIssuer`](crate::ByIssuer).
    pub fn also_issuer(mut self, issuer: &str) -> JwtVerifierBuilder {
        self.rules.issuers.push(issuer.into());
        self
    }

    /// Another identifier this server is known by. A token needs to name one of them.
    pub fn audience(mut self, audience: &str) -> JwtVerifierBuilder {
        self.rules.audiences.push(audience.into());
        self
    }

    /// The only algorithms that are accepted, in order of preference: an RSA key that names no
    /// algorithm is used with the first that fits. Default:
    /// [`Algorithm::ASYMMETRIC`].
    pub fn algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> JwtVerifierBuilder {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    /// Where the keys come from. Default: [`RemoteJwks::discover`] with the issuer, if the feature
    /// `reqwest` is on.
    pub fn keys(mut self, keys: impl Into<Keys>) -> JwtVerifierBuilder {
        self.keys = Some(keys.into());
        self
    }

    /// Accepts tokens signed with a shared secret, and no others. The secret needs at least as
    /// many bytes as the hash has: 32, 48 or 64 (RFC 7518 §3.2).
    ///
    /// Whoever can verify such a token can forge one: prefer keys. The copy of the secret that is made
    /// here is wiped from memory once the verifier is [built](Self::build); `secret` itself is the
    /// caller's to wipe, so lend it.
    pub fn hmac_secret(
        mut self,
        algorithm: Algorithm,
        secret: impl AsRef<[u8]>,
    ) -> JwtVerifierBuilder {
        self.secret = Some((algorithm, Secret::new(secret.as_ref().into())));
        self
    }

    /// How far clocks may differ when `exp`, `nbf` and `iat` are judged. Default: 30 seconds; at
    /// most 5 minutes.
    pub fn leeway(mut self, leeway: Duration) -> JwtVerifierBuilder {
        self.rules.leeway = leeway;
        self
    }

    /// Admits tokens whose `typ` is `typ` beside `at+jwt`, for an issuer that predates RFC 9068;
    /// usually `"JWT"`. Tokens of that `typ` are refused if they carry a mark of an ID token
    /// (`nonce`, `at_hash`, `c_hash`, `s_hash`) or of a security event (`events`).
    pub fn legacy_typ(mut self, typ: &str) -> JwtVerifierBuilder {
        self.typ.legacy.push(typ.into());
        self
    }

    /// Admits tokens without a `typ`, under the rules of [`legacy_typ`](Self::legacy_typ).
    pub fn legacy_missing_typ(mut self) -> JwtVerifierBuilder {
        self.typ.admit_missing = true;
        self
    }

    /// Admits tokens without a `sub`. Default: it must be there (RFC 9068 §2.2).
    pub fn legacy_missing_subject(mut self) -> JwtVerifierBuilder {
        self.rules.may_lack.sub = true;
        self
    }

    /// See [`danger::accept_no_audience`](crate::danger::accept_no_audience).
    pub(crate) fn let_audience_be_absent(mut self) -> JwtVerifierBuilder {
        self.rules.audiences.clear();
        self.rules.may_lack.aud = true;
        self
    }

    /// See [`danger::accept_short_secret`](crate::danger::accept_short_secret).
    pub(crate) fn let_secret_be_short(mut self) -> JwtVerifierBuilder {
        self.short_secret = true;
        self
    }

    /// Admits a `sub` that is a positive JSON integer, against RFC 7519 §4.1.2. It reads as its
    /// digits.
    pub fn numeric_subject(mut self) -> JwtVerifierBuilder {
        self.rules.numeric_subject = true;
        self
    }

    /// Refuses tokens that lack one of these claims, or hold `null` there. `iss`, `aud`, `exp` and
    /// `sub` are demanded anyway; RFC 9068 §2.2 has issuers write `client_id`, `iat` and `jti`,
    /// too.
    pub fn require_claims<'a>(
        mut self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> JwtVerifierBuilder {
        self.rules
            .required
            .extend(names.into_iter().map(Into::into));
        self
    }

    /// How long a verified token is remembered, never past its `exp` and the leeway, and never past
    /// the withdrawal of its key. Default: 5 minutes; zero verifies each time.
    pub fn remember_accepted(mut self, lifetime: Duration) -> JwtVerifierBuilder {
        self.lifetime = lifetime;
        self
    }

    /// Asks `verifier` whether a token still stands, where a route demands that it is known
    /// ([`ResourceServer::fresh`](crate::ResourceServer::fresh)); usually an
    /// [`IntrospectionVerifier`](crate::IntrospectionVerifier) of the same issuer, or a look-up in a
    /// list of the tokens that were logged out. It is shown the same token, once the signature has
    /// proven that; handlers get the claims of the token. An answer about another `iss` or `sub`
    /// refuses it. Default: nobody is asked, and no route can demand freshness.
    ///
    /// The verifier may be shared: in an `Arc` it also proves opaque tokens of the same server, with one
    /// circuit breaker and one line for both.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "introspection")]
    /// # fn set_up(
    /// #     jwt: portcullis::JwtVerifierBuilder,
    /// #     introspection: portcullis::IntrospectionVerifier,
    /// # ) -> Result<(), portcullis::ConfigError> {
    /// use portcullis::{ResourceServer, When};
    /// use std::sync::Arc;
    ///
    /// let introspection = Arc::new(introspection);
    /// let server = ResourceServer::builder()
    ///     .route(When::jwt(), jwt.confirmed_by(introspection.clone()).build()?)
    ///     .route(When::opaque(), introspection)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A token that was found revoked is refused everywhere for as long as `verifier` remembers its
    /// refusals; afterwards, for a signature that is good, only where freshness is demanded.
    pub fn confirmed_by(mut self, verifier: impl Verifier) -> JwtVerifierBuilder {
        let refused = verifier.lifetime().of_revoked();
        self.confirmed_by = Some((Box::new(verifier), refused));
        self
    }

    /// Makes the verifier.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the issuer or an audience is empty, no algorithm is allowed, an HMAC
    /// algorithm is allowed without [`hmac_secret`](Self::hmac_secret), the secret is too short or
    /// stands beside keys, the leeway is above 5 minutes, the keys cannot be set up, or the verifier
    /// that is to [confirm](Self::confirmed_by) tokens cannot find out that one was revoked.
    pub fn build(self) -> Result<JwtVerifier, ConfigError> {
        self.rules.check()?;
        let mut lifetime = VerdictLifetime::accepted(self.lifetime);
        let mut confirmed_by = None;
        if let Some((verifier, refused)) = self.confirmed_by {
            if let Some(blind) = verifier.blind() {
                return Err(ConfigError::new(format!(
                    "the verifier that is to confirm tokens cannot find out whether one was revoked, \
                     wanted {}",
                    blind.wanted
                )));
            }
            lifetime = lifetime.revoked(refused);
            confirmed_by = Some(verifier);
        }
        let (algorithms, keys) = match (self.secret, self.keys) {
            (Some(_), Some(_)) => {
                return Err(ConfigError::new(
                    "there are keys and a secret, wanted one of them: build two verifiers",
                ));
            }
            (Some((algorithm, secret)), None) => {
                if self
                    .algorithms
                    .as_ref()
                    .is_some_and(|named| **named != [algorithm])
                {
                    return Err(ConfigError::new(format!(
                        "algorithms are named beside a secret, wanted {algorithm} alone"
                    )));
                }
                let key = hmac_key(algorithm, &secret, self.short_secret)?;
                let mark = secret_mark(&key);
                let prepared = Arc::new(Prepared::Secret(Box::new(key)));
                (vec![algorithm], Source::Secret(algorithm, prepared, mark))
            }
            (None, keys) => {
                let named = self
                    .algorithms
                    .unwrap_or_else(|| Algorithm::ASYMMETRIC.into());
                if let Some(symmetric) = named.iter().find(|name| name.is_symmetric()) {
                    return Err(ConfigError::new(format!(
                        "algorithm {symmetric} is allowed without a secret, wanted hmac_secret"
                    )));
                }
                if named.is_empty() {
                    return Err(ConfigError::new(
                        "no algorithm is allowed, wanted at least one",
                    ));
                }
                let keys = match keys {
                    Some(keys) => keys,
                    None => RemoteJwks::discover(self.rules.issuer().unwrap_or_default())
                        .build()?
                        .into(),
                };
                (named, keys.0)
            }
        };
        Ok(JwtVerifier {
            rules: self.rules,
            typ: self.typ,
            algorithms,
            keys,
            headers: Headers::default(),
            lifetime,
            confirmed_by,
        })
    }
}

impl fmt::Debug for JwtVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifierBuilder")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// Tells secrets apart as HMAC does, which fills a short one up with zeros and hashes a long one (RFC 2104
/// §2): it is the same for those that sign the same. It tells no more of the secret than any token does.
fn secret_mark(key: &hmac::Key) -> [u8; 32] {
    let tag = hmac::sign(key, b"which secret this is");
    let mut mark = [0; 32];
    // Each of the three hashes is that long, or longer.
    let longest = tag.as_ref().len().min(mark.len());
    mark[..longest].copy_from_slice(&tag.as_ref()[..longest]);
    mark
}

fn hmac_key(algorithm: Algorithm, secret: &[u8], short: bool) -> Result<hmac::Key, ConfigError> {
    let (hash, wanted) = match algorithm {
        Algorithm::HS256 => (hmac::HMAC_SHA256, 32),
        Algorithm::HS384 => (hmac::HMAC_SHA384, 48),
        Algorithm::HS512 => (hmac::HMAC_SHA512, 64),
        other => {
            return Err(ConfigError::new(format!(
                "algorithm {other} has no secret, wanted HS256, HS384 or HS512"
            )));
        }
    };
    let wanted = if short { 1 } else { wanted };
    if secret.len() < wanted {
        return Err(ConfigError::new(format!(
            "secret for {algorithm} has {} bytes, wanted at least {wanted}",
            secret.len()
        )));
    }
    Ok(hmac::Key::new(hash, secret))
}

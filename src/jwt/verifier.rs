//! Proves JWT access tokens: the order of the checks, cheap ones first.

use std::fmt;
use std::time::Duration;

use super::builder::{JwtVerifierBuilder, Source};
use super::compact::{self, Compact};
use super::header::Header;
use super::typ::{Typ, TypRules};
use crate::algorithm::Algorithm;
use crate::claims::ClaimSet;
use crate::credential::Credential;
use crate::error::{Error, Reason};
use crate::jwks::{KeySet, Miss, Prepared};
use crate::rules::ClaimRules;
use crate::status::Status;
use crate::verified::{Lease, Verified};
use crate::verify::{Moment, Provenance, VerdictLifetime, Verifier};

/// Proves the JWT access tokens of one issuer (RFC 9068).
///
/// With a key at hand nothing is awaited; only a token whose key is unknown waits for the issuer.
///
/// # Examples
///
/// ```no_run
/// # #[cfg(feature = "reqwest")] {
/// use portcullis::JwtVerifier;
///
/// // Finds the keys through the issuer's metadata, when the first token comes.
/// let verifier = JwtVerifier::builder("https://as.example", "https://api.example.com/").build()?;
/// # }
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
pub struct JwtVerifier {
    rules: ClaimRules,
    typ: TypRules,
    algorithms: Vec<Algorithm>,
    keys: Source,
    lifetime: VerdictLifetime,
}

impl JwtVerifier {
    /// Begins a verifier for tokens whose `iss` is `issuer`, byte for byte, and whose `aud` names
    /// `audience`.
    pub fn builder(issuer: &str, audience: &str) -> JwtVerifierBuilder {
        JwtVerifierBuilder::new(issuer, audience)
    }

    pub(super) fn issuers(&self) -> &[Box<str>] {
        &self.rules.issuers
    }

    pub(super) fn assemble(
        rules: ClaimRules,
        typ: TypRules,
        algorithms: Vec<Algorithm>,
        keys: Source,
        lifetime: VerdictLifetime,
    ) -> JwtVerifier {
        JwtVerifier {
            rules,
            typ,
            algorithms,
            keys,
            lifetime,
        }
    }

    /// Everything that needs no key: form, header, algorithm, `typ`.
    fn open<'a>(&self, compact: &Compact<'a>, header: &'a str) -> Result<Opened<'a>, Error> {
        let header = Header::read(header, &self.algorithms)?;
        let typ = self.typ.judge(header.typ.as_deref())?;
        Ok(Opened {
            signature: compact::decode("signature", compact.signature)?,
            header,
            typ,
        })
    }

    /// Everything that needs the key.
    fn close(
        &self,
        compact: &Compact<'_>,
        opened: &Opened<'_>,
        prepared: &Prepared,
        lease: Option<Lease>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        if !prepared.verifies(compact.signed.as_bytes(), &opened.signature) {
            return Err(Error::new(Reason::Signature, "signature does not match"));
        }
        let payload = compact::decode_text("payload", compact.payload)?;
        let claims = ClaimSet::parse(payload)
            .map_err(|error| Error::new(Reason::MalformedClaims, error.to_string()))?;
        self.rules.judge(&claims, moment.now())?;
        opened.typ.judge(&claims)?;
        let mut verified = Verified::new(claims).with_leeway(self.rules.leeway);
        if let Some(typ) = &opened.header.typ {
            verified = verified.with_typ(typ);
        }
        Ok(match lease {
            Some(lease) => verified.leased(lease),
            None => verified,
        })
    }

    /// Closes with the keys at hand; `None` if a newer set might have the key.
    fn close_now(
        &self,
        compact: &Compact<'_>,
        opened: &Opened<'_>,
        moment: &Moment<'_>,
    ) -> Result<Option<Verified>, Error> {
        let verdict = match &self.keys {
            Source::Secret(_, secret, _) => self.close(compact, opened, secret, None, moment),
            Source::Fixed(keys) => self.with_set(&keys.set, compact, opened, moment)?,
            Source::Remote(keys) => {
                let Some(snapshot) = keys.snapshot(moment) else {
                    return Ok(None);
                };
                match self.with_set(&snapshot.set, compact, opened, moment) {
                    Ok(verdict) => verdict,
                    Err(Miss::Unknown(_)) => return Ok(None),
                    Err(final_miss) => return Err(final_miss.into()),
                }
            }
        };
        verdict.map(Some)
    }

    fn with_set(
        &self,
        set: &KeySet,
        compact: &Compact<'_>,
        opened: &Opened<'_>,
        moment: &Moment<'_>,
    ) -> Result<Result<Verified, Error>, Miss> {
        let kid = opened.header.kid.as_deref();
        let (key, prepared) = set.select(kid, opened.header.algorithm, &self.algorithms)?;
        let lease = Some(key.lease().clone());
        Ok(self.close(compact, opened, prepared, lease, moment))
    }
}

/// What was read before a key was needed.
struct Opened<'a> {
    header: Header<'a>,
    typ: Typ,
    signature: Vec<u8>,
}

impl From<Miss> for Error {
    fn from(miss: Miss) -> Error {
        match miss {
            Miss::Unknown(why) | Miss::Ambiguous(why) => Error::new(Reason::UnknownKey, why),
            Miss::Unfit(why) => Error::new(Reason::Algorithm, why),
        }
    }
}

impl Verifier for JwtVerifier {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let compact = Compact::split(credential.token())?;
        let header = compact::decode_text("header", compact.header)?;
        let opened = self.open(&compact, &header)?;
        if let Some(verified) = self.close_now(&compact, &opened, moment)? {
            return Ok(verified);
        }
        // Only a key of a remote set is ever waited for.
        let Source::Remote(keys) = &self.keys else {
            return Err(Error::new(
                Reason::UnknownKey,
                "the key set has no such key",
            ));
        };
        let kid = opened.header.kid.as_deref();
        let has = |set: &KeySet| {
            let found = set.select(kid, opened.header.algorithm, &self.algorithms);
            !matches!(found, Err(Miss::Unknown(_)))
        };
        keys.renewed(kid, &has, moment).await?;
        let moment = Moment::of(moment.clock());
        let Some(snapshot) = keys.snapshot(&moment) else {
            return Err(Error::new(
                Reason::KeysUnavailable,
                "the issuer's keys are too old",
            )
            .with_retry_after(Duration::from_secs(5)));
        };
        self.with_set(&snapshot.set, &compact, &opened, &moment)
            .unwrap_or_else(|miss| {
                if matches!(miss, Miss::Unknown(_)) {
                    keys.note_absent(&snapshot, kid);
                }
                Err(miss.into())
            })
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        let read = || -> Result<Option<Verified>, Error> {
            let compact = Compact::split(credential.token())?;
            let header = compact::decode_text("header", compact.header)?;
            let opened = self.open(&compact, &header)?;
            self.close_now(&compact, &opened, moment)
        };
        read().transpose()
    }

    fn lifetime(&self) -> VerdictLifetime {
        self.lifetime
    }

    fn provenance(&self) -> Option<Provenance> {
        Some(Provenance {
            issuers: self.rules.issuers.clone(),
            secret: match &self.keys {
                Source::Secret(_, _, digest) => Some(*digest),
                _ => None,
            },
        })
    }

    fn status(&self, moment: &Moment<'_>) -> Status {
        let mut status = Status::default();
        if let Source::Remote(keys) = &self.keys {
            status.keys.push(keys.status(moment.now()));
        }
        status
    }

    async fn ready(&self, moment: &Moment<'_>) -> Result<(), Error> {
        match &self.keys {
            Source::Remote(keys) if keys.snapshot(moment).is_none() => {
                keys.renewed(None, &|_| true, moment).await
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("rules", &self.rules)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

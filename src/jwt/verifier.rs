//! Proves JWT access tokens: the order of the checks, cheap ones first.

use std::fmt;
use std::time::Duration;

use super::builder::JwtVerifierBuilder;
use super::typ::{Typ, TypRules};
use crate::algorithm::Algorithm;
use crate::claims::ClaimSet;
use crate::clock::UnixTime;
use crate::credential::Credential;
use crate::error::{Error, Reason};
use crate::jws::{Compact, Signed, Source, Unproven, decode_text};
use crate::lease::Lease;
use crate::rules::ClaimRules;
use crate::status::Status;
use crate::text::quote;
use crate::verified::Verified;
use crate::verify::{ErasedVerifier, Moment, Provenance, VerdictLifetime, Verifier};

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
    pub(super) rules: ClaimRules,
    pub(super) typ: TypRules,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) keys: Source,
    pub(super) lifetime: VerdictLifetime,
    /// Who is asked whether a token still stands.
    pub(super) confirmed_by: Option<Box<dyn ErasedVerifier>>,
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

    /// Everything that needs no key.
    fn open<'a>(&self, compact: Compact<'a>, header: &'a str) -> Result<Opened<'a>, Error> {
        let signed = Signed::read(compact, header, &self.algorithms)?;
        let typ = self.typ.judge(signed.header.typ.as_deref())?;
        Ok(Opened { signed, typ })
    }

    /// What is left once the signature is proven.
    fn close(
        &self,
        opened: &Opened<'_>,
        lease: Option<Lease>,
        now: UnixTime,
    ) -> Result<Verified, Error> {
        let claims = ClaimSet::parse(opened.signed.payload()?)
            .map_err(|error| Error::new(Reason::MalformedClaims, error.to_string()))?;
        self.rules.judge(&claims, now)?;
        opened.typ.judge(&claims)?;
        let mut verified = Verified::new(claims).with_leeway(self.rules.leeway);
        if let Some(typ) = &opened.signed.header.typ {
            verified = verified.with_typ(typ);
        }
        Ok(match lease {
            Some(lease) => verified.leased(lease),
            None => verified,
        })
    }

    /// Whether an answer is about this very token, as far as it says whose it is.
    fn is_about(&self, answer: &Verified, token: &Verified) -> Result<(), Error> {
        let claims = token.claims();
        if let Some(issuer) = answer.issuer()
            && Some(issuer) != claims.issuer()
            // A former name is one of the same issuer.
            && !self.rules.issuers.iter().any(|name| **name == *issuer)
        {
            let why = about_another("iss", issuer, claims.issuer());
            return Err(Error::new(Reason::Issuer, why));
        }
        match answer.claims().subject() {
            Some(subject) if Some(subject) != claims.subject() => {
                let why = about_another("sub", subject, claims.subject());
                Err(Error::new(Reason::Subject, why))
            }
            _ => Ok(()),
        }
    }
}

fn about_another(claim: &str, found: &str, wanted: Option<&str>) -> String {
    format!(
        "whoever confirms the token says that its {claim} is {}, wanted {} as in the token",
        quote(found),
        wanted.map_or_else(|| "none".to_owned(), quote)
    )
}

/// What was read before a key was needed.
struct Opened<'a> {
    signed: Signed<'a>,
    typ: Typ,
}

impl Verifier for JwtVerifier {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let compact = Compact::split(credential.token())?;
        let header = decode_text("header", compact.header)?;
        let opened = self.open(compact, &header)?;
        let proof = self.keys.prove(&opened.signed, &self.algorithms, moment);
        let lease = proof.await?;
        // The keys may have taken seconds.
        self.close(&opened, lease, moment.clock().now())
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        let read = || -> Result<Verified, Unproven> {
            let compact = Compact::split(credential.token())?;
            let header = decode_text("header", compact.header)?;
            let opened = self.open(compact, &header)?;
            let proof = self
                .keys
                .prove_now(&opened.signed, &self.algorithms, moment);
            Ok(self.close(&opened, proof?, moment.now())?)
        };
        match read() {
            Ok(verified) => Some(Ok(verified)),
            Err(Unproven::Refused(error)) => Some(Err(error)),
            Err(Unproven::Wait) => None,
        }
    }

    fn sees_revocation(&self) -> bool {
        self.confirmed_by.is_some()
    }

    async fn confirm(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        // First the signature: nobody is asked about what is no token of this issuer.
        let verified = Verifier::verify(self, credential, moment).await?;
        let Some(confirmed_by) = &self.confirmed_by else {
            // Our fault, not the token's. `ResourceServer::fresh` sees that it does not come to this.
            let why = "there is nobody to ask whether the token was revoked";
            return Err(Error::unavailable(Duration::from_secs(5), why));
        };
        let answer = confirmed_by.confirm(credential, moment).await?;
        self.is_about(&answer, &verified)?;
        Ok(verified.confirmed_at(moment.now()))
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
        let confirmed_by = self.confirmed_by.as_ref();
        let mut status = confirmed_by.map_or_else(Status::default, |by| by.status(moment));
        self.keys.report(moment, &mut status);
        status
    }

    async fn ready(&self, moment: &Moment<'_>) -> Result<(), Error> {
        self.keys.ready(moment).await?;
        match &self.confirmed_by {
            Some(confirmed_by) => confirmed_by.ready(moment).await,
            None => Ok(()),
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

//! [`Verifier`] behind a pointer, as servers hold it.

use super::{Moment, Provenance, VerdictLifetime, Verifier};
use crate::clock::BoxFuture;
use crate::credential::Credential;
use crate::error::Error;
use crate::status::Status;
use crate::text::{quote, quote_list};
use crate::verified::Verified;

/// [`Verifier`] behind a pointer.
pub(crate) trait ErasedVerifier: Send + Sync {
    fn verify<'a>(
        &'a self,
        credential: &'a Credential<'_>,
        moment: &'a Moment<'_>,
    ) -> BoxFuture<'a, Result<Verified, Error>>;

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>>;

    /// As [`Verifier::confirm`].
    fn confirm<'a>(
        &'a self,
        credential: &'a Credential<'_>,
        moment: &'a Moment<'_>,
    ) -> BoxFuture<'a, Result<Verified, Error>>;

    /// Who of those it asks cannot find out that a token was revoked.
    fn blind(&self) -> Option<Blind>;

    /// Of answers about a credential like this.
    fn lifetime(&self, credential: &Credential<'_>) -> VerdictLifetime;

    fn ready<'a>(&'a self, moment: &'a Moment<'_>) -> BoxFuture<'a, Result<(), Error>>;

    fn status(&self, moment: &Moment<'_>) -> Status;

    fn provenance(&self) -> Option<Provenance>;
}

impl<V: Verifier> ErasedVerifier for V {
    fn verify<'a>(
        &'a self,
        credential: &'a Credential<'_>,
        moment: &'a Moment<'_>,
    ) -> BoxFuture<'a, Result<Verified, Error>> {
        Box::pin(Verifier::verify(self, credential, moment))
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        Verifier::verify_now(self, credential, moment)
    }

    fn confirm<'a>(
        &'a self,
        credential: &'a Credential<'_>,
        moment: &'a Moment<'_>,
    ) -> BoxFuture<'a, Result<Verified, Error>> {
        Box::pin(Verifier::confirm(self, credential, moment))
    }

    fn blind(&self) -> Option<Blind> {
        if self.sees_revocation() {
            return None;
        }
        Some(Blind::of(Verifier::provenance(self)))
    }

    fn lifetime(&self, _: &Credential<'_>) -> VerdictLifetime {
        Verifier::lifetime(self)
    }

    fn ready<'a>(&'a self, moment: &'a Moment<'_>) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(Verifier::ready(self, moment))
    }

    fn status(&self, moment: &Moment<'_>) -> Status {
        Verifier::status(self, moment)
    }

    fn provenance(&self) -> Option<Provenance> {
        Verifier::provenance(self)
    }
}

/// A verifier that cannot find out whether a token was revoked, in words.
pub(crate) struct Blind {
    /// Whose it is, if that is known.
    pub(crate) whose: Option<String>,
    /// What would mend it.
    pub(crate) wanted: &'static str,
}

impl Blind {
    fn of(provenance: Option<Provenance>) -> Blind {
        let issuers = provenance.map_or_else(Vec::new, |known| known.issuers);
        let whose = match &issuers[..] {
            [] => None,
            [issuer] => Some(format!("the issuer {}", quote(issuer))),
            several => {
                let several = several.iter().map(|issuer| &**issuer);
                Some(format!("the issuers {}", quote_list(several)))
            }
        };
        let wanted = match issuers.len() {
            0 => "one whose sees_revocation is true",
            1 => "JwtVerifierBuilder::confirmed_by",
            _ => "JwtVerifierBuilder::confirmed_by for each",
        };
        Blind { whose, wanted }
    }
}

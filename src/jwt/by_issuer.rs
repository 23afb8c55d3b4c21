//! Several issuers in one place: each token goes to the verifier of the issuer it names.

use std::collections::HashMap;
use std::fmt;

use super::verifier::{JwtVerifier, alleged};
use crate::claims::Alleged;
use crate::credential::Credential;
use crate::error::{ConfigError, Error, Reason};
use crate::jws::Compact;
use crate::rules::other_issuer;
use crate::status::Status;
use crate::text::quoted;
use crate::verified::Verified;
use crate::verify::{Moment, Provenance, VerdictLifetime, Verifier};

/// Proves the tokens of several issuers, each with the keys and rules of its own verifier.
///
/// The unproven `iss` of a token only chooses the verifier, which then demands that very `iss`
/// together with its own keys: no issuer's key ever proves a token that names another issuer. Only
/// the issuers given here are ever asked for keys.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "reqwest")] {
/// use portcullis::{ByIssuer, JwtVerifier, ResourceServer};
///
/// let audience = "https://api.example.com/";
/// let verifier = ByIssuer::new([
///     JwtVerifier::builder("https://as.example/", audience).build()?,
///     JwtVerifier::builder("https://login.example.org/", audience).build()?,
/// ])?;
/// let server = ResourceServer::builder().verifier(verifier).build()?;
/// # }
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
pub struct ByIssuer {
    verifiers: Vec<JwtVerifier>,
    issuers: Vec<Box<str>>,
    /// The places of their verifiers.
    by_issuer: HashMap<Box<str>, usize>,
}

impl ByIssuer {
    /// Takes a verifier for each issuer.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if there is none, or two are for the same issuer.
    pub fn new(verifiers: impl IntoIterator<Item = JwtVerifier>) -> Result<ByIssuer, ConfigError> {
        let verifiers: Vec<JwtVerifier> = verifiers.into_iter().collect();
        let (mut issuers, mut by_issuer) = (Vec::new(), HashMap::new());
        for (place, verifier) in verifiers.iter().enumerate() {
            for issuer in verifier.issuers() {
                if by_issuer.insert(issuer.clone(), place).is_some() {
                    return Err(ConfigError::new(format!(
                        "two verifiers are for the issuer {}, wanted one",
                        quoted(issuer)
                    )));
                }
                issuers.push(issuer.clone());
            }
        }
        if verifiers.is_empty() {
            return Err(ConfigError::new(
                "there is no verifier, wanted one for each issuer",
            ));
        }
        Ok(ByIssuer {
            verifiers,
            issuers,
            by_issuer,
        })
    }

    /// The verifier of the issuer that the token names, and the claims that name it: they are read
    /// once, for the choice and for the verifier.
    fn choose<'a>(&self, token: &'a str) -> Result<(&JwtVerifier, Compact<'a>, Alleged), Error> {
        let compact = Compact::split(token)?;
        let alleged = alleged(&compact)?;
        let Some(named) = alleged.issuer() else {
            return Err(Error::new(
                Reason::MissingClaim,
                "iss is absent or no string, wanted it to choose the keys",
            ));
        };
        let place = self.by_issuer.get(named);
        match place.and_then(|place| self.verifiers.get(*place)) {
            Some(verifier) => Ok((verifier, compact, alleged)),
            None => Err(other_issuer(named, &self.issuers)),
        }
    }
}

impl Verifier for ByIssuer {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let (verifier, compact, alleged) = self.choose(credential.token())?;
        verifier.prove(compact, Some(alleged), moment).await
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        match self.choose(credential.token()) {
            Ok((verifier, compact, alleged)) => verifier.prove_now(compact, Some(alleged), moment),
            Err(error) => Some(Err(error)),
        }
    }

    fn sees_revocation(&self) -> bool {
        self.verifiers.iter().all(JwtVerifier::sees_revocation)
    }

    async fn confirm(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        let (verifier, ..) = self.choose(credential.token())?;
        verifier.confirm(credential, moment).await
    }

    /// The shortest of all: which issuer's token an answer is about is not asked.
    fn lifetime(&self) -> VerdictLifetime {
        let lifetimes = self.verifiers.iter().map(JwtVerifier::lifetime);
        lifetimes
            .reduce(VerdictLifetime::shorter)
            .unwrap_or_default()
    }

    async fn ready(&self, moment: &Moment<'_>) -> Result<(), Error> {
        // One issuer that is down keeps nobody from the others' keys.
        let mut outcome = Ok(());
        for verifier in &self.verifiers {
            outcome = outcome.and(verifier.ready(moment).await);
        }
        outcome
    }

    fn status(&self, moment: &Moment<'_>) -> Status {
        let mut status = Status::default();
        for verifier in &self.verifiers {
            status.extend(verifier.status(moment));
        }
        status
    }

    /// If all have public keys. One secret among them would be taken for none.
    fn provenance(&self) -> Option<Provenance> {
        let mut each = self.verifiers.iter().filter_map(JwtVerifier::provenance);
        each.all(|one| one.secret.is_none()).then(|| Provenance {
            issuers: self.issuers.clone(),
            secret: None,
        })
    }
}

impl fmt::Debug for ByIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByIssuer").field(&self.issuers).finish()
    }
}

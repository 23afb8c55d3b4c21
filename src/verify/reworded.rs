//! Claims in other words than the issuer's, by a verifier around another.

use std::fmt;
use std::future::Future;

use super::{Moment, Provenance, VerdictLifetime, Verifier};
use crate::claims::ClaimSet;
use crate::credential::Credential;
use crate::error::Error;
use crate::status::Status;
use crate::verified::Verified;

/// Puts the claims that another verifier has proven into words of your own, before anybody reads a
/// scope, a kind or a resource in them: for issuers that mix other facts into `scope`, or spell
/// one claim in several ways.
///
/// The other verifier judges the claims as they came. The new ones take the place of the old, whole:
/// what they leave out is gone. They cannot make the token last longer.
///
/// # Examples
///
/// ```
/// use portcullis::{ClaimSet, Error, Reworded};
/// use serde_json::json;
///
/// /// `tenant:7` among the scopes is none: it names the tenant.
/// fn reword(claims: &ClaimSet) -> Result<ClaimSet, Error> {
///     let words = claims.scopes();
///     let tenants: Vec<&str> = words.iter().filter_map(|word| word.strip_prefix("tenant:")).collect();
///     let &[tenant] = &tenants[..] else {
///         return Err(Error::invalid_token("token names no tenant or several, wanted one"));
///     };
///     let scopes: Vec<&str> = words.iter().filter(|word| !word.starts_with("tenant:")).collect();
///     let reworded = json!({
///         "sub": claims.subject(),
///         "exp": claims.expires_at().map(|time| time.as_secs()),
///         "tenant": tenant,
///         "scope": scopes,
///     });
///     ClaimSet::from_serialize(&reworded).map_err(|error| Error::invalid_token(error.to_string()))
/// }
///
/// # fn set_up(jwt: portcullis::JwtVerifier) {
/// let verifier = Reworded::new(jwt, reword);
/// # }
/// let claims = reword(&ClaimSet::parse(r#"{"sub":"alice","scope":"read tenant:7"}"#)?)?;
/// assert_eq!(claims.scopes().to_string(), "read");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reworded<V> {
    verifier: V,
    reword: Box<Reword>,
}

type Reword = dyn Fn(&ClaimSet) -> Result<ClaimSet, Error> + Send + Sync;

impl<V: Verifier> Reworded<V> {
    /// Asks `verifier`, and `reword` for the claims to go on with.
    ///
    /// An error of `reword` refuses the token: [`Error::invalid_token`] if it contradicts itself.
    pub fn new(
        verifier: V,
        reword: impl Fn(&ClaimSet) -> Result<ClaimSet, Error> + Send + Sync + 'static,
    ) -> Reworded<V> {
        Reworded {
            verifier,
            reword: Box::new(reword),
        }
    }

    fn reword(&self, verdict: Result<Verified, Error>) -> Result<Verified, Error> {
        let verified = verdict?;
        let claims = (self.reword)(verified.claims())?;
        Ok(verified.reworded(claims))
    }
}

impl<V: Verifier> Verifier for Reworded<V> {
    async fn verify(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        self.reword(self.verifier.verify(credential, moment).await)
    }

    fn verify_now(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Option<Result<Verified, Error>> {
        let verdict = self.verifier.verify_now(credential, moment)?;
        Some(self.reword(verdict))
    }

    fn sees_revocation(&self) -> bool {
        self.verifier.sees_revocation()
    }

    async fn confirm(
        &self,
        credential: &Credential<'_>,
        moment: &Moment<'_>,
    ) -> Result<Verified, Error> {
        self.reword(self.verifier.confirm(credential, moment).await)
    }

    fn lifetime(&self) -> VerdictLifetime {
        self.verifier.lifetime()
    }

    fn ready(&self, moment: &Moment<'_>) -> impl Future<Output = Result<(), Error>> + Send {
        self.verifier.ready(moment)
    }

    fn status(&self, moment: &Moment<'_>) -> Status {
        self.verifier.status(moment)
    }

    fn provenance(&self) -> Option<Provenance> {
        self.verifier.provenance()
    }
}

impl<V: fmt::Debug> fmt::Debug for Reworded<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reworded").field(&self.verifier).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::credential::Carrier;
    use crate::error::Reason;

    /// Answers at once, and lets its answers be remembered for 7 seconds.
    struct Proves(&'static str);

    impl Verifier for Proves {
        async fn verify(&self, _: &Credential<'_>, _: &Moment<'_>) -> Result<Verified, Error> {
            Ok(Verified::new(ClaimSet::parse(self.0).unwrap()))
        }

        fn verify_now(
            &self,
            _: &Credential<'_>,
            _: &Moment<'_>,
        ) -> Option<Result<Verified, Error>> {
            let claims = ClaimSet::parse(self.0).unwrap();
            Some(Ok(Verified::new(claims).with_typ("JWT")))
        }

        fn lifetime(&self) -> VerdictLifetime {
            VerdictLifetime::accepted(Duration::from_secs(7))
        }
    }

    fn without_scopes(claims: &ClaimSet) -> Result<ClaimSet, Error> {
        match claims.subject() {
            Some("mallory") => Err(Error::invalid_token("not you")),
            subject => ClaimSet::from_serialize(&serde_json::json!({"sub": subject}))
                .map_err(|error| Error::invalid_token(error.to_string())),
        }
    }

    #[tokio::test]
    async fn both_ways_to_verify_give_the_new_words() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (moment, bearer) = (Moment::of(&clock), Carrier::bearer());
        let credential = Credential::new("t", &bearer);
        let alice = Reworded::new(Proves(r#"{"sub":"alice","scope":"a"}"#), without_scopes);
        let now = alice.verify_now(&credential, &moment).unwrap().unwrap();
        assert_eq!(now.typ(), Some("JWT"));
        for verified in [now, alice.verify(&credential, &moment).await.unwrap()] {
            assert_eq!(verified.claims().as_json(), r#"{"sub":"alice"}"#);
            assert!(verified.scopes().is_empty());
        }
        assert_eq!(alice.lifetime().of_accepted(), Duration::from_secs(7));

        let mallory = Reworded::new(Proves(r#"{"sub":"mallory"}"#), without_scopes);
        let error = mallory.verify(&credential, &moment).await.unwrap_err();
        assert_eq!(error.reason(), Reason::Refused);
        assert!(mallory.verify_now(&credential, &moment).unwrap().is_err());
    }
}

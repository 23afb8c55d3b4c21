//! Asks a verifier: once for all who ask the same at the same time, for a bounded time; and says what
//! serves while it cannot be asked.

use std::future::Future;
use std::sync::Arc;
#[cfg(feature = "cache")]
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::proving::{Inner, Side};
use super::slot::Slot;
use crate::credential::Credential;
use crate::error::Error;
use crate::fetch::either;
use crate::freshness::Need;
#[cfg(feature = "cache")]
use crate::secret::Secret;
use crate::token::AccessToken;
#[cfg(feature = "cache")]
use crate::verdict::Finding;
use crate::verify::{Moment, VerdictLifetime};

/// How long a verifier may take.
const LONGEST_VERIFICATION: Duration = Duration::from_secs(30);

impl Inner {
    /// Asks the verifier of a credential, once for all who ask the same at the same time.
    #[cfg(feature = "cache")]
    pub(super) async fn ask_verifier(
        self: &Arc<Self>,
        side: Side,
        credential: &Credential<'_>,
        need: Need,
    ) -> Result<AccessToken, Error> {
        let name = self.verdicts.name_of(credential);
        let now = self.clock.now();
        let flight = self.verdicts.one_flight(name, need, now, || {
            let server = self.clone();
            let token: Secret<Box<str>> = Secret::new(credential.token().into());
            let carrier = credential.carrier().clone();
            async move {
                let credential = Credential::new(&token, &carrier);
                let slot = server.slot(side);
                let (outcome, lifetime) = server.prove(slot, &credential, need).await;
                Finding {
                    outcome,
                    lifetime,
                    at: server.clock.now(),
                }
            }
        });
        flight.await
    }

    /// Asks the verifier of a credential.
    #[cfg(not(feature = "cache"))]
    pub(super) async fn ask_verifier(
        self: &Arc<Self>,
        side: Side,
        credential: &Credential<'_>,
        need: Need,
    ) -> Result<AccessToken, Error> {
        self.prove(self.slot(side), credential, need).await.0
    }

    /// While the verifier cannot be asked: what it has accepted before, if it let that serve.
    #[cfg(feature = "cache")]
    pub(super) fn in_need(
        &self,
        credential: &Credential<'_>,
        error: Error,
    ) -> Result<AccessToken, Error> {
        // A crowd is none: whoever holds a token that was revoked could gather one.
        if !error.is_outage() {
            return Err(error);
        }
        let name = self.verdicts.name_of(credential);
        let known = self.verdicts.recall_in_need(&name, self.clock.now());
        let token = known.ok_or(error)?;
        if !self.in_need.swap(true, Ordering::Relaxed) {
            tracing::warn!("tokens that were accepted before pass while nobody can be asked");
        }
        Ok(token)
    }

    /// Asks the verifier, and says how long its answer may be remembered.
    async fn prove(
        &self,
        slot: &Slot,
        credential: &Credential<'_>,
        need: Need,
    ) -> (Result<AccessToken, Error>, VerdictLifetime) {
        let verifier = match slot.verifier_for(credential) {
            Ok(verifier) => verifier,
            Err(error) => return (Err(error), VerdictLifetime::default()),
        };
        let moment = Moment::of(&self.clock);
        let verdict = match need {
            Need::Proof => self.in_time(verifier.verify(credential, &moment)).await,
            Need::Standing(_) => {
                let confirmed = self.in_time(verifier.confirm(credential, &moment)).await;
                // Whoever was asked was asked now.
                confirmed.map(|verified| verified.confirmed_at(moment.now()))
            }
        };
        let outcome = self.conclude(verdict, slot, credential, verifier, moment.now());
        let lifetime = verifier.lifetime(credential);
        #[cfg(feature = "cache")]
        if !lifetime.of_while_down().is_zero() && !is_outage(&outcome) {
            self.in_need.store(false, Ordering::Relaxed);
        }
        (outcome, lifetime)
    }

    /// The verifiers of this crate end sooner. What never ends would hold its credential, and whoever
    /// shows it, for good.
    pub(super) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let done = either(work, self.clock.sleep(LONGEST_VERIFICATION)).await;
        done.unwrap_or_else(|| {
            Err(Error::unavailable(
                Duration::from_secs(5),
                format!("no verdict within {} s", LONGEST_VERIFICATION.as_secs()),
            ))
        })
    }
}

/// Whether it could not be found out.
#[cfg(feature = "cache")]
fn is_outage(outcome: &Result<AccessToken, Error>) -> bool {
    let error = outcome.as_ref().err();
    error.is_some_and(Error::is_outage)
}

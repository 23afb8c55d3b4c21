//! What was proven before: verdicts by the digest of the credential.
//!
//! The key is SHA-256 over the carrier's name, a zero byte and the token. Header names hold no
//! zero byte, so a pair has one spelling, and two credentials meet only if SHA-256 collides. No
//! token stands in memory in clear text for longer than its request.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use moka::sync::Cache;
use tokio::sync::watch;

use crate::clock::UnixTime;
use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::token::AccessToken;
use crate::verify::VerdictLifetime;

pub(crate) type Digest = [u8; 32];

type Outcome = Result<AccessToken, Error>;

/// The verdicts of one server. It belongs to that server alone, so no verdict crosses policies.
pub(crate) struct Verdicts {
    accepted: Cache<Digest, AccessToken>,
    /// Apart, so that a flood of bad tokens evicts no good one.
    refused: Cache<Digest, Refusal>,
    flights: Mutex<HashMap<Digest, Flight>>,
}

/// A verification under way: whoever waits for it holds a clone.
type Flight = watch::Receiver<Option<Outcome>>;

#[derive(Clone)]
struct Refusal {
    error: Error,
    until: UnixTime,
}

/// Refusals are worth less than verdicts: a tenth of the room.
const REFUSED_SHARE: u64 = 10;

impl Verdicts {
    pub(crate) fn new(capacity: u64) -> Verdicts {
        Verdicts {
            accepted: Cache::new(capacity),
            refused: Cache::new((capacity / REFUSED_SHARE).max(1)),
            flights: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) fn digest(credential: &Credential<'_>) -> Digest {
        let mut context = Context::new(&SHA256);
        context.update(credential.carrier().name().as_bytes());
        context.update(&[0]);
        context.update(credential.token().as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }

    /// What is known, if it still stands.
    pub(crate) fn recall(&self, digest: &Digest, now: UnixTime) -> Option<Outcome> {
        if let Some(token) = self.accepted.get(digest) {
            if token.stands(now) {
                return Some(Ok(token));
            }
            self.accepted.invalidate(digest);
        }
        let refusal = self.refused.get(digest)?;
        if now < refusal.until {
            return Some(Err(refusal.error));
        }
        self.refused.invalidate(digest);
        None
    }

    /// Remembers what a verifier with `lifetime` said at `now`.
    pub(crate) fn keep(
        &self,
        digest: Digest,
        outcome: &Outcome,
        lifetime: VerdictLifetime,
        now: UnixTime,
    ) {
        match outcome {
            Ok(token) => {
                if lifetime.of_accepted() > Duration::ZERO {
                    self.accepted.insert(digest, token.clone());
                }
            }
            // Only what the credential itself is to blame for. An outage is never remembered.
            Err(error) if error.kind() == ErrorKind::InvalidToken => {
                if lifetime.of_refused() > Duration::ZERO {
                    let refusal = Refusal {
                        error: error.clone(),
                        until: now + lifetime.of_refused(),
                    };
                    self.refused.insert(digest, refusal);
                }
            }
            Err(_) => {}
        }
    }

    /// Forgets what is known, and what a verification under way is about to find out.
    pub(crate) fn forget(&self, digest: &Digest) {
        let mut flights = self.flights();
        flights.remove(digest);
        self.accepted.invalidate(digest);
        self.refused.invalidate(digest);
    }

    /// Joins the verification of this credential that is under way, or starts it. The flight goes
    /// on if its passengers leave: what it finds out is remembered all the same.
    pub(crate) async fn one_flight<F>(
        self: &Arc<Self>,
        digest: Digest,
        start: impl FnOnce() -> F,
    ) -> Outcome
    where
        F: Future<Output = (Outcome, VerdictLifetime, UnixTime)> + Send + 'static,
    {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            let (outcome, lifetime, now) = start().await;
            self.keep(digest, &outcome, lifetime, now);
            return outcome;
        };
        let mut landing = self
            .flights()
            .entry(digest)
            .or_insert_with(|| {
                let (land, landing) = watch::channel(None);
                let flight = start();
                let place = Place {
                    verdicts: self.clone(),
                    digest,
                    flight: landing.clone(),
                };
                drop(runtime.spawn(async move {
                    let (outcome, lifetime, now) = flight.await;
                    // First into the cache and off the list, then land: who comes now finds the
                    // verdict, or starts anew.
                    place.leave(|verdicts| verdicts.keep(digest, &outcome, lifetime, now));
                    land.send_replace(Some(outcome));
                }));
                landing
            })
            .clone();
        match landing.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            // The flight was dropped: a verifier panicked, or the runtime shuts down.
            _ => Err(Error::unavailable(
                Duration::from_secs(1),
                "the verification of this credential was cut short",
            )),
        }
    }

    /// Held for a few instructions, and never on the way of a verdict that is known.
    fn flights(&self) -> MutexGuard<'_, HashMap<Digest, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flight's place in the list, given up however the flight ends.
struct Place {
    verdicts: Arc<Verdicts>,
    digest: Digest,
    flight: Flight,
}

impl Place {
    /// Leaves the list, and does `last` before anybody can see that; unless the credential was
    /// forgotten meanwhile, for then what was found out is no longer wanted.
    fn leave(&self, last: impl FnOnce(&Verdicts)) {
        let mut flights = self.verdicts.flights();
        let listed = flights.get(&self.digest);
        if listed.is_some_and(|flight| flight.same_channel(&self.flight)) {
            last(&self.verdicts);
            flights.remove(&self.digest);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave(|_| {});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::ClaimSet;
    use crate::credential::Carrier;
    use crate::token::Verified;

    const NOW: UnixTime = UnixTime::from_secs(1_000);
    const LIFETIME: VerdictLifetime =
        VerdictLifetime::accepted(Duration::from_secs(30)).refused(Duration::from_secs(10));

    fn digest(token: &str, carrier: &Carrier) -> Digest {
        Verdicts::digest(&Credential::new(token, carrier))
    }

    fn accepted(until: UnixTime) -> Outcome {
        let verified = Verified::new(ClaimSet::parse("{}").unwrap());
        Ok(AccessToken::new(verified, "access_token".into(), until))
    }

    #[test]
    fn the_same_token_elsewhere_is_another_credential() {
        let bearer = Carrier::bearer();
        let app = Carrier::header("App-Token").unwrap();
        assert_eq!(digest("a", &bearer), digest("a", &bearer));
        assert_ne!(digest("a", &bearer), digest("b", &bearer));
        assert_ne!(digest("a", &bearer), digest("a", &app));
    }

    #[test]
    fn a_verdict_ends_and_is_forgotten() {
        let verdicts = Verdicts::new(100);
        let key = digest("a", &Carrier::bearer());
        let end = NOW + Duration::from_secs(5);
        verdicts.keep(key, &accepted(end), LIFETIME, NOW);
        assert!(matches!(verdicts.recall(&key, NOW), Some(Ok(_))));
        assert!(verdicts.recall(&key, end).is_none());
        verdicts.keep(key, &accepted(end), LIFETIME, NOW);
        verdicts.forget(&key);
        assert!(verdicts.recall(&key, NOW).is_none());
    }

    #[test]
    fn refusals_are_kept_apart_and_outages_never() {
        let verdicts = Verdicts::new(100);
        let key = digest("a", &Carrier::bearer());
        verdicts.keep(key, &Err(Error::invalid_token("no")), LIFETIME, NOW);
        assert!(matches!(verdicts.recall(&key, NOW), Some(Err(_))));
        assert!(
            verdicts
                .recall(&key, NOW + Duration::from_secs(10))
                .is_none()
        );
        let outage = Err(Error::unavailable(Duration::ZERO, "down"));
        verdicts.keep(key, &outage, LIFETIME, NOW);
        assert!(verdicts.recall(&key, NOW).is_none());
    }

    #[tokio::test]
    async fn a_flight_that_is_dropped_says_so_and_leaves_no_trace() {
        let verdicts = Arc::new(Verdicts::new(100));
        let key = digest("a", &Carrier::bearer());
        let outcome = verdicts
            .one_flight(key, || async { panic!("a verifier's bug") })
            .await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(verdicts.flights.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_forgotten_during_its_flight_stays_forgotten() {
        let verdicts = Arc::new(Verdicts::new(100));
        let key = digest("a", &Carrier::bearer());
        let (let_land, may_land) = tokio::sync::oneshot::channel::<()>();
        let flight = verdicts.one_flight(key, || async move {
            may_land.await.unwrap();
            (accepted(UnixTime::MAX), LIFETIME, NOW)
        });
        let logout = async {
            verdicts.forget(&key);
            let_land.send(()).unwrap();
        };
        let (outcome, ()) = tokio::join!(flight, logout);
        outcome.expect("who asked before the logout gets what was true then");
        assert!(verdicts.recall(&key, NOW).is_none());
    }
}

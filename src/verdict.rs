//! What was proven before: verdicts by the digest of the credential.
//!
//! The key is SHA-256 over the place of the carrier, its name, a zero byte and the token. A place
//! is one byte, names hold no zero byte, so a credential has one spelling, and two of them meet
//! only if SHA-256 collides. No token stands in memory in clear text for longer than its request.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use moka::Expiry;
use moka::sync::Cache;
use tokio::sync::watch;

use crate::clock::UnixTime;
use crate::credential::Credential;
use crate::error::{Error, ErrorKind};
use crate::token::AccessToken;
use crate::verify::VerdictLifetime;

pub(crate) type Digest = [u8; 32];

type Outcome = Result<AccessToken, Error>;

/// A verification under way: whoever waits for it holds a clone.
type Flight = watch::Receiver<Option<Outcome>>;

/// The verdicts of one server. It belongs to that server alone, so no verdict crosses policies.
pub(crate) struct Verdicts {
    accepted: Cache<Digest, Kept<AccessToken>>,
    /// Apart, so that a flood of bad tokens evicts no good one.
    refused: Cache<Digest, Kept<Error>>,
    flights: Mutex<HashMap<Digest, Flight>>,
    /// How often something was forgotten, by the first byte of its digest. What was found out about
    /// one of these meanwhile is not remembered.
    forgotten: Box<[AtomicU64; 256]>,
}

/// What is remembered, and until when.
#[derive(Clone)]
struct Kept<T> {
    what: T,
    until: UnixTime,
    /// The time that was left when it came; on the machine's clock, to clear it away.
    left: Duration,
}

/// Clears away what is over. Whether it is over is judged on each use, by the server's clock.
struct ClearAway;

impl<T> Expiry<Digest, Kept<T>> for ClearAway {
    fn expire_after_create(&self, _: &Digest, kept: &Kept<T>, _: Instant) -> Option<Duration> {
        Some(kept.left)
    }

    fn expire_after_update(
        &self,
        _: &Digest,
        kept: &Kept<T>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.left)
    }
}

/// A moment of the server's life, as far as forgetting goes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Memory(u64);

/// Refusals are worth less than verdicts: a tenth of the room.
const REFUSED_SHARE: u64 = 10;

/// How many verifications may be shared at a time. Beyond that each request waits for its own, and
/// ends it by going away.
const MOST_FLIGHTS: usize = 1024;

impl Verdicts {
    pub(crate) fn new(capacity: u64) -> Verdicts {
        let refusals = (capacity / REFUSED_SHARE).max(1);
        Verdicts {
            accepted: Cache::builder()
                .max_capacity(capacity)
                .expire_after(ClearAway)
                .build(),
            refused: Cache::builder()
                .max_capacity(refusals)
                .expire_after(ClearAway)
                .build(),
            flights: Mutex::new(HashMap::new()),
            forgotten: Box::new([const { AtomicU64::new(0) }; 256]),
        }
    }

    pub(crate) fn digest(credential: &Credential<'_>) -> Digest {
        let carrier = credential.carrier();
        let mut context = Context::new(&SHA256);
        context.update(&[carrier.place()]);
        context.update(carrier.name().as_bytes());
        context.update(&[0]);
        context.update(credential.token().as_bytes());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }

    /// To be taken before a verification begins, and given to [`keep`](Self::keep) after it.
    pub(crate) fn memory(&self, digest: &Digest) -> Memory {
        Memory(self.times_forgotten(digest).load(Ordering::SeqCst))
    }

    fn times_forgotten(&self, digest: &Digest) -> &AtomicU64 {
        &self.forgotten[usize::from(digest[0])]
    }

    /// What is known, if it still stands.
    pub(crate) fn recall(&self, digest: &Digest, now: UnixTime) -> Option<Outcome> {
        if let Some(kept) = self.accepted.get(digest) {
            if kept.what.stands(now) {
                return Some(Ok(kept.what));
            }
            self.accepted.invalidate(digest);
        }
        let kept = self.refused.get(digest)?;
        if now < kept.until {
            return Some(Err(kept.what));
        }
        self.refused.invalidate(digest);
        None
    }

    /// Remembers what a verifier with `lifetime` said at `now`, unless something was forgotten
    /// since `memory`.
    pub(crate) fn keep(
        &self,
        digest: Digest,
        outcome: &Outcome,
        lifetime: VerdictLifetime,
        now: UnixTime,
        memory: Memory,
    ) {
        match outcome {
            Ok(token) if token.stands(now) => {
                let until = token.good_until();
                let left = until.since(now);
                let what = token.clone();
                self.accepted.insert(digest, Kept { what, until, left });
            }
            // Only what the credential itself is to blame for. An outage is never remembered.
            Err(error) if error.kind() == ErrorKind::InvalidToken => {
                let left = lifetime.of_refused();
                let (what, until) = (error.clone(), now + left);
                if left > Duration::ZERO {
                    self.refused.insert(digest, Kept { what, until, left });
                }
            }
            _ => return,
        }
        // `forget` counts first and clears then. So either it clears what was just put in, or its
        // count is seen here.
        fence(Ordering::SeqCst);
        if self.memory(&digest) != memory {
            self.accepted.invalidate(&digest);
            self.refused.invalidate(&digest);
        }
    }

    /// Forgets what is known, and what a verification under way is about to find out.
    pub(crate) fn forget(&self, digest: &Digest) {
        self.times_forgotten(digest).fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.flights().remove(digest);
        self.accepted.invalidate(digest);
        self.refused.invalidate(digest);
    }

    /// Joins the verification of this credential that is under way, or starts it. The flight goes
    /// on if its passengers leave: what it finds out is remembered all the same.
    pub(crate) async fn one_flight<F>(
        self: &Arc<Self>,
        digest: Digest,
        now: UnixTime,
        start: impl FnOnce() -> F,
    ) -> Outcome
    where
        F: Future<Output = (Outcome, VerdictLifetime, UnixTime)> + Send + 'static,
    {
        let memory = self.memory(&digest);
        let alone = async |flight: F| {
            let (outcome, lifetime, now) = flight.await;
            self.keep(digest, &outcome, lifetime, now, memory);
            outcome
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return alone(start()).await;
        };
        let (mut landing, takeoff) = match self.board(digest, now) {
            Boarding::Known(outcome) => return outcome,
            Boarding::Full => return alone(start()).await,
            Boarding::Join(landing) => (landing, None),
            Boarding::Fly(landing, land) => (landing, Some(land)),
        };
        if let Some(land) = takeoff {
            let place = Place {
                verdicts: self.clone(),
                digest,
                flight: landing.clone(),
            };
            let flight = start();
            // Without the lock: a runtime that shuts down drops the task, and with it the place,
            // at once.
            drop(runtime.spawn(async move {
                let (outcome, lifetime, now) = flight.await;
                // First into the cache and off the list, then land: who comes now finds the
                // verdict, or starts anew.
                let verdicts = place.verdicts.clone();
                verdicts.keep(digest, &outcome, lifetime, now, memory);
                drop(place);
                land.send_replace(Some(outcome));
            }));
        }
        match landing.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            // The flight was dropped: a verifier panicked, or the runtime shuts down.
            _ => {
                let why = "the verification of this credential was cut short";
                tracing::warn!("{why}");
                Err(Error::unavailable(Duration::from_secs(1), why))
            }
        }
    }

    /// Finds a place in a flight, or the verdict of one that has landed since this request looked.
    fn board(&self, digest: Digest, now: UnixTime) -> Boarding {
        let mut flights = self.flights();
        if let Some(known) = self.recall(&digest, now) {
            return Boarding::Known(known);
        }
        let full = flights.len() >= MOST_FLIGHTS;
        match flights.entry(digest) {
            Entry::Occupied(flight) => Boarding::Join(flight.get().clone()),
            Entry::Vacant(_) if full => Boarding::Full,
            Entry::Vacant(place) => {
                let (land, landing) = watch::channel(None);
                Boarding::Fly(place.insert(landing).clone(), land)
            }
        }
    }

    /// Held for a few instructions, and never on the way of a verdict that is known.
    fn flights(&self) -> MutexGuard<'_, HashMap<Digest, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Boarding {
    Known(Outcome),
    Join(Flight),
    Fly(Flight, watch::Sender<Option<Outcome>>),
    Full,
}

/// A flight's place in the list, given up however the flight ends.
struct Place {
    verdicts: Arc<Verdicts>,
    digest: Digest,
    flight: Flight,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut flights = self.verdicts.flights();
        // After a `forget` the place may belong to a later flight.
        let listed = flights.get(&self.digest);
        if listed.is_some_and(|flight| flight.same_channel(&self.flight)) {
            flights.remove(&self.digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::ClaimSet;
    use crate::credential::Carrier;
    use crate::verified::Verified;

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
        let query = Carrier::websocket_query("app-token");
        assert_ne!(digest("a", &app), digest("a", &query));
        assert_eq!(digest("a", &bearer), digest("a", &bearer));
        assert_ne!(digest("a", &bearer), digest("b", &bearer));
        assert_ne!(digest("a", &bearer), digest("a", &app));
    }

    #[test]
    fn a_verdict_ends_and_is_forgotten() {
        let verdicts = Verdicts::new(100);
        let key = digest("a", &Carrier::bearer());
        let end = NOW + Duration::from_secs(5);
        verdicts.keep(key, &accepted(end), LIFETIME, NOW, verdicts.memory(&key));
        assert!(matches!(verdicts.recall(&key, NOW), Some(Ok(_))));
        assert!(verdicts.recall(&key, end).is_none());
        verdicts.keep(key, &accepted(end), LIFETIME, NOW, verdicts.memory(&key));
        verdicts.forget(&key);
        assert!(verdicts.recall(&key, NOW).is_none());
    }

    #[test]
    fn refusals_are_kept_apart_and_outages_never() {
        let verdicts = Verdicts::new(100);
        let key = digest("a", &Carrier::bearer());
        let no = Err(Error::invalid_token("no"));
        verdicts.keep(key, &no, LIFETIME, NOW, verdicts.memory(&key));
        assert!(matches!(verdicts.recall(&key, NOW), Some(Err(_))));
        assert!(
            verdicts
                .recall(&key, NOW + Duration::from_secs(10))
                .is_none()
        );
        let outage = Err(Error::unavailable(Duration::ZERO, "down"));
        verdicts.keep(key, &outage, LIFETIME, NOW, verdicts.memory(&key));
        assert!(verdicts.recall(&key, NOW).is_none());
    }

    #[tokio::test]
    async fn a_flight_that_is_dropped_says_so_and_leaves_no_trace() {
        let verdicts = Arc::new(Verdicts::new(100));
        let key = digest("a", &Carrier::bearer());
        let outcome = verdicts
            .one_flight(key, NOW, || async { panic!("a verifier's bug") })
            .await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(verdicts.flights.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_forgotten_during_its_flight_stays_forgotten() {
        let verdicts = Arc::new(Verdicts::new(100));
        let key = digest("a", &Carrier::bearer());
        let (let_land, may_land) = tokio::sync::oneshot::channel::<()>();
        let flight = verdicts.one_flight(key, NOW, || async move {
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

    #[test]
    fn what_is_forgotten_during_a_verification_at_once_stays_forgotten() {
        let verdicts = Verdicts::new(100);
        let key = digest("a", &Carrier::bearer());
        let before = verdicts.memory(&key);
        verdicts.forget(&key);
        verdicts.keep(key, &accepted(UnixTime::MAX), LIFETIME, NOW, before);
        assert!(verdicts.recall(&key, NOW).is_none());
    }

    #[tokio::test]
    async fn who_comes_after_the_landing_starts_no_flight() {
        let verdicts = Arc::new(Verdicts::new(100));
        let key = digest("a", &Carrier::bearer());
        verdicts.keep(
            key,
            &accepted(UnixTime::MAX),
            LIFETIME,
            NOW,
            verdicts.memory(&key),
        );
        let outcome = verdicts
            .one_flight(key, NOW, || async { panic!("nobody is asked") })
            .await;
        outcome.unwrap();
    }

    #[test]
    fn a_runtime_that_shuts_down_leaves_nobody_waiting() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let gone = runtime.handle().clone();
        drop(runtime);
        let verdicts = Arc::new(Verdicts::new(100));
        let key = digest("a", &Carrier::bearer());
        let entered = gone.enter();
        let flight = verdicts.one_flight(key, NOW, std::future::pending);
        let mut flight = std::pin::pin!(flight);
        let waker = std::task::Waker::noop();
        let polled = flight
            .as_mut()
            .poll(&mut std::task::Context::from_waker(waker));
        assert!(
            matches!(polled, std::task::Poll::Ready(Err(_))),
            "it ends, without a deadlock"
        );
        drop(entered);
        assert!(verdicts.flights().is_empty());
    }
}

//! The engine: one background task per key source, which does all the fetching.
//!
//! Requests read the newest snapshot; who misses a key rings the engine's bell and waits, for a
//! bounded time, until the engine has finished a round. So there is one flight by construction, a
//! client that hangs up cancels nothing, and the pace between rounds is kept in one place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::Uri;
use tokio::sync::watch;

use super::absent::Absent;
use super::discovery::{self, Source};
use super::set::KeySet;
use crate::clock::{Clock, UnixTime};
use crate::error::{Error, Reason};
use crate::fetch::{Fetcher, either};
use crate::jitter::Jitter;
use crate::verify::Moment;

/// All durations of one engine.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) lifetime: Duration,
    pub(super) interval: Duration,
    pub(super) wait: Duration,
    pub(super) stale: Duration,
}

impl Pace {
    /// The longest pause before a round that somebody waits for.
    fn longest(&self) -> Duration {
        self.interval.max(LAST_RETRY)
    }
}

/// What handles and engine share.
pub(super) struct Shared {
    pub(super) source: Source,
    fetcher: Fetcher,
    pace: Pace,
    jitter: Jitter,
    /// Rung by requests that miss a key. The engine ends when this is dropped.
    bell: watch::Sender<u64>,
    state: Arc<State>,
}

/// What the engine writes and requests read.
struct State {
    snapshot: ArcSwapOption<Snapshot>,
    round: watch::Sender<Round>,
    /// Names the newest set is known to lack.
    absent: Mutex<Absent>,
    /// Whether an engine runs. A runtime that shuts down takes its engine along; the next request
    /// starts another.
    engine: AtomicBool,
}

/// A key set and how long it may be used.
pub(crate) struct Snapshot {
    pub(crate) set: KeySet,
    trusted_until: UnixTime,
    /// The number of the round that brought it.
    round: u64,
}

/// The engine's log of its last round.
#[derive(Clone)]
struct Round {
    running: bool,
    finished: u64,
    began: UnixTime,
    /// Why the last round brought nothing; `None` after a good one.
    fault: Option<Arc<str>>,
    /// When the next round may begin.
    next: UnixTime,
}

impl Default for Round {
    fn default() -> Round {
        Round {
            running: false,
            finished: 0,
            began: UnixTime::EPOCH,
            fault: Some("no keys were fetched yet".into()),
            next: UnixTime::EPOCH,
        }
    }
}

impl Round {
    /// That no newer set is to be had now, and when it is worth asking again.
    fn unavailable(&self, now: UnixTime) -> Error {
        let sentence = match &self.fault {
            Some(why) => format!("the issuer's keys cannot be had: {why}"),
            None => "the issuer was asked for its keys a moment ago".to_owned(),
        };
        Error::new(Reason::KeysUnavailable, sentence).with_retry_after(self.next.since(now))
    }
}

impl State {
    /// Held for a few instructions, and only by requests whose key is unknown.
    fn absent(&self) -> MutexGuard<'_, Absent> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    pub(super) fn new(source: Source, fetcher: Fetcher, pace: Pace, jitter: Jitter) -> Shared {
        Shared {
            source,
            fetcher,
            pace,
            jitter,
            bell: watch::Sender::new(0),
            state: Arc::new(State {
                snapshot: ArcSwapOption::empty(),
                round: watch::Sender::new(Round::default()),
                absent: Mutex::default(),
                engine: AtomicBool::new(false),
            }),
        }
    }

    /// How many keys there are; `None` before the first set came.
    pub(super) fn keys(&self) -> Option<usize> {
        let snapshot = self.state.snapshot.load();
        snapshot.as_ref().map(|snapshot| snapshot.set.len())
    }

    /// The newest keys, if they may still be trusted. Never waits.
    pub(super) fn snapshot(&self, moment: &Moment<'_>) -> Option<Arc<Snapshot>> {
        self.start_engine(moment);
        let snapshot = self.state.snapshot.load_full()?;
        (moment.now() < snapshot.trusted_until).then_some(snapshot)
    }

    /// Waits for a newer set than the one that lacks `kid`: until a round of the engine is over
    /// that was running or began after this call, but no longer than a caller may wait.
    ///
    /// # Errors
    ///
    /// [`Reason::KeysUnavailable`] if no newer set could be had; [`Reason::UnknownKey`] if the
    /// newest set is known to lack the key.
    pub(super) async fn renewed(
        &self,
        kid: Option<&str>,
        moment: &Moment<'_>,
    ) -> Result<(), Error> {
        if !self.start_engine(moment) {
            return Err(Error::new(
                Reason::KeysUnavailable,
                "keys cannot be fetched outside of a tokio runtime",
            ));
        }
        let mut rounds = self.state.round.subscribe();
        let mut before = rounds.borrow_and_update().clone();
        // A clock that was set back must not put the next round off for longer than any pause is.
        before.next = before.next.min(moment.now() + self.pace.longest());
        let too_soon = !before.running && moment.now() < before.next;
        let is_newest = before.fault.is_none();
        if too_soon && is_newest && self.state.absent().is_known(before.finished, kid) {
            return Err(Error::new(
                Reason::UnknownKey,
                "the newest key set has no such key",
            ));
        }
        // A round that began no earlier than this request has brought what there is. (One that
        // began later than now was before the clock was set back.)
        let meanwhile = moment.now()..=moment.clock().now();
        if !before.running && before.fault.is_none() && meanwhile.contains(&before.began) {
            return Ok(());
        }
        // Rung before anything is answered: whoever comes next profits.
        self.bell.send_modify(|rung| *rung = rung.wrapping_add(1));
        let wait = self.pace.wait;
        if !before.running && before.next > moment.now() + wait {
            // Nothing will come in time, so whether the issuer has this key is not known: say so
            // at once. A 401 would make a client throw away a token whose key is brand-new.
            return Err(before.unavailable(moment.now()));
        }
        let done = async {
            // An error means that the engine is gone; the timeout speaks for it.
            if rounds
                .wait_for(|round| round.finished > before.finished)
                .await
                .is_err()
            {
                std::future::pending::<()>().await;
            }
        };
        let timely = either(done, moment.clock().sleep(wait)).await.is_some();
        let after = self.state.round.borrow().clone();
        let now = moment.clock().now();
        match (timely, &after.fault) {
            (true, None) => Ok(()),
            (true, Some(_)) => Err(after.unavailable(now)),
            (false, _) => Err(Error::new(
                Reason::KeysUnavailable,
                format!(
                    "the issuer's keys did not come within {} ms",
                    wait.as_millis()
                ),
            )
            .with_retry_after(self.pace.interval)),
        }
    }

    /// Notes that `set` lacks `kid`, so that it is refused at once until the issuer may be
    /// asked again.
    pub(super) fn note_absent(&self, set: &Snapshot, kid: Option<&str>) {
        self.state.absent().note(set.round, kid);
    }

    /// Starts the engine unless one runs. `false` if there is no runtime to run it on.
    fn start_engine(&self, moment: &Moment<'_>) -> bool {
        if self.state.engine.load(Ordering::Acquire) {
            return true;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return false;
        };
        if self.state.engine.swap(true, Ordering::AcqRel) {
            return true;
        }
        let engine = Engine {
            source: self.source.clone(),
            fetcher: self.fetcher.clone(),
            pace: self.pace,
            jitter: self.jitter.clone(),
            bell: self.bell.subscribe(),
            clock: moment.clock().clone(),
            jwks_uri: None,
            running: Running(self.state.clone()),
        };
        drop(runtime.spawn(engine.run()));
        true
    }
}

/// Says that an engine runs, until it is dropped.
struct Running(Arc<State>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.round.send_modify(|round| round.running = false);
        self.0.engine.store(false, Ordering::Release);
    }
}

/// The task that brings the keys.
struct Engine {
    source: Source,
    fetcher: Fetcher,
    pace: Pace,
    jitter: Jitter,
    bell: watch::Receiver<u64>,
    clock: Arc<dyn Clock>,
    /// What discovery found, until a fetch from there fails.
    jwks_uri: Option<Uri>,
    running: Running,
}

/// The first retry after a failure, doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

impl Engine {
    async fn run(mut self) {
        let state = self.running.0.clone();
        let mut failures: u32 = 0;
        // Where another engine left off: whatever ended it, the pace is kept.
        let next = state.round.borrow().next;
        self.clock
            .sleep(next.since(self.clock.now()).min(self.pace.longest()))
            .await;
        loop {
            state.round.send_modify(|round| round.running = true);
            let started = self.clock.now();
            let result = self.fetch_set(&state).await;
            let now = self.clock.now();
            let fault: Option<Arc<str>> = match result {
                Ok(set) => {
                    if failures > 0 {
                        tracing::info!(issuer = %self.source, "the issuer's keys are back");
                    }
                    failures = 0;
                    self.adopt(&state, set, started);
                    None
                }
                Err(why) => {
                    failures = failures.saturating_add(1);
                    self.jwks_uri = None;
                    tracing::warn!(issuer = %self.source, "the issuer's keys cannot be had: {why}");
                    Some(why.into())
                }
            };
            // A bell that rang during the round is answered by it.
            self.bell.borrow_and_update();
            let failed = fault.is_some();
            let (next_asked, next_due) = if failed {
                let retry = now + self.back_off(failures);
                (retry, retry)
            } else {
                let due = self.pace.lifetime.mul_f64(0.8 - 0.1 * self.jitter.next());
                (started + self.pace.interval, started + due)
            };
            state.round.send_modify(|round| {
                round.running = false;
                round.finished += 1;
                round.began = started;
                round.fault = fault;
                round.next = next_asked;
            });
            if self.wait(next_asked, next_due).await.is_err() {
                return;
            }
        }
    }

    fn back_off(&mut self, failures: u32) -> Duration {
        let doubled = FIRST_RETRY * 2u32.saturating_pow(failures.saturating_sub(1)).min(64);
        doubled
            .min(LAST_RETRY)
            .mul_f64(1.0 - 0.2 * self.jitter.next())
    }

    /// Waits until `due`, or, when the bell rings, until `asked`.
    ///
    /// # Errors
    ///
    /// If nobody holds the key source any more.
    async fn wait(
        &mut self,
        asked: UnixTime,
        due: UnixTime,
    ) -> Result<(), watch::error::RecvError> {
        let pause = |until: UnixTime, longest: Duration| {
            self.clock.sleep(until.since(self.clock.now()).min(longest))
        };
        // Neither pause is longer than it was meant to be, should the clock have been set back.
        let rung = either(self.bell.changed(), pause(due, self.pace.lifetime)).await;
        match rung {
            None => Ok(()),
            Some(Err(gone)) => Err(gone),
            Some(Ok(())) => {
                pause(asked.min(due), self.pace.longest()).await;
                Ok(())
            }
        }
    }

    async fn fetch_set(&mut self, state: &State) -> Result<KeySet, String> {
        let uri = match (&self.source, &self.jwks_uri) {
            (Source::At(uri), _) | (_, Some(uri)) => uri.clone(),
            (Source::Discover { issuer, urls }, None) => {
                let found =
                    discovery::find_jwks_uri(issuer, urls, &self.fetcher, &self.clock).await?;
                self.jwks_uri.insert(found).clone()
            }
        };
        let document = discovery::get(&uri, &self.fetcher, &self.clock)
            .await
            .map_err(|why| format!("key set: {why}"))?;
        let known = state.snapshot.load();
        KeySet::parse(
            &document,
            UnixTime::EPOCH,
            known.as_ref().map(|known| &known.set),
        )
    }

    /// Replaces the set whole. What the new one lacks is no longer trusted from here on.
    fn adopt(&self, state: &State, set: KeySet, fetched: UnixTime) {
        let trusted_until = fetched + self.pace.lifetime + self.pace.stale;
        set.extend(trusted_until);
        let old = state.snapshot.load_full();
        if old
            .as_ref()
            .is_none_or(|old| old.set.left_out() != set.left_out())
        {
            for sentence in set.left_out() {
                tracing::warn!(issuer = %self.source, "{sentence}");
            }
        }
        let round = state.round.borrow().finished + 1;
        let new = Arc::new(Snapshot {
            set,
            trusted_until,
            round,
        });
        state.snapshot.store(Some(new.clone()));
        if let Some(old) = old {
            old.set.withdraw_all_but(&new.set);
        }
    }
}

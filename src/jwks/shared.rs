//! What the owners of a key source and its engine share, and how a request reads and waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use tokio::sync::watch;

use super::absent::Absent;
use super::discovery::Source;
use super::engine::Engine;
use super::file::{Kept, KeyFile};
use super::pace::Pace;
use super::set::KeySet;
use crate::clock::UnixTime;
use crate::error::{Error, Reason};
use crate::fetch::{Fetcher, either};
use crate::jitter::Jitter;
use crate::places::{Places, Seat};
use crate::status::KeyStatus;
use crate::verify::Moment;

/// What handles and engine share.
pub(super) struct Shared {
    pub(super) source: Source,
    fetcher: Fetcher,
    pace: Pace,
    jitter: Jitter,
    file: Option<KeyFile>,
    /// What the file held when this was built, until the first request says what time it is.
    kept: Mutex<Option<Kept>>,
    /// How many requests wait for keys.
    waiting: Places,
    /// Rung by requests that miss a key. The engine ends when this is dropped.
    bell: watch::Sender<u64>,
    state: Arc<State>,
}

/// What the engine writes and requests read.
pub(super) struct State {
    pub(super) snapshot: ArcSwapOption<Snapshot>,
    pub(super) round: watch::Sender<Round>,
    /// Names the newest set is known to lack.
    absent: Mutex<Absent>,
    /// Whether an engine runs. A runtime that shuts down takes its engine along; the next request
    /// starts another.
    engine: Seat,
}

/// A key set and how long it may be used.
pub(crate) struct Snapshot {
    pub(crate) set: Arc<KeySet>,
    /// When it was fetched, or last confirmed.
    pub(super) fetched: UnixTime,
    pub(super) fresh_for: Duration,
    pub(super) trusted_until: UnixTime,
    /// The number of the round that brought it.
    pub(super) round: u64,
}

/// The newest keys, as long as somebody looks at them. Not to be held while something is waited for.
pub(crate) struct Newest(Guard<Option<Arc<Snapshot>>>);

impl Newest {
    /// The keys, if they may still be trusted.
    pub(crate) fn trusted(&self, now: UnixTime) -> Option<&Snapshot> {
        let snapshot = self.0.as_deref()?;
        (now < snapshot.trusted_until).then_some(snapshot)
    }
}

/// The engine's log of its last round.
#[derive(Clone)]
pub(super) struct Round {
    pub(super) running: bool,
    pub(super) finished: u64,
    /// When the last round began, or the one that is running.
    pub(super) began: UnixTime,
    /// Why the last round brought nothing; `None` after a good one.
    pub(super) fault: Option<Arc<str>>,
    /// When the next round may begin, and how long after the last one that is.
    pub(super) next: UnixTime,
    pub(super) pause: Duration,
    /// When the next round begins if nobody asks for it.
    pub(super) due: UnixTime,
    /// Of `finished`, how many brought nothing, and how many were told that nothing has changed.
    pub(super) failed: u64,
    pub(super) not_modified: u64,
}

impl Default for Round {
    fn default() -> Round {
        Round {
            running: false,
            finished: 0,
            began: UnixTime::EPOCH,
            fault: Some("no keys were fetched yet".into()),
            next: UnixTime::EPOCH,
            pause: Duration::ZERO,
            due: UnixTime::EPOCH,
            failed: 0,
            not_modified: 0,
        }
    }
}

/// How many requests may wait for keys at a time. They are few that do, but for a flood of made-up
/// names, which must not cost memory without bound.
const MOST_WAITING: usize = 1024;

/// Nobody is told to come back at once: the header counts in seconds, and zero makes a loop.
const LEAST_RETRY_AFTER: Duration = Duration::from_secs(1);

/// How far in the future a kept set may have been fetched: clocks differ, restarts move machines.
const MOST_AHEAD: Duration = Duration::from_secs(300);

impl Round {
    /// When the next round may begin: a clock that was set back must not put it off for longer than
    /// was meant.
    fn next_from(&self, now: UnixTime) -> UnixTime {
        self.next.min(now + self.pause)
    }

    /// Whether the last round's set is the newest that may be had now. Not if it was found out at a
    /// time that is still to come.
    fn is_newest_there_is(&self, now: UnixTime) -> bool {
        let too_soon = !self.running && (self.began..self.next_from(now)).contains(&now);
        too_soon && self.fault.is_none()
    }

    /// That no newer set is to be had now, and when it is worth asking again.
    fn unavailable(&self, now: UnixTime) -> Error {
        let sentence = match &self.fault {
            Some(why) => format!("the issuer's keys cannot be had: {why}"),
            None => "the issuer was asked for its keys a moment ago".to_owned(),
        };
        let retry_after = self.next.since(now).max(LEAST_RETRY_AFTER);
        Error::new(Reason::KeysUnavailable, sentence).with_retry_after(retry_after)
    }
}

impl State {
    /// Held for a few instructions, and only by requests whose key is unknown.
    fn absent(&self) -> MutexGuard<'_, Absent> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    pub(super) fn new(
        source: Source,
        fetcher: Fetcher,
        pace: Pace,
        jitter: Jitter,
        file: Option<KeyFile>,
    ) -> Shared {
        let kept = file.as_ref().and_then(|file| file.read(&source.identity()));
        Shared {
            source,
            fetcher,
            pace,
            jitter,
            file,
            kept: Mutex::new(kept),
            waiting: Places::new(MOST_WAITING),
            bell: watch::Sender::new(0),
            state: Arc::new(State {
                snapshot: ArcSwapOption::empty(),
                round: watch::Sender::new(Round::default()),
                absent: Mutex::default(),
                engine: Seat::new(),
            }),
        }
    }

    /// How many keys there are; `None` before the first set came.
    pub(super) fn keys(&self) -> Option<usize> {
        let snapshot = self.state.snapshot.load();
        snapshot.as_ref().map(|snapshot| snapshot.set.len())
    }

    /// The newest keys. Never waits.
    pub(super) fn newest(&self, moment: &Moment<'_>) -> Newest {
        self.start_engine(moment);
        Newest(self.state.snapshot.load())
    }

    /// The refusal of a name that the newest set is known to lack, for as long as the issuer may not be
    /// asked again.
    pub(super) fn known_absent(&self, kid: Option<&str>, moment: &Moment<'_>) -> Option<Error> {
        let (finished, is_newest) = {
            let round = self.state.round.borrow();
            (round.finished, round.is_newest_there_is(moment.now()))
        };
        let is_absent = is_newest && self.state.absent().is_known(finished, kid);
        is_absent.then(|| {
            let why = "the newest key set has no such key";
            Error::new(Reason::UnknownKey, why)
        })
    }

    /// Waits for a set that has `kid`, or for one that was asked for after this call and so says for
    /// certain that there is no such key; but no longer than a caller may wait. Whether a set `has` it
    /// the caller knows.
    ///
    /// # Errors
    ///
    /// [`Reason::KeysUnavailable`] if no newer set could be had; [`Reason::UnknownKey`] if the
    /// newest set is known to lack the key.
    pub(super) async fn renewed(
        &self,
        kid: Option<&str>,
        has: &(dyn Fn(&KeySet) -> bool + Sync),
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
        before.next = before.next_from(moment.now());
        if let Some(error) = self.known_absent(kid, moment) {
            return Err(error);
        }
        // A round that began no earlier than this request has brought what there is. (One that
        // began later than now was before the clock was set back.)
        let meanwhile = moment.now()..=moment.clock().now();
        let is_over = !before.running && before.finished > 0 && meanwhile.contains(&before.began);
        if is_over && before.fault.is_none() {
            return Ok(());
        }
        // Rung before anything is answered: whoever comes next profits.
        self.bell.send_modify(|rung| *rung = rung.wrapping_add(1));
        if is_over {
            // Its failure speaks for this request, too, as if that had begun to wait a moment sooner.
            return Err(before.unavailable(moment.clock().now()));
        }
        let wait = self.pace.wait;
        if !before.running && before.next > moment.now() + wait {
            // Nothing will come in time, so whether the issuer has this key is not known: say so
            // at once. A 401 would make a client throw away a token whose key is brand-new.
            return Err(before.unavailable(moment.now()));
        }
        let Some(_place) = self.waiting.take() else {
            return Err(Error::new(
                Reason::KeysUnavailable,
                format!("{MOST_WAITING} requests wait for the issuer's keys already"),
            )
            .with_retry_after(wait));
        };
        // A round that was on its way when this request came may be older than its key: what such a set
        // lacks is asked for once more. (The round that this very request has begun is under way, too.)
        let is_older = before.running && before.began != moment.now();
        let older = is_older.then_some(before.finished + 1);
        let done = async {
            let mut seen = before.finished;
            loop {
                let next = rounds.wait_for(|round| round.finished > seen).await;
                let Ok(after) = next.map(|round| round.clone()) else {
                    // The engine is gone; the timeout speaks for it.
                    return std::future::pending().await;
                };
                if after.fault.is_some() {
                    return Err(after.unavailable(moment.clock().now()));
                }
                let snapshot = self.state.snapshot.load_full();
                if Some(after.finished) != older || snapshot.is_some_and(|new| has(&new.set)) {
                    return Ok(());
                }
                if after.next > moment.now() + wait {
                    return Err(after.unavailable(moment.clock().now()));
                }
                seen = after.finished;
                self.bell.send_modify(|rung| *rung = rung.wrapping_add(1));
            }
        };
        let timely = either(done, moment.clock().sleep(wait)).await;
        timely.unwrap_or_else(|| {
            let wait = wait.as_millis();
            Err(Error::new(
                Reason::KeysUnavailable,
                format!("the issuer's keys did not come within {wait} ms"),
            )
            .with_retry_after(self.pace.interval))
        })
    }

    /// Notes that `set` lacks `kid`, so that it is refused at once until the issuer may be
    /// asked again.
    pub(super) fn note_absent(&self, set: &Snapshot, kid: Option<&str>) {
        self.state.absent().note(set.round, kid);
    }

    pub(super) fn status(&self, now: UnixTime) -> KeyStatus {
        let round = self.state.round.borrow().clone();
        let snapshot = self.state.snapshot.load_full();
        let trusted = snapshot.as_ref().filter(|set| now < set.trusted_until);
        KeyStatus {
            source: self.source.to_string(),
            kids: trusted.map_or_else(Vec::new, |snapshot| snapshot.set.kids()),
            fetched_at: snapshot.as_ref().map(|snapshot| snapshot.fetched),
            age_seconds: (snapshot.as_ref()).map(|set| now.since(set.fetched).as_secs()),
            next_refresh: (round.finished > 0).then_some(round.due),
            trusted_until: snapshot.as_ref().map(|snapshot| snapshot.trusted_until),
            last_error: (round.fault.filter(|_| round.finished > 0)).map(|why| why.to_string()),
            fetches: round.finished + u64::from(round.running),
            failures: round.failed,
            not_modified: round.not_modified,
        }
    }

    /// Starts the engine unless one runs. `false` if there is no runtime to run it on.
    fn start_engine(&self, moment: &Moment<'_>) -> bool {
        if self.state.engine.is_taken() {
            return true;
        }
        // Before anybody finds an engine running: who does takes the snapshot as it is.
        self.take_over_kept(moment.now());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return false;
        };
        if !self.state.engine.take() {
            return true;
        }
        let engine = Engine::new(
            self.source.clone(),
            self.fetcher.clone(),
            (self.pace, self.jitter.clone()),
            self.file.clone(),
            self.bell.subscribe(),
            moment.clock().clone(),
            Running(self.state.clone()),
        );
        drop(runtime.spawn(engine.run()));
        true
    }

    /// Lets the keys out of the file serve, if they may still be trusted.
    fn take_over_kept(&self, now: UnixTime) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Kept {
            set,
            fetched,
            fresh_for,
        }) = kept.take()
        else {
            return;
        };
        // Not raised to the shortest lifetime: they serve no longer than without the restart.
        let longest = self.pace.longest_lifetime.max(self.pace.lifetime);
        let fresh_for = fresh_for.min(longest);
        let trusted_until = fetched + fresh_for + self.pace.stale;
        // Written by a clock that was wrong, they would be trusted for however long it was.
        if now >= trusted_until || fetched > now + MOST_AHEAD {
            tracing::warn!(
                issuer = %self.source,
                "the keys in the file are those of {fetched}, it is {now}: they are not used"
            );
            return;
        }
        set.extend(trusted_until);
        tracing::info!(
            issuer = %self.source,
            "{} keys from the file serve until the issuer answers, {} s old",
            set.len(),
            now.since(fetched).as_secs()
        );
        self.state.snapshot.store(Some(Arc::new(Snapshot {
            set: Arc::new(set),
            fetched,
            fresh_for,
            trusted_until,
            round: 0,
        })));
    }
}

/// Says that an engine runs, until it is dropped.
pub(super) struct Running(pub(super) Arc<State>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.round.send_modify(|round| round.running = false);
        self.0.engine.leave();
    }
}

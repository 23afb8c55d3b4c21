//! The engine: one background task per key source, which does all the fetching.
//!
//! Requests read the newest snapshot; who misses a key rings the engine's bell and waits, for a
//! bounded time, until the engine has finished a round. So there is one flight by construction, a
//! client that hangs up cancels nothing, and the pace between rounds is kept in one place.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use tokio::sync::watch;

use super::discovery::{self, Source};
use super::document::{self, Answer, Document, Fault};
use super::file::{Entry, KeyFile, Writer};
use super::pace::Pace;
use super::set::KeySet;
use super::shared::{Running, Snapshot, State};
use crate::clock::{Clock, UnixTime};
use crate::fetch::{Fetcher, either};
use crate::jitter::Jitter;

/// The task that brings the keys.
pub(super) struct Engine {
    source: Source,
    fetcher: Fetcher,
    pace: Pace,
    jitter: Jitter,
    file: Option<KeyFile>,
    bell: watch::Receiver<u64>,
    clock: Arc<dyn Clock>,
    /// What discovery found.
    found: Option<Found>,
    /// What the newest document is called, and where.
    etag: Option<(Uri, HeaderValue)>,
    /// The newest document, if it is kept in a file, and who writes it there.
    document: Arc<str>,
    writer: Writer,
    running: Running,
}

/// A `jwks_uri` out of the issuer's metadata.
struct Found {
    jwks_uri: Uri,
    read: UnixTime,
    /// A fetch from there has failed since: it may have moved.
    is_doubted: bool,
}

/// What a good round brought.
enum Brought {
    Set(KeySet, Option<Duration>),
    NotModified(Option<Duration>),
}

impl Engine {
    pub(super) fn new(
        source: Source,
        fetcher: Fetcher,
        (pace, jitter): (Pace, Jitter),
        file: Option<KeyFile>,
        bell: watch::Receiver<u64>,
        clock: Arc<dyn Clock>,
        running: Running,
    ) -> Engine {
        Engine {
            source,
            fetcher,
            pace,
            jitter,
            file,
            bell,
            clock,
            found: None,
            etag: None,
            document: "".into(),
            writer: Writer::default(),
            running,
        }
    }

    pub(super) async fn run(mut self) {
        let state = self.running.0.clone();
        let mut failures: u32 = 0;
        // Where another engine left off: whatever ended it, the pace is kept.
        let (next, pause) = {
            let round = state.round.borrow();
            (round.next, round.pause)
        };
        self.sleep_until(next, pause).await;
        loop {
            let started = self.clock.now();
            state.round.send_modify(|round| {
                round.running = true;
                round.began = started;
            });
            let brought = self.bring(&state).await;
            let now = self.clock.now();
            // A clock that was set back meanwhile must not put the next round off, nor the end of trust.
            let started = started.min(now);
            // A bell that rang during the round is answered by it.
            self.bell.borrow_and_update();
            let chance = self.jitter.next();
            let (next, due, not_modified, fault);
            match brought {
                Ok(brought) => {
                    if failures > 0 {
                        tracing::info!(issuer = %self.source, "the issuer's keys are back");
                    }
                    failures = 0;
                    not_modified = matches!(brought, Brought::NotModified(_));
                    let fresh_for = self.adopt(&state, brought, started);
                    next = started + self.pace.interval;
                    due = (started + self.pace.due(fresh_for, chance)).max(next);
                    fault = None;
                }
                Err(Fault { why, retry_after }) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(issuer = %self.source, "the issuer's keys cannot be had: {why}");
                    next = now + self.pace.back_off(failures, retry_after, chance);
                    due = next;
                    not_modified = false;
                    fault = Some(why.into());
                }
            }
            state.round.send_modify(|round| {
                round.running = false;
                round.finished += 1;
                round.began = started;
                round.failed += u64::from(fault.is_some());
                round.not_modified += u64::from(not_modified);
                round.fault = fault;
                round.next = next;
                round.pause = next.since(now);
                round.due = due;
            });
            if self.wait(now, next, due).await.is_err() {
                return;
            }
        }
    }

    /// Waits until `due`, or, when the bell rings, until `asked`.
    ///
    /// # Errors
    ///
    /// If nobody holds the key source any more.
    async fn wait(
        &mut self,
        now: UnixTime,
        asked: UnixTime,
        due: UnixTime,
    ) -> Result<(), watch::error::RecvError> {
        let (asked_pause, due_pause) = (asked.since(now), due.since(now));
        let until_due = self.sleep_until(due, due_pause);
        let rung = either(self.bell.changed(), until_due).await;
        match rung {
            None => Ok(()),
            Some(Err(gone)) => Err(gone),
            Some(Ok(())) => {
                self.sleep_until(asked, asked_pause).await;
                Ok(())
            }
        }
    }

    /// No pause is longer than it was meant to be, should the clock have been set back.
    fn sleep_until(&self, moment: UnixTime, longest: Duration) -> impl Future<Output = ()> + use<> {
        self.clock
            .sleep(moment.since(self.clock.now()).min(longest))
    }

    /// Asks the issuer for its keys.
    async fn bring(&mut self, state: &State) -> Result<Brought, Fault> {
        let uri = self.jwks_uri().await?;
        let known = self.etag.take().filter(|(of, _)| *of == uri);
        let etag = known.as_ref().map(|(_, etag)| etag);
        let answer = document::get(&uri, etag, &self.fetcher, &self.clock).await;
        let read = answer
            .map_err(|fault| fault.of("key set"))
            .and_then(|answer| {
                let Document {
                    text,
                    etag,
                    fresh_for,
                } = match answer {
                    Answer::Whole(document) => document,
                    Answer::NotModified(fresh_for) => {
                        self.etag = known;
                        return Ok(Brought::NotModified(fresh_for));
                    }
                };
                let before = state.snapshot.load();
                let before = before.as_ref().map(|snapshot| &*snapshot.set);
                let set = KeySet::parse(&text, UnixTime::EPOCH, before)?;
                self.etag = etag.map(|etag| (uri, etag));
                if self.file.is_some() {
                    self.document = text.into();
                }
                Ok(Brought::Set(set, fresh_for))
            });
        if let Some(found) = &mut self.found {
            found.is_doubted = read.is_err();
        }
        read
    }

    /// Where the keys are. The metadata that says so is read again on a schedule of its own, and
    /// whenever a fetch from there has failed.
    async fn jwks_uri(&mut self) -> Result<Uri, Fault> {
        let metadata = match &self.source {
            Source::At(uri) => return Ok(uri.clone()),
            Source::Discover(metadata) => metadata,
        };
        let now = self.clock.now();
        if let Some(found) = &self.found
            && !found.is_doubted
            && (found.read..found.read + self.pace.metadata).contains(&now)
        {
            return Ok(found.jwks_uri.clone());
        }
        match discovery::find_jwks_uri(metadata, &self.fetcher, &self.clock).await {
            Ok(jwks_uri) => {
                self.found = Some(Found {
                    jwks_uri: jwks_uri.clone(),
                    read: now,
                    is_doubted: false,
                });
                Ok(jwks_uri)
            }
            // The keys may be where they were, though the metadata cannot be had; as long as keys
            // themselves would be trusted.
            Err(Fault { why, retry_after }) => match &self.found {
                Some(found) if now < found.read + self.pace.metadata + self.pace.stale => {
                    tracing::warn!(issuer = %self.source, "{why}");
                    Ok(found.jwks_uri.clone())
                }
                _ => Err(Fault { why, retry_after }),
            },
        }
    }

    /// Replaces the set whole, or confirms it, and says how long it is fresh. What a new one lacks is
    /// no longer trusted from here on.
    fn adopt(&self, state: &State, brought: Brought, fetched: UnixTime) -> Duration {
        let before = state.snapshot.load_full();
        let (set, fresh_for) = match (brought, &before) {
            (Brought::Set(set, said), _) => (Arc::new(set), self.pace.clamp(said)),
            (Brought::NotModified(said), Some(before)) => {
                let fresh_for = said.map_or(before.fresh_for, |said| self.pace.clamp(Some(said)));
                (before.set.clone(), fresh_for)
            }
            // Only a set that came through here is asked about by its etag.
            (Brought::NotModified(_), None) => return self.pace.lifetime,
        };
        let trusted_until = fetched + fresh_for + self.pace.stale;
        set.extend(trusted_until);
        if before
            .as_ref()
            .is_none_or(|before| before.set.left_out() != set.left_out())
        {
            for sentence in set.left_out() {
                tracing::warn!(issuer = %self.source, "{sentence}");
            }
        }
        // Leases first: whoever has seen the newer set is served no key that it lacks (`models/`).
        if let Some(before) = before {
            before.set.withdraw_all_but(&set);
        }
        state.snapshot.store(Some(Arc::new(Snapshot {
            set,
            fetched,
            fresh_for,
            trusted_until,
            round: state.round.borrow().finished + 1,
        })));
        self.keep(fetched, fresh_for);
        fresh_for
    }

    /// Has the set written to the file, if there is one.
    fn keep(&self, fetched: UnixTime, fresh_for: Duration) {
        if let Some(file) = &self.file {
            let entry = Entry {
                source: self.source.to_string(),
                fetched,
                fresh_for,
                key_set: self.document.clone(),
            };
            self.writer.write(file, entry);
        }
    }
}

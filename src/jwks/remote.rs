//! Keys that an issuer publishes: brought by one background task, read without waiting.
//!
//! All fetching happens in one task per [`RemoteJwks`], the *engine*. Requests read the newest
//! snapshot; who misses a key rings the engine's bell and waits, for a bounded time, until the
//! engine has finished a round. So there is one flight by construction, a client that hangs up
//! cancels nothing, and the pace between rounds is kept in one place.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::Uri;
use tokio::sync::watch;

use super::discovery;
use super::set::KeySet;
use crate::clock::{Clock, UnixTime};
use crate::error::{ConfigError, Error, Reason};
use crate::fetch::{DEADLINE, Fetch, Fetcher, MAX_BYTES, either, secure_url};
use crate::verify::Moment;

/// The keys an issuer publishes at a `jwks_uri`, fetched and kept fresh. Cloning is cheap; clones
/// share the keys.
///
/// Needs a tokio runtime from its first use on. Nothing is fetched before that.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "reqwest")] {
/// use portcullis::{JwtVerifier, RemoteJwks};
/// use std::time::Duration;
///
/// let keys = RemoteJwks::at("https://as.example/jwks")
///     .lifetime(Duration::from_secs(300))
///     .build()?;
/// let verifier = JwtVerifier::builder("https://as.example", "https://api.example.com/")
///     .keys(keys)
///     .build()?;
/// # }
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct RemoteJwks(Arc<Shared>);

/// Sets up a [`RemoteJwks`].
#[must_use]
pub struct RemoteJwksBuilder {
    source: Result<Source, ConfigError>,
    fetcher: Option<Fetcher>,
    deadline: Duration,
    max_bytes: usize,
    pace: Pace,
}

#[derive(Clone)]
enum Source {
    At(Uri),
    Discover { issuer: Box<str>, urls: [Uri; 2] },
}

/// All durations of one engine.
#[derive(Clone, Copy)]
struct Pace {
    lifetime: Duration,
    interval: Duration,
    wait: Duration,
    stale: Duration,
}

impl RemoteJwks {
    /// Fetches the key set from `jwks_uri`.
    ///
    /// Building fails unless it is an https URL; http is for loopback only.
    pub fn at(jwks_uri: &str) -> RemoteJwksBuilder {
        RemoteJwksBuilder::new(secure_url("jwks_uri", jwks_uri).map(Source::At))
    }

    /// Finds the `jwks_uri` in the issuer's metadata: RFC 8414 first (the well-known part inserted
    /// before the path), then OpenID Connect Discovery (appended). The document's `issuer` must be
    /// identical to `issuer`.
    ///
    /// Building fails unless `issuer` is an https URL; http is for loopback only.
    pub fn discover(issuer: &str) -> RemoteJwksBuilder {
        RemoteJwksBuilder::new(
            discovery::metadata_urls(issuer).map(|urls| Source::Discover {
                issuer: issuer.into(),
                urls,
            }),
        )
    }

    /// The newest keys, if they may still be trusted. Never waits.
    pub(crate) fn snapshot(&self, moment: &Moment<'_>) -> Option<Arc<Snapshot>> {
        self.0.start_engine(moment);
        let snapshot = self.0.state.snapshot.load_full()?;
        (moment.now() < snapshot.trusted_until).then_some(snapshot)
    }

    /// Waits until a round of the engine that began after this call, or was running, is over; at
    /// most as long as a caller may wait.
    ///
    /// # Errors
    ///
    /// [`Reason::KeysUnavailable`] if no fresh set could be had.
    pub(crate) async fn renewed(&self, moment: &Moment<'_>) -> Result<(), Error> {
        let shared = &self.0;
        if !shared.start_engine(moment) {
            return Err(Error::new(
                Reason::KeysUnavailable,
                "keys cannot be fetched outside of a tokio runtime",
            ));
        }
        let mut rounds = shared.state.round.subscribe();
        let before = rounds.borrow_and_update().clone();
        // Nothing will come in time: say so at once, with an honest Retry-After.
        let wait = shared.pace.wait;
        if !before.running && before.next > moment.now() + wait {
            return before.outcome(moment.now());
        }
        shared.bell.send_modify(|rung| *rung = rung.wrapping_add(1));
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
        let after = shared.state.round.borrow().clone();
        if timely {
            return after.outcome(moment.clock().now());
        }
        if before.running || after.running {
            return Err(Error::new(
                Reason::KeysUnavailable,
                format!(
                    "the issuer's keys did not come within {} ms",
                    wait.as_millis()
                ),
            )
            .with_retry_after(shared.pace.interval));
        }
        after.outcome(moment.clock().now())
    }
}

impl fmt::Debug for RemoteJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self
            .0
            .state
            .snapshot
            .load()
            .as_ref()
            .map(|snapshot| snapshot.set.len());
        f.debug_struct("RemoteJwks")
            .field("source", &self.0.source.to_string())
            .field("keys", &keys)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// What is asked first.
    fn uri(&self) -> &Uri {
        match self {
            Source::At(uri) => uri,
            Source::Discover { urls, .. } => &urls[0],
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::At(uri) => uri.fmt(f),
            Source::Discover { issuer, .. } => f.write_str(issuer),
        }
    }
}

impl RemoteJwksBuilder {
    fn new(source: Result<Source, ConfigError>) -> RemoteJwksBuilder {
        RemoteJwksBuilder {
            source,
            fetcher: None,
            deadline: DEADLINE,
            max_bytes: MAX_BYTES,
            pace: Pace {
                lifetime: Duration::from_secs(600),
                interval: Duration::from_secs(5),
                wait: Duration::from_secs(2),
                stale: Duration::from_secs(3600),
            },
        }
    }

    /// Uses an HTTP client of your own. Default: reqwest with rustls, if the feature `reqwest` is
    /// on.
    pub fn fetch(mut self, fetch: impl Fetch) -> RemoteJwksBuilder {
        self.fetcher = Some(Fetcher::new(fetch));
        self
    }

    /// How long a key set is fresh. It is fetched anew in the background at 80 % of that, a little
    /// earlier by chance so that many servers do not ask at once. Default: 10 minutes; at least
    /// 10 seconds.
    pub fn lifetime(mut self, lifetime: Duration) -> RemoteJwksBuilder {
        self.pace.lifetime = lifetime;
        self
    }

    /// The least time between two fetches that tokens with an unknown `kid` cause, however many
    /// there are. Default: 5 seconds; at least 1 second. It bounds how long a new key may be
    /// refused.
    pub fn refresh_interval(mut self, interval: Duration) -> RemoteJwksBuilder {
        self.pace.interval = interval;
        self
    }

    /// How long a request with an unknown `kid` waits for a fetch. Default: 2 seconds.
    pub fn wait_at_most(mut self, wait: Duration) -> RemoteJwksBuilder {
        self.pace.wait = wait;
        self
    }

    /// How long keys are trusted past their lifetime while the issuer cannot be reached. Default:
    /// 1 hour. After that the answer is 503.
    pub fn trust_stale_for(mut self, stale: Duration) -> RemoteJwksBuilder {
        self.pace.stale = stale;
        self
    }

    /// How long one fetch may take in all, connecting and reading included. Default: 5 seconds.
    pub fn deadline(mut self, deadline: Duration) -> RemoteJwksBuilder {
        self.deadline = deadline;
        self
    }

    /// How large a document may be. Default: 262,144 bytes.
    pub fn max_bytes(mut self, max_bytes: usize) -> RemoteJwksBuilder {
        self.max_bytes = max_bytes;
        self
    }

    /// Makes the key source. Nothing is fetched yet.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the URL is not https (or http on loopback), a duration is below its
    /// minimum, or there is neither a [`fetch`](Self::fetch) nor the feature `reqwest`.
    pub fn build(self) -> Result<RemoteJwks, ConfigError> {
        let source = self.source?;
        at_least("lifetime", self.pace.lifetime, 10_000)?;
        at_least("refresh_interval", self.pace.interval, 1_000)?;
        at_least("deadline", self.deadline, 1)?;
        let fetcher = match self.fetcher {
            Some(fetcher) => fetcher,
            None => Fetcher::default_client(source.uri())?,
        };
        Ok(RemoteJwks(Arc::new(Shared {
            fetcher: fetcher.with_limits(self.deadline, self.max_bytes),
            source,
            pace: self.pace,
            bell: watch::Sender::new(0),
            state: Arc::new(State {
                snapshot: ArcSwapOption::empty(),
                round: watch::Sender::new(Round::default()),
                engine: AtomicBool::new(false),
            }),
        })))
    }
}

impl fmt::Debug for RemoteJwksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteJwksBuilder").finish_non_exhaustive()
    }
}

fn at_least(what: &str, found: Duration, wanted_ms: u64) -> Result<(), ConfigError> {
    if found < Duration::from_millis(wanted_ms) {
        return Err(ConfigError::new(format!(
            "{what} is {} ms, wanted at least {wanted_ms} ms",
            found.as_millis()
        )));
    }
    Ok(())
}

struct Shared {
    source: Source,
    fetcher: Fetcher,
    pace: Pace,
    /// Rung by requests that miss a key. The engine ends when this is dropped.
    bell: watch::Sender<u64>,
    state: Arc<State>,
}

/// What the engine writes and requests read.
struct State {
    snapshot: ArcSwapOption<Snapshot>,
    round: watch::Sender<Round>,
    /// Whether an engine runs. A runtime that shuts down takes its engine along; the next request
    /// starts another.
    engine: AtomicBool,
}

/// A key set and how long it may be used.
pub(crate) struct Snapshot {
    pub(crate) set: KeySet,
    trusted_until: UnixTime,
}

/// The engine's log of its last round.
#[derive(Clone)]
struct Round {
    running: bool,
    finished: u64,
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
            fault: Some("no keys were fetched yet".into()),
            next: UnixTime::EPOCH,
        }
    }
}

impl Round {
    fn outcome(&self, now: UnixTime) -> Result<(), Error> {
        match &self.fault {
            None => Ok(()),
            Some(why) => Err(Error::new(
                Reason::KeysUnavailable,
                format!("the issuer's keys cannot be had: {why}"),
            )
            .with_retry_after(self.next.since(now))),
        }
    }
}

impl Shared {
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
        loop {
            state.round.send_modify(|round| round.running = true);
            let started = self.clock.now();
            let result = self.fetch_set(&state).await;
            let now = self.clock.now();
            let fault: Option<Arc<str>> = match result {
                Ok(set) => {
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
                let retry = now + back_off(failures);
                (retry, retry)
            } else {
                let due = self.pace.lifetime.mul_f64(0.8 - 0.1 * chance());
                (started + self.pace.interval, started + due)
            };
            state.round.send_modify(|round| {
                round.running = false;
                round.finished += 1;
                round.fault = fault;
                round.next = next_asked;
            });
            if self.wait(next_asked, next_due).await.is_err() {
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
        asked: UnixTime,
        due: UnixTime,
    ) -> Result<(), watch::error::RecvError> {
        let pause = |until: UnixTime| self.clock.sleep(until.since(self.clock.now()));
        let rung = either(self.bell.changed(), pause(due)).await;
        match rung {
            None => Ok(()),
            Some(Err(gone)) => Err(gone),
            Some(Ok(())) => {
                self.clock.sleep(asked.since(self.clock.now())).await;
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
        let new = Arc::new(Snapshot { set, trusted_until });
        state.snapshot.store(Some(new.clone()));
        if let Some(old) = old {
            old.set.withdraw_all_but(&new.set);
        }
    }
}

fn back_off(failures: u32) -> Duration {
    let doubled = FIRST_RETRY * 2u32.saturating_pow(failures.saturating_sub(1)).min(64);
    doubled.min(LAST_RETRY).mul_f64(1.0 - 0.2 * chance())
}

/// A number from 0 up to 1 that differs from server to server.
fn chance() -> f64 {
    (RandomState::new().hash_one(0u8) >> 11) as f64 / (1u64 << 53) as f64
}

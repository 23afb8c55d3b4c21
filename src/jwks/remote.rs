//! Keys that an issuer publishes, as their owner sees them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::discovery::{self, Source};
use super::engine::{Pace, Shared, Snapshot};
use crate::error::{ConfigError, Error};
use crate::fetch::{DEADLINE, Fetch, Fetcher, MAX_BYTES, secure_url};
use crate::fetch_default::default_fetcher;
use crate::jitter::Jitter;
use crate::verify::Moment;

/// The keys an issuer publishes at a `jwks_uri`, fetched and kept fresh. Cloning is cheap; clones
/// share the keys.
///
/// Needs a tokio runtime with time enabled from its first use on; nothing is fetched before that.
/// The runtime that sees the first use does the fetching, so it must be one that goes on running.
/// Servers that share it share the clock of the first.
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
    jitter: Jitter,
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
        self.0.snapshot(moment)
    }

    /// Waits until the engine has tried to bring a set that has `kid`.
    ///
    /// # Errors
    ///
    /// [`Reason::KeysUnavailable`](crate::Reason::KeysUnavailable) if no newer set could be had,
    /// [`Reason::UnknownKey`](crate::Reason::UnknownKey) if the newest is known to lack it.
    pub(crate) async fn renewed(
        &self,
        kid: Option<&str>,
        moment: &Moment<'_>,
    ) -> Result<(), Error> {
        self.0.renewed(kid, moment).await
    }

    /// Notes that `set` lacks `kid`.
    pub(crate) fn note_absent(&self, set: &Snapshot, kid: Option<&str>) {
        self.0.note_absent(set, kid);
    }
}

impl fmt::Debug for RemoteJwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteJwks")
            .field("source", &self.0.source.to_string())
            .field("keys", &self.0.keys())
            .finish_non_exhaustive()
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
            jitter: Jitter::by_chance(),
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
    /// there are. Default: 5 seconds; at least 1 second. It bounds how long a new key may have to
    /// wait. A fetch that failed is tried again after about 1, 2, 4 and so on up to 30 seconds.
    pub fn refresh_interval(mut self, interval: Duration) -> RemoteJwksBuilder {
        self.pace.interval = interval;
        self
    }

    /// How long a request with an unknown `kid` waits for a fetch. Default: 2 seconds. If none may
    /// begin in that time, the answer is 503 at once: whether the key is new or made up is not
    /// known yet.
    pub fn wait_at_most(mut self, wait: Duration) -> RemoteJwksBuilder {
        self.pace.wait = wait;
        self
    }

    /// How long keys are trusted past their lifetime while the issuer cannot be reached. Default:
    /// 1 hour; at most a week. After that the answer is 503.
    pub fn trust_stale_for(mut self, stale: Duration) -> RemoteJwksBuilder {
        self.pace.stale = stale;
        self
    }

    /// How long one document may take in all, connecting and reading included. Default: 5 seconds.
    pub fn deadline(mut self, deadline: Duration) -> RemoteJwksBuilder {
        self.deadline = deadline;
        self
    }

    /// How large a document may be. Default: 262,144 bytes.
    pub fn max_bytes(mut self, max_bytes: usize) -> RemoteJwksBuilder {
        self.max_bytes = max_bytes;
        self
    }

    /// Draws the chance in its pauses from `seed`, so that a simulation can be played again. Default:
    /// by chance, which is what keeps many servers from asking at once.
    #[cfg(feature = "testing")]
    pub fn jitter_seed(mut self, seed: u64) -> RemoteJwksBuilder {
        self.jitter = Jitter::seeded(seed);
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
        if self.pace.stale > MOST_STALE {
            return Err(ConfigError::new(format!(
                "trust_stale_for is {} s, wanted at most {} s",
                self.pace.stale.as_secs(),
                MOST_STALE.as_secs()
            )));
        }
        if self.max_bytes == 0 {
            return Err(ConfigError::new("max_bytes is 0, wanted at least 1"));
        }
        let fetcher = match self.fetcher {
            Some(fetcher) => fetcher,
            None => default_fetcher(source.uri())?,
        };
        let fetcher = fetcher.with_limits(self.deadline, self.max_bytes);
        Ok(RemoteJwks(Arc::new(Shared::new(
            source,
            fetcher,
            self.pace,
            self.jitter,
        ))))
    }
}

impl fmt::Debug for RemoteJwksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteJwksBuilder").finish_non_exhaustive()
    }
}

/// The longest time keys are trusted while nobody can tell whether they still are: a week. Without
/// an end a withdrawn key would live as long as an outage can be made to last.
const MOST_STALE: Duration = Duration::from_secs(7 * 24 * 3600);

fn at_least(what: &str, found: Duration, wanted_ms: u64) -> Result<(), ConfigError> {
    if found < Duration::from_millis(wanted_ms) {
        return Err(ConfigError::new(format!(
            "{what} is {} ms, wanted at least {wanted_ms} ms",
            found.as_millis()
        )));
    }
    Ok(())
}

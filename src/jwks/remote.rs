//! Keys that an issuer publishes, as their owner sees them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::discovery::{Metadata, Source};
use super::file::KeyFile;
use super::pace::Pace;
use super::set::KeySet;
use super::shared::{Newest, Shared, Snapshot};
use crate::clock::UnixTime;
use crate::error::{ConfigError, Error};
use crate::fetch::{DEADLINE, Fetch, Fetcher, MAX_BYTES, secure_url};
use crate::fetch_default::default_fetcher;
use crate::jitter::Jitter;
use crate::status::KeyStatus;
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
    origins: Vec<String>,
    file: Option<PathBuf>,
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
    /// identical to `issuer`, and its `jwks_uri` of the same origin, or one that is
    /// [allowed by name](RemoteJwksBuilder::allow_jwks_origin).
    ///
    /// Building fails unless `issuer` is an https URL; http is for loopback only.
    pub fn discover(issuer: &str) -> RemoteJwksBuilder {
        RemoteJwksBuilder::new(Metadata::of(issuer).map(Source::Discover))
    }

    /// The newest keys. Never waits.
    pub(crate) fn newest(&self, moment: &Moment<'_>) -> Newest {
        self.0.newest(moment)
    }

    /// The refusal of a name that the newest set is known to lack, until the issuer may be asked again.
    pub(crate) fn known_absent(&self, kid: Option<&str>, moment: &Moment<'_>) -> Option<Error> {
        self.0.known_absent(kid, moment)
    }

    /// Waits until the engine has tried to bring a set that `has` the key `kid`.
    ///
    /// # Errors
    ///
    /// [`Reason::KeysUnavailable`](crate::Reason::KeysUnavailable) if no newer set could be had,
    /// [`Reason::UnknownKey`](crate::Reason::UnknownKey) if the newest is known to lack it.
    pub(crate) async fn renewed(
        &self,
        kid: Option<&str>,
        has: &(dyn Fn(&KeySet) -> bool + Sync),
        moment: &Moment<'_>,
    ) -> Result<(), Error> {
        self.0.renewed(kid, has, moment).await
    }

    pub(crate) fn status(&self, now: UnixTime) -> KeyStatus {
        self.0.status(now)
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
                shortest: Duration::from_secs(60),
                longest_lifetime: Duration::from_secs(24 * 3600),
                interval: Duration::from_secs(5),
                wait: Duration::from_secs(2),
                stale: Duration::from_secs(3600),
                metadata: Duration::from_secs(3600),
            },
            jitter: Jitter::by_chance(),
            origins: Vec::new(),
            file: None,
        }
    }

    /// Uses an HTTP client of your own. Default: reqwest with rustls, if the feature `reqwest` is
    /// on.
    pub fn fetch(mut self, fetch: impl Fetch) -> RemoteJwksBuilder {
        self.fetcher = Some(Fetcher::new(fetch));
        self
    }

    /// How long a key set is fresh if the issuer does not say (`Cache-Control: max-age` less `Age`, RFC
    /// 9111). It is fetched anew in the background at 80 % of that, a little earlier by chance so that
    /// many servers do not ask at once; with `If-None-Match` if the issuer gave it an `ETag`. Default:
    /// 10 minutes; at least 10 seconds.
    pub fn lifetime(mut self, lifetime: Duration) -> RemoteJwksBuilder {
        self.pace.lifetime = lifetime;
        self
    }

    /// Holds what the issuer says about the lifetime between these two: a key that it withdraws serves
    /// for up to 80 % of it, and an issuer that says `no-cache` must not be asked all the time.
    /// Default: from 1 minute to 24 hours; at least 10 seconds.
    pub fn lifetime_between(mut self, shortest: Duration, longest: Duration) -> RemoteJwksBuilder {
        self.pace.shortest = shortest;
        self.pace.longest_lifetime = longest;
        self
    }

    /// The least time between two fetches that tokens with an unknown `kid` cause, however many
    /// there are. Default: 5 seconds; at least 1 second, and at most half of the shortest lifetime that
    /// a key set may have here, or a set could be over before it may be fetched anew. It bounds how
    /// long a new key may have to wait. A fetch that failed is tried again after about 1, 2, 4 and so on
    /// up to 30 seconds, or later if the issuer's `Retry-After` says so, by at most 5 minutes.
    pub fn refresh_interval(mut self, interval: Duration) -> RemoteJwksBuilder {
        self.pace.interval = interval;
        self
    }

    /// How long a request with an unknown `kid` waits for a fetch. Default: 2 seconds. If none may
    /// begin in that time, the answer is 503 at once: whether the key is new or made up is not
    /// known yet. It is that, too, while 1,024 requests wait already.
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

    /// Reads the issuer's metadata again after this time, with the next fetch of the keys; sooner if
    /// that fetch has failed. While the metadata cannot be had the keys are fetched from where they
    /// were, for as long as stale keys would be trusted. Default: 1 hour; at least 1 minute. For
    /// [`RemoteJwks::discover`].
    pub fn metadata_lifetime(mut self, lifetime: Duration) -> RemoteJwksBuilder {
        self.pace.metadata = lifetime;
        self
    }

    /// Lets the metadata's `jwks_uri` lie at this origin (scheme, host and port), for an issuer that
    /// publishes its keys elsewhere. Default: at the issuer's own origin alone, so that who can change
    /// one of its documents cannot lead us to keys of theirs or into our own network. For
    /// [`RemoteJwks::discover`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "reqwest")] {
    /// use portcullis::RemoteJwks;
    ///
    /// let keys = RemoteJwks::discover("https://as.example")
    ///     .allow_jwks_origin("https://keys.example")
    ///     .build()?;
    /// # }
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    pub fn allow_jwks_origin(mut self, origin: &str) -> RemoteJwksBuilder {
        self.origins.push(origin.to_owned());
        self
    }

    /// Keeps the last good key set in this file, so that a server that is started anew during an outage
    /// knows its keys: [`build`](Self::build) reads it, each good fetch replaces it at once and whole.
    /// The age of the keys counts on: they serve no longer than they would have without the restart.
    /// Default: none.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "reqwest")] {
    /// use portcullis::RemoteJwks;
    ///
    /// # let folder = std::env::temp_dir();
    /// let keys = RemoteJwks::discover("https://as.example")
    ///     .last_known_good(folder.join("as.example.json")) // such as in /var/lib/calendar
    ///     .build()?;
    /// # }
    /// # Ok::<(), portcullis::ConfigError>(())
    /// ```
    ///
    /// Whoever can write the file says which keys are good; it is created for its owner alone. Each key
    /// source needs a file of its own; servers with the same source may share one.
    pub fn last_known_good(mut self, file: impl Into<PathBuf>) -> RemoteJwksBuilder {
        self.file = Some(file.into());
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
    /// [`ConfigError`] if the URL or an allowed origin is not https (or http on loopback), origins are
    /// allowed for a `jwks_uri` that is given, a duration is out of bounds, the file's folder does not
    /// exist, or there is neither a [`fetch`](Self::fetch) nor the feature `reqwest`.
    pub fn build(self) -> Result<RemoteJwks, ConfigError> {
        let mut source = self.source?;
        for origin in &self.origins {
            match &mut source {
                Source::Discover(metadata) => metadata.allow_origin(origin)?,
                Source::At(_) => {
                    return Err(ConfigError::new(
                        "an origin is allowed for a jwks_uri that is given, wanted RemoteJwks::discover",
                    ));
                }
            }
        }
        at_least("lifetime", self.pace.lifetime, 10_000)?;
        at_least("refresh_interval", self.pace.interval, 1_000)?;
        at_least("shortest lifetime", self.pace.shortest, 10_000)?;
        at_least("metadata_lifetime", self.pace.metadata, 60_000)?;
        let shortest = self.pace.lifetime.min(self.pace.shortest);
        if self.pace.interval > shortest / 2 {
            return Err(ConfigError::new(format!(
                "refresh_interval is {} ms, wanted at most half of the shortest lifetime of {} ms",
                self.pace.interval.as_millis(),
                shortest.as_millis()
            )));
        }
        if self.pace.longest_lifetime < self.pace.shortest {
            return Err(ConfigError::new(format!(
                "longest lifetime is {} s, wanted at least the shortest of {} s",
                self.pace.longest_lifetime.as_secs(),
                self.pace.shortest.as_secs()
            )));
        }
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
            self.file.map(KeyFile::at).transpose()?,
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

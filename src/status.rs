//! What an operator wants to know of a running gate: how fresh its keys are, whether its endpoints
//! answer.

use serde::Serialize;

use crate::clock::UnixTime;

/// The state of everything a server depends on, as of one moment; see
/// [`ResourceServer::status`](crate::ResourceServer::status).
///
/// It serializes as JSON, with moments as seconds since 1970 (fractions of them, too), for a page of your operators'. Its sentences name URLs and quote what
/// upstreams said, never a token or secret; they are not for clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Every key set that is fetched, an issuer each.
    pub keys: Vec<KeyStatus>,
    /// Every endpoint or store that is asked about single tokens.
    pub endpoints: Vec<EndpointStatus>,
}

impl Status {
    /// Adds what another part of the server says.
    pub(crate) fn extend(&mut self, other: Status) {
        self.keys.extend(other.keys);
        self.endpoints.extend(other.endpoints);
    }
}

/// The state of one issuer's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyStatus {
    /// The issuer, or the `jwks_uri` if that was given.
    pub source: String,
    /// The names (`kid`) of the keys that serve now, an empty one for a key without; none before the
    /// first set came, and none once it is trusted no more.
    pub kids: Vec<String>,
    /// When the newest set was fetched, or confirmed by a 304.
    pub fetched_at: Option<UnixTime>,
    /// Seconds since then.
    pub age_seconds: Option<u64>,
    /// When the next fetch is due. One that waiting requests cause may come sooner.
    pub next_refresh: Option<UnixTime>,
    /// Until when the keys serve if no fetch succeeds any more.
    pub trusted_until: Option<UnixTime>,
    /// Why the last fetch brought nothing; `None` after a good one.
    pub last_error: Option<String>,
    /// How often fetching was begun.
    pub fetches: u64,
    /// How often that brought nothing.
    pub failures: u64,
    /// How often the issuer said that nothing has changed (304).
    pub not_modified: u64,
}

/// The state of one endpoint or store that is asked about tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EndpointStatus {
    /// The URL, or `look-up` for a store of your own.
    pub endpoint: String,
    /// Whether calls are let through; `false` while its circuit breaker is open.
    pub available: bool,
    /// When the next call is let through, if none is now.
    pub retry_at: Option<UnixTime>,
    /// Calls under way.
    pub in_flight: usize,
    /// Requests that wait for their turn to call.
    pub waiting: usize,
    /// Why the last call failed; `None` after a good one.
    pub last_error: Option<String>,
    /// How often it was called.
    pub calls: u64,
    /// How often that failed.
    pub failures: u64,
    /// How many times somebody was not asked, since it is left alone or crowded. The answer was a 503,
    /// unless [`while_down`](crate::VerdictLifetime::while_down) let an earlier acceptance serve.
    pub turned_away: u64,
}

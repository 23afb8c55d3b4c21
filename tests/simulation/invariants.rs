//! What the gate promises about its keys, and what would break without.

/// A promise that was not kept.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) invariant: Invariant,
    pub(crate) how: String,
}

pub(crate) fn broken<T>(invariant: Invariant, how: String) -> Result<T, Broken> {
    Err(Broken { invariant, how })
}

/// All of these hold at every step of every schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Invariant {
    /// A token that nobody with a published key has signed never passes: else anybody gets in.
    NoForgery,
    /// No token passes whose key the newest set lacks, remembered or not: else a stolen key works
    /// on after it was withdrawn.
    WithdrawnIsWithdrawn,
    /// Keys serve until the set was fetched + lifetime + `trust_stale_for`, and not a millisecond
    /// longer, restarts included: else whoever can cut the gate off from its issuer keeps a
    /// withdrawn key alive.
    StaleHasAnEnd,
    /// A token whose key is known and trusted is judged without the clock moving, outage or not: else
    /// a slow issuer stalls every request.
    KnownKeyNeverWaits,
    /// A valid token is accepted if fetches succeed and its key was served for `refresh_interval` and
    /// as long as the longest of them took: else rotations and made-up names starve real users. That
    /// time counts from when the key was published, or from the first fetch that succeeded after one
    /// that failed, whichever is later; if fetches take longer than requests wait, from when
    /// somebody asked in vain.
    ServedKeyIsAccepted,
    /// A valid token of a published key is never answered 401: else the client throws it away, and
    /// every rotation logs people out. The exception: a name that was asked for *before* it was
    /// published is known to be absent until the next fetch may begin, so for less than
    /// `refresh_interval`.
    PublishedKeyIsNo401,
    /// A key is called unknown (401) only on the word of the newest fetch, and if that is no older than
    /// an interval: while none succeeds the answer is 503, else an outage logs everybody out.
    OutageIsNo401,
    /// Fetches keep their pace, whatever the load: one per `refresh_interval` while they succeed, one
    /// per 70 % of the lifetime if nobody asks, one per back-off or `Retry-After` while they fail: else
    /// the gate hammers an issuer that is down already.
    FetchPace,
    /// One fetch at a time: else a slow issuer gets more requests the slower it is.
    OneFlight,
    /// The metadata are read again on a schedule of their own, and when the keys cannot be had where
    /// they were: else an issuer that moves its keys is lost, or asked for more than there is need.
    MetadataOnSchedule,
    /// A set is fetched anew by 80 % of its lifetime, and as soon as it may be if it is asked for: else
    /// requests wait at its end.
    RefreshInTime,
    /// After a failure the next fetch begins within the back-off of at most 30 s, or the issuer's
    /// `Retry-After` of at most 5 minutes: else the gate is down for longer than its issuer.
    Recovery,
    /// Nobody waits for longer than `wait_at_most`: else requests pile up.
    WaitIsBounded,
    /// `Retry-After` is more than nothing and at most the longest pause, and who comes back then is
    /// served, if the issuer is well: else clients come back in vain.
    RetryAfterIsHonest,
    /// What waits and sleeps is bounded by the requests that may wait: else an outage fills the memory.
    MemoryIsBounded,
    /// Nothing runs once the last handle is gone and the last pause over: else each reload leaves a
    /// task that fetches for ever.
    EndsWithItsHandles,
    /// The status tells what is so: else operators look for the fault in the wrong place.
    StatusIsTrue,
}

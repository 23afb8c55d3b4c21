//! All durations of one key source.

use std::time::Duration;

/// How often, how long, and for how long.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// How long a set is fresh if the issuer does not say.
    pub(super) lifetime: Duration,
    /// Between these is how long it is fresh if the issuer says so.
    pub(super) shortest: Duration,
    pub(super) longest_lifetime: Duration,
    /// Between two rounds that somebody waits for.
    pub(super) interval: Duration,
    pub(super) wait: Duration,
    pub(super) stale: Duration,
    /// How old the metadata may be that names the key set.
    pub(super) metadata: Duration,
}

/// How long an issuer that is in trouble may ask to be left alone. For longer, its word would make of
/// a hiccup an outage.
const LONGEST_LEAVE: Duration = Duration::from_secs(300);

impl Pace {
    /// How long a set is fresh, if the issuer said `fresh_for`.
    pub(super) fn clamp(&self, fresh_for: Option<Duration>) -> Duration {
        match fresh_for {
            Some(said) => said.clamp(self.shortest, self.longest_lifetime),
            None => self.lifetime,
        }
    }

    /// The pause after a failure that would by itself be `back_off`.
    pub(super) fn retry(&self, back_off: Duration, retry_after: Option<Duration>) -> Duration {
        back_off.max(retry_after.unwrap_or_default().min(LONGEST_LEAVE))
    }

    /// The pause after a good round: 70 to 80 % of what is fresh.
    pub(super) fn due(&self, fresh_for: Duration, chance: f64) -> Duration {
        fresh_for.mul_f64(0.8 - 0.1 * chance)
    }
}

//! What every verifier that asks somebody about a token can be told, said once.

use std::time::Duration;

use crate::error::ConfigError;
use crate::fetch::DEADLINE;
use crate::jitter::Jitter;
use crate::verify::VerdictLifetime;

pub(super) struct Settings {
    pub(super) deadline: Duration,
    pub(super) max_concurrent: usize,
    pub(super) max_waiting: usize,
    pub(super) accepted: Duration,
    pub(super) refused: Duration,
    pub(super) while_down: Duration,
    pub(super) jitter: Jitter,
}

/// The gate gives every verification up after 30 seconds: before that the endpoint's failure must be
/// known as one.
const LONGEST_DEADLINE: Duration = Duration::from_secs(25);

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            deadline: DEADLINE,
            max_concurrent: 64,
            max_waiting: 1_000,
            accepted: Duration::from_secs(30),
            refused: Duration::from_secs(10),
            while_down: Duration::ZERO,
            jitter: Jitter::by_chance(),
        }
    }
}

impl Settings {
    /// # Errors
    ///
    /// If the deadline or the number of calls is zero, since nobody could ever be asked; if the deadline
    /// is above 25 seconds.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.deadline.is_zero() {
            return Err(ConfigError::new("deadline is 0, wanted more"));
        }
        if self.deadline > LONGEST_DEADLINE {
            return Err(ConfigError::new(format!(
                "deadline is {} s, wanted at most {} s",
                self.deadline.as_secs(),
                LONGEST_DEADLINE.as_secs()
            )));
        }
        if self.max_concurrent == 0 {
            return Err(ConfigError::new("max_concurrent is 0, wanted at least 1"));
        }
        Ok(())
    }

    /// # Errors
    ///
    /// If accepted tokens are trusted for too long.
    pub(super) fn lifetime(&self) -> Result<VerdictLifetime, ConfigError> {
        VerdictLifetime::accepted(self.accepted)
            .refused(self.refused)
            .checked_while_down(self.while_down)
    }
}

/// The setters of a builder that has `settings: Settings`. `$accepted` says what it means that an
/// accepted token is remembered.
macro_rules! setters {
    ($accepted:literal) => {
        /// How long a request waits in all: for its turn to call, for the answer, and for the answer
        /// to a second call if the connection breaks. Default: 5 seconds; at most 25. Half of it is for the call,
        /// so a turn that does not come in the other half does not come.
        pub fn deadline(mut self, deadline: Duration) -> Self {
            self.settings.deadline = deadline;
            self
        }

        /// How many calls may be under way at a time. Default: 64, so that a crowd of new tokens, or
        /// an answer that is slow to come, costs a bounded number of connections. Further requests
        /// wait in line.
        pub fn max_concurrent(mut self, calls: usize) -> Self {
            self.settings.max_concurrent = calls;
            self
        }

        /// How many requests may wait for their turn to call. Default: 1,000; zero: none. Who finds
        /// the line full is answered 503 at once, with `Retry-After: 1`, since whoever waits holds
        /// memory and a client.
        pub fn max_waiting(mut self, requests: usize) -> Self {
            self.settings.max_waiting = requests;
            self
        }

        #[doc = $accepted]
        /// Default: 30 seconds; zero asks each time.
        pub fn remember_accepted(mut self, lifetime: Duration) -> Self {
            self.settings.accepted = lifetime;
            self
        }

        /// How long a refused token is remembered. Default: 10 seconds; zero asks each time.
        pub fn remember_refused(mut self, lifetime: Duration) -> Self {
            self.settings.refused = lifetime;
            self
        }

        /// Lets an accepted token pass for `longer` than it is remembered while nobody can be asked.
        /// Default: zero; at most 1 hour. See
        /// [`VerdictLifetime::while_down`](crate::VerdictLifetime::while_down) for what ends it
        /// sooner. A token that is revoked during an outage passes for so much longer. The endpoint is
        /// still asked first, so a token passes after up to the [deadline](Self::deadline) until the
        /// circuit breaker is open.
        pub fn trust_accepted_while_down(mut self, longer: Duration) -> Self {
            self.settings.while_down = longer;
            self
        }

        /// Draws the chance in the circuit breaker's pauses from `seed`, so that a simulation can be
        /// played again. Default: by chance, which is what keeps many servers from calling at once.
        #[cfg(feature = "testing")]
        pub fn jitter_seed(mut self, seed: u64) -> Self {
            self.settings.jitter = crate::jitter::Jitter::seeded(seed);
            self
        }
    };
}

pub(super) use setters;

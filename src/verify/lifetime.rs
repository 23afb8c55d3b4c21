//! How long what was found out about a token may be remembered.

use std::time::Duration;

use crate::error::ConfigError;

/// How long the verdict cache may remember what a [`Verifier`](crate::Verifier) said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct VerdictLifetime {
    accepted: Duration,
    refused: Duration,
    /// Unless it is the same as `refused`.
    revoked: Option<Duration>,
    while_down: Duration,
}

/// How long an acceptance may at most be trusted past its end.
const LONGEST_WHILE_DOWN: Duration = Duration::from_secs(3600);

impl VerdictLifetime {
    /// Remembers accepted tokens for `accepted`, never past their end, and no refusals. Zero:
    /// each request is verified anew.
    pub const fn accepted(accepted: Duration) -> VerdictLifetime {
        VerdictLifetime {
            accepted,
            refused: Duration::ZERO,
            revoked: None,
            while_down: Duration::ZERO,
        }
    }

    /// Remembers refused tokens for `refused`, apart from the others. Failures of our own upstream
    /// are never remembered.
    pub const fn refused(self, refused: Duration) -> VerdictLifetime {
        VerdictLifetime { refused, ..self }
    }

    /// Remembers for `revoked` that [`Verifier::confirm`](crate::Verifier::confirm) has refused a token,
    /// which by itself may be good: until then it is refused everywhere, afterwards only where
    /// freshness is demanded. Default: as refused ones.
    pub const fn revoked(self, revoked: Duration) -> VerdictLifetime {
        VerdictLifetime {
            revoked: Some(revoked),
            ..self
        }
    }

    /// Lets an acceptance serve for `longer` than it is remembered while the verifier answers that it
    /// is [unavailable](crate::Error::unavailable): it was asked and could not say. At most an hour; more
    /// counts as one. Never past the token's `exp`, nor a refusal, nor
    /// [`forget`](crate::ResourceServer::forget), and never where
    /// [freshness](crate::ResourceServer::fresh) is demanded. Default: zero.
    ///
    /// It costs this: a token that is revoked during an outage passes for so much longer.
    pub const fn while_down(self, longer: Duration) -> VerdictLifetime {
        let while_down = match longer.as_secs() < LONGEST_WHILE_DOWN.as_secs() {
            true => longer,
            false => LONGEST_WHILE_DOWN,
        };
        VerdictLifetime { while_down, ..self }
    }

    /// As [`while_down`](Self::while_down), for builders, which do not take more than an hour for one.
    #[cfg_attr(not(feature = "introspection"), allow(dead_code))]
    pub(crate) fn checked_while_down(
        self,
        longer: Duration,
    ) -> Result<VerdictLifetime, ConfigError> {
        if longer > LONGEST_WHILE_DOWN {
            return Err(ConfigError::new(format!(
                "accepted tokens are trusted for {} s while the endpoint is down, wanted at most {} s",
                longer.as_secs(),
                LONGEST_WHILE_DOWN.as_secs()
            )));
        }
        Ok(self.while_down(longer))
    }

    /// The shorter of both, of each.
    pub(crate) fn shorter(self, other: VerdictLifetime) -> VerdictLifetime {
        VerdictLifetime {
            accepted: self.accepted.min(other.accepted),
            refused: self.refused.min(other.refused),
            revoked: Some(self.of_revoked().min(other.of_revoked())),
            while_down: self.while_down.min(other.while_down),
        }
    }

    pub(crate) const fn of_accepted(self) -> Duration {
        self.accepted
    }

    #[cfg_attr(not(feature = "cache"), allow(dead_code))]
    pub(crate) const fn of_refused(self) -> Duration {
        self.refused
    }

    pub(crate) fn of_revoked(self) -> Duration {
        self.revoked.unwrap_or(self.refused)
    }

    pub(crate) const fn of_while_down(self) -> Duration {
        self.while_down
    }
}

impl Default for VerdictLifetime {
    fn default() -> VerdictLifetime {
        VerdictLifetime::accepted(Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn of_two_lifetimes_the_shorter_counts() {
        let long = VerdictLifetime::accepted(seconds(30)).refused(seconds(10));
        assert_eq!(long.of_revoked(), seconds(10));
        let mixed = VerdictLifetime::accepted(seconds(300))
            .revoked(seconds(20))
            .while_down(seconds(60));
        assert_eq!(mixed.of_while_down(), seconds(60));
        let both = long.shorter(mixed);
        assert_eq!(
            (both.of_accepted(), both.of_refused()),
            (seconds(30), Duration::ZERO)
        );
        assert_eq!(
            (both.of_revoked(), both.of_while_down()),
            (seconds(10), Duration::ZERO)
        );
    }

    #[test]
    fn an_acceptance_serves_for_an_hour_at_most_while_nobody_can_be_asked() {
        let lifetime = VerdictLifetime::default();
        let told = |longer| {
            lifetime
                .checked_while_down(longer)
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            told(seconds(3600)).map(VerdictLifetime::of_while_down),
            Ok(seconds(3600))
        );
        assert_eq!(
            told(seconds(3601)).unwrap_err(),
            "accepted tokens are trusted for 3601 s while the endpoint is down, wanted at most 3600 s"
        );
        for more in [
            seconds(3600),
            Duration::from_millis(3_600_001),
            Duration::MAX,
        ] {
            assert_eq!(lifetime.while_down(more).of_while_down(), seconds(3600));
        }
    }
}

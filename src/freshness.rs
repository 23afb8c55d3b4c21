//! How old the knowledge may be that a token was not revoked.

use std::time::Duration;

use crate::clock::UnixTime;

/// How old the knowledge may be that a token still stands, where a route demands it; see
/// [`ResourceServer::fresh`](crate::ResourceServer::fresh).
///
/// # Examples
///
/// ```
/// use portcullis::Freshness;
/// use std::time::Duration;
///
/// let within_seconds = Freshness::within(Duration::from_secs(5));
/// let on_each_request = Freshness::within(Duration::ZERO);
/// # let _ = (within_seconds, on_each_request);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Freshness {
    within: Duration,
}

impl Freshness {
    /// Admits what was asked less than `within` ago: a token that was revoked earlier is refused. To
    /// the millisecond; zero asks on each request.
    pub const fn within(within: Duration) -> Freshness {
        Freshness { within }
    }

    /// Whether what was asked at `asked` is young enough now. What was asked in the future was asked
    /// before the clock was set back, so nobody knows how long ago.
    pub(crate) fn admits(self, asked: UnixTime, now: UnixTime) -> bool {
        asked <= now && now.since(asked) < self.within
    }
}

/// What a request must know of its token.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// That it is good.
    Proof,
    /// That it was not revoked, either, as of so long ago.
    Standing(Freshness),
}

#[cfg_attr(not(feature = "cache"), allow(dead_code))]
impl Need {
    /// Whether it is met by an answer of somebody who was asked at `asked`, or by one for which nobody
    /// was.
    pub(crate) fn met_by(self, asked: Option<UnixTime>, now: UnixTime) -> bool {
        match self {
            Need::Proof => true,
            Need::Standing(freshness) => asked.is_some_and(|asked| freshness.admits(asked, now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_a_moment_ago_is_fresh() {
        let now = UnixTime::from_millis(10_000);
        let at = |within, asked| {
            let within = Duration::from_millis(within);
            Freshness::within(within).admits(UnixTime::from_millis(asked), now)
        };
        assert!(at(5_000, 5_001));
        assert!(!at(5_000, 5_000));
        assert!(at(1, 10_000));
        assert!(!at(0, 10_000));
        assert!(!at(5_000, 10_001), "the clock was set back");
    }
}

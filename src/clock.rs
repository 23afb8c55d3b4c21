//! Where time comes from, so that a test of a year takes a microsecond.

use std::fmt;
use std::future::Future;
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment as JWT counts it: time since 1970-01-01T00:00:00Z, to the millisecond.
///
/// `NumericDate` (RFC 7519 §2) may be fractional, so whole seconds are not enough. Arithmetic
/// saturates: a hostile `exp` of `1e300` is the far future, never an overflow.
///
/// # Examples
///
/// ```
/// use portcullis::UnixTime;
/// use std::time::Duration;
///
/// let noon = UnixTime::from_secs(1_795_262_400);
/// assert_eq!((noon + Duration::from_secs(60)).as_secs(), 1_795_262_460);
/// assert_eq!(noon.since(noon + Duration::from_secs(60)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The latest moment that can be named.
    pub const MAX: UnixTime = UnixTime(i64::MAX);
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: UnixTime = UnixTime(0);

    /// Names the moment `seconds` after the epoch.
    pub const fn from_secs(seconds: i64) -> UnixTime {
        UnixTime(seconds.saturating_mul(1000))
    }

    /// Names the moment `milliseconds` after the epoch.
    pub const fn from_millis(milliseconds: i64) -> UnixTime {
        UnixTime(milliseconds)
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The time that passed since `earlier`; zero if that is not in the past.
    pub fn since(self, earlier: UnixTime) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads a `NumericDate`. `None` unless it is finite.
    pub(crate) fn from_numeric_date(seconds: f64) -> Option<UnixTime> {
        // `as` saturates, so 1e300 becomes the latest moment, and rounds towards zero.
        seconds
            .is_finite()
            .then_some(UnixTime((seconds * 1000.0) as i64))
    }
}

/// Seconds above this are milliseconds: it is the year 5138, or, so misread, March 1973.
pub(crate) const MOST_SECONDS: i64 = 100_000_000_000;

impl serde::Serialize for UnixTime {
    /// Writes a `NumericDate`: the seconds since the epoch.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.rem_euclid(1000) {
            0 => serializer.serialize_i64(self.as_secs()),
            _ => serializer.serialize_f64(self.0 as f64 / 1000.0),
        }
    }
}

impl Add<Duration> for UnixTime {
    type Output = UnixTime;

    fn add(self, duration: Duration) -> UnixTime {
        UnixTime(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for UnixTime {
    type Output = UnixTime;

    fn sub(self, duration: Duration) -> UnixTime {
        UnixTime(self.0.saturating_sub(millis(duration)))
    }
}

fn millis(duration: Duration) -> i64 {
    // Not by way of `as_millis`: 128 bits are slow to divide, and every request reads the clock.
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    seconds
        .saturating_mul(1000)
        .saturating_add(i64::from(duration.subsec_millis()))
}

impl fmt::Display for UnixTime {
    /// Prints the seconds since the epoch, as a token would hold them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.rem_euclid(1000) {
            0 => write!(f, "{}", self.as_secs()),
            millis => write!(f, "{}.{millis:03}", self.as_secs()),
        }
    }
}

/// A future behind a pointer, as traits that are used through a pointer return it.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tells the time and waits.
///
/// The gate asks no other clock. [`SystemClock`] is the default; tests turn a
/// `testing::ManualClock` by hand.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> UnixTime;

    /// Completes once `duration` has passed on this clock.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> UnixTime {
        C::now(self)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        C::sleep(self, duration)
    }
}

/// The machine's clock; waits on tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        // A machine set before 1970 reads as 1970. Tokens with an `iat` or `nbf` are then not yet
        // valid; no clock so wrong can judge an `exp`.
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        UnixTime(millis(since_epoch))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_dates_may_be_fractional_but_must_be_finite() {
        let half = UnixTime::from_numeric_date(1_795_231_139.5);
        assert_eq!(half, Some(UnixTime(1_795_231_139_500)));
        assert_eq!(UnixTime::from_numeric_date(1e300), Some(UnixTime::MAX));
        assert_eq!(UnixTime::from_numeric_date(f64::NAN), None);
        assert_eq!(UnixTime::from_numeric_date(f64::INFINITY), None);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(UnixTime::MAX + Duration::MAX, UnixTime::MAX);
        assert_eq!(UnixTime::from_secs(i64::MAX), UnixTime::MAX);
        assert_eq!(UnixTime::EPOCH.since(UnixTime::MAX), Duration::ZERO);
    }

    #[test]
    fn prints_as_a_token_holds_it() {
        assert_eq!(UnixTime::from_millis(1_500).to_string(), "1.500");
        assert_eq!(UnixTime::from_secs(7).to_string(), "7");
    }
}

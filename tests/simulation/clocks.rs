//! The two clocks of a machine: timers run on the one, and somebody may set the other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use portcullis::testing::ManualClock;
use portcullis::{Clock, UnixTime};

/// Milliseconds since the simulation began, as timers count them: they never go back.
pub(crate) type Time = u64;

pub(crate) const SECOND: Time = 1_000;
pub(crate) const MINUTE: Time = 60 * SECOND;
pub(crate) const HOUR: Time = 60 * MINUTE;

/// What the clock on the wall shows at the beginning.
pub(crate) const BEGIN: UnixTime = UnixTime::from_secs(1_795_262_400);

/// As on a real machine, a wall clock that is set moves no timer. (`ManualClock` alone is one clock for
/// both.)
#[derive(Clone)]
pub(crate) struct Clocks {
    timers: ManualClock,
    /// By how much the wall clock is off, in milliseconds.
    off: Arc<AtomicI64>,
}

impl Clocks {
    pub(crate) fn new() -> Clocks {
        Clocks {
            timers: ManualClock::at(BEGIN),
            off: Arc::new(AtomicI64::new(0)),
        }
    }

    pub(crate) fn time(&self) -> Time {
        count(self.timers.now())
    }

    /// Lets time pass until `time`, and wakes who slept until then.
    pub(crate) fn turn_to(&self, time: Time) {
        self.timers.set(BEGIN + Duration::from_millis(time));
    }

    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.timers.next_wake().map(count)
    }

    pub(crate) fn sleepers(&self) -> usize {
        self.timers.sleepers()
    }

    /// Sets the clock on the wall ahead, or back.
    pub(crate) fn shift(&self, by: i64) {
        self.off.fetch_add(by, Ordering::Relaxed);
    }
}

fn count(moment: UnixTime) -> Time {
    u64::try_from(moment.since(BEGIN).as_millis()).unwrap()
}

impl Clock for Clocks {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.timers.now().as_millis() + self.off.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.timers.sleep(duration)
    }
}

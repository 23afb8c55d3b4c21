//! The clock that stands still until a test turns it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::clock::{Clock, UnixTime};

/// A [`Clock`] you turn by hand, so a test of a year takes a microsecond and none sleeps.
///
/// Clones share one time. A sleep counts from the moment it is asked for, to the millisecond, and
/// completes when [`advance`](Self::advance) or [`set`](Self::set) reaches its end; setting the
/// clock back afterwards does not undo that. Nothing here looks at real time.
///
/// # Examples
///
/// ```
/// use portcullis::testing::ManualClock;
/// use portcullis::{Clock, UnixTime};
/// use std::time::Duration;
///
/// let clock = ManualClock::at(UnixTime::from_secs(1_000));
/// let nap = clock.sleep(Duration::from_secs(60));
/// assert_eq!(clock.sleepers(), 1);
/// assert_eq!(clock.next_wake(), Some(UnixTime::from_secs(1_060)));
///
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), UnixTime::from_secs(1_060));
/// assert_eq!(clock.sleepers(), 0);
/// # drop(nap);
/// ```
#[derive(Clone)]
pub struct ManualClock {
    dial: Arc<Mutex<Dial>>,
}

struct Dial {
    now: UnixTime,
    /// By deadline, then by the order of asking: they are woken in this order.
    sleepers: BTreeMap<(UnixTime, u64), Option<Waker>>,
    slept: u64,
}

impl ManualClock {
    /// Makes a clock that stands at `now`.
    pub fn at(now: UnixTime) -> ManualClock {
        ManualClock {
            dial: Arc::new(Mutex::new(Dial {
                now,
                sleepers: BTreeMap::new(),
                slept: 0,
            })),
        }
    }

    /// Turns the clock forward by `duration` (to the millisecond) and wakes who slept until then.
    ///
    /// A task that sleeps again and again wakes once, however far the jump; to let it live through
    /// every turn, [`set`](Self::set) the clock to [`next_wake`](Self::next_wake) and let the
    /// runtime run, repeatedly.
    pub fn advance(&self, duration: Duration) {
        let dial = lock(&self.dial);
        let moment = dial.now + duration;
        turn(dial, moment);
    }

    /// Sets the clock to `moment`, which may be in the past, and wakes who slept until then.
    pub fn set(&self, moment: UnixTime) {
        turn(lock(&self.dial), moment);
    }

    /// How many sleeps have not ended. A dropped sleep is none.
    pub fn sleepers(&self) -> usize {
        lock(&self.dial).sleepers.len()
    }

    /// When the first of the sleeps ends; `None` if nobody sleeps.
    pub fn next_wake(&self) -> Option<UnixTime> {
        let dial = lock(&self.dial);
        dial.sleepers
            .first_key_value()
            .map(|((deadline, _), _)| *deadline)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixTime {
        lock(&self.dial).now
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut dial = lock(&self.dial);
        dial.slept += 1;
        let place = (dial.now + duration, dial.slept);
        if place.0 > dial.now {
            dial.sleepers.insert(place, None);
        }
        Box::pin(Sleep {
            dial: Arc::clone(&self.dial),
            place,
        })
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dial = lock(&self.dial);
        f.debug_struct("ManualClock")
            .field("now", &dial.now)
            .field("sleepers", &dial.sleepers.len())
            .finish()
    }
}

/// A sleep has ended when it is no longer among the sleepers.
struct Sleep {
    dial: Arc<Mutex<Dial>>,
    place: (UnixTime, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match lock(&self.dial).sleepers.get_mut(&self.place) {
            None => Poll::Ready(()),
            Some(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        lock(&self.dial).sleepers.remove(&self.place);
    }
}

fn turn(mut dial: MutexGuard<'_, Dial>, moment: UnixTime) {
    dial.now = moment;
    let still_asleep = dial.sleepers.split_off(&(moment, u64::MAX));
    let awake = std::mem::replace(&mut dial.sleepers, still_asleep);
    // A waker may run its task, or drop it with its sleeps, right here: not under the lock.
    drop(dial);
    awake.into_values().flatten().for_each(Waker::wake);
}

fn lock(dial: &Mutex<Dial>) -> MutexGuard<'_, Dial> {
    dial.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> ManualClock {
        ManualClock::at(UnixTime::from_secs(1_000))
    }

    #[tokio::test]
    async fn sleeps_end_when_the_clock_gets_there() {
        let clock = clock();
        let sleeping = tokio::spawn(clock.sleep(Duration::from_secs(10)));
        tokio::task::yield_now().await;
        clock.advance(Duration::from_millis(9_999));
        tokio::task::yield_now().await;
        assert!(!sleeping.is_finished());
        clock.clone().advance(Duration::from_millis(1));
        sleeping.await.unwrap();
        assert_eq!(clock.now(), UnixTime::from_secs(1_010));
    }

    #[tokio::test]
    async fn an_ended_sleep_stays_ended_when_the_clock_goes_back() {
        let clock = clock();
        let sleep = clock.sleep(Duration::from_secs(10));
        clock.set(UnixTime::from_secs(2_000));
        clock.set(UnixTime::from_secs(500));
        sleep.await;
        clock.sleep(Duration::ZERO).await;
        assert_eq!(clock.now(), UnixTime::from_secs(500));
    }

    #[test]
    fn sleepers_are_counted_until_they_wake_or_are_dropped() {
        let clock = clock();
        assert_eq!(clock.next_wake(), None);
        let first = clock.sleep(Duration::from_secs(5));
        let second = clock.sleep(Duration::from_secs(5));
        let third = clock.sleep(Duration::from_secs(60));
        assert_eq!(clock.sleepers(), 3);
        drop(first);
        assert_eq!(clock.sleepers(), 2);
        assert_eq!(clock.next_wake(), Some(UnixTime::from_secs(1_005)));
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.next_wake(), Some(UnixTime::from_secs(1_060)));
        assert_eq!(
            format!("{clock:?}"),
            "ManualClock { now: UnixTime(1005000), sleepers: 1 }"
        );
        drop((second, third));
        assert_eq!(clock.sleepers(), 0);
    }
}

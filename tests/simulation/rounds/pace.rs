//! When the gate may fetch, and when it must.

use super::Rounds;
use crate::clocks::{MINUTE, SECOND, Time};
use crate::invariants::{Broken, Invariant, broken};

/// The first pause after a failure, the longest, how much of a pause chance may take off, and how
/// long an issuer may ask to be left alone.
const FIRST_RETRY: Time = SECOND;
const LAST_RETRY: Time = 30 * SECOND;
const LEAST_RETRY: f64 = 0.8;
const LONGEST_LEAVE: Time = 5 * MINUTE;
/// A set is fetched anew between these parts of its lifetime.
const REFRESH: (f64, f64) = (0.7, 0.8);

impl Rounds {
    /// How long a round may take at most.
    pub(crate) fn longest_round(&self) -> Time {
        match self.settings.metadata {
            None => self.settings.deadline,
            Some(_) => 3 * self.settings.deadline,
        }
    }

    /// The longest time there may be between two rounds if somebody waits.
    pub(crate) fn longest_pause(&self) -> Time {
        let pause = self.pause_after_failure().1.max(LAST_RETRY);
        self.settings.interval.max(pause)
    }

    /// The shortest and the longest pause after the last failure.
    fn pause_after_failure(&self) -> (Time, Time) {
        let doubled = FIRST_RETRY << (self.failures.max(1) - 1).min(16);
        let pause = doubled.min(LAST_RETRY);
        let leave = self.leave.unwrap_or(0) * SECOND;
        let leave = leave.min(LONGEST_LEAVE);
        (part(pause, LEAST_RETRY).max(leave), pause.max(leave))
    }

    /// The pauses from the beginning of the last good round to the next: the shortest and the longest.
    fn refresh(&self) -> (Time, Time) {
        let fresh_for = self.adopted.as_ref().map_or(0, |adopted| adopted.fresh_for);
        let (interval, (soonest, latest)) = (self.settings.interval, REFRESH);
        (
            part(fresh_for, soonest).max(interval),
            part(fresh_for, latest).max(interval),
        )
    }

    /// [`Invariant::FetchPace`], when a round begins.
    pub(super) fn keeps_pace(&self, at: Time) -> Result<(), Broken> {
        let Some(last) = self.past.last() else {
            return Ok(());
        };
        // Whoever sets the clock ahead by an hour has waited for an hour.
        if self.ahead >= Some(last.began) {
            return Ok(());
        }
        // Who still waits when a round is over may ask for another.
        let asking = self.asking.last().map(|at| self.frozen_since(*at));
        let asked = asking.is_some_and(|at| at + self.settings.wait >= last.ended);
        let least = match (last.good, asked) {
            (true, true) => last.began + self.settings.interval,
            (true, false) => last.began + self.refresh().0,
            (false, _) => last.ended + self.pause_after_failure().0,
        };
        // Pauses end on a whole millisecond.
        if at + 1 < least {
            let how = format!("a fetch began {} ms too early after {last:?}", least - at);
            return broken(Invariant::FetchPace, how);
        }
        Ok(())
    }

    /// [`Invariant::RefreshInTime`] and [`Invariant::Recovery`].
    pub(crate) fn are_in_time(&self, now: Time) -> Result<(), Broken> {
        let (Some(last), None) = (self.past.last(), &self.running) else {
            return Ok(());
        };
        if !last.good {
            let pause = self.pause_after_failure().1;
            // Who asks then waits for the whole pause, and no longer.
            let again = if self.back >= Some(last.ended) {
                pause
            } else {
                0
            };
            if now > last.ended + pause + again {
                let how = format!("no fetch came within {pause} ms after {last:?}");
                return broken(Invariant::Recovery, how);
            }
            return Ok(());
        }
        let interval = self.settings.interval;
        let mut latest = (last.began + self.refresh().1).max(last.ended);
        let ring = self.rings.get(last.rings).copied();
        if self.back >= Some(last.began) {
            latest = last.ended + self.refresh().1 + interval;
            latest = ring.map_or(latest, |ring| latest.min(ring + interval));
        } else if let Some(ring) = ring {
            latest = latest.min(ring.max(last.began + interval));
        }
        if now > latest {
            let how = format!("no fetch came until {latest} after {last:?}");
            return broken(Invariant::RefreshInTime, how);
        }
        Ok(())
    }
}

fn part(of: Time, share: f64) -> Time {
    (of as f64 * share) as Time
}

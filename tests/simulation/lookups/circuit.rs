//! What the circuit breaker must be doing, as far as it can be told from the calls.

use std::time::Duration;

use portcullis::UnixTime;

use super::endpoint::Reply;

/// So many failures in a row open it.
const ROW: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How much of a pause is left if chance takes most off.
const LEAST: f64 = 0.8;

pub(crate) struct Circuit {
    state: State,
    failures: u32,
    openings: u32,
    /// Counts the changes: a call has a say in the era it began in.
    era: u64,
    /// Between these is the end of the pause.
    until: (UnixTime, UnixTime),
    /// The clock was set since it was closed last: when the pause ends is not known.
    vague: bool,
    /// Whether somebody may have been turned away since everybody was at rest.
    turns_away: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Closed,
    Open,
    Probing,
}

impl Circuit {
    pub(crate) fn new() -> Circuit {
        Circuit {
            state: State::Closed,
            failures: 0,
            openings: 0,
            era: 0,
            until: (UnixTime::EPOCH, UnixTime::EPOCH),
            vague: false,
            turns_away: false,
        }
    }

    /// A call begins: its era, or why it may not.
    pub(crate) fn enter(&mut self, now: UnixTime) -> Result<u64, String> {
        match self.state {
            State::Closed => {}
            State::Probing => return Err("a call beside the probe".to_owned()),
            State::Open if now < self.until.0 && !self.vague => {
                return Err(format!(
                    "a call at {now}, the pause is until {}",
                    self.until.0
                ));
            }
            State::Open => self.change(State::Probing),
        }
        Ok(self.era)
    }

    /// A call of `era` has ended, with whatever retry there was.
    pub(crate) fn ended(&mut self, era: u64, reply: Reply, now: UnixTime) {
        let told = match reply {
            Reply::Active | Reply::Inactive | Reply::Useless => return self.answered(era),
            Reply::Paused(seconds) if seconds > 0 => Some(Duration::from_secs(seconds)),
            _ => None,
        };
        let told = told.map(|told| told.min(LONGEST_PAUSE));
        let has_a_say = era == self.era;
        let opens = match self.state {
            State::Closed if has_a_say => {
                self.failures += 1;
                self.failures >= ROW || told.is_some()
            }
            State::Closed => told.is_some(),
            State::Open | State::Probing => has_a_say,
        };
        if opens {
            self.failures = 0;
            let doubled = (FIRST_PAUSE * 2u32.pow(self.openings.min(6))).min(LONGEST_PAUSE);
            let told = told.unwrap_or_default();
            self.openings += 1;
            self.pause(
                now + doubled.mul_f64(LEAST).max(told),
                now + doubled.max(told),
            );
            self.change(State::Open);
        } else if let Some(told) = told {
            self.pause(now + told, now + told);
        }
    }

    fn answered(&mut self, era: u64) {
        if era != self.era {
            return;
        }
        self.failures = 0;
        if self.state != State::Closed {
            self.openings = 0;
            self.until = (UnixTime::EPOCH, UnixTime::EPOCH);
            self.vague = false;
            self.change(State::Closed);
        }
    }

    fn pause(&mut self, least: UnixTime, most: UnixTime) {
        // Drawn as a duration, it ends on a whole millisecond.
        let least = least - Duration::from_millis(1);
        self.until = (self.until.0.max(least), self.until.1.max(most));
    }

    fn change(&mut self, state: State) {
        self.turns_away |= self.state != State::Closed || state != State::Closed;
        self.state = state;
        self.era += 1;
    }

    pub(crate) fn clock_was_set(&mut self) {
        self.vague = self.state != State::Closed;
    }

    /// Whether somebody may be turned away, or may have been since everybody was at rest.
    pub(crate) fn may_turn_away(&self, now: UnixTime) -> bool {
        self.turns_away
            || match self.state {
                State::Closed => false,
                State::Probing => true,
                State::Open => now < self.until.1 || self.vague,
            }
    }

    /// Everybody is at rest. Whether calls are let through, if that is certain.
    pub(crate) fn rest(&mut self, now: UnixTime) -> Option<bool> {
        self.turns_away = false;
        match self.state {
            State::Closed => Some(true),
            State::Probing => Some(false),
            State::Open if self.vague => None,
            State::Open if now < self.until.0 => Some(false),
            State::Open if now >= self.until.1 => Some(true),
            State::Open => None,
        }
    }
}

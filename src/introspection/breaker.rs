//! The circuit breaker: who fails is left alone for a while, and then tried with a single call.
//!
//! | circuit | what happens | and then |
//! |---|---|---|
//! | closed | an answer | closed; no failures in a row |
//! | closed | a failure, fewer than 5 in a row | closed |
//! | closed | the 5th failure in a row, or one that names a pause | open for that pause |
//! | open | a call, before the pause is over | turned away |
//! | open | a call, after it | let through as the probe |
//! | probing | a call | turned away |
//! | probing | the probe is answered | closed |
//! | probing | the probe fails | open for twice as long |
//! | probing | the probe is given up | open, the pause over: the next call is the probe |
//!
//! Calls that were let through before the circuit last changed change nothing any more, but a pause
//! they bring word of is kept.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::UnixTime;
use crate::jitter::{Jitter, LONGEST_PAUSE};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// So many failures in a row, with no answer between them, open the circuit.
const ROW: u32 = 5;

/// When it is worth coming back while a probe is under way.
pub(super) const PROBE_WAIT: Duration = Duration::from_secs(1);

/// Decides which calls an endpoint gets. Everything happens under one lock, held for a few
/// instructions.
pub(super) struct Breaker {
    state: Mutex<State>,
}

struct State {
    circuit: Circuit,
    /// Until when there are no calls, unless the circuit is closed.
    until: UnixTime,
    /// Counts the changes of the circuit: a call has a say in the era in which it was let through.
    era: u64,
    /// Failures in a row while the circuit is closed.
    failures: u32,
    /// How often in a row it was opened.
    openings: u32,
    /// The last failure.
    why: Arc<str>,
    jitter: Jitter,
}

#[derive(Clone, Copy, PartialEq)]
enum Circuit {
    Closed,
    Open,
    Probing,
}

/// No call now.
#[derive(Debug, PartialEq)]
pub(super) struct TurnedAway {
    /// When the next call is let through.
    pub(super) wait: Duration,
    /// The last failure.
    pub(super) why: Arc<str>,
}

/// The leave to call, to be given back with what came of it. Dropped before that, it says nothing
/// about the endpoint, and a probe makes room for another.
///
/// Its methods take it whole, so dropping it locks a second time: after their own lock is gone, since
/// what a function declares goes before what it was given.
#[must_use]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    era: u64,
}

impl Breaker {
    pub(super) fn new(jitter: Jitter) -> Breaker {
        Breaker {
            state: Mutex::new(State {
                circuit: Circuit::Closed,
                until: UnixTime::EPOCH,
                era: 0,
                failures: 0,
                openings: 0,
                why: Arc::from(""),
                jitter,
            }),
        }
    }

    /// Lets a call through, or turns it away.
    pub(super) fn enter(&self, now: UnixTime) -> Result<Pass<'_>, TurnedAway> {
        let mut state = self.state();
        if let Some(away) = state.turn_away(now) {
            return Err(away);
        }
        if state.circuit == Circuit::Open {
            state.change(Circuit::Probing);
        }
        let era = state.era;
        drop(state);
        Ok(Pass { breaker: self, era })
    }

    /// How a call would be turned away now; `None` if it would be let through.
    pub(super) fn turned_away(&self, now: UnixTime) -> Option<TurnedAway> {
        self.state().turn_away(now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn turn_away(&mut self, now: UnixTime) -> Option<TurnedAway> {
        let wait = match self.circuit {
            Circuit::Closed => return None,
            Circuit::Probing => PROBE_WAIT,
            Circuit::Open => {
                // Should the clock have been set back, no pause is longer for it.
                self.until = self.until.min(now + LONGEST_PAUSE);
                if now >= self.until {
                    return None;
                }
                self.until.since(now)
            }
        };
        let why = self.why.clone();
        Some(TurnedAway { wait, why })
    }

    fn change(&mut self, circuit: Circuit) {
        self.circuit = circuit;
        self.era += 1;
    }

    /// Opens the circuit for a pause of its own, or `told` if that is longer.
    fn open(&mut self, now: UnixTime, told: Option<Duration>) {
        self.openings = self.openings.saturating_add(1);
        let pause = self.jitter.back_off(self.openings);
        self.until = self.until.max(now + told.unwrap_or_default().max(pause));
        self.change(Circuit::Open);
    }
}

impl Pass<'_> {
    /// Notes that the endpoint has answered. `true` if that has closed the circuit.
    pub(super) fn answered(self) -> bool {
        let mut state = self.breaker.state();
        if state.era != self.era {
            return false;
        }
        state.failures = 0;
        if state.circuit == Circuit::Closed {
            return false;
        }
        state.openings = 0;
        state.until = UnixTime::EPOCH;
        state.change(Circuit::Closed);
        true
    }

    /// Notes that the endpoint has failed, and for how long it has asked to be left alone. `true` if
    /// that has opened the circuit.
    pub(super) fn failed(self, now: UnixTime, pause: Option<Duration>, why: Arc<str>) -> bool {
        let told = pause.filter(|pause| !pause.is_zero());
        let told = told.map(|pause| pause.min(LONGEST_PAUSE));
        let mut state = self.breaker.state();
        state.why = why;
        let has_a_say = state.era == self.era;
        let opens = match state.circuit {
            Circuit::Closed if has_a_say => {
                state.failures += 1;
                state.failures >= ROW || told.is_some()
            }
            Circuit::Closed => told.is_some(),
            Circuit::Open | Circuit::Probing => has_a_say,
        };
        if opens {
            state.failures = 0;
            state.open(now, told);
        } else if let Some(told) = told {
            state.until = state.until.max(now + told);
        }
        opens
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.breaker.state();
        // A pass that was given back has moved the era on, if it was the probe.
        if state.era == self.era && state.circuit == Circuit::Probing {
            state.change(Circuit::Open);
        }
    }
}

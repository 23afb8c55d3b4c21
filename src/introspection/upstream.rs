//! Whoever is asked about single tokens, and how much of their trouble becomes ours: a time budget,
//! turns, a circuit breaker, one retry.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::breaker::{Breaker, Pass, TurnedAway};
use super::settings::Settings;
use super::turns::{NoTurn, Turns};
use super::unsaid::Unsaid;
use crate::clock::{BoxFuture, Clock};
use crate::error::Error;
use crate::fetch::{FetchError, either};
use crate::status::{EndpointStatus, Status};
use crate::verify::Moment;

/// An endpoint or a store that is asked about tokens, one call each.
pub(super) struct Upstream {
    words: Words,
    deadline: Duration,
    turns: Turns,
    breaker: Breaker,
    /// Why the last call failed; `None` after a good one.
    last_error: Mutex<Option<Arc<str>>>,
    calls: AtomicU64,
    failures: AtomicU64,
    turned_away: AtomicU64,
    /// Whether the log knows that there is a crowd.
    is_crowded: AtomicBool,
}

/// How it is spoken of.
pub(super) struct Words {
    /// What the status calls it.
    pub(super) place: String,
    /// What sentences call it.
    pub(super) name: String,
    /// How a sentence about a failed call begins.
    pub(super) failed: String,
}

/// Why a call has told nothing about its token.
#[derive(Debug)]
pub(super) struct Fault {
    why: String,
    blame: Blame,
    /// When it is worth coming back.
    retry_after: Option<Duration>,
}

/// What a fault says about who was asked.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blame {
    /// Nothing bad: there was an answer.
    Nobody,
    Failed,
    /// Failed, and wants to be left alone for so long.
    Paused(Duration),
    /// Failed, because the connection broke.
    Broken,
}

/// When it is worth coming back after a failed call, if nobody says otherwise.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// When it is worth coming back to a crowd.
const CROWD_WAIT: Duration = Duration::from_secs(1);

impl Fault {
    /// There was an answer, but none that tells about this token. It does not count for the circuit
    /// breaker: whoever has a token that provokes it could keep all others from being asked about.
    pub(super) fn of_this_call(why: impl fmt::Display) -> Fault {
        Fault::new(why, Blame::Nobody)
    }

    /// There was no answer, or one that shows that nothing works there.
    pub(super) fn failure(why: impl fmt::Display) -> Fault {
        Fault::new(why, Blame::Failed)
    }

    /// As [`failure`](Self::failure), and there are to be no calls for so long, if that was said.
    pub(super) fn pause(why: impl fmt::Display, pause: Option<Duration>) -> Fault {
        Fault::new(why, pause.map_or(Blame::Failed, Blame::Paused))
    }

    pub(super) fn with_retry_after(self, wait: Duration) -> Fault {
        let retry_after = Some(wait);
        Fault {
            retry_after,
            ..self
        }
    }

    fn new(why: impl fmt::Display, blame: Blame) -> Fault {
        Fault {
            why: why.to_string(),
            blame,
            retry_after: None,
        }
    }
}

impl From<FetchError> for Fault {
    fn from(error: FetchError) -> Fault {
        match error.is_broken() {
            true => Fault::new(error, Blame::Broken),
            false => Fault::failure(error),
        }
    }
}

impl Upstream {
    pub(super) fn new(words: Words, settings: &Settings) -> Upstream {
        Upstream {
            words,
            deadline: settings.deadline,
            turns: Turns::new(settings.max_concurrent, settings.max_waiting),
            breaker: Breaker::new(settings.jitter.clone()),
            last_error: Mutex::new(None),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            is_crowded: AtomicBool::new(false),
        }
    }

    /// Calls when it is this request's turn, and once more if the connection breaks, all within the
    /// deadline. What is told of a failure, to this request or another, repeats nothing of `unsaid`.
    ///
    /// Dropping the future gives back whatever it holds: its place in line, its turn, the probe.
    pub(super) async fn call<T, A>(
        &self,
        clock: &Arc<dyn Clock>,
        unsaid: &Unsaid<'_>,
        attempt: impl Fn() -> A,
    ) -> Result<T, Error>
    where
        A: Future<Output = Result<T, Fault>>,
    {
        // Whoever would be turned away must not wait in line for it.
        if let Some(away) = self.breaker.turned_away(clock.now()) {
            return Err(self.turn_away(&away));
        }
        let timeout = clock.sleep(self.deadline);
        // Half of the time is kept for the call. Under a lasting crush everybody's turn would
        // otherwise come just before the deadline, and every call would be in vain.
        let turn = self.turns.take(|| clock.sleep(self.deadline / 2)).await;
        let _turn = turn.map_err(|none| self.no_turn(&none))?;
        let pass = self.breaker.enter(clock.now());
        let pass = pass.map_err(|away| self.turn_away(&away))?;
        match self.attempts(attempt, timeout).await {
            Ok(answer) => {
                *self.last_error() = None;
                self.answered(pass);
                if self.turns.waiting() == 0 {
                    self.is_crowded.store(false, Ordering::Relaxed);
                }
                Ok(answer)
            }
            Err(fault) => Err(self.fault(fault, pass, clock, unsaid)),
        }
    }

    /// One attempt, or two: a connection may break without anybody's fault, such as an idle one that
    /// the other side closes at the same moment. An answer is never asked for again.
    async fn attempts<T, A>(
        &self,
        attempt: impl Fn() -> A,
        mut timeout: BoxFuture<'static, ()>,
    ) -> Result<T, Fault>
    where
        A: Future<Output = Result<T, Fault>>,
    {
        let mut retried = false;
        loop {
            self.calls.fetch_add(1, Ordering::Relaxed);
            let outcome = either(attempt(), &mut timeout).await.unwrap_or_else(|| {
                let limit = self.deadline.as_millis();
                Err(Fault::failure(format!("no whole answer within {limit} ms")))
            });
            if outcome.is_err() {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            match outcome {
                Err(fault) if fault.blame == Blame::Broken && !retried => retried = true,
                outcome => return outcome,
            }
        }
    }

    /// Notes a failed call, and says what its request is told.
    fn fault(
        &self,
        fault: Fault,
        pass: Pass<'_>,
        clock: &Arc<dyn Clock>,
        unsaid: &Unsaid<'_>,
    ) -> Error {
        let why: Arc<str> = unsaid.withhold(fault.why).into();
        *self.last_error() = Some(why.clone());
        let now = clock.now();
        let opened = match fault.blame {
            Blame::Nobody => {
                self.answered(pass);
                false
            }
            Blame::Failed | Blame::Broken => pass.failed(now, None, why.clone()),
            Blame::Paused(pause) => pass.failed(now, Some(pause), why.clone()),
        };
        let left_alone = self.breaker.turned_away(now).map(|away| away.wait);
        if opened {
            let millis = left_alone.unwrap_or_default().as_millis();
            let name = &self.words.name;
            tracing::warn!("the {name} is left alone for {millis} ms: {why}");
        }
        let retry_after = fault.retry_after.max(left_alone).unwrap_or(RETRY_AFTER);
        let error = Error::unavailable(retry_after, format!("{}: {why}", self.words.failed));
        match fault.blame {
            Blame::Nobody => error.ours(),
            _ => error,
        }
    }

    /// What the request of an answer is told that came, and cannot be used. Nothing of `unsaid` is repeated,
    /// as with any other failure: whoever wrote the answer may have.
    #[cfg(feature = "jwt")]
    pub(super) fn unusable(&self, fault: Fault, unsaid: &Unsaid<'_>) -> Error {
        let why = unsaid.withhold(fault.why);
        let sentence = format!("{}: {why}", self.words.failed);
        self.failures.fetch_add(1, Ordering::Relaxed);
        *self.last_error() = Some(why.into());
        Error::unavailable(RETRY_AFTER, sentence).ours()
    }

    fn answered(&self, pass: Pass<'_>) {
        if pass.answered() {
            tracing::info!("the {} answers again", self.words.name);
        }
    }

    fn turn_away(&self, away: &TurnedAway) -> Error {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        let name = &self.words.name;
        let sentence = format!("the {name} is left alone for now, it failed: {}", away.why);
        Error::unavailable(away.wait, sentence).told()
    }

    fn no_turn(&self, none: &NoTurn) -> Error {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        let why = match none {
            NoTurn::Full => "too many requests wait to call it".to_owned(),
            NoTurn::Late => {
                let limit = (self.deadline / 2).as_millis();
                format!("no turn to call it within {limit} ms")
            }
        };
        if !self.is_crowded.swap(true, Ordering::Relaxed) {
            tracing::warn!("the {} has a crowd before it: {why}", self.words.name);
        }
        Error::unavailable(CROWD_WAIT, format!("{}: {why}", self.words.failed))
            .told()
            .ours()
    }

    pub(super) fn status(&self, moment: &Moment<'_>) -> Status {
        let now = moment.now();
        let away = self.breaker.turned_away(now);
        let endpoint = EndpointStatus {
            endpoint: self.words.place.clone(),
            available: away.is_none(),
            retry_at: away.map(|away| now + away.wait),
            in_flight: self.turns.in_use(),
            waiting: self.turns.waiting(),
            last_error: self.last_error().as_deref().map(str::to_owned),
            calls: self.calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            turned_away: self.turned_away.load(Ordering::Relaxed),
        };
        Status {
            endpoints: vec![endpoint],
            ..Status::default()
        }
    }

    /// Held for a few instructions.
    fn last_error(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        let locked = self.last_error.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

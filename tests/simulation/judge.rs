//! Holds every answer of the gate against what it has promised. Knows what was sent over the network
//! and what requests were answered, and nothing of the inside.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis::{Reason, UnixTime};

use crate::clocks::Time;
use crate::invariants::{Broken, Invariant, broken};
use crate::keys::MOST_KEYS;
use crate::report::Seen;
use crate::rounds::{Adopted, Rounds};

/// Whose token a request shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bearer {
    Key(usize),
    /// It names this key; somebody else has signed it.
    Forged(usize),
    MadeUp(u64),
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Outcome {
    Accepted,
    /// 401.
    Refused(Reason),
    /// 503.
    Unavailable(Option<Duration>),
}

/// A request, and what was known when it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) bearer: Bearer,
    pub(crate) at: Time,
    wall: UnixTime,
    /// When somebody began to wait with the same token: all get the same answer.
    began: Time,
    /// Whether the newest set had its key, and was trusted.
    knew: bool,
    /// It was answered 503 before, at this time, and comes back when it was told to.
    again: Option<Time>,
    /// So many wait already that no more may.
    crowded: bool,
}

/// An answer, and when it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) outcome: Outcome,
    pub(crate) at: Time,
    pub(crate) wall: UnixTime,
    /// At the first look, before anybody else has run.
    pub(crate) at_once: bool,
}

pub(crate) struct Judge {
    pub(crate) rounds: Rounds,
    /// Since when each key is published.
    published: [Option<Time>; MOST_KEYS],
    /// When each key was last asked for while it was not published.
    early: [Option<Time>; MOST_KEYS],
    /// What the gate has in its file, until it looks.
    kept: Option<Adopted>,
    pub(crate) pending: BTreeMap<usize, Request>,
    pub(crate) seen: Seen,
}

/// How many requests may wait for keys at a time; those with the same token at the same server count as
/// one.
const MOST_WAITING: usize = 1024;

/// How far in the future a set may have been fetched that is taken out of the file.
const MOST_AHEAD: Duration = Duration::from_secs(300);

impl Judge {
    pub(crate) fn new(rounds: Rounds) -> Judge {
        Judge {
            rounds,
            published: [None; MOST_KEYS],
            early: [None; MOST_KEYS],
            kept: None,
            pending: BTreeMap::new(),
            seen: Seen::default(),
        }
    }

    pub(crate) fn published(&mut self, key: usize, at: Time) {
        self.published[key] = Some(at);
    }

    pub(crate) fn withdrawn(&mut self, key: usize) {
        self.published[key] = None;
    }

    /// The gate is started anew: it knows nothing but what is in its file.
    pub(crate) fn restarted(&mut self, kept: Option<Adopted>) {
        self.rounds = Rounds::new(self.rounds.settings.clone());
        self.early = [None; MOST_KEYS];
        self.kept = kept;
        self.pending.clear();
        self.seen.restarts += 1;
    }

    /// What must hold whenever everybody waits.
    pub(crate) fn at_rest(
        &mut self,
        now: Time,
        sleepers: usize,
        tasks: usize,
    ) -> Result<(), Broken> {
        let wait = self.rounds.settings.wait;
        let flights = self
            .pending
            .values()
            .filter(|request| request.began == request.at);
        if flights.count() > MOST_WAITING {
            let how = format!("more than {MOST_WAITING} requests wait");
            return broken(Invariant::MemoryIsBounded, how);
        }
        for (id, request) in &self.pending {
            // A machine that stands still may not have begun to wait yet.
            let since = self.rounds.frozen_since(request.at);
            if now - since >= wait {
                let how = format!("request {id} waits since {} ms", request.at);
                return broken(Invariant::WaitIsBounded, how);
            }
        }
        // Who hung up is waited for to the end: somebody may have joined.
        let asking = &self.rounds.asking;
        let over = asking.partition_point(|at| self.rounds.frozen_since(*at) + wait <= now);
        let waiting = asking.len() - over;
        // The engine's pause, or a fetch with its deadline; a request with its patience and that of
        // the gate.
        if sleepers > 2 + 2 * waiting || tasks > 1 + 2 * waiting {
            let how = format!("{sleepers} sleepers and {tasks} tasks for {waiting} requests");
            return broken(Invariant::MemoryIsBounded, how);
        }
        self.rounds.rest();
        self.rounds.are_in_time(now)
    }

    /// How long it may take until nothing runs any more: who hung up is waited for, a pause that was
    /// begun ends, and so does one more fetch.
    pub(crate) fn longest_goodbye(&self) -> Time {
        let rounds = &self.rounds;
        rounds.settings.wait + rounds.longest_pause() + rounds.longest_round()
    }

    /// A request comes.
    pub(crate) fn comes(
        &mut self,
        bearer: Bearer,
        at: Time,
        wall: UnixTime,
        again: Option<Time>,
    ) -> Request {
        self.seen.requests += 1;
        if let Some(kept) = self.kept.take()
            && wall < kept.trusted_until
            && kept.fetched <= wall + MOST_AHEAD
        {
            self.seen.kept_used += 1;
            self.rounds.adopted = Some(kept);
        }
        let key = match bearer {
            Bearer::Key(key) | Bearer::Forged(key) => Some(key),
            Bearer::MadeUp(_) => None,
        };
        if let Some(key) = key
            && self.published[key].is_none_or(|since| since == at)
        {
            self.early[key] = Some(at);
        }
        Request {
            bearer,
            at,
            wall,
            began: at,
            knew: key.is_some_and(|key| self.rounds.knows(key, wall)),
            again,
            crowded: self.pending.len() >= MOST_WAITING,
        }
    }

    /// A request was not answered at the first look.
    pub(crate) fn waits(
        &mut self,
        id: usize,
        mut request: Request,
        began: Time,
    ) -> Result<(), Broken> {
        if request.knew {
            let how = format!("{:?} is known, and request {id} waits", request.bearer);
            return broken(Invariant::KnownKeyNeverWaits, how);
        }
        request.began = began;
        self.rounds.asking.push(request.at);
        self.pending.insert(id, request);
        Ok(())
    }

    pub(crate) fn answered(
        &mut self,
        request: &Request,
        answered: &Answered,
    ) -> Result<(), Broken> {
        let at_once = answered.at_once;
        let complaint = || format!("{request:?}, {answered:?}");
        match (request.bearer, answered.outcome) {
            (Bearer::Forged(_) | Bearer::MadeUp(_), Outcome::Accepted) => {
                return broken(Invariant::NoForgery, complaint());
            }
            (Bearer::Key(key), Outcome::Accepted) => {
                // Two may have come, one after the other, before everybody was at rest again.
                let mut sets = self.rounds.recent.iter().chain(&self.rounds.adopted);
                if !sets.any(|set| set.keys.contains(&key)) {
                    return broken(Invariant::WithdrawnIsWithdrawn, complaint());
                }
                let mut sets = self.rounds.recent.iter().chain(&self.rounds.adopted);
                let trusted = match at_once {
                    true => request.knew,
                    false => {
                        sets.any(|set| set.keys.contains(&key) && answered.wall < set.trusted_until)
                    }
                };
                if !trusted {
                    return broken(Invariant::StaleHasAnEnd, complaint());
                }
                self.seen.accepted += 1;
                self.seen.accepted_after_waiting += usize::from(!at_once);
                self.seen.accepted_in_outage += usize::from(self.rounds.failures() > 0);
                self.seen.returned += usize::from(request.again.is_some());
            }
            (Bearer::Key(key), Outcome::Refused(Reason::UnknownKey)) => {
                self.is_on_the_word_of_the_newest(request, complaint)?;
                if self.was_published(key, request) {
                    self.was_asked_for_too_early(key, request, complaint)?;
                }
                self.seen.withdrawn_refused += 1;
            }
            (Bearer::Key(_), Outcome::Refused(_)) => {
                return broken(Invariant::PublishedKeyIsNo401, complaint());
            }
            (Bearer::Forged(_), Outcome::Refused(Reason::Signature)) => {
                self.seen.forged_refused += 1;
            }
            (_, Outcome::Refused(Reason::UnknownKey)) => {
                self.is_on_the_word_of_the_newest(request, complaint)?;
                self.seen.unknown_refused += 1;
            }
            (_, Outcome::Refused(_)) => return broken(Invariant::NoForgery, complaint()),
            (_, Outcome::Unavailable(retry_after)) => {
                if request.knew {
                    return broken(Invariant::KnownKeyNeverWaits, complaint());
                }
                self.is_honest(request, retry_after, answered.at, complaint)?;
                self.need_not_be_served(request, answered, complaint)?;
                self.seen.unavailable += 1;
            }
        }
        Ok(())
    }

    /// [`Invariant::OutageIsNo401`].
    fn is_on_the_word_of_the_newest(
        &self,
        request: &Request,
        complaint: impl Fn() -> String,
    ) -> Result<(), Broken> {
        let rounds = &self.rounds;
        let oldest = rounds.settings.interval.max(rounds.longest_round());
        match rounds.newest_at((request.at, request.wall), oldest) {
            Some(_) => Ok(()),
            None => broken(
                Invariant::OutageIsNo401,
                format!("{}, after {:?}", complaint(), rounds.past.last()),
            ),
        }
    }

    /// Whether a key was published when a request came, and still is. What happens within one millisecond
    /// happens in any order.
    fn was_published(&self, key: usize, request: &Request) -> bool {
        self.published[key].is_some_and(|since| since < request.at)
    }

    /// The exception in [`Invariant::PublishedKeyIsNo401`].
    fn was_asked_for_too_early(
        &mut self,
        key: usize,
        request: &Request,
        complaint: impl Fn() -> String,
    ) -> Result<(), Broken> {
        let newest = self
            .rounds
            .newest_at((request.at, request.wall), self.rounds.settings.interval);
        let excused = newest.is_some_and(|newest| {
            let early = self.early[key].map(|at| self.rounds.frozen_since(at));
            early.is_some_and(|early| early + self.rounds.settings.wait >= newest.began)
        });
        self.seen.asked_for_too_early += usize::from(excused);
        match excused {
            true => Ok(()),
            false => broken(Invariant::PublishedKeyIsNo401, complaint()),
        }
    }

    /// [`Invariant::RetryAfterIsHonest`].
    fn is_honest(
        &mut self,
        request: &Request,
        retry_after: Option<Duration>,
        now: Time,
        complaint: impl Fn() -> String,
    ) -> Result<(), Broken> {
        let rounds = &self.rounds;
        let most = Duration::from_millis(rounds.longest_pause());
        if !retry_after.is_some_and(|after| Duration::ZERO < after && after <= most) {
            return broken(Invariant::RetryAfterIsHonest, complaint());
        }
        let (Some(told), Bearer::Key(key)) = (request.again, request.bearer) else {
            return Ok(());
        };
        if request.began < request.at || request.crowded {
            return Ok(());
        }
        let published = self.published[key].is_some_and(|since| since <= told);
        let mut since = rounds
            .past
            .iter()
            .rev()
            .take_while(|round| round.ended >= told);
        let well = since.all(|round| round.good && round.took() <= rounds.settings.wait);
        // A pause that was begun before the clock was set ends as it was meant to.
        let paused = rounds.past.last().map_or(told, |last| last.began.min(told));
        if published && well && self.runs_in_time(now) && rounds.undisturbed_since(paused) {
            let how = format!("it came back in vain: {}", complaint());
            return broken(Invariant::RetryAfterIsHonest, how);
        }
        Ok(())
    }

    /// Whether a round that runs may yet end in time for who waits.
    fn runs_in_time(&self, now: Time) -> bool {
        let rounds = &self.rounds;
        rounds
            .running_since()
            .is_none_or(|began| now - began < rounds.settings.wait)
    }

    /// [`Invariant::ServedKeyIsAccepted`].
    fn need_not_be_served(
        &self,
        request: &Request,
        answered: &Answered,
        complaint: impl Fn() -> String,
    ) -> Result<(), Broken> {
        let (rounds, now) = (&self.rounds, answered.at);
        let (Bearer::Key(key), Some(streak)) = (request.bearer, &rounds.streak) else {
            return Ok(());
        };
        let Some(published) = self.published[key] else {
            return Ok(());
        };
        let since = published.max(streak.since);
        let runs_for = rounds.running_since().map_or(0, |began| now - began);
        let took = streak.longest.max(runs_for);
        let bound = rounds.settings.interval + took;
        let in_time = took < rounds.settings.wait && request.began >= since + bound;
        let asked = rounds.rung_since(since);
        // A set that ends while the next one is under way is another matter.
        let set = rounds.adopted.as_ref();
        let trusted = set.is_some_and(|set| answered.wall < set.trusted_until);
        let asked = trusted && asked.is_some_and(|ring| request.began >= ring + bound);
        if (asked || in_time) && !request.crowded && rounds.undisturbed_since(since) {
            let how = format!(
                "{}, published at {published}, fetches succeed since {}",
                complaint(),
                streak.since
            );
            return broken(Invariant::ServedKeyIsAccepted, how);
        }
        Ok(())
    }
}

//! Holds every answer of the gate against what it has promised about look-ups. Knows what was sent
//! over the network and what requests were answered, and nothing of the inside.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis::{EndpointStatus, Reason, UnixTime};

use super::circuit::Circuit;
use super::endpoint::{Reply, Told};
use super::invariants::{Broken, Promise, hold};
use super::schedule::{Forgotten, Settings};
use crate::clocks::Time;
use crate::judge::Outcome;
use crate::report::Seen;

/// A verification of one token, that all who show it meanwhile share.
#[derive(Clone, Debug)]
struct Flight {
    token: usize,
    began: Time,
    /// It began between these: whether one that nobody waits for any more has landed is not known.
    wall: (UnixTime, UnixTime),
    /// It has not run yet: a machine that stands still may put that off.
    is_new: bool,
    /// Whether it can be joined: not if its token was forgotten meanwhile.
    listed: bool,
    /// Whether something else was forgotten meanwhile: then its outcome may not be remembered.
    certain: bool,
    riders: usize,
    /// The era of the circuit in which it called, the last call, how many there were, and the last
    /// reply.
    era: u64,
    call: u64,
    calls: u32,
    reply: Option<Reply>,
    /// So many were aloft when it began.
    others: usize,
}

impl Flight {
    fn is_calling(&self) -> bool {
        self.calls > 0 && self.reply.is_none()
    }
}

/// What is remembered of a token.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// It was asked about, or refused, between these.
    wall: (UnixTime, UnixTime),
    began: Time,
    certain: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) token: usize,
    pub(crate) at: Time,
    /// What it must be told at once, if that is certain.
    known: Option<Outcome>,
    flight: u64,
}

pub(crate) struct Judge {
    pub(crate) settings: Settings,
    circuit: Circuit,
    /// By number, in the order they began.
    flights: BTreeMap<u64, Flight>,
    begun: u64,
    accepted: BTreeMap<usize, Known>,
    refused: BTreeMap<usize, Known>,
    revoked: BTreeMap<usize, Time>,
    /// When the clock was set or the machine stood still.
    disturbed: Option<Time>,
    frozen: Option<Time>,
    pub(crate) pending: BTreeMap<usize, Request>,
    /// A broken call that is repeated next.
    repeats: Option<u64>,
    under_way: usize,
    calls: u64,
    failures: u64,
    /// Whether the last call that ended told about its token.
    last_is_good: bool,
    pub(crate) seen: Seen,
}

fn millis(time: Time) -> Duration {
    Duration::from_millis(time)
}

impl Judge {
    pub(crate) fn new(settings: Settings) -> Judge {
        Judge {
            settings,
            circuit: Circuit::new(),
            flights: BTreeMap::new(),
            begun: 0,
            accepted: BTreeMap::new(),
            refused: BTreeMap::new(),
            revoked: BTreeMap::new(),
            disturbed: None,
            frozen: None,
            pending: BTreeMap::new(),
            repeats: None,
            under_way: 0,
            calls: 0,
            failures: 0,
            last_is_good: true,
            seen: Seen::default(),
        }
    }

    pub(crate) fn revoked(&mut self, token: usize, at: Time) {
        self.revoked.entry(token).or_insert(at);
    }

    pub(crate) fn forgotten(&mut self, what: Forgotten) {
        for flight in self.flights.values_mut() {
            flight.certain = false;
            flight.listed &= matches!(what, Forgotten::Token(token) if token != flight.token);
        }
        match what {
            Forgotten::Token(token) => {
                self.accepted.remove(&token);
                self.refused.remove(&token);
            }
            Forgotten::Subject => self.accepted.clear(),
            Forgotten::All => {
                self.accepted.clear();
                self.refused.clear();
            }
        }
    }

    pub(crate) fn clock_was_set(&mut self, at: Time) {
        self.disturbed = Some(at);
        self.circuit.clock_was_set();
        for known in self.accepted.values_mut().chain(self.refused.values_mut()) {
            known.certain = false;
        }
        for flight in self.flights.values_mut() {
            flight.certain = false;
        }
        self.seen.clock_shifts += 1;
    }

    pub(crate) fn froze(&mut self, until: Time) {
        self.disturbed = Some(until);
        self.frozen = Some(until);
        self.seen.freezes += 1;
    }

    /// A request comes. What is remembered for certain it must be told at once.
    pub(crate) fn comes(&mut self, token: usize, at: Time, wall: UnixTime) -> Request {
        self.seen.requests += 1;
        let stands = |known: &BTreeMap<usize, Known>, lifetime| {
            let known = known.get(&token).filter(|known| known.certain);
            known.is_some_and(|known| wall < known.wall.0 + millis(lifetime))
        };
        let known = if stands(&self.accepted, self.settings.accepted) {
            Some(Outcome::Accepted)
        } else if stands(&self.refused, self.settings.refused)
            && !self.accepted.contains_key(&token)
        {
            Some(Outcome::Refused(Reason::Inactive))
        } else {
            None
        };
        Request {
            token,
            at,
            known,
            flight: 0,
        }
    }

    /// A request waits: it joins a flight, or begins one.
    pub(crate) fn waits(
        &mut self,
        id: usize,
        mut request: Request,
        wall: UnixTime,
    ) -> Result<(), Broken> {
        hold(
            request.known.is_none(),
            Promise::RememberedNeverWaits,
            || format!("{request:?} waits"),
        )?;
        let others = self.flights.len();
        let mut flights = self.flights.iter_mut().rev();
        let joined = flights.find(|(_, flight)| flight.token == request.token && flight.listed);
        request.flight = match joined {
            Some((number, flight)) => {
                // With nobody aboard it may have been turned away by now.
                if flight.riders == 0 && !flight.is_calling() {
                    flight.wall.1 = wall;
                    flight.others = flight.others.max(others);
                }
                flight.riders += 1;
                self.seen.shared += 1;
                *number
            }
            None => {
                self.begun += 1;
                let flight = Flight {
                    token: request.token,
                    began: request.at,
                    wall: (wall, wall),
                    is_new: true,
                    listed: true,
                    certain: true,
                    riders: 1,
                    era: 0,
                    call: 0,
                    calls: 0,
                    reply: None,
                    others,
                };
                self.flights.insert(self.begun, flight);
                self.begun
            }
        };
        self.pending.insert(id, request);
        Ok(())
    }

    /// Everybody has run: what began since they did last began now at the latest.
    pub(crate) fn has_run(&mut self, wall: UnixTime) {
        for flight in self.flights.values_mut() {
            if std::mem::take(&mut flight.is_new) {
                flight.wall.1 = flight.wall.1.max(wall);
            }
        }
    }

    pub(crate) fn hangs_up(&mut self, id: usize) -> bool {
        let Some(request) = self.pending.remove(&id) else {
            return false;
        };
        if let Some(flight) = self.flights.get_mut(&request.flight) {
            flight.riders -= 1;
        }
        self.seen.hung_up += 1;
        true
    }

    pub(crate) fn told(&mut self, told: &Told, wall: UnixTime) -> Result<(), Broken> {
        match *told {
            Told::Asked {
                call,
                token,
                under_way,
            } => self.asked(call, token, under_way, wall),
            Told::Answered { call, token, reply } => {
                self.under_way -= 1;
                hold(
                    self.repeats.is_none(),
                    Promise::OnlyBrokenCallsAreRepeated,
                    || "a call broke and was not repeated at once".to_owned(),
                )?;
                self.answered((call, token), reply, wall);
                Ok(())
            }
        }
    }

    fn asked(
        &mut self,
        call: u64,
        token: usize,
        under_way: usize,
        wall: UnixTime,
    ) -> Result<(), Broken> {
        self.calls += 1;
        self.under_way += 1;
        self.seen.fetches += 1;
        let most = self.settings.concurrent;
        hold(under_way <= most, Promise::CallsAreBounded, || {
            format!("{under_way} calls are under way")
        })?;
        if let Some(number) = self.repeats.take() {
            let flight = self
                .flights
                .get_mut(&number)
                .filter(|flight| flight.token == token);
            hold(
                flight.is_some(),
                Promise::OnlyBrokenCallsAreRepeated,
                || format!("token {token} is asked about, wanted a broken call to be repeated"),
            )?;
            if let Some(flight) = flight {
                flight.calls += 1;
                flight.call = call;
                flight.reply = None;
            }
            self.seen.repeated += 1;
            return Ok(());
        }
        let mut flights = self.flights.values_mut();
        let flight = flights.find(|flight| flight.token == token && flight.calls == 0);
        let Some(flight) = flight else {
            return hold(false, Promise::OneCallForOneToken, || {
                format!("token {token} is asked about, and nobody needs that")
            });
        };
        let entered = self.circuit.enter(wall);
        hold(entered.is_ok(), Promise::OpenMeansNoCall, || {
            format!("{entered:?}")
        })?;
        flight.era = entered.unwrap_or_default();
        flight.call = call;
        flight.calls = 1;
        Ok(())
    }

    fn answered(&mut self, (call, token): (u64, usize), reply: Reply, wall: UnixTime) {
        let is_verdict = matches!(reply, Reply::Active | Reply::Inactive);
        self.failures += u64::from(!is_verdict);
        self.seen.failed_fetches += usize::from(!is_verdict);
        let mut flights = self.flights.iter_mut();
        let calling = flights.find(|(_, flight)| flight.call == call);
        let Some((number, flight)) = calling else {
            return;
        };
        flight.reply = Some(reply);
        if reply == Reply::Broken && flight.calls == 1 {
            self.repeats = Some(*number);
            return;
        }
        self.last_is_good = is_verdict;
        self.circuit.ended(flight.era, reply, wall);
        let known = Known {
            wall: flight.wall,
            began: flight.began,
            certain: flight.certain,
        };
        if !flight.certain {
            // What is not remembered may take with it what is.
            let known = self.accepted.get_mut(&token).into_iter();
            for known in known.chain(self.refused.get_mut(&token)) {
                known.certain = false;
            }
        }
        match reply {
            Reply::Active if flight.listed => {
                self.accepted.insert(token, known);
            }
            Reply::Inactive => {
                if flight.listed {
                    let wall = (wall, wall);
                    self.refused.insert(token, Known { wall, ..known });
                }
                // A token that was accepted before is forgotten by that, and with it what may be found
                // out about those that are told apart from it too late.
                if self.accepted.remove(&token).is_some() {
                    for flight in self.flights.values_mut() {
                        flight.certain = false;
                    }
                }
            }
            _ => {}
        }
    }

    /// A request was answered; at once, if `waited` is `None`.
    pub(crate) fn answers(
        &mut self,
        request: &Request,
        outcome: Outcome,
        (now, wall): (Time, UnixTime),
        at_once: bool,
    ) -> Result<(), Broken> {
        let how = || format!("{request:?} was answered {outcome:?} at {now}, wall {wall}");
        if let (true, Some(known)) = (at_once, request.known) {
            hold(outcome == known, Promise::RememberedNeverWaits, how)?;
        }
        let token = request.token;
        let flight = self
            .flights
            .get(&request.flight)
            .filter(|_| !at_once)
            .cloned();
        let reply = flight.as_ref().and_then(|flight| flight.reply);
        let lasts = |known: Option<&Known>, lifetime| {
            known.is_some_and(|known| wall < known.wall.1 + millis(lifetime))
        };
        let (accepted, refused) = (self.accepted.get(&token), self.refused.get(&token));
        match outcome {
            Outcome::Accepted => {
                // Remembered, or brought by its own flight, or known of before and nobody can be
                // asked.
                let remembered = at_once && lasts(accepted, self.settings.accepted);
                let longer = self.settings.accepted + self.settings.while_down;
                let in_need = !at_once && reply != Some(Reply::Inactive) && lasts(accepted, longer);
                let brought = reply == Some(Reply::Active);
                let promise = match accepted {
                    Some(_) => Promise::RevokedEnds,
                    None => Promise::ForgottenIsForgotten,
                };
                hold(remembered || brought || in_need, promise, how)?;
                self.ends_in_time(token, now, brought, how)?;
                self.seen.accepted += 1;
                self.seen.accepted_after_waiting += usize::from(brought);
                self.seen.accepted_in_outage += usize::from(!remembered && !brought);
                self.seen.passed_revoked += usize::from(self.revoked.contains_key(&token));
            }
            Outcome::Refused(reason) => {
                let word = reply == Some(Reply::Inactive) || lasts(refused, self.settings.refused);
                let own = reason == Reason::Inactive && word;
                hold(own, Promise::OutageIsNo401, how)?;
                self.seen.unknown_refused += 1;
            }
            Outcome::Unavailable(retry_after) => {
                let honest = retry_after.is_some_and(|after| {
                    Duration::ZERO < after && after <= Duration::from_secs(30)
                });
                hold(honest, Promise::RetryAfterIsHonest, how)?;
                let verdict = matches!(reply, Some(Reply::Active | Reply::Inactive));
                hold(!verdict, Promise::AnswersCount, how)?;
                let longer = self.settings.accepted + self.settings.while_down;
                let serves = accepted
                    .is_some_and(|known| known.certain && wall < known.wall.0 + millis(longer));
                // A crowd is no outage, nor is an answer that says nothing of its token.
                let is_outage = match reply {
                    None => self.circuit.may_turn_away(wall),
                    Some(reply) => {
                        matches!(reply, Reply::Broken | Reply::Failed | Reply::Paused(_))
                    }
                };
                hold(!(serves && is_outage), Promise::ServesInNeed, how)?;
                if reply.is_none() {
                    self.is_rightly_turned_away(flight.as_ref(), now, wall, how)?;
                    self.seen.turned_away += 1;
                }
                self.seen.unavailable += 1;
            }
        }
        Ok(())
    }

    /// [`Promise::RevokedEnds`], by the clock on the wall of this world and nothing else.
    fn ends_in_time(
        &self,
        token: usize,
        now: Time,
        brought: bool,
        how: impl Fn() -> String,
    ) -> Result<(), Broken> {
        let settings = &self.settings;
        let Some(revoked) = self.revoked.get(&token) else {
            return Ok(());
        };
        let longest = match brought {
            // The answer may have been on its way.
            true => settings.deadline,
            false => settings.accepted + settings.while_down,
        };
        // By a clock that was set back what is remembered lasts longer. (The cache itself clears it away
        // by the machine's own clock, which stands still here.)
        let known = self
            .accepted
            .get(&token)
            .map_or(*revoked, |known| known.began);
        let undisturbed = self.disturbed.is_none_or(|last| last < known);
        let in_time = now <= revoked + longest || !undisturbed;
        hold(in_time, Promise::RevokedEnds, || {
            format!("{}, revoked at {revoked}", how())
        })
    }

    /// [`Promise::NobodyIsTurnedAwayInVain`].
    fn is_rightly_turned_away(
        &self,
        flight: Option<&Flight>,
        now: Time,
        wall: UnixTime,
        how: impl Fn() -> String,
    ) -> Result<(), Broken> {
        let settings = &self.settings;
        let full = settings.concurrent + settings.waiting;
        let line = flight.is_some_and(|flight| {
            flight.others >= full || now >= flight.began + settings.deadline / 2
        });
        let rightly = line || self.circuit.may_turn_away(wall);
        hold(rightly, Promise::NobodyIsTurnedAwayInVain, || {
            format!("{}, {flight:?}", how())
        })
    }

    /// What must hold whenever everybody waits. Flights whose passengers have been answered are over.
    pub(crate) fn at_rest(
        &mut self,
        landed: &[u64],
        (now, wall): (Time, UnixTime),
        sleepers: usize,
        tasks: usize,
    ) -> Result<Option<bool>, Broken> {
        hold(
            self.repeats.is_none(),
            Promise::OnlyBrokenCallsAreRepeated,
            || "a call broke and was not repeated".to_owned(),
        )?;
        let deadline = self.settings.deadline;
        let since = |time: Time| self.frozen.map_or(time, |frozen| frozen.max(time));
        self.flights.retain(|number, flight| {
            let over = flight.reply.is_some() || landed.contains(number);
            let forgotten = flight.riders == 0 && now >= since(flight.began) + deadline;
            !over && (!forgotten || flight.is_calling())
        });
        for (id, request) in &self.pending {
            let waited = now - since(request.at);
            hold(waited < deadline, Promise::WaitIsBounded, || {
                format!("request {id} waits since {}", request.at)
            })?;
        }
        // A verification has its own patience, that of the line, of the call and of the gate.
        let (aloft, riders) = (self.flights.len(), self.pending.len());
        let bounded = sleepers <= 4 * aloft && tasks <= aloft + riders;
        hold(bounded, Promise::MemoryIsBounded, || {
            format!("{sleepers} sleepers, {tasks} tasks; {aloft} verifications, {riders} requests")
        })?;
        Ok(self.circuit.rest(wall))
    }

    /// [`Promise::StatusIsTrue`].
    pub(crate) fn tells(
        &self,
        status: &EndpointStatus,
        available: Option<bool>,
    ) -> Result<(), Broken> {
        let in_line = self.flights.values().filter(|flight| flight.calls == 0);
        let is_true = available.is_none_or(|available| available == status.available)
            && status.calls == self.calls
            && status.failures == self.failures
            && status.in_flight == self.under_way
            && status.waiting <= in_line.count().min(self.settings.waiting)
            && status.last_error.is_none() == self.last_is_good;
        hold(is_true, Promise::StatusIsTrue, || {
            format!(
                "{status:?}, wanted available {available:?}, {} calls, {} failures, {} under way",
                self.calls, self.failures, self.under_way
            )
        })
    }

    /// The flight that a request is aboard.
    pub(crate) fn flight_of(&self, request: &Request) -> u64 {
        request.flight
    }
}

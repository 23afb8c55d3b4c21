//! What must hold at every step, whatever happens. The judge knows what was sent over the network and
//! what requests were answered, and nothing of the engine's inside.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis::{Reason, UnixTime};

use crate::clocks::{SECOND, Time};
use crate::keys::MOST_KEYS;
use crate::network::{Answer, Told};
use crate::report::Seen;
use crate::schedule::Settings;

/// A promise that was not kept.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) invariant: Invariant,
    pub(crate) how: String,
}

/// The promises of the gate, and what breaks if one is not kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Invariant {
    /// A token that nobody with a published key has signed never passes: else anybody gets in.
    NoForgery,
    /// No token passes whose key the newest set lacks, remembered or not: else a stolen key works
    /// on after it was withdrawn.
    WithdrawnIsWithdrawn,
    /// Keys serve until the set was fetched + lifetime + `trust_stale_for`, and not a millisecond
    /// longer: else whoever can cut the gate off from its issuer keeps a withdrawn key alive.
    StaleHasAnEnd,
    /// A valid token whose key is known is accepted at once, outage or not, without the clock moving:
    /// else a slow issuer stalls every request.
    KnownKeyNeverWaits,
    /// A valid token of a key that was served for `refresh_interval` and the longest fetch is
    /// accepted while fetches succeed: else rotations and made-up names starve real users.
    ServedKeyIsAccepted,
    /// A valid token of a published key is never answered 401: else the client throws it away, and
    /// every rotation logs people out.
    PublishedKeyIsNo401,
    /// A key is called unknown (401) only on the word of a set that is no older than an interval:
    /// while none can be had the answer is 503, else an outage logs everybody out.
    OutageIsNo401,
    /// Fetches keep their pace, whatever the load: one per `refresh_interval` while they succeed, one
    /// per back-off while they fail: else the gate hammers an issuer that is down already.
    FetchPace,
    /// One fetch at a time: else a slow issuer gets more requests the slower it is.
    OneFlight,
    /// A set is fetched anew by 80 % of its lifetime, asked for or not: else requests wait at its end.
    RefreshInTime,
    /// After a failure the next fetch begins within the back-off of at most 30 s: else the gate is
    /// down for longer than its issuer.
    Recovery,
    /// Nobody waits for longer than `wait_at_most`: else requests pile up.
    WaitIsBounded,
    /// `Retry-After` is more than nothing and at most the longest pause, and who comes back then is
    /// served, if the issuer is well: else clients come back in vain.
    RetryAfterIsHonest,
    /// What waits and sleeps is bounded by the requests that may wait: else an outage fills the memory.
    MemoryIsBounded,
    /// Nothing runs once the last handle is gone: else each reload leaves a task that fetches for
    /// ever.
    EndsWithItsHandles,
}

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
    /// Whether the newest set had its key, and was trusted.
    knew: bool,
    published: bool,
    /// It was answered 503 before, at this time, and comes back when it was told to.
    again: Option<Time>,
}

/// A fetch.
#[derive(Debug)]
struct Round {
    began: Time,
    ended: Time,
    good: bool,
    /// How many requests had come by its end that may have asked for it, and that have.
    waits: usize,
    rings: usize,
}

/// A set that the gate has.
struct Adopted {
    keys: Vec<usize>,
    trusted_until: UnixTime,
}

/// Rounds that succeed without one between that fails.
struct Streak {
    since: Time,
    longest: Time,
}

pub(crate) struct Judge {
    settings: Settings,
    adopted: Option<Adopted>,
    rounds: Vec<Round>,
    running: Option<(Time, UnixTime)>,
    failures: u32,
    streak: Option<Streak>,
    /// Since when each key is published.
    published: [Option<Time>; MOST_KEYS],
    /// When requests came that were not answered at the first look: they may have asked for a fetch.
    waits: Vec<Time>,
    /// Those of them that have, for certain.
    rings: Vec<Time>,
    /// When the clock on the wall was last set back, and ahead.
    back: Option<Time>,
    ahead: Option<Time>,
    /// When the machine last stood still.
    frozen: Option<Time>,
    pub(crate) pending: BTreeMap<usize, Request>,
    pub(crate) seen: Seen,
}

/// The first pause after a failure, the longest, and how much of a pause chance may take off.
const FIRST_RETRY: Time = SECOND;
const LAST_RETRY: Time = 30 * SECOND;
const LEAST_RETRY: f64 = 0.8;
/// A set is fetched anew between these parts of its lifetime.
const REFRESH: (f64, f64) = (0.7, 0.8);

impl Judge {
    pub(crate) fn new(settings: Settings) -> Judge {
        Judge {
            settings,
            adopted: None,
            rounds: Vec::new(),
            running: None,
            failures: 0,
            streak: None,
            published: [None; MOST_KEYS],
            waits: Vec::new(),
            rings: Vec::new(),
            back: None,
            ahead: None,
            frozen: None,
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

    pub(crate) fn shifted(&mut self, by: i64, at: Time) {
        let last = if by < 0 { &mut self.back } else { &mut self.ahead };
        *last = Some(at);
        // What was fetched before was fetched at another time.
        self.streak = None;
        self.seen.clock_shifts += 1;
    }

    pub(crate) fn froze(&mut self, until: Time) {
        self.frozen = Some(until);
        self.seen.freezes += 1;
    }

    /// Whether a token of `key` is answered from what is known.
    pub(crate) fn knows(&self, key: usize, wall: UnixTime) -> bool {
        let adopted = self.adopted.as_ref();
        adopted.is_some_and(|set| set.keys.contains(&key) && wall < set.trusted_until)
    }

    /// Until when the newest set is trusted.
    pub(crate) fn trusted_until(&self) -> Option<(UnixTime, &[usize])> {
        let adopted = self.adopted.as_ref()?;
        Some((adopted.trusted_until, &adopted.keys))
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// A request for the keys was sent, or ended. Returns the keys that the gate has lost by that.
    pub(crate) fn told(&mut self, told: &Told) -> Result<Vec<usize>, Broken> {
        match told {
            Told::Asked {
                at,
                wall,
                under_way,
            } => {
                if *under_way != 1 || self.running.is_some() {
                    return broken(
                        Invariant::OneFlight,
                        format!("{under_way} fetches are under way"),
                    );
                }
                self.keeps_pace(*at)?;
                self.running = Some((*at, *wall));
                self.seen.fetches += 1;
                Ok(Vec::new())
            }
            Told::Answered { at, answer } => Ok(self.answered(*at, answer)),
        }
    }

    fn answered(&mut self, at: Time, answer: &Answer) -> Vec<usize> {
        let Some((began, began_wall)) = self.running.take() else {
            return Vec::new();
        };
        let good = matches!(answer, Answer::Keys(_));
        self.rounds.push(Round {
            began,
            ended: at,
            good,
            waits: self.waits.len(),
            rings: self.rings.len(),
        });
        let Answer::Keys(keys) = answer else {
            self.failures += 1;
            self.streak = None;
            self.seen.failed_fetches += 1;
            return Vec::new();
        };
        self.seen.recoveries += usize::from(self.failures > 0);
        self.failures = 0;
        let streak = self.streak.get_or_insert(Streak {
            since: began,
            longest: 0,
        });
        streak.longest = streak.longest.max(at - began);
        let trusted = Duration::from_millis(self.settings.lifetime + self.settings.stale);
        let before = self.adopted.replace(Adopted {
            keys: keys.clone(),
            trusted_until: began_wall + trusted,
        });
        let lost = before.map(|set| set.keys).unwrap_or_default();
        let lost: Vec<usize> = lost.into_iter().filter(|key| !keys.contains(key)).collect();
        self.seen.withdrawals += lost.len();
        lost
    }

    /// [`Invariant::FetchPace`], when a fetch begins.
    fn keeps_pace(&self, at: Time) -> Result<(), Broken> {
        let Some(last) = self.rounds.last() else {
            return Ok(());
        };
        let settings = &self.settings;
        // Whoever sets the clock ahead by an hour has waited for an hour.
        if self.ahead >= Some(last.began) {
            return Ok(());
        }
        let least = if last.good {
            let refresh = part(settings.lifetime, REFRESH.0);
            match self.waits.len() > last.waits {
                true => last.began + settings.interval.min(refresh),
                false => last.began + refresh,
            }
        } else {
            last.ended + part(self.back_off(), LEAST_RETRY)
        };
        // Pauses end on a whole millisecond.
        if at + 1 < least {
            let how = format!("a fetch began at {at}, {} ms too early after {last:?}", least - at);
            return broken(Invariant::FetchPace, how);
        }
        Ok(())
    }

    fn rung_since(&self, since: Time) -> Option<Time> {
        let first = self.rings.partition_point(|ring| *ring < since);
        self.rings.get(first).copied()
    }

    /// The longest pause after the last failure.
    fn back_off(&self) -> Time {
        let doubled = FIRST_RETRY << (self.failures.max(1) - 1).min(16);
        doubled.min(LAST_RETRY).min(self.settings.lifetime)
    }

    /// Who still waits after everybody has run has asked for a fetch; so has who was told at once that
    /// none may begin now.
    pub(crate) fn has_rung(&mut self, request: &Request) {
        self.rings.push(request.at);
    }

    /// What must hold whenever everybody waits.
    pub(crate) fn at_rest(&self, now: Time, sleepers: usize, tasks: usize) -> Result<(), Broken> {
        let settings = &self.settings;
        for (id, request) in &self.pending {
            if now - request.at >= settings.wait {
                let how = format!("request {id} waits since {}", request.at);
                return broken(Invariant::WaitIsBounded, how);
            }
        }
        // Who hung up is waited for to the end: the flight was shared.
        let recent = self.waits.partition_point(|at| at + settings.wait <= now);
        let recent = self.waits.len() - recent;
        // The engine's pause, or a fetch with its deadline; a request with its patience and that of
        // the gate.
        let (most_sleepers, most_tasks) = (2 + 2 * recent, 1 + 2 * recent);
        if sleepers > most_sleepers || tasks > most_tasks {
            return broken(
                Invariant::MemoryIsBounded,
                format!("{sleepers} sleepers and {tasks} tasks for {recent} requests"),
            );
        }
        self.is_in_time(now)
    }

    /// How long it may take until nothing runs any more: who hung up is waited for, a pause that was
    /// begun ends, and so does one more fetch.
    pub(crate) fn longest_goodbye(&self) -> Time {
        let settings = &self.settings;
        settings.wait + settings.interval.max(LAST_RETRY) + settings.deadline
    }

    /// [`Invariant::RefreshInTime`] and [`Invariant::Recovery`].
    fn is_in_time(&self, now: Time) -> Result<(), Broken> {
        let (Some(last), None) = (self.rounds.last(), &self.running) else {
            return Ok(());
        };
        let settings = &self.settings;
        let longest_pause = settings.interval.max(LAST_RETRY);
        if !last.good {
            let mut latest = last.ended + self.back_off();
            if self.back >= Some(last.ended) {
                latest += longest_pause;
            }
            if now > latest {
                let how = format!("no fetch until {now} after {last:?}");
                return broken(Invariant::Recovery, how);
            }
            return Ok(());
        }
        let refresh = last.began + part(settings.lifetime, REFRESH.1);
        let mut latest = refresh.max(last.ended);
        if self.back >= Some(last.began) {
            latest = last.ended + settings.lifetime + longest_pause;
        } else if let Some(ring) = self.rings.get(last.rings) {
            latest = latest.min((*ring).max(last.began + settings.interval));
        }
        if now > latest {
            let how = format!("no fetch until {now}, wanted one by {latest} after {last:?}");
            return broken(Invariant::RefreshInTime, how);
        }
        Ok(())
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
        let key = match bearer {
            Bearer::Key(key) | Bearer::Forged(key) => Some(key),
            Bearer::MadeUp(_) => None,
        };
        Request {
            bearer,
            at,
            knew: key.is_some_and(|key| self.knows(key, wall)),
            published: key.is_some_and(|key| self.published[key].is_some()),
            again,
        }
    }

    /// A request has to wait.
    pub(crate) fn waits(&mut self, id: usize, request: Request) -> Result<(), Broken> {
        if request.knew {
            let how = format!("request {id} waits: {:?}", request.bearer);
            return broken(Invariant::KnownKeyNeverWaits, how);
        }
        self.waits.push(request.at);
        self.pending.insert(id, request);
        Ok(())
    }

    /// A request was answered: at once, or after it waited.
    pub(crate) fn answered_request(
        &mut self,
        request: &Request,
        outcome: Outcome,
        now: Time,
        wall: UnixTime,
        at_once: bool,
    ) -> Result<(), Broken> {
        let how = || format!("{request:?} was answered {outcome:?} at {now}, wall {wall}");
        let knows = |key| match at_once {
            true => request.knew,
            false => self.knows(key, wall),
        };
        match (request.bearer, outcome) {
            (Bearer::Forged(_) | Bearer::MadeUp(_), Outcome::Accepted) => {
                return broken(Invariant::NoForgery, how());
            }
            (Bearer::Key(key), Outcome::Accepted) => {
                let has = self.adopted.as_ref().is_some_and(|set| set.keys.contains(&key));
                if !has {
                    return broken(Invariant::WithdrawnIsWithdrawn, how());
                }
                if !knows(key) {
                    return broken(Invariant::StaleHasAnEnd, how());
                }
                self.seen.accepted += 1;
                self.seen.accepted_after_waiting += usize::from(!at_once);
                self.seen.accepted_in_outage += usize::from(self.failures > 0);
                self.seen.returned += usize::from(request.again.is_some());
            }
            (Bearer::Key(_), Outcome::Refused(Reason::UnknownKey)) => {
                if request.published {
                    return broken(Invariant::PublishedKeyIsNo401, how());
                }
                self.is_known_to_be_absent(request, how)?;
                self.seen.withdrawn_refused += 1;
            }
            (Bearer::Key(_), Outcome::Refused(_)) => {
                return broken(Invariant::PublishedKeyIsNo401, how());
            }
            (Bearer::Forged(_), Outcome::Refused(Reason::Signature)) => {
                self.seen.forged_refused += 1;
            }
            (_, Outcome::Refused(Reason::UnknownKey)) => {
                self.is_known_to_be_absent(request, how)?;
                self.seen.unknown_refused += 1;
            }
            (_, Outcome::Refused(_)) => return broken(Invariant::NoForgery, how()),
            (_, Outcome::Unavailable(retry_after)) => {
                if request.knew {
                    return broken(Invariant::KnownKeyNeverWaits, how());
                }
                self.is_honest(request, retry_after, now, how)?;
                self.must_not_be_served(request, now, how)?;
                self.seen.unavailable += 1;
            }
        }
        Ok(())
    }

    /// [`Invariant::OutageIsNo401`].
    fn is_known_to_be_absent(
        &self,
        request: &Request,
        how: impl Fn() -> String,
    ) -> Result<(), Broken> {
        let settings = &self.settings;
        let oldest = settings.interval.max(settings.deadline);
        let last = self.rounds.last();
        let known = last.is_some_and(|last| {
            last.good && (last.began + oldest >= request.at || self.back >= Some(last.began))
        });
        if !known {
            return broken(Invariant::OutageIsNo401, format!("{}, after {last:?}", how()));
        }
        Ok(())
    }

    /// [`Invariant::RetryAfterIsHonest`].
    fn is_honest(
        &self,
        request: &Request,
        retry_after: Option<Duration>,
        now: Time,
        how: impl Fn() -> String,
    ) -> Result<(), Broken> {
        let most = Duration::from_millis(self.settings.interval.max(LAST_RETRY));
        if !retry_after.is_some_and(|after| Duration::ZERO < after && after <= most) {
            return broken(Invariant::RetryAfterIsHonest, how());
        }
        let Some(told) = request.again else {
            return Ok(());
        };
        let published = match request.bearer {
            Bearer::Key(key) => self.published[key].is_some_and(|since| since <= told),
            _ => false,
        };
        let since = self.rounds.iter().rev().take_while(|round| round.ended >= told);
        let well = since
            .into_iter()
            .all(|round| round.good && round.ended - round.began <= self.settings.wait);
        if published && well && self.runs_well(now) && self.undisturbed_since(told) {
            return broken(Invariant::RetryAfterIsHonest, how());
        }
        Ok(())
    }

    /// A fetch that is under way may yet be answered in time for who waits.
    fn runs_well(&self, now: Time) -> bool {
        self.running.is_none_or(|(began, _)| now - began < self.settings.wait)
    }

    fn undisturbed_since(&self, time: Time) -> bool {
        let last = self.back.max(self.ahead).max(self.frozen);
        last.is_none_or(|last| last < time)
    }

    /// [`Invariant::ServedKeyIsAccepted`]: the bound is `refresh_interval` and the longest of the
    /// fetches, counted from when the key was published, or from the first fetch that succeeded
    /// after the last one that failed, whichever is later.
    ///
    /// If fetches take longer than requests wait, somebody must have asked in vain before: then the
    /// bound counts from there.
    fn must_not_be_served(
        &self,
        request: &Request,
        now: Time,
        how: impl Fn() -> String,
    ) -> Result<(), Broken> {
        let (Bearer::Key(key), Some(streak)) = (request.bearer, &self.streak) else {
            return Ok(());
        };
        let Some(published) = self.published[key] else {
            return Ok(());
        };
        let since = published.max(streak.since);
        let took = match self.running {
            Some((began, _)) => streak.longest.max(now - began),
            None => streak.longest,
        };
        let bound = self.settings.interval + took;
        let asked = self.rung_since(since).is_some_and(|ring| request.at >= ring + bound);
        let in_time = took < self.settings.wait && request.at >= since + bound;
        if (asked || in_time) && self.undisturbed_since(since) {
            let how = format!("{}, published at {published}, good since {}", how(), streak.since);
            return broken(Invariant::ServedKeyIsAccepted, how);
        }
        Ok(())
    }
}

fn part(of: Time, share: f64) -> Time {
    (of as f64 * share) as Time
}

pub(crate) fn broken<T>(invariant: Invariant, how: String) -> Result<T, Broken> {
    Err(Broken { invariant, how })
}

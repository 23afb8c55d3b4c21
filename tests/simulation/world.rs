//! Plays a schedule: from event to event, as far apart as they may be.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use portcullis::{AccessToken, Clock, Error, ErrorKind, ResourceServer};
use tokio::task::AbortHandle;

use crate::chance::Chance;
use crate::clocks::{Clocks, Time};
use crate::file::KeyFile;
use crate::gate;
use crate::invariants::{Broken, Invariant, broken};
use crate::judge::{Answered, Bearer, Judge, Outcome};
use crate::keys::Pool;
use crate::network::{Network, Told};
use crate::report::{Played, Trace};
use crate::rest::{Rest, alive_tasks};
use crate::rounds::Rounds;
use crate::schedule::{Ask, Climate, Event, Plan, Shown};

/// Plays the schedule that follows from `seed`.
pub(crate) fn play(pool: &Pool, climate: &Climate, seed: u64) -> Played {
    let mut chance = Chance::of(seed);
    let plan = Plan::draw(climate, &mut chance.apart());
    let mut world = World::new(pool, plan, chance);
    let broken = loop {
        let runtime = world.rest.runtime();
        world.start();
        match runtime.block_on(world.live()) {
            Ok(Life::Over) => break None,
            Ok(Life::Restarts) => {
                // All that ran ends with the runtime, as with a process.
                drop(runtime);
                world.dies();
            }
            Err(broken) => break Some(broken),
        }
    };
    Played {
        trace: world.trace,
        seen: world.judge.seen,
        broken: broken.map(|Broken { invariant, how }| format!("{invariant:?}: {how}")),
    }
}

/// How a gate's life ends.
enum Life {
    Over,
    Restarts,
}

struct World<'a> {
    pool: &'a Pool,
    chance: Chance,
    rest: Rest,
    clocks: Clocks,
    network: Network,
    servers: Vec<ResourceServer>,
    judge: Judge,
    trace: Trace,
    /// Where the gate keeps its keys, if it does.
    file: Option<KeyFile>,
    /// How many servers share the keys.
    number: usize,
    /// When nothing more is to happen.
    end: Time,
    /// What is to come: by time, then in the order it was planned.
    queue: BTreeMap<(Time, usize), Event>,
    planned: usize,
    /// The key that signs, and all that ever did.
    signs: usize,
    signed: BTreeSet<usize>,
    last_withdrawn: Option<usize>,
    asked: Vec<Asked>,
    /// Requests that wait and have not run yet.
    fresh: Vec<usize>,
    /// When the verification began that requests with this token wait for at this server.
    flights: BTreeMap<(usize, String), Time>,
    answers: Answers,
}

/// A request that was made.
struct Asked {
    ask: Ask,
    /// When it was answered 503.
    told: Option<Time>,
    running: Option<AbortHandle>,
    flight: (usize, String),
}

type Answers = Arc<Mutex<Vec<(usize, Result<AccessToken, Error>)>>>;

impl<'a> World<'a> {
    fn new(pool: &'a Pool, plan: Plan, mut chance: Chance) -> World<'a> {
        let clocks = Clocks::new();
        let mut trace = Trace::default();
        trace.note(
            0,
            format_args!("{:?}, {} servers", plan.settings, plan.servers),
        );
        let mut world = World {
            pool,
            network: Network::new(clocks.clone(), pool.jwks(), chance.apart()),
            chance,
            rest: Rest::default(),
            servers: Vec::new(),
            judge: Judge::new(Rounds::new(plan.settings)),
            trace,
            file: plan.keeps_file.then(KeyFile::new),
            number: plan.servers,
            end: plan.length,
            queue: BTreeMap::new(),
            planned: 0,
            signs: 0,
            signed: BTreeSet::new(),
            last_withdrawn: None,
            asked: Vec::new(),
            fresh: Vec::new(),
            flights: BTreeMap::new(),
            answers: Arc::default(),
            clocks,
        };
        for (at, event) in plan.events {
            world.plan(at, event);
        }
        world
    }

    fn start(&mut self) {
        let settings = &self.judge.rounds.settings;
        let file = self.file.as_ref();
        self.servers = gate::servers(settings, self.number, &self.network, &self.clocks, file);
    }

    /// The process ends, and all that it knew. Clients see their connection break.
    fn dies(&mut self) {
        self.servers.clear();
        self.fresh.clear();
        self.flights.clear();
        for asked in &mut self.asked {
            asked.running = None;
        }
        let kept = self.file.as_ref().and_then(KeyFile::read);
        if let Some(kept) = &kept {
            let now = self.clocks.time();
            self.trace
                .note(now, format_args!("in the file are {:?}", kept.keys));
        }
        self.judge
            .restarted(kept.map(|kept| kept.trusted_for(self.judge.rounds.settings.stale)));
    }

    fn plan(&mut self, at: Time, event: Event) {
        self.planned += 1;
        self.queue.insert((at, self.planned), event);
    }

    async fn live(&mut self) -> Result<Life, Broken> {
        // What was under way when the last life ended is of no interest any more.
        self.network.told();
        loop {
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let next = match next {
                Some(at) => at,
                // Whoever waits still is waited for.
                None if self.judge.pending.is_empty() => break,
                None => Time::MAX,
            };
            let now = self.clocks.time();
            let next = self.clocks.next_wake().map_or(next, |wake| wake.min(next));
            self.clocks.turn_to(next.max(now));
            // Whether timers or arrivals of the same millisecond come first is anybody's guess.
            if self.chance.one_in(2) {
                self.settle().await?;
            }
            while let Some(event) = self.due() {
                if event == Event::Restart {
                    self.trace
                        .note(self.clocks.time(), format_args!("the gate is started anew"));
                    return Ok(Life::Restarts);
                }
                self.happens(event)?;
                if self.chance.one_in(2) {
                    self.settle().await?;
                }
            }
            self.settle().await?;
        }
        self.ends().await?;
        Ok(Life::Over)
    }

    fn due(&mut self) -> Option<Event> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= self.clocks.time()).then(|| first.remove())
    }

    /// Drops all handles, and looks whether something is left when the last pause is over.
    async fn ends(&mut self) -> Result<(), Broken> {
        self.servers.clear();
        let end = self.clocks.time() + self.judge.longest_goodbye();
        loop {
            self.rest.reach().await;
            match self.clocks.next_wake() {
                Some(wake) if wake <= end => self.clocks.turn_to(wake),
                _ => break,
            }
        }
        let (sleepers, tasks) = (self.clocks.sleepers(), alive_tasks());
        if (sleepers, tasks) != (0, 0) {
            let how = format!("{sleepers} sleepers and {tasks} tasks are left at {end}");
            return broken(Invariant::EndsWithItsHandles, how);
        }
        Ok(())
    }

    fn happens(&mut self, event: Event) -> Result<(), Broken> {
        let now = self.clocks.time();
        match event {
            Event::Publish(key) => self.publish(key, now),
            Event::Sign(key) => {
                self.signs = key;
                self.signed.insert(key);
                self.trace.note(now, format_args!("key {key} signs"));
            }
            Event::WithdrawOld => self.withdraw_old(now),
            Event::Restore => {
                if let Some(key) = self.last_withdrawn.take() {
                    self.publish(key, now);
                }
            }
            Event::Weather(weather) => {
                self.network.turn(weather);
                self.trace
                    .note(now, format_args!("the weather is {weather:?}"));
            }
            Event::Ask(ask) => self.ask(ask)?,
            Event::HangUp(id) => {
                if self.judge.pending.remove(&id).is_some() {
                    self.trace.note(now, format_args!("#{id} hangs up"));
                    self.judge.seen.hung_up += 1;
                    if let Some(running) = &self.asked[id].running {
                        running.abort();
                    }
                }
            }
            Event::ShiftClock(by) => {
                self.clocks.shift(by);
                self.judge.rounds.shifted(by, now);
                self.judge.seen.clock_shifts += 1;
                self.trace
                    .note(now, format_args!("the clock is set by {by} ms"));
            }
            Event::Freeze(length) => {
                self.clocks.turn_to(now + length);
                self.judge.rounds.froze(now + length);
                self.judge.seen.freezes += 1;
                self.trace
                    .note(now, format_args!("all stands still for {length} ms"));
            }
            Event::MaxAge(seconds) => {
                self.network.set_max_age(seconds);
                self.trace
                    .note(now, format_args!("sets are fresh for {seconds:?} s"));
            }
            Event::Move => {
                if self.judge.rounds.settings.metadata.is_some() {
                    self.network.relocate();
                    self.trace.note(now, format_args!("the keys move"));
                }
            }
            Event::Restart => unreachable!("this ends a life"),
        }
        Ok(())
    }

    fn withdraw_old(&mut self, now: Time) {
        let published = self.network.published();
        // An issuer always has a key.
        if !published.contains(&self.signs) {
            return;
        }
        for old in published {
            if old != self.signs && self.signed.contains(&old) {
                self.network.withdraw(old);
                self.judge.withdrawn(old);
                self.last_withdrawn = Some(old);
                self.trace.note(now, format_args!("key {old} is withdrawn"));
            }
        }
    }

    fn publish(&mut self, key: usize, now: Time) {
        self.network.publish(key);
        self.judge.published(key, now);
        self.trace.note(now, format_args!("key {key} is published"));
    }

    fn ask(&mut self, ask: Ask) -> Result<(), Broken> {
        let any = |n: usize| *self.signed.iter().nth(n % self.signed.len()).unwrap();
        let bearer = match ask.bearer {
            Shown::Current => Bearer::Key(self.signs),
            Shown::Any(n) => Bearer::Key(any(n)),
            Shown::Key(key) => Bearer::Key(key),
            Shown::Forged(n) => Bearer::Forged(any(n)),
            Shown::MadeUp(name) => Bearer::MadeUp(name),
        };
        let token = match bearer {
            Bearer::Key(key) => {
                let tokens = &self.pool.key(key).tokens;
                tokens[ask.token % tokens.len()].clone()
            }
            Bearer::Forged(key) => self.pool.key(key).forged.clone(),
            Bearer::MadeUp(name) => self.pool.made_up(name),
        };
        let number = ask.server % self.servers.len();
        let (server, flight) = (self.servers[number].clone(), (number, token.clone()));
        let (now, wall) = (self.clocks.time(), self.clocks.now());
        let again = ask.again.and_then(|id| self.asked[id].told);
        let request = self.judge.comes(bearer, now, wall, again);
        let id = self.asked.len();
        let mut answer = Box::pin(async move { gate::show(&server, &token).await });
        // Known or not is seen at the first look, before anything else has run.
        let first = answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(answer) = first {
            self.asked.push(Asked {
                ask,
                told: None,
                running: None,
                flight,
            });
            let outcome = self.outcome(id, &answer);
            self.trace
                .note(now, format_args!("#{id} {bearer:?}: {outcome:?} at once"));
            return self.judge.answered(
                &request,
                &Answered {
                    outcome,
                    at: now,
                    wall,
                    at_once: true,
                },
            );
        }
        self.trace.note(now, format_args!("#{id} {bearer:?} waits"));
        let wait = self.judge.rounds.settings.wait;
        let began = self
            .flights
            .get(&flight)
            .filter(|began| **began + wait > now);
        let began = began.copied().unwrap_or(now);
        self.flights.insert(flight.clone(), began);
        self.judge.waits(id, request, began)?;
        self.fresh.push(id);
        let answers = self.answers.clone();
        let task = tokio::spawn(async move {
            let answer = answer.await;
            answers.lock().unwrap().push((id, answer));
        });
        self.asked.push(Asked {
            ask,
            told: None,
            running: Some(task.abort_handle()),
            flight,
        });
        if let Some(patience) = ask.patience {
            self.plan(now + patience, Event::HangUp(id));
        }
        Ok(())
    }

    /// Reads an answer. Clients that are told when to come back do so, or not.
    fn outcome(&mut self, id: usize, answer: &Result<AccessToken, Error>) -> Outcome {
        let error = match answer {
            Ok(_) => return Outcome::Accepted,
            Err(error) => error,
        };
        if error.kind() != ErrorKind::Unavailable {
            return Outcome::Refused(error.reason());
        }
        let now = self.clocks.time();
        let asked = &mut self.asked[id];
        asked.told = Some(now);
        if let Some(after) = error.retry_after()
            && asked.ask.again.is_none()
            && self.chance.one_in(2)
        {
            let ask = Ask {
                bearer: match asked.ask.bearer {
                    // The token it has, not the one it would get now.
                    Shown::Current => Shown::Key(self.signs),
                    shown => shown,
                },
                again: Some(id),
                patience: None,
                ..asked.ask
            };
            self.plan(now + after.as_millis() as Time, Event::Ask(ask));
        }
        Outcome::Unavailable(error.retry_after())
    }

    /// Lets everybody run until all wait, then looks at what happened.
    async fn settle(&mut self) -> Result<(), Broken> {
        self.rest.reach().await;
        let (now, wall) = (self.clocks.time(), self.clocks.now());
        let told = self.network.told();
        let none_ended = !told.iter().any(|told| matches!(told, Told::Answered(_)));
        for told in told {
            match &told {
                Told::Asked { document, .. } => {
                    self.trace
                        .note(now, format_args!("{document:?} is asked for"));
                }
                Told::Answered(answer) => self.trace.note(now, format_args!("{answer:?}")),
            }
            let failures = self.judge.rounds.failures();
            let lost = self
                .judge
                .rounds
                .told(&told, (now, wall), &mut self.judge.seen)?;
            self.probe(now, failures, &lost);
        }
        if let (Some(file), Some(set)) = (&self.file, self.judge.rounds.newest_of_this_step()) {
            file.is_written(set.fetched);
        }
        let mut answers = std::mem::take(&mut *self.answers.lock().unwrap());
        // In which order those are woken who wait for the same thing, tokio leaves to chance.
        answers.sort_by_key(|(id, _)| *id);
        for (id, answer) in answers {
            if let Some(request) = self.judge.pending.remove(&id) {
                self.flights.remove(&self.asked[id].flight);
                let outcome = self.outcome(id, &answer);
                self.trace
                    .note(now, format_args!("#{id} {:?}: {outcome:?}", request.bearer));
                if none_ended && request.at == now && matches!(outcome, Outcome::Unavailable(_)) {
                    self.judge.rounds.ring(request.at);
                }
                let answered = Answered {
                    outcome,
                    at: now,
                    wall,
                    at_once: false,
                };
                self.judge.answered(&request, &answered)?;
            }
        }
        for id in std::mem::take(&mut self.fresh) {
            if let Some(request) = self.judge.pending.get(&id).cloned() {
                self.judge.rounds.ring(request.at);
            }
        }
        self.judge
            .at_rest(now, self.clocks.sleepers(), alive_tasks())?;
        if self.chance.one_in(4) {
            let status = self.servers[0].status();
            let kid = |key| self.pool.key(key).kid.clone();
            self.judge.rounds.tells(&status.keys[0], kid, wall)?;
        }
        Ok(())
    }

    /// Sends requests where it is most likely to be seen that something is wrong.
    fn probe(&mut self, now: Time, failures_before: u32, lost: &[usize]) {
        // Remembered verdicts of keys that are gone.
        for key in lost {
            for server in 0..self.servers.len() {
                let ask = probe(*key, server, self.chance.below(3));
                self.plan(now, Event::Ask(ask));
            }
        }
        // The last moment that the keys serve, if the outage lasts, and the first that they do not.
        if failures_before == 0 && self.judge.rounds.failures() == 1 {
            let Some(set) = &self.judge.rounds.adopted else {
                return;
            };
            let left = set.trusted_until.since(self.clocks.now()).as_millis() as Time;
            let key = set.keys[self.chance.below(set.keys.len())];
            for at in [now + left.saturating_sub(1), now + left] {
                if left > 0 && at <= self.end {
                    self.plan(at, Event::Ask(probe(key, 0, 0)));
                }
            }
        }
    }
}

fn probe(key: usize, server: usize, token: usize) -> Ask {
    Ask {
        bearer: Shown::Key(key),
        server,
        token,
        patience: None,
        again: None,
    }
}

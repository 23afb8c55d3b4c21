//! Plays a schedule of look-ups.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::request::Parts;
use portcullis::{
    AccessToken, ClientAuth, Clock, Error, ErrorKind, IntrospectionVerifier, ResourceServer,
};
use tokio::task::AbortHandle;

use super::endpoint::{Endpoint, Told};
use super::invariants::{Broken, Promise, hold};
use super::judge::Judge;
use super::schedule::{Climate, Event, Forgotten, Plan, Show, TOKENS};
use crate::chance::Chance;
use crate::clocks::{Clocks, Time};
use crate::judge::Outcome;
use crate::report::{Played, Trace};
use crate::rest::{Rest, alive_tasks};

/// Plays the schedule that follows from `seed`.
pub(crate) fn play(climate: &Climate, seed: u64) -> Played {
    let mut chance = Chance::of(seed);
    let plan = Plan::draw(climate, &mut chance.apart());
    let rest = Rest::default();
    let runtime = rest.runtime();
    let mut world = World::new(plan, chance, rest);
    let broken = runtime.block_on(world.live()).err();
    Played {
        trace: world.trace,
        seen: world.judge.seen,
        broken: broken.map(|Broken { promise, how }| format!("{promise:?}: {how}")),
    }
}

struct World {
    chance: Chance,
    rest: Rest,
    clocks: Clocks,
    endpoint: Endpoint,
    server: Option<ResourceServer>,
    judge: Judge,
    trace: Trace,
    /// What is to come: by time, then in the order it was planned.
    queue: BTreeMap<(Time, usize), Event>,
    planned: usize,
    running: Vec<Option<AbortHandle>>,
    answers: Answers,
}

type Answers = Arc<Mutex<Vec<(usize, Result<AccessToken, Error>)>>>;

impl World {
    fn new(plan: Plan, mut chance: Chance, rest: Rest) -> World {
        let clocks = Clocks::new();
        let endpoint = Endpoint::new(clocks.clone(), TOKENS, chance.apart());
        let settings = &plan.settings;
        let time = Duration::from_millis;
        let verifier = IntrospectionVerifier::builder(
            "https://as.example/introspect",
            ClientAuth::basic("gate", "secret"),
            "https://api.example.com/",
        )
        .fetch(endpoint.clone())
        .deadline(time(settings.deadline))
        .max_concurrent(settings.concurrent)
        .max_waiting(settings.waiting)
        .remember_accepted(time(settings.accepted))
        .remember_refused(time(settings.refused))
        .trust_accepted_while_down(time(settings.while_down))
        .jitter_seed(settings.jitter)
        .build()
        .unwrap();
        let server = ResourceServer::builder().clock(clocks.clone());
        let server = server.verifier(verifier).build().unwrap();
        let mut trace = Trace::default();
        trace.note(0, format_args!("{settings:?}, for {} ms", plan.length));
        let mut world = World {
            chance,
            rest,
            clocks,
            endpoint,
            server: Some(server),
            judge: Judge::new(plan.settings),
            trace,
            queue: BTreeMap::new(),
            planned: 0,
            running: Vec::new(),
            answers: Arc::default(),
        };
        for (at, event) in plan.events {
            world.plan(at, event);
        }
        world
    }

    fn plan(&mut self, at: Time, event: Event) {
        self.planned += 1;
        self.queue.insert((at, self.planned), event);
    }

    async fn live(&mut self) -> Result<(), Broken> {
        loop {
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let next = match next {
                Some(at) => at,
                None if self.judge.pending.is_empty() => break,
                None => Time::MAX,
            };
            let next = self.clocks.next_wake().map_or(next, |wake| wake.min(next));
            self.clocks.turn_to(next.max(self.clocks.time()));
            // Whether timers or arrivals of the same millisecond come first is anybody's guess.
            if self.chance.one_in(2) {
                self.settle().await?;
            }
            while let Some(event) = self.due() {
                self.happens(event)?;
                if self.chance.one_in(2) {
                    self.settle().await?;
                }
            }
            self.settle().await?;
        }
        self.ends().await
    }

    fn due(&mut self) -> Option<Event> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= self.clocks.time()).then(|| first.remove())
    }

    /// Drops the gate, and looks whether something is left when the last call is over.
    async fn ends(&mut self) -> Result<(), Broken> {
        self.server = None;
        let end = self.clocks.time() + self.judge.settings.deadline;
        loop {
            self.rest.reach().await;
            match self.clocks.next_wake() {
                Some(wake) if wake <= end => self.clocks.turn_to(wake),
                _ => break,
            }
        }
        let left = (self.clocks.sleepers(), alive_tasks());
        hold(left == (0, 0), Promise::EndsWithItsHandles, || {
            format!("{} sleepers and {} tasks are left", left.0, left.1)
        })
    }

    fn happens(&mut self, event: Event) -> Result<(), Broken> {
        let now = self.clocks.time();
        match event {
            Event::Show(show) => return self.show(show),
            Event::HangUp(id) => {
                if self.judge.hangs_up(id) {
                    if let Some(running) = &self.running[id] {
                        running.abort();
                    }
                    self.trace.note(now, format_args!("#{id} hangs up"));
                }
                return Ok(());
            }
            Event::Weather(weather) => self.endpoint.turn(weather),
            Event::Revoke(token) => {
                self.endpoint.revoke(token);
                self.judge.revoked(token, now);
            }
            Event::Forget(what) => {
                if let Some(server) = &self.server {
                    forget(server, what);
                }
                self.judge.forgotten(what);
            }
            Event::ShiftClock(by) => {
                self.clocks.shift(by);
                self.judge.clock_was_set(now);
            }
            Event::Freeze(length) => {
                self.clocks.turn_to(now + length);
                self.judge.froze(now + length);
            }
        }
        self.trace.note(now, format_args!("{event:?}"));
        Ok(())
    }

    fn show(&mut self, show: Show) -> Result<(), Broken> {
        let (now, wall) = (self.clocks.time(), self.clocks.now());
        let (id, token) = (self.running.len(), show.token);
        let request = self.judge.comes(token, now, wall);
        let Some(server) = self.server.clone() else {
            return Ok(());
        };
        let mut parts = parts(token);
        let mut answer = Box::pin(async move {
            let shown = server.authenticate(&mut parts).await?;
            Ok(shown.expect("a credential was sent"))
        });
        // Remembered or not is seen at the first look, before anything else has run.
        let first = answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(answer) = first {
            self.running.push(None);
            let outcome = outcome(&answer);
            self.trace.note(
                now,
                format_args!("#{id} token {token}: {outcome:?} at once"),
            );
            return self.judge.answers(&request, outcome, (now, wall), true);
        }
        self.trace
            .note(now, format_args!("#{id} token {token} waits"));
        self.judge.waits(id, request, wall)?;
        let answers = self.answers.clone();
        let task = tokio::spawn(async move {
            let answer = answer.await;
            answers.lock().unwrap().push((id, answer));
        });
        self.running.push(Some(task.abort_handle()));
        if let Some(patience) = show.patience {
            self.plan(now + patience, Event::HangUp(id));
        }
        Ok(())
    }

    /// Lets everybody run until all wait, then looks at what happened.
    async fn settle(&mut self) -> Result<(), Broken> {
        self.rest.reach().await;
        let (now, wall) = (self.clocks.time(), self.clocks.now());
        self.judge.has_run(wall);
        for told in self.endpoint.told() {
            match told {
                Told::Asked { token, .. } => {
                    self.trace
                        .note(now, format_args!("asked about token {token}"));
                }
                Told::Answered { token, reply, .. } => {
                    self.trace
                        .note(now, format_args!("of token {token}: {reply:?}"));
                }
            }
            self.judge.told(&told, wall)?;
        }
        let mut answers = std::mem::take(&mut *self.answers.lock().unwrap());
        // In which order those are woken who wait for the same thing, tokio leaves to chance.
        answers.sort_by_key(|(id, _)| *id);
        let mut landed = Vec::new();
        for (id, answer) in answers {
            if let Some(request) = self.judge.pending.remove(&id) {
                let outcome = outcome(&answer);
                let token = request.token;
                self.trace
                    .note(now, format_args!("#{id} token {token}: {outcome:?}"));
                self.judge.answers(&request, outcome, (now, wall), false)?;
                landed.push(self.judge.flight_of(&request));
            }
        }
        let sleepers = self.clocks.sleepers();
        let available = self
            .judge
            .at_rest(&landed, (now, wall), sleepers, alive_tasks())?;
        if let (Some(server), true) = (&self.server, self.chance.one_in(4)) {
            self.judge.tells(&server.status().endpoints[0], available)?;
        }
        Ok(())
    }
}

fn parts(token: usize) -> Parts {
    let request = http::Request::get("/").header("authorization", format!("Bearer opaque-{token}"));
    request.body(()).unwrap().into_parts().0
}

fn forget(server: &ResourceServer, what: Forgotten) {
    match what {
        Forgotten::Token(token) => {
            let parts = parts(token);
            let credential = server.credential(&parts).unwrap();
            server.forget(&credential.unwrap());
        }
        Forgotten::Subject => server.forget_subject("alice"),
        Forgotten::All => server.forget_all(),
    }
}

fn outcome(answer: &Result<AccessToken, Error>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Accepted,
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            Outcome::Unavailable(error.retry_after())
        }
        Err(error) => Outcome::Refused(error.reason()),
    }
}

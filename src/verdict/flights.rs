//! Verifications under way: who asks the same at the same time shares one.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::{Finding, Name, Outcome, Verdicts};
use crate::clock::UnixTime;
use crate::error::Error;
use crate::freshness::Need;

/// The flights of one server.
#[derive(Default)]
pub(super) struct Flights {
    /// Those that may be joined. What is asked about standing is another question than that of proof,
    /// so one credential may have two.
    listed: HashMap<(Name, Question), Flight>,
    /// How many have not landed yet, listed or not.
    aloft: usize,
}

impl Flights {
    /// From now on nobody joins the flights of this credential.
    pub(super) fn unlist(&mut self, name: &Name) {
        for question in [Question::Proof, Question::Standing] {
            self.listed.remove(&(*name, question));
        }
    }

    pub(super) fn unlist_all(&mut self) {
        self.listed.clear();
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.aloft == 0
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    Proof,
    Standing,
}

impl From<Need> for Question {
    fn from(need: Need) -> Question {
        match need {
            Need::Proof => Question::Proof,
            Need::Standing(_) => Question::Standing,
        }
    }
}

struct Flight {
    /// Whoever waits holds a clone.
    landing: watch::Receiver<Option<Outcome>>,
    began: UnixTime,
}

/// How many verifications may be shared at a time. Beyond that each request waits for its own, and
/// ends it by going away.
const MOST_FLIGHTS: usize = 1024;

impl Verdicts {
    /// Joins the verification of this credential that is under way, if it began late enough for what
    /// is needed, or starts it. The flight goes on if its passengers leave: what it finds out is
    /// remembered all the same, unless something was forgotten since it began.
    pub(crate) async fn one_flight<F>(
        self: &Arc<Self>,
        name: Name,
        need: Need,
        now: UnixTime,
        start: impl FnOnce() -> F,
    ) -> Outcome
    where
        F: Future<Output = Finding> + Send + 'static,
    {
        let memory = self.memory(&name);
        let alone = async |flight: F| {
            let finding = flight.await;
            self.keep(name, need, &finding, memory);
            finding.outcome
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return alone(start()).await;
        };
        let (mut landing, takeoff) = match self.board(name, need, now) {
            Boarding::Known(outcome) => return outcome,
            Boarding::Full => return alone(start()).await,
            Boarding::Join(landing) => (landing, None),
            Boarding::Fly(place, land) => (place.landing.clone(), Some((place, land))),
        };
        if let Some((place, land)) = takeoff {
            let flight = start();
            // Without the lock: a runtime that shuts down drops the task, and with it the place,
            // at once.
            drop(runtime.spawn(async move {
                let finding = flight.await;
                // First into the cache and off the list, then land: who comes now finds the
                // verdict, or starts anew.
                place.verdicts.keep(name, need, &finding, memory);
                drop(place);
                land.send_replace(Some(finding.outcome));
            }));
        }
        match landing.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            // The flight was dropped: a verifier panicked, or the runtime shuts down.
            _ => {
                let why = "the verification of this credential was cut short";
                tracing::warn!("{why}");
                Err(Error::unavailable(Duration::from_secs(1), why).ours())
            }
        }
    }

    /// Finds a place in a flight, or the verdict of one that has landed since this request looked.
    fn board(self: &Arc<Self>, name: Name, need: Need, now: UnixTime) -> Boarding {
        // Claims of an application's own may do anything when they are dropped, so that what was recalled is
        // dropped once the lock is free, and what is being taken out meanwhile, too.
        let _held = self.accepted.get(&name);
        let recalled;
        let mut flights = self.flights();
        recalled = self.recall(&name, now);
        match &recalled {
            Some(Ok(token)) if !need.met_by(token.confirmed_at(), now) => {}
            Some(known) => return Boarding::Known(known.clone()),
            None => {}
        }
        let name = (name, Question::from(need));
        if let Some(flight) = flights.listed.get(&name)
            && need.met_by(Some(flight.began), now)
        {
            return Boarding::Join(flight.landing.clone());
        }
        if flights.aloft >= MOST_FLIGHTS {
            return Boarding::Full;
        }
        let (land, landing) = watch::channel(None);
        let place = Place {
            verdicts: self.clone(),
            name,
            landing: landing.clone(),
        };
        // In the place of one that began too early for this request: whoever comes next is better
        // served by the later one, and the earlier one has its passengers.
        flights.listed.insert(
            name,
            Flight {
                landing,
                began: now,
            },
        );
        flights.aloft += 1;
        Boarding::Fly(place, land)
    }

    /// Held for a few instructions, and never on the way of a verdict that is known.
    pub(super) fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Boarding {
    Known(Outcome),
    Join(watch::Receiver<Option<Outcome>>),
    Fly(Place, watch::Sender<Option<Outcome>>),
    Full,
}

/// A flight's place in the list, given up however the flight ends.
struct Place {
    verdicts: Arc<Verdicts>,
    name: (Name, Question),
    landing: watch::Receiver<Option<Outcome>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut flights = self.verdicts.flights();
        flights.aloft -= 1;
        // The place may belong to a later flight by now.
        let listed = flights.listed.get(&self.name);
        if listed.is_some_and(|flight| flight.landing.same_channel(&self.landing)) {
            flights.listed.remove(&self.name);
        }
    }
}

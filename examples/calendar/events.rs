//! Events, who owns them, and who may see them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use jiff::{SignedDuration, Timestamp};
use portcullis::{AccessToken, Permits, Principal};
use serde::{Deserialize, Serialize};

/// Events are kept in memory, so their number and size have an end.
const MOST_EVENTS: usize = 10_000;
const MOST_EVENTS_EACH: usize = 100;
const LONGEST_LINE: usize = 200;
const LONGEST_NOTES: usize = 2_000;

/// An event. Times are UTC.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    pub id: u64,
    pub title: String,
    pub start: Timestamp,
    pub end: Timestamp,
    pub place: String,
    pub notes: String,
    #[serde(skip)]
    owner: Owner,
}

/// Whose event it is. A name alone would not do: two issuers may know two people by one name, and
/// a client that is named `alice` is not the user `alice`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    issuer: Option<String>,
    who: Who,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    User(String),
    Client(String),
}

impl Owner {
    /// `None` if the token names nobody.
    pub fn of(token: &AccessToken) -> Option<Owner> {
        let who = match token.principal() {
            Principal::Subject(id) => Who::User(id.to_owned()),
            Principal::Client(id) => Who::Client(id.to_owned()),
            _ => return None,
        };
        let issuer = token.issuer().map(str::to_owned);
        Some(Owner { issuer, who })
    }

    pub fn user(issuer: &str, subject: &str) -> Owner {
        Owner {
            issuer: Some(issuer.to_owned()),
            who: Who::User(subject.to_owned()),
        }
    }
}

/// The whole policy: everyone has their own events, and no others.
impl Permits<Event> for AccessToken {
    fn permits(&self, event: &Event) -> bool {
        Owner::of(self).is_some_and(|owner| owner == event.owner)
    }
}

/// An event as a client describes it. Whatever is left out has a default: untitled, now, one hour.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draft {
    pub title: String,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub place: String,
    pub notes: String,
}

impl Default for Draft {
    fn default() -> Draft {
        let now = Timestamp::now();
        Draft {
            title: "untitled".to_owned(),
            // Nobody plans in nanoseconds.
            start: Timestamp::from_second(now.as_second()).unwrap_or(now),
            end: None,
            place: String::new(),
            notes: String::new(),
        }
    }
}

/// Why an event is not taken, in a sentence for the client.
#[derive(Debug)]
pub enum Refusal {
    /// The body is not JSON.
    NoJson(String),
    /// It is, but it does not describe an event.
    NoEvent(String),
    /// There is no room for another one.
    Full(String),
}

impl Draft {
    /// Reads a JSON object; an empty body is an empty object.
    pub fn parse(body: &[u8]) -> Result<Draft, Refusal> {
        let body = body.trim_ascii();
        if body.is_empty() {
            return Ok(Draft::default());
        }
        // serde would take an array for a struct.
        if !body.starts_with(b"{") {
            return Err(Refusal::NoJson("body is no JSON object".to_owned()));
        }
        let Json(draft) = Json::<Draft>::from_bytes(body).map_err(|error| match error {
            JsonRejection::JsonSyntaxError(_) => Refusal::NoJson(error.body_text()),
            _ => Refusal::NoEvent(error.body_text()),
        })?;
        for (field, text, most) in [
            ("title", &draft.title, LONGEST_LINE),
            ("place", &draft.place, LONGEST_LINE),
            ("notes", &draft.notes, LONGEST_NOTES),
        ] {
            let found = text.chars().count();
            if found > most {
                return Err(Refusal::NoEvent(format!(
                    "{field} has {found} characters, wanted at most {most}"
                )));
            }
        }
        Ok(draft)
    }

    fn end(&self) -> Result<Timestamp, Refusal> {
        match self.end {
            Some(end) if end < self.start => Err(Refusal::NoEvent(format!(
                "end is {end}, wanted nothing before start, {}",
                self.start
            ))),
            Some(end) => Ok(end),
            None => self
                .start
                .checked_add(SignedDuration::from_hours(1))
                .map_err(|_| Refusal::NoEvent("start is too late for an end".to_owned())),
        }
    }
}

/// All events. Clones share them.
#[derive(Clone, Default)]
pub struct Calendar(Arc<Mutex<Events>>);

#[derive(Default)]
struct Events {
    last_id: u64,
    by_id: BTreeMap<u64, Event>,
}

impl Calendar {
    /// The events of `owner`, by their start.
    pub fn events_of(&self, owner: &Owner) -> Vec<Event> {
        let events = self.lock();
        let own = events.by_id.values().filter(|event| event.owner == *owner);
        let mut own: Vec<Event> = own.cloned().collect();
        own.sort_by_key(|event| event.start);
        own
    }

    pub fn find(&self, id: u64) -> Option<Event> {
        self.lock().by_id.get(&id).cloned()
    }

    /// Adds an event, if there is room.
    pub fn add(&self, owner: Owner, draft: Draft) -> Result<Event, Refusal> {
        let end = draft.end()?;
        let mut events = self.lock();
        let own = events.by_id.values().filter(|event| event.owner == owner);
        if own.count() >= MOST_EVENTS_EACH {
            return Err(Refusal::Full(format!(
                "you have {MOST_EVENTS_EACH} events, delete one first"
            )));
        }
        if events.by_id.len() >= MOST_EVENTS {
            return Err(Refusal::Full("the calendar is full".to_owned()));
        }
        events.last_id += 1;
        let event = Event {
            id: events.last_id,
            title: draft.title,
            start: draft.start,
            end,
            place: draft.place,
            notes: draft.notes,
            owner,
        };
        events.by_id.insert(event.id, event.clone());
        Ok(event)
    }

    pub fn remove(&self, id: u64) {
        self.lock().by_id.remove(&id);
    }

    /// Nothing panics while it holds the lock, and each change is whole.
    fn lock(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The introspection endpoint and the way to it: which tokens are active, and what becomes of each
//! call.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Request, Response};
use portcullis::{Clock, Fetch, FetchError};

use crate::chance::Chance;
use crate::clocks::{Clocks, SECOND, Time};

/// How the endpoint and the network are at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weather {
    /// Answers come within 400 ms.
    Fair,
    /// Answers take up to 4.9 s.
    Slow,
    /// A third of all calls fails, one way or another.
    Lossy,
    /// Calls are taken and never answered.
    Hang,
    /// No connection.
    Refused,
    /// Connections break before the answer.
    Breaking,
    /// Every other connection breaks.
    HalfBreaking,
    Status(u16),
    /// This status, with `Retry-After` in seconds.
    LeaveAlone(u16, u64),
    /// 200 with an HTML page.
    Garbage,
    /// It does not know *us*: that says nothing about any token, but that it is there.
    Unauthorized,
    /// Nothing gets through, answers under way included.
    Partition,
}

impl Weather {
    pub(crate) const FOUL: [Weather; 13] = [
        Weather::Slow,
        Weather::Lossy,
        Weather::Hang,
        Weather::Refused,
        Weather::Breaking,
        Weather::HalfBreaking,
        Weather::Status(500),
        Weather::Status(503),
        Weather::LeaveAlone(429, 3),
        Weather::LeaveAlone(503, 1_000),
        Weather::Garbage,
        Weather::Unauthorized,
        Weather::Partition,
    ];
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reply {
    Active,
    Inactive,
    /// An answer that tells nothing about the token.
    Useless,
    /// The connection broke.
    Broken,
    Failed,
    /// Failed, and wants to be left alone for so many seconds.
    Paused(u64),
}

/// What the world is told about calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    Asked {
        call: u64,
        token: usize,
        under_way: usize,
    },
    Answered {
        call: u64,
        token: usize,
        reply: Reply,
    },
}

/// Clones are one endpoint.
#[derive(Clone)]
pub(crate) struct Endpoint {
    clocks: Clocks,
    state: Arc<Mutex<State>>,
}

struct State {
    chance: Chance,
    weather: Weather,
    active: Vec<bool>,
    under_way: usize,
    calls: u64,
    told: Vec<Told>,
}

/// What will become of a call: after how long, and what it says; the state of the token is that of
/// the beginning or that of the end.
struct Fate {
    after: Time,
    reply: Option<Reply>,
    at_the_end: bool,
}

impl Endpoint {
    pub(crate) fn new(clocks: Clocks, tokens: usize, chance: Chance) -> Endpoint {
        Endpoint {
            clocks,
            state: Arc::new(Mutex::new(State {
                chance,
                weather: Weather::Fair,
                active: vec![true; tokens],
                under_way: 0,
                calls: 0,
                told: Vec::new(),
            })),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn turn(&self, weather: Weather) {
        self.state().weather = weather;
    }

    pub(crate) fn revoke(&self, token: usize) {
        self.state().active[token] = false;
    }

    /// What happened since this was asked last.
    pub(crate) fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.state().told)
    }
}

impl State {
    fn says(&self, token: usize) -> Reply {
        match self.active.get(token) {
            Some(true) => Reply::Active,
            _ => Reply::Inactive,
        }
    }

    fn fate(&mut self, token: usize) -> Fate {
        let answer = Some(self.says(token));
        let chance = &mut self.chance;
        let at_the_end = chance.one_in(4);
        let soon = match chance.one_in(4) {
            true => 0,
            false => chance.within(1..=400),
        };
        let (after, reply) = match self.weather {
            Weather::Fair => (soon, answer),
            Weather::Slow => (chance.within(SECOND..=4_900), answer),
            Weather::Lossy => match chance.within(0..=8) {
                0 => (soon, None),
                1 => (soon, Some(Reply::Broken)),
                2 => (soon, Some(Reply::Failed)),
                _ => (soon, answer),
            },
            Weather::Hang | Weather::Partition => (soon, None),
            Weather::Refused | Weather::Garbage => (soon, Some(Reply::Failed)),
            Weather::Breaking => (soon, Some(Reply::Broken)),
            Weather::HalfBreaking if chance.one_in(2) => (soon, Some(Reply::Broken)),
            Weather::HalfBreaking => (soon, answer),
            Weather::Status(_) => (soon, Some(Reply::Failed)),
            Weather::LeaveAlone(_, seconds) => (soon, Some(Reply::Paused(seconds))),
            Weather::Unauthorized => (soon, Some(Reply::Useless)),
        };
        Fate {
            after,
            reply,
            at_the_end,
        }
    }

    fn response(&self, reply: Reply) -> Result<Response<Vec<u8>>, FetchError> {
        let (status, body) = match (reply, self.weather) {
            (Reply::Active, _) => {
                let answer = r#"{"active":true,"sub":"alice","aud":"https://api.example.com/"}"#;
                (200, answer)
            }
            (Reply::Inactive, _) => (200, r#"{"active":false}"#),
            (Reply::Useless, _) => (401, "who are you?"),
            (Reply::Broken, _) => return Err(FetchError::broken("connection reset")),
            (Reply::Failed, Weather::Garbage) => (200, "<!doctype html>"),
            (Reply::Failed, Weather::Status(status)) => (status, "trouble"),
            (Reply::Failed, _) => return Err(FetchError::new("no connection")),
            (Reply::Paused(_), Weather::LeaveAlone(status, _)) => (status, "later"),
            (Reply::Paused(_), _) => (503, "later"),
        };
        let mut response = Response::new(body.as_bytes().to_vec());
        *response.status_mut() = status.try_into().unwrap();
        if let Reply::Paused(seconds) = reply {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        Ok(response)
    }
}

impl Fetch for Endpoint {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let form = String::from_utf8(request.into_body()).unwrap();
        let token = form
            .split('&')
            .find_map(|pair| pair.strip_prefix("token=opaque-"));
        let token = token.unwrap().parse().unwrap();
        let (call, fate) = {
            let mut state = self.state();
            state.under_way += 1;
            state.calls += 1;
            let (call, under_way) = (state.calls, state.under_way);
            state.told.push(Told::Asked {
                call,
                token,
                under_way,
            });
            (call, state.fate(token))
        };
        let mut under_way = UnderWay {
            endpoint: self,
            call,
            token,
            reply: Reply::Failed,
        };
        if fate.after > 0 {
            self.clocks.sleep(Duration::from_millis(fate.after)).await;
        }
        let answer = {
            let state = self.state();
            let reply = match fate.reply {
                Some(Reply::Active | Reply::Inactive) if fate.at_the_end => Some(state.says(token)),
                reply => reply,
            };
            let reply = reply.filter(|_| state.weather != Weather::Partition);
            reply.map(|reply| (reply, state.response(reply)))
        };
        let Some((reply, response)) = answer else {
            return std::future::pending().await;
        };
        under_way.reply = reply;
        response
    }
}

/// A call under way: tells how it ended, also if whoever called gave up.
struct UnderWay<'a> {
    endpoint: &'a Endpoint,
    call: u64,
    token: usize,
    reply: Reply,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.endpoint.state();
        state.under_way -= 1;
        state.told.push(Told::Answered {
            call: self.call,
            token: self.token,
            reply: self.reply,
        });
    }
}

//! The issuer and the way to it: what is published, and what becomes of each request.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::header::{CACHE_CONTROL, ETAG, HeaderName, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use http::{Request, Response};
use portcullis::{Clock, Fetch, FetchError, UnixTime};

use crate::chance::Chance;
use crate::clocks::{Clocks, SECOND, Time};

/// How the issuer and the network are at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weather {
    /// Answers come within 400 ms, as almost all do.
    Fair,
    /// Answers come, but take up to 4.9 s: below the deadline.
    Slow,
    /// A third of all requests is lost.
    Lossy,
    /// Requests are taken and never answered.
    Hang,
    /// No connection.
    Refused,
    /// The connection breaks after half of the answer.
    Reset,
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    TooMany(u64),
    /// 200 with an HTML page, as from a captive portal.
    Garbage,
    /// A set without keys.
    Empty,
    /// A set without a key that can be used.
    Unusable,
    /// More than anybody reads.
    Huge,
    Redirect,
    /// Answers take longer than the deadline.
    Crawl,
    /// Nothing gets through, answers under way included.
    Partition,
}

impl Weather {
    /// All that is an outage.
    pub(crate) const FOUL: [Weather; 13] = [
        Weather::Lossy,
        Weather::Hang,
        Weather::Refused,
        Weather::Reset,
        Weather::Status(500),
        Weather::Status(404),
        Weather::TooMany(20),
        Weather::Garbage,
        Weather::Empty,
        Weather::Unusable,
        Weather::Huge,
        Weather::Crawl,
        Weather::Partition,
    ];
}

/// What the world is told about a request for the keys.
#[derive(Debug)]
pub(crate) enum Told {
    Asked {
        at: Time,
        wall: UnixTime,
        under_way: usize,
    },
    Answered {
        at: Time,
        answer: Answer,
    },
}

/// What came of a request, as whoever asked sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// A good set: these keys.
    Keys(Vec<usize>),
    /// Nothing that can be used, and why.
    Nothing(&'static str),
}

/// The network, with the issuer at its end. Clones are one network.
#[derive(Clone)]
pub(crate) struct Network {
    clocks: Clocks,
    state: Arc<Mutex<State>>,
}

struct State {
    chance: Chance,
    weather: Weather,
    /// All keys there are, as JSON.
    jwks: Vec<String>,
    published: Vec<usize>,
    /// Counts how often the set has changed.
    edition: u64,
    max_age: Option<u64>,
    under_way: usize,
    told: Vec<Told>,
}

/// What will become of a request.
struct Fate {
    after: Time,
    plan: Plan,
}

enum Plan {
    /// The set of now, or that of when the answer is sent.
    Answer(Option<Published>),
    Status(u16, Option<(HeaderName, String)>),
    Body(String, &'static str),
    Break(&'static str),
    Never,
}

#[derive(Clone)]
struct Published {
    keys: Vec<usize>,
    edition: u64,
}

impl Network {
    pub(crate) fn new(clocks: Clocks, jwks: Vec<String>, chance: Chance) -> Network {
        Network {
            clocks,
            state: Arc::new(Mutex::new(State {
                chance,
                weather: Weather::Fair,
                jwks,
                published: Vec::new(),
                edition: 0,
                max_age: None,
                under_way: 0,
                told: Vec::new(),
            })),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn publish(&self, key: usize) {
        let mut state = self.state();
        state.published.push(key);
        state.edition += 1;
    }

    pub(crate) fn withdraw(&self, key: usize) {
        let mut state = self.state();
        state.published.retain(|published| *published != key);
        state.edition += 1;
    }

    pub(crate) fn published(&self) -> Vec<usize> {
        self.state().published.clone()
    }

    pub(crate) fn weather(&self) -> Weather {
        self.state().weather
    }

    pub(crate) fn turn(&self, weather: Weather) {
        self.state().weather = weather;
    }

    pub(crate) fn set_max_age(&self, seconds: Option<u64>) {
        self.state().max_age = seconds;
    }

    /// What happened since this was asked last.
    pub(crate) fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.state().told)
    }

    fn answer(&self, plan: Plan, request: &Request<Vec<u8>>) -> Option<Brought> {
        let mut state = self.state();
        let state = &mut *state;
        if state.weather == Weather::Partition {
            return None;
        }
        let mut response = Response::new(Vec::new());
        let answer = match plan {
            Plan::Never => return None,
            Plan::Break(why) => return Some((Answer::Nothing(why), Err(FetchError::new(why)))),
            Plan::Status(status, header) => {
                *response.status_mut() = status.try_into().unwrap();
                if let Some((name, value)) = header {
                    response.headers_mut().insert(name, value.parse().unwrap());
                }
                Answer::Nothing("a status")
            }
            Plan::Body(body, what) => {
                *response.body_mut() = body.into_bytes();
                Answer::Nothing(what)
            }
            Plan::Answer(set) => {
                let set = set.unwrap_or_else(|| state.now());
                let tag = format!("\"{}\"", set.edition);
                let known = request.headers().get(IF_NONE_MATCH);
                if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
                    *response.status_mut() = http::StatusCode::NOT_MODIFIED;
                } else {
                    let keys: Vec<&str> = set.keys.iter().map(|key| &*state.jwks[*key]).collect();
                    *response.body_mut() = format!("{{\"keys\":[{}]}}", keys.join(",")).into();
                }
                response.headers_mut().insert(ETAG, tag.parse().unwrap());
                if let Some(seconds) = state.max_age {
                    let value = format!("public, max-age={seconds}");
                    response.headers_mut().insert(CACHE_CONTROL, value.parse().unwrap());
                }
                Answer::Keys(set.keys)
            }
        };
        Some((answer, Ok(response)))
    }
}

type Brought = (Answer, Result<Response<Vec<u8>>, FetchError>);

impl State {
    fn now(&self) -> Published {
        Published {
            keys: self.published.clone(),
            edition: self.edition,
        }
    }

    fn fate(&mut self) -> Fate {
        let now = self.now();
        let chance = &mut self.chance;
        let soon = match chance.one_in(4) {
            true => 0,
            false => chance.within(1..=400),
        };
        let answer = Plan::Answer((!chance.one_in(4)).then_some(now));
        let (after, plan) = match self.weather {
            Weather::Fair => (soon, answer),
            Weather::Slow => (chance.within(SECOND..=4_900), answer),
            Weather::Crawl => (chance.within(5_001..=9_000), answer),
            Weather::Lossy => match chance.within(0..=5) {
                0 => (soon, Plan::Never),
                1 => (soon, Plan::Break("reset")),
                _ => (soon, answer),
            },
            Weather::Hang | Weather::Partition => (soon, Plan::Never),
            Weather::Refused => (soon, Plan::Break("refused")),
            Weather::Reset => (soon, Plan::Break("reset")),
            Weather::Status(status) => (soon, Plan::Status(status, None)),
            Weather::TooMany(seconds) => {
                let header = (RETRY_AFTER, seconds.to_string());
                (soon, Plan::Status(429, Some(header)))
            }
            Weather::Garbage => {
                let page = "<!doctype html><title>Please log in</title>";
                (soon, Plan::Body(page.to_owned(), "garbage"))
            }
            Weather::Empty => (soon, Plan::Body(r#"{"keys":[]}"#.to_owned(), "no keys")),
            Weather::Unusable => {
                let set = r#"{"keys":[{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}]}"#;
                (soon, Plan::Body(set.to_owned(), "no usable key"))
            }
            Weather::Huge => (soon, Plan::Body(" ".repeat(300_000), "too much")),
            Weather::Redirect => {
                let header = (LOCATION, "https://elsewhere.example/jwks".to_owned());
                (soon, Plan::Status(302, Some(header)))
            }
        };
        Fate { after, plan }
    }
}

impl Fetch for Network {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let fate = {
            let mut state = self.state();
            state.under_way += 1;
            let told = Told::Asked {
                at: self.clocks.time(),
                wall: self.clocks.now(),
                under_way: state.under_way,
            };
            state.told.push(told);
            state.fate()
        };
        let mut under_way = UnderWay {
            network: self,
            answer: Answer::Nothing("given up"),
        };
        if fate.after > 0 {
            self.clocks.sleep(Duration::from_millis(fate.after)).await;
        }
        let Some((answer, response)) = self.answer(fate.plan, &request) else {
            return std::future::pending().await;
        };
        under_way.answer = answer;
        response
    }
}

/// A request under way: tells how it ended, also if whoever asked no longer wants to know.
struct UnderWay<'a> {
    network: &'a Network,
    answer: Answer,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.network.state();
        state.under_way -= 1;
        let told = Told::Answered {
            at: self.network.clocks.time(),
            answer: std::mem::replace(&mut self.answer, Answer::Nothing("told")),
        };
        state.told.push(told);
    }
}

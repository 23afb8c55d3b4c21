//! The issuer and the way to it: what is published, and what becomes of each request.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::header::{CACHE_CONTROL, ETAG, HeaderName, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use http::{Request, Response, StatusCode};
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
    /// This status, with `Retry-After` in seconds.
    LeaveAlone(u16, u64),
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
    pub(crate) const FOUL: [Weather; 17] = [
        Weather::Lossy,
        Weather::Hang,
        Weather::Refused,
        Weather::Reset,
        Weather::Status(500),
        Weather::Status(404),
        // Nobody has asked for that.
        Weather::Status(304),
        Weather::LeaveAlone(429, 20),
        Weather::LeaveAlone(503, 100),
        Weather::LeaveAlone(503, 10_000),
        Weather::Redirect,
        Weather::Garbage,
        Weather::Empty,
        Weather::Unusable,
        Weather::Huge,
        Weather::Crawl,
        Weather::Partition,
    ];
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Document {
    /// The metadata, at the first place where it may be or at the second.
    Metadata(usize),
    /// The keys, where they were published after so many moves.
    Keys(usize),
}

/// What the world is told about a request for a document.
#[derive(Debug)]
pub(crate) enum Told {
    Asked {
        document: Document,
        wall: UnixTime,
        under_way: usize,
    },
    Answered(Answer),
}

/// What came of a request, as whoever asked sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// A good set of these keys, and for how many seconds the issuer says it is fresh.
    Keys(Vec<usize>, Option<u64>),
    /// 304: the set is the one of before.
    Same(Option<u64>),
    /// The keys are where they are after so many moves.
    Metadata(usize),
    /// Nothing that can be used: why, and for how many seconds the issuer wants to be left alone.
    Nothing(&'static str, Option<u64>),
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
    /// How often the keys have moved to another place.
    moves: usize,
    /// At which place the metadata are.
    well_known: usize,
    /// Whether sets have an `ETag`.
    tags: bool,
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
    moves: usize,
}

impl Network {
    pub(crate) fn new(clocks: Clocks, jwks: Vec<String>, mut chance: Chance) -> Network {
        Network {
            clocks,
            state: Arc::new(Mutex::new(State {
                well_known: chance.below(2),
                tags: !chance.one_in(4),
                chance,
                weather: Weather::Fair,
                jwks,
                published: Vec::new(),
                edition: 0,
                moves: 0,
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

    /// Publishes the keys elsewhere from now on; where they were they are no more.
    pub(crate) fn relocate(&self) {
        self.state().moves += 1;
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

    fn answer(
        &self,
        plan: Plan,
        document: Document,
        request: &Request<Vec<u8>>,
    ) -> Option<Brought> {
        let state = self.state();
        if state.weather == Weather::Partition {
            return None;
        }
        let mut response = Response::new(Vec::new());
        let answer = match plan {
            Plan::Never => return None,
            Plan::Break(why) => {
                return Some((Answer::Nothing(why, None), Err(FetchError::new(why))));
            }
            Plan::Status(status, header) => {
                *response.status_mut() = status.try_into().unwrap();
                let mut leave = None;
                if let Some((name, value)) = header {
                    leave = value.parse().ok();
                    response.headers_mut().insert(name, value.parse().unwrap());
                }
                Answer::Nothing("a status", leave)
            }
            Plan::Body(body, what) => {
                *response.body_mut() = body.into_bytes();
                Answer::Nothing(what, None)
            }
            Plan::Answer(published) => {
                let published = published.unwrap_or_else(|| state.now());
                state.document(published, document, request, &mut response)
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
            moves: self.moves,
        }
    }

    fn document(
        &self,
        published: Published,
        document: Document,
        request: &Request<Vec<u8>>,
        response: &mut Response<Vec<u8>>,
    ) -> Answer {
        match document {
            Document::Metadata(place) if place == self.well_known => {
                let moves = published.moves;
                let text = format!(
                    r#"{{"issuer":"https://as.example","jwks_uri":"https://as.example/jwks/{moves}"}}"#
                );
                *response.body_mut() = text.into();
                Answer::Metadata(moves)
            }
            Document::Keys(at) if at == published.moves => {
                if let Some(seconds) = self.max_age {
                    let value = format!("public, max-age={seconds}").parse().unwrap();
                    response.headers_mut().insert(CACHE_CONTROL, value);
                }
                let tag = format!("\"{}\"", published.edition);
                if self.tags {
                    response.headers_mut().insert(ETAG, tag.parse().unwrap());
                }
                let known = request.headers().get(IF_NONE_MATCH);
                if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
                    *response.status_mut() = StatusCode::NOT_MODIFIED;
                    return Answer::Same(self.max_age);
                }
                let keys = &published.keys;
                let jwks: Vec<&str> = keys.iter().map(|key| &*self.jwks[*key]).collect();
                *response.body_mut() = format!("{{\"keys\":[{}]}}", jwks.join(",")).into();
                Answer::Keys(published.keys, self.max_age)
            }
            _ => {
                *response.status_mut() = StatusCode::NOT_FOUND;
                Answer::Nothing("not found", None)
            }
        }
    }

    fn fate(&mut self, asked_for_newer: bool) -> Fate {
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
            // Who tells a lie to a question that was asked cannot be found out.
            Weather::Status(304) if asked_for_newer => (soon, Plan::Status(500, None)),
            Weather::Status(status) => (soon, Plan::Status(status, None)),
            Weather::LeaveAlone(status, seconds) => {
                let header = (RETRY_AFTER, seconds.to_string());
                (soon, Plan::Status(status, Some(header)))
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
        let path = request.uri().path();
        let document = match path.strip_prefix("/jwks/") {
            Some(moves) => Document::Keys(moves.parse().unwrap()),
            None => Document::Metadata(usize::from(path.ends_with("openid-configuration"))),
        };
        let fate = {
            let mut state = self.state();
            state.under_way += 1;
            let told = Told::Asked {
                document,
                wall: self.clocks.now(),
                under_way: state.under_way,
            };
            state.told.push(told);
            state.fate(request.headers().contains_key(IF_NONE_MATCH))
        };
        let mut under_way = UnderWay {
            network: self,
            answer: Answer::Nothing("given up", None),
        };
        if fate.after > 0 {
            self.clocks.sleep(Duration::from_millis(fate.after)).await;
        }
        let Some((answer, response)) = self.answer(fate.plan, document, &request) else {
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
        let answer = std::mem::replace(&mut self.answer, Answer::Nothing("told", None));
        state.told.push(Told::Answered(answer));
    }
}

//! What will happen at the endpoint and at the gate, and when.

use std::ops::RangeInclusive;

use super::endpoint::Weather;
use crate::chance::Chance;
use crate::clocks::{HOUR, MINUTE, SECOND, Time};

/// Sorts of schedules: what a test draws from.
pub(crate) struct Climate {
    /// The name of its test.
    pub(crate) name: &'static str,
    pub(crate) length: RangeInclusive<Time>,
    pub(crate) chapters: RangeInclusive<u64>,
    pub(crate) weights: &'static [(u64, Chapter)],
}

/// What a gate may be told about look-ups, in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) deadline: Time,
    pub(crate) concurrent: usize,
    pub(crate) waiting: usize,
    pub(crate) accepted: Time,
    pub(crate) refused: Time,
    pub(crate) while_down: Time,
    pub(crate) jitter: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Chapter {
    /// Requests with tokens of all sorts.
    Traffic,
    Outage,
    /// Tokens are revoked, and shown until nobody lets them in any more.
    Revocations,
    /// More tokens at once than may be asked about.
    Crowd,
    /// A log-out: revoked and forgotten.
    Logout,
    ClockSet,
    Freeze,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    Weather(Weather),
    Revoke(usize),
    Show(Show),
    HangUp(usize),
    Forget(Forgotten),
    ShiftClock(i64),
    Freeze(Time),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Show {
    pub(crate) token: usize,
    pub(crate) patience: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Forgotten {
    Token(usize),
    /// All tokens are those of one subject.
    Subject,
    All,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) length: Time,
    pub(crate) events: Vec<(Time, Event)>,
}

/// Tokens that are shown again and again; there are more, that the issuer never heard of.
pub(crate) const TOKENS: usize = 12;
const STRANGERS: usize = 4;

impl Settings {
    fn draw(chance: &mut Chance) -> Settings {
        let defaults = Settings {
            deadline: 5 * SECOND,
            concurrent: 64,
            waiting: 1_000,
            accepted: 30 * SECOND,
            refused: 10 * SECOND,
            while_down: 0,
            jitter: chance.next(),
        };
        if chance.one_in(3) {
            return defaults;
        }
        Settings {
            deadline: chance.pick(&[5 * SECOND, 5 * SECOND, SECOND, 300, 12 * SECOND]),
            concurrent: chance.pick(&[1, 2, 3, 8, 64]),
            waiting: chance.pick(&[0, 1, 3, 1_000]),
            accepted: chance.pick(&[30 * SECOND, 30 * SECOND, SECOND, 0, 5 * MINUTE]),
            refused: chance.pick(&[10 * SECOND, 10 * SECOND, 0, MINUTE]),
            while_down: chance.pick(&[0, MINUTE, 5 * MINUTE, HOUR]),
            ..defaults
        }
    }
}

impl Plan {
    pub(crate) fn draw(climate: &Climate, chance: &mut Chance) -> Plan {
        let settings = Settings::draw(chance);
        let length = chance.scaled(climate.length.clone());
        let mut draft = Draft {
            chance,
            events: Vec::new(),
        };
        draft.traffic(0, length, 10);
        for _ in 0..draft.chance.within(climate.chapters.clone()) {
            let chapter = draft.chance.weighted(climate.weights);
            let start = draft.chance.within(0..=length);
            draft.chapter(chapter, start);
        }
        let mut events = draft.events;
        events.sort_by_key(|(at, _)| *at);
        events.retain(|(at, _)| *at <= length);
        Plan {
            settings,
            length,
            events,
        }
    }
}

struct Draft<'a> {
    chance: &'a mut Chance,
    events: Vec<(Time, Event)>,
}

impl Draft<'_> {
    fn at(&mut self, time: Time, event: Event) {
        self.events.push((time, event));
    }

    fn chapter(&mut self, chapter: Chapter, start: Time) {
        match chapter {
            Chapter::Traffic => {
                let length = self.chance.scaled(SECOND..=20 * MINUTE);
                let requests = self.chance.within(5..=40);
                self.traffic(start, length, requests);
            }
            Chapter::Outage => {
                let longest = self
                    .chance
                    .weighted(&[(6, MINUTE), (3, 10 * MINUTE), (1, 2 * HOUR)]);
                let length = self.chance.scaled(500..=longest);
                let foul = self.chance.pick(&Weather::FOUL);
                self.at(start, Event::Weather(foul));
                self.at(start + length, Event::Weather(Weather::Fair));
                self.aftermath(start);
                self.traffic(start, length, 20);
                self.aftermath(start + length);
            }
            Chapter::Revocations => {
                let token = self.chance.below(TOKENS);
                self.show(start, token);
                let revoked = start + self.chance.within(0..=2 * SECOND);
                self.at(revoked, Event::Revoke(token));
                for _ in 0..self.chance.within(3..=15) {
                    let time = revoked + self.chance.scaled(1..=HOUR);
                    self.show(time, token);
                }
            }
            Chapter::Crowd => {
                for _ in 0..self.chance.within(5..=60) {
                    let token = self.chance.below(TOKENS + STRANGERS);
                    let time = start + self.chance.within(0..=100);
                    self.show(time, token);
                }
            }
            Chapter::Logout => {
                let token = self.chance.below(TOKENS);
                let what = match self.chance.within(0..=3) {
                    0 => Forgotten::Subject,
                    1 => Forgotten::All,
                    _ => Forgotten::Token(token),
                };
                for _ in 0..4 {
                    let time = start + self.chance.within(0..=500);
                    self.show(time, token);
                }
                let out = start + self.chance.within(0..=500);
                self.at(out, Event::Revoke(token));
                self.at(out, Event::Forget(what));
                self.show(out, token);
                self.aftermath(out);
            }
            Chapter::ClockSet => {
                let by = self.chance.scaled(100..=2 * HOUR) as i64;
                let by = if self.chance.one_in(2) { by } else { -by };
                self.at(start, Event::ShiftClock(by));
                self.aftermath(start);
            }
            Chapter::Freeze => {
                let length = self.chance.scaled(100..=HOUR);
                self.at(start, Event::Freeze(length));
                self.aftermath(start + length);
            }
        }
    }

    /// Requests soon after something has happened: that is when it shows.
    fn aftermath(&mut self, start: Time) {
        let length = self.chance.scaled(100..=40 * SECOND);
        let requests = self.chance.within(2..=12);
        self.traffic(start, length, requests);
    }

    fn traffic(&mut self, start: Time, length: Time, requests: u64) {
        for _ in 0..requests {
            let time = start + self.chance.within(0..=length);
            let token = match self.chance.one_in(8) {
                true => TOKENS + self.chance.below(STRANGERS),
                false => self.chance.below(TOKENS),
            };
            self.show(time, token);
        }
    }

    fn show(&mut self, time: Time, token: usize) {
        let hangs_up = self.chance.one_in(8);
        let patience = hangs_up.then(|| self.chance.within(0..=3_000));
        self.at(time, Event::Show(Show { token, patience }));
    }
}

//! What will happen, and when: drawn from a seed before anything runs.

use std::ops::RangeInclusive;

use crate::chance::Chance;
use crate::clocks::{HOUR, MINUTE, SECOND, Time};
use crate::keys::MOST_KEYS;
use crate::network::Weather;

/// Sorts of schedules: what a test draws from.
pub(crate) struct Climate {
    /// The name of its test.
    pub(crate) name: &'static str,
    pub(crate) settings: &'static [Chosen],
    pub(crate) length: RangeInclusive<Time>,
    pub(crate) chapters: RangeInclusive<u64>,
    /// How often each sort of chapter comes.
    pub(crate) weights: &'static [(u64, Chapter)],
    /// Whether the gate keeps the last good keys in a file.
    pub(crate) keeps_file: bool,
}

/// Where the settings of a gate come from.
#[derive(Clone, Copy)]
pub(crate) enum Chosen {
    /// What a user gets who sets nothing.
    Defaults,
    /// Short limits, so that their ends come often.
    Short,
    /// Anything that may be set.
    Any,
}

/// What a gate may be told about its pace, in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) lifetime: Time,
    pub(crate) interval: Time,
    pub(crate) wait: Time,
    pub(crate) stale: Time,
    pub(crate) deadline: Time,
    /// How old the metadata may be; `None` if the gate is told where the keys are.
    pub(crate) metadata: Option<Time>,
    pub(crate) jitter: u64,
}

/// Something that takes a while, with the requests that come meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chapter {
    /// Requests of all sorts.
    Traffic,
    /// The next key is published long before it signs.
    Announced,
    /// The next key signs at once.
    Sudden,
    /// It signs before it is published: a copy of the set lags behind.
    TooEarly,
    /// The old key is taken away with the new one's coming: it was stolen.
    Emergency,
    /// A key that was withdrawn is published again.
    Restored,
    Outage,
    Flood,
    /// Everybody comes at once with a new key, and some do not wait for the answer.
    Crowd,
    /// More come at once than may wait.
    Stampede,
    ClockBack,
    ClockAhead,
    /// The machine stands still: nothing runs, and time passes.
    Freeze,
    /// The issuer says for how long its set is fresh.
    MaxAge,
    /// The keys move to another place, if the gate finds them through the metadata.
    Move,
    /// The gate is started anew.
    Restart,
}

/// What happens at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    Publish(usize),
    /// This key signs from now on.
    Sign(usize),
    /// Withdraws all keys that signed before, if the one that signs now is published.
    WithdrawOld,
    /// Publishes the key again that was withdrawn last.
    Restore,
    Weather(Weather),
    Ask(Ask),
    HangUp(usize),
    ShiftClock(i64),
    Freeze(Time),
    MaxAge(Option<u64>),
    Move,
    Restart,
}

/// A request that shows a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ask {
    pub(crate) bearer: Shown,
    /// Which server is asked, and which of a key's tokens is shown.
    pub(crate) server: usize,
    pub(crate) token: usize,
    /// When the client hangs up.
    pub(crate) patience: Option<Time>,
    /// The request that was answered 503 and is made again now.
    pub(crate) again: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shown {
    /// A token of the key that signs.
    Current,
    /// A token of any key that ever was.
    Any(usize),
    /// A token of this key.
    Key(usize),
    /// It names a key that was published, but somebody else has signed it.
    Forged(usize),
    MadeUp(u64),
}

/// A whole schedule.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) servers: usize,
    pub(crate) length: Time,
    pub(crate) keeps_file: bool,
    pub(crate) events: Vec<(Time, Event)>,
}

impl Settings {
    fn draw(chosen: Chosen, chance: &mut Chance) -> Settings {
        let jitter = chance.next();
        let metadata = chance.one_in(3).then_some(HOUR);
        let defaults = Settings {
            lifetime: 10 * MINUTE,
            interval: 5 * SECOND,
            wait: 2 * SECOND,
            stale: HOUR,
            deadline: 5 * SECOND,
            metadata,
            jitter,
        };
        match chosen {
            Chosen::Defaults => defaults,
            Chosen::Short => Settings {
                lifetime: chance.within(10 * SECOND..=MINUTE),
                stale: chance.within(0..=2 * MINUTE),
                ..defaults
            },
            Chosen::Any => {
                let lifetime = chance.scaled(10 * SECOND..=24 * HOUR);
                Settings {
                    lifetime,
                    // No more than half of any lifetime there may be.
                    interval: chance.scaled(SECOND..=(lifetime / 2).min(30 * SECOND)),
                    wait: chance.within(0..=10 * SECOND),
                    stale: chance.scaled(0..=7 * 24 * HOUR),
                    deadline: chance.within(100..=20 * SECOND),
                    metadata: metadata.map(|_| chance.scaled(MINUTE..=24 * HOUR)),
                    jitter,
                }
            }
        }
    }
}

/// How many lifetimes of a key set a schedule lasts at most.
const MOST_LIFETIMES: u64 = 150;

impl Plan {
    pub(crate) fn draw(climate: &Climate, chance: &mut Chance) -> Plan {
        let chosen = chance.pick(climate.settings);
        let settings = Settings::draw(chosen, chance);
        // Fetch after fetch in which nothing happens proves nothing, and takes its time.
        let length = chance.scaled(climate.length.clone());
        let length = length.min(MOST_LIFETIMES * settings.lifetime);
        let mut draft = Draft {
            chance,
            events: vec![(0, Event::Publish(0)), (0, Event::Sign(0))],
            keys: 1,
        };
        draft.traffic(0, 5 * SECOND, 2);
        for _ in 0..draft.chance.within(climate.chapters.clone()) {
            let chapter = draft.chance.weighted(climate.weights);
            let start = draft.chance.within(0..=length);
            draft.chapter(chapter, start);
        }
        let mut events = draft.events;
        // Stable: what was drawn first happens first.
        events.sort_by_key(|(at, _)| *at);
        events.retain(|(at, _)| *at <= length);
        Plan {
            servers: chance.weighted(&[(3, 1), (1, 2), (1, 3)]),
            settings,
            length,
            keeps_file: climate.keeps_file,
            events,
        }
    }
}

/// How many requests come at once that may not all wait.
const STAMPEDE: usize = 1_300;

struct Draft<'a> {
    chance: &'a mut Chance,
    events: Vec<(Time, Event)>,
    /// How many keys there are to be.
    keys: usize,
}

impl Draft<'_> {
    fn at(&mut self, time: Time, event: Event) {
        self.events.push((time, event));
    }

    fn chapter(&mut self, chapter: Chapter, start: Time) {
        match chapter {
            Chapter::Traffic => {
                let length = self.chance.scaled(SECOND..=HOUR);
                let requests = self.chance.within(3..=20);
                self.traffic(start, length, requests);
            }
            Chapter::Announced => {
                let notice = self.chance.scaled(MINUTE..=2 * HOUR);
                self.rotation(start, start + notice);
            }
            Chapter::Sudden => self.rotation(start, start),
            Chapter::TooEarly => {
                let lag = self.chance.within(100..=20 * SECOND);
                self.rotation(start + lag, start);
            }
            Chapter::Emergency => {
                if let Some(key) = self.next_key() {
                    self.at(start, Event::Publish(key));
                    self.at(start, Event::Sign(key));
                    self.at(start, Event::WithdrawOld);
                    self.aftermath(start);
                }
            }
            Chapter::Restored => {
                self.at(start, Event::Restore);
                self.aftermath(start);
            }
            Chapter::Outage => self.outage(start),
            Chapter::Flood => self.flood(start),
            Chapter::Crowd => {
                if let Some(key) = self.next_key() {
                    self.at(start, Event::Publish(key));
                    self.at(start, Event::Sign(key));
                }
                for _ in 0..self.chance.within(5..=30) {
                    let time = start + self.chance.within(0..=50);
                    let mut ask = self.ask(Shown::Current);
                    if self.chance.one_in(2) {
                        ask.patience = Some(self.chance.within(0..=1_000));
                    }
                    self.at(time, Event::Ask(ask));
                }
                self.aftermath(start);
            }
            Chapter::Stampede => {
                self.at(start, Event::Weather(Weather::Slow));
                for _ in 0..STAMPEDE {
                    let time = start + self.chance.within(0..=20);
                    let name = self.chance.next();
                    let ask = self.ask(Shown::MadeUp(name));
                    self.at(time, Event::Ask(ask));
                }
                self.at(start + MINUTE, Event::Weather(Weather::Fair));
                self.aftermath(start);
            }
            Chapter::ClockBack => {
                let by = self.chance.scaled(SECOND..=2 * HOUR) as i64;
                self.at(start, Event::ShiftClock(-by));
                self.aftermath(start);
            }
            Chapter::ClockAhead => {
                let by = self.chance.scaled(SECOND..=24 * HOUR) as i64;
                self.at(start, Event::ShiftClock(by));
                self.aftermath(start);
            }
            Chapter::Freeze => {
                let length = self.chance.scaled(100..=4 * HOUR);
                self.at(start, Event::Freeze(length));
                self.aftermath(start + length);
            }
            Chapter::MaxAge => {
                let seconds = self.chance.scaled(1..=200_000);
                let says = (!self.chance.one_in(4)).then_some(seconds);
                self.at(start, Event::MaxAge(says));
            }
            Chapter::Move => {
                self.at(start, Event::Move);
                self.aftermath(start);
            }
            Chapter::Restart => {
                self.at(start, Event::Restart);
                self.aftermath(start);
            }
        }
    }

    fn next_key(&mut self) -> Option<usize> {
        let next = (self.keys < MOST_KEYS).then_some(self.keys);
        self.keys += 1;
        next
    }

    fn rotation(&mut self, published: Time, signs: Time) {
        let Some(key) = self.next_key() else {
            return;
        };
        self.at(published, Event::Publish(key));
        self.at(signs, Event::Sign(key));
        if self.chance.one_in(2) {
            let later = published.max(signs) + self.chance.scaled(SECOND..=2 * HOUR);
            self.at(later, Event::WithdrawOld);
            self.aftermath(later);
        }
        self.aftermath(published);
        self.aftermath(signs);
    }

    fn outage(&mut self, start: Time) {
        let length = self
            .chance
            .weighted(&[(6, MINUTE), (3, 20 * MINUTE), (1, 5 * HOUR)]);
        let length = self.chance.scaled(500..=length);
        let foul = match self.chance.one_in(5) {
            true => Weather::Slow,
            false => self.chance.pick(&Weather::FOUL),
        };
        self.at(start, Event::Weather(foul));
        self.at(start + length, Event::Weather(Weather::Fair));
        self.aftermath(start);
        let middle = start + self.chance.within(0..=length);
        self.traffic(middle, MINUTE, 4);
        self.aftermath(start + length);
    }

    fn flood(&mut self, start: Time) {
        let length = self.chance.scaled(SECOND..=MINUTE);
        let names = self.chance.pick(&[1, 3, u64::MAX]);
        for _ in 0..self.chance.within(10..=60) {
            let name = self.chance.next() % names;
            let time = start + self.chance.within(0..=length);
            let ask = self.ask(Shown::MadeUp(name));
            self.at(time, Event::Ask(ask));
        }
        // A rotation in the midst of it must not be starved.
        if self.chance.one_in(2) {
            let middle = start + self.chance.within(0..=length);
            self.rotation(middle, middle);
        }
    }

    /// Requests soon after something has happened: that is when it shows.
    fn aftermath(&mut self, start: Time) {
        let length = self.chance.scaled(100..=40 * SECOND);
        let requests = self.chance.within(2..=8);
        self.traffic(start, length, requests);
    }

    fn traffic(&mut self, start: Time, length: Time, requests: u64) {
        for _ in 0..requests {
            let time = start + self.chance.within(0..=length);
            let shown = match self.chance.within(0..=9) {
                0..=4 => Shown::Current,
                5..=6 => Shown::Any(self.chance.below(MOST_KEYS)),
                7 => Shown::Forged(self.chance.below(MOST_KEYS)),
                _ => Shown::MadeUp(self.chance.within(0..=5)),
            };
            let mut ask = self.ask(shown);
            if self.chance.one_in(8) {
                ask.patience = Some(self.chance.within(0..=2_500));
            }
            self.at(time, Event::Ask(ask));
        }
    }

    fn ask(&mut self, bearer: Shown) -> Ask {
        Ask {
            bearer,
            server: self.chance.below(6),
            token: self.chance.below(12),
            patience: None,
            again: None,
        }
    }
}

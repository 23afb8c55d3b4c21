//! A small deterministic simulation of time and network: a day of rotations, outages and floods takes
//! milliseconds, thousands of such days are played, and the promises of the gate are checked at every
//! step of each.
//!
//! A seed draws a schedule (`schedule.rs`): settings, and what happens when. The world (`world.rs`) plays
//! it from event to event against the gate as it is, through its public API; issuer and network are a
//! `Fetch` (`network.rs`), time is a `Clock` (`clocks.rs`). The judge (`judge.rs`, `rounds.rs`) sees what
//! the network sees and what requests are answered, and nothing of the inside; what it holds the gate to
//! is in `invariants.rs`. Look-ups have a world of their own in the same manner (`lookups/`).
//!
//! One seed is one schedule, line by line. A failure prints its seed and what happened last; these play
//! it again, or others:
//!
//! - `PORTCULLIS_SEED`: the first seed, instead of 1.
//! - `PORTCULLIS_SCHEDULES`: how many schedules each test plays.
//! - `PORTCULLIS_SHOW`: set to anything, each test ends by telling what it saw.
//!
//! # Why it is written by hand
//!
//! turmoil and madsim put their own network and runtime in the place of tokio's, shuttle its own threads,
//! so that code which reaches for them by itself can be simulated. This crate does not: time and network
//! come in through `Clock` and `Fetch`, and chance through a seed. What is left is one thread that turns
//! a clock to the next moment at which somebody wakes, and waits until tokio has nothing left to run
//! (`rest.rs`): that moment is known exactly, so no number of turns is guessed. What it cannot see is
//! what threads do to each other, since there is one: that is for the models under loom. Nor does it see
//! sockets, DNS and TLS: that is for the suites on real sockets.
//!
//! # That it can fail
//!
//! Each of these was done to the gate, and was found by the tests as they stand:
//!
//! | done | found as | first by |
//! |---|---|---|
//! @TABLE@
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod chance;
mod clocks;
mod file;
mod gate;
mod invariants;
mod judge;
mod keys;
mod lookups;
mod network;
mod report;
mod rest;
mod rounds;
mod schedule;
#[path = "../watched/mod.rs"]
mod watched;
mod world;

use std::env;

use clocks::{HOUR, MINUTE};
use keys::Pool;
use report::{Played, Seen};
use schedule::Chapter::{
    Announced, ClockAhead, ClockBack, Crowd, Emergency, Flood, Freeze, MaxAge, Move, Outage,
    Restart, Restored, Stampede, Sudden, TooEarly, Traffic,
};
use schedule::{Chosen, Climate};
use world::play;

/// Plays so many schedules, the one after the other.
fn play_all(name: &str, schedules: u64, play: impl Fn(u64) -> Played) -> Seen {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("PORTCULLIS_SEED");
    let default = if first.is_some() { 1 } else { schedules };
    let schedules = number("PORTCULLIS_SCHEDULES").unwrap_or(default);
    let mut seen = Seen::default();
    for n in 0..schedules {
        let seed = first.unwrap_or(FIRST_SEED) + n;
        let played = play(seed);
        seen.add(&played.seen);
        if let Some(broken) = played.broken {
            panic!(
                "seed {seed} breaks {broken}\n\n{}\n\nplay it again with\n\
                 PORTCULLIS_SEED={seed} cargo test --all-features --test simulation {name}\n",
                played.trace.tail(),
            );
        }
    }
    if env::var("PORTCULLIS_SHOW").is_ok() {
        panic!("{schedules} schedules of {name}: {seen:#?}");
    }
    seen
}

/// Keys.
fn keys(climate: &Climate, schedules: u64) -> Seen {
    let pool = Pool::new();
    play_all(climate.name, schedules, |seed| play(&pool, climate, seed))
}

const FIRST_SEED: u64 = 1;

const CALM: Climate = Climate {
    name: "calm_days",
    settings: &[Chosen::Defaults],
    length: 12 * HOUR..=24 * HOUR,
    chapters: 5..=15,
    weights: &[(6, Traffic), (4, Announced), (2, Sudden), (1, MaxAge)],
    keeps_file: false,
};

/// Days without trouble: rotations, announced or not, and nobody notices.
#[test]
fn calm_days() {
    keys(&CALM, 200);
}

/// Outages of all sorts and lengths, with rotations in their midst.
#[test]
fn outages() {
    let climate = Climate {
        name: "outages",
        settings: &[Chosen::Defaults, Chosen::Short],
        length: HOUR..=24 * HOUR,
        chapters: 3..=10,
        weights: &[
            (8, Outage),
            (2, Traffic),
            (1, Announced),
            (2, Sudden),
            (2, Emergency),
            (1, Flood),
            (1, MaxAge),
            (1, Move),
        ],
        keeps_file: false,
    };
    keys(&climate, 500);
}

/// Rotations of all sorts under floods of made-up names and crowds that hang up.
#[test]
fn rotations_under_load() {
    let climate = Climate {
        name: "rotations_under_load",
        settings: &[Chosen::Defaults, Chosen::Any],
        length: 5 * MINUTE..=HOUR,
        chapters: 3..=10,
        weights: &[
            (3, Flood),
            (3, Crowd),
            (2, Sudden),
            (2, TooEarly),
            (2, Emergency),
            (1, Restored),
            (1, Outage),
        ],
        keeps_file: false,
    };
    keys(&climate, 300);
}

/// Wall clocks that are set, and machines that stand still.
#[test]
fn clocks_that_lie() {
    let climate = Climate {
        name: "clocks_that_lie",
        settings: &[Chosen::Defaults, Chosen::Short, Chosen::Any],
        length: 10 * MINUTE..=6 * HOUR,
        chapters: 3..=10,
        weights: &[
            (3, ClockBack),
            (3, ClockAhead),
            (2, Freeze),
            (2, Traffic),
            (2, Sudden),
            (1, TooEarly),
            (1, Emergency),
            (2, Outage),
        ],
        keeps_file: false,
    };
    keys(&climate, 500);
}

/// More requests at once than may wait.
#[test]
fn stampedes() {
    let climate = Climate {
        name: "stampedes",
        settings: &[Chosen::Defaults],
        length: 2 * MINUTE..=10 * MINUTE,
        chapters: 2..=3,
        weights: &[(1, Stampede), (1, Sudden)],
        keeps_file: false,
    };
    keys(&climate, 5);
}

/// Restarts, with the last good keys out of a file.
#[test]
fn restarts_with_a_file() {
    let climate = Climate {
        name: "restarts_with_a_file",
        settings: &[Chosen::Defaults, Chosen::Short, Chosen::Any],
        length: 10 * MINUTE..=4 * HOUR,
        chapters: 4..=10,
        weights: &[
            (4, Restart),
            (4, Outage),
            (2, Sudden),
            (1, Emergency),
            (1, ClockBack),
            (1, MaxAge),
        ],
        keeps_file: true,
    };
    let seen = keys(&climate, 200);
    assert_ne!(seen.kept_used, 0);
}

const EVERYTHING: Climate = Climate {
    name: "everything_at_once",
    settings: &[Chosen::Defaults, Chosen::Short, Chosen::Any],
    length: 10 * MINUTE..=24 * HOUR,
    chapters: 2..=10,
    weights: &[
        (3, Traffic),
        (2, Announced),
        (3, Sudden),
        (2, TooEarly),
        (2, Emergency),
        (1, Restored),
        (6, Outage),
        (1, Flood),
        (1, Crowd),
        (1, ClockBack),
        (1, ClockAhead),
        (1, Freeze),
        (1, MaxAge),
        (1, Move),
        (1, Restart),
    ],
    keeps_file: false,
};

/// All of it, under any settings.
#[test]
fn everything_at_once() {
    let seen = keys(&EVERYTHING, 800);
    // What needs a file, and what is of look-ups.
    let elsewhere = [
        "kept_used",
        "shared",
        "repeated",
        "turned_away",
        "passed_revoked",
    ];
    assert_eq!(seen.missing(), elsewhere);
}

/// The same seed gives the same schedule, line by line: else nobody can play a failure again.
#[test]
fn one_seed_is_one_schedule() {
    let pool = Pool::new();
    for seed in 0..20 {
        let [one, other] = [(); 2].map(|()| play(&pool, &EVERYTHING, seed));
        assert_eq!(one.trace.lines(), other.trace.lines(), "seed {seed}");
        assert_eq!(one.seen, other.seen, "seed {seed}");
    }
    let [one, other] = [1, 2].map(|seed| play(&pool, &EVERYTHING, seed));
    assert_ne!(one.trace.lines(), other.trace.lines());
}

/// Look-ups at an endpoint in every sort of trouble.
#[test]
fn lookups() {
    use lookups::Chapter::{ClockSet, Crowd, Freeze, Logout, Outage, Revocations, Traffic};
    let climate = lookups::Climate {
        name: "lookups",
        length: 2 * MINUTE..=4 * HOUR,
        chapters: 2..=10,
        weights: &[
            (3, Traffic),
            (6, Outage),
            (3, Revocations),
            (3, Crowd),
            (3, Logout),
            (1, ClockSet),
            (1, Freeze),
        ],
    };
    let seen = play_all(climate.name, 600, |seed| lookups::play(&climate, seed));
    let happened = [
        seen.accepted_after_waiting,
        seen.accepted_in_outage,
        seen.unknown_refused,
        seen.unavailable,
        seen.turned_away,
        seen.shared,
        seen.repeated,
        seen.passed_revoked,
        seen.hung_up,
        seen.clock_shifts,
        seen.freezes,
    ];
    assert!(!happened.contains(&0), "{seen:#?}");
}

//! A small deterministic simulation of time and network.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod chance;
mod clocks;
mod invariants;
mod judge;
mod keys;
mod network;
mod report;
mod rounds;
mod schedule;
mod world;

use std::env;

use chance::Chance;
use clocks::{HOUR, MINUTE, SECOND};
use keys::Pool;
use report::Seen;
use schedule::Chapter::*;
use schedule::{Chosen, Climate};
use world::play;

/// Plays `schedules` schedules of `climate`, from `PORTCULLIS_SEED` on if that is set, or
/// `PORTCULLIS_SCHEDULES` of them.
fn play_all(climate: &Climate, schedules: u64) -> Seen {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let given = number("PORTCULLIS_SEED");
    let schedules = number("PORTCULLIS_SCHEDULES").unwrap_or(if given.is_some() { 1 } else { schedules });
    let pool = Pool::new();
    let mut seeds = Chance::of(0);
    let mut seen = Seen::default();
    for n in 0..schedules {
        let seed = match given {
            Some(seed) => seed + n,
            None => seeds.next() >> 16,
        };
        let played = play(&pool, climate, seed);
        seen.add(&played.seen);
        if let Some(broken) = played.broken {
            panic!(
                "{:?} is broken by schedule {n}, seed {seed}: {}\n\n{}\n\nplay it again with\n\
                 PORTCULLIS_SEED={seed} cargo test --all-features --test simulation {}\n",
                broken.invariant,
                broken.how,
                played.trace.tail(),
                climate.name,
            );
        }
    }
    seen
}

#[test]
fn everything_at_once() {
    let climate = Climate {
        name: "everything_at_once",
        settings: &[Chosen::Defaults, Chosen::Short, Chosen::Any],
        length: 10 * MINUTE..=12 * HOUR,
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
    };
    let seen = play_all(&climate, 300);
    assert_eq!(seen.missing(), [""; 0]);
    if env::var("PORTCULLIS_SHOW").is_ok() { panic!("{seen:#?}") }
}
const _: u64 = SECOND;

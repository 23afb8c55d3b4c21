//! A second opinion: thousands of tokens, good and broken in one to three places, shown to this crate and
//! to two verifiers of others. The others share no signature check with us, and judge claims by rules of
//! their own. Where an answer differs, `classes.rs` has the reason, or it is a fault.
//!
//! The seed decides what is broken. Keys, and signatures that have chance in them, are new in each run;
//! no answer depends on them.

mod breakages;
#[allow(dead_code)] // A simulation draws in more ways.
#[path = "../tests/simulation/chance.rs"]
mod chance;
mod classes;
mod draft;
mod keys;
mod tally;
mod verdict;

use std::collections::BTreeSet;

use breakages::AT_THE_CLOCK;
use chance::Chance;
use classes::Token;
use draft::Breakage;
use keys::{ALGORITHMS, Keys, SECRET};
use tally::{Other, Tally};
use tokio::runtime::{Builder, Runtime};
use verdict::Verifiers;

/// How often each breakage is tried alone, with each algorithm: some have several forms.
const ALONE: usize = 3;

/// How many good tokens there are of each algorithm.
const GOOD: usize = 100;

struct Stage {
    keys: Keys,
    /// Of the same kinds, and not the issuer's.
    forger: Keys,
    verifiers: Vec<Verifiers>,
    runtime: Runtime,
    chance: Chance,
    tally: Tally,
    /// What we accept where nothing else is broken, for each algorithm.
    harmless: Vec<BTreeSet<&'static str>>,
}

impl Stage {
    fn new(seed: u64) -> Stage {
        let keys = Keys::new(SECRET);
        let other = Keys::new(b"a secret is alone, so that nobody asks for this one");
        let verifiers = ALGORITHMS.map(|algorithm| Verifiers::new(algorithm, &keys, &other));
        Stage {
            verifiers: verifiers.into(),
            keys,
            forger: Keys::new(b"a secret that is as long, and nobody's"),
            runtime: Builder::new_current_thread().build().unwrap(),
            chance: Chance::of(seed),
            tally: Tally::default(),
            harmless: vec![BTreeSet::new(); ALGORITHMS.len()],
        }
    }

    /// Makes a token of the algorithm at `place`, and asks all three. Whether all accept it.
    fn show(&mut self, place: usize, broken: &[&'static Breakage]) -> bool {
        let algorithm = ALGORITHMS[place];
        let (keys, forger) = (&self.keys, &self.forger);
        let token = draft::mint(keys, forger, algorithm, broken, &mut self.chance);
        let verifiers = &self.verifiers[place];
        let ours = self.runtime.block_on(verifiers.ours(&token));
        if let ([alone], true) = (broken, ours.is_ok()) {
            let of_claims = alone.is_of_claims();
            for (at, harmless) in self.harmless.iter_mut().enumerate() {
                if at == place || of_claims {
                    harmless.insert(alone.0);
                }
            }
        }
        let described = Token {
            algorithm,
            broken,
            harmless: &self.harmless[place],
        };
        let shown = || format!("{algorithm} {token}");
        self.tally.count();
        let simple = verifiers.jwt_simple(&token);
        let other = Other::JwtSimple;
        self.tally
            .compare(other, &ours, &simple, &described, &shown);
        let mut all_accept = ours.is_ok() && simple.is_ok();
        // It has the clock of the wall.
        let at_the_clock = |breakage: &&Breakage| breakage.0.starts_with(AT_THE_CLOCK);
        if !broken.iter().any(at_the_clock) {
            let theirs = verifiers.jsonwebtoken(&token);
            let other = Other::Jsonwebtoken;
            self.tally
                .compare(other, &ours, &theirs, &described, &shown);
            all_accept &= theirs.is_ok();
        }
        all_accept
    }
}

/// Shows good tokens, each breakage alone, and `combined` tokens with two or three of them.
fn ask(seed: u64, combined: usize) {
    let mut stage = Stage::new(seed);
    let all: Vec<&'static Breakage> = breakages::all().collect();
    for (place, algorithm) in ALGORITHMS.iter().enumerate() {
        for _ in 0..GOOD {
            assert!(stage.show(place, &[]), "{algorithm}: a good token is good");
        }
        for breakage in &all {
            for _ in 0..ALONE {
                stage.show(place, &[breakage]);
            }
        }
    }
    for _ in 0..combined {
        let place = stage.chance.below(ALGORITHMS.len());
        let mut chosen: Vec<usize> = (0..2 + stage.chance.below(2))
            .map(|_| stage.chance.below(all.len()))
            .collect();
        // In the order of the table, which is that in which a token is made.
        chosen.sort_unstable();
        chosen.dedup();
        let broken: Vec<&Breakage> = chosen.into_iter().map(|at| all[at]).collect();
        stage.show(place, &broken);
    }
    let faults = stage.tally.close();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_disagreement_is_explained() {
    ask(1, 12_000);
}

/// Ten times as many, for whoever changed something.
#[test]
#[ignore = "takes minutes"]
fn each_disagreement_is_explained_at_length() {
    ask(2, 240_000);
}

//! Tokens that were never seen, and those that are refused.

use std::hint::black_box;

use portcullis::ResourceServer;

use crate::Run;
use crate::route_time;
use crate::stage::broken::{BROKEN, Broken};
use crate::stage::gate::{self, Cold};
use crate::stage::paired::compare;
use crate::stage::ring::Ring;
use crate::stage::tokens;
use crate::table::Goal::{AtMost, None as NoGoal};
use crate::table::Unit::{Count, Nanoseconds, Ratio};
use crate::table::{Figure, figure};

/// Token to typed, checked claims against the check of the signature.
pub fn cold(run: &Run) -> Vec<Figure> {
    let algorithms = [
        ("RS256", AtMost(1.10), "1.08"),
        ("PS256", AtMost(1.10), "1.08"),
        ("ES256", AtMost(1.03), "1.02"),
        ("ES384", AtMost(1.03), "1.02"),
        ("EdDSA", AtMost(1.05), "1.04"),
        ("HS256", NoGoal, ""),
    ];
    let one = |(alg, goal, floor)| {
        let key = tokens::signing_key(alg);
        let texts: Vec<String> = (0..16).map(|n| tokens::token(&key, n)).collect();
        let apart = texts.iter().map(|token| tokens::taken_apart(token));
        let (mut apart, raw) = (Ring::new(apart.collect()), key.raw_check());
        let (mut whole, cold) = (Ring::new(texts.clone()), Cold::new(gate::verifier(&key)));
        let time = compare(
            run.rounds,
            || {
                let (message, signature) = apart.next();
                assert!(raw.check(message.as_bytes(), signature));
            },
            || {
                black_box(cold.party(whole.next()));
            },
        );
        let what = format!(
            "token to typed, checked claims against the raw check, {alg} ({:.1} us)",
            time.nanoseconds / 1_000.0
        );
        figure(what, Ratio, goal, Some(time.ratio))
            .floor(floor)
            .quartiles(time.quartiles)
    };
    algorithms.into_iter().map(one).collect()
}

pub fn miss(run: &Run) -> Vec<Figure> {
    let count = run.counted.allocations("a token never seen");
    let what = "allocations of a miss beyond the claims' fields, cache entry included";
    vec![figure(what, Count, AtMost(5.0), count).floor("2")]
}

/// Refusals at the heart of the gate.
pub fn refusals(run: &Run) -> Vec<Figure> {
    let mut figures = Vec::new();
    let key = tokens::signing_key("ES256");
    let server = gate::gate(&key);
    for Broken { name, broken } in BROKEN {
        let texts = (0..256).map(|n| broken(&key, n));
        let time = refused(run, &server, texts);
        figures.push(
            figure(
                format!("refused: {name}, time"),
                Nanoseconds,
                AtMost(1_000.0),
                Some(time),
            )
            .floor("300 ns"),
        );
        let count = run.counted.allocations(&format!("refused: {name}"));
        let what = format!("refused: {name}, allocations");
        figures.push(figure(what, Count, AtMost(2.0), count));
    }
    figures
}

fn refused(run: &Run, server: &ResourceServer, texts: impl Iterator<Item = String>) -> f64 {
    let heads = texts.map(|token| gate::head(&gate::bearer(&token)));
    let mut heads: Vec<_> = heads.collect();
    let (count, mut at) = (heads.len(), 0);
    let any = gate::bearer("any");
    route_time::of(run, &any, || {
        at = (at + 1) % count;
        assert!(gate::ask(server, &mut heads[at]).is_err());
    })
}

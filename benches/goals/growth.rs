//! What grows with keys, issuers, scopes and remembered tokens.

use std::hint::black_box;
use std::process::Command;

use http::HeaderValue;
use portcullis::{AccessToken, ResourceServer};

use crate::Run;
use crate::route_time;
use crate::stage::gate::{self, Cold, ReadEvents, ask, head};
use crate::stage::memory::resident;
use crate::stage::paired::compare;
use crate::stage::ring::Ring;
use crate::stage::{gate::Party, route, tokens};
use crate::table::Goal::{AtMost, None as NoGoal};
use crate::table::Unit::{Bytes, Nanoseconds, Ratio};
use crate::table::{Figure, figure};

/// Keys and issuers, where they count: for a token that was never seen.
pub fn keys(run: &Run) -> Vec<Figure> {
    let key = tokens::signing_key("RS256");
    let token = tokens::token(&key, 1);
    let (one, many) = (gate::with_keys(&key, 1), gate::with_keys(&key, 128));
    let (one, many) = (Cold::new(one), Cold::new(many));
    let keys = compare(
        run.rounds,
        || drop(black_box(one.party(&token))),
        || drop(black_box(many.party(&token))),
    );
    let (one, many) = (gate::with_issuers(&key, 1), gate::with_issuers(&key, 100));
    let (one, many) = (Cold::new(one), Cold::new(many));
    let issuers = compare(
        run.rounds,
        || drop(black_box(one.party(&token))),
        || drop(black_box(many.party(&token))),
    );
    let row = |what, figures: crate::stage::paired::Figures| {
        figure(what, Ratio, AtMost(1.05), Some(figures.ratio))
            .floor("1.00")
            .quartiles(figures.quartiles)
    };
    vec![
        row("keys 1 to 128 (a set has no more), RS256 never seen", keys),
        row("issuers 1 to 100, RS256 never seen", issuers),
    ]
}

/// A hit among many.
pub fn remembered(run: &Run) -> Vec<Figure> {
    let mut figures = vec![among(run, 10_000, 400.0, "+300 ns")];
    if !run.quick {
        figures.push(among(run, 1_000_000, 1_500.0, "+1200 ns"));
    }
    figures
}

fn among(run: &Run, count: u64, goal: f64, floor: &'static str) -> Figure {
    let key = tokens::signing_key("HS256");
    let alone = gate::gate(&key);
    let known = gate::bearer(&tokens::token(&key, 0));
    gate::acquaint(&alone, &known);
    let many = gate::gate_for(gate::verifier(&key), count + count / 5);
    let headers: Vec<HeaderValue> = (0..count)
        .map(|n| gate::bearer(&tokens::token(&key, n)))
        .collect();
    for header in &headers {
        remember(&many, header);
    }
    let (mut headers, mut others) = (Ring::new(headers.clone()), Ring::new(headers));
    let (few, many) = (route::extractor(&alone), route::extractor(&many));
    let open = route::unguarded();
    // Headers that lie scattered in memory cost the open route something, too.
    let scattered = route_time::of(run, &known, || route::visit(&open, others.next()));
    let in_turn = compare(
        run.rounds,
        || route::visit(&open, others.next()),
        || route::visit(&many, headers.next()),
    );
    let one = route_time::of(run, &known, || route::visit(&few, &known));
    let open = route_time::of(run, &known, || route::visit(&open, &known));
    let added = (in_turn.ratio - 1.0) * scattered - (one - open);
    let what = format!("a hit among {count} remembered tokens, scattered, over a hit on one alone");
    figure(what, Nanoseconds, AtMost(goal), Some(added)).floor(floor)
}

fn remember(server: &ResourceServer, header: &HeaderValue) {
    ask(server, &mut head(header)).unwrap().unwrap();
}

/// Resident bytes of a remembered token.
pub fn memory(run: &Run) -> Vec<Figure> {
    let count: u64 = if run.quick { 100_000 } else { 1_000_000 };
    let row = |form: &str, what: &str, goal, floor| {
        let told = Command::new(std::env::current_exe().unwrap())
            .args(["--hold", form, "--tokens", &count.to_string()])
            .output()
            .unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let bytes = told.trim().parse().ok();
        let what = format!("resident bytes per remembered token, {count} held{what}");
        figure(what, Bytes, goal, bytes).floor(floor)
    };
    vec![
        row("plain", ", by name", AtMost(650.0), "603 B"),
        row(
            "typed",
            ", with the claims read as seven strings",
            NoGoal,
            "",
        ),
    ]
}

/// Holds as many tokens, and prints what each takes.
pub fn hold(form: &str, count: u64) {
    let key = tokens::signing_key("HS256");
    let server = gate::gate_for(gate::verifier(&key), count + count / 5);
    gate::acquaint(&server, &gate::bearer(&tokens::token(&key, u64::MAX)));
    let before = resident();
    for n in 0..count {
        let header = gate::bearer(&tokens::token(&key, n));
        let token = ask(&server, &mut head(&header)).unwrap().unwrap();
        if form == "typed" {
            token.claims_as::<Party>().unwrap();
        }
    }
    if let Some((after, before)) = resident().zip(before) {
        println!("{}", (after - before) / count);
    }
    drop(server);
}

/// A scope among many, checked on a hit.
pub fn scopes(run: &Run) -> Vec<Figure> {
    let key = tokens::signing_key("HS256");
    let server = gate::gate(&key);
    let holding = |count: usize| {
        let mut words: Vec<String> = (1..count).map(|n| format!("scope:{n:03}")).collect();
        // The last one is the last that a search from the left finds.
        words.push("read:events".to_owned());
        let token = tokens::token_with_scope(&key, 1, &words.join(" "));
        let proven = ask(&server, &mut head(&gate::bearer(&token)));
        proven.unwrap().unwrap()
    };
    let (one, hundred) = (holding(1), holding(100));
    let any = gate::bearer("any");
    let checked = |count, token: AccessToken| {
        let ask = || black_box(&token).require::<ReadEvents>().unwrap();
        let what = format!("one scope checked on a hit, {count} held");
        let time = route_time::of(run, &any, ask);
        figure(what, Nanoseconds, AtMost(30.0), Some(time)).floor("7 ns")
    };
    vec![checked("1", one), checked("100", hundred)]
}

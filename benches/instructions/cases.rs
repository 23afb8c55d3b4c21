//! The ways through the gate whose instructions are counted.

use std::hint::black_box;

use http::HeaderValue;
use portcullis::ResourceServer;

use crate::stage::fixed::{self, Fixed};
use crate::stage::gate::{self, Cold};
use crate::stage::route::Route;
use crate::stage::{hand, route, tokens};

/// How many rounds the two runs of a case have. What differs between them is whole rounds.
pub const FEW: u64 = 50;
pub const MOST: u64 = 550;

/// What a case is compared to.
#[derive(Clone, Copy)]
pub enum Over {
    /// Nothing: it is a figure of its own.
    Nothing,
    /// Another case.
    Case(&'static str),
}

pub struct Case {
    pub name: &'static str,
    pub over: Over,
    /// What the crate promises, if it does.
    pub goal: Option<i64>,
    pub run: fn(u64),
    /// Whether it is this crate's: what others make of theirs is shown, and fails nobody.
    pub ours: bool,
}

const OPEN: &str = "unguarded route";

const fn case(name: &'static str, over: Over, goal: Option<i64>, run: fn(u64)) -> Case {
    Case {
        name,
        over,
        goal,
        run,
        ours: true,
    }
}

const fn others(name: &'static str, over: Over, run: fn(u64)) -> Case {
    Case {
        ours: false,
        ..case(name, over, None, run)
    }
}

pub const CASES: [Case; 21] = [
    others(OPEN, Over::Nothing, |rounds| {
        visits(rounds, route::unguarded())
    }),
    others("layer that does nothing", Over::Case(OPEN), |rounds| {
        visits(rounds, route::empty_layer())
    }),
    case("extractor", Over::Case(OPEN), Some(1_500), |rounds| {
        visits(rounds, route::extractor(&acquainted()))
    }),
    case(
        "extractor with scope and claims",
        Over::Case("extractor"),
        None,
        |rounds| visits(rounds, route::extractor_of_both(&acquainted())),
    ),
    case(
        "layer around the router",
        Over::Case(OPEN),
        Some(2_300),
        |rounds| visits(rounds, route::around(&acquainted())),
    ),
    case("Router::layer", Over::Case(OPEN), Some(3_500), |rounds| {
        visits(rounds, route::layer(&acquainted()))
    }),
    case(
        "scope and claims behind a layer",
        Over::Case("Router::layer"),
        None,
        |rounds| visits(rounds, route::layer_and_both(&acquainted())),
    ),
    others("hand-written, moka", Over::Case(OPEN), |rounds| {
        let token = fixed::of("ES256").token;
        let payload = portcullis_claims(token);
        visits(rounds, hand::with_moka([(token.to_owned(), payload)]));
    }),
    others("raw check, HS256", Over::Nothing, |rounds| {
        let key = tokens::signing_key("HS256");
        let token = tokens::token(&key, 1);
        raw(rounds, &key.raw_check(), &token);
    }),
    others("raw check, RS256", Over::Nothing, |rounds| {
        raw_fixed(rounds, "RS256")
    }),
    others("raw check, ES256", Over::Nothing, |rounds| {
        raw_fixed(rounds, "ES256")
    }),
    others("raw check, EdDSA", Over::Nothing, |rounds| {
        raw_fixed(rounds, "EdDSA")
    }),
    case(
        "cold without its signature, HS256",
        Over::Case("raw check, HS256"),
        None,
        |rounds| {
            let key = tokens::signing_key("HS256");
            let token = tokens::token(&key, 1);
            cold(rounds, &Cold::new(gate::verifier(&key)), &token);
        },
    ),
    case(
        "cold without its signature, RS256",
        Over::Case("raw check, RS256"),
        None,
        |rounds| cold_fixed(rounds, "RS256"),
    ),
    case(
        "cold without its signature, ES256",
        Over::Case("raw check, ES256"),
        None,
        |rounds| cold_fixed(rounds, "ES256"),
    ),
    case(
        "cold without its signature, EdDSA",
        Over::Case("raw check, EdDSA"),
        None,
        |rounds| cold_fixed(rounds, "EdDSA"),
    ),
    case("refused: rubbish", Over::Nothing, None, |rounds| {
        refusals(rounds, |n, _| format!("rubbish-{n:06}"))
    }),
    case("refused: unknown kid", Over::Nothing, None, |rounds| {
        refusals(rounds, |n, token| {
            let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"nobody-{n:06}"}}"#);
            tokens::under_header(token, &header)
        })
    }),
    case("refused: wrong algorithm", Over::Nothing, None, |rounds| {
        refusals(rounds, |n, token| {
            let header = format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"nobody-{n:06}"}}"#);
            tokens::under_header(token, &header)
        })
    }),
    case("refused: expired", Over::Nothing, None, expired),
    case(
        "never seen, HS256, with its signature",
        Over::Case(OPEN),
        None,
        never_seen,
    ),
];

/// Callgrind counts in here and nowhere else: what begins a process, such as gathering randomness for a
/// key, varies.
#[inline(never)]
fn counted_rounds(rounds: u64, mut round: impl FnMut(usize)) {
    for number in 0..rounds {
        round(number as usize);
    }
}

/// A gate that knows the fixed token by heart.
fn acquainted() -> ResourceServer {
    let server = gate::gate_for(fixed::of("ES256").verifier(), gate::CAPACITY);
    gate::acquaint(&server, &gate::bearer(fixed::of("ES256").token));
    server
}

fn portcullis_claims(token: &str) -> gate::Party {
    Cold::new(fixed::of("ES256").verifier()).party(token)
}

fn visits(rounds: u64, service: impl Route) {
    let header = gate::bearer(fixed::of("ES256").token);
    counted_rounds(rounds, |_| route::visit(&service, &header));
}

fn raw_fixed(rounds: u64, alg: &str) {
    let Fixed { token, .. } = fixed::of(alg);
    raw(rounds, &fixed::of(alg).raw_check(), token);
}

fn raw(rounds: u64, check: &tokens::RawCheck, token: &str) {
    let (message, signature) = tokens::taken_apart(token);
    counted_rounds(rounds, |_| {
        assert!(check.check(black_box(message.as_bytes()), &signature))
    });
}

fn cold_fixed(rounds: u64, alg: &str) {
    let fixed = fixed::of(alg);
    cold(rounds, &Cold::new(fixed.verifier()), fixed.token);
}

fn cold(rounds: u64, cold: &Cold<portcullis::JwtVerifier>, token: &str) {
    counted_rounds(rounds, |_| {
        black_box(cold.party(black_box(token)));
    });
}

/// Refusals at the heart of the gate, of tokens that are made from a good one.
fn refusals(rounds: u64, broken: fn(u64, &str) -> String) {
    let server = gate::gate_for(fixed::of("ES256").verifier(), gate::CAPACITY);
    let headers = (0..MOST).map(|n| gate::bearer(&broken(n, fixed::of("ES256").token)));
    refuse(rounds, &server, &headers.collect::<Vec<_>>());
}

fn expired(rounds: u64) {
    let key = tokens::signing_key("HS256");
    let headers = (0..MOST).map(|n| gate::bearer(&tokens::expired_token(&key, n)));
    let headers: Vec<HeaderValue> = headers.collect();
    refuse(rounds, &gate::gate(&key), &headers);
}

fn refuse(rounds: u64, server: &ResourceServer, headers: &[HeaderValue]) {
    let mut heads: Vec<_> = headers.iter().map(gate::head).collect();
    counted_rounds(rounds, |round| {
        assert!(gate::ask(server, &mut heads[round]).is_err())
    });
}

fn never_seen(rounds: u64) {
    let key = tokens::signing_key("HS256");
    let service = route::extractor_of_claims(&gate::gate(&key));
    let headers: Vec<_> = (0..MOST)
        .map(|n| gate::bearer(&tokens::token(&key, n)))
        .collect();
    counted_rounds(rounds, |round| route::visit(&service, &headers[round]));
}

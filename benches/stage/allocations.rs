//! How many allocations each way through the gate costs: exact, so tests hold them and the table of
//! goals shows them. Apart from the rest of the stage, because whoever names this links an allocator
//! that counts.

use std::hint::black_box;

use http::HeaderValue;
use portcullis::ResourceServer;

use crate::stage::broken::BROKEN;
use crate::stage::gate::{self, Party, ask};
use crate::stage::route::Route;
use crate::stage::{route, tokens};

/// One way through the gate.
pub struct Row {
    /// What it is called on the command line and in the table.
    pub name: &'static str,
    /// How many allocations it may cost.
    pub goal: u64,
    /// Counts them.
    pub count: fn() -> u64,
}

/// The goals, in one place.
pub const ROWS: [Row; 12] = [
    row("extractor", 0, || seen(route::extractor)),
    row("extractor with scope and claims", 0, || {
        seen(route::extractor_of_both)
    }),
    row("layer around the router", 2, || seen(route::around)),
    row("Router::layer", 6, || seen(route::layer)),
    row("scope and claims behind a layer", 0, || {
        seen(route::layer_and_both).saturating_sub(seen(route::layer))
    }),
    row("a token never seen", 5, never_seen),
    row("refused: rubbish", 2, || refused("rubbish")),
    row("refused: two parts", 2, || refused("two parts")),
    row("refused: unknown kid", 2, || refused("unknown kid")),
    row("refused: wrong algorithm", 2, || refused("wrong algorithm")),
    row("refused: no algorithm", 2, || refused("no algorithm")),
    row("refused: expired", 2, || refused("expired")),
];

const fn row(name: &'static str, goal: u64, count: fn() -> u64) -> Row {
    Row { name, goal, count }
}

/// How many times each call is counted.
const TIMES: u64 = 65;

/// What a route costs more than the open one, for a token that it knows.
fn seen<S: Route>(form: fn(&ResourceServer) -> S) -> u64 {
    let key = tokens::signing_key("ES256");
    let server = gate::gate(&key);
    let header = gate::bearer(&tokens::token(&key, 1));
    gate::acquaint(&server, &header);
    let service = form(&server);
    let headers = vec![header; TIMES as usize];
    over_unguarded(&service, &headers)
}

/// What a token that was never seen costs, with its claims read and all remembered, beyond the fields of
/// the claims.
fn never_seen() -> u64 {
    let key = tokens::signing_key("ES256");
    let service = route::extractor_of_claims(&gate::gate(&key));
    let headers: Vec<HeaderValue> = (0..TIMES)
        .map(|n| gate::bearer(&tokens::token(&key, n)))
        .collect();
    over_unguarded(&service, &headers) - Party::FIELDS
}

fn over_unguarded(service: &impl Route, headers: &[HeaderValue]) -> u64 {
    let open = of_route(&route::unguarded(), headers);
    of_route(service, headers) - open
}

fn of_route(service: &impl Route, headers: &[HeaderValue]) -> u64 {
    median(headers.iter().map(|header| {
        let request = route::request(header);
        allocations(|| route::call(service, request))
    }))
}

/// What a refusal costs at the heart of the gate.
fn refused(name: &str) -> u64 {
    let broken = BROKEN.into_iter().find(|broken| broken.name == name);
    let broken = broken.unwrap().broken;
    let key = tokens::signing_key("ES256");
    let server = gate::gate(&key);
    gate::acquaint(&server, &gate::bearer(&tokens::token(&key, u64::MAX)));
    median((0..TIMES).map(|n| {
        let mut parts = gate::head(&gate::bearer(&broken(&key, n)));
        allocations(|| {
            let outcome = ask(&server, &mut parts);
            assert!(black_box(outcome).is_err());
        })
    }))
}

/// The allocations of one call, on this thread.
fn allocations(call: impl FnOnce()) -> u64 {
    allocation_counter::measure(call).count_total
}

/// Of many counts the middle one: a cache tidies up, or grows, now and then.
fn median(counts: impl Iterator<Item = u64>) -> u64 {
    let mut counts: Vec<u64> = counts.collect();
    counts.sort_unstable();
    counts[counts.len() / 2]
}

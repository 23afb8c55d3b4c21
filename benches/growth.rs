//! A hit among many remembered tokens, in an order that no cache of the processor's foresees; and what
//! each takes in memory. `cargo bench --bench growth`; a million of them need four gigabytes.
#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs)] // A benchmark says what must be there by taking it.

mod stage;

use divan::Bencher;
use http::HeaderValue;

use stage::gate::{self, ask, head};
use stage::memory::resident;
use stage::ring::Ring;
use stage::{route, tokens};

fn main() {
    divan::main();
}

#[divan::bench(args = [1, 10_000, 100_000, 1_000_000])]
fn remembered(bencher: Bencher, count: u64) {
    let key = tokens::signing_key("HS256");
    let headers: Vec<HeaderValue> = (0..count)
        .map(|n| gate::bearer(&tokens::token(&key, n)))
        .collect();
    let server = gate::gate_for(gate::verifier(&key), count + count / 5);
    let before = resident();
    for header in &headers {
        // Twice: what comes again may be kept nearer.
        for _ in 0..2 {
            ask(&server, &mut head(header)).unwrap().unwrap();
        }
    }
    // Of few tokens it would tell nothing; and what was freed before may be used again: the exact
    // figure is in the table of goals, from a process of its own.
    if let Some((after, before)) = resident().zip(before).filter(|_| count > 1) {
        let bytes = after.saturating_sub(before) / count;
        eprintln!("{count} tokens: {bytes} resident bytes each");
    }
    let mut headers = Ring::new(headers);
    let service = route::extractor(&server);
    bencher.bench_local(|| route::visit(&service, headers.next()));
}

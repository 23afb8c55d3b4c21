//! What is refused before any signature is looked at.
//! `cargo bench --bench refusals`.
#![allow(clippy::unwrap_used, missing_docs)] // A benchmark says what must be there by taking it.

mod stage;

use divan::Bencher;

use stage::broken::{BROKEN, Broken};
use stage::gate::{self, ask, head};
use stage::ring::Ring;
use stage::{route, tokens};

fn main() {
    divan::main();
}

#[divan::bench(args = BROKEN)]
fn refused(bencher: Bencher, broken: Broken) {
    let key = tokens::signing_key("ES256");
    let server = gate::gate(&key);
    let heads = (0..256).map(|n| head(&gate::bearer(&(broken.broken)(&key, n))));
    let mut heads = Ring::new(heads.collect());
    bencher.bench_local(|| ask(&server, heads.next_mut()).unwrap_err());
}

/// With the answer that a client gets.
#[divan::bench(args = BROKEN)]
fn answered(bencher: Bencher, broken: Broken) {
    let key = tokens::signing_key("ES256");
    let server = gate::gate(&key);
    let headers = (0..256).map(|n| gate::bearer(&(broken.broken)(&key, n)));
    let mut headers = Ring::new(headers.collect());
    let service = route::around(&server);
    bencher.bench_local(|| route::refuse(&service, headers.next()));
}

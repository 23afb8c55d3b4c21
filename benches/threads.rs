//! One gate for several threads, a router for each. `cargo bench --bench threads`; the time is that of
//! one call, so with perfect scaling it stays. Ratios are in the table of goals.
#![allow(clippy::unwrap_used, missing_docs)] // A benchmark says what must be there by taking it.

mod stage;

use std::cell::RefCell;
use std::sync::LazyLock;

use axum::Router;
use divan::Bencher;
use http::HeaderValue;
use portcullis::ResourceServer;

use stage::gate;
use stage::ring::Ring;
use stage::{route, tokens};

fn main() {
    divan::main();
}

static KEY: LazyLock<tokens::SigningKey> = LazyLock::new(|| tokens::signing_key("EdDSA"));

static SERVER: LazyLock<ResourceServer> = LazyLock::new(|| gate::gate(&KEY));

static KNOWN: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| {
    let headers = (0..10_000).map(|n| gate::bearer(&tokens::token(&KEY, n)));
    let headers: Vec<HeaderValue> = headers.collect();
    for header in &headers {
        gate::acquaint(&SERVER, header);
    }
    headers
});

thread_local! {
    static OPEN: RefCell<Router> = RefCell::new(route::unguarded());
    static GUARDED: RefCell<Router> = RefCell::new(route::extractor(&SERVER));
    static ONE: HeaderValue = copy(&KNOWN[0]);
    static RING: RefCell<Ring<HeaderValue>> =
        RefCell::new(Ring::new(KNOWN.iter().map(copy).collect()));
}

/// Two threads do not count the references of one header: those of two connections share none.
fn copy(header: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(header.as_bytes()).unwrap()
}

fn visit(router: &RefCell<Router>, header: &HeaderValue) {
    route::visit(&*router.borrow(), header);
}

#[divan::bench(threads = [1, 2])]
fn no_gate(bencher: Bencher) {
    LazyLock::force(&KNOWN);
    bencher.bench(|| ONE.with(|header| OPEN.with(|router| visit(router, header))));
}

#[divan::bench(threads = [1, 2])]
fn one_token(bencher: Bencher) {
    LazyLock::force(&KNOWN);
    bencher.bench(|| ONE.with(|header| GUARDED.with(|router| visit(router, header))));
}

#[divan::bench(threads = [1, 2])]
fn ten_thousand_in_turn(bencher: Bencher) {
    LazyLock::force(&KNOWN);
    bencher.bench(|| {
        RING.with(|ring| GUARDED.with(|router| visit(router, ring.borrow_mut().next())));
    });
}

/// Each is made anew, which is not measured.
#[divan::bench(threads = [1, 2], sample_size = 16)]
fn never_seen(bencher: Bencher) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static MADE: AtomicU64 = AtomicU64::new(1 << 32);
    let fresh = || gate::bearer(&tokens::token(&KEY, MADE.fetch_add(1, Ordering::Relaxed)));
    bencher
        .with_inputs(fresh)
        .bench_refs(|header| GUARDED.with(|router| visit(router, header)));
}

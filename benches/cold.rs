//! Tokens that were never seen: from the text to typed, checked claims. `cargo bench --bench cold`.
#![allow(clippy::unwrap_used, missing_docs)] // A benchmark says what must be there by taking it.

mod stage;

use divan::{Bencher, black_box};

use stage::gate::{self, Cold};
use stage::tokens;

fn main() {
    divan::main();
}

#[divan::bench(args = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "HS256"])]
fn algorithm(bencher: Bencher, alg: &'static str) {
    let key = tokens::signing_key(alg);
    let token = tokens::token(&key, 1);
    let cold = Cold::new(gate::verifier(&key));
    bencher.bench_local(|| cold.party(black_box(&token)));
}

#[divan::bench(args = [1, 16, 128])]
fn keys(bencher: Bencher, count: usize) {
    let key = tokens::signing_key("RS256");
    let token = tokens::token(&key, 1);
    let cold = Cold::new(gate::with_keys(&key, count));
    bencher.bench_local(|| cold.party(black_box(&token)));
}

#[divan::bench(args = [1, 10, 100])]
fn issuers(bencher: Bencher, count: usize) {
    let key = tokens::signing_key("RS256");
    let token = tokens::token(&key, 1);
    let cold = Cold::new(gate::with_issuers(&key, count));
    bencher.bench_local(|| cold.party(black_box(&token)));
}

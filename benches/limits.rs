//! What nothing can be faster than: the raw things that a gate is made of. `cargo bench --bench limits`.
#![allow(clippy::unwrap_used, missing_docs)] // A benchmark says what must be there by taking it.

mod stage;

use std::time::SystemTime;

use aws_lc_rs::digest;
use divan::{Bencher, black_box};

use stage::gate::{Party, bearer};
use stage::{route, tokens};

fn main() {
    divan::main();
}

const ALGORITHMS: [&str; 6] = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "HS256"];

/// One signature, with a key that was prepared.
#[divan::bench(args = ALGORITHMS)]
fn signature(bencher: Bencher, alg: &'static str) {
    let key = tokens::signing_key(alg);
    let token = tokens::token(&key, 1);
    let (message, signature) = tokens::taken_apart(&token);
    let raw = key.raw_check();
    bencher.bench_local(|| raw.check(black_box(message.as_bytes()), &signature));
}

#[divan::bench]
fn sha_256_of_a_token(bencher: Bencher) {
    let token = tokens::token(&tokens::signing_key("ES256"), 1);
    bencher.bench_local(|| digest::digest(&digest::SHA256, black_box(token.as_bytes())));
}

#[divan::bench]
fn two_equal_tokens_compared(bencher: Bencher) {
    let token = tokens::token(&tokens::signing_key("ES256"), 1);
    let other = token.clone();
    bencher.bench_local(|| black_box(&token) == black_box(&other));
}

#[divan::bench]
fn claims_to_a_type(bencher: Bencher) {
    let payload = tokens::payload(1, tokens::ISSUER, tokens::SCOPE, 60);
    bencher.bench_local(|| serde_json::from_str::<Party>(black_box(&payload)).unwrap());
}

#[divan::bench]
fn header_lookup(bencher: Bencher) {
    let request = route::request(&bearer("token"));
    let headers = request.headers();
    bencher.bench_local(|| black_box(headers).get(http::header::AUTHORIZATION));
}

#[divan::bench]
fn system_time() -> SystemTime {
    SystemTime::now()
}

#[divan::bench]
fn request_alone(bencher: Bencher) {
    let header = bearer(&tokens::token(&tokens::signing_key("ES256"), 1));
    bencher.bench_local(|| route::request(&header));
}

#[divan::bench]
fn route_without_a_gate(bencher: Bencher) {
    let header = bearer(&tokens::token(&tokens::signing_key("ES256"), 1));
    let open = route::unguarded();
    bencher.bench_local(|| route::visit(&open, &header));
}

#[divan::bench]
fn route_with_a_layer_that_does_nothing(bencher: Bencher) {
    let header = bearer(&tokens::token(&tokens::signing_key("ES256"), 1));
    let open = route::empty_layer();
    bencher.bench_local(|| route::visit(&open, &header));
}

//! A token that was seen before, in each form of the gate. `cargo bench --bench hot`.
#![allow(clippy::unwrap_used, missing_docs)] // A benchmark says what must be there by taking it.

mod stage;

use divan::{Bencher, black_box};
use http::HeaderValue;
use portcullis::ResourceServer;

use stage::gate::{self, Cold, ReadEvents, ask, head};
use stage::route::Route;
use stage::{hand, route, tokens};

fn main() {
    divan::main();
}

fn known() -> (ResourceServer, HeaderValue) {
    let key = tokens::signing_key("ES256");
    let (server, header) = (gate::gate(&key), gate::bearer(&tokens::token(&key, 1)));
    gate::acquaint(&server, &header);
    (server, header)
}

fn visits<S: Route>(bencher: Bencher, form: fn(&ResourceServer) -> S) {
    let (server, header) = known();
    let service = form(&server);
    bencher.bench_local(|| route::visit(&service, &header));
}

#[divan::bench]
fn a_no_gate(bencher: Bencher) {
    visits(bencher, |_| route::unguarded());
}

#[divan::bench]
fn b_layer_that_does_nothing(bencher: Bencher) {
    visits(bencher, |_| route::empty_layer());
}

#[divan::bench]
fn c_extractor(bencher: Bencher) {
    visits(bencher, route::extractor);
}

#[divan::bench]
fn d_extractor_with_scope_and_claims(bencher: Bencher) {
    visits(bencher, route::extractor_of_both);
}

#[divan::bench]
fn e_layer_around_the_router(bencher: Bencher) {
    visits(bencher, route::around);
}

#[divan::bench]
fn f_router_layer(bencher: Bencher) {
    visits(bencher, route::layer);
}

#[divan::bench]
fn g_router_layer_with_scope_and_claims(bencher: Bencher) {
    visits(bencher, route::layer_and_both);
}

#[divan::bench]
fn h_hand_written_with_moka(bencher: Bencher) {
    let key = tokens::signing_key("ES256");
    let token = tokens::token(&key, 1);
    let party = Cold::new(gate::verifier(&key)).party(&token);
    let header = gate::bearer(&token);
    let router = hand::with_moka([(token, party)]);
    bencher.bench_local(|| route::visit(&router, &header));
}

/// Without a route around it.
#[divan::bench]
fn i_heart(bencher: Bencher) {
    let (server, header) = known();
    let mut parts = head(&header);
    bencher.bench_local(|| ask(&server, black_box(&mut parts)));
}

#[divan::bench(args = [1, 10, 100])]
fn scopes_held(bencher: Bencher, count: usize) {
    let key = tokens::signing_key("ES256");
    let mut words: Vec<String> = (1..count).map(|n| format!("scope:{n:03}")).collect();
    words.push("read:events".to_owned());
    let token = tokens::token_with_scope(&key, 1, &words.join(" "));
    let proven = ask(&gate::gate(&key), &mut head(&gate::bearer(&token)));
    let proven = proven.unwrap().unwrap();
    bencher.bench_local(|| black_box(&proven).require::<ReadEvents>().unwrap());
}

//! Two threads on one gate, a router for each.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use http::HeaderValue;

use crate::Run;
use crate::stage::ring::Ring;
use crate::stage::{gate, route, tokens};
use crate::table::Goal::{AtLeast, None as NoGoal};
use crate::table::Unit::Ratio;
use crate::table::{Figure, figure};

pub fn threads(run: &Run) -> Vec<Figure> {
    let rounds = if run.quick { 7 } else { 41 };
    let key = tokens::signing_key("ES256");
    let server = gate::gate(&key);
    let ring: Vec<HeaderValue> = (0..10_000)
        .map(|n| gate::bearer(&tokens::token(&key, n)))
        .collect();
    for header in &ring {
        gate::acquaint(&server, header);
    }
    let one = [ring[0].clone()];
    let open = scaling(rounds, |_| Worker::new(route::unguarded(), &one));
    let known = scaling(rounds, |_| Worker::new(route::extractor(&server), &one));
    let in_turn = scaling(rounds, |_| Worker::new(route::extractor(&server), &ring));
    let never_seen = never_seen(if run.quick { 5 } else { 21 });
    let row = |what: &str, goal, floor, scaling| {
        let what = format!("1 to 2 threads, a Router per thread: {what}");
        figure(what, Ratio, goal, Some(scaling)).floor(floor)
    };
    vec![
        row("no gate", NoGoal, "1.98", open),
        row("one token", AtLeast(1.6), "1.5 to 1.7", known),
        row("10,000 in turn", AtLeast(1.5), "1.6", in_turn),
        row("never seen, ES256", AtLeast(1.85), "1.92", never_seen),
    ]
}

/// What one thread does.
struct Worker {
    router: Router,
    headers: Ring<HeaderValue>,
}

impl Worker {
    fn new(router: Router, headers: &[HeaderValue]) -> Worker {
        // Copies: two threads do not count the references of one header.
        let copy = |header: &HeaderValue| HeaderValue::from_bytes(header.as_bytes()).unwrap();
        Worker {
            router,
            headers: Ring::new(headers.iter().map(copy).collect()),
        }
    }

    fn work(&mut self, calls: u64) {
        for _ in 0..calls {
            route::visit(&self.router, self.headers.next());
        }
    }
}

/// The throughput of two threads over that of one: the median of rounds in turn.
fn scaling(rounds: usize, worker: impl Fn(usize) -> Worker) -> f64 {
    let mut workers = [worker(0), worker(1)];
    // About 30 ms: long against the start of a thread.
    let calls = {
        let begun = Instant::now();
        workers[0].work(20_000);
        let per_call = begun.elapsed().as_nanos() as u64 / 20_000;
        30_000_000 / per_call.max(1)
    };
    workers[1].work(20_000);
    let ratios = (0..rounds).map(|_| {
        let alone = together(&mut workers[..1], |worker| worker.work(calls));
        let both = together(&mut workers, |worker| worker.work(calls));
        2.0 * alone.as_secs_f64() / both.as_secs_f64()
    });
    median(ratios.collect())
}

/// Tokens that are shown once, so each round has its own.
fn never_seen(rounds: u64) -> f64 {
    const CALLS: u64 = 600;
    let key = tokens::signing_key("ES256");
    let server = gate::gate_for(gate::verifier(&key), 1_000_000);
    let mut workers = [route::extractor(&server), route::extractor(&server)];
    let mut made = 0;
    let mut fresh = || {
        let tokens = (made..made + CALLS).map(|n| gate::bearer(&tokens::token(&key, n)));
        made += CALLS;
        tokens.collect::<Vec<HeaderValue>>()
    };
    let ratios = (0..rounds).map(|_| {
        let mut sets = [fresh(), fresh(), fresh()].into_iter();
        let mut pairs: Vec<_> = workers.iter_mut().zip(&mut sets).collect();
        let both = together(&mut pairs, |(router, headers)| {
            headers
                .iter()
                .for_each(|header| route::visit(*router, header));
        });
        drop(pairs);
        let mut pairs: Vec<_> = workers.iter_mut().zip(sets).take(1).collect();
        let alone = together(&mut pairs, |(router, headers)| {
            headers
                .iter()
                .for_each(|header| route::visit(*router, header));
        });
        2.0 * alone.as_secs_f64() / both.as_secs_f64()
    });
    median(ratios.collect())
}

/// How long all take who start together.
fn together<W: Send>(workers: &mut [W], work: impl Fn(&mut W) + Sync) -> Duration {
    let start = Barrier::new(workers.len() + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter_mut()
            .map(|worker| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    start.wait();
                    let begun = Instant::now();
                    work(worker);
                    begun.elapsed()
                })
            })
            .collect();
        start.wait();
        let times = threads.into_iter().map(|thread| thread.join().unwrap());
        times.max().unwrap()
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

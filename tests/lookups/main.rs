//! What the trouble of an endpoint that is asked about tokens costs, in numbers: turns, time budget,
//! circuit breaker, one retry. On a clock turned by hand; real sockets are in `connections.rs`.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod breaker;
mod callers;
#[path = "../showing/log.rs"]
mod log;
#[path = "../showing/mod.rs"]
mod showing;
mod status;
mod stores;
mod turns;
#[path = "../watched/mod.rs"]
mod watched;
mod world;

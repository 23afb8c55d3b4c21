//! What the benchmarks, and the tests of exact counts, share.
// None of them needs all of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod broken;
pub mod fixed;
pub mod gate;
pub mod hand;
pub mod memory;
pub mod paired;
pub mod ring;
pub mod route;
pub mod tokens;

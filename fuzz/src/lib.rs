//! The targets, compiled once for all: the very files that a plain test of the crate replays.

#[path = "../../tests/corpora/targets/mod.rs"]
pub mod targets;

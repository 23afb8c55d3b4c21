//! Look-ups in the same simulated world: an introspection endpoint at the end of a bad network.

mod circuit;
mod endpoint;
mod invariants;
mod judge;
mod schedule;
mod world;

pub(crate) use schedule::{Chapter, Climate};
pub(crate) use world::play;

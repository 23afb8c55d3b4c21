//! What is broken: a table for each thing a token is made of.

mod claims;
mod header;
mod lifetime;
mod parts;
mod signature;
mod text;

pub use lifetime::AT_THE_CLOCK;

use crate::draft::Breakage;

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Breakage> {
    [
        header::ALL,
        claims::ALL,
        lifetime::ALL,
        text::ALL,
        signature::ALL,
        parts::ALL,
    ]
    .into_iter()
    .flatten()
}

//! Public test vectors, each run through our own key preparation and signature path. They stand in the
//! crate, since no other place sees these rooms: what a vector signs is seldom a token.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

mod examples;
mod pairs;
mod secrets;
mod wycheproof;

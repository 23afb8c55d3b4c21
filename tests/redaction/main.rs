//! No response, log line or `Debug` ever holds a token or a secret.
//!
//! Everything public that prints is formatted, every answer is read whole, every line of the log is kept;
//! and all of it is searched for pieces of every token and secret used.
#![allow(clippy::unwrap_used)] // A test says what must be there by taking it.

mod answers;
mod layers;
mod page;
#[path = "../source/public.rs"]
mod public;
mod rest;
mod scene;
mod secrets;
mod set_up;
#[path = "../source/mod.rs"]
mod source;
mod types;
mod upstream;
#[path = "../watched/mod.rs"]
mod watched;

//! Public keys of an issuer: read one by one, prepared once, brought and kept fresh.

mod absent;
mod discovery;
mod document;
mod engine;
mod file;
mod fixed;
mod key;
mod pace;
mod remote;
mod set;
mod shared;

pub use fixed::StaticJwks;
pub(crate) use key::{Key, Prepared};
pub use remote::{RemoteJwks, RemoteJwksBuilder};
pub(crate) use set::{KeySet, Miss};
pub(crate) use shared::Newest;

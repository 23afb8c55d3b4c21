//! Public keys of an issuer: read one by one, prepared once, brought and kept fresh.

mod absent;
mod discovery;
mod engine;
mod fixed;
mod key;
mod remote;
mod set;

pub use fixed::StaticJwks;
pub(crate) use key::Prepared;
pub use remote::{RemoteJwks, RemoteJwksBuilder};
pub(crate) use set::{KeySet, Miss};

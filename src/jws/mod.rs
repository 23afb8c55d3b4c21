//! Signed text (RFC 7515): compact form, header, and the key that proves it. Whether it is a token or an
//! answer about one is told further up.

mod base64url;
mod compact;
mod header;
mod keys;
mod remembered;

pub(crate) use compact::{Compact, Room};
pub(crate) use header::Header;
pub use keys::Keys;
pub(crate) use keys::{Signed, Source, Unproven};
pub(crate) use remembered::Headers;

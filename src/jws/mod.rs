//! Signed text (RFC 7515): compact form, header, and the key that proves it. Whether it is a token or an
//! answer about one is told further up.

mod compact;
mod header;
mod keys;

pub(crate) use compact::{Compact, decode_text};
pub use keys::Keys;
pub(crate) use keys::{Signed, Source, Unproven};

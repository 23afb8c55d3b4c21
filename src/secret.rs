//! Secrets that we hold ourselves: they never print, and their memory is wiped when they go.
//!
//! That counts for the memory behind them. What grows moves and leaves its old place as it was, so whoever
//! fills one gives it all of its room at the beginning; and what is moved on the stack, shown to somebody
//! else's code, or written to the disk by the operating system is out of reach.

use std::fmt;
use std::ops::{Deref, DerefMut};

use zeroize::{Zeroize, Zeroizing};

/// A text or bytes that nobody else may read.
///
/// It cannot be compared with `==`, which would take the longer the more of two secrets is alike.
pub(crate) struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    pub(crate) fn new(secret: T) -> Secret<T> {
        Secret(Zeroizing::new(secret))
    }
}

impl<T: Zeroize> Deref for Secret<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> DerefMut for Secret<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(any(feature = "introspection", all(feature = "jwt", feature = "reqwest")))]
impl Secret<Vec<u8>> {
    /// For whoever wants shared bytes: wiped when the last who has them lets them go.
    pub(crate) fn shared(self) -> bytes::Bytes {
        bytes::Bytes::from_owner(self)
    }
}

#[cfg(any(feature = "introspection", all(feature = "jwt", feature = "reqwest")))]
impl AsRef<[u8]> for Secret<Vec<u8>> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(feature = "introspection")]
impl Secret<Vec<u8>> {
    /// As the value of a header, which prints no more than itself. `None` if it cannot be one.
    pub(crate) fn header(self) -> Option<http::HeaderValue> {
        let mut value = http::HeaderValue::from_maybe_shared(self.shared()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_prints() {
        let secret = Secret::new("open sesame".to_owned());
        assert_eq!(format!("{secret:?} {secret:#?}"), "[redacted] [redacted]");
        assert_eq!(secret.len(), 11);
    }

    #[cfg(feature = "introspection")]
    #[test]
    fn a_header_shares_its_memory() {
        let secret = Secret::new(b"Basic b3Blbg==".to_vec());
        let place = secret.as_ptr();
        let header = secret.header().unwrap();
        assert!(header.is_sensitive());
        assert_eq!(header.as_bytes().as_ptr(), place);
        assert_eq!(header.clone().as_bytes().as_ptr(), place);
        assert!(Secret::new(b"a\nb".to_vec()).header().is_none());
    }
}

//! The headers of tokens that were proven: nearly every token has the same few, byte for byte, and
//! they need not be read again.
//!
//! What is remembered is what the reading of a text has told, found by that very text: so it can make
//! no answer another one. The key that it names is chosen anew each time.

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::header::Header;
use crate::algorithm::Algorithm;

/// The headers that one verifier has read and found proven.
#[derive(Default)]
pub(crate) struct Headers(ArcSwap<Vec<Arc<Remembered>>>);

/// Those there are at the moment.
pub(crate) struct Known(Guard<Arc<Vec<Arc<Remembered>>>>);

struct Remembered {
    encoded: Box<str>,
    algorithm: Algorithm,
    typ: Option<Box<str>>,
    kid: Option<Box<str>>,
}

/// How many there are at most: an issuer that changes its keys has two or three in use. More are
/// begun anew with.
const MOST: usize = 8;

/// A longer header is read each time.
const LONGEST: usize = 1024;

impl Headers {
    pub(crate) fn known(&self) -> Known {
        Known(self.0.load())
    }

    /// To be called once a token of this header is proven, and not sooner: else anybody could fill
    /// the places.
    pub(crate) fn remember(&self, encoded: &str, header: &Header<'_>) {
        if encoded.len() > LONGEST {
            return;
        }
        let known = self.0.load();
        let mut list = match known.len() {
            MOST.. => Vec::new(),
            _ => known.to_vec(),
        };
        list.push(Arc::new(Remembered {
            encoded: encoded.into(),
            algorithm: header.algorithm,
            typ: header.typ.as_deref().map(Into::into),
            kid: header.kid.as_deref().map(Into::into),
        }));
        // If another thread was faster, one of both headers is read once more.
        self.0.store(Arc::new(list));
    }
}

impl Known {
    /// What this text was read as before.
    pub(crate) fn find(&self, encoded: &str) -> Option<Header<'_>> {
        let known = self.0.iter().find(|known| *known.encoded == *encoded)?;
        Some(Header {
            algorithm: known.algorithm,
            typ: known.typ.as_deref().map(Cow::Borrowed),
            kid: known.kid.as_deref().map(Cow::Borrowed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_by_all_of_it() {
        let headers = Headers::default();
        let allowed = Algorithm::ASYMMETRIC;
        let text = |kid: usize| format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#);
        for kid in 0..=MOST {
            headers.remember(
                &format!("encoded-{kid}"),
                &Header::read(&text(kid), allowed).unwrap(),
            );
            let known = headers.known();
            let header = known.find(&format!("encoded-{kid}")).unwrap();
            assert_eq!(header.kid, Some(kid.to_string().into()));
            assert_eq!(header.typ.as_deref(), Some("at+jwt"));
            assert_eq!(header.algorithm, Algorithm::ES256);
            assert!(known.find("encoded-").is_none() && known.find("").is_none());
        }
        assert!(headers.known().find("encoded-0").is_none(), "begun anew");
        for (len, remembered) in [(LONGEST, true), (LONGEST + 1, false)] {
            let long = "x".repeat(len);
            headers.remember(&long, &Header::read(&text(0), allowed).unwrap());
            assert_eq!(headers.known().find(&long).is_some(), remembered, "{len}");
        }
    }
}

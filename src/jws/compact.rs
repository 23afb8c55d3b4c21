//! The compact form of a JWS (RFC 7515 §3.1): three strict base64url parts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Reason};

/// The parts of a token, not yet decoded.
pub(crate) struct Compact<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    /// What the signature covers: header, dot, payload.
    pub(crate) signed: &'a str,
}

impl<'a> Compact<'a> {
    pub(crate) fn split(token: &'a str) -> Result<Compact<'a>, Error> {
        let mut dots = token.bytes().enumerate().filter(|(_, byte)| *byte == b'.');
        let (Some((first, _)), Some((second, _))) = (dots.next(), dots.next()) else {
            return Err(malformed(
                "token has fewer than three parts, wanted a compact JWS",
            ));
        };
        match dots.count() {
            0 => {}
            // RFC 7516 §9: five parts are a JWE.
            2 => {
                return Err(Error::new(
                    Reason::Encrypted,
                    "token has five parts: encrypted tokens are not supported",
                ));
            }
            _ => {
                return Err(malformed(
                    "token has more than three parts, wanted a compact JWS",
                ));
            }
        }
        Ok(Compact {
            header: &token[..first],
            payload: &token[first + 1..second],
            signature: &token[second + 1..],
            signed: &token[..second],
        })
    }
}

/// Decodes base64url without padding, blanks or stray bits (RFC 7515 §2): one octet string has one
/// spelling.
pub(crate) fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| malformed(format!("{part} is no unpadded, canonical base64url")))
}

/// Decodes a part that holds JSON. RFC 7519 §7.2: it must be UTF-8, before anything reads it.
pub(crate) fn decode_text(part: &'static str, text: &str) -> Result<String, Error> {
    String::from_utf8(decode(part, text)?).map_err(|_| malformed(format!("{part} is no UTF-8")))
}

fn malformed(sentence: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Reason::MalformedToken, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parts_and_no_other_number() {
        assert!(Compact::split("a.b.c").is_ok());
        assert!(Compact::split("..").is_ok());
        let refused = |token| Compact::split(token).err().unwrap().to_string();
        assert_eq!(
            refused("a.b"),
            "token has fewer than three parts, wanted a compact JWS"
        );
        assert_eq!(
            refused("a.b.c.d"),
            "token has more than three parts, wanted a compact JWS"
        );
        assert_eq!(
            refused("a.b.c.d.e"),
            "token has five parts: encrypted tokens are not supported"
        );
    }

    #[test]
    fn base64url_has_one_spelling() {
        assert_eq!(decode("x", "AA").unwrap(), [0]);
        for bad in ["AA==", "AB", "A", "A A", "A+", "A/", "A\n"] {
            assert!(decode("x", bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            decode_text("payload", "_w").unwrap_err().to_string(),
            "payload is no UTF-8"
        );
    }
}

//! The compact form of a JWS (RFC 7515 §3.1): three strict base64url parts.

use zeroize::Zeroize as _;

use super::base64url;
use crate::error::{Error, Reason};

/// The parts of a token, not yet decoded.
#[derive(Clone, Copy)]
pub(crate) struct Compact<'a> {
    pub(crate) header: &'a str,
    payload: &'a str,
    pub(super) signature: &'a str,
    /// What the signature covers: header, dot, payload.
    pub(crate) signed: &'a str,
}

impl<'a> Compact<'a> {
    pub(crate) fn split(token: &'a str) -> Result<Compact<'a>, Error> {
        match dots(token) {
            0 | 1 => {
                return Err(malformed(
                    "token has fewer than three parts, wanted a compact JWS",
                ));
            }
            2 => {}
            // RFC 7516 §9: five parts are a JWE.
            4 => {
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
        let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
        let (header, payload) = signed.split_once('.').unwrap_or_default();
        Ok(Compact {
            header,
            payload,
            signature,
            signed,
        })
    }
}

/// How many dots there are. So few at a time that they count as one byte each, many of which are added
/// at once.
fn dots(token: &str) -> usize {
    let pieces = token.as_bytes().chunks(192);
    let dots = pieces.map(|piece| piece.iter().map(|byte| u8::from(*byte == b'.')).sum::<u8>());
    dots.map(usize::from).sum()
}

impl Compact<'_> {
    /// The text that was signed: not to be believed before the signature is proven.
    pub(crate) fn payload(&self) -> Result<String, Error> {
        decode_text(Part::Payload, self.payload)
    }
}

/// A part of a compact JWS: its name, and what is said of it if it is no good.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Header,
    Payload,
    Signature,
}

impl Part {
    fn is_not_base64url(self) -> Error {
        malformed(match self {
            Part::Header => "header is no unpadded, canonical base64url",
            Part::Payload => "payload is no unpadded, canonical base64url",
            Part::Signature => "signature is no unpadded, canonical base64url",
        })
    }

    /// RFC 7519 §7.2: it must be UTF-8, before anything reads it.
    fn is_not_text(self) -> Error {
        malformed(match self {
            Part::Header => "header is no UTF-8",
            Part::Payload => "payload is no UTF-8",
            Part::Signature => "signature is no UTF-8",
        })
    }
}

/// Decodes a part that holds a text, into an allocation of just its length.
fn decode_text(part: Part, text: &str) -> Result<String, Error> {
    let len = base64url::decoded_len(text.len()).ok_or_else(|| part.is_not_base64url())?;
    let mut octets = vec![0; len];
    base64url::decode(text.as_bytes(), &mut octets).ok_or_else(|| part.is_not_base64url())?;
    String::from_utf8(octets).map_err(|_| part.is_not_text())
}

/// Room for a part that is read and not kept: on the stack, unless it is larger than usual. It has
/// just room for a signature of RSA with 4096 bits.
///
/// It is wiped in the end. A signature is the one part of a token that whoever knows its claims cannot write
/// down, and the claims are kept as text.
pub(crate) struct Room {
    few: [u8; 512],
    many: Vec<u8>,
    used: usize,
}

impl Room {
    pub(crate) const fn new() -> Room {
        Room {
            few: [0; 512],
            many: Vec::new(),
            used: 0,
        }
    }

    pub(super) fn decode(&mut self, part: Part, text: &str) -> Result<&[u8], Error> {
        let len = base64url::decoded_len(text.len()).ok_or_else(|| part.is_not_base64url())?;
        let octets = match self.few.get_mut(..len) {
            Some(few) => {
                self.used = self.used.max(len);
                few
            }
            None => {
                self.many = vec![0; len];
                &mut self.many[..]
            }
        };
        base64url::decode(text.as_bytes(), octets).ok_or_else(|| part.is_not_base64url())?;
        Ok(octets)
    }

    pub(super) fn decode_text(&mut self, part: Part, text: &str) -> Result<&str, Error> {
        str::from_utf8(self.decode(part, text)?).map_err(|_| part.is_not_text())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.many.zeroize();
        if let Some(used) = self.few.get_mut(..self.used) {
            used.zeroize();
        }
    }
}

fn malformed(sentence: &'static str) -> Error {
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
        let decode = |text: &str| {
            Room::new()
                .decode(Part::Signature, text)
                .map(<[u8]>::to_vec)
        };
        assert_eq!(decode("AA").unwrap(), [0]);
        for bad in ["AA==", "AB", "A", "A A", "A+", "A/", "A\n"] {
            assert!(decode(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            decode("A").unwrap_err().to_string(),
            "signature is no unpadded, canonical base64url"
        );
        assert_eq!(
            decode_text(Part::Payload, "_w").unwrap_err().to_string(),
            "payload is no UTF-8"
        );
    }

    #[test]
    fn what_is_larger_than_usual_has_room_too() {
        for len in [511, 512, 513, 10_000] {
            let text = "_".repeat(len * 8 / 6) + if len % 3 == 0 { "" } else { "8" };
            let text = &text[..len / 3 * 4 + [0, 2, 3][len % 3]];
            let text = match len % 3 {
                1 => format!("{}w", &text[..text.len() - 1]),
                2 => format!("{}8", &text[..text.len() - 1]),
                _ => text.to_owned(),
            };
            let mut room = Room::new();
            let octets = room.decode(Part::Signature, &text).unwrap();
            assert_eq!(octets, vec![0xff; len]);
        }
    }
}

//! Percent-encoded text, read strictly.

use std::borrow::Cow;

/// Decodes a percent-encoded part of a path (RFC 3986 §2.1).
///
/// `None` if an escape is broken or the result is no UTF-8. Lenient decoders let a broken escape
/// stand as it is; whoever reads it after us need not.
pub(crate) fn percent(text: &str) -> Option<Cow<'_, str>> {
    decode(text, false)
}

/// Decodes a name or value of a query, where `+` is a blank.
pub(crate) fn form(text: &str) -> Option<Cow<'_, str>> {
    decode(text, true)
}

fn decode(text: &str, plus_is_blank: bool) -> Option<Cow<'_, str>> {
    let is_plain = |byte: u8| byte != b'%' && !(plus_is_blank && byte == b'+');
    if text.bytes().all(is_plain) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            b'+' if plus_is_blank => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_strictly() {
        for (text, wanted) in [
            ("", Some("")),
            ("plain", Some("plain")),
            ("%41%4a%4A", Some("AJJ")),
            ("a+b%2B", Some("a+b+")),
            ("%2541", Some("%41")),
            ("caf%C3%A9", Some("café")),
            ("café", Some("café")),
            ("%", None),
            ("%4", None),
            ("%4g", None),
            ("%+1", None),
            ("%%41", None),
            ("%C3", None),
            ("%C0%AF", None),
            ("%ED%A0%80", None),
        ] {
            assert_eq!(percent(text).as_deref(), wanted, "{text:?}");
        }
        assert_eq!(form("a+b%2B").as_deref(), Some("a b+"));
        assert!(matches!(percent("plain+"), Some(Cow::Borrowed(_))));
    }
}

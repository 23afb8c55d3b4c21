//! Decoding of what names a resource in a URI: strict, and only one reading.

use std::borrow::Cow;

use crate::error::Error;
use crate::text::quote;

/// Splits a path into its segments, decoded, for a check of your own. `/` has none.
///
/// As in [`ResourceGuard`](crate::ResourceGuard), what proxies and routers may read in two ways is
/// refused: segments that are empty or dot segments, broken percent-encoding, encoded slashes,
/// backslashes and control characters.
///
/// # Errors
///
/// [`Reason::Denied`](crate::Reason::Denied) (403) if the path is not absolute or has such a
/// segment.
///
/// # Examples
///
/// ```
/// use portcullis::path_segments;
///
/// assert_eq!(path_segments("/jobs/job%233")?, ["jobs", "job#3"]);
/// assert!(path_segments("/jobs/../users").is_err());
/// # Ok::<(), portcullis::Error>(())
/// ```
pub fn path_segments(path: &str) -> Result<Vec<Cow<'_, str>>, Error> {
    let refused = |raw: &str, wanted: &str| {
        Error::forbidden(format!(
            "part of the path is {}, wanted {wanted}",
            quote(raw)
        ))
    };
    match path.strip_prefix('/') {
        None => Err(refused(path, "a slash at its beginning")),
        Some("") => Ok(Vec::new()),
        Some(inner) => inner
            .split('/')
            .map(|raw| segment(raw).map_err(|wanted| refused(raw, wanted)))
            .collect(),
    }
}

/// Decodes a percent-encoded part of a path (RFC 3986 §2.1).
///
/// `None` if an escape is broken or the result is no UTF-8. Lenient decoders let a broken escape
/// stand as it is; whoever reads it after us need not.
pub(super) fn percent(text: &str) -> Option<Cow<'_, str>> {
    decode(text, false)
}

/// Decodes a name or value of a query, where `+` is a blank.
pub(super) fn form(text: &str) -> Option<Cow<'_, str>> {
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

/// Decodes one segment of a path, or says what was wanted instead of it.
///
/// Proxies and routers disagree about dot segments, about encoded slashes and about backslashes:
/// one resolves them, another takes them as they are. What they may read in two ways is refused.
pub(super) fn segment(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    let decoded = percent(raw).ok_or("percent-encoded UTF-8")?;
    if decoded.is_empty() {
        return Err("at least one character");
    }
    if matches!(&*decoded, "." | "..") {
        return Err("no dot segment");
    }
    let ambiguous = |character: char| matches!(character, '/' | '\\') || character.is_control();
    if decoded.contains(ambiguous) {
        return Err("no slash, backslash or control character");
    }
    Ok(decoded)
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

    #[test]
    fn what_may_be_read_in_two_ways_is_refused() {
        for (raw, wanted) in [
            ("%zz", "percent-encoded UTF-8"),
            ("", "at least one character"),
            (".", "no dot segment"),
            ("%2e", "no dot segment"),
            (".%2E", "no dot segment"),
            ("a%2Fb", "no slash, backslash or control character"),
            ("a%5cb", "no slash, backslash or control character"),
            ("a%00", "no slash, backslash or control character"),
            ("a%0A", "no slash, backslash or control character"),
            ("a%7F", "no slash, backslash or control character"),
            ("a%C2%85", "no slash, backslash or control character"),
        ] {
            assert_eq!(segment(raw), Err(wanted), "{raw:?}");
        }
        for raw in ["...", "a.b", "%20", "a;b", "~"] {
            assert!(segment(raw).is_ok(), "{raw:?}");
        }
    }

    #[test]
    fn a_path_is_read_whole_or_not_at_all() {
        let read = |path| {
            let segments = path_segments(path).map_err(|error| error.to_string())?;
            Ok::<String, String>(segments.join("|"))
        };
        for (path, segments) in [
            ("/", ""),
            ("/jobs", "jobs"),
            ("/jobs/job%233/%41", "jobs|job#3|A"),
        ] {
            assert_eq!(read(path).as_deref(), Ok(segments), "{path}");
        }
        for (path, sentence) in [
            (
                "",
                r#"part of the path is "", wanted a slash at its beginning"#,
            ),
            (
                "*",
                r#"part of the path is "*", wanted a slash at its beginning"#,
            ),
            (
                "//",
                r#"part of the path is "", wanted at least one character"#,
            ),
            (
                "/jobs/",
                r#"part of the path is "", wanted at least one character"#,
            ),
            (
                "/jobs/%2E%2e/users",
                r#"part of the path is "%2E%2e", wanted no dot segment"#,
            ),
        ] {
            assert_eq!(read(path), Err(sentence.to_owned()), "{path}");
        }
    }
}

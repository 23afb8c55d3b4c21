//! Decoding of what names a resource in a URI: strict, and only one reading.

use std::borrow::Cow;

use crate::error::Error;
use crate::percent::percent;
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

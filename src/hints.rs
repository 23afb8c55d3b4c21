//! What an answer says about when to ask again: `Retry-After`, `Cache-Control`, `Age`, `ETag`.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{AGE, CACHE_CONTROL, ETAG, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::UnixTime;

/// `Retry-After` (RFC 9110 §10.2.3), in seconds or as a date. `None` if there is none that can be
/// read.
pub(crate) fn retry_after(headers: &HeaderMap, now: UnixTime) -> Option<Duration> {
    let text = text(headers, &RETRY_AFTER)?.trim();
    if let Some(seconds) = delta_seconds(text) {
        return Some(seconds);
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let date = UnixTime::EPOCH + date.duration_since(UNIX_EPOCH).ok()?;
    Some(date.since(now))
}

/// How long the answer stays fresh, as `Cache-Control` and `Age` say (RFC 9111 §4.2). `None` if they
/// say nothing that can be read; zero for what must not be reused unasked.
#[cfg(feature = "jwt")]
pub(crate) fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let mut max_age = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().ok()?.split(',') {
            let (name, argument) = match directive.split_once('=') {
                Some((name, argument)) => (name.trim(), argument.trim().trim_matches('"')),
                None => (directive.trim(), ""),
            };
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if name.eq_ignore_ascii_case("max-age") {
                // Said twice, the shorter one is safe (RFC 9111 §4.2.1 calls for the first or for
                // staleness).
                let found = delta_seconds(argument)?;
                max_age = Some(max_age.map_or(found, |known: Duration| known.min(found)));
            }
        }
    }
    let age = text(headers, &AGE).and_then(|age| delta_seconds(age.trim()));
    Some(max_age?.saturating_sub(age.unwrap_or_default()))
}

/// The validator of the answer, to ask with `If-None-Match` (RFC 9110 §8.8.3). One that is longer than
/// a kilobyte is not worth sending back.
#[cfg(feature = "jwt")]
pub(crate) fn etag(headers: &HeaderMap) -> Option<HeaderValue> {
    let etag = headers.get(ETAG)?;
    (etag.len() <= 1024).then(|| etag.clone())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `delta-seconds` (RFC 9111 §1.2.2): digits alone; what is too large is a very long time.
fn delta_seconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let lines = lines.iter().cloned();
        lines
            .map(|(name, value)| (name, HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UnixTime::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        for (value, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let found = retry_after(&headers(&[(RETRY_AFTER, value)]), now);
            assert_eq!(found, seconds.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[cfg(feature = "jwt")]
    #[test]
    fn freshness_is_max_age_less_age() {
        for (lines, seconds) in [
            (&[(CACHE_CONTROL, "max-age=600")][..], Some(600)),
            (&[(CACHE_CONTROL, "public, Max-Age=\"600\"")], Some(600)),
            (&[(CACHE_CONTROL, "max-age=600"), (AGE, "500")], Some(100)),
            (&[(CACHE_CONTROL, "max-age=600"), (AGE, "700")], Some(0)),
            (&[(CACHE_CONTROL, "max-age=600"), (AGE, "old")], Some(600)),
            (&[(CACHE_CONTROL, "max-age=600, max-age=60")], Some(60)),
            (&[(CACHE_CONTROL, "max-age=600, no-cache")], Some(0)),
            (&[(CACHE_CONTROL, "no-store")], Some(0)),
            (&[(CACHE_CONTROL, "public")], None),
            (&[(CACHE_CONTROL, "max-age=-5")], None),
            (&[(CACHE_CONTROL, "max-age")], None),
            (&[(CACHE_CONTROL, "s-maxage=600")], None),
            (&[(AGE, "5")], None),
            (&[], None),
        ] {
            let found = fresh_for(&headers(lines));
            assert_eq!(found, seconds.map(Duration::from_secs), "{lines:?}");
        }
    }
}

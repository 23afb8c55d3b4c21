//! A date as look-up answers write it, to the moment it names.

use crate::clock::UnixTime;

/// Reads a date and time of day in UTC (RFC 3339 §5.6, with `T` or a blank between the two):
/// `2026-11-24T15:20:00Z`, `2026-11-24 15:20:00Z`, `2026-11-24T15:20:00.5Z`.
///
/// `None` for everything else: another zone, a month or day that does not exist, a missing or
/// further digit. What is finer than a millisecond is cut off, so nothing lives longer for it.
pub(super) fn read(text: &str) -> Option<UnixTime> {
    let text = text.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, millis(fraction)?),
        None => (text, 0),
    };
    let text: &[u8; 19] = whole.as_bytes().try_into().ok()?;
    let [b'-', b'-', b'T' | b' ', b':', b':'] = [4, 7, 10, 13, 16].map(|place| text[place]) else {
        return None;
    };
    let (year, month, day) = (
        number(&text[..4])?,
        number(&text[5..7])?,
        number(&text[8..10])?,
    );
    let (hour, minute) = (number(&text[11..13])?, number(&text[14..16])?);
    let second = number(&text[17..])?;
    if !(1..=days_of(year, month)?).contains(&day) {
        return None;
    }
    // A leap second (`:60`) has no name in Unix time; there will hardly be another.
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_before_year(year) + days_before_month(year, month) + day - 1 - EPOCH;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(UnixTime::from_millis(seconds * 1000 + fraction))
}

/// The days from 0000-01-01 to 1970-01-01.
const EPOCH: i64 = days_before_year(1970);

/// The value of nothing but digits.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        Some(value * 10 + digit)
    })
}

/// The milliseconds of a fraction of a second: one digit or more.
fn millis(fraction: &str) -> Option<i64> {
    let digits = fraction.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |place: usize| *digits.get(place).unwrap_or(&b'0');
    number(&[digit(0), digit(1), digit(2)])
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days `month` has, or `None` if there is no such month.
fn days_of(year: i64, month: i64) -> Option<i64> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap(year) { 29 } else { 28 }),
        _ => None,
    }
}

/// The days of the years from 0 up to `year`, which is not counted.
const fn days_before_year(year: i64) -> i64 {
    if year == 0 {
        return 0;
    }
    let last = year - 1;
    // Year 0 is a leap year of its own.
    year * 365 + last / 4 - last / 100 + last / 400 + 1
}

/// The days of the months before `month`.
fn days_before_month(year: i64, month: i64) -> i64 {
    (1..month).filter_map(|month| days_of(year, month)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_moment() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01 00:00:00.001Z", 1),
            ("1969-12-31T23:59:59Z", -1_000),
            ("1969-12-31T23:59:59.5Z", -500),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2013-08-23 18:45:29Z", 1_377_283_529_000),
            ("2015-01-02T21:30:58.539Z", 1_420_234_258_539),
            ("2015-01-02T21:30:58.5399999999Z", 1_420_234_258_539),
            ("2024-12-31T23:59:59Z", 1_735_689_599_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ] {
            assert_eq!(read(text), Some(UnixTime::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_moment_in_utc() {
        for text in [
            "",
            "Z",
            "2026-11-24",
            "2026-11-24T15:20:00",
            "2026-11-24T15:20Z",
            "2026-11-24T15:20:00z",
            "2026-11-24t15:20:00Z",
            "2026-11-24_15:20:00Z",
            "2026-11-24  15:20:00Z",
            " 2026-11-24T15:20:00Z",
            "2026-11-24T15:20:00 Z",
            "2026-11-24T15:20:00ZZ",
            "2026-11-24T15:20:00+00:00",
            "2026-11-24T15:20:00-05:00Z",
            "2026-11-24T15:20:00.Z",
            "2026-11-24T15:20:00.5.5Z",
            "2026-11-24T15:20:00.-5Z",
            "2026-11-24T15:20:00,5Z",
            "2026-00-24T15:20:00Z",
            "2026-13-24T15:20:00Z",
            "2026-11-00T15:20:00Z",
            "2026-11-31T15:20:00Z",
            "2026-02-29T15:20:00Z",
            "1900-02-29T15:20:00Z",
            "2100-02-29T15:20:00Z",
            "0000-00-00 00:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T15:60:00Z",
            "2016-12-31T23:59:60Z",
            "2026-1-24T15:20:00Z",
            "26-11-24T15:20:00Z",
            "+2026-11-24T15:20:00Z",
            "-026-11-24T15:20:00Z",
            "12026-11-24T15:20:00Z",
            "2026-11-+4T15:20:00Z",
            "2026-11- 4T15:20:00Z",
            "20261124T152000Z",
            "\u{0662}026-11-24T15:20:00Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

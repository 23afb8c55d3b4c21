//! Private keys in PEM (RFC 7468), read without leaving a copy behind.
//!
//! The usual reader gathers the text in a buffer that grows and is given back as it is. This one decodes
//! the text where it stands, and in a time that does not depend on what it says.

use crate::secret::Secret;

/// What stands before and behind the name of a section (RFC 7468 §2).
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const RULE: &str = "-----";

/// The sections that hold a private key in clear: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017), SEC 1 (RFC 5915).
const PRIVATE: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// The octets of the first private key in `pem`. What stands before it, such as parameters of its curve,
/// is passed over.
pub(crate) fn private_key(pem: &str) -> Option<Secret<Vec<u8>>> {
    let mut lines = pem.lines().map(str::trim_end);
    let name = lines.find_map(|line| {
        let name = line.strip_prefix(BEGIN)?.strip_suffix(RULE)?;
        PRIVATE.iter().find(|private| **private == name)
    })?;
    let text = lines.clone().take_while(|line| !line.starts_with(RULE));
    let digits = || {
        text.clone()
            .flat_map(str::bytes)
            .filter(|b| !b.is_ascii_whitespace())
    };
    let end = lines.find(|line| line.starts_with(RULE))?;
    if end.strip_prefix(END)?.strip_suffix(RULE)? != *name {
        return None;
    }
    decode(digits)
}

/// Decodes base64 with its padding (RFC 4648 §4).
fn decode<D: Iterator<Item = u8>>(digits: impl Fn() -> D) -> Option<Secret<Vec<u8>>> {
    let all = digits().count();
    let padding = digits()
        .skip(all.saturating_sub(2))
        .filter(|digit| *digit == b'=');
    let digits_only = all - padding.count();
    if all == 0 || !all.is_multiple_of(4) {
        return None;
    }
    let mut octets = Secret::new(Vec::with_capacity(all / 4 * 3));
    // All are looked at before anything is said: where a key is broken is nobody's business.
    let (mut bits, mut wrong) = (0_u32, 0);
    for (place, digit) in digits().take(digits_only).enumerate() {
        let value = value(digit);
        wrong |= value >> 8;
        bits = bits << 6 | (value & 63) as u32;
        if place % 4 > 0 {
            octets.push((bits >> (6 - place % 4 * 2)) as u8);
        }
    }
    // Bits that belong to no octet are zeros: else a key had several spellings.
    let rest = match digits_only % 4 {
        0 => 0,
        2 => bits & 15,
        3 => bits & 3,
        _ => 1,
    };
    (wrong == 0 && rest == 0).then_some(octets)
}

/// What a digit stands for, and a negative number for what is none; calculated, since a table would be
/// read at places that tell the key.
fn value(digit: u8) -> i32 {
    let digit = i32::from(digit);
    // All ones between both bounds, else zero.
    let within = |first: u8, last: u8| {
        ((i32::from(first) - 1 - digit) & (digit - i32::from(last) - 1)) >> 31
    };
    let mut value = -1;
    value += within(b'A', b'Z') & (digit - 64);
    value += within(b'a', b'z') & (digit - 70);
    value += within(b'0', b'9') & (digit + 5);
    value += within(b'+', b'+') & 63;
    value += within(b'/', b'/') & 64;
    value
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn section(name: &str, text: &str) -> String {
        format!("-----BEGIN {name}-----\n{text}\n-----END {name}-----\n")
    }

    fn read(pem: &str) -> Option<Vec<u8>> {
        private_key(pem).map(|key| key.to_vec())
    }

    proptest! {
        #[test]
        fn whatever_was_written_comes_back(octets in prop::collection::vec(any::<u8>(), 1..200), width in 1..90_usize) {
            let text: Vec<char> = STANDARD.encode(&octets).chars().collect();
            let lines: Vec<String> = text.chunks(width).map(|line| line.iter().collect()).collect();
            prop_assert_eq!(read(&section("PRIVATE KEY", &lines.join("\r\n"))), Some(octets));
        }

        #[test]
        fn any_text_reads_as_the_usual_crate_reads_it(text in "[A-Za-z0-9+/]{0,8}[A-Za-z0-9+/=_-]{0,4}") {
            let usual = STANDARD.decode(&text).ok().filter(|octets| !octets.is_empty());
            prop_assert_eq!(read(&section("PRIVATE KEY", &text)), usual);
        }
    }

    #[test]
    fn each_octet_is_a_digit_or_none() {
        for octet in 0..=255 {
            let text = [octet, b'A', b'A', b'A'];
            let usual = STANDARD.decode(text).ok();
            assert_eq!(
                decode(|| text.into_iter()).map(|d| d.to_vec()),
                usual,
                "{octet}"
            );
        }
    }

    #[test]
    fn the_first_private_key_is_read() {
        let key = section("PRIVATE KEY", "AQID");
        let other = section("RSA PRIVATE KEY", "BAUG");
        let public = section("PUBLIC KEY", "BwgJ");
        for (pem, wanted) in [
            (key.clone(), Some(vec![1, 2, 3])),
            (
                format!("a word before\n{public}{other}{key}"),
                Some(vec![4, 5, 6]),
            ),
            (key.replace('\n', "\r\n"), Some(vec![1, 2, 3])),
            (key.replace("AQID", " AQ\nID "), Some(vec![1, 2, 3])),
            (public, None),
            (section("ENCRYPTED PRIVATE KEY", "AQID"), None),
            (key.replace("-----END", "-----FIN"), None),
            (key.replace("END PRIVATE", "END RSA PRIVATE"), None),
            (key.replace("AQID", ""), None),
            (key.replace("AQID", "AQI*"), None),
            (String::new(), None),
        ] {
            assert_eq!(read(&pem), wanted, "{pem}");
        }
    }

    #[test]
    fn it_has_its_room_from_the_beginning() {
        for text in ["AQ==", "AQI=", "AQID", "AQIDBA=="] {
            let octets = private_key(&section("PRIVATE KEY", text)).unwrap();
            assert!(octets.capacity() <= text.len() / 4 * 3);
        }
    }
}

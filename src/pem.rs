//! Private keys in PEM (RFC 7468), read without leaving a copy behind.
//!
//! The reader of public keys gathers the text in a buffer that grows and is given back as it is. This one
//! decodes it where it stands, in a time that does not depend on what it says.

use pem_rfc7468::Decoder;

use crate::secret::Secret;

/// The sections that hold a private key in clear: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017), SEC 1 (RFC 5915).
const PRIVATE: [(&str, &str); 3] = [
    ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"),
    (
        "-----BEGIN RSA PRIVATE KEY-----",
        "-----END RSA PRIVATE KEY-----",
    ),
    (
        "-----BEGIN EC PRIVATE KEY-----",
        "-----END EC PRIVATE KEY-----",
    ),
];

/// The octets of the first private key in `pem`. What stands before it, such as parameters of its curve,
/// is passed over, and so is what stands behind it.
pub(crate) fn private_key(pem: &str) -> Option<Secret<Vec<u8>>> {
    let sections = PRIVATE.iter().filter_map(|(begin, end)| {
        let (before, _) = pem.split_once(begin)?;
        Some((before.len(), *end))
    });
    let (from, end) = sections.min()?;
    let section = pem.get(from..)?;
    let to = section.find(end)? + end.len();
    let mut decoder = Decoder::new_detect_wrap(section.get(..to)?.as_bytes()).ok()?;
    let mut octets = Secret::new(vec![0; decoder.remaining_len()]);
    decoder.decode(&mut octets).ok()?;
    decoder.is_finished().then_some(octets)
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
        fn whatever_was_written_comes_back(
            octets in prop::collection::vec(any::<u8>(), 1..200),
            width in 1..23_usize,
            end in prop::sample::select(vec!["\n", "\r\n"]),
        ) {
            let text: Vec<char> = STANDARD.encode(&octets).chars().collect();
            let lines: Vec<String> = text.chunks(width * 4).map(|line| line.iter().collect()).collect();
            prop_assert_eq!(read(&section("PRIVATE KEY", &lines.join(end))), Some(octets));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[A-Za-z0-9+/=\r\n -]{0,80}") {
            let whole = read(&section("PRIVATE KEY", &text));
            let usual = STANDARD.decode(text.replace(['\r', '\n'], ""));
            // It may be stricter about lines, never about what they say.
            prop_assert!(whole.is_none() || whole == usual.ok(), "{text}");
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
            (section("EC PRIVATE KEY", "BwgJ"), Some(vec![7, 8, 9])),
            (key.replace('\n', "\r\n"), Some(vec![1, 2, 3])),
            (key.trim_end().to_owned(), Some(vec![1, 2, 3])),
            (public, None),
            (section("ENCRYPTED PRIVATE KEY", "AQID"), None),
            (key.replace("-----END", "-----FIN"), None),
            (key.replace("END PRIVATE", "END RSA PRIVATE"), None),
            (key.replace("AQID", "AQI*"), None),
            (key.replace("AQID", "AQI"), None),
            (key.replace("AQID", "Proc-Type: 4,ENCRYPTED\n\nAQID"), None),
            (String::new(), None),
        ] {
            assert_eq!(read(&pem), wanted, "{pem}");
        }
    }
}

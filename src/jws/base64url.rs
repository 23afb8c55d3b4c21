//! base64url as JOSE spells it (RFC 7515 §2): no padding, no blanks, no stray bits, so that one octet
//! string has one spelling.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use std::sync::LazyLock;

use base64::Engine as _;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use base64::engine::GeneralPurpose;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use base64::engine::Simd;
use base64::engine::general_purpose::NO_PAD;

/// How many octets so many characters stand for, if they are as many as can stand for some.
pub(super) fn decoded_len(characters: usize) -> Option<usize> {
    let rest = match characters % 4 {
        0 => 0,
        1 => return None,
        odd => odd - 1,
    };
    Some(characters / 4 * 3 + rest)
}

/// Many characters at a time where the processor can: a token has about a thousand of them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static ENGINE: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(NO_PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static ENGINE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, NO_PAD);

/// Decodes `text` into `octets`, which are as many as [`decoded_len`] says. `None` if it is not the
/// one spelling of these octets.
pub(super) fn decode(text: &[u8], octets: &mut [u8]) -> Option<()> {
    let decoded = ENGINE.decode_slice(text, octets).ok()?;
    (decoded == octets.len()).then_some(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn ours(text: &[u8]) -> Option<Vec<u8>> {
        let mut octets = vec![0; decoded_len(text.len())?];
        decode(text, &mut octets)?;
        Some(octets)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn whatever_was_encoded_comes_back(octets: Vec<u8>) {
            let text = URL_SAFE_NO_PAD.encode(&octets);
            prop_assert_eq!(ours(text.as_bytes()), Some(octets));
        }

        #[test]
        fn any_text_reads_as_the_usual_crate_reads_it(text in "[A-Za-z0-9_-]{0,90}[A-Za-z0-9_=+/ -]{0,9}") {
            prop_assert_eq!(ours(text.as_bytes()), URL_SAFE_NO_PAD.decode(&text).ok());
        }

        #[test]
        fn one_wrong_octet_spoils_it(octets: Vec<u8>, at: prop::sample::Index, wrong: u8) {
            let octets = octets.repeat(4);
            let mut text = URL_SAFE_NO_PAD.encode(&octets).into_bytes();
            if !text.is_empty() {
                let at = at.index(text.len());
                text[at] = wrong;
                prop_assert_eq!(ours(&text), URL_SAFE_NO_PAD.decode(&text).ok());
            }
        }
    }

    #[test]
    fn each_short_text_reads_as_the_usual_crate_reads_it() {
        for one in 0..=255 {
            for other in 0..=255 {
                for text in [&[one, other][..], &[one, other, b'A'], &[b'_', one, other]] {
                    assert_eq!(ours(text), URL_SAFE_NO_PAD.decode(text).ok(), "{text:?}");
                }
            }
        }
    }
}

//! base64url as JOSE spells it (RFC 7515 §2): no padding, no blanks, no stray bits, so that one octet
//! string has one spelling. Ours since a token costs three of these, and this one needs no more than
//! half of the time of the usual crate's.

/// The number of each character, four times: shifted to the place it has in three octets.
static NUMBERS: [[u32; 256]; 4] = {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut numbers = [[STRAY; 256]; 4];
    let mut number = 0;
    while number < 64 {
        let mut place = 0;
        while place < 4 {
            numbers[place][ALPHABET[number] as usize] = (number as u32) << (18 - 6 * place);
            place += 1;
        }
        number += 1;
    }
    numbers
};

/// A character of no number. Whatever it is combined with keeps this bit.
const STRAY: u32 = 1 << 31;

/// How many octets so many characters stand for, if they are as many as can stand for some.
pub(super) fn decoded_len(characters: usize) -> Option<usize> {
    let rest = match characters % 4 {
        0 => 0,
        1 => return None,
        odd => odd - 1,
    };
    Some(characters / 4 * 3 + rest)
}

/// Decodes `text` into `octets`, which are as many as [`decoded_len`] says. `None` if it is not the
/// one spelling of these octets.
pub(super) fn decode(text: &[u8], octets: &mut [u8]) -> Option<()> {
    if decoded_len(text.len()) != Some(octets.len()) {
        return None;
    }
    let (sixteens, text) = text.as_chunks::<16>();
    let (twelves, rest) = octets.split_at_mut(12 * sixteens.len());
    let mut all = 0;
    for (sixteen, twelve) in sixteens.iter().zip(twelves.as_chunks_mut::<12>().0) {
        let (fours, words) = (sixteen.as_chunks().0, twelve.as_chunks_mut().0);
        let (a, b) = (three(fours[0]), three(fours[1]));
        let (c, d) = (three(fours[2]), three(fours[3]));
        all |= a | b | c | d;
        words[0] = (a << 8 | b >> 16).to_be_bytes();
        words[1] = (b << 16 | c >> 8).to_be_bytes();
        words[2] = (c << 24 | d).to_be_bytes();
    }
    let (fours, text) = text.as_chunks::<4>();
    let (threes, rest) = rest.split_at_mut(3 * fours.len());
    for (four, octets) in fours.iter().zip(threes.as_chunks_mut::<3>().0) {
        let number = three(*four);
        all |= number;
        let [_, one, two, last] = number.to_be_bytes();
        *octets = [one, two, last];
    }
    // What is left stands for one octet or two; bits that stand for none are zero.
    let stray = match (text, rest) {
        ([a, b], [octet]) => {
            let number = three([*a, *b, b'A', b'A']);
            all |= number;
            *octet = number.to_be_bytes()[1];
            number & 0xffff
        }
        ([a, b, c], [first, second]) => {
            let number = three([*a, *b, *c, b'A']);
            all |= number;
            [*first, *second] = [number.to_be_bytes()[1], number.to_be_bytes()[2]];
            number & 0xff
        }
        _ => 0,
    };
    (all & STRAY == 0 && stray == 0).then_some(())
}

/// Four characters are three octets.
fn three(four: [u8; 4]) -> u32 {
    let [a, b, c, d] = four.map(usize::from);
    NUMBERS[0][a] | NUMBERS[1][b] | NUMBERS[2][c] | NUMBERS[3][d]
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
        fn any_text_reads_as_the_usual_crate_reads_it(text in "[A-Za-z0-9_=+/ -]{0,40}") {
            prop_assert_eq!(ours(text.as_bytes()), URL_SAFE_NO_PAD.decode(&text).ok());
        }

        #[test]
        fn one_wrong_octet_spoils_it(octets: Vec<u8>, at: prop::sample::Index, wrong: u8) {
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

//! How hostile text is shown in an error or a log line: quoted, escaped, short.

use std::collections::HashSet;
use std::fmt::{self, Write as _};

/// The longest part of a foreign text that is shown.
const SHOWN: usize = 120;

/// Quotes `text` for an error sentence. Control and non-ASCII characters are escaped, so a log
/// line stays one line; what is too long is cut.
pub(crate) fn quote(text: &str) -> String {
    quoted(text).to_string()
}

/// As [`quote`], for a sentence that is written at once.
pub(crate) fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text)
}

/// Shows a text in quotation marks.
#[derive(Clone, Copy)]
pub(crate) struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !br#""'\"#.contains(byte);
        let plain = self.0.bytes().take(SHOWN).take_while(|byte| is_plain(byte));
        // Nearly always all of it; what is plain is ASCII, a byte a character.
        let (plain, rest) = self.0.split_at(plain.count());
        f.write_char('"')?;
        f.write_str(plain)?;
        let mut characters = rest.chars();
        for character in characters.by_ref().take(SHOWN - plain.len()) {
            character
                .escape_default()
                .try_for_each(|escaped| f.write_char(escaped))?;
        }
        f.write_char('"')?;
        match characters.next() {
            Some(_) => f.write_str("..."),
            None => Ok(()),
        }
    }
}

/// Quotes several texts as a list.
pub(crate) fn quote_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut list = String::with_capacity(SENTENCE);
    // A `String` takes everything.
    let _ = write_list(&mut list, texts.into_iter());
    list
}

/// As [`quote_list`], for a sentence that is written at once.
#[cfg_attr(not(feature = "jwt"), allow(dead_code))]
pub(crate) struct QuotedList<I>(pub(crate) I);

impl<'a, I: Iterator<Item = &'a str> + Clone> fmt::Display for QuotedList<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, self.0.clone())
    }
}

fn write_list<'a>(list: &mut impl fmt::Write, texts: impl Iterator<Item = &'a str>) -> fmt::Result {
    const LISTED: usize = 8;
    list.write_char('[')?;
    for (place, text) in texts.take(LISTED + 1).enumerate() {
        if place > 0 {
            list.write_str(", ")?;
        }
        match place {
            LISTED => list.write_str("...")?,
            _ => write!(list, "{}", quoted(text))?,
        }
    }
    list.write_char(']')
}

/// The room that nearly every error sentence finds enough.
const SENTENCE: usize = 160;

/// Writes a sentence into one allocation: whoever sends rubbish gets little work done for it.
pub(crate) fn sentence(words: fmt::Arguments<'_>) -> String {
    let mut sentence = String::with_capacity(SENTENCE);
    let _ = sentence.write_fmt(words);
    sentence
}

/// How many characters in a row give a secret away.
#[cfg_attr(not(any(feature = "introspection", feature = "jwt")), allow(dead_code))]
const PIECE: usize = 8;

/// Keeps a sentence that somebody else wrote from repeating a secret: if it shares eight
/// characters in a row with one, nothing of it is told. Quoting, escapes and the encoding of forms do not
/// get around that, as replacing the secret would let them.
#[cfg_attr(not(any(feature = "introspection", feature = "jwt")), allow(dead_code))]
pub(crate) fn withhold<'a>(sentence: String, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let decoded = decoded(sentence.as_bytes());
    let told = || std::iter::once(sentence.as_bytes()).chain(decoded.iter().map(Vec::as_slice));
    // The sentence is short and a secret may be long: one pass over each.
    let pieces: HashSet<&[u8]> = told().flat_map(|told| told.windows(PIECE)).collect();
    let holds = |told: &[u8], short: &[u8]| told.windows(short.len()).any(|part| part == short);
    let shares = |secret: &str| match secret.as_bytes() {
        [] => false,
        short if short.len() < PIECE => told().any(|told| holds(told, short)),
        long => long.windows(PIECE).any(|part| pieces.contains(part)),
    };
    if secrets.into_iter().any(shares) {
        return "[withheld: it repeats a secret]".to_owned();
    }
    sentence
}

/// What a sentence says to who undoes its escapes, of texts in quotation marks and of forms; and that with
/// a blank for each `+`. Nothing, if there are none.
fn decoded(sentence: &[u8]) -> Vec<Vec<u8>> {
    if !sentence.iter().any(|byte| b"%+\\".contains(byte)) {
        return Vec::new();
    }
    let digit = |at: usize| {
        sentence
            .get(at)
            .and_then(|digit| (*digit as char).to_digit(16))
    };
    let mut plain = Vec::with_capacity(sentence.len());
    let mut at = 0;
    while let Some(byte) = sentence.get(at) {
        let escaped = match byte {
            b'%' => digit(at + 1).zip(digit(at + 2)),
            _ => None,
        };
        match (byte, escaped) {
            (_, Some((high, low))) => {
                plain.push((high << 4 | low) as u8);
                at += 2;
            }
            // The character behind it is what was escaped.
            (b'\\', _) => {
                plain.extend(sentence.get(at + 1));
                at += 1;
            }
            _ => plain.push(*byte),
        }
        at += 1;
    }
    let blank = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
    let blanks = plain.iter().map(blank).collect();
    vec![plain, blanks]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_that_repeats_a_secret_is_withheld() {
        let told = |sentence: &str| withhold(sentence.to_owned(), ["tk_s3cr3t\"value"]);
        assert_eq!(told("no row"), "no row");
        let withheld = "[withheld: it repeats a secret]";
        assert_eq!(told("no row for tk_s3cr3t\"value"), withheld);
        assert_eq!(told("no row for tk_s3cr3t\\\"value"), withheld);
        assert_eq!(told("no row for tk_s3cr3t%22value"), withheld);
        assert_eq!(withhold("a b".to_owned(), ["b"]), withheld);
        // Never eight characters in a row without one that is encoded.
        for secret in [
            "q+7/Zk3+p9/aX2+Lw/8b+A==",
            "a b\"c d\\e f%g",
            "\"a/b c\"",
            "é à/ü%",
        ] {
            let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            let spaced = encoded.replace('+', "%20");
            let small = encoded.replace("%2B", "%2b").replace("%2F", "%2f");
            for told in [secret, &encoded, &spaced, &small, &format!("{secret:?}")] {
                let told = format!("cannot send client_secret={told}&x=%zz%");
                assert_eq!(withhold(told.clone(), [secret]), withheld, "{told}");
            }
        }
        assert_eq!(withhold("100 % \\".to_owned(), ["secret"]), "100 % \\");
    }

    #[test]
    fn hostile_text_stays_on_one_short_line() {
        assert_eq!(quote("a\"b\n\u{202e}"), r#""a\"b\n\u{202e}""#);
        assert_eq!(quote(&"x".repeat(500)).len(), SHOWN + 5);
        assert_eq!(quote_list(["a", "b"]), r#"["a", "b"]"#);
        assert_eq!(quote_list(["a"; 9]).matches("\"a\"").count(), 8);
        assert!(quote_list(["a"; 9]).ends_with(", ...]"));
        assert_eq!(quote_list([]), "[]");
    }

    #[test]
    fn what_is_plain_is_shown_as_it_is_and_the_rest_escaped() {
        for text in [
            "",
            "plain",
            "it's",
            "é",
            "aé\\b",
            "a\tb",
            &"ab\n".repeat(60),
        ] {
            let shown: String = text
                .chars()
                .take(SHOWN)
                .flat_map(char::escape_default)
                .collect();
            let end = if text.chars().count() > SHOWN {
                "..."
            } else {
                ""
            };
            assert_eq!(quote(text), format!("\"{shown}\"{end}"));
        }
    }
}

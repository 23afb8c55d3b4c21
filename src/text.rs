//! How hostile text is shown in an error or a log line: quoted, escaped, short.

use std::collections::HashSet;

/// The longest part of a foreign text that is shown.
const SHOWN: usize = 120;

/// Quotes `text` for an error sentence. Control and non-ASCII characters are escaped, so a log
/// line stays one line; what is too long is cut.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut characters = text.chars();
    for character in characters.by_ref().take(SHOWN) {
        quoted.extend(character.escape_default());
    }
    quoted.push('"');
    if characters.next().is_some() {
        quoted.push_str("...");
    }
    quoted
}

/// Quotes several texts as a list.
pub(crate) fn quote_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    const LISTED: usize = 8;
    let mut texts = texts.into_iter();
    let mut quoted: Vec<String> = texts.by_ref().take(LISTED).map(quote).collect();
    if texts.next().is_some() {
        quoted.push("...".to_owned());
    }
    format!("[{}]", quoted.join(", "))
}

/// How many characters in a row give a secret away.
#[cfg_attr(not(any(feature = "introspection", feature = "jwt")), allow(dead_code))]
const PIECE: usize = 8;

/// Keeps a sentence that somebody else wrote from repeating a secret: if it shares eight
/// characters in a row with one, nothing of it is told. Quoting and escaping do not get around
/// that, as replacing the secret would let them.
#[cfg_attr(not(any(feature = "introspection", feature = "jwt")), allow(dead_code))]
pub(crate) fn withhold<'a>(sentence: String, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let told = sentence.as_bytes();
    let shares = |secret: &str| {
        let secret = secret.as_bytes();
        let piece = PIECE.min(secret.len());
        // The sentence is short and the secret may be long: one pass over each.
        let pieces: HashSet<&[u8]> = told.windows(piece.max(1)).collect();
        piece > 0 && secret.windows(piece).any(|part| pieces.contains(part))
    };
    if secrets.into_iter().any(shares) {
        return "[withheld: it repeats a secret]".to_owned();
    }
    sentence
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
    }

    #[test]
    fn hostile_text_stays_on_one_short_line() {
        assert_eq!(quote("a\"b\n\u{202e}"), r#""a\"b\n\u{202e}""#);
        assert_eq!(quote(&"x".repeat(500)).len(), SHOWN + 5);
        assert_eq!(quote_list(["a", "b"]), r#"["a", "b"]"#);
        assert_eq!(quote_list(["a"; 9]).matches("\"a\"").count(), 8);
    }
}

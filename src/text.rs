//! How hostile text is shown in an error or a log line: quoted, escaped, short.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_on_one_short_line() {
        assert_eq!(quote("a\"b\n\u{202e}"), r#""a\"b\n\u{202e}""#);
        assert_eq!(quote(&"x".repeat(500)).len(), SHOWN + 5);
        assert_eq!(quote_list(["a", "b"]), r#"["a", "b"]"#);
        assert_eq!(quote_list(["a"; 9]).matches("\"a\"").count(), 8);
    }
}

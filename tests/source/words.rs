//! Rust text as words: names and signs, without comments and literals.
#![allow(dead_code)] // Not every test needs all of it.

/// A name, `::`, or a single sign.
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// Splits Rust text. Comments, strings, characters and lifetimes are left out; the insides of
/// macro calls are not, which is why this is no parser.
pub(crate) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, kept) = if let Some(length) = blank(rest).or_else(|| literal(rest)) {
            (length, false)
        } else if first.is_alphanumeric() || first == '_' {
            (name(rest), true)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), true)
        };
        let (text, after) = rest.split_at(length);
        if kept {
            words.push(Word { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    words
}

fn name(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

/// Blanks and comments.
fn blank(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        let (mut depth, mut at) = (0_usize, 0);
        loop {
            let here = &text[at..];
            if here.starts_with("/*") {
                depth += 1;
                at += 2;
            } else if here.starts_with("*/") {
                depth -= 1;
                at += 2;
            } else {
                at += here.chars().next()?.len_utf8();
            }
            if depth == 0 {
                return Some(at);
            }
        }
    }
    let first = text.chars().next()?;
    first.is_whitespace().then_some(first.len_utf8())
}

/// Strings of every sort, characters, lifetimes.
fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(['"', '\'']) || opens_raw(prefix, rest))
    })?;
    let rest = &text[prefix.len()..];
    if prefix.ends_with('r') {
        let fence = format!("\"{}", "#".repeat(rest.find('"')?));
        let inside = fence.len();
        let end = rest[inside..].find(&fence)?;
        return Some(prefix.len() + inside + end + fence.len());
    }
    let quote = rest.chars().next()?;
    // `'a` and `'static` are lifetimes unless a quote follows the one character.
    if quote == '\'' && !rest.starts_with("'\\") {
        let mut after = rest[1..].chars();
        let length = after.next()?.len_utf8();
        if after.next() != Some('\'') {
            return Some(prefix.len() + 1 + name(&rest[1..]));
        }
        return Some(prefix.len() + length + 2);
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(prefix.len() + at + 1),
            _ => {}
        }
    }
    None
}

fn opens_raw(prefix: &str, rest: &str) -> bool {
    prefix.ends_with('r') && rest.trim_start_matches('#').starts_with('"')
}

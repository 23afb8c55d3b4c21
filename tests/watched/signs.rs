//! What a token or a secret looks like, wherever it came from.
//!
//! Tokens are made in hundreds of places, by the embedded issuer and by hand; looking for what they look
//! like finds those of any maker, whole or in part. It sees no token that is made of plain words: who
//! writes one into a test, and cares, names it with [`Signs::learn`].

use std::collections::HashSet;

/// How many characters in a row give a secret away.
const PIECE: usize = 12;

/// From how many characters on a word that nobody would make up counts as one by chance.
const BY_CHANCE: usize = 24;

/// Secrets that look like nothing in particular.
#[derive(Default)]
pub(crate) struct Signs {
    pieces: HashSet<Vec<u8>>,
}

impl Signs {
    /// From now on every piece of `secret` gives itself away.
    pub(crate) fn learn(&mut self, secret: &str) {
        assert!(
            secret.len() >= PIECE,
            "a secret of {} bytes is in many a line",
            secret.len()
        );
        let pieces = secret.as_bytes().windows(PIECE);
        self.pieces.extend(pieces.map(<[u8]>::to_vec));
    }

    /// What of `line` looks like a token or a secret, and why.
    pub(crate) fn find<'a>(&self, line: &'a str) -> Option<(&'static str, &'a str)> {
        let known = || {
            let mut pieces = line.as_bytes().windows(PIECE);
            let at = pieces.position(|piece| self.pieces.contains(piece))?;
            Some(("a secret", line.get(at..).unwrap_or(line)))
        };
        jose(line)
            .or_else(|| by_chance(line))
            .or_else(|| credentials(line))
            .or_else(|| {
                if self.pieces.is_empty() {
                    None
                } else {
                    known()
                }
            })
    }
}

/// `{"` in base64url, with which every header and every claim set begins (RFC 7515 §3.1); and the bytes of
/// that, as `Debug` prints them.
fn jose(line: &str) -> Option<(&'static str, &str)> {
    for (at, _) in line.match_indices("eyJ") {
        let word = word(&line[at..]);
        if word.len() >= PIECE {
            return Some(("a part of a JWT", word));
        }
    }
    let at = line.find("101, 121, 74, ")?;
    Some(("the bytes of a JWT", &line[at..]))
}

/// The longest beginning that could be base64 in one of its alphabets.
fn word(text: &str) -> &str {
    let is_in = |c: char| c.is_ascii_alphanumeric() || "-_+/".contains(c);
    &text[..text.find(|c| !is_in(c)).unwrap_or(text.len())]
}

/// Large and small letters and digits, mixed as nobody writes them: signatures, opaque tokens, keys.
fn by_chance(line: &str) -> Option<(&'static str, &str)> {
    let is_in = |c: char| c.is_ascii_alphanumeric() || "-_+".contains(c);
    let mut words = line.split(|c| !is_in(c));
    let found = words.find(|word| {
        let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
        // Names of types have few digits, numbers in base 16 one sort of letters.
        word.len() >= BY_CHANCE
            && count(u8::is_ascii_uppercase) >= 4
            && count(u8::is_ascii_lowercase) >= 4
            && count(u8::is_ascii_digit) >= 2
    })?;
    Some(("a word by chance", found))
}

/// What stands where a request carries its credentials.
fn credentials(line: &str) -> Option<(&'static str, &str)> {
    const BEFORE: [&str; 7] = [
        "Bearer ",
        "bearer ",
        "Basic ",
        "token=",
        "access_token=",
        "client_secret=",
        "client_assertion=",
    ];
    for before in BEFORE {
        for (at, _) in line.match_indices(before) {
            let word = word(&line[at + before.len()..]);
            if word.len() >= PIECE {
                return Some(("a credential", word));
            }
        }
    }
    None
}

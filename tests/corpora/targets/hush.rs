//! That nothing of a token or secret is told: not in an error, not in an answer.

use std::fmt::Debug;
use std::sync::LazyLock;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use portcullis::{Error, ErrorKind, Reason};

use super::stage;
use super::tree::Tree;

/// So many characters in a row give a text away.
const PIECE: usize = 8;

/// A text that must not be told, in pieces: an error that quotes half of a token is no better than one that
/// quotes it all.
pub struct Pieces<'a> {
    secret: &'a [u8],
    /// Whether each piece of it is looked for, telling or not.
    each: bool,
    spared: Vec<Vec<u8>>,
}

impl<'a> Pieces<'a> {
    /// Of a text that the fuzzer has made: the pieces that stand in a sentence of ours by no chance.
    pub fn of(secret: &'a [u8]) -> Pieces<'a> {
        Pieces {
            secret,
            each: false,
            spared: Vec::new(),
        }
    }

    /// Of a secret that we have made so that no piece of it can stand anywhere by chance.
    pub fn of_secret(secret: &'a str) -> Pieces<'a> {
        Pieces {
            each: true,
            ..Pieces::of(secret.as_bytes())
        }
    }

    /// Lets pass what is also part of `text`, which may be told, as it is or with escapes.
    pub fn spare(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.spared.push(text.into());
        if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            self.spared.push(text.escape_default().to_string().into());
            self.spared.push(text.escape_debug().to_string().into());
        }
    }

    /// Fails if `text` holds a piece.
    #[track_caller]
    pub fn hush(&self, what: &str, text: &str) {
        if self.each {
            for piece in self.secret.windows(PIECE) {
                let piece = std::str::from_utf8(piece).expect("secrets of ours are ASCII");
                assert!(
                    !text.contains(piece),
                    "{what} tells {piece:?} of a secret: {text}"
                );
            }
            return;
        }
        let holds = |text: &[u8], piece: &[u8]| text.windows(PIECE).any(|part| part == piece);
        // The text is short, and has hardly ever a telling piece.
        for piece in text.as_bytes().windows(PIECE).filter(|p| is_telling(p)) {
            let told = holds(self.secret, piece);
            assert!(
                !told || self.spared.iter().any(|spared| holds(spared, piece)),
                "{what} tells {:?} of a secret: {text}",
                String::from_utf8_lossy(piece)
            );
        }
    }

    /// Fails if an error holds a piece, in whichever way it is printed.
    #[track_caller]
    pub fn hush_error(&self, error: &(impl std::error::Error + 'static)) {
        self.hush("an error", &format!("{error}"));
        self.hush("the debug form of an error", &format!("{error:?}"));
        assert!(error.source().is_none(), "another error lies behind it");
    }

    /// Fails if the debug form of `value` holds a piece.
    #[track_caller]
    pub fn hush_debug(&self, value: &impl Debug) {
        self.hush("a debug form", &format!("{value:?}"));
    }
}

/// Holds the refusal of a token whose signature is not proven, or whose header is not good: one short line,
/// and of the token nothing but what the header says of `alg`, `kid` and `typ`, quoted. So neither its text
/// nor what that spells is told.
#[track_caller]
pub fn tell_little(error: &Error, token: &str, header: Option<&Tree>) {
    let told = error.to_string();
    // 120 characters are quoted, of ten at most, and the names of all algorithms.
    assert!(
        told.len() < 2_048 && !told.contains(char::is_control),
        "{told}"
    );
    let mut texts = vec![token.as_bytes().to_vec()];
    texts.extend(token.split('.').filter_map(stage::from_base64url));
    for text in &texts {
        let mut pieces = Pieces::of(text);
        for name in ["alg", "kid", "typ"] {
            let said = header.and_then(|header| header.get(name)?.text());
            pieces.spare(said.unwrap_or_default());
        }
        pieces.hush_error(error);
    }
}

/// Whether a piece says where it comes from: eight letters and digits in a row, at least six of them different,
/// with a digit among upper and lower case, or with two changes from lower to upper case. Tokens have little
/// else; of the words that we write, only names of reasons have such a piece.
fn is_telling(piece: &[u8]) -> bool {
    static OURS: LazyLock<String> = LazyLock::new(|| format!("{:?}", Reason::ALL));
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !piece.iter().all(is_letter) {
        return false;
    }
    let has = |is: fn(&u8) -> bool| piece.iter().any(is);
    let rises = |pair: &&[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    let odd = has(u8::is_ascii_digit) || piece.windows(2).filter(rises).count() >= 2;
    let seen = piece.iter().fold(0_u128, |seen, byte| seen | 1 << byte);
    mixed
        && odd
        && seen.count_ones() >= 6
        && !OURS.as_bytes().windows(PIECE).any(|ours| ours == piece)
}

/// Holds the answer to a refusal, of a server with the realm `api`, to the fixed words of its reason. What
/// an input says has no place in it at all.
#[track_caller]
pub fn only_fixed_words(answer: &Response<String>, error: &Error) {
    let (status, code) = match error.kind() {
        ErrorKind::MissingCredential => (StatusCode::UNAUTHORIZED, None),
        ErrorKind::InvalidRequest => (StatusCode::BAD_REQUEST, Some("invalid_request")),
        ErrorKind::InvalidToken => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
        ErrorKind::InsufficientScope => (StatusCode::FORBIDDEN, Some("insufficient_scope")),
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, None),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, None),
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        other => panic!("{other:?} is the programmer's fault, and no input's"),
    };
    let words = error.reason().description();
    assert_eq!(answer.status(), status);
    let title = status.canonical_reason().expect("it has one");
    let number = status.as_u16();
    let coded = code.map_or_else(String::new, |code| format!(r#","error":"{code}""#));
    assert_eq!(
        *answer.body(),
        format!(
            r#"{{"type":"about:blank","title":"{title}","status":{number},"detail":"{words}"{coded}}}"#
        )
    );
    for (name, value) in answer.headers() {
        let value = value.to_str().expect("it is visible ASCII");
        if *name == CONTENT_TYPE {
            assert_eq!(value, "application/problem+json");
        } else if *name == CACHE_CONTROL {
            assert_eq!(value, "no-store");
        } else if *name == RETRY_AFTER {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            let seconds: u64 = value.parse().expect("it is a number of seconds");
            assert!((1..=3600).contains(&seconds), "{seconds}");
        } else if *name == WWW_AUTHENTICATE {
            let challenge = match code {
                None => r#"Bearer realm="api""#.to_owned(),
                Some(code) => {
                    format!(r#"Bearer realm="api", error="{code}", error_description="{words}""#)
                }
            };
            assert_eq!(value, challenge);
        } else {
            panic!("nobody has asked for the header {name}: {value}");
        }
    }
}

//! Tokens that are no good.

use std::fmt;

use super::tokens::{self, SigningKey};

/// A way to be no good.
#[derive(Clone, Copy)]
pub struct Broken {
    /// What is wrong.
    pub name: &'static str,
    /// Makes one of its own for each number.
    pub broken: fn(&SigningKey, u64) -> String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What is refused before any signature is looked at.
pub const BROKEN: [Broken; 6] = [
    Broken {
        name: "rubbish",
        broken: |_, n| format!("rubbish-{n:08}"),
    },
    Broken {
        name: "two parts",
        broken: |key, n| {
            let token = tokens::token(key, n);
            token.rsplit_once('.').unwrap().0.to_owned()
        },
    },
    Broken {
        name: "unknown kid",
        broken: |key, n| {
            let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"nobody-{n:08}"}}"#);
            tokens::under_header(&tokens::token(key, n), &header)
        },
    },
    Broken {
        name: "wrong algorithm",
        broken: |key, n| {
            let header = format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{}"}}"#, key.kid);
            tokens::under_header(&tokens::token(key, n), &header)
        },
    },
    Broken {
        name: "no algorithm",
        broken: |key, n| {
            let header = format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{}"}}"#, key.kid);
            tokens::under_header(&tokens::token(key, n), &header)
        },
    },
    Broken {
        name: "expired",
        broken: tokens::expired_token,
    },
];

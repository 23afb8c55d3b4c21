//! Tokens and secrets, and how they are found in a text, in whatever form.

use std::collections::HashSet;

/// Tokens and secrets, cut into pieces: an error that quotes the first half of a token is no
/// better than one that quotes it all.
#[derive(Default)]
pub(crate) struct Secrets {
    pieces: HashSet<String>,
}

impl Secrets {
    /// Long enough that no piece stands in a text by chance.
    pub(crate) const PIECE: usize = 12;

    pub(crate) fn add(&mut self, secret: &str) {
        let printed = format!("{:?}", secret.as_bytes());
        let printed = printed.trim_matches(['[', ']']).to_owned();
        let escaped: String = form_urlencoded(secret);
        for form in [secret.to_owned(), escaped, base64(secret), printed] {
            let characters: Vec<char> = form.chars().collect();
            assert!(
                characters.len() >= Secrets::PIECE,
                "{secret:?} is too short"
            );
            for piece in characters.windows(Secrets::PIECE) {
                self.pieces.insert(piece.iter().collect());
            }
        }
    }

    /// Fails if `text` holds a piece of a secret. The message shows the place, which is fine here:
    /// all of them are made up.
    #[track_caller]
    pub(crate) fn hush(&self, what: &str, text: &str) {
        let characters: Vec<char> = text.chars().collect();
        for (at, piece) in characters.windows(Secrets::PIECE).enumerate() {
            let piece: String = piece.iter().collect();
            if self.pieces.contains(&piece) {
                let from = at.saturating_sub(80);
                let around: String = characters.iter().skip(from).take(200).collect();
                panic!("{what} holds a piece of a secret, {piece:?}, in: …{around}…");
            }
        }
    }
}

pub(crate) fn form_urlencoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

pub(crate) fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let digit = bits >> (18 - 6 * place) & 63;
            encoded.push(char::from(DIGITS[digit as usize]));
        }
    }
    encoded
}

#[test]
fn the_searcher_finds() {
    const CLIENT_SECRET: &str = "sesame/open:W2+mVtY9&zKpL4nRfD8sG";

    let mut secrets = Secrets::default();
    secrets.add(CLIENT_SECRET);
    let found = |text: &str| std::panic::catch_unwind(|| secrets.hush("it", text)).is_err();
    assert_eq!(base64("ab"), "YWI");
    assert_eq!(base64("abc"), "YWJj");
    assert_eq!(base64("abcd"), "YWJjZA");
    for text in [
        CLIENT_SECRET.to_owned(),
        format!("half of it: {}…", &CLIENT_SECRET[..15]),
        format!("{:?}", CLIENT_SECRET.as_bytes()),
        form_urlencoded(CLIENT_SECRET),
        base64(CLIENT_SECRET),
    ] {
        assert!(found(&text), "{text}");
    }
    assert!(!found("nothing of the sort"));
}

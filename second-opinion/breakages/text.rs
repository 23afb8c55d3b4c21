//! The JSON texts as a whole: marks before them, waste behind, another shape, depth, no UTF-8.

use crate::draft::Breakage;
use crate::draft::Edit::{ClaimsText, HeaderText};

fn around(before: &[u8], text: &[u8], behind: &[u8]) -> Vec<u8> {
    [before, text, behind].concat()
}

/// Puts `member` before the last brace.
fn with(text: &[u8], member: &[u8]) -> Vec<u8> {
    let (rest, brace) = text.split_at(text.len().saturating_sub(1));
    around(rest, b",", &[member, brace].concat())
}

fn deep(levels: usize) -> Vec<u8> {
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    format!("\"deep\":{open}{close}").into_bytes()
}

pub const ALL: &[Breakage] = &[
    Breakage(
        "header text: a byte order mark",
        HeaderText(|text| around(b"\xef\xbb\xbf", &text, b"")),
    ),
    Breakage(
        "header text: white space around",
        HeaderText(|text| around(b" \r\n\t", &text, b"\n ")),
    ),
    Breakage(
        "header text: other white space around",
        HeaderText(|text| around(b"\x0c", &text, b"\x0b")),
    ),
    Breakage(
        "header text: waste behind",
        HeaderText(|text| around(b"", &text, b"x")),
    ),
    Breakage(
        "header text: a NUL behind",
        HeaderText(|text| around(b"", &text, b"\0")),
    ),
    Breakage(
        "header text: another object behind",
        HeaderText(|text| around(b"", &text, b"{}")),
    ),
    Breakage(
        "header text: a comma too many",
        HeaderText(|text| with(&text, b"")),
    ),
    Breakage(
        "header text: a comment",
        HeaderText(|text| around(b"/**/", &text, b"//")),
    ),
    Breakage(
        "header text: in a list",
        HeaderText(|text| around(b"[", &text, b"]")),
    ),
    Breakage(
        "header text: a list of values",
        HeaderText(|_| b"[\"at+jwt\",\"ES256\"]".to_vec()),
    ),
    Breakage("header text: empty", HeaderText(|_| Vec::new())),
    Breakage(
        "header text: an empty object",
        HeaderText(|_| b"{}".to_vec()),
    ),
    Breakage("header text: null", HeaderText(|_| b"null".to_vec())),
    Breakage(
        "header text: no UTF-8",
        HeaderText(|text| with(&text, b"\"x\":\"\xff\"")),
    ),
    Breakage(
        "header text: UTF-16",
        HeaderText(|text| text.iter().flat_map(|byte| [*byte, 0]).collect()),
    ),
    Breakage(
        "header text: a bare control character",
        HeaderText(|text| with(&text, b"\"x\":\"\n\"")),
    ),
    Breakage(
        "header text: half a character",
        HeaderText(|text| with(&text, b"\"x\":\"\\ud800\"")),
    ),
    Breakage(
        "header text: 20 deep",
        HeaderText(|text| with(&text, &deep(20))),
    ),
    Breakage(
        "header text: 100 deep",
        HeaderText(|text| with(&text, &deep(100))),
    ),
    Breakage(
        "header text: 1000 deep",
        HeaderText(|text| with(&text, &deep(1000))),
    ),
    Breakage(
        "header text: 3 kB",
        HeaderText(|text| with(&text, format!("\"x\":\"{}\"", "x".repeat(3000)).as_bytes())),
    ),
    Breakage(
        "claims text: a byte order mark",
        ClaimsText(|text| around(b"\xef\xbb\xbf", &text, b"")),
    ),
    Breakage(
        "claims text: white space around",
        ClaimsText(|text| around(b" \r\n\t", &text, b"\n ")),
    ),
    Breakage(
        "claims text: other white space around",
        ClaimsText(|text| around(b"\x0c", &text, b"\x0b")),
    ),
    Breakage(
        "claims text: waste behind",
        ClaimsText(|text| around(b"", &text, b"x")),
    ),
    Breakage(
        "claims text: a NUL behind",
        ClaimsText(|text| around(b"", &text, b"\0")),
    ),
    Breakage(
        "claims text: another object behind",
        ClaimsText(|text| around(b"", &text, b"{}")),
    ),
    Breakage(
        "claims text: a comma too many",
        ClaimsText(|text| with(&text, b"")),
    ),
    Breakage(
        "claims text: a comment",
        ClaimsText(|text| around(b"/**/", &text, b"//")),
    ),
    Breakage(
        "claims text: in a list",
        ClaimsText(|text| around(b"[", &text, b"]")),
    ),
    Breakage(
        "claims text: a list of values",
        ClaimsText(|_| {
            b"[1600000000,4102444800,0,\"https://as.example\",\"alice\",\"https://api.example.com/\",\"1\",\"n\"]"
                .to_vec()
        }),
    ),
    Breakage(
        "claims text: in a string",
        ClaimsText(|_| b"\"{}\"".to_vec()),
    ),
    Breakage("claims text: empty", ClaimsText(|_| Vec::new())),
    Breakage(
        "claims text: an empty object",
        ClaimsText(|_| b"{}".to_vec()),
    ),
    Breakage("claims text: null", ClaimsText(|_| b"null".to_vec())),
    Breakage(
        "claims text: no UTF-8",
        ClaimsText(|text| with(&text, b"\"x\":\"\xff\"")),
    ),
    Breakage(
        "claims text: UTF-16",
        ClaimsText(|text| text.iter().flat_map(|byte| [*byte, 0]).collect()),
    ),
    Breakage(
        "claims text: a bare control character",
        ClaimsText(|text| with(&text, b"\"x\":\"\n\"")),
    ),
    Breakage(
        "claims text: half a character",
        ClaimsText(|text| with(&text, b"\"x\":\"\\ud800\"")),
    ),
    Breakage(
        "claims text: 20 deep",
        ClaimsText(|text| with(&text, &deep(20))),
    ),
    Breakage(
        "claims text: 100 deep",
        ClaimsText(|text| with(&text, &deep(100))),
    ),
    Breakage(
        "claims text: 1000 deep",
        ClaimsText(|text| with(&text, &deep(1000))),
    ),
    Breakage(
        "claims text: 3 kB",
        ClaimsText(|text| with(&text, format!("\"x\":\"{}\"", "x".repeat(3000)).as_bytes())),
    ),
];

//! Who issued a token, for whom, about whom, and what else it may say.

use crate::draft::Breakage;
use crate::draft::Edit::{Claim, Claims};

pub const ALL: &[Breakage] = &[
    Breakage("iss: absent", Claims(|claims| claims.remove("iss"))),
    Breakage(
        "iss: another",
        Claim(
            "iss",
            &[
                "\"https://other.example\"",
                "\"https://as.example/\"",
                "\"https://AS.example\"",
                "\"http://as.example\"",
                "\"https://as.example \"",
                "\"https://as.example\\u0000\"",
                "\"\"",
            ],
        ),
    ),
    Breakage(
        "iss: escaped",
        Claim("iss", &["\"https:\\/\\/as.ex\\u0061mple\""]),
    ),
    Breakage(
        "iss: a list of one",
        Claim("iss", &["[\"https://as.example\"]"]),
    ),
    Breakage(
        "iss: a list of two",
        Claim(
            "iss",
            &["[\"https://other.example\",\"https://as.example\"]"],
        ),
    ),
    Breakage("iss: no string", Claim("iss", &["1", "{}", "true", "[]"])),
    Breakage("iss: null", Claim("iss", &["null"])),
    Breakage(
        "iss: twice, another first",
        Claims(|claims| claims.push_first("iss", "\"https://other.example\"")),
    ),
    Breakage(
        "iss: twice, another last",
        Claims(|claims| claims.push("iss", "\"https://other.example\"")),
    ),
    Breakage("aud: absent", Claims(|claims| claims.remove("aud"))),
    Breakage(
        "aud: another",
        Claim(
            "aud",
            &[
                "\"https://other.example/\"",
                "\"https://api.example.com\"",
                "\"https://api.example.com/x\"",
                "\"HTTPS://api.example.com/\"",
                "\"https://api.example.com/ https://other.example/\"",
                "\"\"",
                "[\"https://other.example/\"]",
                "[[\"https://api.example.com/\"]]",
            ],
        ),
    ),
    Breakage(
        "aud: a list of one",
        Claim("aud", &["[\"https://api.example.com/\"]"]),
    ),
    Breakage(
        "aud: a list of two",
        Claim(
            "aud",
            &[
                "[\"https://api.example.com/\",\"https://other.example/\"]",
                "[\"https://other.example/\",\"https://api.example.com/\"]",
                "[\"https://api.example.com/\",\"https://api.example.com/\"]",
            ],
        ),
    ),
    Breakage("aud: an empty list", Claim("aud", &["[]"])),
    Breakage(
        "aud: a list with more than strings",
        Claim(
            "aud",
            &[
                "[\"https://api.example.com/\",7]",
                "[null,\"https://api.example.com/\"]",
                "[\"https://api.example.com/\",[]]",
            ],
        ),
    ),
    Breakage(
        "aud: no string and no list",
        Claim("aud", &["7", "true", "{\"https://api.example.com/\":1}"]),
    ),
    Breakage("aud: null", Claim("aud", &["null"])),
    Breakage(
        "aud: twice, another first",
        Claims(|claims| claims.push_first("aud", "\"https://other.example/\"")),
    ),
    Breakage(
        "aud: twice, another last",
        Claims(|claims| claims.push("aud", "\"https://other.example/\"")),
    ),
    Breakage("sub: absent", Claims(|claims| claims.remove("sub"))),
    Breakage("sub: empty", Claim("sub", &["\"\""])),
    Breakage("sub: a number", Claim("sub", &["7", "-1", "1.5"])),
    Breakage(
        "sub: no string",
        Claim("sub", &["[]", "{}", "true", "[\"alice\"]"]),
    ),
    Breakage("sub: null", Claim("sub", &["null"])),
    Breakage(
        "sub: odd characters",
        Claim(
            "sub",
            &[
                "\"a\\u0000b\"",
                "\"\\ud83d\\ude00\"",
                "\"\\u202e\"",
                "\"a\\nb\"",
                "\"\u{e4}\"",
            ],
        ),
    ),
    Breakage(
        "sub: half a character",
        Claim(
            "sub",
            &["\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud800a\""],
        ),
    ),
    Breakage(
        "sub: twice",
        Claims(|claims| claims.push("sub", "\"mallory\"")),
    ),
    Breakage(
        "sub: twice, once escaped",
        Claims(|claims| claims.push("s\\u0075b", "\"mallory\"")),
    ),
    Breakage(
        "sub: once more in capitals",
        Claims(|claims| claims.push("SUB", "\"mallory\"")),
    ),
    Breakage(
        "scope: odd",
        Claim(
            "scope",
            &[
                "[\"read\",\"write\"]",
                "7",
                "null",
                "\"\"",
                "\"a  b\"",
                "{}",
            ],
        ),
    ),
    Breakage("client_id: odd", Claim("client_id", &["7", "null", "[]"])),
    Breakage("jti: a string", Claim("jti", &["\"\"", "\"a b\""])),
    Breakage("jti: no string", Claim("jti", &["7", "[]", "{}"])),
    Breakage("nonce: a string", Claim("nonce", &["\"n\""])),
    Breakage("nonce: no string", Claim("nonce", &["7", "[]"])),
    Breakage("kid: a claim", Claim("kid", &["\"k2\""])),
    Breakage("kid: a claim, odd", Claim("kid", &["7"])),
    Breakage("an ID token's claims", Claim("at_hash", &["\"x\""])),
    Breakage("a security event's claims", Claim("events", &["{}"])),
    Breakage(
        "claims: one that nobody knows",
        Claim(
            "made-up",
            &[
                "1",
                "null",
                "{\"a\":{\"b\":[1,2,{\"c\":null}]}}",
                "1.7976931348623157e308",
                "-0",
                "12345678901234567890123456789012345678901234567890",
                "0.1e-400",
            ],
        ),
    ),
    Breakage(
        "claims: a number beyond all numbers",
        Claim("made-up", &["1e400", "-1e400"]),
    ),
    Breakage(
        "claims: one that nobody knows, twice",
        Claims(|claims| {
            claims.push("made-up", "1");
            claims.push("made-up", "2");
        }),
    ),
    Breakage(
        "claims: twice, deep inside",
        Claim("made-up", &["{\"a\":1,\"a\":2}", "[{\"a\":1,\"a\":1}]"]),
    ),
    Breakage(
        "claims: 250 more",
        Claims(|claims| {
            for number in 0..250 {
                claims.push(&format!("c{number}"), "[1,2,3]");
            }
        }),
    ),
];

//! `exp`, `nbf` and `iat`: NumericDates (RFC 7519 §2) and what is none.

use crate::draft::Breakage;
use crate::draft::Edit::{Claim, Claims};

/// Breakages of this beginning lie at the edge of a token's time, by the clock of two of the verifiers.
pub const AT_THE_CLOCK: &str = "at the clock: ";

pub const ALL: &[Breakage] = &[
    Breakage("exp: absent", Claims(|claims| claims.remove("exp"))),
    Breakage(
        "exp: long ago",
        Claim("exp", &["1600000001", "1", "1000000000"]),
    ),
    Breakage("exp: zero", Claim("exp", &["0", "0.0"])),
    Breakage(
        "exp: negative",
        Claim("exp", &["-1", "-4102444800", "-1.5"]),
    ),
    Breakage("exp: minus zero", Claim("exp", &["-0", "-0.0"])),
    Breakage(
        "exp: a fraction",
        Claim("exp", &["4102444800.5", "4102444800.0"]),
    ),
    Breakage(
        "exp: an exponent",
        Claim("exp", &["4.1024448e9", "41024448e2"]),
    ),
    Breakage(
        "exp: far away",
        Claim(
            "exp",
            &["253402300800", "9007199254740993", "9223372036854775807"],
        ),
    ),
    Breakage(
        "exp: past 63 bits",
        Claim("exp", &["9223372036854775808", "18446744073709551615"]),
    ),
    Breakage(
        "exp: past 64 bits",
        Claim(
            "exp",
            &[
                "18446744073709551616",
                "1e300",
                "1e19",
                "99999999999999999999999",
            ],
        ),
    ),
    Breakage("exp: past all numbers", Claim("exp", &["1e400"])),
    Breakage(
        "exp: a string",
        Claim("exp", &["\"4102444800\"", "\"never\"", "\"\""]),
    ),
    Breakage(
        "exp: no number",
        Claim("exp", &["true", "[4102444800]", "{}"]),
    ),
    Breakage("exp: null", Claim("exp", &["null"])),
    Breakage(
        "exp: no JSON",
        Claim(
            "exp",
            &[
                "04102444800",
                "+4102444800",
                "0xf4865700",
                "4102444800.",
                "NaN",
                "Infinity",
                ".5",
            ],
        ),
    ),
    Breakage(
        "exp: twice, past first",
        Claims(|claims| claims.push_first("exp", "1")),
    ),
    Breakage(
        "exp: twice, past last",
        Claims(|claims| claims.push("exp", "1")),
    ),
    Breakage("nbf: past", Claim("nbf", &["1600000000", "0", "1"])),
    Breakage(
        "nbf: past, a fraction",
        Claim("nbf", &["1600000000.5", "1.6e9"]),
    ),
    Breakage("nbf: negative", Claim("nbf", &["-1", "-1600000000.5"])),
    Breakage("nbf: future", Claim("nbf", &["4102444799", "253402300800"])),
    Breakage(
        "nbf: far future",
        Claim("nbf", &["18446744073709551615", "1e300"]),
    ),
    Breakage("nbf: a string", Claim("nbf", &["\"1600000000\"", "\"\""])),
    Breakage("nbf: no number", Claim("nbf", &["true", "[]", "{}"])),
    Breakage("nbf: null", Claim("nbf", &["null"])),
    Breakage("iat: absent", Claims(|claims| claims.remove("iat"))),
    Breakage("iat: future", Claim("iat", &["4102444799", "253402300800"])),
    Breakage(
        "iat: far future",
        Claim("iat", &["18446744073709551615", "1e300"]),
    ),
    Breakage("iat: a fraction", Claim("iat", &["1600000000.5", "1.6e9"])),
    Breakage("iat: negative", Claim("iat", &["-1", "-0.5"])),
    Breakage("iat: a string", Claim("iat", &["\"1600000000\"", "\"\""])),
    Breakage("iat: no number", Claim("iat", &["true", "[]", "{}"])),
    Breakage("iat: null", Claim("iat", &["null"])),
    Breakage(
        "iat: twice",
        Claims(|claims| claims.push("iat", "4102444799")),
    ),
    // The clock stands at 1795262400, and the leeway is 30 seconds.
    Breakage(
        "at the clock: exp is long enough",
        Claim("exp", &["1795262371", "1795262400", "1795262401"]),
    ),
    Breakage(
        "at the clock: exp is 30 s ago",
        Claim("exp", &["1795262370"]),
    ),
    Breakage(
        "at the clock: exp is 29.5 s ago",
        Claim("exp", &["1795262370.5", "1795262370.999"]),
    ),
    Breakage(
        "at the clock: exp is 31 s ago",
        Claim("exp", &["1795262369", "1795262369.9"]),
    ),
    Breakage(
        "at the clock: nbf is near enough",
        Claim("nbf", &["1795262400", "1795262401", "1795262430"]),
    ),
    Breakage(
        "at the clock: nbf is 30.5 s ahead",
        Claim("nbf", &["1795262430.5"]),
    ),
    Breakage(
        "at the clock: nbf is 31 s ahead",
        Claim("nbf", &["1795262431", "1795262431.5"]),
    ),
    Breakage(
        "at the clock: iat is near enough",
        Claim("iat", &["1795262400", "1795262401", "1795262430"]),
    ),
    Breakage(
        "at the clock: iat is 30.5 s ahead",
        Claim("iat", &["1795262430.5"]),
    ),
    Breakage(
        "at the clock: iat is 31 s ahead",
        Claim("iat", &["1795262431", "1795262431.5"]),
    ),
];

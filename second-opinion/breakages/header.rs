//! The JOSE header: `alg`, `kid`, `typ`, extensions, keys inside.

use portcullis::Algorithm;

use crate::draft::Breakage;
use crate::draft::Edit::{Header, HeaderValue};

pub const ALL: &[Breakage] = &[
    Breakage(
        "alg: another of its kind",
        Header(|header, algorithm| {
            let other = match algorithm {
                Algorithm::RS256 => "RS384",
                Algorithm::RS384 => "RS512",
                Algorithm::RS512 => "PS512",
                Algorithm::PS256 => "RS256",
                Algorithm::PS384 => "PS256",
                Algorithm::PS512 => "RS512",
                Algorithm::ES256 => "ES384",
                Algorithm::ES384 => "ES256",
                Algorithm::EdDSA => "Ed448",
                _ => "HS512",
            };
            header.set("alg", format!("\"{other}\""));
        }),
    ),
    Breakage(
        "alg: in small letters",
        Header(|header, algorithm| {
            header.set("alg", format!("\"{}\"", algorithm.name().to_lowercase()));
        }),
    ),
    Breakage(
        "alg: with a space",
        Header(|header, algorithm| header.set("alg", format!("\"{algorithm} \""))),
    ),
    Breakage(
        "alg: escaped",
        Header(|header, algorithm| {
            let (first, rest) = algorithm.name().split_at(1);
            let code = u32::from(first.as_bytes()[0]);
            header.set("alg", format!("\"\\u{code:04x}{rest}\""));
        }),
    ),
    Breakage(
        "alg: the newer name",
        Header(|header, algorithm| {
            if algorithm == Algorithm::EdDSA {
                header.set("alg", "\"Ed25519\"");
            }
        }),
    ),
    Breakage(
        "alg: none",
        HeaderValue(
            "alg",
            &["\"none\"", "\"None\"", "\"NONE\"", "\"nOnE\"", "\"\""],
        ),
    ),
    Breakage(
        "alg: a secret's",
        HeaderValue("alg", &["\"HS384\"", "\"HS512\""]),
    ),
    Breakage(
        "alg: unknown",
        HeaderValue(
            "alg",
            &["\"ES256K\"", "\"RS1\"", "\"dir\"", "\"ML-DSA-44\""],
        ),
    ),
    Breakage(
        "alg: no string",
        HeaderValue("alg", &["7", "null", "[\"RS256\"]", "{}", "true"]),
    ),
    Breakage("alg: absent", Header(|header, _| header.remove("alg"))),
    Breakage(
        "alg: twice, none first",
        Header(|header, _| header.push_first("alg", "\"none\"")),
    ),
    Breakage(
        "alg: twice, none last",
        Header(|header, _| header.push("alg", "\"none\"")),
    ),
    Breakage(
        "alg: once more in capitals",
        Header(|header, _| header.push("ALG", "\"none\"")),
    ),
    Breakage(
        "alg: its name escaped",
        Header(|header, _| {
            for (name, _) in header.0.iter_mut().filter(|(name, _)| name == "alg") {
                "\\u0061lg".clone_into(name);
            }
        }),
    ),
    Breakage(
        "kid: another",
        HeaderValue(
            "kid",
            &[
                "\"k2\"",
                "\"K1\"",
                "\"k1 \"",
                "\"../k1\"",
                "\"k1\\u0000\"",
                "\"\"",
            ],
        ),
    ),
    Breakage(
        "kid: no string",
        HeaderValue("kid", &["1", "[\"k1\"]", "{\"k1\":1}", "true"]),
    ),
    Breakage("kid: null", HeaderValue("kid", &["null"])),
    Breakage("kid: absent", Header(|header, _| header.remove("kid"))),
    Breakage(
        "kid: very long",
        Header(|header, _| header.set("kid", format!("\"{}\"", "k".repeat(300)))),
    ),
    Breakage(
        "kid: twice",
        Header(|header, _| header.push("kid", "\"k2\"")),
    ),
    Breakage(
        "typ: another",
        HeaderValue(
            "typ",
            &[
                "\"JWT\"",
                "\"id+jwt\"",
                "\"logout+jwt\"",
                "\"at-jwt\"",
                "\"\"",
                "\"at+jwt;v=1\"",
                "\"at+jwt \"",
            ],
        ),
    ),
    Breakage(
        "typ: in capitals",
        HeaderValue("typ", &["\"AT+JWT\"", "\"at+JWT\"", "\"At+Jwt\""]),
    ),
    Breakage(
        "typ: written out",
        HeaderValue("typ", &["\"application/at+jwt\"", "\"APPLICATION/at+jwt\""]),
    ),
    Breakage(
        "typ: no string",
        HeaderValue("typ", &["1", "[\"at+jwt\"]", "{}"]),
    ),
    Breakage("typ: null", HeaderValue("typ", &["null"])),
    Breakage("typ: absent", Header(|header, _| header.remove("typ"))),
    Breakage(
        "typ: twice",
        Header(|header, _| header.push("typ", "\"JWT\"")),
    ),
    Breakage(
        "crit: a list",
        HeaderValue(
            "crit",
            &[
                "[\"exp\"]",
                "[\"b64\"]",
                "[\"alg\",\"kid\"]",
                "[\"http://example.com/x\"]",
            ],
        ),
    ),
    Breakage("crit: an empty list", HeaderValue("crit", &["[]"])),
    Breakage("crit: null", HeaderValue("crit", &["null"])),
    Breakage(
        "crit: no list of names",
        HeaderValue("crit", &["\"exp\"", "7", "{}", "[7]", "[null]", "true"]),
    ),
    Breakage(
        "b64: not true",
        HeaderValue("b64", &["false", "\"false\"", "0", "null"]),
    ),
    Breakage("b64: true", HeaderValue("b64", &["true"])),
    Breakage(
        "jwk: a key",
        HeaderValue(
            "jwk",
            &["{\"kty\":\"EC\",\"crv\":\"P-256\",\
               \"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\
               \"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}"],
        ),
    ),
    Breakage("jwk: odd", HeaderValue("jwk", &["\"k1\"", "7", "{}", "[]"])),
    Breakage(
        "jku: an address",
        HeaderValue(
            "jku",
            &["\"https://evil.example/jwks\"", "\"file:///etc/passwd\""],
        ),
    ),
    Breakage(
        "jku: odd",
        HeaderValue("jku", &["7", "[\"https://evil.example\"]"]),
    ),
    Breakage("x5u: odd", HeaderValue("x5u", &["7", "{}"])),
    Breakage(
        "x5c: certificates",
        HeaderValue("x5c", &["[\"MIIB\"]", "[]"]),
    ),
    Breakage("x5c: odd", HeaderValue("x5c", &["\"MIIB\"", "7", "[7]"])),
    Breakage("cty: a text", HeaderValue("cty", &["\"JWT\"", "\"\""])),
    Breakage("cty: odd", HeaderValue("cty", &["7", "[]", "{}"])),
    Breakage("zip: a text", HeaderValue("zip", &["\"DEF\"", "\"GZ\""])),
    Breakage("zip: odd", HeaderValue("zip", &["7", "[]"])),
    Breakage("salt: a text", HeaderValue("salt", &["\"AAAA\""])),
    Breakage(
        "salt: odd",
        HeaderValue("salt", &["7", "\"a+b\"", "\"====\""]),
    ),
    Breakage(
        "header: a member nobody knows",
        HeaderValue(
            "made-up",
            &["1", "null", "{\"alg\":\"none\"}", "\"\\u00e4\"", "[[[[]]]]"],
        ),
    ),
    Breakage(
        "header: a member nobody knows, twice",
        Header(|header, _| {
            header.push("made-up", "1");
            header.push("made-up", "2");
        }),
    ),
];

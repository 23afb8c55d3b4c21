//! Inputs that somebody would send to make us work, sixteen times as large as the fuzzer makes them: the bounds
//! of the targets hold for these, too, so memory and work grow as the input does, and no faster.

use super::targets::stage::CLAIMS;
use super::targets::{TARGETS, stage};

/// How large an input is to be, about.
const SIZES: [usize; 3] = [1_000, 8_000, 64_000];

type Shape = (&'static str, &'static str, fn(usize) -> String);

const SHAPES: [Shape; 28] = [
    ("claim_set", "names", |size| claims(&names(size))),
    ("claim_set", "escaped names", |size| claims(&escaped(size))),
    ("claim_set", "one deep member after another", |size| {
        claims(&deep(size))
    }),
    ("claim_set", "scopes", |size| {
        claims(&format!(r#""scope":"{}""#, words(size)))
    }),
    ("claim_set", "scopes in an array", |size| {
        claims(&format!(r#""scp":[{}]"#, texts(size)))
    }),
    ("claim_set", "scopes with escapes", |size| {
        claims(&format!(r#""scp":["\u0061",{}]"#, texts(size)))
    }),
    ("claim_set", "permissions with escapes", |size| {
        claims(&format!(r#""permissions":["\u0061",{}]"#, texts(size)))
    }),
    ("claim_set", "audiences with escapes", |size| {
        format!(r#"{{"aud":["\u0061",{}]}}"#, texts(size))
    }),
    ("claim_set", "an issuer", |size| {
        format!(r#"{{"iss":"{}"}}"#, "\u{202e}".repeat(size / 3))
    }),
    ("jose_header", "names", |size| header(&names(size))),
    ("jose_header", "escaped names", |size| {
        header(&escaped(size))
    }),
    ("jose_header", "an algorithm", |size| {
        format!(r#"{{"alg":"{}"}}"#, "é".repeat(size / 2))
    }),
    ("jose_header", "a key's name", |size| {
        header(&format!(r#""kid":"{}""#, "k".repeat(size)))
    }),
    ("compact_jws", "names in the claims", |size| {
        let good = stage::hs256(
            r#"{"alg":"HS256","typ":"at+jwt"}"#,
            &claims(&names(size / 4 * 3)),
        );
        // The claims are looked at before the signature is: they say whether the token is over.
        let (signed, _) = good.rsplit_once('.').unwrap();
        format!("{signed}.AAAA")
    }),
    ("compact_jws", "dots", |size| ".".repeat(size)),
    ("credential_header", "query parameters", |size| {
        format!("/?{}", "%61&".repeat(size / 4))
    }),
    ("credential_header", "parameters", |size| {
        let parameter = |n: usize| format!(", p{n}=\"{}\"", "\\x".repeat(size / 32));
        let all: String = (0..16).map(parameter).collect();
        format!("/\nAuthorization: Bearer t{all}")
    }),
    ("credential_header", "a token", |size| {
        format!("/\nAuthorization: Bearer {}", "t".repeat(size))
    }),
    ("key_set", "keys", |size| {
        format!(r#"{{"keys":[{}0]}}"#, "{},".repeat(size / 3))
    }),
    ("key_set", "objects in a key", |size| {
        format!(r#"{{"keys":[{{"x":[{}0]}}]}}"#, nested(size))
    }),
    ("key_set", "names of 128 keys", |size| {
        let key = format!(r#"{{"kid":"{}"}},"#, "\u{202e}".repeat(size / 3 / 128));
        format!(r#"{{"keys":[{}{{}}]}}"#, key.repeat(127))
    }),
    ("discovery", "names", |size| format!("{{{}}}", names(size))),
    ("discovery", "a place for keys", |size| {
        let issuer = stage::ISSUER;
        format!(
            r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}/{}"}}"#,
            "k".repeat(size)
        )
    }),
    ("introspection_answer", "audiences", |size| {
        let audience = format!(r#""{}","#, "\u{202e}".repeat(120));
        let all = audience.repeat(size.div_ceil(audience.len()));
        format!(r#"signed: {{"iss":"https://as.example","aud":[{all}"x"],"iat":1}}"#)
    }),
    ("introspection_answer", "objects", |size| {
        let objects = nested(size);
        format!(r#"{{"active":true,"aud":"https://api.example.com/","x":[{objects}0]}}"#)
    }),
    ("path_guard", "objects", |size| {
        let objects = nested(size);
        format!(
            r#"/{{tenant}}
/acme

{{"sub":"alice","tenant":"acme","x":[{objects}0]}}"#
        )
    }),
    ("role_tree", "rules", |size| {
        format!("{{{}}}\n\nm1 x", names(size))
    }),
    ("challenge", "scopes", |size| {
        format!("api\n{0}\n{0}\n", words(size))
    }),
];

fn claims(more: &str) -> String {
    let good = CLAIMS.trim_end_matches('}');
    format!("{good},{more}}}")
}

fn header(more: &str) -> String {
    format!(r#"{{"alg":"HS256","typ":"at+jwt",{more}}}"#)
}

/// Members with different names, as short as they can be.
fn names(size: usize) -> String {
    let names: Vec<String> = (0..size / 8).map(|n| format!(r#""{n:x}":0"#)).collect();
    names.join(",")
}

fn escaped(size: usize) -> String {
    let names = (0..size / 12).map(|n| format!(r#""{n:x}\u0061":0"#));
    names.collect::<Vec<String>>().join(",")
}

/// Members that nest nearly as deep as they may.
fn deep(size: usize) -> String {
    let deep = format!("{}{}", "[".repeat(30), "]".repeat(30));
    let names = (0..size / 66).map(|n| format!(r#""{n:x}":{deep}"#));
    names.collect::<Vec<String>>().join(",")
}

/// Objects of one member, one in another: nothing takes more memory for its text.
fn nested(size: usize) -> String {
    let nested = format!(r#"{}0{},"#, r#"{"":"#.repeat(28), "}".repeat(28));
    nested.repeat(size / nested.len())
}

fn words(size: usize) -> String {
    let words = (0..size / 2).map(|n| char::from(b'a' + (n % 26) as u8).to_string());
    words.collect::<Vec<String>>().join(" ")
}

fn texts(size: usize) -> String {
    let texts = (0..size / 4).map(|n| format!("\"{}\"", char::from(b'a' + (n % 26) as u8)));
    texts.collect::<Vec<String>>().join(",")
}

#[test]
fn bounds_hold_however_large_an_input_grows() {
    let mut faults = Vec::new();
    for (name, shape, make) in SHAPES {
        let (_, target) = TARGETS
            .into_iter()
            .find(|(known, _)| *known == name)
            .unwrap();
        for size in SIZES {
            let input = make(size);
            assert!(input.len() >= size / 2, "{shape}: {}", input.len());
            if std::panic::catch_unwind(|| target(input.as_bytes())).is_err() {
                faults.push(format!("{name}: {shape}, {} bytes", input.len()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

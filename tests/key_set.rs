//! A key set is read key by key: what cannot be used is left out with a reason, the rest serves.

use portcullis::{Algorithm, StaticJwks};
use serde_json::{Value, json};

/// The RSA key of RFC 7517 appendix A.1, 2048 bits.
const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn rsa() -> Value {
    json!({"kty": "RSA", "kid": "k", "n": N, "e": "AQAB"})
}

/// The EC key of RFC 7517 appendix A.1.
fn ec() -> Value {
    json!({"kty": "EC", "kid": "k", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"})
}

/// The Ed25519 key of RFC 8037 appendix A.2.
fn okp() -> Value {
    json!({"kty": "OKP", "kid": "k", "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn with(mut key: Value, name: &str, value: impl Into<Value>) -> Value {
    key[name] = value.into();
    key
}

/// Why a set of this key alone cannot be used; `None` if it can.
fn left_out(key: Value) -> Option<String> {
    let error = StaticJwks::from_json(&json!({"keys": [key]}).to_string()).err()?;
    let sentence = error.to_string();
    let reason = sentence.strip_prefix("key set has no usable key: key \"k\" is left out: ");
    Some(reason.map_or(sentence.clone(), str::to_owned))
}

#[test]
fn usable_keys() {
    for key in [
        rsa(),
        ec(),
        okp(),
        with(rsa(), "use", "sig"),
        // An exponent of four bytes.
        with(rsa(), "e", "AQAAAQ"),
        with(rsa(), "alg", "PS512"),
        with(okp(), "alg", "EdDSA"),
        with(okp(), "alg", "Ed25519"),
        with(ec(), "key_ops", json!(["verify"])),
        // Whatever is said about certificates, nobody looks there.
        with(ec(), "x5c", json!(["MII"])),
        with(ec(), "x5c", "MII"),
        with(ec(), "x5t", 7),
        with(ec(), "x5t#S256", json!({"a": 1})),
        with(ec(), "x5u", json!([])),
        with(ec(), "made-up", json!({"a": 1})),
    ] {
        assert_eq!(left_out(key.clone()), None, "{key}");
    }
}

#[test]
fn unusable_keys_and_why() {
    let short: String = N.chars().skip(172).collect();
    for (key, why) in [
        (with(rsa(), "use", "enc"), "its use is enc, wanted sig"),
        (with(rsa(), "use", "tls"), "its use is \"tls\", wanted sig"),
        (
            with(rsa(), "key_ops", json!(["encrypt"])),
            "its key_ops lack verify",
        ),
        (
            with(rsa(), "alg", "RSA-OAEP"),
            "algorithm is \"RSA-OAEP\", wanted a JWS signature algorithm such as \"RS256\"",
        ),
        (
            with(rsa(), "alg", "ES256"),
            "its alg ES256 does not fit its key type",
        ),
        (
            with(rsa(), "alg", "HS256"),
            "its alg HS256 does not fit its key type",
        ),
        (
            with(ec(), "alg", "ES384"),
            "its alg ES384 does not fit its key type",
        ),
        (with(rsa(), "alg", 7), "its alg is no string"),
        // What serde takes for the name of a variant.
        (
            with(okp(), "kty", json!({"OKP": null})),
            "its kty is no string",
        ),
        (
            with(okp(), "crv", json!({"Ed25519": null})),
            "its crv is no string",
        ),
        (
            with(rsa(), "d", "AQAB"),
            "it holds private material (d), wanted a public key",
        ),
        (
            json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0"}),
            "it is symmetric, wanted a public key",
        ),
        (
            json!({"kty": "AKP", "kid": "k", "alg": "ES256", "pub": "AAAA"}),
            "its kty is \"AKP\", which is not supported",
        ),
        (
            with(rsa(), "n", short),
            "its RSA modulus has 1015 bits, wanted 2048 to 8192",
        ),
        (with(rsa(), "e", "AQ"), "its RSA numbers are degenerate"),
        (with(rsa(), "e", "Ag"), "its RSA numbers are degenerate"),
        (
            with(rsa(), "e", "AQAAAAE"),
            "its RSA numbers are degenerate",
        ),
        (
            with(rsa(), "alg", "EdDSA"),
            "its alg EdDSA does not fit its key type",
        ),
        (
            with(okp(), "alg", "RS256"),
            "its alg RS256 does not fit its key type",
        ),
        (with(rsa(), "n", "a+b"), "its n is no base64url"),
        (
            with(ec(), "y", "AAAA"),
            "its coordinates are not 32 bytes long",
        ),
        (
            with(ec(), "x", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"),
            "its point is not on the curve",
        ),
        (
            with(ec(), "crv", "Ed25519"),
            "its curve is not one of P-256, P-384 and P-521",
        ),
        // RFC 8812 §3.1, RFC 8037 §2: curves of the same key types that are not ours.
        (
            with(ec(), "crv", "secp256k1"),
            "its curve is \"secp256k1\", which is not supported",
        ),
        (
            with(okp(), "crv", "Ed448"),
            "its curve is \"Ed448\", which is not supported",
        ),
        (
            with(okp(), "x", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            "its point has a small order",
        ),
        (with(okp(), "x", "AAAA"), "its point is not 32 bytes long"),
    ] {
        assert_eq!(left_out(key.clone()).as_deref(), Some(why), "{key}");
    }
}

#[test]
fn one_odd_key_does_not_spoil_the_set() {
    let odd = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"});
    let set = json!({"keys": [odd, 7, null, with(ec(), "kid", "good")]});
    StaticJwks::from_json(&set.to_string()).unwrap();
}

#[test]
fn documents_that_are_no_key_set() {
    let refused = |document: &str| StaticJwks::from_json(document).unwrap_err().to_string();
    assert_eq!(refused(r#"{"keys":[]}"#), "key set is empty");
    assert_eq!(refused("{}"), "key set has no array `keys`");
    assert_eq!(refused(r#"{"keys":{}}"#), "key set has no array `keys`");
    assert!(refused(r#"{"keys":[],"keys":[]}"#).contains("a member is repeated"));
    assert!(refused("<html>").starts_with("key set is no strict JSON"));
    let many: Vec<Value> = (0..129).map(|_| ec()).collect();
    assert_eq!(
        refused(&json!({"keys": many}).to_string()),
        "key set has 129 keys, wanted at most 128"
    );
    StaticJwks::from_json(&json!({"keys": many[1..]}).to_string()).unwrap();
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(refused(&deep(32)), "key set has no array `keys`");
    assert!(refused(&deep(33)).contains("nests too deep"));
}

#[test]
fn a_pem_is_a_public_key_that_fits_its_algorithm() {
    // The RSA key of RFC 7517 appendix A.1 and a P-256 key, as SubjectPublicKeyInfo.
    const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8A
iTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6GnvHw/GW2ZZaVtszggXIw==
-----END PUBLIC KEY-----
";
    StaticJwks::from_pem(P256, Algorithm::ES256).unwrap();
    let refused = |pem: &str, algorithm| {
        StaticJwks::from_pem(pem, algorithm)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(P256, Algorithm::RS256),
        "the public key does not fit the algorithm RS256"
    );
    assert_eq!(
        refused(P256, Algorithm::EdDSA),
        "the public key does not fit the algorithm EdDSA"
    );
    // The key of RFC 8037 appendix A.2, and a point of order 1.
    let ed25519 =
        |base64| format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----");
    let good = ed25519("MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    for name in [Algorithm::EdDSA, Algorithm::Ed25519] {
        StaticJwks::from_pem(&good, name).unwrap();
    }
    assert_eq!(
        refused(&good, Algorithm::RS256),
        "the public key does not fit the algorithm RS256"
    );
    let small = ed25519("MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!(
        refused(&small, Algorithm::EdDSA),
        "its point has a small order"
    );
    assert_eq!(
        refused(P256, Algorithm::HS256),
        "HS256 needs a secret, not a public key"
    );
    assert_eq!(
        refused("-----BEGIN PRIVATE KEY-----", Algorithm::ES256),
        "PEM holds a private key, wanted a PUBLIC KEY"
    );
    assert_eq!(
        refused("", Algorithm::ES256),
        "PEM holds no key, wanted a PUBLIC KEY"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = StaticJwks::from_file("tests/data/no-such-file.json")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("key set tests/data/no-such-file.json cannot be read: "),
        "{error}"
    );
}

//! Key set documents: public keys serve, under the names they have there; nothing private ever does.

use std::future::{Ready, ready};

use http::{Request, Response};
use portcullis::{Algorithm, ErrorKind, Fetch, FetchError, RemoteJwks, StaticJwks};
use serde_json::Value;

use super::bounds::Bound;
use super::compact_jws::{ES256, RS256};
use super::hush::{Pieces, only_fixed_words};
use super::stage::{self, CLAIMS, JWKS};
use super::tree::Tree;

/// A tree of the whole document is built, and each key copied twice: an object of one member takes 632 bytes,
/// of as few as five of text. A key that is left out costs a sentence of some 150 bytes and what it quotes,
/// written, kept, and told once more with all others; there are 128 keys at most, so this is a part of what
/// is fixed.
const READING: Bound = Bound {
    fixed: 131_072,
    per_byte: 448,
};

/// Members of a key that is not public (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

struct Answers(Vec<u8>);

impl Fetch for Answers {
    fn fetch(
        &self,
        _: Request<Vec<u8>>,
        _: usize,
    ) -> impl Future<Output = Result<Response<Vec<u8>>, FetchError>> + Send {
        let answer: Ready<_> = ready(Ok(Response::new(self.0.clone())));
        answer
    }
}

/// The input is a document: given by hand, and fetched from where an issuer publishes it. One that looks
/// like PEM is read as that.
pub fn key_set(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if text.contains("-----BEGIN") {
        pem(text);
    }
    let tree = Tree::read(text).filter(Tree::is_strict);
    let keys = tree.as_ref().and_then(|tree| tree.get("keys")?.list());
    let keys = keys.unwrap_or_default();

    let given = READING.hold(data.len(), || StaticJwks::from_json(text));
    let pieces = private_pieces(text, keys);
    match &given {
        Ok(given) => {
            assert!((1..=128).contains(&keys.len()), "{text}");
            assert!(keys.iter().any(may_serve), "{text}");
            pieces.hush_debug(given);
            signed(given, text, keys);
        }
        Err(error) => {
            pieces.hush_error(error);
            assert!(error.to_string().len() < 200_000);
        }
    }
    fetched(data, keys, &pieces, given.is_ok());
}

/// Whether a key may be used at all: what it is made of is not judged here.
fn may_serve(key: &Tree) -> bool {
    let public = PRIVATE.iter().all(|name| key.get(name).is_none());
    // RFC 7517 §4.2, §4.3: for signatures, and for looking at them.
    let signs = key.some("use").is_none_or(|it| it.text() == Some("sig"));
    let verifies = key.some("key_ops").is_none_or(|operations| {
        let operations = operations.texts();
        operations.is_some_and(|operations| operations.contains(&"verify"))
    });
    let named = key.some("kid").is_none_or(|kid| kid.text().is_some());
    let fits = match key.get("alg") {
        None => !algorithms(key).is_empty(),
        Some(alg) => alg.text().is_some_and(|alg| algorithms(key).contains(&alg)),
    };
    public && signs && verifies && named && fits
}

/// What a key of such a type and curve can be used with (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2).
fn algorithms(key: &Tree) -> &'static [&'static str] {
    let text = |name: &str| key.get(name).and_then(Tree::text);
    match (text("kty"), text("crv")) {
        (Some("RSA"), _) => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
        (Some("EC"), Some("P-256")) => &["ES256"],
        (Some("EC"), Some("P-384")) => &["ES384"],
        (Some("EC"), Some("P-521")) => &["ES512"],
        (Some("OKP"), Some("Ed25519")) => &["EdDSA", "Ed25519"],
        _ => &[],
    }
}

/// What a key is made of: numbers, whose leading zeros do not count, or octets, whose do.
fn material(key: &Tree) -> Option<Vec<Vec<u8>>> {
    let (names, is_number): (&[&str], bool) = match key.get("kty")?.text()? {
        "RSA" => (&["n", "e"], true),
        "EC" => (&["x", "y"], false),
        _ => (&["x"], false),
    };
    let octets = names.iter().map(|name| {
        let octets = stage::from_base64url(key.get(name)?.text()?)?;
        let zeros = octets.iter().take_while(|octet| is_number && **octet == 0);
        Some(octets[zeros.count()..].to_vec())
    });
    octets.collect()
}

/// What private members say, unless the same stands elsewhere.
fn private_pieces<'a>(text: &'a str, keys: &'a [Tree]) -> Pieces<'a> {
    let mut pieces = Pieces::of(text.as_bytes());
    for key in keys {
        let Tree::Object(members) = key else {
            key.each_text(&mut |text| pieces.spare(text));
            continue;
        };
        for (name, value) in members {
            pieces.spare(name);
            if !PRIVATE.contains(&name.as_str()) {
                value.each_text(&mut |text| pieces.spare(text));
            }
        }
    }
    pieces
}

/// Tokens of three keys: each proves if and only if the set has its key, in public, under its name, for its
/// algorithm.
fn signed(given: &StaticJwks, text: &str, keys: &[Tree]) {
    let verifier = portcullis::JwtVerifier::builder(stage::ISSUER, stage::AUDIENCE)
        .keys(given.clone())
        .build()
        .expect("a verifier");
    let document: Value = serde_json::from_str(text).expect("JSON");
    let ours = Tree::read(JWKS).expect("JSON");
    for own in ours.get("keys").and_then(Tree::list).expect("keys") {
        let kid = own.get("kid").and_then(Tree::text).expect("a name");
        let (alg, token) = match kid {
            "rsa" => ("RS256", RS256.to_owned()),
            "ec" => ("ES256", ES256.to_owned()),
            _ => {
                let header = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"okp"}"#;
                ("EdDSA", stage::ed25519(header, CLAIMS))
            }
        };
        let is_meant = |key: &Tree| {
            let is_named = key.get("kid").and_then(Tree::text) == Some(kid);
            // An RSA key without `alg` serves the first algorithm that is allowed, which is this.
            let fits = key.get("alg").and_then(Tree::text).is_none_or(|known| {
                known == alg || (kid == "okp" && algorithms(key).contains(&known))
            });
            may_serve(key) && is_named && fits && algorithms(key).contains(&alg)
        };
        // Published twice is published; two that differ in anything are two.
        let mut found: Vec<(&Value, Vec<Vec<u8>>)> = Vec::new();
        for (place, key) in keys.iter().enumerate().filter(|(_, key)| is_meant(key)) {
            let value = &document["keys"][place];
            let is_new = !found.iter().any(|(known, _)| *known == value);
            found.extend(material(key).filter(|_| is_new).map(|made| (value, made)));
        }
        let made = material(own).expect("a key");
        let is_other = |(_, other): &&(&Value, Vec<Vec<u8>>)| *other != made;
        let others = found.iter().filter(is_other).count();
        let proven = stage::prove(&verifier, &token);
        match found.len() - others {
            // Whether another of this name is a key at all, and leaves it open which is meant, rests on
            // what it is made of.
            1 if others > 0 => {}
            1 => assert!(proven.is_ok(), "{proven:?}: {text}"),
            _ => assert!(proven.is_err(), "accepted: {text}"),
        }
    }
}

/// An issuer that publishes it: the same is accepted, and the status names keys that serve.
fn fetched(data: &[u8], keys: &[Tree], pieces: &Pieces<'_>, good: bool) {
    let remote = RemoteJwks::at("https://as.example/jwks")
        .fetch(Answers(data.to_vec()))
        .build()
        .expect("a key source");
    let verifier = portcullis::JwtVerifier::builder(stage::ISSUER, stage::AUDIENCE)
        .keys(remote)
        .build()
        .expect("a verifier");
    let server = stage::forgetful().verifier(verifier);
    let server = server.build().expect("a server");
    let ready = READING.hold(data.len(), || stage::run(server.ready()));
    let status = server.status();
    let state = &status.keys[0];
    assert_eq!(ready.is_ok(), good);
    assert_eq!(state.fetches, 1);
    match &ready {
        Ok(()) => {
            assert!(!state.kids.is_empty());
            for kid in &state.kids {
                let named = |key: &Tree| match key.get("kid") {
                    None | Some(Tree::Null) => kid.is_empty(),
                    Some(name) => name.text() == Some(kid),
                };
                assert!(
                    keys.iter().any(|key| may_serve(key) && named(key)),
                    "{kid:?}"
                );
            }
            assert!(state.kids.len() <= keys.iter().filter(|key| may_serve(key)).count());
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(state.kids.is_empty());
            pieces.hush_error(error);
            only_fixed_words(&server.answer(error), error);
        }
    }
    pieces.hush_debug(&status);
}

/// A private key is never taken for a public one, and no key is ever told.
fn pem(text: &str) {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        match StaticJwks::from_pem(text, algorithm) {
            Ok(keys) => {
                assert!(!text.contains("PRIVATE KEY"));
                Pieces::of(text.as_bytes()).hush_debug(&keys);
            }
            Err(error) => Pieces::of(text.as_bytes()).hush_error(&error),
        }
    }
}

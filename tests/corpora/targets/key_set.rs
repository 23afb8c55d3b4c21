//! Key set documents: public keys serve, under the names they have there; nothing private ever does.

use std::future::{Ready, ready};

use http::{Request, Response};
use portcullis::{Algorithm, ErrorKind, Fetch, FetchError, RemoteJwks, StaticJwks};

use super::bounds::Bound;
use super::hush::{Pieces, only_fixed_words};
use super::stage::{self, CLAIMS, ED25519_X};
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
            signed(given, keys);
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
    let kty = key.get("kty").and_then(Tree::text);
    public && matches!(kty, Some("RSA" | "EC" | "OKP"))
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

/// A token of a key proves only by a set that has this key, in public, under this name.
fn signed(given: &StaticJwks, keys: &[Tree]) {
    let token = stage::ed25519(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"okp"}"#, CLAIMS);
    let verifier = portcullis::JwtVerifier::builder(stage::ISSUER, stage::AUDIENCE)
        .keys(given.clone())
        .build()
        .expect("a verifier");
    let text = |key: &Tree, name: &str| key.get(name).and_then(Tree::text).map(str::to_owned);
    let there = keys.iter().any(|key| {
        let is = |name: &str, wanted: &str| text(key, name).as_deref() == Some(wanted);
        may_serve(key) && is("kid", "okp") && is("kty", "OKP") && is("x", ED25519_X)
    });
    // Not the other way round: a key may name another use, or stand beside one of the same name.
    assert!(stage::prove(&verifier, &token).is_err() || there);
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

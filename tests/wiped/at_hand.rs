//! Tokens that a thread keeps at hand, and those that somebody is asked about.

use std::env;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use portcullis::*;
use zeroize::Zeroizing;

use crate::hidden::Hidden;
use crate::memory::pieces_of;
use crate::scene::{AUDIENCE, base64, jwt, show};

/// A store that knows every token, until it is empty.
struct Store(Arc<AtomicBool>);

impl Lookup for Store {
    async fn look_up(&self, _: &str) -> Result<Option<ClaimSet>, Unavailable> {
        let known = !self.0.load(Ordering::Relaxed);
        let claims = known.then(|| ClaimSet::parse(r#"{"sub":"alice"}"#));
        Ok(claims.transpose()?)
    }
}

/// A gate, and how to empty its store.
fn gate() -> (ResourceServer, Arc<AtomicBool>) {
    let empty = Arc::new(AtomicBool::new(false));
    let verifier = LookupVerifier::builder(Store(empty.clone()));
    let server = ResourceServer::builder().verifier(verifier.build().unwrap());
    (server.build().unwrap(), empty)
}

/// Shows it until it is at hand.
async fn show_again_and_again(server: &ResourceServer, token: &Hidden) {
    for _ in 0..4 {
        show(server, token).await.unwrap();
    }
}

#[tokio::test]
async fn one_that_somebody_is_asked_about() {
    let (server, _) = gate();
    let token = Hidden::by_chance(400);
    show(&server, &token).await.unwrap();
    assert_eq!(pieces_of(&token), 0, "it was shown once");
}

#[tokio::test]
async fn one_that_others_have_taken_the_place_of() {
    let (server, _) = gate();
    let token = Hidden::by_chance(400);
    show_again_and_again(&server, &token).await;
    assert!(pieces_of(&token) > 0, "it is not at hand");
    // There are 64 places: that none of these belongs where it is has a probability below 2^-30.
    for _ in 0..1_500 {
        show_again_and_again(&server, &Hidden::by_chance(40)).await;
    }
    assert_eq!(pieces_of(&token), 0);
    show(&server, &token).await.unwrap();
    assert_eq!(pieces_of(&token), 0);
}

#[tokio::test]
async fn one_that_is_no_longer_good() {
    let (server, empty) = gate();
    let token = Hidden::by_chance(400);
    show_again_and_again(&server, &token).await;
    assert!(pieces_of(&token) > 0, "it is not at hand");
    server.forget(&Credential::new(&token.shown(), &Carrier::bearer()));
    empty.store(true, Ordering::Relaxed);
    show(&server, &token).await.unwrap_err();
    assert_eq!(pieces_of(&token), 0);
}

#[test]
fn one_whose_thread_has_ended() {
    let secret = Hidden::by_chance(64);
    let token = jwt(Algorithm::HS256, |text| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.shown().as_bytes());
        Zeroizing::new(hmac::sign(&key, text).as_ref().to_vec())
    });
    let verifier = JwtVerifier::builder("https://as.example", AUDIENCE)
        .hmac_secret(Algorithm::HS256, &**secret.shown());
    let server = ResourceServer::builder().verifier(verifier.build().unwrap());
    let server = server.build().unwrap();
    // Its header is remembered, since those of others are the same.
    let dot = b'.' ^ crate::hidden::MASK;
    let header = token.masked().iter().position(|byte| *byte == dot);
    let rest = token.part(header.unwrap()..token.masked().len());
    std::thread::scope(|scope| {
        let shows = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let shown = show_again_and_again(&server, &token);
            runtime.unwrap().block_on(shown);
            assert!(pieces_of(&rest) > 0, "it is not at hand");
        };
        scope.spawn(shows).join().unwrap();
    });
    assert_eq!(pieces_of(&rest), 0);
}

/// Whoever knows its claims and its signature has the token; claims are kept as text.
#[tokio::test]
async fn a_signature_that_was_checked() {
    // Another process signs, or its copies would be found here.
    let mut program = Command::new(env::current_exe().unwrap());
    program.args(["--exact", "at_hand::signs", "--ignored", "--nocapture"]);
    let output = String::from_utf8(program.output().unwrap().stdout).unwrap();
    let word = |name: &str| {
        let (_, rest) = output.split_once(name).unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let keys = StaticJwks::from_json(&word("keys:")).unwrap();
    let token = Hidden::of_digits(&word("token:"));
    let verifier = JwtVerifier::builder("https://as.example", AUDIENCE).keys(keys);
    let server = ResourceServer::builder().verifier(verifier.build().unwrap());
    let server = server.build().unwrap();
    let signature = token.part(token.masked().len() - 86..token.masked().len());
    show(&server, &token).await.unwrap();
    assert_eq!(pieces_of(&signature), 0);
    assert_eq!(pieces_of(&signature.decoded()), 0);
}

#[test]
#[ignore = "signs for a_signature_that_was_checked"]
fn signs() {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = key.public_key().as_ref();
    let [x, y] = [&point[1..33], &point[33..]].map(|half| String::from_utf8(base64(half).to_vec()));
    let jwk = serde_json::json!({"kty": "EC", "crv": "P-256", "x": x.unwrap(), "y": y.unwrap()});
    let token = jwt(Algorithm::ES256, |text| {
        Zeroizing::new(key.sign(&random, text).unwrap().as_ref().to_vec())
    });
    let hex: String = token
        .masked()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("\nkeys:{} token:{hex} ", serde_json::json!({"keys": [jwk]}));
}

#[tokio::test]
async fn one_that_is_not_to_be_kept() {
    let verifier = LookupVerifier::builder(Store(Arc::default()));
    let server = ResourceServer::builder().verifier(verifier.build().unwrap());
    let server = server.keep_no_tokens().build().unwrap();
    let token = Hidden::by_chance(400);
    show_again_and_again(&server, &token).await;
    assert_eq!(pieces_of(&token), 0);
}

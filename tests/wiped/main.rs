//! What was secret is nowhere in the memory of the process once whoever held it has let it go.
//!
//! Each test makes a secret, gives it to the crate, finds it in the memory of this process, lets go of
//! whatever holds it, and finds it there no more. The pages are read as the kernel has them: stacks, and what
//! was given back to the allocator, included.
#![cfg(all(target_os = "linux", feature = "cache"))]
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod at_hand;
mod hidden;
mod memory;
mod scene;
mod sent;

use std::fs::File;
use std::io::Read as _;

use hidden::Hidden;
use memory::{PIECE, pieces_of};
use portcullis::*;
use scene::{AUDIENCE, show};
use zeroize::Zeroizing;

#[test]
fn the_searcher_finds() {
    let secret = Hidden::by_chance(4000);
    let all = 4000 - (PIECE - 1);
    assert_eq!(pieces_of(&secret), 0);
    let shown = secret.shown();
    assert_eq!(pieces_of(&secret), all);
    let mut again = shown.as_bytes().to_vec();
    assert_eq!(pieces_of(&secret), 2 * all);
    drop(shown);
    assert_eq!(pieces_of(&secret), all);
    // No longer said, and not wiped.
    again.clear();
    assert_eq!(pieces_of(&secret), all);
    again.extend([0; 4000]);
    assert_eq!(pieces_of(&secret), 0);
}

#[test]
fn a_secret_of_hmac() {
    let secret = Hidden::by_chance(400);
    let builder = |algorithm, secret: &Hidden| {
        let builder = JwtVerifier::builder("https://as.example", AUDIENCE);
        builder.hmac_secret(algorithm, &**secret.shown())
    };
    let good = builder(Algorithm::HS256, &secret);
    assert!(pieces_of(&secret) > 0);
    // What the library has made of it is as good to a forger, and does not look like it.
    let verifier = good.build().unwrap();
    assert_eq!(pieces_of(&secret), 0);
    drop(verifier);
    assert_eq!(pieces_of(&secret), 0);

    let bad = builder(Algorithm::ES256, &secret);
    bad.build().unwrap_err();
    let replaced = builder(Algorithm::HS256, &secret).hmac_secret(Algorithm::HS256, "another");
    assert_eq!(pieces_of(&secret), 0);
    drop(replaced);
}

#[test]
fn a_static_secret() {
    let secret = Hidden::by_chance(64);
    let claims = ClaimSet::parse(r#"{"sub":"app"}"#).unwrap();
    let tokens = StaticTokens::new().token(&secret.shown(), claims);
    let server = ResourceServer::builder().verifier(tokens.unwrap());
    let server = server.keep_no_tokens().build().unwrap();
    assert_eq!(pieces_of(&secret), 0, "only its digest is kept");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        for _ in 0..3 {
            show(&server, &secret).await.unwrap();
        }
    });
    assert_eq!(pieces_of(&secret), 0);
}

/// A private key of the tests, read without a copy, and its digits.
fn private_key() -> (Zeroizing<String>, Hidden) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/server.key.pem");
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let mut file = File::open(path).unwrap();
    file.read_to_string(&mut text).unwrap();
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    let lines = text.lines().filter(|line| !line.starts_with("-----"));
    lines.for_each(|line| digits.push_str(line));
    let digits = Hidden::of(digits.as_bytes());
    (text, digits)
}

#[test]
fn a_private_key() {
    let (pem, digits) = private_key();
    assert!(pieces_of(&digits) > 0);
    let auth = ClientAuth::private_key_jwt("gate", &pem, Algorithm::ES256).unwrap();
    ClientAuth::private_key_jwt("gate", &pem, Algorithm::RS256).unwrap_err();
    drop(pem);
    assert_eq!(pieces_of(&digits), 0);
    // The number itself (RFC 5915 §3), which the library keeps with its lowest part first.
    let number = digits.decoded().part(36..68);
    assert_eq!(pieces_of(&number), 0);
    assert!(pieces_of(&number.backwards()) > 0);
    drop(auth);
    assert_eq!(pieces_of(&number), 0);
    assert_eq!(pieces_of(&number.backwards()), 0);
}

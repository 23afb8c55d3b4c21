//! In whichever order an issuer publishes its keys, every token gets the same answer.

use std::sync::LazyLock;

use portcullis::testing::AuthorizationServer;
use portcullis::{Algorithm, JwtVerifier, StaticJwks};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AUDIENCE, clock, judge};

use crate::watched;

/// An issuer with two keys of each of four sorts, and what else stands in key sets.
struct World {
    issuer: AuthorizationServer,
    keys: Vec<Value>,
    tokens: Vec<String>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let issuer = watched::builder().clock(clock()).build();
    let forger = watched::builder().clock(clock()).build();
    let token = || issuer.token().audience(AUDIENCE).subject("alice");
    let algorithms = [
        Algorithm::ES256,
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::EdDSA,
    ];
    let mut tokens = Vec::new();
    for _ in 0..2 {
        for algorithm in algorithms {
            let token = token().algorithm(algorithm);
            tokens.push(token.mint());
            tokens.push(token.clone().without_header("kid").mint());
            tokens.push(token.clone().header("kid", "shared").mint());
            tokens.push(token.clone().header("kid", "es256-1").mint());
            tokens.push(token.signed_by(&forger).mint());
        }
        issuer.rotate();
    }
    let published = issuer.jwks();
    let mut keys = published["keys"].as_array().unwrap().clone();
    // The same keys under one name, without a name, without an algorithm, for another use.
    for place in 0..keys.len() {
        let mut key = keys[place].clone();
        let members = key.as_object_mut().unwrap();
        match place % 4 {
            0 => drop(members.insert("kid".to_owned(), json!("shared"))),
            1 => drop(members.remove("kid")),
            2 => drop(members.remove("alg")),
            _ => drop(members.insert("use".to_owned(), json!("enc"))),
        }
        keys.push(key);
    }
    keys.push(json!({"kty": "oct", "k": "c2VjcmV0", "kid": "es256-1"}));
    keys.push(json!("no key"));
    World {
        issuer,
        keys,
        tokens,
    }
});

fn verifier(keys: &[Value]) -> JwtVerifier {
    let set = json!({ "keys": keys }).to_string();
    JwtVerifier::builder(WORLD.issuer.issuer(), AUDIENCE)
        .algorithms([
            Algorithm::ES256,
            Algorithm::RS256,
            Algorithm::PS256,
            Algorithm::EdDSA,
        ])
        .keys(StaticJwks::from_json(&set).unwrap())
        .build()
        .unwrap()
}

#[test]
fn the_tokens_meet_every_outcome() {
    let verifier = verifier(&WORLD.keys);
    let answers: Vec<_> = WORLD.tokens.iter().map(|t| judge(&verifier, t)).collect();
    let count = |wanted: &str| {
        let name = |answer: &Result<String, portcullis::Reason>| match answer {
            Ok(_) => "good".to_owned(),
            Err(reason) => format!("{reason:?}"),
        };
        answers.iter().filter(|a| name(a) == wanted).count()
    };
    for outcome in ["good", "Signature", "UnknownKey", "Algorithm"] {
        assert!(count(outcome) > 0, "no token is {outcome}: {answers:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn the_order_of_the_keys_changes_no_answer(
        some in proptest::sample::subsequence(WORLD.keys.clone(), 4..WORLD.keys.len()),
        seed in any::<prop::sample::Index>(),
        backwards: bool,
    ) {
        let mut other = some.clone();
        other.rotate_left(seed.index(some.len()));
        if backwards {
            other.reverse();
        }
        let usable = |keys: &[Value]| {
            StaticJwks::from_json(&json!({ "keys": keys }).to_string()).is_ok()
        };
        prop_assert_eq!(usable(&some), usable(&other));
        if usable(&some) {
            let (one, other) = (verifier(&some), verifier(&other));
            for token in &WORLD.tokens {
                prop_assert_eq!(judge(&one, token), judge(&other, token));
            }
        }
    }
}

//! Lessons 1, 2 and 4: the key decides how a token is proven, no token brings its own key, and what a
//! header calls critical is understood or refused.

use std::time::Duration;

use portcullis::testing::AuthorizationServer;
use portcullis::{Algorithm, JwtVerifier, Reason, StaticJwks};
use serde_json::{Value, json};

use crate::certified::Certified;
use crate::showing::{reason, show};
use crate::watched;
use crate::{AUDIENCE, World, spellings};

/// The published key of `algorithm`.
fn jwk(issuer: &AuthorizationServer, algorithm: Algorithm) -> Value {
    let (kid, jwks) = (issuer.kid(algorithm), issuer.jwks());
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().find(|jwk| jwk["kid"] == kid).unwrap().clone()
}

/// CVE-2022-29217, CVE-2024-37568, CVE-2026-22817: the public key, in whatever spelling, as the secret
/// of an HMAC that the header asks for.
#[tokio::test]
async fn lesson_01_no_spelling_of_a_public_key_is_a_secret() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let world = World::new();
        let key = jwk(&world.issuer, algorithm);
        let mut nameless = key.clone();
        // CVE-2026-22818: a key that does not say what it is for.
        nameless.as_object_mut().unwrap().remove("alg");
        let set = json!({ "keys": [nameless] }).to_string();
        let pem = spellings::pem("PUBLIC KEY", &spellings::spki(&key));
        let fixed = |keys| JwtVerifier::builder(world.issuer.issuer(), AUDIENCE).keys(keys);
        let gates = [
            world.gate(),
            world.gate_of(fixed(StaticJwks::from_json(&set).unwrap())),
            world.gate_of(fixed(StaticJwks::from_pem(&pem, algorithm).unwrap())),
        ];
        let token = world.issuer.token().header("kid", &key["kid"]);
        let good = token.clone().algorithm(algorithm).mint();
        for (place, gate) in gates.iter().enumerate() {
            show(gate, &good).await.unwrap();
            for secret in spellings::of(&key) {
                for hmac in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                    let forged = token.clone().hmac(hmac, &secret);
                    for forged in [forged.mint(), forged.without_header("kid").mint()] {
                        let outcome = show(gate, &forged).await;
                        let spelled = String::from_utf8_lossy(&secret);
                        assert_eq!(
                            reason(&outcome),
                            Some(Reason::Algorithm),
                            "gate {place}, {algorithm}, {hmac} with {spelled}"
                        );
                    }
                }
            }
        }
    }
}

/// Who sets up both would have the header choose between them.
#[test]
fn lesson_01_keys_and_a_secret_do_not_stand_side_by_side() {
    let world = World::new();
    let both = world.jwt().hmac_secret(Algorithm::HS256, [7; 32]).build();
    assert_eq!(
        both.unwrap_err().to_string(),
        "there are keys and a secret, wanted one of them: build two verifiers"
    );
    let symmetric = [Algorithm::RS256, Algorithm::HS256];
    assert!(world.jwt().algorithms(symmetric).build().is_err());
}

/// CVE-2026-27962: the key in the header is used where the issuer has none that fits.
#[tokio::test]
async fn lesson_02_a_key_in_the_header_does_not_stand_in_for_one_that_is_missing() {
    let forger = watched::issuer();
    let key = jwk(&forger, Algorithm::ES256);
    let certified = Certified::new();
    assert_is_certified(&certified).await;
    for down in [false, true] {
        let world = World::new();
        // The set has a key, and none for ES256.
        world.issuer.kid(Algorithm::EdDSA);
        world.issuer.withdraw(&world.issuer.kid(Algorithm::ES256));
        if down {
            world.issuer.stop().await;
        }
        let gate = world.gate();
        let forged = world.issuer.token().signed_by(&forger);
        let forged = forged.header("jwk", &key);
        for token in [
            forged.clone(),
            forged.clone().without_header("kid"),
            forged.clone().header("kid", ""),
            forged.clone().header("kid", &key["kid"]),
            forged.clone().header("jku", "https://evil.example/jwks"),
            forged.clone().header("x5u", "https://evil.example/x5u"),
        ]
        .map(|token| token.mint())
        .into_iter()
        .chain([
            certified.sign(&world.issuer.token()),
            certified.sign(&world.issuer.token().without_header("kid")),
        ]) {
            let outcome = world.show(&gate, &token).await;
            let wanted = match down {
                true => Reason::KeysUnavailable,
                false => Reason::UnknownKey,
            };
            assert_eq!(reason(&outcome), Some(wanted), "down: {down}");
        }
        assert_only_the_issuer_was_asked(&world);
    }
}

/// What signs with it passes where its key is trusted.
async fn assert_is_certified(certified: &Certified) {
    let world = World::new();
    let pem = spellings::pem("PUBLIC KEY", &certified.spki());
    let keys = StaticJwks::from_pem(&pem, Algorithm::ES256).unwrap();
    let gate = world.gate_of(JwtVerifier::builder(world.issuer.issuer(), AUDIENCE).keys(keys));
    let token = certified.sign(&world.issuer.token());
    show(&gate, &token).await.unwrap();
}

/// CVE-2024-21643 (`jku`), CVE-2026-32301 (a URL made of claims), liboauth2 (a URL made of the `kid`):
/// whatever a token says, it chooses no URL.
#[tokio::test]
async fn lesson_02_nothing_in_a_token_becomes_a_url() {
    let texts = [
        "https://evil.example/jwks",
        "http://169.254.169.254/latest/meta-data/",
        "../../../../etc/passwd",
        "..%2f..%2fjwks",
        "{{tenant}}",
        "as.example@evil.example",
        "x?y=z#w",
        "x/../../evil",
        "file:///etc/passwd",
        "\r\nHost: evil.example",
    ];
    let world = World::new();
    let gates = [world.gate(), {
        let several = portcullis::ByIssuer::new([world.jwt().build().unwrap()]).unwrap();
        let server = world.issuer.resource_server().verifier(several);
        server.build().unwrap()
    }];
    let forger = watched::issuer();
    for gate in &gates {
        for text in texts {
            let token = world.issuer.token().signed_by(&forger);
            for token in [
                token.clone().header("kid", text),
                token.clone().header("jku", text),
                token.clone().header("x5u", text),
                token.clone().claim("iss", text),
                token
                    .clone()
                    .claim("iss", format!("https://as.example/{text}")),
                token.clone().claim("aud", text),
                token.clone().claim("tenant", text).header("kid", text),
            ] {
                let token = token.mint();
                assert!(world.show(gate, &token).await.is_err(), "{text}");
                // So that the issuer may be asked again.
                world.pass(Duration::from_secs(6)).await;
            }
        }
    }
    assert_only_the_issuer_was_asked(&world);
}

/// At the places where its metadata and its keys are, and nowhere else.
fn assert_only_the_issuer_was_asked(world: &World) {
    use portcullis::testing::Endpoint;
    let known = [
        Endpoint::OauthMetadata,
        Endpoint::OpenidConfiguration,
        Endpoint::Jwks,
    ]
    .map(|endpoint| world.issuer.url(endpoint));
    let asked = world.asked();
    assert!(!asked.is_empty(), "nobody was asked");
    for url in asked {
        assert!(known.contains(&url), "{url} was asked for");
    }
}

/// CVE-2025-59420, CVE-2026-32597: a critical extension is passed over.
#[tokio::test]
async fn lesson_04_whatever_is_critical_is_refused() {
    let world = World::new();
    let gate = world.gate();
    show(&gate, &world.issuer.token().mint()).await.unwrap();
    for name in [
        "alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "b64",
        "exp", "nbf", "iss", "sub", "aud", "url", "nonce", "ppt", "cnf", "svt", "zip", "bork", "",
    ] {
        let token = world.issuer.token().header("crit", [name]);
        for token in [
            token.clone().mint(),
            // It is there, too, as RFC 7515 §4.1.11 wants.
            token
                .clone()
                .header("bork", true)
                .header("b64", true)
                .mint(),
            token.header("crit", json!(["exp", name])).mint(),
        ] {
            let outcome = show(&gate, &token).await;
            assert_eq!(reason(&outcome), Some(Reason::Critical), "{name:?}");
        }
    }
    for odd in [
        json!(null),
        json!(""),
        json!({}),
        json!([]),
        json!(7),
        json!([7]),
    ] {
        let token = world.issuer.token().header("crit", &odd).mint();
        let outcome = show(&gate, &token).await;
        assert_eq!(reason(&outcome), Some(Reason::Critical), "{odd}");
    }
}

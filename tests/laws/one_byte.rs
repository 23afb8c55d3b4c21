//! A good token with one byte changed, taken away or put in is refused, wherever and whatever it is.

use portcullis::{Algorithm, JwtVerifier, ResourceServer, StaticJwks};

use super::{AUDIENCE, clock, show};

use crate::watched;

const SECRET: &str = "a secret that is long enough for any of the three hashes, HS512 too";

/// A gate for one algorithm, and a token that passes it.
fn gate(algorithm: Algorithm) -> (ResourceServer, String) {
    let issuer = watched::builder().clock(clock()).build();
    let token = issuer.token().audience(AUDIENCE).subject("alice");
    let verifier = JwtVerifier::builder(issuer.issuer(), AUDIENCE);
    let (token, verifier) = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => (
            token.hmac(algorithm, SECRET).mint(),
            verifier.hmac_secret(algorithm, SECRET),
        ),
        _ => {
            let token = token.algorithm(algorithm).mint();
            let keys = StaticJwks::from_json(&issuer.jwks().to_string()).unwrap();
            (token, verifier.algorithms([algorithm]).keys(keys))
        }
    };
    let server = ResourceServer::builder()
        .clock(clock())
        .verifier(verifier.build().unwrap())
        .build()
        .unwrap();
    (server, token)
}

/// How many changed tokens were shown. The good one is shown beside them, so that it is remembered:
/// what is at hand must not stand for what only looks like it.
fn try_all(algorithm: Algorithm, bytes: &[u8]) -> usize {
    let (server, good) = gate(algorithm);
    let claims = show(&server, good.as_bytes()).unwrap().unwrap();
    let mut shown = 0;
    let mut refused = |changed: &[u8]| {
        if let Some(outcome) = show(&server, changed) {
            let told = String::from_utf8_lossy(changed).into_owned();
            assert!(outcome.is_err(), "{algorithm}: {told} passes");
            shown += 1;
        }
    };
    for place in 0..good.len() {
        for byte in bytes {
            let mut changed = good.clone().into_bytes();
            if changed[place] != *byte {
                changed[place] = *byte;
                refused(&changed);
            }
        }
        let mut shorter = good.clone().into_bytes();
        shorter.remove(place);
        refused(&shorter);
        let mut longer = good.clone().into_bytes();
        longer.insert(place, good.as_bytes()[place]);
        refused(&longer);
        if place % 64 == 0 {
            let again = show(&server, good.as_bytes()).unwrap().unwrap();
            assert_eq!(again.claims().as_json(), claims.claims().as_json());
        }
    }
    refused(&[good.as_bytes(), b"="].concat());
    shown
}

/// Every byte at every place.
#[test]
fn of_a_secrets_token_none_passes() {
    let bytes: Vec<u8> = (0..=255).collect();
    let shown = try_all(Algorithm::HS256, &bytes);
    assert!(shown > 50_000, "{shown} tokens were shown");
}

/// Bytes that look most alike to a reader of base64url, at every place.
#[test]
fn of_a_signed_token_none_passes() {
    for algorithm in [
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
    ] {
        let shown = try_all(algorithm, b"AQgw-_.=+/");
        assert!(shown > 3_000, "{shown} tokens were shown");
    }
}

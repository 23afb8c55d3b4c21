//! Whole tokens: only one that was signed is accepted, byte for byte.

use std::sync::LazyLock;

use portcullis::{Error, Reason, Refuse, When};

use super::bounds::Bound;
use super::decode::is_b64token;
use super::hush::{Pieces, only_fixed_words, tell_little};
use super::stage::{self, CLAIMS};
use super::tree::Tree;

/// Header and payload are decoded, and their names looked at: beyond the first 24 each takes 25 bytes for
/// six of text, in a table that doubles as it grows. A refusal quotes 120 characters, each of which may
/// become ten. All that twice, since a token is shown twice. Lists of words are taken apart only behind a
/// signature, which no input can make.
const PROVING: Bound = Bound {
    fixed: 8_192,
    per_byte: 64,
};

/// Signed once with the key of RFC 7515 appendix A.3: a signature of ES256 is another one each time.
pub const ES256: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImVjIn0.eyJpc3MiOiJodHRwczovL2FzLmV4YW1wbGUiLCJhdWQiOiJodHRwczovL2FwaS5leGFtcGxlLmNvbS8iLCJzdWIiOiJhbGljZSIsImV4cCI6MTc5NTI2NjAwMCwiaWF0IjoxNzk1MjYyNDAwfQ.CiW7RMRg2s9HICsoQEgVeY5p6ZK6Zahg5CC1O-zh0nexvxrN08HjVuNnvMUS819MrY34Nyj4WdHC4kZU13wVKg";

/// Signed with the key of RFC 7515 appendix A.2.
pub const RS256: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2FzLmV4YW1wbGUiLCJhdWQiOiJodHRwczovL2FwaS5leGFtcGxlLmNvbS8iLCJzdWIiOiJhbGljZSIsImV4cCI6MTc5NTI2NjAwMCwiaWF0IjoxNzk1MjYyNDAwfQ.Hazdx76uSJBoo6thnvTmpHJQjvff-baZw6ROyBledCuOknM5BSdbKB1Cz0qTh4l32XGE5o8bpxwMdAAjvdr-FP0Ez_rK7UPszYTK9i2qbIQR-viHZzN2tL_hXMVML5qny-aIUO-kKSOcKGcGReh0Vw5B04dSUTZO4SmANha-MKOBCgxdCFJpgmPI9PzcR0dxgBkDeza98NW3oGZYKcH3iZbSnqhjxfASmhqx2_uY6R2d8ErnA06cOh99ah5n4IlNmyRRMq1oEtQ93Qvwiz26M7W6tapyH4FSZafH78g0o7hCC4qJXN6SKF_FkggDXbMNaICLKBjlDPsD449YBXRm8A";

/// Every token that was ever signed here.
pub static SIGNED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let more = r#"{"aud":["x","https://api.example.com/"],"client_id":"web","exp":1795266000.5,"iss":"https:\/\/as.example","jti":"\u00e9 1","permissions":["p q"],"scope":"read:events write:events","sub":"alice","tenant":{"id":7}}"#;
    vec![
        stage::hs256(r#"{"alg":"HS256","typ":"at+jwt"}"#, CLAIMS),
        stage::hs256(
            r#"{"typ":"application/AT+JWT","kid":"any","alg":"HS256"}"#,
            more,
        ),
        stage::ed25519(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"okp"}"#, CLAIMS),
        stage::ed25519(r#"{"alg":"Ed25519","typ":"at+jwt"}"#, more),
        ES256.to_owned(),
        RS256.to_owned(),
    ]
});

/// The input is a token; or, if it begins with `@`, what is to become of a signed one: a byte that says
/// which, and four for each change.
pub fn compact_jws(data: &[u8]) {
    let changed = match data {
        [b'@', which, changes @ ..] => {
            let signed = &SIGNED[usize::from(*which) % SIGNED.len()];
            change(signed.clone().into_bytes(), changes)
        }
        _ => data.to_vec(),
    };
    let Ok(token) = std::str::from_utf8(&changed) else {
        return;
    };
    let secret = stage::by_secret().build().expect("a verifier");
    let keys = stage::by_keys().build().expect("a verifier");
    let mut accepted = false;
    for verifier in [&secret, &keys] {
        let proven = PROVING.hold(token.len(), || stage::prove(verifier, token));
        match proven {
            Ok(verified) => {
                assert!(SIGNED.iter().any(|signed| signed == token), "{token}");
                let payload = token.split('.').nth(1).and_then(stage::from_base64url);
                assert_eq!(
                    Some(verified.claims().as_json().as_bytes()),
                    payload.as_deref()
                );
                accepted = true;
            }
            Err(error) => refused(token, &error),
        }
    }
    assert_eq!(accepted, SIGNED.iter().any(|signed| signed == token));
    shown(token, accepted);
}

/// Each change is a place in two bytes, what to do there, and a byte to do it with.
fn change(mut token: Vec<u8>, changes: &[u8]) -> Vec<u8> {
    for change in changes.chunks_exact(4).take(8) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]]));
        let place = place % token.len().max(1);
        let byte = change[3];
        match change[2] % 5 {
            0 if !token.is_empty() => token[place] = byte,
            1 => token.insert(place, byte),
            2 if !token.is_empty() => drop(token.remove(place)),
            3 => token.truncate(place),
            _ => token.extend_from_within(place..),
        }
        token.truncate(8_192);
    }
    token
}

fn refused(token: &str, error: &Error) {
    let parts: Vec<&str> = token.split('.').collect();
    match parts.len() {
        3 => {}
        5 => assert_eq!(error.reason(), Reason::Encrypted),
        _ => assert_eq!(error.reason(), Reason::MalformedToken),
    }
    let header = stage::from_base64url(parts[0]);
    let header = header.and_then(|octets| String::from_utf8(octets).ok());
    let header = header.and_then(|text| Tree::read(&text));
    tell_little(error, token, header.as_ref());
}

/// A server says the same as its verifier, and its answer nothing of the token.
fn shown(token: &str, accepted: bool) {
    // RFC 9110 §11.4: any number of blanks may stand before it, and are no part of it then.
    if token.starts_with(' ') {
        return;
    }
    let Some(mut parts) = stage::bearing(token) else {
        return;
    };
    let refuse = Refuse::because("no opaque token is known here");
    let server = stage::forgetful()
        .route(When::opaque(), refuse)
        .route(When::jwt(), stage::by_secret().build().expect("a verifier"));
    let server = server.build().expect("a server");
    let by_secret = SIGNED[..2].iter().any(|signed| signed == token);
    match stage::run(server.authenticate(&mut parts)) {
        Ok(proven) => {
            let proven = proven.expect("a credential was sent");
            assert!(accepted && by_secret, "{token}");
            assert_eq!(proven.subject(), Some("alice"));
        }
        Err(error) => {
            assert!(!by_secret, "{error}");
            only_fixed_words(&server.answer(&error), &error);
            if !is_b64token(token.as_bytes()) {
                assert_eq!(error.kind(), portcullis::ErrorKind::InvalidRequest);
            }
        }
    }
    Pieces::of(token.as_bytes()).hush_debug(&parts.headers);
}

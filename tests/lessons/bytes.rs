//! Lesson 8: no bytes, from whomever, make the gate panic, and none pass that should not.

use std::sync::LazyLock;
use std::time::Duration;

use http::{Request, Response};
use portcullis::testing::{AuthorizationServer, ManualClock};
use portcullis::{
    Algorithm, ClientAuth, ErrorKind, Fetch, FetchError, IntrospectionVerifier, JwtVerifier,
    Reason, RemoteJwks, RemoteJwksBuilder, ResourceServer, UnixTime,
};
use proptest::prelude::*;

use crate::showing::{reason, show};
use crate::watched;
use crate::{AUDIENCE, NOW, World};

/// An overflow in HAProxy (an ECDSA signature of another length than its curve's), and CVE-2019-12995:
/// signatures of every length, for every algorithm.
#[tokio::test]
async fn lesson_08_a_signature_may_have_any_length() {
    let world = World::new();
    let gate = world.gate();
    let lengths = (0..=140).chain([255, 256, 257, 383, 384, 385, 511, 512, 513, 1_024, 8_000]);
    let lengths: Vec<usize> = lengths.collect();
    for &algorithm in Algorithm::ASYMMETRIC {
        let token = world.issuer.token().algorithm(algorithm);
        // Its key was not there before.
        world.issuer.kid(algorithm);
        world.pass(Duration::from_secs(6)).await;
        show(&gate, &token.mint()).await.unwrap();
        for length in &lengths {
            for byte in [0x00, 0x01, 0x30, 0xff] {
                let token = token.clone().signature(vec![byte; *length]);
                let outcome = show(&gate, &token.mint()).await;
                assert_eq!(
                    reason(&outcome),
                    Some(Reason::Signature),
                    "{algorithm}: {length} times {byte}"
                );
            }
        }
    }
}

/// CVE-2024-21664 (a nil dereference in a JSON serialisation without a signature), CVE-2019-17195 (an
/// exception nobody expected), liboauth2 (CWE-476): texts that have crashed others.
#[tokio::test]
async fn lesson_08_what_has_crashed_others_is_refused() {
    let world = World::new();
    let token = |payload: &str| world.issuer.token().raw_payload(payload).mint();
    let headers = [
        "{}",
        "[]",
        "null",
        "0",
        "\"\"",
        "{\"alg\":{}}",
        "{\"alg\":\"\"}",
        "{",
        "",
    ];
    let payloads = [
        "{}",
        "[]",
        "null",
        "1e999",
        "\"\"",
        "{\"aud\":{}}",
        "{\"iss\":null}",
        "{",
        "",
    ];
    let mut tokens: Vec<String> = headers
        .iter()
        .map(|header| world.issuer.token().raw_header(header).mint())
        .chain(payloads.iter().map(|payload| token(payload)))
        .collect();
    for text in [
        r#"{"payload":"e30","protected":"e30"}"#,
        r#"{"payload":"e30","signatures":[{}]}"#,
        r#"{"signature":null}"#,
        "{}",
        ".",
        "..",
        "...",
        "a..",
        ".a.",
        "..a",
        "e30.e30.",
        "e30.e30.e30",
        "\0",
        "\u{feff}",
        "=",
        "%",
    ] {
        tokens.push(text.to_owned());
    }
    // In a header of its own, where the grammar lets more through than RFC 6750 does.
    let carrier = portcullis::Carrier::header("App-Token").unwrap();
    let jwt = world.jwt().build().unwrap();
    let server = world.issuer.resource_server().carrier(carrier);
    let server = server.verifier(jwt).build().unwrap();
    for token in tokens {
        let Ok(value) = http::HeaderValue::from_bytes(token.as_bytes()) else {
            continue;
        };
        let mut parts = crate::parts(&[]);
        parts.headers.insert("app-token", value);
        let error = server.authenticate(&mut parts).await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::InvalidRequest | ErrorKind::InvalidToken
            ),
            "{token}: {error:?}"
        );
    }
}

/// Answers everything with the same, whatever it is.
struct Says(u16, Vec<u8>);

impl Fetch for Says {
    async fn fetch(&self, _: Request<Vec<u8>>, _: usize) -> Result<Response<Vec<u8>>, FetchError> {
        let mut response = Response::new(self.1.clone());
        *response.status_mut() = self.0.try_into().unwrap();
        Ok(response)
    }
}

/// The issuer that is meant, and a token that only it could prove.
static MEANT: LazyLock<(AuthorizationServer, String)> = LazyLock::new(|| {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let issuer = watched::builder().clock(clock).build();
    let token = issuer.token().mint();
    (issuer, token)
});

/// A document like the issuer's, and another one, spoiled in some places.
fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    let other = watched::issuer();
    other.kid(Algorithm::ES256);
    other.kid(Algorithm::RS256);
    let documents = [
        other.jwks().to_string(),
        r#"{"issuer":"https://as.example","jwks_uri":"https://as.example/jwks"}"#.to_owned(),
        r#"{"active":true,"aud":"https://billing.example.com/","sub":"alice"}"#.to_owned(),
    ];
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(documents.to_vec()), changes).prop_map(|(document, changes)| {
        let mut bytes = document.into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// CVE-2024-45809, CVE-2025-64527: what an issuer's key server says brings the gate down.
    #[test]
    fn lesson_08_whatever_an_issuer_says_the_gate_stands(
        status in prop_oneof![4 => Just(200u16), 1 => 100u16..600],
        body in prop_oneof![spoiled(), proptest::collection::vec(any::<u8>(), 0..300)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(whatever_is_said(status, body))?;
    }
}

async fn whatever_is_said(status: u16, body: Vec<u8>) -> Result<(), TestCaseError> {
    let (issuer, token) = &*MEANT;
    let says = || Says(status, body.clone());
    let asks = IntrospectionVerifier::builder(
        &issuer.introspection_endpoint(),
        ClientAuth::basic("gate", "s3cret"),
        AUDIENCE,
    );
    let jwt = |keys: RemoteJwksBuilder| {
        let keys = keys.fetch(says()).build().unwrap();
        let jwt = JwtVerifier::builder(issuer.issuer(), AUDIENCE).keys(keys);
        ResourceServer::builder().verifier(jwt.build().unwrap())
    };
    let gates = [
        jwt(RemoteJwks::discover(issuer.issuer())),
        jwt(RemoteJwks::at(&issuer.jwks_uri())),
        ResourceServer::builder().verifier(asks.fetch(says()).build().unwrap()),
    ];
    for gate in gates {
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        // A small memory is made sooner.
        let gate = gate.clock(clock.clone()).verdict_capacity(16);
        let gate = gate.build().unwrap();
        let asking = tokio::spawn(async move { show(&gate, token).await });
        crate::settle().await;
        clock.advance(Duration::from_secs(30));
        let error = asking.await.expect("no panic").unwrap_err();
        prop_assert!(
            matches!(
                error.kind(),
                ErrorKind::Unavailable | ErrorKind::InvalidToken
            ),
            "{error:?}"
        );
    }
    Ok(())
}

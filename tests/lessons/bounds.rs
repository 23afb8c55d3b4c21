//! Lesson 7: every input has a bound, and what is beyond it costs its sender more than us.

use portcullis::testing::{Endpoint, Trouble};
use portcullis::{ClientAuth, IntrospectionVerifier, Reason, ResourceServer};
use serde_json::json;

use crate::showing::{reason, show};
use crate::{AUDIENCE, World};

/// How long a token may be.
const LIMIT: usize = 16 * 1024;

fn repeated(pattern: &str) -> String {
    let mut text = pattern.repeat(LIMIT / pattern.len() + 1);
    text.truncate(LIMIT);
    text
}

/// What it costs to refuse `token`, the second time: then the gate itself is set up.
async fn cost(
    gate: &ResourceServer,
    token: &str,
    wanted: Reason,
) -> allocation_counter::AllocationInfo {
    for _ in 0..2 {
        let outcome = show(gate, token).await;
        assert_eq!(reason(&outcome), Some(wanted), "{:.40}", token);
    }
    let mut parts = crate::parts(&[("authorization", &format!("Bearer {token}"))]);
    let mut refuse = std::pin::pin!(gate.authenticate(&mut parts));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    allocation_counter::measure(|| {
        let refused = refuse.as_mut().poll(&mut context);
        assert!(refused.is_ready(), "nobody had to be asked");
    })
}

/// CVE-2025-30204 and CVE-2025-61920: a token of many dots is split into as many strings, and a long part
/// decoded whatever its length.
#[tokio::test]
async fn lesson_07_a_flood_of_segments_costs_nothing() {
    let world = World::new();
    let gate = world.gate();
    gate.ready().await.unwrap();
    for pattern in [".", "a.", "..a", "a.b.c.d.", "eyJhbGciOiJub25lIn0."] {
        let cost = cost(&gate, &repeated(pattern), Reason::MalformedToken).await;
        assert!(cost.count_total <= 8, "{pattern}: {cost:?}");
        assert!(cost.bytes_total <= 1_024, "{pattern}: {cost:?}");
    }
    let long = "a".repeat(LIMIT - 4);
    for token in [
        format!("{long}.a.a"),
        format!("a.{long}.a"),
        format!("a.a.{long}"),
    ] {
        let cost = cost(&gate, &token, Reason::MalformedToken).await;
        assert!(cost.bytes_total <= LIMIT as u64, "{cost:?}");
    }
    let outcome = show(&gate, &"a.".repeat(LIMIT)).await;
    assert_eq!(reason(&outcome), Some(Reason::CredentialTooLong));
}

/// CVE-2023-52428, CVE-2022-36083, CVE-2023-49290 (two thousand million rounds of PBKDF2);
/// CVE-2024-28176, CVE-2024-21319, CVE-2024-28122, CVE-2025-62706 (a few kilobytes that inflate to
/// gigabytes); CVE-2021-29443 to CVE-2021-29446 (an answer that tells whether a padding was right):
/// nothing that is encrypted is opened.
#[tokio::test]
async fn lesson_07_nothing_is_derived_inflated_or_decrypted() {
    let world = World::new();
    let gate = world.gate();
    gate.ready().await.unwrap();
    let bomb = "A".repeat(8_000);
    for header in [
        json!({"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": i32::MAX, "p2s": "AAAA"}),
        json!({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}),
        json!({"alg": "RSA-OAEP-256", "enc": "A256GCM", "zip": "DEF"}),
        json!({"alg": "RSA1_5", "enc": "A128CBC-HS256"}),
        json!({"alg": "ECDH-ES", "enc": "A256CBC-HS512", "epk": {"kty": "EC", "crv": "P-256"}}),
    ] {
        let token = world.issuer.token().raw_header(header.to_string()).mint();
        let (head, _) = token.split_once('.').unwrap();
        for padding in ["AAAA", "AAAB", "____"] {
            let token = format!("{head}.{padding}.AAAA.{bomb}.{padding}");
            let cost = cost(&gate, &token, Reason::Encrypted).await;
            assert!(cost.bytes_total <= 1_024, "{header}: {cost:?}");
        }
        // Signed, and with such a header all the same.
        let token = world.issuer.token().raw_header(header.to_string());
        let outcome = show(&gate, &token.mint()).await;
        let refused = reason(&outcome).unwrap();
        assert!(
            matches!(refused, Reason::Algorithm | Reason::Critical),
            "{header}: {refused:?}"
        );
    }
}

/// CVE-2025-53864: JSON so deep that its reader runs out of stack. Wherever we read some.
#[tokio::test]
async fn lesson_07_depth_is_bounded_wherever_json_is_read() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), ("[[[{\"a\":", "")] {
        // Tokens, in both of their parts.
        let world = World::new();
        let gate = world.gate();
        let deep = open.repeat(5_000 / open.len()) + "1" + &close.repeat(5_000 / open.len());
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","x":{deep}}}"#);
        let token = world.issuer.token().raw_header(header).mint();
        assert_eq!(
            reason(&show(&gate, &token).await),
            Some(Reason::MalformedToken)
        );
        let claims = format!(r#"{{"iss":"{}","x":{deep}}}"#, world.issuer.issuer());
        let token = world.issuer.token().raw_payload(claims).mint();
        assert_eq!(
            reason(&show(&gate, &token).await),
            Some(Reason::MalformedClaims)
        );

        // Documents, as long as they may be.
        let times = 200_000 / open.len();
        let deep = open.repeat(times) + "1" + &close.repeat(times);
        let document = format!(r#"{{"issuer":"https://as.example","keys":{deep}}}"#);
        for endpoints in [
            &[Endpoint::Jwks][..],
            &[Endpoint::OauthMetadata, Endpoint::OpenidConfiguration],
        ] {
            let world = World::new();
            for endpoint in endpoints {
                world
                    .issuer
                    .trouble(*endpoint, Trouble::Body(document.clone()));
            }
            let token = world.issuer.token().mint();
            let outcome = world.show(&world.gate(), &token).await;
            assert_eq!(reason(&outcome), Some(Reason::KeysUnavailable));
        }
        let answer = Trouble::Body(format!(r#"{{"active":true,"x":{deep}}}"#));
        world.issuer.trouble(Endpoint::Introspection, answer);
        let endpoint = world.issuer.introspection_endpoint();
        let auth = ClientAuth::basic("gate", "s3cret");
        let asks = IntrospectionVerifier::builder(&endpoint, auth, AUDIENCE).fetch(world.fetcher());
        let server = world.issuer.resource_server();
        let server = server.verifier(asks.build().unwrap()).build().unwrap();
        let outcome = world.show(&server, "opaque-token-of-nobody").await;
        assert_eq!(reason(&outcome), Some(Reason::LookupUnavailable));
    }
}

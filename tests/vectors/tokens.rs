//! RFC 7519 §3.1 and §6.1, RFC 7515 appendix A: the oldest JWTs there are. They have neither `typ`
//! `at+jwt` nor `sub` nor `aud`, so each concession there is for old issuers is needed for them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::testing::ManualClock;
use portcullis::{
    Algorithm, JwtVerifier, JwtVerifierBuilder, Reason, ResourceServer, StaticJwks, UnixTime,
    danger,
};
use serde_json::{Value, json};

use crate::showing::{reason, show};

/// The `exp` of the examples.
const END: i64 = 1_300_819_380;

fn document() -> Value {
    serde_json::from_str(include_str!("../data/vectors/rfc7515.json")).unwrap()
}

/// A gate with the key and the algorithm of an example.
fn gate(
    example: &Value,
    now: i64,
    concede: fn(JwtVerifierBuilder) -> JwtVerifierBuilder,
) -> ResourceServer {
    let document = document();
    let jwk = &document["keys"][example["key"].as_str().unwrap()];
    let algorithm: Algorithm = example["algorithm"].as_str().unwrap().parse().unwrap();
    let builder = concede(JwtVerifier::builder("joe", "https://api.example.com/"));
    let builder = match algorithm {
        Algorithm::HS256 => {
            let secret = URL_SAFE_NO_PAD.decode(jwk["k"].as_str().unwrap()).unwrap();
            builder.hmac_secret(algorithm, secret)
        }
        _ => {
            let keys = StaticJwks::from_json(&json!({ "keys": [jwk] }).to_string()).unwrap();
            builder.algorithms([algorithm]).keys(keys)
        }
    };
    ResourceServer::builder()
        .verifier(builder.build().unwrap())
        .clock(ManualClock::at(UnixTime::from_secs(now)))
        .build()
        .unwrap()
}

fn concede_all(builder: JwtVerifierBuilder) -> JwtVerifierBuilder {
    danger::accept_no_audience(builder)
        .legacy_typ("JWT")
        .legacy_missing_typ()
        .legacy_missing_subject()
}

#[tokio::test]
async fn the_examples_are_admitted_in_their_time_where_everything_is_conceded() {
    let document = document();
    let accepted = document["accepted"].as_array().unwrap();
    let mut admitted = 0;
    for example in accepted {
        let text = example["token"].as_str().unwrap();
        let gate = |now| gate(example, now, concede_all);
        let outcome = show(&gate(END - 1), text).await;
        if example["payload"].as_str().unwrap().starts_with('{') {
            let token = outcome.unwrap();
            assert_eq!(token.issuer(), Some("joe"));
            let root = token.claims().get("http://example.com/is_root");
            assert_eq!(root, Some(&Value::Bool(true)));
            // The leeway is 30 seconds.
            assert!(show(&gate(END + 29), text).await.is_ok());
            let late = show(&gate(END + 30), text).await;
            assert_eq!(reason(&late), Some(Reason::Expired));
            admitted += 1;
        } else {
            // RFC 7515 A.4 and RFC 7797 §4.1 sign a text: well signed, and no claims (RFC 7519 §7.2).
            assert_eq!(reason(&outcome), Some(Reason::MalformedClaims));
        }
    }
    assert_eq!(admitted, 3, "RFC 7515 A.1 to A.3, RFC 7519 §3.1");
}

#[tokio::test]
async fn without_a_concession_they_are_no_access_tokens() {
    type Concede = fn(JwtVerifierBuilder) -> JwtVerifierBuilder;
    let rows: [(Concede, &str); 3] = [
        (|builder| builder, "typ is "),
        (
            |builder| {
                let builder = builder.legacy_typ("JWT").legacy_missing_typ();
                builder.legacy_missing_subject()
            },
            "aud is absent, wanted it in the token",
        ),
        (
            |builder| {
                danger::accept_no_audience(builder)
                    .legacy_typ("JWT")
                    .legacy_missing_typ()
            },
            "sub is absent, wanted it in the token",
        ),
    ];
    let document = document();
    for example in &document["accepted"].as_array().unwrap()[..3] {
        for (concede, wanted) in rows {
            let gate = gate(example, END - 1, concede);
            let error = show(&gate, example["token"].as_str().unwrap()).await;
            let sentence = error.unwrap_err().to_string();
            assert!(sentence.starts_with(wanted), "{sentence}: {example}");
        }
    }
}

/// RFC 7519 §6.1 is RFC 7515 A.5. The JSON serializations do not even pass as a credential.
#[tokio::test]
async fn what_else_the_documents_have_is_refused_whatever_is_conceded() {
    let document = document();
    let refused = document["refused"].as_array().unwrap();
    for example in refused {
        let token = example["token"].as_str().unwrap();
        let outcome = show(&gate(example, END - 1, concede_all), token).await;
        let wanted = match example["section"].as_str().unwrap() {
            "RFC 7515 A.5" => Reason::Algorithm,
            "RFC 7515 A.6" | "RFC 7515 A.7" => Reason::MalformedCredential,
            "RFC 7515 F, of A.1" => Reason::Signature,
            "RFC 7516 A.2" => Reason::Encrypted,
            _ => Reason::Critical,
        };
        assert_eq!(reason(&outcome), Some(wanted), "{example}");
    }
    assert_eq!(refused.len(), 7);
}

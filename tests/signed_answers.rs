//! Introspection answers that the issuer signs (RFC 9701): only what it signed for us is believed, and
//! whatever is wrong with an answer, its token is not to blame.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod showing;
mod watched;

use std::time::Duration;

use http::{Method, Response};
use portcullis::testing::{AuthorizationServer, Desk, Endpoint, ManualClock};
use portcullis::{
    AccessToken, ClientAuth, Error, IntrospectionVerifier, Reason, RemoteJwks, ResourceServer,
    UnixTime,
};
use serde_json::{Value, json};
use showing::{reason, show};

const AUDIENCE: &str = "https://api.example.com/";
const NOW: i64 = 1_795_262_400;

struct Gate {
    issuer: AuthorizationServer,
    clock: ManualClock,
    server: ResourceServer,
}

impl Gate {
    fn new() -> Gate {
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        let issuer = watched::builder().clock(clock.clone()).build();
        issuer.client("gate", "s3cret");
        let auth = ClientAuth::basic("gate", "s3cret");
        let endpoint = issuer.introspection_endpoint();
        let keys = RemoteJwks::discover(issuer.issuer()).fetch(issuer.fetcher());
        let verifier = IntrospectionVerifier::builder(&endpoint, auth, AUDIENCE)
            .fetch(issuer.fetcher())
            .issuer(issuer.issuer())
            .signed_answers(keys.build().unwrap());
        let server = issuer.resource_server();
        let server = server.verifier(verifier.build().unwrap()).build().unwrap();
        Gate {
            issuer,
            clock,
            server,
        }
    }

    /// Lets the endpoint answer every token with what `answer` makes.
    fn answer(&self, answer: impl Fn(&Desk<'_>) -> String + Send + Sync + 'static) {
        let endpoint: http::Uri = self.issuer.introspection_endpoint().parse().unwrap();
        let answer = move |desk: &Desk<'_>, _: &_| Response::new(answer(desk).into_bytes());
        self.issuer.answer_at(Method::POST, endpoint.path(), answer);
    }

    async fn show(&self, token: &str) -> Result<AccessToken, Error> {
        show(&self.server, token).await
    }
}

/// The claims of a good answer.
fn good(issuer: &str) -> Value {
    json!({
        "iss": issuer,
        "aud": "gate",
        "iat": NOW,
        "token_introspection": {
            "active": true, "aud": AUDIENCE, "sub": "alice", "scope": "a b", "exp": NOW + 600
        }
    })
}

fn sign(desk: &Desk<'_>, claims: &Value) -> String {
    let answer = desk.token().typ("token-introspection+jwt");
    answer.raw_payload(claims.to_string()).mint()
}

#[tokio::test]
async fn a_signed_answer_is_asked_for_and_believed() {
    let gate = Gate::new();
    let token = gate.issuer.opaque().subject("alice").scope("a b").mint();
    let proven = gate.show(&token).await.unwrap();
    assert_eq!(proven.subject(), Some("alice"));
    assert_eq!(proven.scopes().to_string(), "a b");
    assert_eq!(proven.issuer(), Some(gate.issuer.issuer()));
    let sent = gate.issuer.last_request(Endpoint::Introspection).unwrap();
    assert_eq!(
        sent.headers()["accept"],
        "application/token-introspection+jwt"
    );
    let unknown = gate.show("nobody-issued-this").await;
    assert_eq!(reason(&unknown), Some(Reason::Inactive), "and signed, too");
}

#[tokio::test]
async fn what_is_wrong_with_an_answer_is_told_and_costs_nobody_a_token() {
    let issuer = watched::issuer().issuer().to_owned();
    let with = |name: &str, value: Value| {
        let mut claims = good(&issuer);
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good(&issuer);
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (claims, why) in [
        (
            with("iss", json!("https://other.example")),
            "issuer is \"https://other.example\", wanted \"https://as.example\"",
        ),
        (without("iss"), "iss is absent, wanted it in the token"),
        (
            with("aud", json!("https://other.example/")),
            "audience is [\"https://other.example/\"], wanted \
             \"https://api.example.com/\" or \"gate\"",
        ),
        (without("aud"), "aud is absent, wanted it in the token"),
        (without("iat"), "iat is absent, wanted it in the token"),
        (
            with("iat", json!(NOW - 31)),
            "answer was signed at 1795262369, wanted one to the question of 1795262400",
        ),
        (
            with("iat", json!(NOW + 31)),
            "iat is 1795262431, it is 1795262400",
        ),
        (
            without("token_introspection"),
            "token_introspection is absent, wanted it in the token",
        ),
        (
            with("token_introspection", json!("active")),
            "token_introspection is no object",
        ),
    ] {
        let gate = Gate::new();
        let shown = claims.to_string();
        gate.answer(move |desk| sign(desk, &claims));
        let error = gate.show("opaque").await.unwrap_err();
        assert_eq!(error.reason(), Reason::LookupUnavailable, "{shown}");
        let sentence = error.to_string();
        let told = sentence.strip_prefix("the introspection endpoint cannot be asked: ");
        assert!(
            told.is_some_and(|told| told.starts_with(why)),
            "{shown}: {sentence}"
        );
    }
}

#[tokio::test]
async fn only_the_issuers_signature_on_such_an_answer_counts() {
    let claims = good(watched::issuer().issuer());
    type Answer = Box<dyn Fn(&Desk<'_>, &Value) -> String + Send + Sync>;
    let forger = watched::issuer();
    let answers: [(&str, Answer); 7] = [
        (
            "plain",
            Box::new(|_, claims| claims["token_introspection"].to_string()),
        ),
        (
            "unsecured",
            Box::new(|desk, claims| {
                let answer = desk.token().typ("token-introspection+jwt").unsecured();
                answer.raw_payload(claims.to_string()).mint()
            }),
        ),
        (
            "forged",
            Box::new(move |desk, claims| {
                let answer = desk
                    .token()
                    .typ("token-introspection+jwt")
                    .signed_by(&forger);
                answer.raw_payload(claims.to_string()).mint()
            }),
        ),
        (
            "access token",
            Box::new(|desk, claims| desk.token().raw_payload(claims.to_string()).mint()),
        ),
        (
            "cut",
            Box::new(|desk, claims| {
                let answer = sign(desk, claims);
                answer[..answer.len() - 20].to_owned()
            }),
        ),
        ("encrypted", Box::new(|_, _| "a.b.c.d.e".to_owned())),
        ("nothing", Box::new(|_, _| String::new())),
    ];
    for (name, answer) in answers {
        let gate = Gate::new();
        let claims = claims.clone();
        gate.answer(move |desk| answer(desk, &claims));
        let outcome = gate.show("opaque").await;
        assert_eq!(reason(&outcome), Some(Reason::LookupUnavailable), "{name}");
    }
}

#[tokio::test]
async fn what_the_answer_says_of_the_token_is_judged_as_ever() {
    for (changed, wanted) in [
        (
            json!({"active": true, "aud": AUDIENCE, "sub": "alice"}),
            None,
        ),
        (
            json!({"active": "true", "aud": AUDIENCE}),
            Some(Reason::Inactive),
        ),
        (json!({"active": false}), Some(Reason::Inactive)),
        (json!({"aud": AUDIENCE}), Some(Reason::Inactive)),
        (
            json!({"active": true, "aud": "https://other.example/"}),
            Some(Reason::Audience),
        ),
        (
            json!({"active": true, "aud": AUDIENCE, "exp": NOW - 31}),
            Some(Reason::Expired),
        ),
        (
            json!({"active": true, "aud": AUDIENCE, "iss": "https://other.example"}),
            Some(Reason::Issuer),
        ),
    ] {
        let gate = Gate::new();
        let mut claims = good(gate.issuer.issuer());
        // An audience may name us by either of our names.
        claims["aud"] = json!(AUDIENCE);
        // As far as clocks agree it was signed since we asked.
        claims["iat"] = json!(NOW - 30);
        claims["token_introspection"] = changed.clone();
        gate.answer(move |desk| sign(desk, &claims));
        assert_eq!(reason(&gate.show("opaque").await), wanted, "{changed}");
    }
}

#[tokio::test]
async fn a_verdict_ends_with_the_key_that_signed_the_answer() {
    let gate = Gate::new();
    let token = gate.issuer.opaque().subject("alice").mint();
    gate.show(&token).await.unwrap();
    gate.show(&token).await.unwrap();
    assert_eq!(gate.issuer.asked(Endpoint::Introspection), 1);
    gate.issuer.rotate();
    gate.issuer.withdraw_old();
    gate.clock.advance(Duration::from_secs(6));
    // Its answer is signed with the new key, which brings the new set.
    let other = gate.issuer.opaque().subject("bob").mint();
    gate.show(&other).await.unwrap();
    gate.show(&token).await.unwrap();
    assert_eq!(gate.issuer.asked(Endpoint::Introspection), 3, "asked anew");
}

#[test]
fn signed_answers_need_an_issuer() {
    let issuer = watched::issuer();
    let keys = RemoteJwks::at("https://as.example/jwks").fetch(issuer.fetcher());
    let auth = ClientAuth::basic("gate", "s3cret");
    let verifier = IntrospectionVerifier::builder("https://as.example/introspect", auth, AUDIENCE)
        .fetch(issuer.fetcher())
        .signed_answers(keys.build().unwrap());
    assert_eq!(
        verifier.build().unwrap_err().to_string(),
        "answers are to be signed by nobody in particular, wanted an issuer"
    );
}

/// What an operator reads may stand on a page; whoever writes answers may put a token there.
#[tokio::test]
async fn the_status_repeats_no_token() {
    let token = "tk-W2mVtY9zKpL4nRfD8sGj";
    let answers: [fn(&Desk<'_>) -> String; 3] = [
        |desk| sign(desk, &good("tk-W2mVtY9zKpL4nRfD8sGj")),
        |desk| {
            let answer = desk.token().typ("tk-W2mVtY9zKpL4nRfD8sGj");
            answer.raw_payload("{}").mint()
        },
        |desk| {
            let answer = desk.token().header("kid", "tk-W2mVtY9zKpL4nRfD8sGj");
            answer.typ("token-introspection+jwt").mint()
        },
    ];
    for answer in answers {
        let gate = Gate::new();
        gate.answer(answer);
        let outcome = gate.show(token).await;
        assert_eq!(reason(&outcome), Some(Reason::LookupUnavailable));
        let status = format!("{:?}", gate.server.status());
        assert!(
            status.contains("[withheld: it repeats a secret]"),
            "{status}"
        );
        assert!(!status.contains(&token[..8]), "{status}");
    }
}

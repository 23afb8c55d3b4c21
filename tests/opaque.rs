//! Opaque tokens: introspection over real sockets, look-ups, and what is remembered of them.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod showing;
mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use showing::{reason, show};

use http::Method;
use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock, Trouble, json_answer};
use portcullis::{
    AccessToken, Algorithm, Carrier, ClaimSet, ClientAuth, Credential, Error,
    IntrospectionVerifier, LookupVerifier, Principal, Reason, ResourceServer, Unavailable,
    UnixTime, When, danger,
};
use serde_json::json;

const AUDIENCE: &str = "https://api.example.com/";

/// An issuer on a real socket, on a clock turned by hand, and a gate that asks it with reqwest.
async fn gate(auth: impl FnOnce(&AuthorizationServer) -> ClientAuth) -> Gate {
    let clock = ManualClock::at(UnixTime::from_secs(1_795_262_400));
    let issuer = watched::builder()
        .clock(clock.clone())
        .start()
        .await
        .unwrap();
    let auth = auth(&issuer);
    let verifier = IntrospectionVerifier::builder(&issuer.introspection_endpoint(), auth, AUDIENCE);
    let server = issuer
        .resource_server()
        .verifier(verifier.build().unwrap())
        .build()
        .unwrap();
    Gate {
        issuer,
        clock,
        server,
    }
}

struct Gate {
    issuer: AuthorizationServer,
    clock: ManualClock,
    server: ResourceServer,
}

impl Gate {
    async fn basic() -> Gate {
        gate(|issuer| {
            issuer.client("gate", "s3cret");
            ClientAuth::basic("gate", "s3cret")
        })
        .await
    }

    async fn show(&self, token: &str) -> Result<AccessToken, Error> {
        show(&self.server, token).await
    }

    fn asked(&self) -> usize {
        self.issuer.asked(Endpoint::Introspection)
    }
}

#[tokio::test]
async fn every_way_of_client_authentication_is_accepted_by_a_server_that_checks_it() {
    let odd = ("rs:odd one/%2F", "a+b c&d=%3A:\u{e9}");
    let gates = [
        gate(|issuer| {
            issuer.client(odd.0, odd.1);
            ClientAuth::basic(odd.0, odd.1)
        })
        .await,
        gate(|issuer| {
            issuer.client(odd.0, odd.1);
            ClientAuth::post(odd.0, odd.1)
        })
        .await,
        gate(|issuer| {
            let pem = issuer.client_with_new_key("gate", Algorithm::ES256);
            ClientAuth::private_key_jwt("gate", &pem, Algorithm::ES256)
                .unwrap()
                .kid("one")
        })
        .await,
        gate(|issuer| {
            let pem = issuer.client_with_new_key("gate", Algorithm::EdDSA);
            ClientAuth::private_key_jwt("gate", &pem, Algorithm::EdDSA).unwrap()
        })
        .await,
    ];
    for gate in gates {
        let token = gate.issuer.opaque().subject("alice").scope("a b").mint();
        let proven = gate.show(&token).await.unwrap();
        assert_eq!(proven.principal(), Principal::Subject("alice"));
        assert_eq!(proven.scopes().to_string(), "a b");
        let sent = gate.issuer.last_request(Endpoint::Introspection).unwrap();
        assert_eq!(sent.method(), http::Method::POST);
        assert!(
            !sent.uri().to_string().contains(&token),
            "the token is not in the URL"
        );
    }
}

#[tokio::test]
async fn a_wrong_secret_of_ours_is_our_outage_not_the_callers_fault() {
    let gate = gate(|issuer| {
        issuer.client("gate", "right");
        ClientAuth::basic("gate", "wrong")
    })
    .await;
    let error = gate.show(&gate.issuer.opaque().mint()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::LookupUnavailable);
    assert_eq!(
        error.to_string(),
        "the introspection endpoint cannot be asked: status is 401, wanted 200"
    );
}

#[tokio::test]
async fn concurrent_first_uses_share_one_call_and_later_uses_none() {
    let gate = Gate::basic().await;
    let token = gate.issuer.opaque().mint();
    let shown: Vec<_> = (0..20)
        .map(|_| {
            let (server, token) = (gate.server.clone(), token.clone());
            tokio::spawn(async move { show(&server, &token).await })
        })
        .collect();
    for answer in shown {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(gate.asked(), 1);
    gate.show(&token).await.unwrap();
    assert_eq!(gate.asked(), 1);
    gate.clock.advance(Duration::from_secs(30));
    gate.show(&token).await.unwrap();
    assert_eq!(
        gate.asked(),
        2,
        "after 30 seconds the issuer is asked again"
    );
}

#[tokio::test]
async fn a_verdict_ends_with_the_token_and_can_be_forgotten() {
    let gate = Gate::basic().await;
    let token = gate.issuer.opaque().expires_in(10).mint();
    gate.show(&token).await.unwrap();
    gate.clock.advance(Duration::from_secs(41));
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::Inactive));

    let token = gate.issuer.opaque().mint();
    gate.show(&token).await.unwrap();
    assert!(gate.issuer.revoke(&token));
    gate.show(&token).await.expect("for at most 30 seconds");
    gate.server
        .forget(&Credential::new(&token, &Carrier::bearer()));
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::Inactive));
}

#[tokio::test]
async fn an_accepted_token_is_remembered_for_thirty_seconds() {
    let gate = Gate::basic().await;
    for (lifetime, remembered) in [(600, 30_000), (10, 10_000)] {
        let token = gate.issuer.opaque().expires_in(lifetime).mint();
        gate.show(&token).await.unwrap();
        let asked = gate.asked();
        gate.clock.advance(Duration::from_millis(remembered - 1));
        gate.show(&token).await.unwrap();
        assert_eq!(gate.asked(), asked, "it is remembered");
        gate.clock.advance(Duration::from_millis(1));
        let _ = gate.show(&token).await;
        assert_eq!(gate.asked(), asked + 1, "and asked about again");
    }
}

#[tokio::test]
async fn refusals_are_remembered_briefly() {
    let gate = Gate::basic().await;
    for _ in 0..5 {
        assert_eq!(reason(&gate.show("made-up").await), Some(Reason::Inactive));
    }
    assert_eq!(gate.asked(), 1);
    gate.clock.advance(Duration::from_millis(9_999));
    assert_eq!(reason(&gate.show("made-up").await), Some(Reason::Inactive));
    assert_eq!(gate.asked(), 1);
    gate.clock.advance(Duration::from_millis(1));
    assert_eq!(reason(&gate.show("made-up").await), Some(Reason::Inactive));
    assert_eq!(gate.asked(), 2);
}

#[tokio::test]
async fn whatever_the_endpoint_does_wrong_is_ours_and_never_remembered() {
    let gate = Gate::basic().await;
    let token = gate.issuer.opaque().mint();
    for trouble in [
        Trouble::Status(500),
        Trouble::Status(400),
        Trouble::Garbage,
        Trouble::Body("[]".into()),
        Trouble::Body(r#"{"active":true,"active":true}"#.into()),
        Trouble::Body(r#"{"active":true,"exp":"tomorrow"}"#.into()),
        Trouble::Huge(300 * 1024),
        Trouble::Redirect("http://127.0.0.1:9/".into()),
        Trouble::Reset,
    ] {
        gate.issuer
            .trouble(Endpoint::Introspection, trouble.clone());
        let outcome = gate.show(&token).await;
        assert_eq!(
            reason(&outcome),
            Some(Reason::LookupUnavailable),
            "{trouble:?}"
        );
        // Who fails too often is left alone for a while.
        gate.clock.advance(Duration::from_secs(30));
    }
    gate.issuer.trouble(
        Endpoint::Introspection,
        Trouble::StatusWithRetryAfter(429, 17),
    );
    let error = gate.show(&token).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the introspection endpoint cannot be asked: status is 429, wanted 200"
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    gate.issuer.calm(Endpoint::Introspection);
    gate.clock.advance(Duration::from_secs(17));
    gate.show(&token).await.unwrap();
}

#[tokio::test]
async fn an_endpoint_that_hangs_ends_at_the_deadline() {
    let gate = Gate::basic().await;
    gate.issuer.trouble(Endpoint::Introspection, Trouble::Hang);
    let (server, token) = (gate.server.clone(), gate.issuer.opaque().mint());
    let shown = tokio::spawn(async move { show(&server, &token).await });
    while gate.asked() == 0 {
        tokio::task::yield_now().await;
    }
    gate.clock.advance(Duration::from_secs(5));
    let error = shown.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the introspection endpoint cannot be asked: no whole answer within 5000 ms"
    );
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_a_503_and_comes_back() {
    let gate = Gate::basic().await;
    let token = gate.issuer.opaque().mint();
    gate.issuer.stop().await;
    assert_eq!(
        reason(&gate.show(&token).await),
        Some(Reason::LookupUnavailable)
    );
    gate.issuer.restart().await.unwrap();
    gate.show(&token).await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_is_active_but_no_access_token() {
    let gate = Gate::basic().await;
    let token = gate.issuer.opaque().refresh_token().scope("a").mint();
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::MissingClaim));
}

#[tokio::test]
async fn without_a_subject_the_client_is_the_principal() {
    let gate = Gate::basic().await;
    let token = gate
        .issuer
        .opaque()
        .without("sub")
        .client_id("robot")
        .mint();
    let proven = gate.show(&token).await.unwrap();
    assert_eq!(proven.principal(), Principal::Client("robot"));
    assert_eq!(proven.subject(), None);
}

#[tokio::test]
async fn jwt_and_opaque_tokens_live_side_by_side() {
    let gate = Gate::basic().await;
    let introspection = IntrospectionVerifier::builder(
        &gate.issuer.introspection_endpoint(),
        ClientAuth::basic("gate", "s3cret"),
        AUDIENCE,
    );
    let server = gate
        .issuer
        .resource_server()
        .route(
            When::jwt(),
            gate.issuer.jwt_verifier(AUDIENCE).build().unwrap(),
        )
        .route(When::opaque(), introspection.build().unwrap())
        .build()
        .unwrap();
    show(&server, &gate.issuer.token().mint()).await.unwrap();
    assert_eq!(gate.asked(), 0);
    show(&server, &gate.issuer.opaque().mint()).await.unwrap();
    assert_eq!(gate.asked(), 1);
}

#[tokio::test]
async fn a_look_up_of_ones_own() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    async fn look_up(token: &str) -> Result<Option<ClaimSet>, Unavailable> {
        CALLS.fetch_add(1, Ordering::SeqCst);
        match token {
            "good" => Ok(Some(ClaimSet::parse(
                r#"{"sub":"endpoint-1","scope":"a"}"#,
            )?)),
            "late" => Ok(Some(ClaimSet::parse(r#"{"sub":"endpoint-1","exp":7}"#)?)),
            "down" => Err(std::io::Error::other(format!("no row for {token}")))?,
            _ => Ok(None),
        }
    }
    let verifier = LookupVerifier::from_fn(look_up).build().unwrap();
    let server = ResourceServer::builder()
        .carrier(Carrier::header("App-Token").unwrap())
        .verifier(verifier)
        .build()
        .unwrap();
    let show = async |token: &str| {
        let request = http::Request::get("/")
            .header("app-token", token)
            .body(())
            .unwrap();
        let (mut parts, ()) = request.into_parts();
        server.authenticate(&mut parts).await
    };
    let proven = show("good").await.unwrap().unwrap();
    assert_eq!(proven.subject(), Some("endpoint-1"));
    show("good").await.unwrap();
    assert_eq!(CALLS.load(Ordering::SeqCst), 1);
    assert_eq!(
        show("unknown").await.unwrap_err().reason(),
        Reason::Inactive
    );
    assert_eq!(show("late").await.unwrap_err().reason(), Reason::Expired);
    let error = show("down").await.unwrap_err();
    assert_eq!(error.reason(), Reason::LookupUnavailable);
    assert_eq!(
        error.to_string(),
        "the look-up failed: [withheld: it repeats a secret]"
    );
}

#[tokio::test]
async fn a_caller_that_leaves_cancels_nothing_for_the_others() {
    let clock = ManualClock::at(UnixTime::from_secs(1_000));
    let calls = Arc::new(AtomicUsize::new(0));
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let look_up = {
        let (calls, gate) = (calls.clone(), gate.clone());
        move |_: &str| {
            let (calls, gate) = (calls.clone(), gate.clone());
            async move {
                calls.fetch_add(1, Ordering::SeqCst);
                let _ = gate.acquire().await;
                Ok::<_, Unavailable>(Some(ClaimSet::parse(r#"{"sub":"a"}"#)?))
            }
        }
    };
    let verifier = LookupVerifier::from_fn(look_up).build().unwrap();
    let server = ResourceServer::builder()
        .clock(clock)
        .verifier(verifier)
        .build()
        .unwrap();
    let start = || {
        let server = server.clone();
        tokio::spawn(async move { show(&server, "token").await })
    };
    let (first, second) = (start(), start());
    while calls.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    gate.add_permits(10);
    second.await.unwrap().unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// An issuer that has no introspection, only UserInfo.
#[tokio::test]
async fn userinfo_tells_whose_token_it_is_and_nothing_more() {
    let clock = ManualClock::at(UnixTime::from_secs(1_795_262_400));
    let builder = watched::builder().clock(clock.clone());
    let issuer = builder.start().await.unwrap();
    issuer.answer_at(Method::GET, "/userinfo", |_, request| {
        let shown = request.headers().get("authorization");
        match shown.and_then(|value| value.to_str().ok()) {
            Some("Bearer alices-token") => json_answer(
                200,
                json!({"sub": "alice", "scope": "admin", "permissions": ["all"]}),
            ),
            Some("Bearer nobodys-token") => json_answer(200, json!({"name": "?"})),
            Some("Bearer another-issuers") => json_answer(200, json!({"sub": "a", "iss": "x"})),
            Some("Bearer too-often") => {
                let mut answer = json_answer(429, json!({"error": "too-often"}));
                answer.headers_mut().insert("retry-after", 17.into());
                answer
            }
            _ => json_answer(401, json!({"error": "invalid_token"})),
        }
    });
    let userinfo = danger::userinfo(&issuer.url("/userinfo")).issuer(issuer.issuer());
    let server = issuer
        .resource_server()
        .verifier(userinfo.build().unwrap())
        .build()
        .unwrap();
    let alice = show(&server, "alices-token").await.unwrap();
    assert_eq!(alice.subject(), Some("alice"));
    assert_eq!(alice.issuer(), Some(issuer.issuer()));
    // What a profile says it grants, nobody has granted.
    assert!(alice.scopes().is_empty() && alice.permissions().is_empty());
    show(&server, "alices-token").await.unwrap();
    assert_eq!(issuer.asked("/userinfo"), 1);
    for (token, wanted) in [
        ("unknown", "the issuer does not tell whose token it is"),
        ("nobodys-token", "sub is absent, wanted it in the token"),
    ] {
        let error = show(&server, token).await.unwrap_err();
        assert_eq!(error.to_string(), wanted, "{token}");
    }
    let error = show(&server, "another-issuers").await.unwrap_err();
    assert_eq!(error.reason(), Reason::Issuer);
    let error = show(&server, "too-often").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the UserInfo endpoint cannot be asked: status is 429, wanted 200"
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    clock.advance(Duration::from_secs(17));
    issuer.stop().await;
    let error = show(&server, "never-seen").await.unwrap_err();
    assert_eq!(error.reason(), Reason::LookupUnavailable);
    assert!(show(&server, "alices-token").await.is_ok());
    clock.advance(Duration::from_secs(30));
    assert!(show(&server, "alices-token").await.is_err());
    for bad in ["http://as.example/userinfo", "userinfo"] {
        assert!(danger::userinfo(bad).build().is_err(), "{bad}");
    }
}

/// What is nearly a JWT is no opaque token: nobody is asked about it, and nobody logs an outage.
#[tokio::test]
async fn a_padded_jwt_is_refused_here() {
    let issuer = watched::issuer();
    issuer.client("gate", "s3cret");
    let opaque = IntrospectionVerifier::builder(
        &issuer.introspection_endpoint(),
        ClientAuth::basic("gate", "s3cret"),
        AUDIENCE,
    );
    let server = issuer
        .resource_server()
        .route(When::jwt(), issuer.jwt_verifier(AUDIENCE).build().unwrap())
        .route(
            When::opaque(),
            opaque.fetch(issuer.fetcher()).build().unwrap(),
        )
        .build()
        .unwrap();
    let token = issuer.token().mint();
    assert!(show(&server, &token).await.is_ok());
    for padded in [
        format!("{token}="),
        "eyJhbGciOiJub25lIn0.eyJ9.x=".to_owned(),
    ] {
        let error = show(&server, &padded).await.unwrap_err();
        assert_eq!(error.kind(), portcullis::ErrorKind::InvalidToken, "{error}");
    }
    assert_eq!(issuer.asked(Endpoint::Introspection), 0);
}

/// An endpoint that repeats what it was sent, or what it knows that it was sent.
#[tokio::test]
async fn an_answer_that_repeats_our_secret_tells_it_to_nobody() {
    const SECRET: &str = "open-sesame-and-close";
    let pair = "Z2F0ZTpvcGVuLXNlc2FtZS1hbmQtY2xvc2U=";
    for auth in [ClientAuth::basic, ClientAuth::post] {
        let gate = gate(|_| auth("gate", SECRET)).await;
        for told in [SECRET, pair, "a word"] {
            let answer = format!(r#"{{"active":true,"aud":"{told}"}}"#);
            gate.issuer
                .trouble(Endpoint::Introspection, Trouble::Body(answer));
            let error = gate.show("tk-1").await.unwrap_err();
            let told = format!("{error} {error:?} {:?}", gate.server.status());
            assert!(!told.contains(&SECRET[..8]), "{told}");
            gate.clock.advance(Duration::from_secs(60));
        }
    }
}

//! Who holds a token, sits between us and the issuer, or sends us a crowd, and what they do not gain.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod showing;
mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, Request, Response};
use portcullis::testing::{Desk, ManualClock};
use portcullis::*;
use serde_json::json;
use showing::{reason, show};
use tokio::sync::watch;

const AUDIENCE: &str = "https://api.example.com/";
const NOW: i64 = 1_795_262_400;

async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[derive(Clone, Default)]
struct Panics(Arc<AtomicUsize>, Arc<AtomicBool>, String);
impl Fetch for Panics {
    async fn fetch(&self, _: Request<Vec<u8>>, _: usize) -> Result<Response<Vec<u8>>, FetchError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        assert!(!self.1.load(Ordering::SeqCst), "a bug in somebody's client");
        Ok(Response::new(self.2.clone().into_bytes()))
    }
}
#[tokio::test]
async fn an_engine_that_was_ended_in_mid_round_keeps_the_pace() {
    let issuer0 = watched::builder()
        .clock(ManualClock::at(UnixTime::from_secs(NOW)))
        .build();
    let fetch = Panics(Arc::default(), Arc::default(), issuer0.jwks().to_string());
    let mine = fetch.clone();
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let keys = RemoteJwks::at(&issuer0.jwks_uri())
        .fetch(mine)
        .build()
        .unwrap();
    let jwt = JwtVerifier::builder(issuer0.issuer(), AUDIENCE)
        .keys(keys)
        .build()
        .unwrap();
    let server = ResourceServer::builder()
        .clock(clock.clone())
        .verifier(jwt)
        .build()
        .unwrap();
    show(&server, &issuer0.token().expires_in(100_000).mint())
        .await
        .unwrap();
    fetch.1.store(true, Ordering::SeqCst);
    clock.advance(Duration::from_secs(500));
    settle().await;
    let before = fetch.0.load(Ordering::SeqCst);
    for n in 0..100 {
        // Good tokens, of a key that is known: each is new.
        show(
            &server,
            &issuer0.token().expires_in(100_000).claim("n", n).mint(),
        )
        .await
        .unwrap();
        settle().await;
    }
    let fetches = fetch.0.load(Ordering::SeqCst) - before;
    assert!(fetches <= 2, "{fetches} fetches in no time");
}

#[derive(Clone)]
struct Answers(fn(&str) -> Result<Response<Vec<u8>>, FetchError>);
impl Fetch for Answers {
    async fn fetch(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let bearer = request
            .headers()
            .get("authorization")
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let form = String::from_utf8_lossy(request.body()).into_owned();
        (self.0)(&format!("{bearer} {form}"))
    }
}
const ACTIVE: &str = r#"{"active":true,"sub":"alice","aud":"https://api.example.com/"}"#;

#[tokio::test]
async fn a_user_over_the_limit_of_their_own_does_not_open_the_breaker_of_userinfo() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let fetch = Answers(|shown| match shown.contains("hammering") {
        true => Ok(Response::builder()
            .status(429)
            .header("retry-after", "60")
            .body(Vec::new())
            .unwrap()),
        false => Ok(Response::new(br#"{"sub":"alice"}"#.to_vec())),
    });
    let verifier = portcullis::danger::userinfo("https://as.example/u")
        .fetch(fetch)
        .build()
        .unwrap();
    let server = ResourceServer::builder()
        .clock(clock)
        .verifier(verifier)
        .build()
        .unwrap();
    show(&server, "hammering").await.unwrap_err();
    let outcome = show(&server, "good").await;
    assert!(outcome.is_ok(), "{outcome:?}");
}

struct Held {
    release: watch::Receiver<bool>,
    revoked: Arc<AtomicBool>,
}
impl Verifier for Held {
    async fn verify(&self, _: &Credential<'_>, _: &Moment<'_>) -> Result<Verified, Error> {
        self.release.clone().wait_for(|open| *open).await.unwrap();
        Ok(Verified::new(
            ClaimSet::parse(r#"{"sub":"alice"}"#).unwrap(),
        ))
    }
    fn sees_revocation(&self) -> bool {
        true
    }
    async fn confirm(&self, _: &Credential<'_>, _: &Moment<'_>) -> Result<Verified, Error> {
        match self.revoked.load(Ordering::SeqCst) {
            true => Err(Error::invalid_token("revoked")),
            false => Ok(Verified::new(
                ClaimSet::parse(r#"{"sub":"alice"}"#).unwrap(),
            )),
        }
    }
    fn lifetime(&self) -> VerdictLifetime {
        VerdictLifetime::accepted(Duration::from_secs(30)).revoked(Duration::from_secs(20))
    }
}
#[tokio::test]
async fn a_revocation_found_out_is_not_cleared_by_an_earlier_proof() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let (open, release) = watch::channel(true);
    let revoked = Arc::new(AtomicBool::new(true));
    let verifier = Held { release, revoked };
    let server = ResourceServer::builder()
        .clock(clock.clone())
        .verifier(verifier)
        .build()
        .unwrap();
    let fresh = server
        .fresh(Freshness::within(Duration::from_secs(5)))
        .unwrap();
    let bearing = || {
        Request::get("/")
            .header("authorization", "Bearer t0k3n-of-alice")
            .body(())
            .unwrap()
            .into_parts()
            .0
    };
    let mut parts = bearing();
    server.authenticate(&mut parts).await.unwrap();
    clock.advance(Duration::from_secs(30));
    open.send_replace(false);
    let other = server.clone();
    let proof = tokio::spawn(async move { show(&other, "t0k3n-of-alice").await });
    settle().await;
    assert!(fresh.confirm(&mut parts).await.is_err(), "revoked");
    assert!(
        show(&server, "t0k3n-of-alice").await.is_err(),
        "refused everywhere"
    );
    open.send_replace(true);
    proof.await.unwrap().unwrap();
    clock.advance(Duration::from_secs(1));
    let outcome = show(&server, "t0k3n-of-alice").await;
    assert!(outcome.is_err(), "refused everywhere for 20 s");
}

#[tokio::test]
async fn a_replayed_signed_answer_is_not_fresh() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let issuer = watched::builder().clock(clock.clone()).build();
    issuer.client("gate", "s3cret");
    let endpoint = issuer.introspection_endpoint();
    let keys = RemoteJwks::discover(issuer.issuer()).fetch(issuer.fetcher());
    let verifier =
        IntrospectionVerifier::builder(&endpoint, ClientAuth::basic("gate", "s3cret"), AUDIENCE)
            .fetch(issuer.fetcher())
            .issuer(issuer.issuer())
            .signed_answers(keys.build().unwrap());
    let server = issuer
        .resource_server()
        .verifier(verifier.build().unwrap())
        .build()
        .unwrap();
    let fresh = server
        .fresh(Freshness::within(Duration::from_secs(5)))
        .unwrap();
    let recorded = {
        let claims = json!({"iss": issuer.issuer(), "aud": "gate", "iat": NOW,
            "token_introspection": {"active": true, "aud": AUDIENCE, "sub": "mallory", "exp": NOW + 6000}});
        issuer
            .token()
            .typ("token-introspection+jwt")
            .raw_payload(claims.to_string())
            .mint()
    };
    let path: http::Uri = endpoint.parse().unwrap();
    issuer.answer_at(Method::POST, path.path(), move |_: &Desk<'_>, _: &_| {
        Response::new(recorded.clone().into_bytes())
    });
    // Five minutes later the token (any token!) is long revoked; whoever sits in between replays.
    clock.advance(Duration::from_secs(300));
    settle().await;
    let mut parts = Request::get("/")
        .header("authorization", "Bearer any-token-at-all")
        .body(())
        .unwrap()
        .into_parts()
        .0;
    let outcome = async {
        server.authenticate(&mut parts).await?;
        fresh.confirm(&mut parts).await
    }
    .await;
    assert!(outcome.is_err(), "an answer of 300 s ago passes within 5 s");
}

#[test]
fn status_tells_no_secret() {
    let issuer = watched::issuer();
    let keys = RemoteJwks::at("https://as.example/jwks?key=k3y-s3cret")
        .fetch(issuer.fetcher())
        .build()
        .unwrap();
    let shown = format!("{keys:?}");
    let jwt = JwtVerifier::builder(issuer.issuer(), AUDIENCE)
        .keys(keys)
        .build()
        .unwrap();
    let server = ResourceServer::builder().verifier(jwt).build().unwrap();
    let status = serde_json::to_string(&server.status()).unwrap();
    assert!(
        !status.contains("k3y-s3cret") && !shown.contains("k3y-s3cret"),
        "{status} {shown}"
    );
}

#[tokio::test]
async fn a_crowd_is_no_outage() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    #[derive(Clone)]
    struct Crowd(ManualClock);
    impl Fetch for Crowd {
        async fn fetch(
            &self,
            request: Request<Vec<u8>>,
            _: usize,
        ) -> Result<Response<Vec<u8>>, FetchError> {
            let form = String::from_utf8_lossy(request.body()).into_owned();
            if form.contains("junk") {
                self.0.sleep(Duration::from_secs(1)).await; // slow, and well
                return Ok(Response::new(br#"{"active":false}"#.to_vec()));
            }
            let revoked = self.0.now() > UnixTime::from_secs(NOW + 10);
            let text = if revoked {
                r#"{"active":false}"#
            } else {
                ACTIVE
            };
            Ok(Response::new(text.as_bytes().to_vec()))
        }
    }
    let verifier = IntrospectionVerifier::builder(
        "https://as.example/i",
        ClientAuth::basic("g", "s3cret"),
        AUDIENCE,
    )
    .fetch(Crowd(clock.clone()))
    .trust_accepted_while_down(Duration::from_secs(3600))
    .build()
    .unwrap();
    let server = ResourceServer::builder()
        .clock(clock.clone())
        .verifier(verifier)
        .build()
        .unwrap();
    show(&server, "mallorys-token").await.unwrap();
    clock.advance(Duration::from_secs(1800));
    for n in 0..1064 {
        let server = server.clone();
        tokio::spawn(async move { show(&server, &format!("junk-{n}")).await });
    }
    settle().await;
    settle().await;
    let outcome = show(&server, "mallorys-token").await;
    assert!(
        outcome.is_err(),
        "revoked half an hour ago, the endpoint is well"
    );
}

#[tokio::test]
async fn a_signed_answer_poisons_no_key() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let issuer = watched::builder().clock(clock.clone()).build();
    issuer.client("gate", "s3cret");
    let keys = RemoteJwks::at(&issuer.jwks_uri())
        .fetch(issuer.fetcher())
        .build()
        .unwrap();
    let (open, release) = watch::channel(false);
    #[derive(Clone)]
    struct Slow<F>(F, watch::Receiver<bool>);
    impl<F: Fetch> Fetch for Slow<F> {
        async fn fetch(
            &self,
            request: Request<Vec<u8>>,
            max: usize,
        ) -> Result<Response<Vec<u8>>, FetchError> {
            self.1.clone().wait_for(|open| *open).await.unwrap();
            self.0.fetch(request, max).await
        }
    }
    let opaque = IntrospectionVerifier::builder(
        &issuer.introspection_endpoint(),
        ClientAuth::basic("gate", "s3cret"),
        AUDIENCE,
    )
    .fetch(Slow(issuer.fetcher(), release))
    .issuer(issuer.issuer())
    .signed_answers(keys.clone())
    .build()
    .unwrap();
    let jwt = JwtVerifier::builder(issuer.issuer(), AUDIENCE)
        .keys(keys)
        .build()
        .unwrap();
    let server = issuer
        .resource_server()
        .route(When::jwt(), jwt)
        .verifier(opaque)
        .build()
        .unwrap();
    show(&server, &issuer.token().mint()).await.unwrap();
    clock.advance(Duration::from_secs(10));
    settle().await;
    // An opaque token is asked about; the issuer is slow.
    let opaque = issuer.opaque().mint();
    let own = server.clone();
    let slow = tokio::spawn(async move { show(&own, &opaque).await });
    settle().await;
    // Meanwhile somebody's unknown kid causes a fetch.
    clock.advance(Duration::from_secs(1));
    show(&server, &issuer.token().header("kid", "made-up").mint())
        .await
        .unwrap_err();
    // Then the issuer makes a new key, and signs its answer with it.
    clock.advance(Duration::from_secs(1));
    issuer.rotate();
    open.send_replace(true);
    let slow = slow.await.unwrap();
    let outcome = show(&server, &issuer.token().mint()).await;
    assert_ne!(
        reason(&outcome),
        Some(Reason::UnknownKey),
        "{slow:?} {outcome:?}"
    );
}

#[tokio::test]
async fn a_lifetime_without_end() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let fetch = Answers(|_| Ok(Response::new(ACTIVE.as_bytes().to_vec())));
    let verifier = IntrospectionVerifier::builder(
        "https://as.example/i",
        ClientAuth::basic("g", "s3cret"),
        AUDIENCE,
    )
    .fetch(fetch)
    .remember_accepted(Duration::MAX)
    .remember_refused(Duration::MAX)
    .build()
    .unwrap();
    let server = ResourceServer::builder()
        .clock(clock)
        .verifier(verifier)
        .build()
        .unwrap();
    for _ in 0..3 {
        show(&server, "good").await.unwrap();
    }
}

#[tokio::test]
async fn the_status_tells_that_no_answer_can_be_used() {
    let clock = ManualClock::at(UnixTime::from_secs(NOW));
    let issuer = watched::builder().clock(clock.clone()).build();
    let fetch = Answers(|_| Ok(Response::new(b"<html>maintenance</html>".to_vec())));
    let keys = RemoteJwks::at(&issuer.jwks_uri())
        .fetch(issuer.fetcher())
        .build()
        .unwrap();
    let verifier = IntrospectionVerifier::builder(
        "https://as.example/i",
        ClientAuth::basic("g", "s3cret"),
        AUDIENCE,
    )
    .fetch(fetch)
    .issuer(issuer.issuer())
    .signed_answers(keys)
    .build()
    .unwrap();
    let server = ResourceServer::builder()
        .clock(clock)
        .verifier(verifier)
        .build()
        .unwrap();
    for n in 0..20 {
        show(&server, &format!("t-{n}")).await.unwrap_err();
    }
    let status = server.status().endpoints.remove(0);
    assert!(
        status.failures > 0 && status.last_error.is_some(),
        "{status:?}"
    );
}

/// With serde_json's feature `raw_value`, which axum turns on, an object with such a member is what its text
/// says. This one says nothing that is JSON, and would take every other claim along.
fn spoilt() -> serde_json::Value {
    json!({"$serde_json::private::RawValue": "}"})
}

#[tokio::test]
async fn no_claim_makes_the_gate_forget_another() {
    const REFUSED: &str =
        "claims are no strict JSON object: a member has a name that serde_json keeps for itself";
    let issuer = watched::builder()
        .clock(ManualClock::at(UnixTime::from_secs(NOW)))
        .build();
    let jwt = issuer.jwt_verifier(AUDIENCE).build().unwrap();
    let person = Kind::named("person").without_claim("robot");
    let kinds = [
        person.also_ends_at("/session/end"),
        Kind::named("robot").with_claim("robot"),
    ];
    let server = issuer.resource_server().verifier(jwt);
    let server = server.kinds(Kinds::new(kinds).unwrap()).build().unwrap();
    let robot = || issuer.token().claim("robot", true);
    let token = show(&server, &robot().mint()).await.unwrap();
    assert_eq!(token.kind(), "robot");
    let ended = || issuer.token().claim("session", json!({"end": 1}));
    let error = show(&server, &ended().mint()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Expired);
    for token in [robot(), ended()] {
        let token = token.claim("meta", spoilt()).mint();
        let error = show(&server, &token).await.unwrap_err();
        assert_eq!(error.to_string(), REFUSED);
    }

    let known = portcullis::profile::auth0::Organizations::none().known("org_good");
    let jwt = issuer.jwt_verifier(AUDIENCE).build().unwrap();
    let server = portcullis::profile::auth0::server(known).clock(issuer.clock().clone());
    let server = server.verifier(jwt).build().unwrap();
    let stranger = issuer.token().claim("org_id", "org_evil");
    let token = stranger.claim("meta", spoilt()).mint();
    let error = show(&server, &token).await.unwrap_err();
    assert_eq!(error.to_string(), REFUSED);
}

#[tokio::test]
async fn nor_does_an_answer_and_it_opens_no_circuit() {
    let issuer = watched::issuer();
    let endpoint = issuer.introspection_endpoint();
    issuer.client("gate", "s3cret-of-the-gate");
    let auth = ClientAuth::basic("gate", "s3cret-of-the-gate");
    let verifier = IntrospectionVerifier::builder(&endpoint, auth, AUDIENCE);
    let verifier = verifier.fetch(issuer.fetcher()).build().unwrap();
    let server = issuer.resource_server().verifier(verifier).build().unwrap();
    let path: http::Uri = endpoint.parse().unwrap();
    let answer = |meta: serde_json::Value| {
        let all = json!({"active": true, "aud": AUDIENCE, "sub": "alice", "token_type": "DPoP", "meta": meta});
        issuer.answer_at(Method::POST, path.path(), move |_: &Desk<'_>, _: &_| {
            Response::new(all.to_string().into_bytes())
        });
    };
    answer(json!({}));
    let error = show(&server, "opaque-token-0").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "token_type is \"DPoP\", wanted \"Bearer\" or none"
    );
    answer(spoilt());
    for n in 1..20 {
        let error = show(&server, &format!("opaque-token-{n}"))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the introspection endpoint cannot be asked: answer is no strict JSON object: a member has a name that serde_json keeps for itself"
        );
    }
}

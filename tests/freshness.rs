//! Revocation as a number: routes that state how old the knowledge of their tokens may be.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::request::Parts;
use http::{Request, StatusCode};
use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock, Trouble};
use portcullis::*;
use serde_json::json;
use tower::ServiceExt as _;

const AUDIENCE: &str = "https://api.example.com/";
const WITHIN: Duration = Duration::from_secs(5);

/// An issuer of JWTs and opaque tokens that answers about both, on a clock turned by hand.
struct Issuer {
    server: AuthorizationServer,
    clock: ManualClock,
}

impl Issuer {
    fn new() -> Issuer {
        let clock = ManualClock::at(UnixTime::from_secs(1_795_262_400));
        Issuer::on(clock, "https://as.example")
    }

    fn on(clock: ManualClock, origin: &str) -> Issuer {
        let builder = watched::builder().clock(clock.clone());
        let server = builder.origin(origin).build();
        server.client("gate", "s3cret");
        Issuer { server, clock }
    }

    fn introspection(&self) -> IntrospectionVerifier {
        let auth = ClientAuth::basic("gate", "s3cret");
        let endpoint = self.server.introspection_endpoint();
        let builder = IntrospectionVerifier::builder(&endpoint, auth, AUDIENCE);
        builder.fetch(self.server.fetcher()).build().unwrap()
    }

    /// Proves JWTs, and asks the introspection endpoint whether they still stand.
    fn jwt(&self) -> JwtVerifier {
        let builder = self.server.jwt_verifier(AUDIENCE);
        builder.confirmed_by(self.introspection()).build().unwrap()
    }

    fn gate(&self, verifier: impl Verifier) -> Gate {
        Gate::of(self.server.resource_server().verifier(verifier))
    }

    fn asked(&self) -> usize {
        self.server.asked(Endpoint::Introspection)
    }

    fn pass(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }
}

/// A server, and the guard of its fresh route.
#[derive(Clone)]
struct Gate {
    server: ResourceServer,
    fresh: FreshGuard,
}

impl Gate {
    fn of(builder: ResourceServerBuilder) -> Gate {
        Gate::within(WITHIN, builder)
    }

    fn within(within: Duration, builder: ResourceServerBuilder) -> Gate {
        let server = builder.build().unwrap();
        let fresh = server.fresh(Freshness::within(within)).unwrap();
        Gate { server, fresh }
    }

    /// Shows a token where freshness is demanded.
    async fn fresh(&self, token: &str) -> Result<AccessToken, Error> {
        let mut parts = bearing(token);
        self.server.authenticate(&mut parts).await?;
        self.fresh.confirm(&mut parts).await?;
        Ok(AccessToken::of(&parts.extensions).unwrap().clone())
    }

    /// Shows it anywhere else.
    async fn show(&self, token: &str) -> Result<AccessToken, Error> {
        let token = self.server.authenticate(&mut bearing(token)).await?;
        Ok(token.unwrap())
    }
}

fn bearing(token: &str) -> Parts {
    with_headers(&[("authorization", &format!("Bearer {token}"))])
}

fn with_headers(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn reason(outcome: &Result<AccessToken, Error>) -> Option<Reason> {
    outcome.as_ref().err().map(Error::reason)
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_known_of_an_opaque_token_is_younger_than_the_number() {
    let issuer = Issuer::new();
    let gate = issuer.gate(issuer.introspection());
    let token = issuer.server.opaque().mint();
    let began = issuer.clock.now();
    let shown = gate.show(&token).await.unwrap();
    assert_eq!(shown.confirmed_at(), Some(began));
    for (millis, asked) in [(0, 1), (4_999, 1), (1, 2), (4_999, 2), (1, 3)] {
        issuer.pass(millis);
        gate.fresh(&token).await.unwrap();
        assert_eq!(issuer.asked(), asked, "{millis} ms later");
    }
    // What was asked for the fresh route is remembered for all.
    let shown = gate.show(&token).await.unwrap();
    assert_eq!(shown.confirmed_at(), Some(began + 2 * WITHIN));
    issuer.pass(29_999);
    gate.show(&token).await.unwrap();
    assert_eq!(issuer.asked(), 3);
}

#[tokio::test]
async fn a_revoked_opaque_token_is_refused_within_the_number_and_then_everywhere() {
    let issuer = Issuer::new();
    let gate = issuer.gate(issuer.introspection());
    let token = issuer.server.opaque().mint();
    gate.fresh(&token).await.unwrap();
    assert!(issuer.server.revoke(&token));
    issuer.pass(4_999);
    gate.fresh(&token)
        .await
        .expect("for less than five seconds");
    issuer.pass(1);
    gate.show(&token)
        .await
        .expect("elsewhere for less than thirty");
    assert_eq!(reason(&gate.fresh(&token).await), Some(Reason::Inactive));
    assert_eq!(issuer.asked(), 2);
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::Inactive));
    assert_eq!(issuer.asked(), 2, "the refusal is remembered");
}

#[tokio::test]
async fn a_jwt_is_asked_about_where_freshness_is_demanded_and_nowhere_else() {
    let issuer = Issuer::new();
    let gate = issuer.gate(issuer.jwt());
    let token = issuer.server.token().claim("tenant", 7).mint();
    let shown = gate.show(&token).await.unwrap();
    assert_eq!((shown.confirmed_at(), issuer.asked()), (None, 0));
    let began = issuer.clock.now();
    let confirmed = gate.fresh(&token).await.unwrap();
    assert_eq!(confirmed.confirmed_at(), Some(began));
    assert_eq!(confirmed.claims().get("tenant"), Some(&json!(7)));
    // The claims are the token's, not the answer's.
    assert_eq!(confirmed.claims().get("active"), None);
    let sent = issuer.server.last_request(Endpoint::Introspection).unwrap();
    let sent = String::from_utf8(sent.into_body()).unwrap();
    assert!(sent.contains(&format!("token={token}&")), "{sent}");
    for (millis, before, asked) in [(4_999, 1, 1), (1, 1, 2), (60_000, 2, 3)] {
        issuer.pass(millis);
        gate.show(&token).await.unwrap();
        assert_eq!(issuer.asked(), before, "{millis} ms later");
        gate.fresh(&token).await.unwrap();
        assert_eq!(issuer.asked(), asked, "{millis} ms later");
    }
}

#[tokio::test]
async fn a_revoked_jwt_is_refused_within_the_number_and_elsewhere_while_that_is_remembered() {
    let issuer = Issuer::new();
    let gate = issuer.gate(issuer.jwt());
    let token = issuer.server.token().mint();
    gate.fresh(&token).await.unwrap();
    assert!(issuer.server.revoke(&token));
    issuer.pass(4_999);
    gate.fresh(&token).await.unwrap();
    issuer.pass(1);
    gate.show(&token).await.unwrap();
    assert_eq!(reason(&gate.fresh(&token).await), Some(Reason::Inactive));
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::Inactive));
    issuer.pass(9_999);
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::Inactive));
    assert_eq!(issuer.asked(), 2);
    // A refusal is remembered for ten seconds; the signature is as good as ever.
    issuer.pass(1);
    gate.show(&token).await.unwrap();
    assert_eq!(issuer.asked(), 2);
    assert_eq!(reason(&gate.fresh(&token).await), Some(Reason::Inactive));
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::Inactive));
}

#[tokio::test]
async fn a_forged_jwt_is_never_asked_about() {
    let issuer = Issuer::new();
    let gate = issuer.gate(issuer.jwt());
    let forged = issuer.server.token().signature("forged").mint();
    assert_eq!(reason(&gate.fresh(&forged).await), Some(Reason::Signature));
    // Nor one whose key was withdrawn since it was let in.
    let token = issuer.server.token().mint();
    let mut parts = bearing(&token);
    gate.server.authenticate(&mut parts).await.unwrap();
    issuer.server.rotate();
    issuer.server.withdraw_old();
    issuer.pass(600_000);
    let mut confirming = Box::pin(gate.fresh.confirm(&mut parts));
    let mut refused = None;
    for _ in 0..30 {
        refused = refused.or(poll_on(&mut confirming).await);
        if refused.is_some() {
            break;
        }
        issuer.pass(100);
    }
    let refused = refused.expect("it is told within three seconds");
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidToken);
    assert_eq!(issuer.asked(), 0);
}

/// Lets a future run until it waits for the clock.
async fn poll_on<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    for _ in 0..50 {
        let poll = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx))
        });
        if let std::task::Poll::Ready(done) = poll.await {
            return Some(done);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn zero_asks_on_each_request() {
    let issuer = Issuer::new();
    for (verifier, token, before) in [
        (Some(issuer.jwt()), issuer.server.token().mint(), 0),
        (None, issuer.server.opaque().mint(), 1),
    ] {
        let builder = issuer.server.resource_server();
        let builder = match verifier {
            Some(jwt) => builder.verifier(jwt),
            None => builder.verifier(issuer.introspection()),
        };
        let gate = Gate::within(Duration::ZERO, builder);
        let began = issuer.asked();
        gate.show(&token).await.unwrap();
        assert_eq!(issuer.asked() - began, before);
        for number in 1..=3 {
            gate.fresh(&token).await.unwrap();
            assert_eq!(issuer.asked() - began, before + number);
        }
        // At the same time, too: none may rely on what another asked before.
        let all: Vec<_> = (0..4)
            .map(|_| {
                let (gate, token) = (gate.clone(), token.clone());
                tokio::spawn(async move { gate.fresh(&token).await })
            })
            .collect();
        for one in all {
            one.await.unwrap().unwrap();
        }
        assert_eq!(issuer.asked() - began, before + 7);
    }
}

#[tokio::test]
async fn who_asks_the_same_at_the_same_time_asks_once() {
    let issuer = Issuer::new();
    let gate = issuer.gate(issuer.jwt());
    let token = issuer.server.token().mint();
    gate.show(&token).await.unwrap();
    let all = |count: usize| -> Vec<_> {
        let shown = (0..count).map(|_| {
            let (gate, token) = (gate.clone(), token.clone());
            tokio::spawn(async move { gate.fresh(&token).await })
        });
        shown.collect()
    };
    for one in all(20) {
        one.await.unwrap().unwrap();
    }
    assert_eq!(issuer.asked(), 1);

    // A call that began too long ago tells nothing: it may have been asked before the revocation.
    issuer.pass(60_000);
    let late = Trouble::Late(Duration::from_secs(7));
    issuer.server.trouble(Endpoint::Introspection, late);
    let builder = IntrospectionVerifier::builder(
        &issuer.server.introspection_endpoint(),
        ClientAuth::basic("gate", "s3cret"),
        AUDIENCE,
    );
    let slow = builder
        .fetch(issuer.server.fetcher())
        .deadline(Duration::from_secs(20));
    let jwt = issuer
        .server
        .jwt_verifier(AUDIENCE)
        .confirmed_by(slow.build().unwrap());
    let gate = issuer.gate(jwt.build().unwrap());
    gate.show(&token).await.unwrap();
    let shown = |gate: &Gate| {
        let (gate, token) = (gate.clone(), token.clone());
        tokio::spawn(async move { gate.fresh(&token).await })
    };
    let before = issuer.asked();
    let early = shown(&gate);
    settle().await;
    assert!(issuer.server.revoke(&token));
    issuer.pass(4_999);
    let joins = shown(&gate);
    settle().await;
    assert_eq!(issuer.asked() - before, 1);
    issuer.pass(1);
    let asks = shown(&gate);
    settle().await;
    assert_eq!(issuer.asked() - before, 2);
    issuer.pass(2_000);
    early.await.unwrap().expect("asked before the revocation");
    joins.await.unwrap().expect("less than five seconds before");
    issuer.pass(5_000);
    assert_eq!(reason(&asks.await.unwrap()), Some(Reason::Inactive));
}

#[tokio::test]
async fn what_was_asked_before_a_revocation_does_not_come_back_after_it() {
    let issuer = Issuer::new();
    let gate = Gate::within(
        Duration::from_secs(1),
        issuer
            .server
            .resource_server()
            .verifier(issuer.introspection()),
    );
    let token = issuer.server.opaque().mint();
    gate.show(&token).await.unwrap();
    issuer.pass(2_000);
    let late = Trouble::Late(Duration::from_secs(4));
    issuer.server.trouble(Endpoint::Introspection, late);
    let early = {
        let (gate, token) = (gate.clone(), token.clone());
        tokio::spawn(async move { gate.fresh(&token).await })
    };
    settle().await;
    issuer.server.revoke(&token);
    issuer.server.calm(Endpoint::Introspection);
    issuer.pass(1_000);
    let later = {
        let (gate, token) = (gate.clone(), token.clone());
        tokio::spawn(async move { gate.fresh(&token).await })
    };
    settle().await;
    assert!(later.is_finished(), "it joins no call of before");
    assert_eq!(reason(&later.await.unwrap()), Some(Reason::Inactive));
    issuer.pass(3_000);
    early.await.unwrap().expect("it was good when it was asked");
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::Inactive));
}

#[tokio::test]
async fn during_an_outage_the_fresh_route_is_down_and_the_others_are_not() {
    let issuer = Issuer::new();
    for (jwt, token) in [
        (true, issuer.server.token().mint()),
        (false, issuer.server.opaque().mint()),
    ] {
        let gate = match jwt {
            true => issuer.gate(issuer.jwt()),
            false => issuer.gate(issuer.introspection()),
        };
        gate.fresh(&token).await.unwrap();
        let outage = Trouble::StatusWithRetryAfter(503, 17);
        issuer.server.trouble(Endpoint::Introspection, outage);
        issuer.pass(5_000);
        let mut parts = bearing(&token);
        gate.server.authenticate(&mut parts).await.unwrap();
        let error = gate.fresh.confirm(&mut parts).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
        assert!(
            AccessToken::of(&parts.extensions).is_some(),
            "it is as good as elsewhere"
        );
        gate.show(&token).await.unwrap();
        issuer.server.calm(Endpoint::Introspection);
        // It is asked again when it wants to be.
        issuer.pass(17_000);
        gate.fresh(&token).await.unwrap();
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_nothing_fresh() {
    let issuer = Issuer::new();
    let gate = issuer.gate(issuer.introspection());
    let token = issuer.server.opaque().expires_in(7_200).mint();
    gate.fresh(&token).await.unwrap();
    issuer
        .clock
        .set(issuer.clock.now() - Duration::from_secs(10));
    gate.fresh(&token).await.unwrap();
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn what_is_remembered_counts_from_the_asking_not_from_the_answer() {
    let issuer = Issuer::new();
    let gate = issuer.gate(issuer.introspection());
    let token = issuer.server.opaque().mint();
    let late = Trouble::Late(Duration::from_secs(4));
    issuer.server.trouble(Endpoint::Introspection, late);
    let shown = {
        let (gate, token) = (gate.clone(), token.clone());
        tokio::spawn(async move { gate.show(&token).await })
    };
    settle().await;
    let began = issuer.clock.now();
    issuer.pass(4_000);
    assert_eq!(shown.await.unwrap().unwrap().confirmed_at(), Some(began));
    issuer.server.calm(Endpoint::Introspection);
    issuer.pass(25_999);
    gate.show(&token).await.unwrap();
    assert_eq!(issuer.asked(), 1);
    issuer.pass(1);
    gate.show(&token).await.unwrap();
    assert_eq!(issuer.asked(), 2);
}

/// Answers about any token with the claims it was given.
struct Says(&'static str);

impl Lookup for Says {
    async fn look_up(&self, _: &str) -> Result<Option<ClaimSet>, Unavailable> {
        Ok(Some(ClaimSet::parse(self.0)?))
    }
}

#[tokio::test]
async fn an_answer_about_another_token_confirms_nothing() {
    let issuer = Issuer::new();
    for (answer, refused) in [
        ("{}", None),
        (r#"{"sub":"alice"}"#, None),
        (r#"{"iss":"https://as.example","sub":"alice"}"#, None),
        (r#"{"iss":"https://former.example"}"#, None),
        (
            r#"{"sub":"bob"}"#,
            Some((
                Reason::Subject,
                r#"whoever confirms the token says that its sub is "bob", wanted "alice" as in the token"#,
            )),
        ),
        (
            r#"{"iss":"https://other.example","sub":"alice"}"#,
            Some((
                Reason::Issuer,
                r#"whoever confirms the token says that its iss is "https://other.example", wanted "https://as.example" as in the token"#,
            )),
        ),
    ] {
        let lookup = LookupVerifier::builder(Says(answer)).build().unwrap();
        let jwt = issuer.server.jwt_verifier(AUDIENCE);
        let jwt = jwt
            .also_issuer("https://former.example")
            .confirmed_by(lookup);
        let gate = issuer.gate(jwt.build().unwrap());
        let outcome = gate.fresh(&issuer.server.token().mint()).await;
        let found = outcome
            .err()
            .map(|error| (error.reason(), error.to_string()));
        assert_eq!(
            found,
            refused.map(|(reason, text)| (reason, text.to_owned())),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_names_a_subject_confirms_no_token_without_one() {
    let issuer = Issuer::new();
    let lookup = LookupVerifier::builder(Says(r#"{"sub":"bob"}"#))
        .build()
        .unwrap();
    let jwt = issuer
        .server
        .jwt_verifier(AUDIENCE)
        .legacy_missing_subject();
    let gate = issuer.gate(jwt.confirmed_by(lookup).build().unwrap());
    let error = gate
        .fresh(&issuer.server.token().without("sub").mint())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"whoever confirms the token says that its sub is "bob", wanted none as in the token"#
    );
}

/// Answers that a token is about itself.
struct Echo;

impl Lookup for Echo {
    async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
        Ok(Some(ClaimSet::from_serialize(&json!({"sub": token}))?))
    }
}

#[tokio::test]
async fn an_answer_that_repeats_the_token_is_not_told() {
    let issuer = Issuer::new();
    let lookup = LookupVerifier::builder(Echo).build().unwrap();
    let jwt = issuer.server.jwt_verifier(AUDIENCE).confirmed_by(lookup);
    let gate = issuer.gate(jwt.build().unwrap());
    let error = gate.fresh(&issuer.server.token().mint()).await.unwrap_err();
    assert_eq!(error.to_string(), "[withheld: it repeats a secret]");
}

/// A server with a JWT in `Authorization` and an opaque token in `App-Token`.
fn two_slots(issuer: &Issuer) -> ResourceServerBuilder {
    let slot = CredentialSlot::new().carrier(Carrier::header("App-Token").unwrap());
    issuer
        .server
        .resource_server()
        .kind(Kind::named("user"), issuer.jwt())
        .second_slot(slot.kind(Kind::named("app"), issuer.introspection()))
}

#[tokio::test]
async fn every_credential_of_a_request_is_confirmed() {
    let issuer = Issuer::new();
    let (tied, checked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (ties, checks) = (tied.clone(), checked.clone());
    let builder = two_slots(&issuer).tie(move |_, _| {
        ties.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let gate = Gate::of(builder.check_with(move |_, _| {
        checks.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }));
    let user = issuer.server.token().mint();
    let app = issuer.server.opaque().subject("shop").mint();
    let bearer = format!("Bearer {user}");
    let both = [("authorization", &*bearer), ("app-token", &*app)];
    let fresh = async |headers: &[(&str, &str)]| {
        let mut parts = with_headers(headers);
        gate.server.authenticate(&mut parts).await?;
        gate.fresh.confirm(&mut parts).await?;
        Ok::<_, Error>(parts)
    };
    let counts = || {
        let count = |counter: &AtomicUsize| counter.swap(0, Ordering::Relaxed);
        (count(&tied), count(&checked))
    };
    struct User;
    impl TokenKind for User {
        const NAME: &'static str = "user";
    }
    struct App;
    impl TokenKind for App {
        const NAME: &'static str = "app";
    }

    // The app's token was asked about a moment ago, the user's was not.
    let parts = fresh(&both).await.unwrap();
    let began = issuer.clock.now();
    let user_token = AccessToken::of_kind::<User>(&parts.extensions).unwrap();
    assert_eq!(user_token.confirmed_at(), Some(began));
    let app_token = AccessToken::of_kind::<App>(&parts.extensions).unwrap();
    assert_eq!(
        (app_token.subject(), app_token.confirmed_at()),
        (Some("shop"), Some(began))
    );
    assert_eq!(issuer.asked(), 2);
    // Seen, asked and confirmed; the checks once more for the one that was replaced.
    let (ties, checks) = counts();
    assert_eq!((ties, checks % 2), (2, 1));
    issuer.pass(5_000);
    fresh(&both).await.unwrap();
    assert_eq!((issuer.asked(), counts()), (4, (2, 4)));
    fresh(&both).await.unwrap();
    assert_eq!(
        (issuer.asked(), counts()),
        (4, (1, 2)),
        "nothing is replaced"
    );

    // An empty slot has nothing to confirm.
    fresh(&both[..1]).await.unwrap();
    fresh(&both[1..]).await.unwrap();
    assert_eq!(issuer.asked(), 4);

    issuer.pass(5_000);
    assert!(issuer.server.revoke(&app));
    let error = fresh(&both).await.unwrap_err();
    assert_eq!(
        (error.reason(), error.carrier()),
        (Reason::Inactive, Some("app-token"))
    );
    fresh(&both[..1]).await.unwrap();
    assert!(issuer.server.revoke(&user));
    issuer.pass(5_000);
    let error = fresh(&both[..1]).await.unwrap_err();
    assert_eq!(
        (error.reason(), error.carrier()),
        (Reason::Inactive, Some("Authorization"))
    );
}

#[tokio::test]
async fn ties_and_checks_see_what_was_confirmed() {
    let issuer = Issuer::new();
    let answer = |tenant: i64| json!({"active": true, "aud": AUDIENCE, "tenant": tenant});
    for by_tie in [true, false] {
        let builder = two_slots(&issuer);
        let gate = Gate::of(match by_tie {
            true => builder.tie(|_, app| match app.claims().get("tenant") {
                Some(tenant) if *tenant == 7 => Ok(()),
                _ => Err(Error::forbidden("they are of different tenants")),
            }),
            false => builder.check_with(|token, _| match token.claims().get("tenant") {
                Some(tenant) if *tenant == 8 => Err(Error::forbidden("tenant 8 is closed")),
                _ => Ok(()),
            }),
        });
        let user = format!("Bearer {}", issuer.server.token().mint());
        let app = issuer.server.opaque().response(answer(7)).mint();
        let mut parts = with_headers(&[("authorization", &user), ("app-token", &app)]);
        gate.server.authenticate(&mut parts).await.unwrap();
        issuer.server.trouble(
            Endpoint::Introspection,
            Trouble::Body(answer(8).to_string()),
        );
        issuer.pass(5_000);
        let error = gate.fresh.confirm(&mut parts).await.unwrap_err();
        let wanted = match by_tie {
            true => "they are of different tenants",
            false => "tenant 8 is closed",
        };
        assert_eq!(error.to_string(), wanted);
        assert!(
            AccessToken::of(&parts.extensions).is_none(),
            "nothing is left of it"
        );
        issuer.server.calm(Endpoint::Introspection);
    }
}

#[tokio::test]
async fn each_issuer_is_asked_about_its_own_tokens() {
    let one = Issuer::new();
    let other = Issuer::on(one.clock.clone(), "https://login.example.org");
    let gate = one.gate(ByIssuer::new([one.jwt(), other.jwt()]).unwrap());
    let (first, second) = (one.server.token().mint(), other.server.token().mint());
    gate.fresh(&first).await.unwrap();
    assert_eq!((one.asked(), other.asked()), (1, 0));
    gate.fresh(&second).await.unwrap();
    assert_eq!((one.asked(), other.asked()), (1, 1));
    other.server.revoke(&second);
    one.pass(5_000);
    gate.fresh(&first).await.unwrap();
    assert_eq!(reason(&gate.fresh(&second).await), Some(Reason::Inactive));
    // Also what that issuer's answers are remembered for.
    assert_eq!(reason(&gate.show(&second).await), Some(Reason::Inactive));

    let blind = other.server.jwt_verifier(AUDIENCE).build().unwrap();
    let server = one.server.resource_server();
    let server = server.verifier(ByIssuer::new([one.jwt(), blind]).unwrap());
    let refused = server.build().unwrap().fresh(Freshness::within(WITHIN));
    assert_eq!(
        refused.unwrap_err().to_string(),
        r#"the verifier of the issuers ["https://as.example", "https://login.example.org"] cannot find out whether a token was revoked, wanted JwtVerifierBuilder::confirmed_by for each"#
    );
}

#[tokio::test]
async fn of_kinds_with_verifiers_of_their_own_the_right_one_is_asked() {
    let user = Issuer::new();
    let machine = Issuer::on(user.clock.clone(), "https://machines.example");
    let opaque = Issuer::on(user.clock.clone(), "https://opaque.example");
    let builder = user
        .server
        .resource_server()
        .route(When::opaque(), Arc::new(opaque.introspection()))
        .kinds(Kinds::new([Kind::named("session").without_claim("jti")]).unwrap())
        .kind(Kind::named("user").with_claim("jti"), user.jwt())
        .kind(Kind::named("machine").with_claim("jti"), machine.jwt());
    let gate = Gate::of(builder);
    let shown = [
        (user.server.token().mint(), "user"),
        (machine.server.token().mint(), "machine"),
        (opaque.server.opaque().mint(), "session"),
    ];
    for (token, kind) in &shown {
        assert_eq!(gate.fresh(token).await.unwrap().kind(), *kind);
    }
    assert_eq!((user.asked(), machine.asked(), opaque.asked()), (1, 1, 1));
    user.pass(5_000);
    for issuer in [&user, &machine, &opaque] {
        for (token, _) in &shown {
            issuer.server.revoke(token);
        }
    }
    for (token, kind) in &shown {
        // That the other issuer's key does not fit is not what is wrong with it.
        assert_eq!(
            reason(&gate.fresh(token).await),
            Some(Reason::Inactive),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn other_words_are_those_of_what_was_confirmed() {
    let issuer = Issuer::new();
    let verifier = Reworded::new(issuer.jwt(), |claims| {
        let subject = claims.subject().unwrap_or_default().to_uppercase();
        ClaimSet::from_serialize(&json!({"sub": subject}))
            .map_err(|error| Error::invalid_token(error.to_string()))
    });
    let gate = issuer.gate(verifier);
    let token = issuer.server.token().mint();
    let confirmed = gate.fresh(&token).await.unwrap();
    assert_eq!(confirmed.subject(), Some("ALICE"));
    assert_eq!(confirmed.confirmed_at(), Some(issuer.clock.now()));
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn static_secrets_and_what_is_always_refused_have_nobody_to_ask() {
    let issuer = Issuer::new();
    let secret = "a-secret-of-one-app";
    let claims = ClaimSet::parse(r#"{"sub":"app-1"}"#).unwrap();
    let builder = issuer
        .server
        .resource_server()
        .route(When::prefix("rt_"), Refuse::because("not here"))
        .route(When::jwt(), Arc::new(issuer.jwt()))
        .carrier(Carrier::header("App-Secret").unwrap())
        .verifier(StaticTokens::new().token(secret, claims).unwrap());
    let gate = Gate::within(Duration::ZERO, builder);
    let mut parts = with_headers(&[("app-secret", secret)]);
    gate.server.authenticate(&mut parts).await.unwrap();
    gate.fresh.confirm(&mut parts).await.unwrap();
    assert_eq!(issuer.asked(), 0);
}

/// Proves everything by itself.
struct Blind;

impl Verifier for Blind {
    async fn verify(&self, _: &Credential<'_>, _: &Moment<'_>) -> Result<Verified, Error> {
        Ok(Verified::new(ClaimSet::parse("{}").unwrap()))
    }
}

/// Asks somebody, and says so; but does not note when.
struct Forgetful(Arc<AtomicUsize>);

impl Verifier for Forgetful {
    async fn verify(&self, _: &Credential<'_>, _: &Moment<'_>) -> Result<Verified, Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Verified::new(ClaimSet::parse("{}").unwrap()))
    }

    fn sees_revocation(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_verifier_of_ones_own_is_asked_each_time_unless_it_notes_when() {
    let issuer = Issuer::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let gate = issuer.gate(Forgetful(asked.clone()));
    for _ in 0..2 {
        let token = gate.fresh("token").await.unwrap();
        assert_eq!(token.confirmed_at(), Some(issuer.clock.now()));
    }
    // The gate asked once, the guard once: that answer is remembered with its moment.
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    issuer.pass(30_000);
    gate.show("token").await.unwrap();
    gate.fresh("token").await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

#[test]
fn a_server_that_cannot_know_says_so_when_it_is_set_up() {
    let issuer = Issuer::new();
    let jwt = || issuer.server.jwt_verifier(AUDIENCE).build().unwrap();
    let server = || issuer.server.resource_server();
    let app = || CredentialSlot::new().carrier(Carrier::header("App-Token").unwrap());
    let of_issuer = "the verifier of the issuer \"https://as.example\" cannot find out whether a \
                     token was revoked, wanted JwtVerifierBuilder::confirmed_by";
    let own = |which: &str| {
        format!(
            "{which} cannot find out whether a token was revoked, wanted one whose \
             sees_revocation is true"
        )
    };
    for (builder, wanted) in [
        (server().verifier(jwt()), of_issuer.to_owned()),
        (server().verifier(Arc::new(jwt())), of_issuer.to_owned()),
        (
            server().verifier(Reworded::new(jwt(), |claims| Ok(claims.clone()))),
            of_issuer.to_owned(),
        ),
        (
            server()
                .route(When::opaque(), issuer.introspection())
                .route(When::jwt(), jwt()),
            of_issuer.to_owned(),
        ),
        (
            server().kind(Kind::named("user"), jwt()),
            of_issuer.replace("issuer \"https://as.example\"", "kind user"),
        ),
        (
            server()
                .verifier(issuer.jwt())
                .second_slot(app().kind(Kind::named("app"), Blind)),
            own("the verifier of the kind app"),
        ),
        (
            server().verifier(Blind),
            own("the verifier for every credential"),
        ),
        (
            server()
                .route(When::prefix("tk_"), Blind)
                .verifier(issuer.jwt()),
            own("the verifier of When([Prefix(\"tk_\")])"),
        ),
    ] {
        let server = builder.build().unwrap();
        let refused = server.fresh(Freshness::within(WITHIN)).unwrap_err();
        assert_eq!(refused.to_string(), wanted);
    }
    for (blind, wanted) in [
        (
            issuer.server.jwt_verifier(AUDIENCE).confirmed_by(Blind),
            "one whose sees_revocation is true",
        ),
        (
            issuer.server.jwt_verifier(AUDIENCE).confirmed_by(jwt()),
            "JwtVerifierBuilder::confirmed_by",
        ),
    ] {
        assert_eq!(
            blind.build().unwrap_err().to_string(),
            format!(
                "the verifier that is to confirm tokens cannot find out whether one was revoked, \
                 wanted {wanted}"
            )
        );
    }
}

#[tokio::test]
async fn the_guard_knows_only_what_its_own_gate_has_let_in() {
    let issuer = Issuer::new();
    let gate = issuer.gate(issuer.introspection());
    let other = issuer.gate(issuer.introspection());
    let token = issuer.server.opaque().mint();

    let mut parts = bearing(&token);
    let error = gate.fresh.confirm(&mut parts).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "FreshGuard found no verified request, wanted ResourceServer::layer outside of it"
    );

    other.server.authenticate(&mut parts).await.unwrap();
    let error = gate.fresh.confirm(&mut parts).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingLayer);
    assert_eq!(
        error.to_string(),
        "FreshGuard found a request that another server verified last, wanted the layer of its own \
         next outside of it"
    );

    // What is known already needs no credential; what must be asked does.
    gate.server.authenticate(&mut parts).await.unwrap();
    parts.headers.clear();
    gate.fresh.confirm(&mut parts).await.unwrap();
    issuer.pass(5_000);
    let error = gate.fresh.confirm(&mut parts).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingLayer);
    assert_eq!(
        error.to_string(),
        "FreshGuard found no credential in a request that had one, wanted what takes it out further \
         inside"
    );

    let mut stranger = with_headers(&[]);
    gate.server.authenticate(&mut stranger).await.unwrap();
    let error = gate.fresh.confirm(&mut stranger).await.unwrap_err();
    assert_eq!(error.reason(), Reason::NoCredential);
}

/// A router with a fresh route and another.
fn app(gate: &Gate) -> Router {
    let who = async |token: AccessToken| token.principal().to_string();
    Router::new()
        .route("/transfer", get(who))
        .route_layer(gate.fresh.layer())
        .route("/balance", get(who))
        .layer(gate.server.layer())
}

async fn call(app: &Router, path: &str, token: &str) -> (StatusCode, http::HeaderMap) {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    let request = request.body(axum::body::Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    (response.status(), response.headers().clone())
}

#[tokio::test]
async fn a_router_demands_it_of_some_routes() {
    let issuer = Issuer::new();
    let builder = issuer.server.resource_server().realm("bank");
    let gate = Gate::of(builder.verifier(issuer.jwt()));
    let app = app(&gate);
    let token = issuer.server.token().mint();
    assert_eq!(call(&app, "/balance", &token).await.0, 200);
    assert_eq!(issuer.asked(), 0);
    assert_eq!(call(&app, "/transfer", &token).await.0, 200);
    assert_eq!(call(&app, "/transfer", &token).await.0, 200);
    assert_eq!(issuer.asked(), 1);

    issuer
        .server
        .trouble(Endpoint::Introspection, Trouble::Status(500));
    issuer.pass(5_000);
    let (status, headers) = call(&app, "/transfer", &token).await;
    assert_eq!(
        (status.as_u16(), &headers["retry-after"]),
        (503, &"5".parse().unwrap())
    );
    assert_eq!(call(&app, "/balance", &token).await.0, 200);

    issuer.server.calm(Endpoint::Introspection);
    issuer.server.revoke(&token);
    let (status, headers) = call(&app, "/transfer", &token).await;
    assert_eq!(status, 401);
    assert_eq!(
        headers["www-authenticate"],
        "Bearer realm=\"bank\", error=\"invalid_token\", error_description=\"the access token is not \
         active\""
    );
    assert_eq!(call(&app, "/balance", &token).await.0, 401);
}

#[tokio::test]
async fn made_up_tokens_pass_in_tests_of_handlers() {
    let issuer = Issuer::new();
    let jwt = issuer.server.resource_server().verifier(issuer.jwt());
    let gate = Gate::within(Duration::ZERO, jwt);
    let app = Router::new()
        .route(
            "/transfer",
            get(async |token: AccessToken| token.principal().to_string()),
        )
        .route_layer(gate.fresh.layer())
        .layer(gate.server.with_claims(json!({"sub": "alice"})));
    assert_eq!(call(&app, "/transfer", "whatever").await.0, 200);
    assert_eq!(issuer.asked(), 0);
}

/// Run with `--no-default-features --features axum,jwt,introspection`.
#[cfg(not(feature = "cache"))]
#[tokio::test]
async fn without_a_memory_it_is_the_same_and_asks_more() {
    let issuer = Issuer::new();
    let jwt = (issuer.gate(issuer.jwt()), issuer.server.token().mint(), 1);
    let opaque = (
        issuer.gate(issuer.introspection()),
        issuer.server.opaque().mint(),
        1,
    );
    let each = issuer
        .server
        .resource_server()
        .verifier(issuer.introspection());
    let each = Gate::within(Duration::ZERO, each);
    let each = (each, issuer.server.opaque().mint(), 2);
    for (gate, token, calls) in [jwt, opaque, each] {
        for _ in 0..2 {
            let before = issuer.asked();
            let confirmed = gate.fresh(&token).await.unwrap();
            assert_eq!(confirmed.confirmed_at(), Some(issuer.clock.now()));
            assert_eq!(issuer.asked() - before, calls);
        }
        let mut parts = bearing(&token);
        gate.server.authenticate(&mut parts).await.unwrap();
        issuer.pass(5_000);
        issuer.server.revoke(&token);
        let error = gate.fresh.confirm(&mut parts).await.unwrap_err();
        assert_eq!(error.reason(), Reason::Inactive);
    }
}

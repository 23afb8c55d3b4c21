//! What ends what is remembered: a logout of one, of a subject, of all; and what serves for a while
//! although it has ended, while nobody can be asked.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

#[path = "showing/log.rs"]
mod log;
mod showing;
mod watched;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use log::Log;
use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock, Trouble, json_answer};
use portcullis::*;
use serde_json::json;
use showing::{reason, show};
use tokio::task::JoinHandle;

const AUDIENCE: &str = "https://api.example.com/";

/// An issuer of opaque tokens, on a clock turned by hand, and a gate that asks it.
#[derive(Clone)]
struct Gate {
    issuer: AuthorizationServer,
    clock: ManualClock,
    server: ResourceServer,
}

impl Gate {
    fn new() -> Gate {
        Gate::with(|introspection| introspection)
    }

    /// Lets accepted tokens pass for so much longer during an outage.
    fn trusting(seconds: u64) -> Gate {
        Gate::with(|introspection| {
            introspection.trust_accepted_while_down(Duration::from_secs(seconds))
        })
    }

    fn with(
        set_up: impl FnOnce(IntrospectionVerifierBuilder) -> IntrospectionVerifierBuilder,
    ) -> Gate {
        let clock = ManualClock::at(UnixTime::from_secs(1_795_262_400));
        let issuer = watched::builder().clock(clock.clone()).build();
        issuer.client("gate", "s3cret");
        let introspection = set_up(introspection(&issuer)).build().unwrap();
        let server = issuer.resource_server().verifier(introspection);
        Gate {
            server: server.build().unwrap(),
            issuer,
            clock,
        }
    }

    async fn show(&self, token: &str) -> Result<AccessToken, Error> {
        show(&self.server, token).await
    }

    fn showing(&self, token: &str) -> JoinHandle<Result<AccessToken, Error>> {
        let (gate, token) = (self.clone(), token.to_owned());
        tokio::spawn(async move { gate.show(&token).await })
    }

    fn asked(&self) -> usize {
        self.issuer.asked(Endpoint::Introspection)
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn down(&self) {
        self.issuer
            .trouble(Endpoint::Introspection, Trouble::Status(500));
    }

    fn up(&self) {
        self.issuer.calm(Endpoint::Introspection);
    }
}

fn introspection(issuer: &AuthorizationServer) -> IntrospectionVerifierBuilder {
    let auth = ClientAuth::basic("gate", "s3cret");
    let endpoint = issuer.introspection_endpoint();
    IntrospectionVerifier::builder(&endpoint, auth, AUDIENCE).fetch(issuer.fetcher())
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

type Forget = fn(&ResourceServer, &str);

/// The ways to forget a token of alice.
const WAYS: [Forget; 3] = [
    |server, token| server.forget(&Credential::new(token, &Carrier::bearer())),
    |server, _| server.forget_subject("alice"),
    |server, _| server.forget_all(),
];

#[tokio::test]
async fn a_subject_is_forgotten_with_all_its_tokens_and_nobody_else() {
    let gate = Gate::new();
    let alice = [gate.issuer.opaque().mint(), gate.issuer.opaque().mint()];
    let bob = gate.issuer.opaque().subject("bob").mint();
    for token in alice.iter().chain([&bob]) {
        gate.show(token).await.unwrap();
        gate.issuer.revoke(token);
        gate.show(token).await.unwrap();
    }
    gate.server.forget_subject("alice");
    for token in &alice {
        assert_eq!(reason(&gate.show(token).await), Some(Reason::Inactive));
    }
    gate.show(&bob).await.unwrap();
    assert_eq!(gate.asked(), 5);
    // What was refused is refused, whoever is forgotten.
    gate.server.forget_subject("bob");
    assert_eq!(reason(&gate.show(&bob).await), Some(Reason::Inactive));
    assert_eq!(reason(&gate.show(&alice[0]).await), Some(Reason::Inactive));
    assert_eq!(gate.asked(), 6);
}

#[tokio::test]
async fn a_subject_is_forgotten_at_all_issuers_and_in_both_slots() {
    let gate = Gate::new();
    let slot = CredentialSlot::new().carrier(Carrier::header("App-Token").unwrap());
    let server = gate
        .issuer
        .resource_server()
        .route(
            When::jwt(),
            gate.issuer.jwt_verifier(AUDIENCE).build().unwrap(),
        )
        .kinds(Kinds::new([Kind::named("user").with_claim("jti")]).unwrap())
        .second_slot(slot.kind(
            Kind::named("app").without_claim("jti"),
            introspection(&gate.issuer).build().unwrap(),
        ))
        .build()
        .unwrap();
    let (user, app) = (gate.issuer.token().mint(), gate.issuer.opaque().mint());
    let both = async || {
        let request = http::Request::get("/")
            .header("authorization", format!("Bearer {user}"))
            .header("app-token", &app);
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        server.authenticate(&mut parts).await
    };
    both().await.unwrap();
    gate.issuer.revoke(&app);
    both().await.unwrap();
    server.forget_subject("alice");
    assert_eq!(both().await.unwrap_err().reason(), Reason::Inactive);
}

#[tokio::test]
async fn all_is_forgotten_refusals_too() {
    let gate = Gate::new();
    let token = gate.issuer.opaque().mint();
    gate.show(&token).await.unwrap();
    gate.show("made-up").await.unwrap_err();
    gate.show("made-up").await.unwrap_err();
    assert_eq!(gate.asked(), 2);
    gate.server.forget_all();
    gate.show(&token).await.unwrap();
    gate.show("made-up").await.unwrap_err();
    assert_eq!(gate.asked(), 4);
}

#[tokio::test]
async fn nothing_that_was_asked_before_it_was_forgotten_is_remembered_after_it() {
    for forget in WAYS {
        let gate = Gate::new();
        let token = gate.issuer.opaque().mint();
        let late = Trouble::Late(Duration::from_secs(3));
        gate.issuer.trouble(Endpoint::Introspection, late);
        let early = gate.showing(&token);
        settle().await;
        gate.issuer.revoke(&token);
        forget(&gate.server, &token);
        gate.up();
        let next = gate.showing(&token);
        settle().await;
        assert!(next.is_finished(), "it joins no call of before");
        assert_eq!(reason(&next.await.unwrap()), Some(Reason::Inactive));
        gate.pass(3);
        early.await.unwrap().expect("it was good when it was asked");
        assert_eq!(reason(&gate.show(&token).await), Some(Reason::Inactive));
    }
}

#[tokio::test]
async fn what_was_accepted_passes_for_a_while_longer_during_an_outage() {
    let gate = Gate::trusting(60);
    let token = gate.issuer.opaque().mint();
    let shown = gate.show(&token).await.unwrap();
    let asked_at = shown.confirmed_at();
    gate.down();
    gate.pass(29);
    gate.show(&token).await.unwrap();
    assert_eq!(gate.asked(), 1, "it is remembered for thirty seconds");
    for (seconds, passes) in [(1, true), (59, true), (1, false)] {
        let before = gate.asked();
        gate.pass(seconds);
        let shown = gate.show(&token).await;
        assert_eq!(gate.asked(), before + 1, "it is asked each time");
        match passes {
            true => assert_eq!(shown.unwrap().confirmed_at(), asked_at),
            false => assert_eq!(reason(&shown), Some(Reason::LookupUnavailable)),
        }
    }
    // Whom nobody has accepted before does not pass.
    let other = gate.issuer.opaque().mint();
    assert_eq!(
        reason(&gate.show(&other).await),
        Some(Reason::LookupUnavailable)
    );
    gate.up();
    gate.show(&token).await.unwrap();
    gate.show(&other).await.unwrap();
}

#[tokio::test]
async fn it_does_not_unless_the_verifier_says_so() {
    let gate = Gate::new();
    let token = gate.issuer.opaque().mint();
    gate.show(&token).await.unwrap();
    gate.down();
    gate.pass(30);
    assert_eq!(
        reason(&gate.show(&token).await),
        Some(Reason::LookupUnavailable)
    );
}

#[tokio::test]
async fn no_outage_lets_a_token_pass_its_end() {
    let gate = Gate::trusting(3_600);
    // Its leeway is for those who are asked.
    let token = gate.issuer.opaque().expires_in(40).mint();
    let ends_sooner = gate.issuer.opaque().expires_in(20).mint();
    for token in [&token, &ends_sooner] {
        gate.show(token).await.unwrap();
    }
    gate.down();
    gate.pass(20);
    gate.show(&token).await.unwrap();
    assert!(gate.show(&ends_sooner).await.is_err());
    gate.pass(19);
    gate.show(&token).await.unwrap();
    gate.pass(1);
    assert_eq!(
        reason(&gate.show(&token).await),
        Some(Reason::LookupUnavailable)
    );
}

#[tokio::test]
async fn no_outage_lets_a_token_pass_the_end_of_its_kind() {
    let gate = Gate::new();
    let kind = Kind::named("session").also_ends_at("/session/end");
    let verifier = introspection(&gate.issuer).trust_accepted_while_down(Duration::from_secs(600));
    let server = gate
        .issuer
        .resource_server()
        .kind(kind, verifier.build().unwrap());
    let server = server.build().unwrap();
    let end = gate.clock.now() + Duration::from_secs(40);
    let token = gate
        .issuer
        .opaque()
        .claim("session", json!({"end": end.as_secs()}))
        .mint();
    show(&server, &token).await.unwrap();
    gate.down();
    gate.pass(39);
    show(&server, &token).await.unwrap();
    gate.pass(1);
    assert!(show(&server, &token).await.is_err());
}

#[tokio::test]
async fn a_refusal_ends_it_at_once() {
    let gate = Gate::trusting(600);
    let token = gate.issuer.opaque().mint();
    gate.show(&token).await.unwrap();
    gate.pass(30);
    gate.down();
    gate.show(&token).await.unwrap();
    gate.up();
    gate.issuer.revoke(&token);
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::Inactive));
    gate.down();
    // The refusal is remembered for ten seconds, and nothing comes back after it.
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::Inactive));
    gate.pass(10);
    assert_eq!(
        reason(&gate.show(&token).await),
        Some(Reason::LookupUnavailable)
    );
}

#[tokio::test]
async fn what_was_forgotten_does_not_pass_during_an_outage() {
    for forget in WAYS {
        let gate = Gate::trusting(600);
        let token = gate.issuer.opaque().mint();
        gate.show(&token).await.unwrap();
        gate.pass(30);
        gate.down();
        gate.show(&token).await.unwrap();
        forget(&gate.server, &token);
        assert_eq!(
            reason(&gate.show(&token).await),
            Some(Reason::LookupUnavailable)
        );
    }
    // Nor while the call is under way that brings nothing.
    for forget in WAYS {
        let gate = Gate::trusting(600);
        let token = gate.issuer.opaque().mint();
        gate.show(&token).await.unwrap();
        gate.pass(30);
        gate.issuer.trouble(Endpoint::Introspection, Trouble::Hang);
        let shown = gate.showing(&token);
        settle().await;
        forget(&gate.server, &token);
        gate.pass(5);
        assert_eq!(
            reason(&shown.await.unwrap()),
            Some(Reason::LookupUnavailable)
        );
    }
}

#[tokio::test]
async fn a_route_that_demands_freshness_is_not_served_what_has_ended() {
    let gate = Gate::trusting(600);
    let fresh = gate
        .server
        .fresh(Freshness::within(Duration::from_secs(60)))
        .unwrap();
    let token = gate.issuer.opaque().mint();
    let confirm = async || {
        let request = http::Request::get("/").header("authorization", format!("Bearer {token}"));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        gate.server.authenticate(&mut parts).await.unwrap();
        fresh.confirm(&mut parts).await
    };
    confirm().await.unwrap();
    gate.down();
    gate.pass(59);
    // Let in during the outage, and less than a minute ago somebody was asked.
    confirm().await.unwrap();
    gate.pass(1);
    assert_eq!(confirm().await.unwrap_err().kind(), ErrorKind::Unavailable);
    gate.show(&token).await.unwrap();
}

#[tokio::test]
async fn tokens_that_are_asked_about_each_time_pass_during_an_outage_too() {
    let gate = Gate::with(|introspection| {
        introspection
            .remember_accepted(Duration::ZERO)
            .trust_accepted_while_down(Duration::from_secs(60))
    });
    let token = gate.issuer.opaque().mint();
    gate.show(&token).await.unwrap();
    gate.show(&token).await.unwrap();
    assert_eq!(gate.asked(), 2);
    gate.down();
    gate.pass(59);
    gate.show(&token).await.unwrap();
    gate.pass(1);
    assert!(gate.show(&token).await.is_err());
}

/// A store that may be down.
struct Store(Arc<Mutex<bool>>);

impl Lookup for Store {
    async fn look_up(&self, _: &str) -> Result<Option<ClaimSet>, Unavailable> {
        match *self.0.lock().unwrap() {
            true => Err(Unavailable::new("the pool is empty")),
            false => Ok(Some(ClaimSet::parse(r#"{"sub":"robot"}"#)?)),
        }
    }
}

#[tokio::test]
async fn look_ups_and_userinfo_know_it_too() {
    let gate = Gate::new();
    let down = Arc::new(Mutex::new(false));
    gate.issuer.answer_at(Method::GET, "/userinfo", |_, _| {
        json_answer(200, json!({"sub": "alice"}))
    });
    let longer = Duration::from_secs(60);
    let lookup = LookupVerifier::builder(Store(down.clone())).trust_accepted_while_down(longer);
    let userinfo = danger::userinfo(&gate.issuer.url("/userinfo")).fetch(gate.issuer.fetcher());
    let userinfo = userinfo.trust_accepted_while_down(longer);
    let server = gate
        .issuer
        .resource_server()
        .route(When::prefix("lk_"), lookup.build().unwrap())
        .verifier(userinfo.build().unwrap())
        .build()
        .unwrap();
    // Both can be asked anew.
    server.fresh(Freshness::within(Duration::ZERO)).unwrap();
    for token in ["lk_1", "ui_1"] {
        let shown = show(&server, token).await.unwrap();
        assert_eq!(shown.confirmed_at(), Some(gate.clock.now()));
    }
    *down.lock().unwrap() = true;
    gate.issuer.trouble("/userinfo", Trouble::Status(503));
    for (seconds, passes) in [(30, true), (59, true), (1, false)] {
        gate.pass(seconds);
        for token in ["lk_1", "ui_1"] {
            assert_eq!(
                show(&server, token).await.is_ok(),
                passes,
                "{token}, {seconds} s later"
            );
        }
    }
}

#[test]
fn an_hour_is_the_longest() {
    let issuer = watched::issuer();
    let hour = Duration::from_secs(3_600);
    let more = hour + Duration::from_millis(1);
    let built = |longer: Duration| {
        let down = Arc::new(Mutex::new(false));
        let userinfo = danger::userinfo("https://as.example/userinfo").fetch(issuer.fetcher());
        [
            introspection(&issuer)
                .trust_accepted_while_down(longer)
                .build()
                .map(drop),
            LookupVerifier::builder(Store(down))
                .trust_accepted_while_down(longer)
                .build()
                .map(drop),
            userinfo.trust_accepted_while_down(longer).build().map(drop),
        ]
    };
    for outcome in built(hour) {
        outcome.unwrap();
    }
    for outcome in built(more + hour) {
        assert_eq!(
            outcome.unwrap_err().to_string(),
            "accepted tokens are trusted for 7200 s while the endpoint is down, wanted at most 3600 s"
        );
    }
    for outcome in built(more) {
        outcome.unwrap_err();
    }
}

#[tokio::test]
async fn it_is_told_once_per_outage() {
    let log = Log::begin();
    let line = "tokens that were accepted before pass while nobody can be asked";
    let gate = Gate::trusting(600);
    let tokens = [gate.issuer.opaque().mint(), gate.issuer.opaque().mint()];
    for outage in 1..=2 {
        for token in &tokens {
            gate.show(token).await.unwrap();
        }
        gate.pass(30);
        gate.down();
        for token in tokens.iter().chain(&tokens) {
            gate.show(token).await.unwrap();
        }
        assert_eq!(log.says(line), outage);
        gate.up();
    }
}

//! What operators can ask: how old the keys are, what went wrong, whether the gate is ready.

use std::time::Duration;

use portcullis::testing::{AuthorizationServer, Endpoint, ManualClock, Trouble};
use portcullis::{ByIssuer, Reason, UnixTime};

use crate::gate::{AUDIENCE, BEGAN, Gate, settle};
use crate::watched;

#[tokio::test]
async fn status_tells_the_age_of_the_keys_and_what_went_wrong() {
    let gate = Gate::new();
    let status = gate.server.status();
    let [before] = &status.keys[..] else {
        panic!("{status:?}")
    };
    assert_eq!(before.source, gate.issuer.jwks_uri());
    assert_eq!((before.fetches, before.fetched_at), (0, None));
    assert_eq!((&before.last_error, before.next_refresh), (&None, None));
    assert_eq!(gate.fetches(), 0, "asking for the status fetches nothing");

    gate.show(&gate.token()).await.unwrap();
    gate.pass(Duration::from_secs(100)).await;
    let keys = gate.server.status().keys.remove(0);
    assert_eq!(keys.kids, ["es256-1"]);
    assert_eq!(keys.fetched_at, Some(BEGAN));
    assert_eq!(keys.age_seconds, Some(100));
    assert_eq!(keys.trusted_until, Some(BEGAN + Duration::from_secs(4_200)));
    let next = keys.next_refresh.unwrap().since(BEGAN).as_secs();
    assert!((420..=480).contains(&next), "{next}");
    assert_eq!((keys.fetches, keys.failures), (1, 0));

    gate.issuer.trouble(Endpoint::Jwks, Trouble::Status(500));
    gate.pass(Duration::from_secs(600)).await;
    let keys = gate.server.status().keys.remove(0);
    assert_eq!(
        keys.last_error.as_deref(),
        Some("key set: status is 500, wanted 200")
    );
    assert!(keys.failures > 0);
    assert_eq!(keys.fetches, keys.failures + 1);
    assert_eq!(keys.kids, ["es256-1"], "they still serve");
    gate.pass(Duration::from_secs(4_000)).await;
    let keys = gate.server.status().keys.remove(0);
    assert!(keys.kids.is_empty(), "they serve no more");

    gate.issuer.calm(Endpoint::Jwks);
    gate.pass(Duration::from_secs(31)).await;
    let keys = gate.server.status().keys.remove(0);
    assert_eq!((keys.last_error, keys.kids.len()), (None, 1));
}

#[tokio::test]
async fn status_is_a_page_of_json() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    let json = serde_json::to_value(gate.server.status()).unwrap();
    let keys = &json["keys"][0];
    assert_eq!(keys["kids"][0], "es256-1");
    assert_eq!(keys["fetched_at"], BEGAN.as_secs());
    assert_eq!(
        serde_json::to_value(UnixTime::from_millis(1_500)).unwrap(),
        1.5
    );
}

#[tokio::test]
async fn ready_within_waits_for_the_issuer_or_fails_the_start() {
    let gate = Gate::new();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Status(500));
    let server = gate.server.clone();
    let ready = tokio::spawn(async move { server.ready_within(Duration::from_secs(60)).await });
    settle().await;
    gate.pass(Duration::from_secs(50)).await;
    assert!(!ready.is_finished());
    gate.pass(Duration::from_secs(10)).await;
    assert!(ready.is_finished(), "not a moment later");
    let error = ready.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the issuer's keys cannot be had: key set: status is 500, wanted 200"
    );

    let server = gate.server.clone();
    let ready = tokio::spawn(async move { server.ready_within(Duration::from_secs(60)).await });
    gate.pass(Duration::from_secs(5)).await;
    gate.issuer.calm(Endpoint::Jwks);
    gate.pass(Duration::from_secs(31)).await;
    assert!(ready.is_finished(), "as soon as the keys are there");
    ready.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_gate_of_several_issuers_is_ready_when_it_has_the_keys_of_each() {
    let clock = ManualClock::at(BEGAN);
    let at = |origin| {
        let issuer = watched::builder().origin(origin);
        issuer.clock(clock.clone()).build()
    };
    let (one, other) = (at("https://one.example"), at("https://other.example"));
    let jwt = |issuer: &AuthorizationServer| issuer.jwt_verifier(AUDIENCE).build().unwrap();
    let both = ByIssuer::new([jwt(&one), jwt(&other)]).unwrap();
    let server = one.resource_server().verifier(both).build().unwrap();
    one.trouble(Endpoint::Jwks, Trouble::Status(500));
    let error = server.ready().await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    let kids: Vec<_> = server
        .status()
        .keys
        .into_iter()
        .map(|keys| keys.kids)
        .collect();
    let other_kids = vec!["es256-1".to_owned()];
    assert_eq!(
        kids,
        [Vec::new(), other_kids],
        "who is down keeps nobody waiting"
    );

    one.calm(Endpoint::Jwks);
    clock.advance(Duration::from_secs(31));
    server.ready().await.unwrap();
    assert!(server.status().keys.iter().all(|keys| keys.kids.len() == 1));
}

//! What the issuer says about when to ask again is heard, within bounds.

use std::time::Duration;

use portcullis::testing::{Endpoint, Trouble};

use crate::gate::{Gate, settle};
use crate::showing::show;

async fn fetches_within(gate: &Gate, seconds: u64) -> usize {
    let before = gate.fetches();
    gate.pass(Duration::from_secs(seconds)).await;
    gate.fetches() - before
}

#[tokio::test]
async fn max_age_is_the_lifetime_within_a_minute_and_a_day() {
    for (said, fresh_for) in [
        (None, 600),
        (Some("max-age=3600"), 3_600),
        (Some("public, max-age=120"), 120),
        (Some("max-age=1"), 60),
        (Some("no-cache"), 60),
        (Some("max-age=31536000"), 86_400),
        (Some("nonsense"), 600),
    ] {
        let gate = Gate::new();
        gate.issuer.jwks_cache_control(said);
        gate.show(&gate.token()).await.unwrap();
        assert_eq!(
            fetches_within(&gate, fresh_for * 69 / 100).await,
            0,
            "{said:?}"
        );
        assert_eq!(
            fetches_within(&gate, fresh_for * 12 / 100).await,
            1,
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn the_bounds_of_max_age_can_be_set() {
    let gate =
        Gate::with(|keys| keys.lifetime_between(Duration::from_secs(20), Duration::from_secs(200)));
    gate.issuer.jwks_cache_control(Some("max-age=31536000"));
    gate.show(&gate.token()).await.unwrap();
    assert_eq!(fetches_within(&gate, 161).await, 1);
    gate.issuer.jwks_cache_control(Some("no-store"));
    gate.pass(Duration::from_secs(170)).await;
    assert!(fetches_within(&gate, 160).await >= 10);
}

#[tokio::test]
async fn keys_are_trusted_an_hour_past_the_lifetime_that_the_issuer_names() {
    let gate = Gate::new();
    gate.issuer.jwks_cache_control(Some("max-age=100"));
    gate.show(&gate.token()).await.unwrap();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Status(500));
    gate.pass(Duration::from_millis(3_699_900)).await;
    gate.show(&gate.token()).await.unwrap();
    gate.pass(Duration::from_millis(200)).await;
    gate.show_and_wait(&gate.token()).await.unwrap_err();
}

#[tokio::test]
async fn a_304_confirms_the_keys_and_evicts_nothing() {
    let gate = Gate::new();
    gate.issuer.jwks_etag(true);
    let token = gate.token();
    gate.show(&token).await.unwrap();
    gate.pass(Duration::from_secs(400)).await;
    let first = gate.show(&token).await.unwrap();
    gate.pass(Duration::from_secs(90)).await;
    assert_eq!(gate.server.status().keys[0].not_modified, 1);
    let again = gate.show(&token).await.unwrap();
    assert!(
        std::ptr::eq(first.claims(), again.claims()),
        "the same verdict"
    );
    // Longer than the first set would have been trusted.
    gate.pass(Duration::from_secs(6_000)).await;
    let status = gate.server.status();
    assert!(status.keys[0].not_modified >= 10, "{status:?}");
    assert_eq!(status.keys[0].failures, 0);
    assert_eq!(status.keys[0].not_modified + 1, status.keys[0].fetches);
    gate.show(&token).await.unwrap();
    // What has changed is brought whole.
    gate.issuer.rotate();
    gate.issuer.withdraw_old();
    gate.show(&gate.token()).await.unwrap();
    gate.show(&token).await.unwrap_err();
    let sent = gate.issuer.last_request(Endpoint::Jwks).unwrap();
    assert!(sent.headers().contains_key("if-none-match"));
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_a_failure() {
    let gate = Gate::new();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Status(304));
    let error = gate.show_and_wait(&gate.token()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the issuer's keys cannot be had: key set: status is 304, wanted 200"
    );
}

#[tokio::test]
async fn failures_are_tried_again_after_1_2_4_and_so_on_up_to_30_seconds() {
    let gate = Gate::new();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Status(500));
    let mut asked_at = gate.now();
    let (server, token) = (gate.server.clone(), gate.token());
    // Whatever it is told: it begins the fetching.
    let request = tokio::spawn(async move { show(&server, &token).await });
    settle().await;
    for meant in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000] {
        let before = gate.fetches();
        while gate.fetches() == before {
            gate.pass(Duration::from_millis(100)).await;
        }
        let pause = gate.now().since(asked_at).as_millis();
        asked_at = gate.now();
        // Less up to a fifth by chance; seen in steps of a tenth of a second.
        let meant = meant * 8 / 10..=meant + 100;
        assert!(meant.contains(&pause), "{pause} ms, wanted {meant:?}");
    }
    request.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn retry_after_is_heard_for_at_most_five_minutes() {
    // What is shorter than our own pause does not shorten it.
    for (said, pause) in [(0, 2), (60, 60), (86_400, 300)] {
        let gate = Gate::new();
        gate.issuer
            .trouble(Endpoint::Jwks, Trouble::StatusWithRetryAfter(429, said));
        let error = gate.show_and_wait(&gate.token()).await.unwrap_err();
        let told = error.retry_after().unwrap();
        assert!(told <= Duration::from_secs(pause), "{told:?}");
        gate.issuer.calm(Endpoint::Jwks);
        // Whoever comes meanwhile does not make it ask sooner.
        if pause > 2 {
            gate.pass(Duration::from_secs(pause - 2)).await;
            gate.show_and_wait(&gate.issuer.token().header("kid", "x").mint())
                .await
                .unwrap_err();
            gate.pass(Duration::from_millis(100)).await;
        }
        gate.pass(Duration::from_secs(2)).await;
        gate.show(&gate.token())
            .await
            .unwrap_or_else(|error| panic!("after {pause} s: {error}"));
    }
}

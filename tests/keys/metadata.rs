//! Where the issuer says its keys are, and for how long that is believed.

use std::time::Duration;

use portcullis::testing::{Endpoint, ManualClock, Trouble};
use portcullis::{Reason, RemoteJwks, RemoteJwksBuilder};

use crate::gate::{BEGAN, Gate};
use crate::watched;

/// A gate that finds its keys through the metadata.
fn discovering(set_up: impl FnOnce(RemoteJwksBuilder) -> RemoteJwksBuilder) -> Gate {
    let clock = ManualClock::at(BEGAN);
    let issuer = watched::builder().clock(clock.clone()).build();
    let keys = set_up(RemoteJwks::discover(issuer.issuer()).fetch(issuer.fetcher()));
    Gate::of(issuer, clock, keys)
}

fn read(gate: &Gate) -> usize {
    gate.issuer.asked(Endpoint::OauthMetadata)
}

/// Metadata that names `jwks_uri`.
fn naming(gate: &Gate, jwks_uri: &str) -> Trouble {
    let issuer = gate.issuer.issuer();
    Trouble::Body(format!(
        r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#
    ))
}

#[tokio::test]
async fn keys_are_found_through_the_metadata() {
    for builder in [watched::builder(), watched::builder().path("/tenant/a")] {
        let clock = ManualClock::at(BEGAN);
        let issuer = builder.clock(clock.clone()).build();
        let keys = RemoteJwks::discover(issuer.issuer()).fetch(issuer.fetcher());
        let gate = Gate::of(issuer, clock, keys);
        gate.show(&gate.token()).await.unwrap();
        assert_eq!(gate.issuer.asked(Endpoint::OauthMetadata), 1);
        assert_eq!(gate.issuer.asked(Endpoint::OpenidConfiguration), 0);
    }
}

#[tokio::test]
async fn openid_configuration_is_the_second_choice() {
    let clock = ManualClock::at(BEGAN);
    let builder = watched::builder().path("/t").without_oauth_metadata();
    let issuer = builder.clock(clock.clone()).build();
    let keys = RemoteJwks::discover(issuer.issuer()).fetch(issuer.fetcher());
    let gate = Gate::of(issuer, clock, keys);
    gate.show(&gate.token()).await.unwrap();
}

#[tokio::test]
async fn metadata_of_another_issuer_is_dropped_whole() {
    let clock = ManualClock::at(BEGAN);
    let issuer = watched::builder().clock(clock.clone()).build();
    let document = format!(
        r#"{{"issuer":"https://other.example","jwks_uri":"{}"}}"#,
        issuer.jwks_uri()
    );
    for endpoint in [Endpoint::OauthMetadata, Endpoint::OpenidConfiguration] {
        issuer.trouble(endpoint, Trouble::Body(document.clone()));
    }
    let keys = RemoteJwks::discover(issuer.issuer()).fetch(issuer.fetcher());
    let gate = Gate::of(issuer, clock, keys);
    let error = gate.show_and_wait(&gate.token()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    assert!(
        error
            .to_string()
            .contains("issuer is \"https://other.example\""),
        "{error}"
    );
    assert_eq!(gate.fetches(), 0);
}

#[tokio::test]
async fn metadata_is_read_again_each_hour() {
    let gate = discovering(|keys| keys);
    gate.show(&gate.token()).await.unwrap();
    gate.pass(Duration::from_secs(3_500)).await;
    assert_eq!(read(&gate), 1, "not with each fetch");
    gate.pass(Duration::from_secs(700)).await;
    assert_eq!(read(&gate), 2);
    let before = gate.fetches();
    gate.pass(Duration::from_secs(20 * 3_600)).await;
    assert!(gate.fetches() - before > 100, "keys are fetched more often");
    assert!(
        (18..=21).contains(&(read(&gate) - 2)),
        "{} times in 20 hours",
        read(&gate) - 2
    );
}

#[tokio::test]
async fn metadata_that_cannot_be_had_does_not_end_the_keys_before_stale_keys_would() {
    let gate = discovering(|keys| keys);
    gate.show(&gate.token()).await.unwrap();
    for endpoint in [Endpoint::OauthMetadata, Endpoint::OpenidConfiguration] {
        gate.issuer.trouble(endpoint, Trouble::Status(500));
    }
    let before = gate.fetches();
    gate.pass(Duration::from_secs(7_000)).await;
    assert!(gate.fetches() > before + 10, "the keys are still fetched");
    gate.issuer.rotate();
    gate.show(&gate.token()).await.expect("and found");
    // An hour of metadata and an hour of trust are over: nobody knows whether the keys are there.
    gate.pass(Duration::from_secs(300)).await;
    let before = gate.fetches();
    gate.pass(Duration::from_secs(1_200)).await;
    assert_eq!(gate.fetches(), before);
    for endpoint in [Endpoint::OauthMetadata, Endpoint::OpenidConfiguration] {
        gate.issuer.calm(endpoint);
    }
    gate.pass(Duration::from_secs(31)).await;
    assert!(gate.fetches() > before, "it recovers by itself");
}

#[tokio::test]
async fn keys_that_have_moved_are_found_again_after_one_failed_fetch() {
    let gate = discovering(|keys| keys);
    gate.show(&gate.token()).await.unwrap();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Status(404));
    gate.pass(Duration::from_secs(500)).await;
    assert!(read(&gate) > 1, "a fetch failed, so the metadata is asked");
    gate.issuer.calm(Endpoint::Jwks);
    gate.pass(Duration::from_secs(31)).await;
    gate.issuer.rotate();
    gate.show_and_wait(&gate.token()).await.unwrap();
}

#[tokio::test]
async fn the_jwks_uri_stays_at_the_issuers_origin_unless_another_is_allowed_by_name() {
    let gate = discovering(|keys| keys);
    for endpoint in [Endpoint::OauthMetadata, Endpoint::OpenidConfiguration] {
        let elsewhere = naming(&gate, "https://keys.example/jwks");
        gate.issuer.trouble(endpoint, elsewhere);
    }
    let error = gate.show_and_wait(&gate.token()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    assert!(
        error.to_string().contains(
            "jwks_uri is \"https://keys.example/jwks\", wanted one at https://as.example: \
             another origin must be allowed by name"
        ),
        "{error}"
    );
    assert_eq!(gate.fetches(), 0);
}

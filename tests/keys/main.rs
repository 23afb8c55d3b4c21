//! Keys over time: rotation, withdrawal, outage, flood. All on a clock turned by hand.
// A test says what must be there by taking it.
#![allow(clippy::unwrap_used)]

mod file;
mod gate;
mod hints;
mod metadata;
#[path = "../showing/mod.rs"]
mod showing;
mod status;
#[path = "../watched/mod.rs"]
mod watched;

use std::sync::Arc;
use std::time::Duration;

use gate::{AUDIENCE, BEGAN, Gate, settle};
use showing::{reason, show};

use portcullis::testing::{Endpoint, ManualClock, Trouble};
use portcullis::{Algorithm, JwtVerifier, Reason, RemoteJwks};

#[tokio::test]
async fn keys_are_fetched_once_for_all_first_requests() {
    let gate = Gate::new();
    assert_eq!(gate.fetches(), 0, "nothing is fetched before it is needed");
    let tokens: Vec<String> = (0..20).map(|_| gate.token()).collect();
    let answers = tokens.iter().map(|token| {
        let (server, token) = (gate.server.clone(), token.clone());
        tokio::spawn(async move { show(&server, &token).await })
    });
    for answer in answers.collect::<Vec<_>>() {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(gate.fetches(), 1);
}

#[tokio::test]
async fn keys_are_refreshed_before_they_are_too_old_and_nobody_waits() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    gate.pass(Duration::from_secs(600)).await;
    assert_eq!(gate.fetches(), 2, "at 70 to 80 % of ten minutes");
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Hang);
    gate.pass(Duration::from_secs(600)).await;
    gate.show(&gate.token()).await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_found_by_the_first_token_that_names_it() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    gate.pass(Duration::from_secs(10)).await;
    gate.issuer.rotate();
    gate.show(&gate.token()).await.unwrap();
    assert_eq!(gate.fetches(), 2);
}

#[tokio::test]
async fn unknown_kids_cannot_raise_the_pace_of_fetches() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    for second in 0..60 {
        for n in 0..5 {
            let token = gate
                .issuer
                .token()
                .header("kid", format!("made-up-{second}-{n}"))
                .mint();
            let began = gate.now();
            let outcome = gate.show_and_wait(&token).await;
            // Refused once a newer set was seen; until then nobody knows.
            let reason = reason(&outcome).unwrap();
            assert!(
                matches!(reason, Reason::UnknownKey | Reason::KeysUnavailable),
                "{reason:?}"
            );
            assert!(gate.now().since(began) <= Duration::from_millis(2_100));
        }
        gate.pass(Duration::from_secs(1)).await;
    }
    let elapsed = gate.now().since(BEGAN).as_secs() as usize;
    let most = elapsed / 5 + 2;
    assert!(
        gate.fetches() <= most,
        "{} fetches in {elapsed} s",
        gate.fetches()
    );
}

#[tokio::test]
async fn a_new_key_is_never_a_401_while_the_issuer_may_not_be_asked() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    gate.pass(Duration::from_secs(1)).await;
    gate.issuer.rotate();
    let error = gate.show(&gate.token()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    assert_eq!(
        error.to_string(),
        "the issuer was asked for its keys a moment ago"
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(4)));
    gate.pass(error.retry_after().unwrap()).await;
    gate.show(&gate.token())
        .await
        .expect("Retry-After was honest");
}

#[tokio::test]
async fn a_made_up_kid_is_refused_at_once_until_the_issuer_may_be_asked_again() {
    let gate = Gate::new();
    let token = gate.issuer.token().header("kid", "made-up").mint();
    for _ in 0..5 {
        assert_eq!(reason(&gate.show(&token).await), Some(Reason::UnknownKey));
    }
    assert_eq!(gate.fetches(), 1);
    gate.pass(Duration::from_millis(4_900)).await;
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::UnknownKey));
    assert_eq!(gate.fetches(), 1);
    gate.pass(Duration::from_millis(100)).await;
    assert_eq!(reason(&gate.show(&token).await), Some(Reason::UnknownKey));
    assert_eq!(gate.fetches(), 2);
}

#[tokio::test]
async fn no_more_than_a_thousand_requests_wait_for_keys() {
    let gate = Gate::new();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Hang);
    let made_up = |n: usize| {
        gate.issuer
            .token()
            .header("kid", format!("made-up-{n}"))
            .mint()
    };
    let waiting: Vec<_> = (0..1_024)
        .map(|n| {
            let (server, token) = (gate.server.clone(), made_up(n));
            tokio::spawn(async move { show(&server, &token).await })
        })
        .collect();
    settle().await;
    assert!(waiting.iter().all(|request| !request.is_finished()));
    let error = gate.show_and_wait(&made_up(1_024)).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    assert_eq!(
        error.to_string(),
        "1024 requests wait for the issuer's keys already"
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
    // A client that leaves makes room.
    waiting[0].abort();
    settle().await;
    gate.clock.advance(Duration::from_secs(2));
    for request in waiting.into_iter().skip(1) {
        let error = request.await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Reason::KeysUnavailable);
    }
    gate.issuer.calm(Endpoint::Jwks);
    gate.pass(Duration::from_secs(5)).await;
    gate.show(&gate.token()).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_unknown_kids_does_not_starve_a_real_rotation() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    gate.pass(Duration::from_secs(6)).await;
    let flood = gate.issuer.token().header("kid", "made-up").mint();
    let _ = gate.show_and_wait(&flood).await;
    gate.issuer.rotate();
    let token = gate.token();
    let rotated = gate.now();
    while gate.show_and_wait(&token).await.is_err() {
        let _ = gate.show_and_wait(&flood).await;
        gate.pass(Duration::from_millis(200)).await;
        let waited = gate.now().since(rotated);
        assert!(waited <= Duration::from_secs(7), "refused for {waited:?}");
    }
}

#[tokio::test]
async fn a_withdrawn_key_ends_its_tokens_with_the_set_that_lacks_it_verdicts_included() {
    let gate = Gate::new();
    let token = gate.token();
    gate.show(&token).await.unwrap();
    gate.issuer.rotate();
    gate.issuer.withdraw_old();
    gate.show(&token).await.expect("the gate cannot know yet");
    gate.pass(Duration::from_secs(6)).await;
    gate.show_and_wait(&gate.token())
        .await
        .expect("the new key brings the new set");
    assert_eq!(
        reason(&gate.show_and_wait(&token).await),
        Some(Reason::UnknownKey)
    );

    // Though nobody uses the new key, it is over at 80 % of the lifetime, by chance sooner. Five seconds later
    // the issuer may be asked once more, which a 401 needs.
    let gate = Gate::new();
    let token = gate.token();
    gate.show(&token).await.unwrap();
    gate.issuer.rotate();
    gate.issuer.withdraw_old();
    gate.pass(Duration::from_secs(400)).await;
    gate.show(&token).await.expect("the gate cannot know yet");
    gate.pass(Duration::from_secs(86)).await;
    assert_eq!(
        reason(&gate.show_and_wait(&token).await),
        Some(Reason::UnknownKey)
    );
}

#[tokio::test]
async fn a_key_that_stays_keeps_its_verdicts_over_a_refresh() {
    let gate = Gate::new();
    let token = gate.token();
    let first = gate.show(&token).await.unwrap();
    gate.pass(Duration::from_secs(6)).await;
    gate.issuer.rotate();
    gate.show(&gate.token()).await.unwrap();
    let again = gate.show(&token).await.unwrap();
    let (a, b) = (first.claims(), again.claims());
    assert!(
        std::ptr::eq(a, b),
        "the same verdict, not a new verification"
    );
}

#[tokio::test]
async fn during_an_outage_known_keys_serve_until_the_stale_limit_then_503_then_recovery() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Status(500));
    gate.pass(Duration::from_secs(4_100)).await;
    gate.show(&gate.token())
        .await
        .expect("ten minutes and an hour are not over");
    gate.pass(Duration::from_secs(200)).await;
    let error = gate.show_and_wait(&gate.token()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    assert_eq!(
        error.to_string(),
        "the issuer's keys cannot be had: key set: status is 500, wanted 200"
    );
    let retry = error.retry_after().unwrap();
    assert!(retry <= Duration::from_secs(30), "{retry:?}");
    gate.issuer.calm(Endpoint::Jwks);
    gate.pass(Duration::from_secs(31)).await;
    gate.show(&gate.token())
        .await
        .expect("it recovers by itself, within one back-off step");
}

#[tokio::test]
async fn a_verdict_does_not_outlive_the_trust_in_its_key() {
    let gate = Gate::with(|keys| keys.trust_stale_for(Duration::from_secs(60)));
    let token = gate.token();
    gate.show(&token).await.unwrap();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Reset);
    gate.pass(Duration::from_secs(659)).await;
    gate.show(&token).await.unwrap();
    gate.pass(Duration::from_secs(2)).await;
    assert_eq!(
        reason(&gate.show_and_wait(&token).await),
        Some(Reason::KeysUnavailable)
    );
}

#[tokio::test]
async fn garbage_replaces_nothing() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    for trouble in [
        Trouble::Garbage,
        Trouble::Body("{}".into()),
        Trouble::Body(r#"{"keys":[]}"#.into()),
        Trouble::Body(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#.into()),
        Trouble::Body(r#"{"keys":[],"keys":[]}"#.into()),
        Trouble::Huge(300 * 1024),
        Trouble::Redirect("https://elsewhere.example/jwks".into()),
        Trouble::Status(404),
    ] {
        let before = gate.fetches();
        gate.issuer.trouble(Endpoint::Jwks, trouble.clone());
        gate.pass(Duration::from_secs(600)).await;
        assert!(gate.fetches() > before, "{trouble:?} was asked");
        gate.show(&gate.token())
            .await
            .unwrap_or_else(|error| panic!("{trouble:?}: {error}"));
        gate.issuer.calm(Endpoint::Jwks);
        gate.pass(Duration::from_secs(40)).await;
    }
}

#[tokio::test]
async fn started_while_the_issuer_is_down_it_answers_503_and_recovers() {
    let gate = Gate::new();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Hang);
    let token = gate.token();
    let began = gate.now();
    let error = gate.show_and_wait(&token).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    assert_eq!(
        error.to_string(),
        "the issuer's keys did not come within 2000 ms"
    );
    assert!(
        gate.now().since(began) <= Duration::from_millis(2_200),
        "nobody waits longer"
    );
    gate.pass(Duration::from_secs(6)).await;
    let error = gate.show_and_wait(&token).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    gate.issuer.calm(Endpoint::Jwks);
    gate.pass(Duration::from_secs(31)).await;
    gate.show(&token).await.unwrap();
}

#[tokio::test]
async fn a_first_request_in_an_outage_is_answered_though_no_clock_turns() {
    let gate = Gate::new();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Status(500));
    let token = gate.token();
    let answer = tokio::time::timeout(Duration::from_secs(10), gate.show(&token)).await;
    let error = answer.expect("no clock need turn").unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    assert_eq!(
        error.to_string(),
        "the issuer's keys cannot be had: key set: status is 500, wanted 200"
    );
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(gate.now(), BEGAN);
}

#[tokio::test]
async fn a_slow_drip_ends_at_the_deadline() {
    let gate = Gate::new();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Drip);
    let error = gate.show_and_wait(&gate.token()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Hang);
    gate.pass(Duration::from_millis(3_200)).await;
    // The round is over and the next one has begun or is about to: its fate is the same.
    let error = gate.show_and_wait(&gate.token()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    gate.pass(Duration::from_secs(4)).await;
    let error = gate.show_and_wait(&gate.token()).await.unwrap_err();
    assert!(error.to_string().contains("within"), "{error}");
    assert!(
        gate.fetches() >= 2,
        "the drip was given up and the issuer asked again"
    );
}

#[tokio::test]
async fn a_clock_that_goes_back_does_not_starve_a_rotation() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    gate.clock.set(gate.now() - Duration::from_secs(3_600));
    gate.issuer.rotate();
    let token = gate.token();
    let error = gate.show(&token).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    let retry = error.retry_after().unwrap();
    assert!(retry <= Duration::from_secs(30), "{retry:?}");
    gate.pass(retry).await;
    gate.show(&token).await.expect("Retry-After was honest");
}

#[tokio::test]
async fn a_clock_that_goes_back_does_not_keep_a_name_refused() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    gate.pass(Duration::from_secs(6)).await;
    // Shown before the key is published, so the newest set is known to lack it.
    let early = gate.issuer.token().header("kid", "es256-2").mint();
    assert_eq!(reason(&gate.show(&early).await), Some(Reason::UnknownKey));
    gate.clock.set(gate.now() - Duration::from_secs(3_600));
    gate.issuer.rotate();
    let token = gate.token();
    let error = gate.show(&token).await.unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    gate.pass(error.retry_after().unwrap()).await;
    gate.show(&token).await.expect("the key is published");
}

#[tokio::test]
async fn ready_says_whether_the_keys_are_there() {
    let gate = Gate::new();
    gate.issuer.trouble(Endpoint::Jwks, Trouble::Hang);
    let server = gate.server.clone();
    let ready = tokio::spawn(async move { server.ready().await });
    settle().await;
    gate.clock.advance(Duration::from_millis(1_999));
    settle().await;
    assert!(!ready.is_finished());
    gate.clock.advance(Duration::from_millis(1));
    let error = ready.await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Reason::KeysUnavailable);
    gate.issuer.calm(Endpoint::Jwks);

    let gate = Gate::new();
    gate.server.ready().await.unwrap();
    assert_eq!(gate.fetches(), 1);
    gate.server.ready().await.unwrap();
    assert_eq!(gate.fetches(), 1);
    gate.clock.advance(Duration::from_secs(60));
    gate.server.ready().await.unwrap();
    assert_eq!(gate.fetches(), 1, "they are trusted still");
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_nothing() {
    let gate = Gate::new();
    gate.issuer
        .trouble(Endpoint::Jwks, Trouble::Late(Duration::from_secs(1)));
    let (server, token) = (gate.server.clone(), gate.token());
    let request = tokio::spawn(async move { show(&server, &token).await });
    settle().await;
    request.abort();
    gate.pass(Duration::from_secs(2)).await;
    gate.show(&gate.token()).await.unwrap();
    assert_eq!(gate.fetches(), 1);
}

#[tokio::test]
async fn a_fetch_under_way_serves_whoever_comes_meanwhile() {
    let gate = Gate::new();
    gate.issuer
        .trouble(Endpoint::Jwks, Trouble::Late(Duration::from_secs(1)));
    let request = || {
        let (server, token) = (gate.server.clone(), gate.token());
        tokio::spawn(async move { show(&server, &token).await })
    };
    let first = request();
    settle().await;
    gate.pass(Duration::from_millis(500)).await;
    let second = request();
    settle().await;
    gate.pass(Duration::from_millis(500)).await;
    for request in [first, second] {
        assert!(request.is_finished());
        request.await.unwrap().unwrap();
    }
    assert_eq!(gate.fetches(), 1);
}

#[tokio::test]
async fn the_engine_ends_with_the_gate() {
    let gate = Gate::new();
    gate.show(&gate.token()).await.unwrap();
    let (clock, issuer) = (gate.clock.clone(), gate.issuer.clone());
    drop(gate);
    settle().await;
    assert_eq!(clock.sleepers(), 0, "no task waits any more");
    clock.advance(Duration::from_secs(10_000));
    settle().await;
    assert_eq!(issuer.asked(Endpoint::Jwks), 1);
}

#[test]
fn the_engine_moves_to_another_runtime_when_its_own_is_gone() {
    let gate = Gate::new();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    runtime().block_on(async { gate.show(&gate.token()).await.unwrap() });
    runtime().block_on(async {
        gate.clock.advance(Duration::from_secs(6));
        gate.issuer.rotate();
        gate.show_and_wait(&gate.token()).await.unwrap();
    });
}

#[tokio::test]
async fn an_rsa_key_without_alg_is_used_with_one_algorithm_alone() {
    let clock = ManualClock::at(BEGAN);
    let issuer = watched::builder().clock(clock.clone()).build();
    issuer.token().algorithm(Algorithm::PS256).mint();
    let mut jwks = issuer.jwks();
    for key in jwks["keys"].as_array_mut().unwrap() {
        key.as_object_mut().unwrap().remove("alg");
    }
    issuer.trouble(Endpoint::Jwks, Trouble::Body(jwks.to_string()));
    let token = issuer.token().algorithm(Algorithm::PS256).mint();
    let gate = |algorithms: Vec<Algorithm>| {
        let keys = RemoteJwks::at(&issuer.jwks_uri())
            .fetch(issuer.fetcher())
            .build()
            .unwrap();
        let jwt = JwtVerifier::builder(issuer.issuer(), AUDIENCE)
            .algorithms(algorithms)
            .keys(keys);
        issuer
            .resource_server()
            .verifier(jwt.build().unwrap())
            .build()
            .unwrap()
    };
    let error = show(&gate(Algorithm::ASYMMETRIC.into()), &token)
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::Algorithm);
    assert!(
        error
            .to_string()
            .contains("token is signed with PS256, wanted RS256"),
        "{error}"
    );
    show(&gate(vec![Algorithm::PS256, Algorithm::RS256]), &token)
        .await
        .unwrap();
}

#[test]
fn key_sources_that_cannot_be() {
    let issuer = watched::issuer();
    let refused = |keys: portcullis::RemoteJwksBuilder| {
        keys.fetch(issuer.fetcher())
            .build()
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(RemoteJwks::at("http://as.example/jwks")),
        "jwks_uri is \"http://as.example/jwks\", wanted an https URL (http only on loopback) \
         without user and fragment"
    );
    assert!(refused(RemoteJwks::discover("as.example")).starts_with("issuer is \"as.example\""));
    let keys = || RemoteJwks::at("https://as.example/jwks");
    assert_eq!(
        refused(keys().lifetime(Duration::from_secs(1))),
        "lifetime is 1000 ms, wanted at least 10000 ms"
    );
    assert_eq!(
        refused(keys().refresh_interval(Duration::ZERO)),
        "refresh_interval is 0 ms, wanted at least 1000 ms"
    );
    // Else a set could be over before it may be fetched anew, with an issuer in the best of health.
    assert_eq!(
        refused(keys().refresh_interval(Duration::from_secs(31))),
        "refresh_interval is 31000 ms, wanted at most half of the shortest lifetime of 60000 ms"
    );
    let short = keys().lifetime(Duration::from_secs(11));
    assert_eq!(
        refused(short.refresh_interval(Duration::from_secs(6))),
        "refresh_interval is 6000 ms, wanted at most half of the shortest lifetime of 11000 ms"
    );
    let (ten, nine) = (Duration::from_secs(10), Duration::from_secs(9));
    assert_eq!(
        refused(keys().lifetime_between(nine, ten)),
        "shortest lifetime is 9000 ms, wanted at least 10000 ms"
    );
    assert_eq!(
        refused(keys().lifetime_between(Duration::from_secs(60), ten)),
        "longest lifetime is 10 s, wanted at least the shortest of 60 s"
    );
    assert_eq!(
        refused(keys().metadata_lifetime(Duration::from_millis(59_999))),
        "metadata_lifetime is 59999 ms, wanted at least 60000 ms"
    );
    let week = Duration::from_secs(7 * 24 * 3_600);
    assert_eq!(
        refused(keys().trust_stale_for(week + Duration::from_secs(1))),
        "trust_stale_for is 604801 s, wanted at most 604800 s"
    );
    assert_eq!(
        refused(keys().deadline(Duration::ZERO)),
        "deadline is 0 ms, wanted at least 1 ms"
    );
    assert_eq!(
        refused(keys().max_bytes(0)),
        "max_bytes is 0, wanted at least 1"
    );
    assert_eq!(
        refused(keys().allow_jwks_origin("https://keys.example")),
        "an origin is allowed for a jwks_uri that is given, wanted RemoteJwks::discover"
    );
    let at_the_bounds = keys()
        .lifetime(ten)
        .lifetime_between(ten, ten)
        .refresh_interval(Duration::from_secs(1))
        .metadata_lifetime(Duration::from_secs(60))
        .trust_stale_for(week)
        .fetch(issuer.fetcher());
    at_the_bounds.build().unwrap();
}

#[tokio::test]
async fn a_document_may_have_256_kib_and_take_five_seconds() {
    for (trouble, passes) in [
        (Trouble::Huge(262_144), true),
        (Trouble::Huge(262_145), false),
        (Trouble::Late(Duration::from_millis(5_000)), true),
        (Trouble::Late(Duration::from_millis(5_001)), false),
    ] {
        let gate = Gate::new();
        gate.issuer.trouble(Endpoint::Jwks, trouble.clone());
        let _ = gate.show_and_wait(&gate.token()).await;
        let end = BEGAN + Duration::from_millis(5_002);
        gate.pass(end.since(gate.now())).await;
        let keys = gate.server.status().keys.remove(0);
        assert_eq!(
            keys.kids.len(),
            usize::from(passes),
            "{trouble:?}: {keys:?}"
        );
        let why = keys.last_error.unwrap_or_default();
        let too_long = why == "key set: no whole answer within 5000 ms";
        let too_large = why == "key set: answer is larger than 262144 bytes";
        assert_eq!(passes, !(too_long || too_large), "{trouble:?}: {why}");
    }
}

#[tokio::test]
async fn clones_share_one_engine() {
    let clock = ManualClock::at(BEGAN);
    let issuer = watched::builder().clock(clock.clone()).build();
    let keys = RemoteJwks::at(&issuer.jwks_uri())
        .fetch(issuer.fetcher())
        .build()
        .unwrap();
    let gate = |audience: &str| {
        let jwt = JwtVerifier::builder(issuer.issuer(), audience).keys(keys.clone());
        issuer
            .resource_server()
            .verifier(jwt.build().unwrap())
            .build()
            .unwrap()
    };
    let (one, other) = (
        gate("https://one.example/"),
        Arc::new(gate("https://other.example/")),
    );
    show(
        &one,
        &issuer.token().audience("https://one.example/").mint(),
    )
    .await
    .unwrap();
    show(
        &other,
        &issuer.token().audience("https://other.example/").mint(),
    )
    .await
    .unwrap();
    assert_eq!(issuer.asked(Endpoint::Jwks), 1);
}

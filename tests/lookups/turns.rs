//! How many calls at a time, who waits for a turn and for how long, and the time budget.

use std::time::Duration;

use portcullis::FetchError;

use crate::watched;
use crate::world::{Does, GOOD, World, outage, settle};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn one_token_is_one_call_however_many_show_it() {
    let world = World::new();
    world.upstream.does(Does::Held);
    let shown: Vec<_> = (0..200).map(|_| world.start("the-token")).collect();
    settle().await;
    assert_eq!((world.status().in_flight, world.status().waiting), (1, 0));
    world.upstream.release(1);
    for shown in shown {
        shown.await.unwrap().unwrap();
    }
    assert_eq!(world.upstream.calls(), 1);
}

#[tokio::test]
async fn the_sixty_fifth_call_waits_for_its_turn() {
    let world = World::new();
    world.upstream.does(Does::Held);
    let shown = world.start_many("token", 70);
    settle().await;
    assert_eq!(world.upstream.calls(), 64);
    assert_eq!((world.status().in_flight, world.status().waiting), (64, 6));
    world.upstream.release(1);
    settle().await;
    assert_eq!(world.upstream.calls(), 65);
    assert_eq!((world.status().in_flight, world.status().waiting), (64, 5));
    assert_eq!(
        world.upstream.called_about()[64],
        "token-64",
        "first come, first served"
    );
    world.upstream.release(69);
    for shown in shown {
        shown.await.unwrap().unwrap();
    }
    assert_eq!((world.status().in_flight, world.status().waiting), (0, 0));
    assert_eq!(world.status().turned_away, 0);
}

#[tokio::test]
async fn a_thousand_wait_and_the_next_is_turned_away_at_once() {
    let world = World::new();
    world.upstream.does(Does::Held);
    let shown = world.start_many("token", 1_064);
    settle().await;
    let status = world.status();
    assert_eq!((status.in_flight, status.waiting), (64, 1_000));
    let (sentence, wait) = outage(world.show("one-too-many").await);
    assert_eq!(
        sentence,
        "the introspection endpoint cannot be asked: too many requests wait to call it"
    );
    assert_eq!(wait, secs(1));
    assert_eq!(world.status().turned_away, 1);
    world.upstream.release(1_064);
    for shown in shown {
        shown.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn both_numbers_can_be_set() {
    let world = World::with(|builder| builder.max_concurrent(2).max_waiting(0));
    world.upstream.does(Does::Held);
    let shown = world.start_many("token", 3);
    settle().await;
    assert_eq!((world.status().in_flight, world.status().waiting), (2, 0));
    world.upstream.release(2);
    let mut turned_away = 0;
    for shown in shown {
        turned_away += usize::from(shown.await.unwrap().is_err());
    }
    assert_eq!(turned_away, 1);
}

#[tokio::test]
async fn who_has_no_turn_in_half_of_the_deadline_is_turned_away() {
    let world = World::with(|builder| builder.max_concurrent(1));
    world.upstream.does(Does::Hangs);
    let first = world.start("first");
    settle().await;
    let second = world.start("second");
    settle().await;
    world.pass(millis(2_499)).await;
    assert!(!second.is_finished());
    world.pass(millis(1)).await;
    let (sentence, wait) = outage(second.await.unwrap());
    assert_eq!(
        sentence,
        "the introspection endpoint cannot be asked: no turn to call it within 2500 ms"
    );
    assert_eq!(wait, secs(1));
    assert!(!first.is_finished());
    world.pass(millis(2_500)).await;
    let (sentence, _) = outage(first.await.unwrap());
    assert_eq!(
        sentence,
        "the introspection endpoint cannot be asked: no whole answer within 5000 ms"
    );
    let status = world.status();
    assert_eq!(
        (status.turned_away, status.calls, status.failures),
        (1, 1, 1)
    );
}

/// One budget for waiting, calling and calling once more.
#[tokio::test]
async fn the_deadline_spans_the_turn_the_call_and_the_retry() {
    let world = World::with(|builder| builder.max_concurrent(1));
    let (late, broken) = (Does::Late(secs(2)), FetchError::broken("reset"));
    world
        .upstream
        .does_in_turn([late, Does::Fails(broken), Does::Hangs]);
    let first = world.start("first");
    settle().await;
    let second = world.start("second");
    settle().await;
    world.pass(secs(2)).await;
    first.await.unwrap().unwrap();
    assert_eq!(world.upstream.calls(), 3, "its turn, the call, the retry");
    world.pass(millis(2_999)).await;
    assert!(!second.is_finished());
    world.pass(millis(1)).await;
    let (sentence, _) = outage(second.await.unwrap());
    assert_eq!(
        sentence,
        "the introspection endpoint cannot be asked: no whole answer within 5000 ms"
    );
    assert_eq!(world.upstream.calls(), 3, "a timeout is not tried again");
}

/// More comes in, for good, than the endpoint can bear: it does all that it can do, none of it in vain,
/// and it does not count as down.
#[tokio::test]
async fn a_lasting_crush_leaves_the_endpoint_useful() {
    let world = World::with(|builder| builder.max_concurrent(8));
    world.upstream.does(Does::Late(secs(1)));
    let mut shown = Vec::new();
    for step in 0..200 {
        shown.extend(world.start_many(&format!("token-{step}"), 5));
        settle().await;
        world.pass(millis(100)).await;
    }
    while world.clock.next_wake().is_some() {
        world.pass(millis(100)).await;
    }
    let mut served = 0;
    for shown in shown {
        match shown.await.unwrap() {
            Ok(_) => served += 1,
            Err(error) => assert_eq!(
                error.to_string(),
                "the introspection endpoint cannot be asked: no turn to call it within 2500 ms"
            ),
        }
    }
    // 8 a second for 20 s, and what is in line at the end.
    assert!((160..=190).contains(&served), "served {served} of 1000");
    assert_eq!(world.status().failures, 0);
    assert_eq!(world.status().calls, served);
}

#[tokio::test]
async fn a_broken_connection_is_tried_again_once() {
    let broken = || Does::Fails(FetchError::broken("connection reset"));
    let world = World::new();
    world.upstream.does_in_turn([broken()]);
    world.show("token").await.unwrap();
    let status = world.status();
    assert_eq!((status.calls, status.failures), (2, 1));
    assert_eq!(status.last_error, None, "the last one was good");
    world.upstream.does_in_turn([broken(), broken(), GOOD]);
    let (sentence, _) = outage(world.show("another").await);
    assert_eq!(
        sentence,
        "the introspection endpoint cannot be asked: connection reset"
    );
    assert_eq!(world.upstream.calls(), 4);
}

#[tokio::test]
async fn nothing_else_is_tried_again() {
    for step in [
        Does::Fails(FetchError::new("connection refused")),
        Does::Fails(FetchError::too_large(10)),
        Does::Answers(500, ""),
        Does::Answers(503, ""),
        Does::Answers(400, r#"{"error":"unsupported_token_type"}"#),
        Does::Answers(200, "no JSON"),
        Does::Answers(200, r#"{"active":false}"#),
    ] {
        let world = World::new();
        world.upstream.does_in_turn([step]);
        world.show("token").await.unwrap_err();
        assert_eq!(world.upstream.calls(), 1);
    }
}

/// `private_key_jwt` has an assertion that is good once (RFC 7523 §3, `jti`), so a request is not
/// sent again, but made again.
#[tokio::test]
async fn a_second_try_has_an_assertion_of_its_own() {
    use std::sync::{Arc, Mutex};

    use http::{Request, Response};
    use portcullis::testing::ManualClock;
    use portcullis::{Algorithm, ClientAuth, Fetch, IntrospectionVerifier, ResourceServer};

    #[derive(Clone, Default)]
    struct Breaks(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Fetch for Breaks {
        async fn fetch(
            &self,
            request: Request<Vec<u8>>,
            _: usize,
        ) -> Result<Response<Vec<u8>>, FetchError> {
            self.0.lock().unwrap().push(request.into_body());
            Err(FetchError::broken("connection reset"))
        }
    }

    let pem = watched::issuer().client_with_new_key("gate", Algorithm::ES256);
    let auth = ClientAuth::private_key_jwt("gate", &pem, Algorithm::ES256).unwrap();
    let breaks = Breaks::default();
    let verifier = IntrospectionVerifier::builder("https://as.example/i", auth, "https://a");
    let server = ResourceServer::builder().clock(ManualClock::at(crate::world::NOW));
    let server = server.verifier(verifier.fetch(breaks.clone()).build().unwrap());
    let shown = crate::showing::show(&server.build().unwrap(), "token").await;
    outage(shown);
    let sent = breaks.0.lock().unwrap();
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0], sent[1]);
}

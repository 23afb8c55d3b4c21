//! What opens the circuit breaker, what never does, and how it closes.

use std::time::Duration;

use portcullis::{ErrorKind, FetchError, Reason};

use crate::log::Log;
use crate::showing::reason;
use crate::world::{ACTIVE, DOWN, Does, GOOD, World, outage, settle};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn five_failures_in_a_row_open_it_and_requests_are_told_honestly() {
    let world = World::new();
    world.show("known-token").await.unwrap();
    world.upstream.does(DOWN);
    for n in 0..5 {
        assert!(world.status().available, "after {n} failures");
        let (sentence, wait) = outage(world.show(&format!("token-{n}")).await);
        assert!(if n < 4 {
            wait == secs(5)
        } else {
            wait <= secs(1)
        });
        assert_eq!(
            sentence,
            "the introspection endpoint cannot be asked: status is 500, wanted 200"
        );
    }
    assert_eq!(world.upstream.calls(), 6);
    let (sentence, wait) = outage(world.show("token-5").await);
    assert_eq!(
        sentence,
        "the introspection endpoint https://as.example/introspect is left alone for now, it failed: \
         status is 500, wanted 200"
    );
    assert!((800..=1_000).contains(&wait.as_millis()), "{wait:?}");
    assert_eq!(
        world.show("known-token").await.unwrap().subject(),
        Some("alice"),
        "what is known passes all the same"
    );
    assert_eq!(world.upstream.calls(), 6, "nobody is called");
    // A moment before, nobody is let through; then somebody is.
    world.upstream.does(GOOD);
    world.pass(wait - Duration::from_millis(1)).await;
    let (_, wait) = outage(world.show("token-6").await);
    assert_eq!(wait, Duration::from_millis(1));
    world.pass(wait).await;
    world.show("token-7").await.unwrap();
    assert!(world.status().available);
    assert_eq!(world.status().last_error, None);
}

#[tokio::test]
async fn the_log_is_told_of_each_attempt_and_not_of_each_request() {
    let log = Log::begin();
    let world = World::new();
    world.upstream.does(DOWN);
    for n in 0..100 {
        outage(world.show(&format!("token-{n}")).await);
    }
    assert_eq!(log.says("cannot be asked: status is 500"), 5);
    assert_eq!(
        log.says("is left alone for"),
        1,
        "and that it is left alone"
    );
    assert_eq!(log.says("WARN"), 6, "95 more were turned away");
}

#[tokio::test]
async fn exactly_one_probe_goes_through_and_the_others_come_back_in_a_second() {
    let world = World::new();
    world.upstream.does(DOWN);
    assert_eq!(world.exhaust().await, 5);
    world.upstream.does(Does::Held);
    world.pause_is_over().await;
    let shown = world.start_many("at-once", 50);
    settle().await;
    assert_eq!(world.upstream.calls(), 6);
    let status = world.status();
    assert_eq!((status.in_flight, status.waiting), (1, 0));
    assert_eq!(status.turned_away, 49);
    world.upstream.release(1);
    let (mut passed, mut waits) = (0, Vec::new());
    for shown in shown {
        match shown.await.unwrap() {
            Ok(_) => passed += 1,
            Err(error) => waits.push(error.retry_after().unwrap()),
        }
    }
    assert_eq!((passed, waits), (1, vec![secs(1); 49]));
    // It was answered: everybody may call again.
    let shown = world.start_many("afterwards", 50);
    settle().await;
    assert_eq!(world.upstream.calls(), 56);
    world.upstream.release(50);
    for shown in shown {
        shown.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn each_probe_that_fails_doubles_the_pause_up_to_thirty_seconds() {
    let world = World::new();
    world.upstream.does(DOWN);
    world.exhaust().await;
    let mut calls = world.upstream.calls();
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        let (_, wait) = outage(world.show("turned-away").await);
        let allowed = secs(seconds).mul_f64(0.8)..=secs(seconds);
        assert!(allowed.contains(&wait), "{wait:?}, wanted {allowed:?}");
        world.pause_is_over().await;
        outage(world.show("probe").await);
        calls += 1;
        assert_eq!(world.upstream.calls(), calls);
    }
}

#[tokio::test]
async fn nobody_waits_in_line_behind_the_probe() {
    let world = World::with(|builder| builder.max_concurrent(1));
    world.upstream.does(DOWN);
    world.exhaust().await;
    world.upstream.does(Does::Held);
    world.pause_is_over().await;
    let probe = world.start("probe");
    settle().await;
    let (_, wait) = outage(world.show("another").await);
    assert_eq!(wait, secs(1));
    world.upstream.release(1);
    probe.await.unwrap().unwrap();
}

/// Nobody waits in line for an endpoint that has failed meanwhile.
#[tokio::test]
async fn who_waits_in_line_when_it_opens_is_turned_away() {
    let world = World::with(|builder| builder.max_concurrent(5));
    world.upstream.decides(|token| match token {
        "last" => GOOD,
        _ => Does::Hangs,
    });
    let hang = world.start_many("hangs", 5);
    settle().await;
    world.pass(secs(4)).await;
    let last = world.start("last");
    settle().await;
    assert_eq!(world.status().waiting, 1);
    world.pass(secs(1)).await;
    for hangs in hang {
        outage(hangs.await.unwrap());
    }
    let (sentence, _) = outage(last.await.unwrap());
    assert_eq!(
        sentence,
        "the introspection endpoint https://as.example/introspect is left alone for now, it failed: \
         no whole answer within 5000 ms"
    );
    assert_eq!(world.upstream.calls(), 5);
}

#[tokio::test]
async fn these_count_as_failures() {
    for failure in [
        Does::Fails(FetchError::new("connection refused")),
        Does::Fails(FetchError::broken("connection reset")),
        Does::Fails(FetchError::too_large(262_144)),
        Does::Brings(vec![b' '; 262_145]),
        Does::Brings(vec![0xff]),
        Does::Answers(500, ""),
        Does::Answers(502, ""),
        Does::Answers(503, ""),
        Does::Answers(504, ""),
        Does::Answers(429, ""),
        Does::Answers(200, ""),
        Does::Answers(200, "<!doctype html>"),
        Does::Answers(200, "[]"),
        Does::Answers(200, "{\"active\":true"),
    ] {
        let world = World::new();
        world.upstream.does(failure);
        for n in 0..5 {
            assert!(world.status().available);
            outage(world.show(&format!("token-{n}")).await);
        }
        assert!(!world.status().available);
    }
    let world = World::new();
    world.upstream.does(Does::Hangs);
    let shown = world.start_many("token", 5);
    settle().await;
    world.pass(secs(5)).await;
    for shown in shown {
        outage(shown.await.unwrap());
    }
    assert!(!world.status().available, "so does a timeout");
}

/// What a token can provoke, whoever holds it could use against all others.
#[tokio::test]
async fn hostile_tokens_do_not_open_it() {
    for provoked in [
        Does::Answers(400, r#"{"error":"unsupported_token_type"}"#),
        Does::Answers(400, "no JSON"),
        Does::Answers(401, ""),
        Does::Answers(403, ""),
        Does::Answers(404, ""),
        Does::Answers(413, ""),
        Does::AnswersWith(400, "retry-after", "30"),
        Does::AnswersWith(302, "location", "https://as.example/login"),
        Does::Answers(200, r#"{"active":true,"active":true}"#),
        Does::Answers(200, r#"{"active":true,"exp":"tomorrow"}"#),
    ] {
        let world = World::new();
        world.upstream.decides(move |token| match token {
            "good-token" => GOOD,
            _ => provoked.clone(),
        });
        for _ in 0..100 {
            outage(world.show("hostile-token").await);
        }
        assert_eq!(world.upstream.calls(), 100, "it is called each time");
        world.show("good-token").await.unwrap();
    }
    // Well-formed answers say no, and a no is no failure.
    let world = World::new();
    for n in 0..100 {
        let no = match n % 3 {
            0 => Does::Answers(200, r#"{"active":false}"#),
            1 => Does::Answers(200, r#"{"active":"true"}"#),
            _ => Does::Answers(200, r#"{"active":true,"aud":"https://other.example/"}"#),
        };
        world.upstream.does(no);
        let error = world.show(&format!("token-{n}")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidToken);
    }
    assert!(world.status().available);
}

/// An answer, even one that refuses, shows that the endpoint is there.
#[tokio::test]
async fn an_answer_about_another_token_ends_the_row_and_the_pause() {
    let world = World::new();
    let refused = || Does::Answers(400, "");
    let steps = [DOWN, DOWN, DOWN, DOWN, refused(), DOWN, DOWN, DOWN, DOWN];
    world.upstream.does_in_turn(steps);
    for n in 0..9 {
        outage(world.show(&format!("token-{n}")).await);
    }
    assert!(world.status().available);
    world.upstream.does(DOWN);
    world.exhaust().await;
    world.pause_is_over().await;
    world.upstream.does(refused());
    outage(world.show("probe").await);
    assert!(world.status().available);
}

#[tokio::test]
async fn retry_after_is_kept_in_both_forms_and_for_thirty_seconds_at_most() {
    for (status, value, seconds) in [
        (429, "17", 17),
        (503, "17", 17),
        // 2026-11-21T12:00:07Z: seven seconds after the test begins.
        (429, "Sat, 21 Nov 2026 12:00:07 GMT", 7),
        (503, "Sat, 21 Nov 2026 12:00:07 GMT", 7),
        (429, "3600", 30),
        (503, "Sat, 21 Nov 2026 14:00:00 GMT", 30),
    ] {
        let world = World::new();
        let busy = Does::AnswersWith(status, "retry-after", value);
        world.upstream.does_in_turn([busy]);
        let (sentence, wait) = outage(world.show("first").await);
        assert_eq!(
            sentence,
            format!("the introspection endpoint cannot be asked: status is {status}, wanted 200")
        );
        assert_eq!(wait, secs(seconds), "{status} {value}");
        world.pass(secs(seconds) - Duration::from_millis(1)).await;
        let (_, wait) = outage(world.show("too-soon").await);
        assert_eq!(wait, Duration::from_millis(1));
        assert_eq!(world.upstream.calls(), 1, "{status} {value}");
        world.pass(Duration::from_millis(1)).await;
        world.show("in-time").await.unwrap();
    }
}

#[tokio::test]
async fn a_retry_after_that_says_nothing_is_a_plain_failure() {
    for (status, value) in [
        (429, "0"),
        (503, "soon"),
        (503, "Sat, 21 Nov 2026 11:00:00 GMT"),
        (500, "17"),
    ] {
        let world = World::new();
        let steps = [Does::AnswersWith(status, "retry-after", value)];
        world.upstream.does_in_turn(steps);
        outage(world.show("first").await);
        world.show("second").await.unwrap();
    }
}

/// Failures are told to others than those who showed the token.
#[tokio::test]
async fn the_sentence_of_one_request_tells_another_no_secret() {
    let world = World::new();
    world.upstream.decides(|token| {
        let error = format!("cannot send token={token} with secret Z2F0ZTpzM2NyZXQ=");
        Does::Fails(FetchError::new(error))
    });
    for n in 0..5 {
        let (sentence, _) = outage(world.show(&format!("secret-token-{n}")).await);
        assert_eq!(
            sentence,
            "the introspection endpoint cannot be asked: [withheld: it repeats a secret]"
        );
    }
    let (sentence, _) = outage(world.show("another").await);
    assert_eq!(
        sentence,
        "the introspection endpoint https://as.example/introspect is left alone for now, it failed: \
         [withheld: it repeats a secret]"
    );
    let status = format!("{:?}", world.status());
    assert!(
        !status.contains("secret-token") && !status.contains("Z2F0"),
        "{status}"
    );
    assert!(!status.contains("k3y"), "a query may hold a key: {status}");
}

#[tokio::test]
async fn an_outage_is_never_remembered() {
    let world = World::new();
    world.upstream.does(DOWN);
    world.exhaust().await;
    let outcome = world.show("token").await;
    assert_eq!(reason(&outcome), Some(Reason::LookupUnavailable));
    world.upstream.does(Does::Answers(200, ACTIVE));
    world.pause_is_over().await;
    world.show("token").await.unwrap();
}

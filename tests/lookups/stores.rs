//! Stores of one's own and UserInfo endpoints: the same turns, budget and breaker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis::testing::ManualClock;
use portcullis::{
    ClaimSet, Lookup, LookupVerifier, LookupVerifierBuilder, ResourceServer, Unavailable, danger,
};

use crate::showing::show;
use crate::world::{Does, NOW, Upstream, outage, settle};

/// Does as the token says.
#[derive(Clone, Default)]
struct Store {
    calls: Arc<AtomicUsize>,
    /// Hangs are ended with it.
    hold: Arc<tokio::sync::Notify>,
}

impl Lookup for Store {
    async fn look_up(&self, token: &str) -> Result<Option<ClaimSet>, Unavailable> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let word = token.split('-').next().unwrap_or_default();
        match word {
            "good" => Ok(Some(ClaimSet::parse(r#"{"sub":"alice"}"#)?)),
            "reset" => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))?,
            "down" => {
                Err(Unavailable::new("the pool is empty").retry_after(Duration::from_secs(9)))
            }
            "odd" => Err(Unavailable::new("the row does not read").for_this_token()),
            "hang" => {
                self.hold.notified().await;
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

struct Gate {
    store: Store,
    clock: ManualClock,
    server: ResourceServer,
}

fn gate(set: impl FnOnce(LookupVerifierBuilder) -> LookupVerifierBuilder) -> Gate {
    let (store, clock) = (Store::default(), ManualClock::at(NOW));
    let verifier = set(LookupVerifier::builder(store.clone()).jitter_seed(7));
    let server = ResourceServer::builder().clock(clock.clone());
    let server = server.verifier(verifier.build().unwrap()).build().unwrap();
    Gate {
        store,
        clock,
        server,
    }
}

impl Gate {
    fn calls(&self) -> usize {
        self.store.calls.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_store_tries_again_itself() {
    let gate = gate(|builder| builder);
    let (sentence, wait) = outage(show(&gate.server, "reset-1").await);
    assert_eq!(sentence, "the look-up failed: connection reset");
    assert_eq!(wait, Duration::from_secs(5));
    assert_eq!(gate.calls(), 1);
}

#[tokio::test]
async fn a_store_that_is_down_is_left_alone() {
    let gate = gate(|builder| builder);
    for n in 0..5 {
        let (sentence, wait) = outage(show(&gate.server, &format!("down-{n}")).await);
        assert_eq!(sentence, "the look-up failed: the pool is empty");
        assert_eq!(wait, Duration::from_secs(9), "as the store says");
    }
    let (sentence, wait) = outage(show(&gate.server, "good-1").await);
    assert_eq!(
        sentence,
        "the look-up is left alone for now, it failed: the pool is empty"
    );
    assert!((800..=1_000).contains(&wait.as_millis()), "{wait:?}");
    assert_eq!(gate.calls(), 5);
    gate.clock.advance(wait);
    show(&gate.server, "good-1").await.unwrap();
}

#[tokio::test]
async fn a_row_that_does_not_read_is_one_tokens_trouble() {
    let gate = gate(|builder| builder);
    for _ in 0..100 {
        let (sentence, _) = outage(show(&gate.server, "odd-row").await);
        assert_eq!(sentence, "the look-up failed: the row does not read");
    }
    show(&gate.server, "good-1").await.unwrap();
    for n in 0..100 {
        show(&gate.server, &format!("unknown-{n}"))
            .await
            .unwrap_err();
    }
    show(&gate.server, "good-2").await.unwrap();
}

#[tokio::test]
async fn look_ups_have_turns_and_a_deadline() {
    let gate = gate(|builder| {
        let builder = builder.deadline(Duration::from_secs(2));
        builder.max_concurrent(1).max_waiting(1)
    });
    let start = |token: &'static str| {
        let server = gate.server.clone();
        tokio::spawn(async move { show(&server, token).await })
    };
    let (first, second) = (start("hang-1"), start("hang-2"));
    settle().await;
    let (sentence, _) = outage(show(&gate.server, "hang-3").await);
    assert_eq!(
        sentence,
        "the look-up failed: too many requests wait to call it"
    );
    gate.clock.advance(Duration::from_secs(1));
    let (sentence, _) = outage(second.await.unwrap());
    assert_eq!(
        sentence,
        "the look-up failed: no turn to call it within 1000 ms"
    );
    gate.clock.advance(Duration::from_secs(1));
    let (sentence, _) = outage(first.await.unwrap());
    assert_eq!(
        sentence,
        "the look-up failed: no whole answer within 2000 ms"
    );
    assert_eq!(gate.calls(), 1);
}

#[tokio::test]
async fn userinfo_has_the_same_and_refused_tokens_do_not_count() {
    let clock = ManualClock::at(NOW);
    let upstream = Upstream::new(&clock);
    let verifier = danger::userinfo("https://as.example/userinfo")
        .fetch(upstream.clone())
        .deadline(Duration::from_secs(2))
        .max_concurrent(1)
        .max_waiting(0);
    let server = ResourceServer::builder().clock(clock.clone());
    let server = server.verifier(verifier.build().unwrap()).build().unwrap();
    for status in [401, 403] {
        upstream.does(Does::Answers(status, ""));
        for n in 0..10 {
            let error = show(&server, &format!("no-{status}-{n}")).await;
            assert_eq!(
                error.unwrap_err().to_string(),
                "the issuer does not tell whose token it is"
            );
        }
    }
    upstream.does(Does::Hangs);
    let first = tokio::spawn({
        let server = server.clone();
        async move { show(&server, "hangs").await }
    });
    settle().await;
    let (sentence, _) = outage(show(&server, "another").await);
    assert_eq!(
        sentence,
        "the UserInfo endpoint cannot be asked: too many requests wait to call it"
    );
    clock.advance(Duration::from_secs(2));
    let (sentence, _) = outage(first.await.unwrap());
    assert_eq!(
        sentence,
        "the UserInfo endpoint cannot be asked: no whole answer within 2000 ms"
    );
    upstream.does(Does::Answers(200, "<!doctype html>"));
    for n in 0..4 {
        let (sentence, _) = outage(show(&server, &format!("portal-{n}")).await);
        assert_eq!(
            sentence,
            "the UserInfo endpoint cannot be asked: answer is no strict JSON object: no JSON at line \
             1 column 1"
        );
    }
    let (sentence, _) = outage(show(&server, "another").await);
    assert_eq!(
        sentence,
        "the UserInfo endpoint https://as.example/userinfo is left alone for now, it failed: answer \
         is no strict JSON object: no JSON at line 1 column 1"
    );
}

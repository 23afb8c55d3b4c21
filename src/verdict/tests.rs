//! The memory of one server as the server uses it: what is kept, shared, and forgotten.

mod at_hand;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::claims::ClaimSet;
use crate::credential::Carrier;
use crate::freshness::Freshness;
use crate::lease::Lease;
use crate::principal::PrincipalType;
use crate::token::Term;
use crate::verified::Verified;

/// Long enough to be kept at hand.
const TOKEN: &str = "a-token-of-some-length";
const NOW: UnixTime = UnixTime::from_secs(1_000);
const LIFETIME: VerdictLifetime = VerdictLifetime::accepted(Duration::from_secs(30))
    .refused(Duration::from_secs(10))
    .revoked(Duration::from_secs(20));

fn verdicts() -> Arc<Verdicts> {
    Arc::new(Verdicts::with(100, namer(), Some(Owner::new())))
}

/// The same for all memories here.
fn namer() -> Namer {
    Namer::with(&[7; 16]).unwrap()
}

fn name(token: &str, carrier: &Carrier) -> Name {
    namer().name(carrier, token.as_bytes())
}

fn key() -> Name {
    name(TOKEN, &Carrier::bearer())
}

fn accepted(until: UnixTime) -> Outcome {
    let verified = Verified::new(ClaimSet::parse(r#"{"sub":"alice"}"#).unwrap());
    Ok(AccessToken::new(verified, "access_token".into(), until))
}

/// Is good until `NOW`, in need for ten seconds more, and was asked about at `NOW`.
fn wanted_in_need(lease: &Lease) -> Outcome {
    let verified = Verified::new(ClaimSet::parse("{}").unwrap());
    let verified = verified.leased(lease.clone()).confirmed_at(NOW);
    let term = Term {
        good_until: NOW,
        in_need_until: NOW + Duration::from_secs(10),
    };
    let (kind, machine) = ("access_token".into(), PrincipalType::Machine);
    Ok(AccessToken::with(verified, kind, term, machine, None))
}

fn refused() -> Outcome {
    Err(Error::invalid_token("no"))
}

fn finding(outcome: Outcome) -> Finding {
    Finding {
        outcome,
        lifetime: LIFETIME,
        at: NOW,
    }
}

/// What was needed within five seconds.
fn standing() -> Need {
    Need::Standing(Freshness::within(Duration::from_secs(5)))
}

impl Verdicts {
    fn found(&self, name: Name, outcome: Outcome) {
        let memory = self.memory(&name);
        self.keep(name, Need::Proof, &finding(outcome), memory);
    }
}

/// The ways to forget the token that is `key()`, of alice.
const WAYS: [fn(&Verdicts); 3] = [
    |verdicts| verdicts.forget(&Credential::new(TOKEN, &Carrier::bearer())),
    |verdicts| verdicts.forget_subject("alice"),
    Verdicts::forget_all,
];

#[test]
fn a_verdict_ends_and_is_forgotten() {
    for forget in WAYS {
        let verdicts = verdicts();
        let end = NOW + Duration::from_secs(5);
        verdicts.found(key(), accepted(end));
        assert!(matches!(verdicts.recall(&key(), NOW), Some(Ok(_))));
        assert!(verdicts.recall(&key(), end).is_none());
        verdicts.found(key(), accepted(end));
        forget(&verdicts);
        assert!(verdicts.recall(&key(), NOW).is_none());
    }
}

#[test]
fn a_subject_is_forgotten_and_nobody_else() {
    let verdicts = verdicts();
    let keys: Vec<Name> = (0..60)
        .map(|number| name(&format!("t{number}"), &Carrier::bearer()))
        .collect();
    let subject = |at: usize| ["alice", "bob", "Alice"][at % 3];
    for (at, key) in keys.iter().enumerate() {
        let claims = format!(
            r#"{{"iss":"https://{at}.example","sub":"{}"}}"#,
            subject(at)
        );
        let verified = Verified::new(ClaimSet::parse(claims).unwrap());
        let token = AccessToken::new(verified, "access_token".into(), UnixTime::MAX);
        verdicts.found(*key, Ok(token));
    }
    let nobody = name("nobody", &Carrier::bearer());
    verdicts.found(nobody, refused());
    verdicts.forget_subject("alice");
    for (at, key) in keys.iter().enumerate() {
        let known = verdicts.recall(key, NOW).is_some();
        assert_eq!(known, subject(at) != "alice", "token {at}");
    }
    assert!(verdicts.recall(&nobody, NOW).is_some());
    verdicts.forget_all();
    for key in keys.iter().chain([&nobody]) {
        assert!(verdicts.recall(key, NOW).is_none());
    }
}

#[test]
fn refusals_are_kept_apart_and_outages_never() {
    let verdicts = verdicts();
    verdicts.found(key(), refused());
    assert!(matches!(verdicts.recall(&key(), NOW), Some(Err(_))));
    let later = NOW + Duration::from_secs(10);
    assert!(verdicts.recall(&key(), later).is_none());
    verdicts.found(key(), Err(Error::unavailable(Duration::ZERO, "down")));
    assert!(verdicts.recall(&key(), NOW).is_none());
}

#[test]
fn what_is_found_revoked_is_refused_for_a_time_of_its_own() {
    let verdicts = verdicts();
    verdicts.found(key(), accepted(UnixTime::MAX));
    let memory = verdicts.memory(&key());
    verdicts.keep(key(), standing(), &finding(refused()), memory);
    let after = |seconds| verdicts.recall(&key(), NOW + Duration::from_secs(seconds));
    assert!(matches!(after(19), Some(Err(_))));
    assert!(after(20).is_none());
}

#[test]
fn a_refusal_ends_what_was_accepted_before_for_those_who_are_late_too() {
    for need in [Need::Proof, standing()] {
        let verdicts = verdicts();
        verdicts.found(key(), accepted(UnixTime::MAX));
        // Two ask: the first gets its answer last.
        let early = verdicts.memory(&key());
        let late = verdicts.memory(&key());
        verdicts.keep(key(), need, &finding(refused()), late);
        assert!(matches!(verdicts.recall(&key(), NOW), Some(Err(_))));
        let accepted = finding(accepted(UnixTime::MAX));
        verdicts.keep(key(), Need::Proof, &accepted, early);
        assert!(!matches!(verdicts.recall(&key(), NOW), Some(Ok(_))));
    }
}

#[test]
fn a_refusal_that_was_found_out_before_something_was_forgotten_is_not_remembered() {
    for forget in WAYS {
        let verdicts = verdicts();
        let before = verdicts.memory(&key());
        forget(&verdicts);
        verdicts.keep(key(), standing(), &finding(refused()), before);
        assert!(verdicts.recall(&key(), NOW).is_none());
    }
}

#[test]
fn bad_tokens_keep_nobody_from_being_remembered() {
    let verdicts = verdicts();
    let before = verdicts.memory(&key());
    for number in 0..2_000 {
        let bad = name(&format!("bad {number}"), &Carrier::bearer());
        verdicts.found(bad, refused());
    }
    verdicts.keep(
        key(),
        Need::Proof,
        &finding(accepted(UnixTime::MAX)),
        before,
    );
    assert!(verdicts.recall(&key(), NOW).is_some());
}

#[test]
fn what_serves_in_need_is_not_known_and_ends() {
    let lease = Lease::until(UnixTime::MAX);
    let verdicts = verdicts();
    verdicts.found(key(), wanted_in_need(&lease));
    let serves = |seconds| {
        let now = NOW + Duration::from_secs(seconds);
        assert!(verdicts.recall(&key(), now).is_none(), "it is asked first");
        verdicts.recall_in_need(&key(), now).is_some()
    };
    assert!(serves(0));
    assert!(serves(9));
    assert!(!serves(10), "its time is over");
    verdicts.found(key(), wanted_in_need(&lease));
    assert!(serves(9));
    verdicts.found(key(), refused());
    assert!(verdicts.recall_in_need(&key(), NOW).is_none(), "refused");
    for forget in [WAYS[0], WAYS[2]] {
        verdicts.found(key(), wanted_in_need(&lease));
        forget(&verdicts);
        assert!(!serves(0), "forgotten");
    }
    verdicts.found(key(), wanted_in_need(&lease));
    lease.withdraw();
    assert!(!serves(0), "what proved it is no longer trusted");
}

#[tokio::test]
async fn a_flight_that_is_dropped_says_so_and_leaves_no_trace() {
    let verdicts = verdicts();
    let outcome = verdicts
        .one_flight(key(), Need::Proof, NOW, || async {
            panic!("a verifier's bug")
        })
        .await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(verdicts.flights().is_empty());
}

#[tokio::test]
async fn what_is_forgotten_during_its_flight_stays_forgotten() {
    for forget in WAYS {
        let verdicts = verdicts();
        let (let_land, may_land) = tokio::sync::oneshot::channel::<()>();
        let flight = verdicts.one_flight(key(), Need::Proof, NOW, || async move {
            may_land.await.unwrap();
            finding(accepted(UnixTime::MAX))
        });
        let logout = async {
            forget(&verdicts);
            let next =
                verdicts.one_flight(key(), Need::Proof, NOW, || async { finding(refused()) });
            next.await
                .expect_err("who comes after it joins no flight of before");
            verdicts.forget(&Credential::new(TOKEN, &Carrier::bearer()));
            let_land.send(()).unwrap();
        };
        let (outcome, ()) = tokio::join!(flight, logout);
        outcome.expect("who asked before the logout gets what was true then");
        assert!(verdicts.recall(&key(), NOW).is_none());
        assert!(verdicts.flights().is_empty());
    }
}

#[test]
fn what_is_forgotten_during_a_verification_at_once_stays_forgotten() {
    for forget in WAYS {
        let verdicts = verdicts();
        let before = verdicts.memory(&key());
        forget(&verdicts);
        let accepted = finding(accepted(UnixTime::MAX));
        verdicts.keep(key(), Need::Proof, &accepted, before);
        assert!(verdicts.recall(&key(), NOW).is_none());
    }
}

#[tokio::test]
async fn who_comes_after_the_landing_starts_no_flight() {
    let verdicts = verdicts();
    let verified = Verified::new(ClaimSet::parse("{}").unwrap()).confirmed_at(NOW);
    let token = AccessToken::new(verified, "access_token".into(), UnixTime::MAX);
    verdicts.found(key(), Ok(token));
    for need in [Need::Proof, standing()] {
        let flight = verdicts.one_flight(key(), need, NOW, || async { panic!("nobody is asked") });
        flight.await.unwrap();
    }
    verdicts.found(key(), refused());
    let flight = verdicts.one_flight(key(), standing(), NOW, || async {
        panic!("nobody is asked")
    });
    flight.await.unwrap_err();
}

#[tokio::test]
async fn a_flight_takes_those_whom_its_answer_serves() {
    let verdicts = verdicts();
    let (let_land, may_land) = tokio::sync::watch::channel(false);
    let (flights, mut shown) = (Arc::new(AtomicUsize::new(0)), Vec::new());
    let at_once = Need::Standing(Freshness::within(Duration::ZERO));
    for (need, millis, so_far) in [
        (Need::Proof, 0, 1),
        // A question of its own: an ordinary verification asks nobody about revocation.
        (standing(), 0, 2),
        (standing(), 4_999, 2),
        (standing(), 5_000, 3),
        // The later flight is the one to join now.
        (standing(), 9_999, 3),
        // The clock was set back.
        (standing(), 4_999, 4),
        (at_once, 4_999, 5),
        (standing(), 4_999, 5),
        (Need::Proof, 60_000, 5),
    ] {
        let (verdicts, mut may_land, begun) = (verdicts.clone(), may_land.clone(), flights.clone());
        shown.push(tokio::spawn(async move {
            let now = NOW + Duration::from_millis(millis);
            let flight = verdicts.one_flight(key(), need, now, || async move {
                begun.fetch_add(1, Ordering::Relaxed);
                may_land.wait_for(|may| *may).await.unwrap();
                finding(accepted(UnixTime::MAX))
            });
            flight.await
        }));
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        assert_eq!(flights.load(Ordering::Relaxed), so_far, "at {millis}");
    }
    let_land.send_replace(true);
    for shown in shown {
        shown.await.unwrap().unwrap();
    }
    assert!(verdicts.flights().is_empty());
}

#[test]
fn a_runtime_that_shuts_down_leaves_nobody_waiting() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let gone = runtime.handle().clone();
    drop(runtime);
    let verdicts = verdicts();
    let entered = gone.enter();
    let flight = verdicts.one_flight(key(), Need::Proof, NOW, std::future::pending);
    let mut flight = std::pin::pin!(flight);
    let waker = std::task::Waker::noop();
    let polled = flight
        .as_mut()
        .poll(&mut std::task::Context::from_waker(waker));
    assert!(
        matches!(polled, std::task::Poll::Ready(Err(_))),
        "it ends, without a deadlock"
    );
    drop(entered);
    assert!(verdicts.flights().is_empty());
}

//! The circuit breaker's table, row by row. Apart from it, so that a model checker can compile it
//! alone.

use std::sync::Arc;
use std::time::Duration;

use super::breaker::{Breaker, PROBE_WAIT, Pass};
use crate::clock::UnixTime;
use crate::jitter::{Jitter, LONGEST_PAUSE};

const START: UnixTime = UnixTime::from_secs(1_000);

fn breaker() -> Breaker {
    Breaker::new(Jitter::by_chance())
}

fn after(millis: u64) -> UnixTime {
    START + Duration::from_millis(millis)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn fail(pass: Pass<'_>, now: UnixTime) -> bool {
    pass.failed(now, None, "it is down".into())
}

/// Fails as often as it takes.
fn open(breaker: &Breaker, now: UnixTime) {
    while breaker.turned_away(now).is_none() {
        fail(breaker.enter(now).ok().unwrap(), now);
    }
}

/// How long a call is turned away for now; zero if it is let through.
fn wait(breaker: &Breaker, now: UnixTime) -> Duration {
    let away = breaker.turned_away(now);
    away.map_or(Duration::ZERO, |away| away.wait)
}

/// The probe, at the moment when the pause is over, and that moment.
fn probe(breaker: &Breaker, now: UnixTime) -> (Pass<'_>, UnixTime) {
    let over = now + wait(breaker, now);
    let pass = breaker.enter(over).ok();
    (pass.expect("the pause is over"), over)
}

/// `pause` or up to a fifth less of it, by chance.
#[track_caller]
fn assert_about(pause: Duration, wanted: Duration) {
    let allowed = wanted.mul_f64(0.8)..=wanted;
    assert!(
        allowed.contains(&pause),
        "pause is {pause:?}, wanted {allowed:?}"
    );
}

#[test]
fn closed_it_lets_all_through_until_five_failures_in_a_row() {
    let breaker = breaker();
    let passes: Vec<_> = (0..100).map(|_| breaker.enter(START).ok()).collect();
    assert!(passes.iter().all(Option::is_some));
    let opened: Vec<bool> = passes
        .into_iter()
        .flatten()
        .take(5)
        .map(|pass| fail(pass, START))
        .collect();
    assert_eq!(opened, [false, false, false, false, true]);
    let away = breaker.enter(START).err().unwrap();
    assert_about(away.wait, secs(1));
    assert_eq!(&*away.why, "it is down");
}

#[test]
fn an_answer_between_failures_begins_the_row_anew() {
    let breaker = breaker();
    for _ in 0..20 {
        for _ in 0..4 {
            assert!(!fail(breaker.enter(START).ok().unwrap(), START));
        }
        assert!(!breaker.enter(START).ok().unwrap().answered());
    }
    assert_eq!(breaker.turned_away(START), None);
}

#[test]
fn open_it_lets_nobody_through_before_the_pause_is_over_and_then_one() {
    let breaker = breaker();
    open(&breaker, START);
    let pause = wait(&breaker, START);
    let just_before = START + (pause - Duration::from_millis(1));
    let away = breaker.enter(just_before).err().unwrap();
    assert_eq!(away.wait, Duration::from_millis(1), "an honest wait");
    let over = START + pause;
    assert_eq!(breaker.turned_away(over), None);
    let probe = breaker.enter(over).ok();
    assert!(probe.is_some());
    for now in [over, over + secs(3600)] {
        let away = breaker.enter(now).err().unwrap();
        assert_eq!(away.wait, PROBE_WAIT, "one probe, however long it takes");
    }
}

#[test]
fn an_answered_probe_closes_it_and_the_row_begins_anew() {
    let breaker = breaker();
    open(&breaker, START);
    let (first, now) = probe(&breaker, START);
    assert!(fail(first, now));
    let (second, now) = probe(&breaker, now);
    assert!(second.answered(), "it says that it has closed it");
    for _ in 0..4 {
        assert!(!fail(breaker.enter(now).ok().unwrap(), now));
    }
    assert!(fail(breaker.enter(now).ok().unwrap(), now));
    assert_about(wait(&breaker, now), secs(1));
}

#[test]
fn each_failed_probe_doubles_the_pause_up_to_thirty_seconds() {
    let breaker = breaker();
    open(&breaker, START);
    let mut now = START;
    for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
        assert_about(wait(&breaker, now), secs(seconds));
        let (pass, over) = probe(&breaker, now);
        assert!(fail(pass, over));
        now = over;
    }
}

#[test]
fn pauses_differ_by_chance_and_are_the_same_from_the_same_seed() {
    let pause = |jitter| {
        let breaker = Breaker::new(jitter);
        open(&breaker, START);
        wait(&breaker, START)
    };
    let pauses: Vec<Duration> = (0..20).map(|_| pause(Jitter::by_chance())).collect();
    assert!(pauses.iter().any(|other| *other != pauses[0]));
    let jitter = Jitter::by_chance();
    assert_eq!(pause(jitter.clone()), pause(jitter));
}

#[test]
fn a_probe_that_is_given_up_makes_room_for_another() {
    let breaker = breaker();
    open(&breaker, START);
    let (given_up, now) = probe(&breaker, START);
    assert!(breaker.turned_away(now).is_some());
    drop(given_up);
    let next = breaker.enter(now).ok();
    assert!(breaker.enter(now).is_err(), "again only one");
    assert!(next.unwrap().answered());
    assert_eq!(breaker.turned_away(now), None);
}

#[test]
fn a_call_that_is_given_up_while_closed_says_nothing() {
    let breaker = breaker();
    for _ in 0..4 {
        fail(breaker.enter(START).ok().unwrap(), START);
    }
    for _ in 0..10 {
        drop(breaker.enter(START));
    }
    assert_eq!(breaker.turned_away(START), None);
    assert!(fail(breaker.enter(START).ok().unwrap(), START), "the fifth");
}

#[test]
fn calls_from_before_the_circuit_changed_change_nothing() {
    let breaker = breaker();
    let mut early: Vec<_> = (0..20)
        .map(|_| breaker.enter(START).ok().unwrap())
        .collect();
    let mut early = || early.pop().unwrap();
    open(&breaker, START);
    let pause = wait(&breaker, START);
    assert!(!fail(early(), START), "it is open already");
    assert!(!early().answered(), "it stays open");
    drop(early());
    assert_eq!(wait(&breaker, START), pause, "and as long as before");
    let (pass, now) = probe(&breaker, START);
    assert!(!fail(early(), now));
    assert!(!early().answered());
    drop(early());
    assert!(
        breaker.enter(now).is_err(),
        "the probe is still the only one"
    );
    assert!(pass.answered());
    for _ in 0..10 {
        assert!(!fail(early(), now));
    }
    assert_eq!(breaker.turned_away(now), None);
}

#[test]
fn a_pause_that_is_asked_for_is_kept_at_once_and_in_full() {
    let breaker = breaker();
    let told = |pass: Pass<'_>, seconds, now| pass.failed(now, Some(secs(seconds)), "busy".into());
    assert!(told(breaker.enter(START).ok().unwrap(), 17, START));
    assert_eq!(wait(&breaker, START), secs(17));
    let (pass, now) = probe(&breaker, START);
    assert!(told(pass, 3600, now));
    let left = LONGEST_PAUSE - secs(10);
    assert_eq!(wait(&breaker, now + secs(10)), left, "but no longer");
    // Less than its own pause is no reason to call sooner; none at all is not asked for.
    let (pass, now) = probe(&breaker, now);
    assert!(told(pass, 1, now));
    assert_about(wait(&breaker, now), secs(4));
    let (pass, now) = probe(&breaker, now);
    pass.answered();
    assert!(!told(breaker.enter(now).ok().unwrap(), 0, now));
    assert_eq!(breaker.turned_away(now), None);
}

#[test]
fn a_pause_is_kept_whoever_brings_word_of_it() {
    let breaker = breaker();
    let mut early: Vec<_> = (0..3).map(|_| breaker.enter(START).ok().unwrap()).collect();
    let mut told = |seconds, now| {
        let pass = early.pop().unwrap();
        pass.failed(now, Some(secs(seconds)), Arc::from("busy"))
    };
    open(&breaker, START);
    assert!(!told(7, START));
    assert_eq!(wait(&breaker, START), secs(7), "while it is open");
    let (pass, now) = probe(&breaker, START);
    assert!(!told(8, now));
    drop(pass);
    assert_eq!(wait(&breaker, now), secs(8), "while it is being probed");
    let (pass, now) = probe(&breaker, now);
    assert!(pass.answered());
    assert!(told(9, now));
    assert_eq!(wait(&breaker, now), secs(9), "when it is closed again");
}

#[test]
fn a_clock_that_is_set_back_makes_no_pause_longer() {
    let breaker = breaker();
    open(&breaker, after(3_600_000));
    assert_eq!(wait(&breaker, START), LONGEST_PAUSE);
    assert_eq!(wait(&breaker, after(29_999)), Duration::from_millis(1));
    let (pass, now) = probe(&breaker, after(30_000));
    assert!(pass.answered());
    open(&breaker, now);
    assert_about(wait(&breaker, now), secs(1));
}

#[test]
fn of_threads_that_come_at_once_one_is_the_probe() {
    let breaker = breaker();
    open(&breaker, START);
    let mut now = START;
    for _ in 0..50 {
        now = now + wait(&breaker, now);
        let barrier = std::sync::Barrier::new(8);
        let passes: Vec<_> = std::thread::scope(|scope| {
            let enter = || {
                barrier.wait();
                breaker.enter(now).ok()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(enter)).collect();
            let passes = threads.into_iter().map(|thread| thread.join().unwrap());
            passes.flatten().collect()
        });
        assert_eq!(passes.len(), 1);
    }
}

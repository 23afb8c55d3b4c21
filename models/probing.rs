//! A circuit that is open lets one probe through, whoever comes at the same time, and another if that
//! is given up.

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;
use portcullis::UnixTime;

use crate::breaker::Breaker;
use crate::jitter::Jitter;
use crate::sync::Ordering;

const OPENED: UnixTime = UnixTime::from_secs(1_000);

/// A circuit that has been opened, and the time when its pause is over.
fn open() -> (Breaker, UnixTime) {
    let breaker = Breaker::new(Jitter::by_chance());
    let pass = breaker.enter(OPENED).unwrap();
    assert!(pass.failed(OPENED, Some(Duration::from_secs(1)), "it is down".into()));
    (breaker, OPENED + Duration::from_secs(30))
}

#[test]
fn of_all_who_come_at_once_one_probes() {
    loom::model(|| {
        let (breaker, later) = open();
        let (breaker, probes) = (Arc::new(breaker), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (breaker, probes) = (breaker.clone(), probes.clone());
                thread::spawn(move || {
                    if let Ok(pass) = breaker.enter(later) {
                        let others = probes.fetch_add(1, Ordering::SeqCst);
                        assert_eq!(others, 0, "one probe at a time");
                        probes.fetch_sub(1, Ordering::SeqCst);
                        // Given up: the next one is let through at once.
                        drop(pass);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(
            breaker.enter(later).is_ok(),
            "a probe that was given up blocks nobody"
        );
    });
}

#[test]
fn an_answer_and_a_late_failure_leave_it_closed() {
    loom::model(|| {
        let breaker = Breaker::new(Jitter::by_chance());
        let late = breaker.enter(OPENED).unwrap();
        let pass = breaker.enter(OPENED).unwrap();
        assert!(pass.failed(OPENED, Some(Duration::from_secs(1)), "it is down".into()));
        let later = OPENED + Duration::from_secs(30);
        let breaker = &breaker;
        let probe = breaker.enter(later).unwrap();
        assert!(probe.answered(), "it is closed by its probe");
        // A call from before has no say.
        assert!(!late.failed(later, None, "it was down".into()));
        assert!(breaker.enter(later).is_ok());
    });
}

//! What a reader may rely on while a key set is replaced by one that lacks a key.

use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;
use portcullis::UnixTime;

use crate::finds;
use crate::lease::Lease;
use crate::sync::Ordering;

const NOW: UnixTime = UnixTime::from_secs(1_000);
const LATER: UnixTime = UnixTime::from_secs(2_000);

/// A key set with two keys is replaced by one with the second alone.
struct Keys {
    /// 0 is the set with both keys, 1 the one without the first.
    newest: AtomicUsize,
    withdrawn: Lease,
    kept: Lease,
}

impl Keys {
    fn new() -> Arc<Keys> {
        Arc::new(Keys {
            newest: AtomicUsize::new(0),
            withdrawn: Lease::until(LATER),
            kept: Lease::until(LATER),
        })
    }
}

/// First the leases, then the set.
fn withdraw_first(keys: &Keys) {
    keys.kept.extend(LATER);
    keys.withdrawn.withdraw();
    keys.newest.store(1, Ordering::Release);
}

/// First the set, then the leases.
fn withdraw_last(keys: &Keys) {
    keys.kept.extend(LATER);
    keys.newest.store(1, Ordering::Release);
    keys.withdrawn.withdraw();
}

/// A request that has seen the newer set asks the verdict cache about a token of the withdrawn key.
fn seen_and_recalled(adopt: fn(&Keys)) {
    loom::model(move || {
        let keys = Keys::new();
        let reader = keys.clone();
        let reader = thread::spawn(move || {
            assert!(
                reader.kept.holds(NOW),
                "a key of both sets serves all the time"
            );
            if reader.newest.load(Ordering::Acquire) == 1 {
                let holds = reader.withdrawn.holds(NOW);
                assert!(!holds, "a withdrawn key serves beside the newer set");
            }
        });
        adopt(&keys);
        assert!(!keys.withdrawn.holds(NOW), "it is adopted");
        reader.join().unwrap();
    });
}

#[test]
fn who_has_seen_the_newer_set_is_served_no_withdrawn_key_if_leases_go_first() {
    seen_and_recalled(withdraw_first);
}

#[test]
fn if_leases_go_last_there_is_an_instant_in_which_both_serve() {
    let found = finds(|| seen_and_recalled(withdraw_last));
    assert!(
        found
            .unwrap()
            .contains("a withdrawn key serves beside the newer set")
    );
}

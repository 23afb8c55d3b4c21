//! What a thread has at hand, and what counts as used.

use super::*;

/// What a request finds, at hand or in the table.
fn shown(verdicts: &Verdicts, token: &str, carrier: &Carrier, now: UnixTime) -> Option<Outcome> {
    let bytes = token.as_bytes();
    let name = verdicts.name(carrier, bytes);
    let at_hand = verdicts.recall_at_hand(carrier, bytes, now);
    let known = || verdicts.recall_shown(carrier, bytes, &name, now);
    at_hand.map(Ok).or_else(known)
}

fn is_at_hand(verdicts: &Verdicts, carrier: &Carrier, now: UnixTime) -> bool {
    verdicts
        .recall_at_hand(carrier, TOKEN.as_bytes(), now)
        .is_some()
}

#[test]
fn what_is_shown_again_and_again_is_at_hand_for_as_long_as_the_table_holds_it() {
    let bearer = Carrier::bearer();
    let lease = Lease::until(UnixTime::MAX);
    let end = NOW + Duration::from_secs(60);
    let at_hand = || {
        let verdicts = verdicts();
        let verified = Verified::new(ClaimSet::parse(r#"{"sub":"alice"}"#).unwrap());
        let verified = verified.leased(lease.clone());
        let token = AccessToken::new(verified, "access_token".into(), end);
        verdicts.found(key(), Ok(token));
        assert!(!is_at_hand(&verdicts, &bearer, NOW), "it was not shown yet");
        for _ in 0..2 {
            shown(&verdicts, TOKEN, &bearer, NOW).unwrap().unwrap();
        }
        assert!(is_at_hand(&verdicts, &bearer, NOW));
        verdicts
    };
    for forget in WAYS {
        let verdicts = at_hand();
        forget(&verdicts);
        assert!(!is_at_hand(&verdicts, &bearer, NOW));
    }
    let verdicts = at_hand();
    let memory = verdicts.memory(&key());
    verdicts.keep(key(), standing(), &finding(refused()), memory);
    assert!(!is_at_hand(&verdicts, &bearer, NOW), "refused since");
    assert!(shown(&verdicts, TOKEN, &bearer, NOW).unwrap().is_err());

    let verdicts = at_hand();
    verdicts.found(key(), accepted(UnixTime::MAX));
    assert!(!is_at_hand(&verdicts, &bearer, NOW), "found out anew");

    let verdicts = at_hand();
    for number in 0..1_000 {
        let other = name(&format!("other {number}"), &bearer);
        verdicts.found(other, accepted(UnixTime::MAX));
    }
    let stays = is_at_hand(&verdicts, &bearer, NOW);
    assert_eq!(
        stays,
        verdicts.recall(&key(), NOW).is_some(),
        "as in the table"
    );

    let verdicts = at_hand();
    assert!(!is_at_hand(&verdicts, &bearer, end), "its time is over");
    let app = Carrier::header("App-Token").unwrap();
    assert!(!is_at_hand(&verdicts, &app, NOW), "in another carrier");
    let elsewhere = self::verdicts();
    assert!(!is_at_hand(&elsewhere, &bearer, NOW), "of another server");
    let on_another_thread = std::thread::scope(|scope| {
        let look = scope.spawn(|| is_at_hand(&verdicts, &bearer, NOW));
        look.join().unwrap()
    });
    assert!(!on_another_thread, "each thread has its own");
    lease.withdraw();
    assert!(!is_at_hand(&verdicts, &bearer, NOW), "its key is withdrawn");
}

#[test]
fn who_wants_no_token_kept_has_none_at_hand() {
    let bearer = Carrier::bearer();
    let verdicts = Verdicts::with(100, namer(), None);
    verdicts.found(key(), accepted(UnixTime::MAX));
    for _ in 0..3 {
        shown(&verdicts, TOKEN, &bearer, NOW).unwrap().unwrap();
        assert!(!is_at_hand(&verdicts, &bearer, NOW));
    }
}

/// Real threads: whoever looks after something was forgotten finds nothing from before.
#[test]
fn nothing_from_before_is_found_by_threads_that_look_after_it_was_forgotten() {
    let verdicts = verdicts();
    let bearer = Carrier::bearer();
    let (oldest, over) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut found = 0;
                while over.load(Ordering::Acquire) == 0 {
                    let oldest = oldest.load(Ordering::Acquire);
                    if let Some(token) = shown(&verdicts, TOKEN, &bearer, NOW) {
                        let token = token.unwrap();
                        let generation: usize = token.subject().unwrap().parse().unwrap();
                        assert!(generation >= oldest, "{generation} after {oldest}");
                        found += 1;
                    }
                }
                assert!(found > 0);
            });
        }
        for generation in 0..3_000 {
            let claims = ClaimSet::parse(format!(r#"{{"sub":"{generation}"}}"#)).unwrap();
            let verified = Verified::new(claims);
            let token = AccessToken::new(verified, "access_token".into(), UnixTime::MAX);
            verdicts.found(key(), Ok(token));
            for _ in 0..20 {
                shown(&verdicts, TOKEN, &bearer, NOW).unwrap().unwrap();
            }
            WAYS[2 * (generation % 2)](&verdicts);
            oldest.store(generation + 1, Ordering::Release);
        }
        over.store(1, Ordering::Release);
    });
}

/// Requests whose carriers take a closer look than a glance go by `recall`: what they use counts, too.
#[test]
fn what_is_recalled_by_a_closer_look_counts_as_used() {
    for by_glance in [true, false] {
        let verdicts = verdicts();
        let bearer = Carrier::bearer();
        verdicts.found(key(), accepted(UnixTime::MAX));
        let mut missed = 0;
        for number in 0..2_000 {
            let known = match by_glance {
                true => verdicts
                    .recall_shown(&bearer, TOKEN.as_bytes(), &key(), NOW)
                    .is_some(),
                false => verdicts.recall(&key(), NOW).is_some(),
            };
            if !known {
                missed += 1;
                verdicts.found(key(), accepted(UnixTime::MAX));
            }
            let other = name(&format!("other {number}"), &bearer);
            verdicts.found(other, accepted(UnixTime::MAX));
        }
        assert!(missed <= 4, "by glance {by_glance}: {missed}");
    }
}

/// Neither the table nor the thread holds what was forgotten, once it is shown again.
#[test]
fn what_stands_no_more_is_at_hand_no_longer_than_until_it_is_shown() {
    #[derive(serde::Deserialize)]
    struct Plain {}
    let verdicts = verdicts();
    let bearer = Carrier::bearer();
    verdicts.found(key(), accepted(UnixTime::MAX));
    let mut read = Vec::new();
    for _ in 0..4 {
        let token = shown(&verdicts, TOKEN, &bearer, NOW).unwrap().unwrap();
        read.push(Arc::downgrade(&token.claims_as::<Plain>().unwrap()));
    }
    assert!(read.iter().all(|claims| claims.upgrade().is_some()));
    verdicts.forget_all();
    assert!(shown(&verdicts, TOKEN, &bearer, NOW).is_none());
    assert!(read.iter().all(|claims| claims.upgrade().is_none()));
}

//! What the harness knows to be right: which keys and tokens are good since when, and when the issuer
//! was in trouble.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::LIMITS;

/// The whole truth.
#[derive(Default)]
pub(crate) struct Truth {
    keys: Mutex<HashMap<String, Arc<Key>>>,
    /// When the issuer could not be relied on for its keys, and for its word about opaque tokens.
    pub(crate) without_keys: Outages,
    pub(crate) without_word: Outages,
}

/// A key and some tokens that are signed with it.
pub(crate) struct Key {
    pub(crate) kid: String,
    pub(crate) tokens: Vec<String>,
    ended: Ended,
}

/// When something that was good was made bad: begun, and done.
#[derive(Default)]
pub(crate) struct Ended(Mutex<(Option<Instant>, Option<Instant>)>);

impl Ended {
    /// Notes that `end` makes it bad.
    pub(crate) fn by(&self, end: impl FnOnce()) {
        lock(&self.0).0 = Some(Instant::now());
        end();
        lock(&self.0).1 = Some(Instant::now());
    }

    /// Whether it may have been bad by then.
    pub(crate) fn may_be_by(&self, moment: Instant) -> bool {
        lock(&self.0).0.is_some_and(|begun| begun <= moment)
    }

    /// How long before then it was bad for certain.
    pub(crate) fn since(&self, moment: Instant) -> Option<Duration> {
        moment.checked_duration_since(lock(&self.0).1?)
    }

    /// Whether it was bad for certain by then.
    pub(crate) fn is_by(&self, moment: Instant) -> bool {
        self.since(moment).is_some()
    }

    pub(crate) fn at(&self) -> Option<Instant> {
        lock(&self.0).1
    }
}

impl Key {
    pub(crate) fn of(kid: String, tokens: Vec<String>) -> Key {
        Key {
            kid,
            tokens,
            ended: Ended::default(),
        }
    }

    pub(crate) fn withdrawn(&self) -> &Ended {
        &self.ended
    }
}

impl Truth {
    pub(crate) fn add(&self, key: Key) {
        lock(&self.keys).insert(key.kid.clone(), Arc::new(key));
    }

    /// Keys by whether they are withdrawn.
    pub(crate) fn keys(&self, withdrawn: bool) -> Vec<Arc<Key>> {
        let now = Instant::now();
        let keys = lock(&self.keys);
        let keys = keys
            .values()
            .filter(|key| key.ended.may_be_by(now) == withdrawn);
        keys.cloned().collect()
    }

    pub(crate) fn key(&self, kid: &str) -> Option<Arc<Key>> {
        lock(&self.keys).get(kid).cloned()
    }

    /// Drops what nobody asks about any more.
    pub(crate) fn forget(&self, kid: &str) {
        lock(&self.keys).remove(kid);
    }

    /// When a key that was withdrawn at `withdrawn` must be gone: with the next refresh at the latest, or
    /// when the issuer is back.
    pub(crate) fn gone_by(&self, withdrawn: Instant) -> Instant {
        let mut by = withdrawn + LIMITS.refreshed + LIMITS.deadline + LIMITS.slack;
        // In the order in which they came, each may put it off.
        for (begun, over) in self.without_keys.all() {
            if begun <= by && by < over {
                by = over;
            }
        }
        by
    }
}

/// Times when something could not be relied on.
#[derive(Default)]
pub(crate) struct Outages(Mutex<Vec<(Instant, Option<Instant>)>>);

impl Outages {
    pub(crate) fn begin(&self) {
        lock(&self.0).push((Instant::now(), None));
    }

    pub(crate) fn end(&self) {
        if let Some((_, end)) = lock(&self.0).last_mut() {
            *end = Some(Instant::now());
        }
    }

    /// Whether one of them, or the recovery from it, was anywhere between these two moments.
    pub(crate) fn touch(&self, from: Instant, to: Instant) -> bool {
        let all = self.all();
        all.iter()
            .any(|(begun, over)| *begun <= to && from <= *over)
    }

    /// From when until when each counts, in their order.
    fn all(&self) -> Vec<(Instant, Instant)> {
        let now = Instant::now();
        let outages = lock(&self.0);
        let all = outages.iter().map(|(begun, end)| {
            let end = end.unwrap_or(now);
            (*begun, end + LIMITS.recovery(end - *begun))
        });
        all.collect()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while holding it")
}

//! How long what proved a token may be trusted: one number that a key and all its tokens share.

use crate::clock::UnixTime;
use crate::sync::{Arc, AtomicI64, Ordering};

/// The moment until which a signing key is trusted: it lends one to each token it signed.
///
/// A key set that is replaced takes the lease of a withdrawn key back, and with it every verdict
/// that rests on it. Whoever sees what was written after that sees the lease withdrawn.
#[derive(Clone, Debug)]
pub(crate) struct Lease(Arc<AtomicI64>);

#[cfg_attr(not(feature = "jwt"), allow(dead_code))]
impl Lease {
    pub(crate) fn until(end: UnixTime) -> Lease {
        Lease(Arc::new(AtomicI64::new(end.as_millis())))
    }

    pub(crate) fn extend(&self, end: UnixTime) {
        self.0.store(end.as_millis(), Ordering::Release);
    }

    pub(crate) fn withdraw(&self) {
        self.0.store(i64::MIN, Ordering::Release);
    }

    /// Takes these back, and shows then what comes in their place: whoever has seen that finds none of
    /// them holding.
    pub(crate) fn withdraw_before<'a>(
        leases: impl IntoIterator<Item = &'a Lease>,
        show: impl FnOnce(),
    ) {
        for lease in leases {
            lease.withdraw();
        }
        show();
    }

    pub(crate) fn holds(&self, now: UnixTime) -> bool {
        now.as_millis() < self.0.load(Ordering::Acquire)
    }
}

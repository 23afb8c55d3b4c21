//! What a memory of verdicts notes at a verdict: the name it is kept under, and whether it still is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Of a verdict that is kept, or never was.
#[derive(Default)]
pub(crate) struct Kept {
    /// Written before others see the verdict at its place.
    name: [AtomicU64; 2],
    /// Whoever has a copy asks whether the memory still has the original.
    held: AtomicBool,
    /// Since the memory last looked for one that gives way.
    used: AtomicBool,
}

impl Kept {
    /// Notes the name, before the verdict is put into its place.
    pub(crate) fn under(&self, name: [u64; 2]) {
        for (place, half) in self.name.iter().zip(name) {
            place.store(half, Ordering::Relaxed);
        }
        self.used.store(false, Ordering::Relaxed);
        self.held.store(true, Ordering::Release);
    }

    pub(crate) fn is_under(&self, name: [u64; 2]) -> bool {
        self.name() == name
    }

    pub(crate) fn name(&self) -> [u64; 2] {
        let [first, second] = &self.name;
        [
            first.load(Ordering::Relaxed),
            second.load(Ordering::Relaxed),
        ]
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// Notes that its place is another's now, or nobody's.
    pub(crate) fn let_go(&self) {
        self.held.store(false, Ordering::Release);
    }

    /// Written once per round of the memory's hand: a write for each use would make threads wait for each
    /// other.
    pub(crate) fn mark_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether it was used since this was last asked.
    pub(crate) fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

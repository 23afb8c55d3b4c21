//! That nothing which was found out before it was forgotten is remembered after it.
//!
//! Whoever finds something out takes a [`Memory`] before it begins, and shows it when it has put what
//! it found into the store. Whoever forgets counts first and clears then. So, of a keeping and a
//! forgetting that meet, either the forgetting clears what was put in, or the keeping sees the count
//! and clears it itself. `models/` runs this very file in every order.

use crate::sync::{AtomicU64, Ordering, fence};

/// How often something was forgotten, by a byte of its name: `COUNTERS` of them, so that one logout
/// does not keep all others from being remembered.
pub(crate) struct Forgetting<const COUNTERS: usize>(Box<[AtomicU64]>);

/// A moment in the life of what one counter counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Memory(u64);

impl<const COUNTERS: usize> Forgetting<COUNTERS> {
    pub(crate) fn new() -> Forgetting<COUNTERS> {
        Forgetting((0..COUNTERS).map(|_| AtomicU64::new(0)).collect())
    }

    fn times(&self, byte: u8) -> &AtomicU64 {
        &self.0[usize::from(byte) % COUNTERS]
    }

    /// To be taken before it is found out whether something is so, and given to
    /// [`keep`](Self::keep) after it.
    pub(crate) fn memory(&self, byte: u8) -> Memory {
        Memory(self.times(byte).load(Ordering::SeqCst))
    }

    /// Has `put` put in what was found out, and `clear` clear it again if something was forgotten
    /// since `memory`. Between the two it can be seen: by those who ask while this runs.
    pub(crate) fn keep(&self, byte: u8, memory: Memory, put: impl FnOnce(), clear: impl FnOnce()) {
        put();
        fence(Ordering::SeqCst);
        if self.memory(byte) != memory {
            clear();
        }
    }

    /// Has `clear` forget one thing.
    pub(crate) fn forget(&self, byte: u8, clear: impl FnOnce()) {
        self.count(byte);
        fence(Ordering::SeqCst);
        clear();
    }

    /// Forgets what was found out before, also by those who have yet to put it in, and puts in what
    /// is known instead, unless something else was forgotten since `memory`.
    pub(crate) fn replace(&self, byte: u8, memory: Memory, put: impl FnOnce(), clear: impl Fn()) {
        let Memory(before) = self.count(byte);
        fence(Ordering::SeqCst);
        clear();
        if Memory(before) == memory {
            self.keep(byte, Memory(before.wrapping_add(1)), put, clear);
        }
    }

    fn count(&self, byte: u8) -> Memory {
        Memory(self.times(byte).fetch_add(1, Ordering::SeqCst))
    }

    /// Has `clear` forget things that any byte may stand for.
    pub(crate) fn forget_all(&self, clear: impl FnOnce()) {
        for times in &self.0 {
            times.fetch_add(1, Ordering::SeqCst);
        }
        fence(Ordering::SeqCst);
        clear();
    }
}

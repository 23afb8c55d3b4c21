//! What only so many may have at a time: the engine's seat, and places among those who wait for keys.

use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// The seat of a key source's one engine.
///
/// Who finds it taken sees what was done before it was taken; who takes it sees what was done before
/// it was left.
pub(super) struct Seat(AtomicBool);

impl Seat {
    pub(super) fn new() -> Seat {
        Seat(AtomicBool::new(false))
    }

    pub(super) fn is_taken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Takes it, unless somebody was quicker.
    pub(super) fn take(&self) -> bool {
        let took = self
            .0
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire);
        took.is_ok()
    }

    pub(super) fn leave(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A number of places.
pub(super) struct Places {
    taken: AtomicUsize,
    most: usize,
}

/// One of them, given back however its owner ends.
pub(super) struct Place<'a>(&'a Places);

impl Places {
    pub(super) fn new(most: usize) -> Places {
        Places {
            taken: AtomicUsize::new(0),
            most,
        }
    }

    /// A place, if there is one left.
    pub(super) fn take(&self) -> Option<Place<'_>> {
        let place = Place(self);
        // Counted first and looked at then: nobody slips in between.
        (self.taken.fetch_add(1, Ordering::AcqRel) < self.most).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

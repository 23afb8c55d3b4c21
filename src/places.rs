//! What only so many may have at a time: an engine's seat, places among those who wait.

use crate::sync::{AtomicBool, AtomicUsize, Ordering};

/// The seat of a key source's one engine.
///
/// Who finds it taken sees what was done before it was taken; who takes it sees what was done before
/// it was left.
#[cfg_attr(not(feature = "jwt"), allow(dead_code))]
pub(crate) struct Seat(AtomicBool);

#[cfg_attr(not(feature = "jwt"), allow(dead_code))]
impl Seat {
    pub(crate) fn new() -> Seat {
        Seat(AtomicBool::new(false))
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Takes it, unless somebody was quicker.
    pub(crate) fn take(&self) -> bool {
        let took = self
            .0
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire);
        took.is_ok()
    }

    pub(crate) fn leave(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A number of places.
pub(crate) struct Places {
    taken: AtomicUsize,
    most: usize,
}

/// One of them, given back however its owner ends.
pub(crate) struct Place<'a>(&'a Places);

impl Places {
    pub(crate) fn new(most: usize) -> Places {
        Places {
            taken: AtomicUsize::new(0),
            most,
        }
    }

    /// How many are taken. Whoever is just finding out that none is left may be counted, too.
    #[cfg_attr(not(feature = "introspection"), allow(dead_code))]
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed).min(self.most)
    }

    /// A place, if there is one left.
    pub(crate) fn take(&self) -> Option<Place<'_>> {
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

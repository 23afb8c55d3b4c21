//! The table of verdicts: read without a lock, written under one, bounded.
//!
//! A name belongs into one set of sixteen places. Whoever reads compares sixteen marks, which lie in one
//! line of the processor's cache, and takes what stands there; whether it is the right one says the entry
//! itself, so a mark that is out of date costs a miss and nothing else. Whoever writes holds the lock:
//! for an insertion that is a few hundred nanoseconds, after a verification of fifteen thousand.
//!
//! What gives way when the table is full is found as by a clock: a hand goes around, passes over entries
//! that were used since it came last, and takes what is over or was not used.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwapOption, Guard};

use super::name::Name;
use crate::clock::UnixTime;
use crate::token::{AccessToken, Facts};

/// How many places a set has: the marks of one set fill one cache line.
const WAYS: usize = 16;

/// How many places there are for ten entries: with more room few sets are full before the table is.
const PLACES_FOR_TEN: usize = 16;

/// How many entries the hand looks at for one that gives way: then the last one does, used or not.
const LONGEST_SEARCH: usize = 64;

/// How many places each insertion clears of what is over.
const SWEPT: usize = 2;

#[repr(align(64))]
struct Set {
    marks: [AtomicU32; WAYS],
    places: [ArcSwapOption<Facts>; WAYS],
}

/// What writers share.
#[derive(Default)]
struct Writing {
    held: usize,
    /// The place where the search for one that gives way goes on.
    hand: usize,
    /// The place where clearing away goes on.
    broom: usize,
}

/// What was taken out: dropped once the lock is free, since claims of an application's own type may do
/// anything when they are dropped.
type Gone = [Option<Arc<Facts>>; 2 + SWEPT];

pub(super) struct Table {
    sets: Box<[Set]>,
    capacity: usize,
    writing: Mutex<Writing>,
}

impl Table {
    pub(super) fn new(capacity: usize) -> Table {
        let places = capacity.saturating_mul(PLACES_FOR_TEN).div_ceil(10);
        let sets = places.div_ceil(WAYS).next_power_of_two();
        let empty = || Set {
            marks: Default::default(),
            places: Default::default(),
        };
        Table {
            sets: (0..sets).map(|_| empty()).collect(),
            capacity,
            writing: Mutex::default(),
        }
    }

    fn set(&self, name: &Name) -> (&Set, u32) {
        let (place, mark) = name.place();
        // There is a power of two of sets.
        let at = place as usize & (self.sets.len() - 1);
        (&self.sets[at], mark)
    }

    /// The entry of that name.
    pub(super) fn get(&self, name: &Name) -> Option<Guard<Option<Arc<Facts>>>> {
        let (set, mark) = self.set(name);
        for (its_mark, place) in set.marks.iter().zip(&set.places) {
            if its_mark.load(Ordering::Relaxed) == mark {
                let found = place.load();
                if found
                    .as_ref()
                    .is_some_and(|entry| entry.kept().is_under(name.halves()))
                {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Puts an entry in, in the place of another of its name. What is over at `now`, or was not
    /// used since the hand came by, gives way if there is no room.
    pub(super) fn insert(&self, name: &Name, verdict: &AccessToken, now: UnixTime) {
        if self.capacity == 0 {
            return;
        }
        let entry = verdict.facts().clone();
        entry.kept().under(name.halves());
        let (set, mark) = self.set(name);
        let mut gone = Gone::default();
        let mut writing = self.writing();
        let known = ways().find(|way| set.holds(*way, name));
        let way = known.unwrap_or_else(|| {
            if writing.held >= self.capacity {
                gone[1] = self.give_way(&mut writing, now);
            }
            set.way_for_another(now)
        });
        gone[0] = set.put(way, mark, Some(entry));
        writing.held += usize::from(gone[0].is_none());
        for swept in &mut gone[2..] {
            *swept = self.sweep(&mut writing, now);
        }
        drop(writing);
    }

    /// Takes the entry of that name out.
    pub(super) fn remove(&self, name: &Name) {
        let (set, _) = self.set(name);
        let mut writing = self.writing();
        let way = ways().find(|way| set.holds(*way, name));
        let gone = way.and_then(|way| set.take(way, &mut writing));
        drop(writing);
        drop(gone);
    }

    /// Takes out what `unwanted` says.
    pub(super) fn remove_all(&self, unwanted: impl Fn(&Facts) -> bool) {
        for set in &self.sets {
            for way in ways() {
                let found = set.places[way].load();
                if let Some(entry) = found.as_ref().filter(|entry| unwanted(entry)) {
                    self.remove(&Name::of_halves(entry.kept().name()));
                }
            }
        }
    }

    /// Takes out an entry that is over, or that was not used since the hand came by.
    fn give_way(&self, writing: &mut Writing, now: UnixTime) -> Option<Arc<Facts>> {
        let mut searched = 0;
        // Once around finds all used at most, and says so no more: the second time one gives way.
        for _ in 0..2 * self.sets.len() * WAYS {
            let (set, way) = self.step(&mut writing.hand);
            let found = set.places[way].load();
            let Some(entry) = found.as_ref() else {
                continue;
            };
            searched += 1;
            let spared = entry.serves_in_need(now) && entry.kept().was_used();
            if !spared || searched == LONGEST_SEARCH {
                return set.take(way, writing);
            }
        }
        None
    }

    /// Takes out what is over of the place where the broom stands.
    fn sweep(&self, writing: &mut Writing, now: UnixTime) -> Option<Arc<Facts>> {
        let (set, way) = self.step(&mut writing.broom);
        let found = set.places[way].load();
        let is_over = |entry: &Arc<Facts>| !entry.serves_in_need(now);
        found.as_ref().filter(|entry| is_over(entry))?;
        set.take(way, writing)
    }

    fn step(&self, hand: &mut usize) -> (&Set, usize) {
        let at = *hand;
        *hand = (at + 1) % (self.sets.len() * WAYS);
        (&self.sets[at / WAYS], at % WAYS)
    }

    /// Never held while something is waited for, nor on the way of a verdict that is known.
    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ways() -> std::ops::Range<usize> {
    0..WAYS
}

impl Set {
    fn holds(&self, way: usize, name: &Name) -> bool {
        let found = self.places[way].load();
        found
            .as_ref()
            .is_some_and(|entry| entry.kept().is_under(name.halves()))
    }

    /// A place for an entry that is not there: a free one, else one of those that are over, else one that was
    /// not used, else any.
    fn way_for_another(&self, now: UnixTime) -> usize {
        let worth = |way: &usize| match self.places[*way].load().as_ref() {
            None => (0, UnixTime::EPOCH),
            Some(entry) if !entry.serves_in_need(now) => (1, UnixTime::EPOCH),
            Some(entry) => (
                2 + usize::from(entry.kept().is_used()),
                entry.in_need_until(),
            ),
        };
        ways().min_by_key(worth).unwrap_or(0)
    }

    /// Puts an entry, or nothing, into a place and hands out what was there.
    fn put(&self, way: usize, mark: u32, entry: Option<Arc<Facts>>) -> Option<Arc<Facts>> {
        let same = entry.as_ref().map(Arc::as_ptr);
        let gone = self.places[way].swap(entry);
        self.marks[way].store(mark, Ordering::Release);
        if let Some(gone) = &gone
            && same != Some(Arc::as_ptr(gone))
        {
            gone.kept().let_go();
        }
        gone
    }

    fn take(&self, way: usize, writing: &mut Writing) -> Option<Arc<Facts>> {
        let gone = self.put(way, 0, None);
        writing.held -= usize::from(gone.is_some());
        gone
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::name::Namer;
    use super::*;
    use crate::claims::ClaimSet;
    use crate::credential::Carrier;
    use crate::verified::Verified;

    const NOW: UnixTime = UnixTime::from_secs(1_000);

    fn name(number: usize) -> Name {
        let namer = Namer::with(&[7; 16]).unwrap();
        namer.name(&Carrier::bearer(), number.to_string().as_bytes())
    }

    /// The verdict on the token `number`, good for so many seconds.
    fn verdict(number: usize, seconds: u64) -> AccessToken {
        let claims = ClaimSet::parse(format!(r#"{{"sub":"{number}"}}"#)).unwrap();
        let end = NOW + Duration::from_secs(seconds);
        AccessToken::new(Verified::new(claims), "access_token".into(), end)
    }

    fn put(table: &Table, number: usize, seconds: u64, now: UnixTime) {
        table.insert(&name(number), &verdict(number, seconds), now);
    }

    fn holds(table: &Table, number: usize) -> bool {
        let found = table.get(&name(number));
        found.is_some_and(|found| {
            let facts = found.as_ref().unwrap();
            assert_eq!(facts.subject(), Some(&*number.to_string()));
            true
        })
    }

    fn held(table: &Table, numbers: std::ops::Range<usize>) -> usize {
        numbers.filter(|number| holds(table, *number)).count()
    }

    #[test]
    fn it_holds_what_it_may_and_no_more() {
        for (capacity, at_least) in [(0, 0), (1, 1), (7, 7), (100, 97), (1_000, 985)] {
            let table = Table::new(capacity);
            for number in 0..capacity {
                put(&table, number, 60, NOW);
            }
            let found = held(&table, 0..capacity);
            assert!(found >= at_least, "{found} of {capacity}");
            for number in capacity..4 * capacity + 1 {
                put(&table, number, 60, NOW);
                assert!(table.writing().held <= capacity);
            }
            let found = held(&table, 0..4 * capacity + 1);
            assert_eq!(found, table.writing().held, "{capacity}");
            table.remove_all(|_| true);
            assert_eq!(held(&table, 0..4 * capacity + 1), 0);
            assert_eq!(table.writing().held, 0);
        }
    }

    #[test]
    fn what_is_used_stays_and_what_is_over_goes_first() {
        let table = Table::new(100);
        for number in 0..100 {
            // One in ten is over soon.
            put(&table, number, if number % 10 == 0 { 1 } else { 600 }, NOW);
        }
        let later = NOW + Duration::from_secs(2);
        for number in 100..600 {
            for used in (1..10).filter(|used| holds(&table, *used)) {
                table
                    .get(&name(used))
                    .unwrap()
                    .as_ref()
                    .unwrap()
                    .kept()
                    .mark_used();
            }
            put(&table, number, 600, later);
        }
        assert!(
            held(&table, 1..10) >= 8,
            "of nine that were used all the time"
        );
        assert!(held(&table, 11..100) < 20, "of those that never were");
    }

    #[test]
    fn what_is_over_is_cleared_away_by_those_who_come_later() {
        let table = Table::new(1_000);
        for number in 0..500 {
            put(&table, number, 1, NOW);
        }
        let later = NOW + Duration::from_secs(2);
        for number in 500..1_540 {
            put(&table, number, 600, later);
        }
        assert_eq!(held(&table, 0..500), 0);
        assert!(held(&table, 500..1_540) > 980);
    }

    #[test]
    fn who_has_a_copy_learns_that_the_table_has_it_no_more() {
        let kept = |table: &Table| table.get(&name(1)).unwrap().as_ref().unwrap().clone();
        let ways: [fn(&Table); 4] = [
            |table| table.remove(&name(1)),
            |table| table.remove_all(|token| token.subject() == Some("1")),
            |table| put(table, 1, 60, NOW),
            |table| (2..9).for_each(|number| put(table, number, 60, NOW)),
        ];
        for way in ways {
            let table = Table::new(1);
            put(&table, 1, 60, NOW);
            let copy = kept(&table);
            assert!(copy.kept().is_held());
            way(&table);
            assert!(!copy.kept().is_held());
        }
    }

    #[test]
    fn claims_that_come_back_when_they_are_dropped_find_the_table_open() {
        thread_local! {
            static TABLE: Arc<Table> = Arc::new(Table::new(2));
        }
        /// Of an application.
        #[derive(serde::Deserialize)]
        struct Odd {}
        impl Drop for Odd {
            fn drop(&mut self) {
                TABLE.with(|table| {
                    table.remove(&name(2));
                    put(table, 3, 60, NOW);
                });
            }
        }
        let table = TABLE.with(Arc::clone);
        let first = verdict(1, 60);
        first.claims_as::<Odd>().unwrap();
        table.insert(&name(1), &first, NOW);
        drop(first);
        put(&table, 2, 60, NOW);
        table.remove(&name(1));
        assert_eq!(held(&table, 0..4), 1);
    }

    /// Whoever uses all that a small table holds must not have it grow: the hand may stand at an empty place.
    #[test]
    fn a_small_table_of_which_all_is_used_holds_no_more_than_it_may() {
        for capacity in [1, 2, 7, 10, 40, 63] {
            let table = Table::new(capacity);
            for number in 0..4 * capacity + 100 {
                put(&table, number, 60, NOW);
                for place in table.sets.iter().flat_map(|set| &set.places) {
                    if let Some(entry) = place.load().as_ref() {
                        entry.kept().mark_used();
                    }
                }
                let held = table.writing().held;
                assert!(held <= capacity, "{held} held, wanted at most {capacity}");
            }
        }
    }
}

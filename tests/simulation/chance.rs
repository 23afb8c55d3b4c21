//! Where all chance of a simulation comes from: one seed.

use std::ops::RangeInclusive;

/// Numbers that follow from their seed alone (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Chance {
        Chance(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A generator of its own, so that what one part of the world draws moves nothing elsewhere.
    pub(crate) fn apart(&mut self) -> Chance {
        Chance(self.next())
    }

    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        low + self.next() % (high - low + 1)
    }

    /// As [`within`](Self::within), but as often between 1 and 10 as between 10 and 100: for lengths of
    /// time, whose short ones are as telling as the long ones.
    pub(crate) fn scaled(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        let doublings = u64::from((high / low.max(1)).max(1).ilog2());
        let top = low
            .saturating_mul(2 << self.within(0..=doublings))
            .min(high);
        self.within(low..=top)
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// One of these, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, from: &[(u64, T)]) -> T {
        let total: u64 = from.iter().map(|(weight, _)| weight).sum();
        let mut left = self.next() % total;
        for (weight, what) in from {
            if left < *weight {
                return *what;
            }
            left -= weight;
        }
        unreachable!("the weights add up to more")
    }
}

//! A little chance in every pause, so that many servers do not ask at once.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Numbers that differ from server to server; the same from the same seed, so that a simulation can
/// be played again.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn by_chance() -> Jitter {
        Jitter(RandomState::new().hash_one(0u8))
    }

    #[cfg(feature = "testing")]
    pub(crate) fn seeded(seed: u64) -> Jitter {
        Jitter(seed)
    }

    /// A number from 0 up to 1 (SplitMix64).
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The pause after so many failures in a row: 1, 2, 4 and so on up to 30 seconds, less up to a fifth
    /// by chance. Short enough that the end of an outage is noticed soon, long enough to let somebody get
    /// up.
    pub(crate) fn back_off(&mut self, failures: u32) -> Duration {
        let doubled = FIRST_PAUSE * 2u32.saturating_pow(failures.saturating_sub(1)).min(64);
        doubled.min(LONGEST_PAUSE).mul_f64(1.0 - 0.2 * self.next())
    }
}

/// The first of these pauses.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest of these pauses.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fill_the_range_and_differ() {
        let mut jitter = Jitter::by_chance();
        let numbers: Vec<f64> = (0..1000).map(|_| jitter.next()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = numbers.iter().sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "mean is {mean}");
    }
}

//! That memory and work are bounded by a constant times the input: counted, not timed, so that it holds or
//! fails on every machine alike.

/// How much a piece of work may allocate in all, whatever it gives back meanwhile: `fixed`, and `per_byte`
/// for each byte of its input.
///
/// All that is ever allocated bounds the memory that is held at any moment. It bounds the work, too, as far
/// as that goes into building something: what is quadratic in the input outgrows it.
pub struct Bound {
    pub fixed: u64,
    pub per_byte: u64,
}

/// So many of the bytes that are allowed go into one allocation at least: many tiny ones are work, too.
const LEAST: u64 = 8;

impl Bound {
    /// Does `work`, whose input has so many bytes, and holds it to the bound. Only what this thread
    /// allocates counts.
    #[track_caller]
    pub fn hold<T>(&self, input: usize, work: impl FnOnce() -> T) -> T {
        let mut made = None;
        let counted = allocation_counter::measure(|| made = Some(work()));
        let most = self.fixed + self.per_byte * input as u64;
        assert!(
            counted.bytes_total <= most,
            "{} bytes were allocated for an input of {input}, wanted at most {most}",
            counted.bytes_total
        );
        assert!(
            counted.count_total <= most / LEAST,
            "{} allocations for an input of {input}, wanted at most {}",
            counted.count_total,
            most / LEAST
        );
        made.expect("the work was done")
    }
}

//! Many things in turn, in an order that no cache of the processor's foresees.

/// Hands out its items, scattered, for ever.
pub struct Ring<T> {
    items: Vec<T>,
    at: usize,
    step: usize,
}

impl<T> Ring<T> {
    /// Of one item or more.
    pub fn new(items: Vec<T>) -> Ring<T> {
        let count = items.len();
        // A step without a common divisor visits every item before it comes back to one.
        let mut step = (count as f64 * 0.618) as usize | 1;
        while common_divisor(step, count) != 1 {
            step += 2;
        }
        Ring { items, at: 0, step }
    }

    /// The next one.
    pub fn next(&mut self) -> &T {
        self.at = (self.at + self.step) % self.items.len();
        &self.items[self.at]
    }

    /// The next one, to be changed.
    pub fn next_mut(&mut self) -> &mut T {
        self.at = (self.at + self.step) % self.items.len();
        &mut self.items[self.at]
    }
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

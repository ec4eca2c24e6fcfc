//! Random numbers that are the same for the same seed.

use crate::sys::mix;

/// Numbers that look random.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        mix::next(&mut self.0)
    }

    /// A number from `low` to `high`, each as likely as the others to within one in 2⁶⁴; `low` if `high` is below it.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        let count = u128::from(high.saturating_sub(low)) + 1;
        // Below `count`, so it fits, and so does the sum.
        low + ((u128::from(self.next()) * count) >> 64) as u64
    }
}

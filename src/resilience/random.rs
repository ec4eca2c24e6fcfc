//! Random numbers that are the same for the same seed.

/// Numbers that look random: SplitMix64 (G. Steele, D. Lea and C. Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, each as likely as the others to within one in 2⁶⁴; `low` if `high` is below it.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        let count = u128::from(high.saturating_sub(low)) + 1;
        // Below `count`, so it fits, and so does the sum.
        low + ((u128::from(self.next()) * count) >> 64) as u64
    }
}

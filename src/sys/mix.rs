//! Numbers that look random, and hashes: the same in each run of a program.

use core::hash::{Hash, Hasher};

/// What SplitMix64 goes on by.
pub(crate) const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The next number of a state.
///
/// SplitMix64: G. Steele, D. Lea and C. Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014), with
/// D. Stafford's mixing constants ("Mix13").
#[inline]
pub(crate) const fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(GAMMA);
    mix(*state)
}

/// Spreads every bit of `x` over the result; a bijection.
#[inline]
pub(crate) const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The hash of a key, for tables in which those that collide on purpose cost comparisons outside the lock, and nothing else.
pub(crate) fn hash<K: Hash + ?Sized>(key: &K) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    key.hash(&mut hasher);
    hasher.finish()
}

/// FNV-1a of 64 bits, by Glenn Fowler, Landon Curt Noll and Kiem-Phong Vo.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

//! Running a test under loom, or as an ordinary test.
//!
//! A test written against [`model`] and [`spawn`] explores every interleaving when the crate is built with
//! `--cfg wakeful_loom`, and runs on real threads otherwise.

#[cfg(wakeful_loom)]
pub(crate) use loom::thread::spawn;
#[cfg(not(wakeful_loom))]
pub(crate) use std::thread::spawn;

/// Runs `f` in every interleaving of its threads with up to three preemptions.
#[cfg(wakeful_loom)]
pub(crate) fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

/// Runs `f` on real threads, often enough to meet several interleavings.
#[cfg(not(wakeful_loom))]
pub(crate) fn model(f: impl Fn() + Send + Sync + 'static) {
    (0..50).for_each(|_| f());
}

/// Numbers that look random, the same for the same seed: Sebastiano Vigna's SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

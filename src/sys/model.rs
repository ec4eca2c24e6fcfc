//! Running a test under loom, or as an ordinary test.
//!
//! A test written against [`model`] and [`spawn`] explores every interleaving when the crate is built with
//! `--cfg wakeful_loom`, and runs on real threads otherwise.

#[cfg(not(wakeful_loom))]
pub(crate) use std::thread::spawn;

/// Starts a thread of the model, with more stack than loom gives by itself: a timer wheel is made there.
#[cfg(wakeful_loom)]
pub(crate) fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> loom::thread::JoinHandle<T> {
    const WORDS: usize = 0x4000;
    loom::thread::Builder::new().stack_size(WORDS).spawn(f).expect("loom has room for a thread")
}

/// Runs `f` in every interleaving of its threads with up to three preemptions.
#[cfg(wakeful_loom)]
pub(crate) fn model(f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    let f = super::Arc::new(f);
    builder.check(move || {
        let f = f.clone();
        spawn(move || f()).join().expect("its panic has been reported");
    });
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

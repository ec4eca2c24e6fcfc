//! The calls by which a closed breaker decides.

use super::config::{BreakerConfig, Window};
use crate::time::{Instant, nanos};
use alloc::boxed::Box;
use alloc::vec;

/// How a call went, as a breaker counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

impl Sample {
    /// Neither.
    pub(super) const WELL: Self = Self { failed: false, slow: false };
}

/// How many calls there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerCounts {
    /// All of them.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Those that were slow, well or not.
    pub slow: u32,
}

impl BreakerCounts {
    pub(super) fn add(&mut self, sample: Sample) {
        self.calls = self.calls.saturating_add(1);
        self.failures = self.failures.saturating_add(sample.failed.into());
        self.slow = self.slow.saturating_add(sample.slow.into());
    }

    fn take(&mut self, other: Self) {
        // What was added is taken once; what did not fit is not there.
        self.calls = self.calls.saturating_sub(other.calls);
        self.failures = self.failures.saturating_sub(other.failures);
        self.slow = self.slow.saturating_sub(other.slow);
    }
}

/// The calls of a window.
#[derive(Debug)]
pub(super) struct Recent {
    pub(super) counts: BreakerCounts,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    /// One byte a call, and which is the oldest once all are in use.
    Calls { ring: Box<[u8]>, next: usize },
    /// What ended in each of the last slices.
    Time { slices: [BreakerCounts; BreakerConfig::SLICES as usize], length: u64, latest: u64 },
}

const FAILED: u8 = 1;
const SLOW: u8 = 2;
const TAKEN: u8 = 4;

impl Recent {
    pub(super) fn new(window: Window) -> Self {
        let kept = match window {
            Window::Calls(calls) => Kept::Calls { ring: vec![0; calls.get() as usize].into(), next: 0 },
            Window::Time(length) => Kept::Time {
                slices: [BreakerCounts::default(); BreakerConfig::SLICES as usize],
                length: nanos(length).div_ceil(BreakerConfig::SLICES.into()),
                latest: 0,
            },
        };
        Self { counts: BreakerCounts::default(), kept }
    }

    /// Whether another call that is well would change nothing.
    #[inline]
    pub(super) fn is_clean(&self) -> bool {
        let BreakerCounts { calls, failures, slow } = self.counts;
        match &self.kept {
            Kept::Calls { ring, .. } => failures == 0 && slow == 0 && calls as usize == ring.len(),
            Kept::Time { .. } => false,
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        if self.counts != BreakerCounts::default() {
            self.counts = BreakerCounts::default();
            match &mut self.kept {
                Kept::Calls { ring, next } => {
                    ring.fill(0);
                    *next = 0;
                }
                Kept::Time { slices, .. } => *slices = Default::default(),
            }
        }
    }

    /// The counts with one call more, if it did not have to be undone: that of a window of calls, which needs no time.
    #[inline]
    pub(super) fn with(&self, sample: Sample) -> BreakerCounts {
        let mut counts = self.counts;
        if let Kept::Calls { ring, next } = &self.kept {
            counts.take(counts_of(ring[*next]));
        }
        counts.add(sample);
        counts
    }

    /// Takes a call in; `counts` is what [`with`](Self::with) gave.
    #[inline]
    pub(super) fn add(&mut self, sample: Sample, counts: BreakerCounts) {
        self.counts = counts;
        match &mut self.kept {
            Kept::Calls { ring, next } => {
                ring[*next] = TAKEN | if sample.failed { FAILED } else { 0 } | if sample.slow { SLOW } else { 0 };
                *next = if *next + 1 == ring.len() { 0 } else { *next + 1 };
            }
            Kept::Time { slices, latest, .. } => slices[slot(*latest)].add(sample),
        }
    }

    /// Forgets what a window of time has left behind. Time that goes backwards is the latest that was seen.
    pub(super) fn move_on(&mut self, now: Instant) {
        let Kept::Time { slices, length, latest } = &mut self.kept else { return };
        let slice = now.as_nanos() / *length;
        let passed = slice.saturating_sub(*latest).min(BreakerConfig::SLICES.into());
        for number in 0..passed {
            let old = &mut slices[slot(slice - number)];
            self.counts.take(core::mem::take(old));
        }
        *latest = slice.max(*latest);
    }
}

#[inline]
fn counts_of(byte: u8) -> BreakerCounts {
    let bit = |bit: u8| u32::from(byte & bit != 0);
    BreakerCounts { calls: bit(TAKEN), failures: bit(FAILED), slow: bit(SLOW) }
}

fn slot(slice: u64) -> usize {
    // Below the number of slices.
    (slice % u64::from(BreakerConfig::SLICES)) as usize
}

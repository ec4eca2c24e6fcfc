//! How long items have taken so far, in constant memory.

use crate::time::buckets::{BUCKETS, bucket, longest};
use crate::time::nanos;
use alloc::boxed::Box;
use core::time::Duration;

/// A histogram of durations. What a quantile says is too long by an eighth at most.
#[derive(Clone, Debug)]
pub(super) struct Durations {
    buckets: Box<[u64; BUCKETS]>,
    count: u64,
    total: u128,
}

impl Durations {
    pub(super) fn new() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), count: 0, total: 0 }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn add(&mut self, took: Duration) {
        let nanos = nanos(took);
        self.buckets[bucket(nanos)] += 1;
        self.count += 1;
        self.total += u128::from(nanos);
    }

    /// The mean in nanoseconds, if there was any.
    pub(super) fn mean(&self) -> Option<u128> {
        self.total.checked_div(u128::from(self.count))
    }

    /// What `percent` of 100 took at most, rounded up to the end of the bucket; nothing, if there was none.
    pub(super) fn quantile(&self, percent: u8) -> Duration {
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100);
        let mut below = 0;
        for (at, many) in self.buckets.iter().enumerate() {
            below += u128::from(*many);
            if below >= rank && *many > 0 {
                return Duration::from_nanos(longest(at));
            }
        }
        Duration::ZERO
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_least_what_so_many_took_and_hardly_more() {
        let mut durations = Durations::new();
        assert_eq!((durations.quantile(99), durations.mean()), (Duration::ZERO, None));
        (1..=100).map(Duration::from_millis).for_each(|took| durations.add(took));
        for percent in [1, 50, 90, 100] {
            let (exact, said) = (Duration::from_millis(percent.into()), durations.quantile(percent));
            assert!(said >= exact && said <= exact * 9 / 8, "{percent}: {said:?}");
        }
        assert_eq!((durations.count(), durations.mean()), (100, Some(50_500_000)));
        durations.add(Duration::MAX);
        assert_eq!(durations.quantile(100), Duration::from_nanos(u64::MAX));
    }
}

//! How long items have taken so far, in constant memory.

use alloc::boxed::Box;
use core::time::Duration;

/// Each power of two is divided into as many buckets: what a quantile says is too long by a quarter at most.
const PARTS: usize = 4;

/// A histogram of durations: log-linear buckets, as those of Gil Tene's HdrHistogram.
#[derive(Clone, Debug)]
pub(super) struct Durations {
    buckets: Box<[u64; 64 * PARTS]>,
    count: u64,
    total: u128,
}

impl Durations {
    pub(super) fn new() -> Self {
        Self { buckets: Box::new([0; 64 * PARTS]), count: 0, total: 0 }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn add(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
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
                return Duration::from_nanos(last(at));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < PARTS as u64 {
        return nanos as usize;
    }
    let power = nanos.ilog2() as usize;
    // The two bits behind the leading one.
    let part = (nanos >> (power - 2)) as usize & (PARTS - 1);
    (power - 1) * PARTS + part
}

/// The longest that falls into a bucket.
fn last(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    let (power, part) = (bucket / PARTS + 1, (bucket % PARTS) as u64);
    let width = 1u64 << (power - 2);
    (1u64 << power) + part * width + (width - 1)
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_no_more_than_a_quarter_above_what_falls_into_it() {
        let mut nanos = 0u64;
        while nanos < u64::MAX / 2 {
            for n in [nanos, nanos.saturating_sub(1), nanos + 1] {
                let end = last(bucket(n));
                assert!(end >= n && end - n <= n / 4, "{n}: {end}");
                assert!(end == u64::MAX || bucket(end + 1) == bucket(n) + 1, "{n}: {end}");
            }
            nanos += nanos / 8 + 1;
        }
        assert_eq!(last(bucket(u64::MAX)), u64::MAX);
    }

    #[test]
    fn a_quantile_is_at_least_what_so_many_took_and_hardly_more() {
        let mut durations = Durations::new();
        assert_eq!((durations.quantile(99), durations.mean()), (Duration::ZERO, None));
        (1..=100).map(Duration::from_millis).for_each(|took| durations.add(took));
        for percent in [1, 50, 90, 100] {
            let (exact, said) = (Duration::from_millis(percent.into()), durations.quantile(percent));
            assert!(said >= exact && said <= exact * 5 / 4, "{percent}: {said:?}");
        }
        assert_eq!((durations.count(), durations.mean()), (100, Some(50_500_000)));
        durations.add(Duration::MAX);
        assert_eq!(durations.quantile(100), Duration::from_nanos(u64::MAX));
    }
}

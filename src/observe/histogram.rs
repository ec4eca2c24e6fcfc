//! How often which durations came, in constant memory.

use core::fmt;
use core::time::Duration;

/// Buckets to each power of two, as a power of two.
const BITS: u32 = 3;
const EACH: usize = 1 << BITS;
/// Values below `EACH` have a bucket each; those above have `EACH` for each of the powers of two that are left.
const BUCKETS: usize = EACH * (u64::BITS - BITS + 1) as usize;

/// A histogram of durations with fixed, log-linear buckets: 2 KiB, whatever is recorded, without `std` too.
///
/// Durations below 8 ns have a bucket each; above that there are 8 buckets of equal width to each power of two, up to 584 years,
/// above which all counts as that. So what a [quantile](Self::quantile) gives is never too small, and too large by less
/// than an eighth. Sum, least and largest are exact.
///
/// For one place's own numbers. Where an eighth is too coarse, record in a histogram of your own from
/// [`Timed::timing`](super::Timed::timing).
///
/// The buckets are those of an HDR histogram (Gil Tene) with three bits of precision.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::observe::Histogram;
///
/// let mut times = Histogram::new();
/// for ms in 1..=100 {
///     times.record(Duration::from_millis(ms));
/// }
/// assert_eq!((times.len(), times.max()), (100, Some(Duration::from_millis(100))));
/// assert_eq!(times.sum(), Duration::from_millis(5050));
/// let median = times.quantile(0.5).unwrap();
/// assert!(median >= Duration::from_millis(50) && median < Duration::from_millis(50) * 9 / 8);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: [u32; BUCKETS],
    len: u64,
    /// In nanoseconds.
    sum: u128,
    min: u64,
    max: u64,
}

/// A bucket of a [`Histogram`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Bucket {
    /// The shortest duration that is counted here.
    pub least: Duration,
    /// The longest one.
    pub most: Duration,
    /// How many were; at most [`u32::MAX`], at which it stays.
    pub count: u32,
}

impl Histogram {
    /// An empty one.
    pub const fn new() -> Self {
        Self { counts: [0; BUCKETS], len: 0, sum: 0, min: u64::MAX, max: 0 }
    }

    /// Counts `duration`.
    pub fn record(&mut self, duration: Duration) {
        self.record_nanos(crate::time::nanos(duration));
    }

    #[inline]
    pub(super) fn record_nanos(&mut self, nanos: u64) {
        let count = &mut self.counts[bucket(nanos)];
        *count = count.saturating_add(1);
        self.len += 1;
        self.sum += u128::from(nanos);
        self.min = self.min.min(nanos);
        self.max = self.max.max(nanos);
    }

    /// Counts all that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.len += other.len;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many durations were counted.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of them together; [`Duration::MAX`] if that is out of range.
    pub fn sum(&self) -> Duration {
        const NANOS: u128 = 1_000_000_000;
        match u64::try_from(self.sum / NANOS) {
            Ok(secs) => Duration::new(secs, (self.sum % NANOS) as u32),
            Err(_) => Duration::MAX,
        }
    }

    /// Their mean, rounded down; `None` if there are none.
    pub fn mean(&self) -> Option<Duration> {
        let mean = self.sum.checked_div(u128::from(self.len))?;
        Some(Duration::from_nanos(mean as u64))
    }

    /// The shortest; `None` if there are none.
    pub fn min(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_nanos(self.min))
    }

    /// The longest; `None` if there are none.
    pub fn max(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_nanos(self.max))
    }

    /// What a part `q` of them does not exceed: 0.5 for the median, 0.99 for the 99th percentile; `None` if there are none.
    ///
    /// It is the longest duration of the bucket in which the exact one lies, or the [longest](Self::max) of all: never too
    /// small, and too large by less than an eighth. A `q` below 0, or one that is no number, is 0, and one above 1 is 1.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        if self.is_empty() {
            return None;
        }
        let exact = q.clamp(0.0, 1.0) * self.len as f64;
        let below = exact as u64;
        let rank = (below + u64::from(exact > below as f64)).clamp(1, self.len);
        let mut seen = 0;
        let reached = |count: &u32| {
            seen += u64::from(*count);
            seen >= rank
        };
        // Where counts have stopped, the rank may lie beyond them all.
        let most = self.counts.iter().position(reached).map_or(self.max, |bucket| range(bucket).1);
        Some(Duration::from_nanos(most.clamp(self.min, self.max)))
    }

    /// The buckets in which something was counted, from short to long: for an exporter.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bucket, &count)| {
            let (least, most) = range(bucket);
            Bucket { least: Duration::from_nanos(least), most: Duration::from_nanos(most), count }
        })
    }
}

/// Where `nanos` is counted.
fn bucket(nanos: u64) -> usize {
    if nanos < EACH as u64 {
        return nanos as usize;
    }
    let power = u64::BITS - 1 - nanos.leading_zeros();
    let within = (nanos >> (power - BITS)) as usize % EACH;
    (power - BITS + 1) as usize * EACH + within
}

/// The least and the largest value that are counted there.
fn range(bucket: usize) -> (u64, u64) {
    if bucket < EACH {
        return (bucket as u64, bucket as u64);
    }
    let shift = bucket / EACH - 1;
    let least = ((EACH + bucket % EACH) as u64) << shift;
    (least, least + ((1 << shift) - 1))
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("Histogram");
        all.field("len", &self.len).field("sum", &self.sum()).field("min", &self.min()).field("max", &self.max());
        all.field("median", &self.quantile(0.5)).field("p99", &self.quantile(0.99)).finish()
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sys::mix::mix;
    use std::vec::Vec;

    fn ns(nanos: u64) -> Duration {
        Duration::from_nanos(nanos)
    }

    #[test]
    fn buckets_touch_and_cover_everything() {
        let mut next = 0;
        for at in 0..BUCKETS {
            let (least, most) = range(at);
            assert_eq!((least, bucket(least), bucket(most)), (next, at, at));
            assert!(most - least <= least / 8, "bucket {at} is too wide");
            next = most.wrapping_add(1);
        }
        assert_eq!(next, 0, "the last bucket ends with the last value");
    }

    #[test]
    fn quantiles_are_not_too_small_and_less_than_an_eighth_too_large() {
        for seed in 0..300 {
            let mut seed = mix(seed);
            let mut draw = || {
                seed = mix(seed);
                seed
            };
            let mut exact: Vec<u64> = (0..1 + draw() % 200).map(|_| draw() >> (draw() % 64)).collect();
            let mut all = Histogram::new();
            exact.iter().for_each(|&nanos| all.record(ns(nanos)));
            exact.sort_unstable();
            for percent in 0..=100 {
                let rank = (exact.len() * percent).div_ceil(100).max(1);
                let (truth, told) = (exact[rank - 1], all.quantile(percent as f64 / 100.0).unwrap());
                // One rank more where the product of floats was rounded up.
                let next = exact[rank.min(exact.len() - 1)];
                assert!(told >= ns(truth), "{percent}% of {exact:?}: {told:?}");
                assert!(told <= ns(next.saturating_add(next / 8)), "{percent}% of {exact:?}: {told:?}");
            }
            assert_eq!((all.min(), all.max()), (Some(ns(exact[0])), exact.last().map(|&max| ns(max))));
            assert_eq!(all.sum, exact.iter().map(|&n| u128::from(n)).sum::<u128>());
            assert_eq!(all.buckets().map(|bucket| u64::from(bucket.count)).sum::<u64>(), all.len());
        }
    }

    #[test]
    fn what_is_merged_is_as_if_recorded_in_one() {
        let (mut one, mut two, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
        for n in 0..1_000 {
            let value = ns(mix(n) >> (n % 64));
            if n % 3 == 0 {
                one.record(value)
            } else {
                two.record(value)
            }
            both.record(value);
        }
        one.merge(&two);
        assert_eq!(one, both);
        one.merge(&Histogram::new());
        assert_eq!(one, both);
    }

    #[test]
    fn an_empty_one_has_no_quantiles_and_odd_ones_are_clamped() {
        let mut all = Histogram::new();
        assert_eq!((all.quantile(0.5), all.mean(), all.min(), all.max()), (None, None, None, None));
        all.record(ns(1_000));
        all.record(Duration::MAX);
        assert_eq!(all.quantile(f64::NAN), all.quantile(0.0));
        assert_eq!(all.quantile(-1.0), Some(ns(1_023)));
        assert_eq!(all.quantile(7.0), Some(ns(u64::MAX)));
        assert_eq!(all.mean(), Some(ns(u64::MAX / 2 + 500)));
    }

    #[test]
    fn counts_stop_at_their_end_and_do_not_wrap() {
        let mut all = Histogram::new();
        all.counts[5] = u32::MAX;
        all.len = u64::from(u32::MAX);
        all.record(ns(5));
        assert_eq!((all.counts[5], all.len()), (u32::MAX, 1 << 32));
        assert_eq!(all.quantile(1.0), Some(ns(5)));
    }
}

//! Durations by their highest bits: the buckets of a histogram, as those of Gil Tene's HdrHistogram.

/// Durations below this have a bucket each.
const EXACT: u64 = 16;

/// How many buckets there are.
pub(crate) const BUCKETS: usize = EXACT as usize + (64 - 4) * 8;

/// Where a duration in nanoseconds is counted: by its highest bit, and the three behind that.
#[inline]
pub(crate) fn bucket(nanos: u64) -> usize {
    if nanos < EXACT {
        return nanos as usize;
    }
    let high = nanos.ilog2();
    let fine = (nanos >> (high - 3)) & 7;
    EXACT as usize + (high as usize - 4) * 8 + fine as usize
}

/// The longest duration of a bucket: longer than any other by an eighth of that at most.
pub(crate) fn longest(bucket: usize) -> u64 {
    let Some(bucket) = (bucket as u64).checked_sub(EXACT) else { return bucket as u64 };
    let (shift, fine) = (bucket / 8 + 1, bucket % 8);
    // The last one ends with the last number there is.
    let next = u128::from(fine + 9) << shift;
    u64::try_from(next - 1).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_no_more_than_an_eighth_above_what_falls_into_it() {
        let mut nanos = 0u64;
        while nanos < u64::MAX / 2 {
            for n in [nanos, nanos.saturating_sub(1), nanos + 1] {
                let end = longest(bucket(n));
                assert!(end >= n && end - n <= n / 8, "{n}: {end}");
                assert!(end == u64::MAX || bucket(end + 1) == bucket(n) + 1, "{n}: {end}");
            }
            nanos += nanos / 8 + 1;
        }
        assert_eq!((longest(bucket(u64::MAX)), bucket(u64::MAX)), (u64::MAX, BUCKETS - 1));
    }
}

//! The generic cell rate algorithm (ITU-T I.371, annex A; "virtual scheduling"), which is a token bucket.
//!
//! The one variable is the theoretical arrival time: the tick at which the bucket will be full again. It never exceeds the
//! present by more than the burst.

use super::decide::{Carry, Decide, Mark};
use super::quick::Quick;
use super::quota::Quota;
use super::rate::Rate;

/// A token bucket, as GCRA: a permit every `period / n`, and up to the burst at once after a pause.
///
/// In any window, at most `burst + rate · (window + credit)`. Sixteen bytes of state, constant time, and the only one whose
/// grants are decided by one atomic word as long as nobody waits.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use wakeful::limit::{Gcra, Limiter, Quota};
/// use wakeful::time::ManualClock;
///
/// let quota = Quota::per_second(NonZeroU32::new(10).unwrap());
/// let limiter = Limiter::with(&ManualClock::new().time(), Gcra::new(quota)); // which is `Limiter::new(…, quota)`
/// assert!(limiter.try_acquire(1).is_ok());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gcra {
    quota: Quota,
    rate: Rate,
}

impl Gcra {
    /// A bucket for `quota`.
    pub fn new(quota: Quota) -> Self {
        Self { quota, rate: Rate::new(&quota) }
    }

    /// What it was made for.
    pub fn quota(&self) -> Quota {
        self.quota
    }
}

/// A bucket, full at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bucket {
    /// The tick at which it will be full again.
    full_at: u128,
}

impl Decide for Gcra {
    type State = Bucket;

    const HAS_WORDS: bool = true;

    #[inline]
    fn fresh(&self) -> Bucket {
        Bucket::default()
    }

    #[inline]
    fn burst(&self) -> u32 {
        self.quota.max_burst().get()
    }

    #[inline]
    fn credit(&self) -> u64 {
        self.quota.credit_nanos()
    }

    #[inline]
    fn is_ready(&self, bucket: &Bucket, permits: u32, now: u64) -> bool {
        bucket.full_at + self.rate.cost(u64::from(permits)) <= self.rate.ticks(now) + self.rate.burst
    }

    #[inline]
    fn due(&self, bucket: &Bucket, permits: u32, from: u64) -> u64 {
        let tick = bucket.full_at + self.rate.cost(u64::from(permits));
        self.rate.instant(tick.saturating_sub(self.rate.burst)).max(from)
    }

    #[inline]
    fn due_behind(&self, bucket: &Bucket, ahead: u64, permits: u32) -> Option<u64> {
        let all = self.rate.cost(ahead.saturating_add(u64::from(permits)));
        self.rate
            .lossless
            .then(|| self.rate.instant(bucket.full_at.saturating_add(all).saturating_sub(self.rate.burst)))
    }

    /// What the bucket would have gained above full, between `from` and the present, is not lost.
    #[inline]
    fn charge(&self, bucket: &mut Bucket, permits: u32, from: u64) -> Mark {
        bucket.full_at = bucket.full_at.max(self.rate.ticks(from)) + self.rate.cost(u64::from(permits));
        Mark(bucket.full_at)
    }

    fn refund(&self, bucket: &mut Bucket, permits: u32, mark: Mark, now: u64) -> u128 {
        let back = self.rate.back(permits, mark, now);
        bucket.full_at -= back;
        back
    }

    fn refund_latest(&self, bucket: &mut Bucket, permits: u32, now: u64) -> u128 {
        self.refund(bucket, permits, Mark(bucket.full_at), now)
    }

    #[inline]
    fn idle_at(&self, bucket: &Bucket) -> u64 {
        self.rate.instant(bucket.full_at)
    }

    fn carry(&self, old: &Self, bucket: &Bucket, carry: Carry, now: u64) -> Bucket {
        let spent = bucket.full_at.saturating_sub(old.rate.ticks(now));
        Bucket { full_at: self.rate.ticks(now) + self.rate.carry(&old.rate, spent, carry) }
    }

    fn quick(&self, origin: u64) -> Option<Quick> {
        Quick::new(&self.rate, origin)
    }

    #[inline]
    fn unpack(&self, word: u64, origin: u64) -> Bucket {
        Bucket { full_at: self.rate.ticks(origin) + u128::from(word) }
    }

    #[inline]
    fn pack(&self, bucket: &Bucket, origin: u64) -> Option<u64> {
        let word = u64::try_from(bucket.full_at.saturating_sub(self.rate.ticks(origin))).ok();
        word.filter(|word| *word <= Quick::LARGEST)
    }
}

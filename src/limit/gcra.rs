//! The generic cell rate algorithm (ITU-T I.371, annex A; "virtual scheduling"), in integers and without a clock.
//!
//! Time is counted in *ticks*. With `n` permits per period of `p` nanoseconds, in lowest terms, a nanosecond has `n` ticks
//! and a permit costs `p` ticks, so that every rate is exact. The one variable is the theoretical arrival time: the tick at
//! which the bucket will be full again. It never exceeds the present by more than the burst, so with `n < 2³²`,
//! `p < 2⁶⁴`, `burst < 2³²` and instants below 2⁶⁴ every sum here stays below 2⁹⁷ ticks, but for that of a whole line
//! of waiters, which saturates.

use super::quota::Quota;

/// A quota in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Ticks of a nanosecond.
    nano: u32,
    /// Ticks that a permit costs.
    permit: u64,
    /// Ticks from an empty bucket to a full one.
    burst: u128,
    /// Nanoseconds.
    credit: u64,
}

impl Rate {
    pub(super) fn new(quota: &Quota) -> Self {
        let (permits, period) = (quota.permits().get(), quota.period_nanos().get());
        // The divisor divides `permits`, so it fits.
        let divisor = gcd(u64::from(permits), period);
        let permit = period / divisor;
        Self {
            nano: permits / divisor as u32,
            permit,
            burst: u128::from(permit) * u128::from(quota.max_burst().get()),
            credit: crate::time::nanos(quota.max_credit()),
        }
    }

    #[inline]
    fn ticks(&self, nanos: u64) -> u128 {
        u128::from(nanos) * u128::from(self.nano)
    }

    #[inline]
    fn cost(&self, permits: u64) -> u128 {
        u128::from(permits) * u128::from(self.permit)
    }
}

/// Greatest common divisor, of numbers above zero.
fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A bucket, full at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Bucket {
    /// The tick at which it will be full again.
    full_at: u128,
}

impl Bucket {
    /// Whether `permits`, no more than the burst, can be granted at `now`.
    #[inline]
    pub(super) fn is_ready(&self, rate: &Rate, permits: u32, now: u64) -> bool {
        self.full_at + rate.cost(u64::from(permits)) <= rate.ticks(now) + rate.burst
    }

    /// The first nanosecond at which the last of `permits` can be granted, those ahead of it being granted when they are
    /// due. `u64::MAX`, which is never, if that is out of range.
    #[inline]
    pub(super) fn due(&self, rate: &Rate, permits: u64) -> u64 {
        let ticks = self.full_at.saturating_add(rate.cost(permits)).saturating_sub(rate.burst);
        let nano = rate.nano;
        match u64::try_from(ticks) {
            Ok(ticks) => ticks.div_ceil(u64::from(nano)),
            Err(_) => u64::try_from(ticks.div_ceil(u128::from(nano))).unwrap_or(u64::MAX),
        }
    }

    /// Grants `permits` at `now` to somebody who came at `since`.
    ///
    /// What the bucket would have gained above full, between the instant at which this was due and `now`, is not lost, but
    /// for what is further back than the credit. The instant of the grant is never before `since`.
    #[inline]
    pub(super) fn charge(&mut self, rate: &Rate, permits: u32, since: u64, now: u64) {
        let from = since.max(now.saturating_sub(rate.credit));
        self.full_at = self.full_at.max(rate.ticks(from)) + rate.cost(u64::from(permits));
    }

    /// Takes back a grant of `permits`.
    pub(super) fn refund(&mut self, rate: &Rate, permits: u32) {
        self.full_at = self.full_at.saturating_sub(rate.cost(u64::from(permits)));
    }
}

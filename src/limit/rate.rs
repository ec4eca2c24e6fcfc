//! A rate in integers.
//!
//! Time is counted in *ticks*. With `n` permits per period of `p` nanoseconds, in lowest terms, a nanosecond has `n` ticks
//! and a permit costs `p` ticks, so that every rate is exact. With `n < 2³²`, `p < 2⁶⁴`, `burst < 2³²` and instants below
//! 2⁶⁴ every sum of the present and of a burst or two stays below 2⁹⁸ ticks; that of a whole line of waiters saturates.

use super::decide::{Carry, Mark};
use super::quota::Quota;

/// A quota in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Ticks of a nanosecond.
    pub(super) nano: u32,
    /// Ticks that a permit costs.
    pub(super) permit: u64,
    /// Ticks from an empty bucket to a full one.
    pub(super) burst: u128,
    /// Whether grants that are made when they are due follow each other without loss. That of a fraction of a nanosecond, until
    /// the next whole one, takes a credit to make up for.
    pub(super) lossless: bool,
}

impl Rate {
    pub(super) fn new(quota: &Quota) -> Self {
        let (permits, period) = (quota.permits().get(), quota.period_nanos().get());
        // The divisor divides `permits`, so it fits.
        let divisor = gcd(u64::from(permits), period);
        let (nano, permit) = (permits / divisor as u32, period / divisor);
        let burst = u128::from(permit) * u128::from(quota.max_burst().get());
        Self { nano, permit, burst, lossless: nano == 1 || quota.credit_nanos() > 0 }
    }

    #[inline]
    pub(super) fn ticks(&self, nanos: u64) -> u128 {
        u128::from(nanos) * u128::from(self.nano)
    }

    #[inline]
    pub(super) fn cost(&self, permits: u64) -> u128 {
        u128::from(permits) * u128::from(self.permit)
    }

    /// The first nanosecond at or after a tick; `u64::MAX`, which is never, if that is out of range.
    #[inline]
    pub(super) fn instant(&self, tick: u128) -> u64 {
        match u64::try_from(tick) {
            Ok(tick) => tick.div_ceil(u64::from(self.nano)),
            Err(_) => u64::try_from(tick.div_ceil(u128::from(self.nano))).unwrap_or(u64::MAX),
        }
    }

    /// What `permits` of a grant that ends at `mark` are worth at `now`.
    ///
    /// A grant stands for a stretch of time, and those after it for the stretches behind. What has passed of it may have been
    /// lost by now, in a bucket that was full: only what lies ahead is certain not to have been.
    pub(super) fn back(&self, permits: u32, mark: Mark, now: u64) -> u128 {
        mark.0.saturating_sub(self.ticks(now)).min(self.cost(u64::from(permits)))
    }

    /// What `spent` ticks of an `old` bucket, which was full with none, are in a bucket of this rate.
    pub(super) fn carry(&self, old: &Self, spent: u128, carry: Carry) -> u128 {
        let spent = spent.min(old.burst);
        match carry {
            Carry::Fraction => self.burst - mul_div(self.burst, old.burst - spent, old.burst).0,
            Carry::Clamp => {
                let (left, _) = mul_div(u128::from(self.permit), old.burst - spent, u128::from(old.permit));
                self.burst.saturating_sub(left)
            }
        }
    }
}

/// Greatest common divisor, of numbers above zero.
fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `a · b / c`, rounded down, and the rest; `c` and the result are below 2¹²⁶.
pub(super) fn mul_div(a: u128, b: u128, c: u128) -> (u128, u128) {
    if let Some(product) = a.checked_mul(b) {
        return (product / c, product % c);
    }
    // Long multiplication, bit by bit, with the sum kept as a multiple of `c` and a rest.
    let (whole, part) = (b / c, b % c);
    let (mut quotient, mut rest) = (0, 0);
    for bit in (0..u128::BITS - a.leading_zeros()).rev() {
        quotient *= 2;
        rest *= 2;
        if a >> bit & 1 == 1 {
            quotient += whole;
            rest += part;
        }
        quotient += rest / c;
        rest %= c;
    }
    (quotient, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::model::Random;

    #[test]
    fn a_product_that_is_too_large_is_divided_exactly() {
        let mut random = Random(1);
        for _ in 0..2_000 {
            let (a, b, c) = (random.next(), random.next(), random.next() | 1);
            let [a, b, c] = [a, b, c].map(|n| u128::from(n >> (30 + random.below(30)) | 1));
            let scale = 1 << (30 + random.below(28));
            // The same quotient, the product being too large only on one side.
            let product = a * b * scale;
            assert_eq!(mul_div(a * scale, b * scale, c * scale), (product / c, product % c * scale));
        }
        assert_eq!(mul_div(1 << 97, (1 << 97) - 1, 1 << 97), ((1 << 97) - 1, 0));
    }
}

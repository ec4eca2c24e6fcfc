//! Schedules that begin with a delay, and what they make of it.

use super::{Schedule, Step, duration};
use crate::time::nanos;
use core::time::Duration;

/// Always the same delay.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::resilience::{Constant, Schedule};
///
/// let second = Duration::from_secs(1);
/// assert!(Constant::new(second).up_to(3).delays(0).eq([second; 3]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constant(u64);

impl Constant {
    /// Waits for `delay` each time.
    pub const fn new(delay: Duration) -> Self {
        Self(nanos(delay))
    }
}

impl Schedule for Constant {
    const TIMED: bool = false;

    fn delay(&mut self, _: &mut Step<'_>) -> Option<Duration> {
        Some(duration(self.0))
    }
}

/// Delays that grow by a factor: binary exponential backoff (R. Metcalfe and D. Boggs, "Ethernet: Distributed Packet Switching
/// for Local Computer Networks", CACM 19, 1976) unless another factor is [set](Self::percent).
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::resilience::{Exponential, Schedule};
///
/// let ms = Duration::from_millis;
/// assert!(Exponential::new(ms(100)).up_to(4).delays(0).eq([100, 200, 400, 800].map(ms)));
/// assert!(Exponential::new(ms(100)).percent(150).up_to(3).delays(0).eq([100, 150, 225].map(ms)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exponential {
    next: u64,
    percent: u32,
}

impl Exponential {
    /// How much each delay is of the one before, unless it is [set](Self::percent): twice as much.
    pub const PERCENT: u32 = 200;

    /// Waits for `first`, and then twice as long each time.
    pub const fn new(first: Duration) -> Self {
        Self { next: nanos(first), percent: Self::PERCENT }
    }

    /// Makes each delay so many per cent of the one before, rounded up to nanoseconds.
    #[must_use]
    pub const fn percent(mut self, percent: u32) -> Self {
        self.percent = percent;
        self
    }
}

impl Schedule for Exponential {
    const TIMED: bool = false;

    fn delay(&mut self, _: &mut Step<'_>) -> Option<Duration> {
        let delay = self.next;
        self.next = part(delay, self.percent);
        Some(duration(delay))
    }
}

/// So many per cent of `nanos`, rounded up; never, if that is more than fits, or of never.
pub(in crate::resilience) fn part(nanos: u64, percent: u32) -> u64 {
    if nanos == u64::MAX {
        return nanos;
    }
    let part = (u128::from(nanos) * u128::from(percent)).div_ceil(100);
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// Delays of which each is the sum of the two before: slower to grow than by doubling.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::resilience::{Fibonacci, Schedule};
///
/// let ms = Duration::from_millis;
/// assert!(Fibonacci::new(ms(10)).up_to(6).delays(0).eq([10, 10, 20, 30, 50, 80].map(ms)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fibonacci {
    next: u64,
    after: u64,
}

impl Fibonacci {
    /// Waits for `first` twice, and then for as long as the last two times together.
    pub const fn new(first: Duration) -> Self {
        let first = nanos(first);
        Self { next: first, after: first }
    }
}

impl Schedule for Fibonacci {
    const TIMED: bool = false;

    fn delay(&mut self, _: &mut Step<'_>) -> Option<Duration> {
        let delay = self.next;
        (self.next, self.after) = (self.after, self.next.saturating_add(self.after));
        Some(duration(delay))
    }
}

/// Delays at random from a first one to three times the last: "decorrelated jitter" (M. Brooker, "Exponential Backoff And
/// Jitter", AWS Architecture Blog 2015).
///
/// Its cap is its own, since what it gives next depends on what came of the cap. It needs no [`Jitter`](super::Jitter) besides.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::resilience::{Decorrelated, Schedule};
///
/// let (first, most) = (Duration::from_millis(100), Duration::from_secs(10));
/// let mut last = first;
/// for delay in Decorrelated::new(first, most).up_to(1_000).delays(0) {
///     assert!(delay >= first && delay <= most && delay <= 3 * last);
///     last = delay;
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decorrelated {
    first: u64,
    most: u64,
    last: u64,
}

impl Decorrelated {
    /// Waits for `first` at least, and for `most` at most.
    pub const fn new(first: Duration, most: Duration) -> Self {
        let first = nanos(first);
        Self { first, most: nanos(most), last: first }
    }
}

impl Schedule for Decorrelated {
    const TIMED: bool = false;

    fn delay(&mut self, step: &mut Step<'_>) -> Option<Duration> {
        let most = self.last.saturating_mul(3);
        self.last = step.random.between(self.first, most).min(self.most);
        Some(duration(self.last))
    }
}

//! How much is allowed.

use core::error::Error;
use core::fmt;
use core::num::{NonZeroU32, NonZeroU64};
use core::time::Duration;

/// How many permits are granted in how much time, and how many of them at once.
///
/// A quota of `n` permits per period grants one every `period / n`, not `n` at the period's start. What is not used is
/// kept, up to the burst, which is 1 unless it is [set](Quota::burst).
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::limit::Quota;
///
/// const PER_SECOND: Quota = Quota::per_second(NonZeroU32::new(100).unwrap());
/// let quota = PER_SECOND.burst(NonZeroU32::new(10).unwrap());
/// assert_eq!(quota.to_string(), "100 per 1s, burst 10");
/// assert!(Quota::new(NonZeroU32::MIN, Duration::ZERO).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    permits: NonZeroU32,
    /// Nanoseconds.
    period: NonZeroU64,
    burst: NonZeroU32,
    credit: Duration,
}

impl Quota {
    /// How late a grant may come and still be charged at the instant at which it was due, unless it is
    /// [set](Quota::credit).
    pub const CREDIT: Duration = Duration::from_millis(20);

    /// `permits` in each `period`.
    ///
    /// # Errors
    /// [`QuotaError`] if `period` is zero or longer than 2⁶⁴−1 nanoseconds, which are 584 years.
    pub const fn new(permits: NonZeroU32, period: Duration) -> Result<Self, QuotaError> {
        match nanos(period) {
            Ok(period) => Ok(Self::of(permits, period)),
            Err(error) => Err(error),
        }
    }

    /// `permits` a second, spread over it: one at a time, unless [`burst`](Self::burst) grants more after a pause. A service that
    /// may be asked several things at the same instant wants a burst.
    pub const fn per_second(permits: NonZeroU32) -> Self {
        Self::of(permits, SECOND)
    }

    /// `permits` a minute, spread over it as [in a second](Self::per_second).
    pub const fn per_minute(permits: NonZeroU32) -> Self {
        Self::of(permits, MINUTE)
    }

    /// `permits` an hour, spread over it as [in a second](Self::per_second).
    pub const fn per_hour(permits: NonZeroU32) -> Self {
        Self::of(permits, HOUR)
    }

    const fn of(permits: NonZeroU32, period: NonZeroU64) -> Self {
        Self { permits, period, burst: NonZeroU32::MIN, credit: Self::CREDIT }
    }

    /// Grants up to `burst` permits at once to who comes after a pause. It is also the most that one call may ask for.
    #[must_use]
    pub const fn burst(mut self, burst: NonZeroU32) -> Self {
        self.burst = burst;
        self
    }

    /// Charges a grant that comes late at the instant at which it was due, but no more than `credit` ago;
    /// [`Quota::CREDIT`] unless set.
    ///
    /// Timers and executors are late by some microseconds or milliseconds. Without credit each lateness is a loss, and the
    /// granted rate falls short of the quota, the more the higher the rate. With it a loop that takes one permit after another
    /// makes up for it at once, and any window may hold `rate · credit` permits more. What was late before a pause is not made
    /// up for after it.
    #[must_use]
    pub const fn credit(mut self, credit: Duration) -> Self {
        self.credit = credit;
        self
    }

    /// No credit: any window of time holds at most `burst + rate · window` permits, and whoever is late has lost.
    #[must_use]
    pub const fn strict(self) -> Self {
        self.credit(Duration::ZERO)
    }

    /// Permits in each period.
    pub const fn permits(&self) -> NonZeroU32 {
        self.permits
    }

    /// The period that they are counted by.
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.period.get())
    }

    /// The most that may be granted at once.
    pub const fn max_burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// How late a grant may come and still be charged at the instant at which it was due.
    pub const fn max_credit(&self) -> Duration {
        self.credit
    }

    /// [`max_credit`](Self::max_credit) in nanoseconds.
    pub(super) const fn credit_nanos(&self) -> u64 {
        crate::time::nanos(self.credit)
    }

    pub(super) const fn period_nanos(&self) -> NonZeroU64 {
        self.period
    }
}

const SECOND: NonZeroU64 = NonZeroU64::new(1_000_000_000).unwrap();
const MINUTE: NonZeroU64 = NonZeroU64::new(60_000_000_000).unwrap();
const HOUR: NonZeroU64 = NonZeroU64::new(3_600_000_000_000).unwrap();

/// The nanoseconds of a period that a limit can have.
pub(super) const fn nanos(period: Duration) -> Result<NonZeroU64, QuotaError> {
    if period.as_nanos() > u64::MAX as u128 {
        return Err(QuotaError { period });
    }
    match NonZeroU64::new(period.as_nanos() as u64) {
        Some(nanos) => Ok(nanos),
        None => Err(QuotaError { period }),
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {:?}, burst {}", self.permits, self.period(), self.burst)
    }
}

/// A period or a window that no limit can have: zero, or longer than 2⁶⁴−1 nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaError {
    period: Duration,
}

impl QuotaError {
    /// The period that was asked for.
    pub const fn period(&self) -> Duration {
        self.period
    }
}

impl fmt::Display for QuotaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason =
            if self.period.is_zero() { "it has to be longer than zero" } else { "it is longer than 584 years" };
        write!(f, "a limit's period can't be {:?}: {reason}", self.period)
    }
}

impl Error for QuotaError {}

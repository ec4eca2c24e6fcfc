//! A point in time, counted from a clock's own epoch.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A point in time: nanoseconds since the epoch of the clock that it was read from.
///
/// Instants of different clocks have nothing to do with each other. All arithmetic saturates; the last value,
/// [`Instant::NEVER`], is 584 years after the epoch and means "never", so that `now + Duration::MAX` is never too.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::time::Instant;
///
/// let start = Instant::from_nanos(1_500);
/// assert_eq!((start + Duration::from_micros(1)).as_nanos(), 2_500);
/// assert_eq!(start + Duration::MAX, Instant::NEVER);
/// assert_eq!(Instant::EPOCH - start, Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The clock's epoch.
    pub const EPOCH: Self = Self(0);
    /// A point that is never reached.
    pub const NEVER: Self = Self(u64::MAX);

    /// The point `nanos` nanoseconds after the epoch; `u64::MAX` is [`Instant::NEVER`].
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whether this is [`Instant::NEVER`].
    pub const fn is_never(self) -> bool {
        self.0 == u64::MAX
    }

    /// The point `duration` later; never, if that is out of range.
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// The point `duration` earlier; the epoch, if that is out of range. Never stays never.
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        if self.is_never() { self } else { Self(self.0.saturating_sub(nanos(duration))) }
    }

    /// How long after `earlier` this is; zero if it is not after it, [`Duration::MAX`] if it is never.
    pub const fn since(self, earlier: Self) -> Duration {
        if self.is_never() {
            return Duration::MAX;
        }
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Whole nanoseconds of `duration`; `u64::MAX`, which is never, if they are more than fit.
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// [`Instant::saturating_add`].
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    /// [`Instant::saturating_sub`].
    fn sub(self, duration: Duration) -> Self {
        self.saturating_sub(duration)
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// [`Instant::since`].
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({self})")
    }
}

/// Seconds since the epoch with all nine digits: `1.500000000s`, or `never`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.pad("never");
        }
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

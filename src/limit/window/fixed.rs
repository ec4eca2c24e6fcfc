//! Counting by windows that stand still.

use super::super::decide::{Carry, Decide, Mark};
use super::super::quota::QuotaError;
use super::Windows;
use crate::time::Instant;
use core::num::NonZeroU32;
use core::time::Duration;

/// A fixed window: so many permits between one full minute, say, and the next, whenever they are wanted.
///
/// To keep to somebody's quota that is counted in this way. In each window at most its permits; but what lies across the edge
/// between two may hold twice as many at once, those at the end of one and at the start of the other. Where that matters take
/// another.
///
/// Windows begin at the epoch of the limiter's clock, unless they are [aligned](FixedWindow::aligned) with an instant.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::limit::{FixedWindow, Limiter, TryAcquireError};
/// use wakeful::time::{Instant, ManualClock};
///
/// let clock = ManualClock::new();
/// let window = FixedWindow::new(NonZeroU32::new(100).unwrap(), Duration::from_secs(60)).unwrap();
/// let limiter = Limiter::with(&clock.time(), window);
/// clock.advance(Duration::from_secs(59));
/// assert_eq!(limiter.try_acquire(100), Ok(()));
/// let earliest = Instant::EPOCH + Duration::from_secs(60);
/// assert_eq!(limiter.try_acquire(1), Err(TryAcquireError::NotYet { earliest }));
/// clock.advance_to(earliest);
/// assert_eq!(limiter.try_acquire(100), Ok(())); // two hundred within a second
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FixedWindow {
    windows: Windows,
}

impl FixedWindow {
    /// `permits` in each window of this length.
    ///
    /// # Errors
    /// [`QuotaError`] if `window` is zero or longer than 2⁶⁴−1 nanoseconds, which are 584 years.
    pub const fn new(permits: NonZeroU32, window: Duration) -> Result<Self, QuotaError> {
        match Windows::new(permits, window) {
            Ok(windows) => Ok(Self { windows }),
            Err(error) => Err(error),
        }
    }

    /// Has a window begin at `start`, and so another one each length of it before and after.
    #[must_use]
    pub const fn aligned(mut self, start: Instant) -> Self {
        self.windows.offset = start.as_nanos() % self.windows.span.window.get();
        self
    }

    /// Permits in each window.
    pub const fn permits(&self) -> NonZeroU32 {
        self.windows.span.permits
    }

    /// The length of the windows.
    pub const fn window(&self) -> Duration {
        Duration::from_nanos(self.windows.span.window.get())
    }
}

/// What was granted in the latest window in which anything was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Count {
    window: u64,
    used: u32,
}

impl Count {
    fn used_in(&self, window: u64) -> u32 {
        if self.window == window { self.used } else { 0 }
    }
}

impl Decide for FixedWindow {
    type State = Count;

    fn fresh(&self) -> Count {
        Count::default()
    }

    fn burst(&self) -> u32 {
        self.permits().get()
    }

    fn due(&self, count: &Count, permits: u32, from: u64) -> u64 {
        let (window, _) = self.windows.of(from);
        if permits <= self.burst() - count.used_in(window) { from } else { self.windows.end(window) }
    }

    fn charge(&self, count: &mut Count, permits: u32, from: u64) -> Mark {
        let (window, _) = self.windows.of(self.due(count, permits, from));
        *count = Count { window, used: count.used_in(window) + permits };
        Mark(u128::from(window))
    }

    fn refund(&self, count: &mut Count, permits: u32, mark: Mark, _: u64) -> u128 {
        if mark.0 == u128::from(count.window) {
            count.used = count.used.saturating_sub(permits);
        }
        0
    }

    fn refund_latest(&self, count: &mut Count, permits: u32, now: u64) -> u128 {
        self.refund(count, permits, Mark(u128::from(count.window)), now)
    }

    fn idle_at(&self, count: &Count) -> u64 {
        if count.used == 0 { 0 } else { self.windows.end(count.window) }
    }

    /// What was used in the present window counts in the new one of the same instant.
    fn carry(&self, old: &Self, count: &Count, carry: Carry, now: u64) -> Count {
        let used = count.used_in(old.windows.of(now).0);
        Count { window: self.windows.of(now).0, used: self.windows.span.carry_counted(old.windows.span, used, carry) }
    }
}

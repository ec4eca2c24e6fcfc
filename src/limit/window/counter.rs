//! Estimating what a sliding window holds by two that stand still.

use super::super::decide::{Carry, Decide, Mark};
use super::super::quota::QuotaError;
use super::Windows;
use core::num::NonZeroU32;
use core::time::Duration;

/// A sliding window, estimated: what was granted in this fixed window, and of what was granted in the one before it the share
/// that a window which ends now would cover, as if it had been granted evenly (J. Desgats, "How we built rate limiting capable of
/// scaling to millions of domains", Cloudflare, 2017).
///
/// Sixteen bytes of state however many permits, and no doubling at edges: in any window of length `l` at most
/// `permits · (1 + l / window)`, which is what a token bucket of as many permits promises. That nothing more than `permits`
/// falls into any window is promised by [`SlidingLog`](super::SlidingLog) alone.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::limit::{Limiter, SlidingCounter};
/// use wakeful::time::ManualClock;
///
/// let clock = ManualClock::new();
/// let window = SlidingCounter::new(NonZeroU32::new(100).unwrap(), Duration::from_secs(60)).unwrap();
/// let limiter = Limiter::with(&clock.time(), window);
/// clock.advance(Duration::from_secs(59));
/// assert!(limiter.try_acquire(100).is_ok());
/// clock.advance(Duration::from_secs(31)); // half of the hundred lies in the last minute, it says
/// assert!(limiter.try_acquire(51).is_err());
/// assert!(limiter.try_acquire(50).is_ok());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SlidingCounter {
    windows: Windows,
}

impl SlidingCounter {
    /// `permits` in any window of this length, by estimate.
    ///
    /// # Errors
    /// [`QuotaError`] if `window` is zero or longer than 2⁶⁴−1 nanoseconds, which are 584 years.
    pub const fn new(permits: NonZeroU32, window: Duration) -> Result<Self, QuotaError> {
        match Windows::new(permits, window) {
            Ok(windows) => Ok(Self { windows }),
            Err(error) => Err(error),
        }
    }

    /// Permits in a window.
    pub const fn permits(&self) -> NonZeroU32 {
        self.windows.span.permits
    }

    /// The length of the window.
    pub const fn window(&self) -> Duration {
        Duration::from_nanos(self.windows.span.window.get())
    }

    /// How far into a window that follows one with `before` permits, and in which `used` have been granted, so many more are
    /// allowed. The window's length: not in this one.
    fn offset(&self, before: u32, used: u32, permits: u32) -> u64 {
        let length = self.windows.span.length();
        let Some(left) = self.burst().checked_sub(used).and_then(|left| left.checked_sub(permits)) else {
            return length;
        };
        if before == 0 {
            return 0;
        }
        // before · (length − offset) ≤ left · length
        let covered = u128::from(left) * u128::from(length) / u128::from(before);
        length - u64::try_from(covered).map_or(length, |covered| covered.min(length))
    }
}

/// What was granted in a window and in the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pair {
    window: u64,
    used: u32,
    before: u32,
}

impl Pair {
    /// The same, seen in `window`, which is no earlier.
    fn seen_in(self, window: u64) -> Self {
        match window.saturating_sub(self.window) {
            0 => self,
            1 => Self { window, used: 0, before: self.used },
            _ => Self { window, used: 0, before: 0 },
        }
    }
}

impl Decide for SlidingCounter {
    type State = Pair;

    fn fresh(&self) -> Pair {
        Pair::default()
    }

    fn burst(&self) -> u32 {
        self.permits().get()
    }

    fn due(&self, pair: &Pair, permits: u32, from: u64) -> u64 {
        let (first, passed) = self.windows.of(from);
        // After two windows in which nothing was granted, all are allowed.
        for window in first..=first.saturating_add(2) {
            let Pair { used, before, .. } = pair.seen_in(window);
            let offset = self.offset(before, used, permits);
            if window == first && offset <= passed {
                return from;
            }
            if offset < self.windows.span.length() {
                return self.windows.start(window).saturating_add(offset);
            }
        }
        u64::MAX
    }

    fn charge(&self, pair: &mut Pair, permits: u32, from: u64) -> Mark {
        let (window, _) = self.windows.of(self.due(pair, permits, from));
        *pair = pair.seen_in(window);
        pair.used += permits;
        Mark(u128::from(window))
    }

    fn refund(&self, pair: &mut Pair, permits: u32, mark: Mark, _: u64) -> u128 {
        if mark.0 == u128::from(pair.window) {
            pair.used = pair.used.saturating_sub(permits);
        } else if mark.0 + 1 == u128::from(pair.window) {
            pair.before = pair.before.saturating_sub(permits);
        }
        0
    }

    fn refund_latest(&self, pair: &mut Pair, permits: u32, _: u64) -> u128 {
        let older = permits.saturating_sub(pair.used);
        pair.used = pair.used.saturating_sub(permits);
        pair.before = pair.before.saturating_sub(older);
        0
    }

    fn idle_at(&self, pair: &Pair) -> u64 {
        match (pair.used, pair.before) {
            (0, 0) => 0,
            (0, _) => self.windows.end(pair.window),
            _ => self.windows.end(pair.window.saturating_add(1)),
        }
    }

    /// All that counts at `now` counts as granted in the new window of that instant.
    fn carry(&self, old: &Self, pair: &Pair, carry: Carry, now: u64) -> Pair {
        let (window, passed) = old.windows.of(now);
        let Pair { used, before, .. } = pair.seen_in(window);
        let length = old.windows.span.length();
        let older = (u128::from(before) * u128::from(length - passed)).div_ceil(u128::from(length));
        let used = used.saturating_add(older as u32);
        let used = self.windows.span.carry_counted(old.windows.span, used, carry);
        Pair { window: self.windows.of(now).0, used, before: 0 }
    }
}

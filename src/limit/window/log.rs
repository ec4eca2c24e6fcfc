//! Keeping when what was granted.

use super::super::decide::{Carry, Decide, Mark};
use super::super::quota::QuotaError;
use super::Span;
use alloc::collections::VecDeque;
use core::num::NonZeroU32;
use core::time::Duration;

/// A sliding window, exact: each grant is remembered for as long as the window is, and there are never more than `permits`
/// (a "sliding window log").
///
/// The only one here that promises that no window whatsoever holds more than `permits`. It pays with sixteen bytes for each
/// instant at which it granted something, up to one for each permit.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::limit::{Limiter, SlidingLog, TryAcquireError};
/// use wakeful::time::{Instant, ManualClock};
///
/// let clock = ManualClock::new();
/// let window = SlidingLog::new(NonZeroU32::new(100).unwrap(), Duration::from_secs(60)).unwrap();
/// let limiter = Limiter::with(&clock.time(), window);
/// assert_eq!(limiter.try_acquire(40), Ok(()));
/// clock.advance(Duration::from_secs(59));
/// assert_eq!(limiter.try_acquire(60), Ok(()));
/// let earliest = Instant::EPOCH + Duration::from_secs(60); // when the forty are a minute old
/// assert_eq!(limiter.try_acquire(1), Err(TryAcquireError::NotYet { earliest }));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SlidingLog {
    span: Span,
}

impl SlidingLog {
    /// `permits` in any window of this length: of two that were granted exactly so far apart, each is in a window of its own.
    ///
    /// # Errors
    /// [`QuotaError`] if `window` is zero or longer than 2⁶⁴−1 nanoseconds, which are 584 years.
    pub const fn new(permits: NonZeroU32, window: Duration) -> Result<Self, QuotaError> {
        match Span::new(permits, window) {
            Ok(span) => Ok(Self { span }),
            Err(error) => Err(error),
        }
    }

    /// Permits in a window.
    pub const fn permits(&self) -> NonZeroU32 {
        self.span.permits
    }

    /// The length of the window.
    pub const fn window(&self) -> Duration {
        Duration::from_nanos(self.span.window.get())
    }

    /// When what was granted at an instant does not count any more.
    fn end(&self, at: u64) -> u64 {
        at.saturating_add(self.span.length())
    }
}

/// Permits that were granted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grant {
    at: u64,
    /// After changes they may be more than a burst.
    permits: u64,
}

/// What was granted within a window before the latest grant, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Log {
    grants: VecDeque<Grant>,
    /// All permits of them.
    sum: u64,
}

impl Decide for SlidingLog {
    type State = Log;

    fn fresh(&self) -> Log {
        Log::default()
    }

    fn burst(&self) -> u32 {
        self.permits().get()
    }

    fn due(&self, log: &Log, permits: u32, from: u64) -> u64 {
        let from = log.grants.back().map_or(from, |latest| from.max(latest.at));
        let mut over = (log.sum + u64::from(permits)).saturating_sub(u64::from(self.burst()));
        let mut due = from;
        for grant in &log.grants {
            if over == 0 {
                break;
            }
            due = due.max(self.end(grant.at));
            over = over.saturating_sub(grant.permits);
        }
        due
    }

    fn charge(&self, log: &mut Log, permits: u32, from: u64) -> Mark {
        let (at, permits) = (self.due(log, permits, from), u64::from(permits));
        while let Some(old) = log.grants.front().filter(|grant| self.end(grant.at) <= at) {
            log.sum -= old.permits;
            log.grants.pop_front();
        }
        log.sum += permits;
        match log.grants.back_mut().filter(|latest| latest.at == at) {
            Some(latest) => latest.permits += permits,
            None => log.grants.push_back(Grant { at, permits }),
        }
        Mark(u128::from(at))
    }

    fn refund(&self, log: &mut Log, permits: u32, mark: Mark, _: u64) -> u128 {
        if let Ok(index) = log.grants.binary_search_by_key(&mark.0, |grant| u128::from(grant.at)) {
            let back = u64::from(permits).min(log.grants[index].permits);
            log.grants[index].permits -= back;
            log.sum -= back;
        }
        0
    }

    fn refund_latest(&self, log: &mut Log, permits: u32, _: u64) -> u128 {
        let mut permits = u64::from(permits);
        while let Some(latest) = log.grants.back_mut() {
            let back = permits.min(latest.permits);
            latest.permits -= back;
            log.sum -= back;
            permits -= back;
            if latest.permits > 0 {
                break;
            }
            log.grants.pop_back();
        }
        0
    }

    fn idle_at(&self, log: &Log) -> u64 {
        log.grants.iter().rev().find(|grant| grant.permits > 0).map_or(0, |latest| self.end(latest.at))
    }

    fn carry(&self, old: &Self, log: &Log, carry: Carry, now: u64) -> Log {
        let mut new = Log::default();
        // Sums are carried over: grants by themselves would be rounded up each.
        let (mut before, mut after) = (0, 0);
        for grant in log.grants.iter().filter(|grant| old.end(grant.at) > now) {
            before += grant.permits;
            let sum = self.span.carry(old.span, before, carry);
            new.grants.push_back(Grant { at: grant.at, permits: sum - after });
            after = sum;
        }
        Log { sum: after, ..new }
    }
}

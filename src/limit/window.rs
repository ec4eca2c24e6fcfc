//! Limits on what falls into a window of time: counted by fixed windows, estimated for a sliding one, or kept in a log.

mod counter;
mod fixed;
mod log;

pub use counter::SlidingCounter;
pub use fixed::FixedWindow;
pub use log::SlidingLog;

use super::decide::Carry;
use super::quota::QuotaError;
use core::num::{NonZeroU32, NonZeroU64};
use core::time::Duration;

/// More permits than are ever granted, to which a burst can be added.
const MOST: u64 = u64::MAX / 2;

/// So many permits to a window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Span {
    permits: NonZeroU32,
    /// Nanoseconds.
    window: NonZeroU64,
}

impl Span {
    const fn new(permits: NonZeroU32, window: Duration) -> Result<Self, QuotaError> {
        match super::quota::nanos(window) {
            Ok(window) => Ok(Self { permits, window }),
            Err(error) => Err(error),
        }
    }

    fn length(self) -> u64 {
        self.window.get()
    }

    /// What `used` permits of `old` count for after a change to this. They may be more than either has.
    fn carry(self, old: Self, used: u64, carry: Carry) -> u64 {
        match carry {
            Carry::Fraction => {
                let used = u128::from(used) * u128::from(self.permits.get());
                u64::try_from(used.div_ceil(u128::from(old.permits.get()))).unwrap_or(MOST).min(MOST)
            }
            Carry::Clamp => used,
        }
    }

    /// As [`carry`](Self::carry), for those who count up to the permits of a window.
    fn carry_counted(self, old: Self, used: u32, carry: Carry) -> u32 {
        let most = u64::from(self.permits.get());
        self.carry(old, u64::from(used), carry).min(most) as u32
    }
}

/// Windows that follow each other without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Windows {
    span: Span,
    /// Nanoseconds by which the first begins after the clock's epoch, less than a window.
    offset: u64,
}

impl Windows {
    const fn new(permits: NonZeroU32, window: Duration) -> Result<Self, QuotaError> {
        match Span::new(permits, window) {
            Ok(span) => Ok(Self { span, offset: 0 }),
            Err(error) => Err(error),
        }
    }

    /// The number of the window of an instant, and how many nanoseconds of it have passed. That of the first, incomplete
    /// one is 0.
    fn of(self, at: u64) -> (u64, u64) {
        let length = self.span.length();
        match at.checked_sub(self.offset) {
            Some(since) => ((since / length).saturating_add(1), since % length),
            None => (0, at + (length - self.offset)),
        }
    }

    /// When a window starts; `u64::MAX` beyond the end of time.
    fn start(self, number: u64) -> u64 {
        match number.checked_sub(1) {
            Some(whole) => whole.saturating_mul(self.span.length()).saturating_add(self.offset),
            None => 0,
        }
    }

    /// When the window after one starts; `u64::MAX` beyond the end of time.
    fn end(self, number: u64) -> u64 {
        number.checked_add(1).map_or(u64::MAX, |next| self.start(next))
    }
}

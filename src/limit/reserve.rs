//! Permits that may be given back.

use super::book::Receipt;
use super::decide::Algorithm;
use super::error::AcquireError;
use super::gcra::Gcra;
use super::state::{self, Gate};
use super::turn::Turn;
use crate::sys::Arc;
use crate::sys::thread::contain;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// Permits that are taken, and given back when this is dropped, unless it is [committed](Reservation::commit).
///
/// For what may turn out not to be needed: a call that was not made, a batch that was smaller than thought. What is given back
/// is what would be there if it had never been taken: a bucket that would have run over meanwhile gains less, and a window
/// that has passed nothing. Those who wait move forward at once. After the limit has been [changed](super::Limiter::reconfigure)
/// nothing is given back.
#[must_use = "the permits go back when it is dropped"]
pub struct Reservation<'a, A: Algorithm = Gcra> {
    gate: &'a Arc<Gate<A>>,
    permits: u32,
    receipt: Receipt,
}

impl<'a, A: Algorithm> Reservation<'a, A> {
    #[inline]
    pub(super) fn new(gate: &'a Arc<Gate<A>>, permits: u32, receipt: Receipt) -> Self {
        Self { gate, permits, receipt }
    }

    /// How many permits it holds.
    pub fn permits(&self) -> u32 {
        self.permits
    }

    /// Spends them.
    pub fn commit(self) {
        mem::forget(self);
    }

    /// Spends so many of them, or all if it has no more, and gives the others back.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{Limiter, Quota};
    /// use wakeful::time::ManualClock;
    ///
    /// let words = NonZeroU32::new(1000).unwrap();
    /// let limiter = Limiter::new(&ManualClock::new().time(), Quota::per_minute(words).burst(words));
    /// limiter.try_reserve(800).unwrap().commit_only(300);
    /// assert_eq!(limiter.available(), 700);
    /// ```
    pub fn commit_only(mut self, used: u32) {
        self.permits = self.permits.saturating_sub(used);
    }
}

impl<A: Algorithm> Drop for Reservation<'_, A> {
    fn drop(&mut self) {
        let Self { gate, permits, receipt } = *self;
        if permits == 0 {
            return;
        }
        // A drop may be part of an unwinding, which a second panic would turn into the end of the process.
        contain(|| state::adjust(gate, |book, now| book.refund(permits, receipt, now)));
    }
}

impl<A: Algorithm> fmt::Debug for Reservation<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("permits", &self.permits).finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits for permits that may be given back; made by [`Limiter::reserve`] and [`Acquire::reserving`].
    ///
    /// [`Limiter::reserve`]: super::Limiter::reserve
    /// [`Acquire::reserving`]: super::Acquire::reserving
    ///
    /// # Time
    /// As that of [`Acquire`](super::Acquire).
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll, together with those who acquire.
    ///
    /// # Cancel safety
    /// Dropping it before it is ready takes no permits: its place in line is given up, permits that it was granted go back,
    /// and those behind it move forward at once.
    #[must_use = "nothing is reserved unless this is awaited"]
    pub struct Reserve<'a, A: Algorithm = Gcra> {
        #[pin]
        turn: Turn<A, &'a Arc<Gate<A>>>,
    }
}

impl<'a, A: Algorithm> Reserve<'a, A> {
    #[inline]
    pub(super) fn new(turn: Turn<A, &'a Arc<Gate<A>>>) -> Self {
        Self { turn }
    }
}

impl<'a, A: Algorithm> Future for Reserve<'a, A> {
    type Output = Result<Reservation<'a, A>, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let turn = self.project().turn;
        let (gate, permits) = (*turn.door(), turn.permits());
        turn.poll(cx).map_ok(|receipt| Reservation::new(gate, permits, receipt))
    }
}

impl<A: Algorithm> fmt::Debug for Reserve<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reserve").field(&self.turn).finish()
    }
}

//! Waiting for others: until nobody else is ready, and for one turn.

use super::handle::Sim;
use super::trace::Phase;
use super::world::Core;
use crate::sys::probe;
use crate::time::Instant;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// Waits until an instant is reached, all timers up to then have rung, and nobody else is ready; made by [`Sim::idle`] and
/// [`Sim::advance`].
///
/// # Cancel safety
/// Dropping it loses nothing.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Lull {
    sim: Sim,
    at: Instant,
    what: &'static str,
    id: Option<u64>,
}

impl Lull {
    pub(super) fn new(sim: Sim, at: Instant, what: &'static str) -> Self {
        Self { sim, at, what, id: None }
    }
}

impl Future for Lull {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { sim, at, what, id } = self.get_mut();
        let waker = cx.waker().clone();
        probe::keeping(&waker);
        let waiting = sim.world().core.with(|core| core.lull(*at, id, waker));
        if waiting.is_err() {
            return Poll::Ready(());
        }
        probe::waiting(what, None, at.as_nanos());
        Poll::Pending
    }
}

impl Drop for Lull {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            drop(self.sim.world().core.with(|core| core.forget_lull(self.at, id)));
        }
    }
}

impl fmt::Debug for Lull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lull").field("what", &self.what).field("at", &self.at).finish_non_exhaustive()
    }
}

/// Lets others have a turn; made by [`Sim::yield_now`].
///
/// # Cancel safety
/// Dropping it loses nothing.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl YieldNow {
    pub(super) fn new() -> Self {
        Self { yielded: false }
    }
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Core {
    /// Waits for the lull at `at`, under a number that is given at the first call. What was there before is to be
    /// dropped outside the lock. `None`: the lull has come.
    pub(super) fn lull(&mut self, at: Instant, id: &mut Option<u64>, waker: Waker) -> Result<Option<Waker>, Waker> {
        let number = match *id {
            None => {
                self.lull += 1;
                *id.insert(self.lull)
            }
            Some(number) if self.lulls.contains_key(&(at, number)) => number,
            Some(_) => return Err(waker),
        };
        Ok(self.lulls.insert((at, number), waker))
    }

    pub(super) fn forget_lull(&mut self, at: Instant, id: u64) -> Option<Waker> {
        self.lulls.remove(&(at, id))
    }

    /// Takes out one who waits for the lull at `at` or an earlier one.
    pub(super) fn pop_lull(&mut self, at: Instant) -> Option<Waker> {
        self.enter(Phase::Lull);
        let first = self.lulls.first_entry()?;
        (first.key().0 <= at).then(|| first.remove())
    }
}

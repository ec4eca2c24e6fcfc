//! Waiting for others: until nobody else is ready, and for one turn.

use super::handle::Sim;
use crate::sys::probe;
use crate::time::Instant;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

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

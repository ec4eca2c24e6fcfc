//! The future of acquiring.

use super::decide::Algorithm;
use super::error::AcquireError;
use super::gcra::Gcra;
use super::reserve::Reserve;
use super::state::Gate;
use super::turn::Turn;
use crate::cancel::Deadline;
use crate::sys::Arc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

pin_project! {
    /// Waits for permits; made by [`Limiter::acquire`], [`Limiter::acquire_before`] and [`Limiter::acquire_in`].
    ///
    /// [`Limiter::acquire`]: super::Limiter::acquire
    /// [`Limiter::acquire_before`]: super::Limiter::acquire_before
    /// [`Limiter::acquire_in`]: super::Limiter::acquire_in
    ///
    /// # Time
    /// Ready at the instant at which the limit allows it, to the nanosecond in virtual time, else as late as timers are.
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it before it is ready takes no permits: its place in line is given up, permits that it was granted go back,
    /// and those behind it move forward at once. Permits of one that was ready have been spent.
    #[must_use = "nothing is acquired unless this is awaited"]
    pub struct Acquire<'a, A: Algorithm = Gcra> {
        #[pin]
        turn: Turn<A, &'a Arc<Gate<A>>>,
    }
}

impl<'a, A: Algorithm> Acquire<'a, A> {
    #[inline]
    pub(super) fn new(gate: &'a Arc<Gate<A>>, permits: u32, deadline: Deadline) -> Self {
        Self { turn: Turn::new(gate, permits, deadline) }
    }

    /// The same wait, for permits that may be given back. For one that was not polled yet.
    #[inline]
    pub fn reserving(self) -> Reserve<'a, A> {
        Reserve::new(self.turn.returning())
    }
}

impl<A: Algorithm> Future for Acquire<'_, A> {
    type Output = Result<(), AcquireError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().turn.poll(cx).map_ok(|_| ())
    }
}

pin_project! {
    /// As [`Acquire`], for one who keeps it beside the limiter.
    pub(crate) struct Admit<A: Algorithm = Gcra> {
        #[pin]
        turn: Turn<A, Arc<Gate<A>>>,
    }
}

impl<A: Algorithm> Admit<A> {
    pub(super) fn new(gate: Arc<Gate<A>>, deadline: Deadline) -> Self {
        Self { turn: Turn::new(gate, 1, deadline) }
    }
}

impl<A: Algorithm> Future for Admit<A> {
    type Output = Result<(), AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().turn.poll(cx).map_ok(|_| ())
    }
}

impl<A: Algorithm> fmt::Debug for Acquire<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acquire").field(&self.turn).finish()
    }
}

//! A call in flight, and the future of one.

use super::concurrency::Shared;
use super::control::{Control, Feedback, Sample};
use super::gradient::Gradient2;
use crate::sync::{self, Permit};
use crate::sys::thread::contain;
use crate::time::Instant;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;

/// A call of a service. Dropped without a word it makes room, and is no sample.
#[must_use = "it makes room when it is dropped"]
pub struct Flight<'a, C: Control = Gradient2> {
    shared: &'a Shared<C>,
    started: Instant,
    in_flight: u32,
    // The last: what was learnt counts before there is room.
    _permit: Permit<'a>,
}

impl<'a, C: Control> Flight<'a, C> {
    pub(super) fn new(shared: &'a Shared<C>, permit: Permit<'a>) -> Self {
        // The clock may panic: read before the call counts.
        let started = shared.time.now();
        let in_flight = shared.begin();
        Self { shared, started, in_flight, _permit: permit }
    }

    /// The call is over, and says this about the service.
    pub fn end(self, feedback: Feedback) {
        let Self { shared, started, in_flight, .. } = self;
        shared.learn(&Sample { started, ended: shared.time.now(), in_flight, feedback });
    }

    /// When it began.
    pub fn started(&self) -> Instant {
        self.started
    }
}

impl<C: Control> Drop for Flight<'_, C> {
    fn drop(&mut self) {
        // A drop may be part of an unwinding, which a second panic would turn into the end of the process.
        contain(|| self.shared.end());
    }
}

impl<C: Control> fmt::Debug for Flight<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("started", &self.started).finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits until there is room for a call; made by [`Concurrency::launch`](super::Concurrency::launch).
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it gives its place in line up, and room that it was granted to those behind it. It is no sample.
    #[must_use = "nothing is launched unless this is awaited"]
    pub struct Launch<'a, C: Control = Gradient2> {
        shared: &'a Shared<C>,
        #[pin]
        acquire: sync::Acquire<'a>,
    }
}

impl<'a, C: Control> Launch<'a, C> {
    pub(super) fn new(shared: &'a Shared<C>) -> Self {
        Self { shared, acquire: shared.semaphore.acquire() }
    }
}

impl<'a, C: Control> Future for Launch<'a, C> {
    type Output = Flight<'a, C>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match ready!(this.acquire.poll(cx)) {
            Ok(permit) => Poll::Ready(Flight::new(this.shared, permit)),
            // Nobody closes it.
            Err(sync::AcquireError { .. }) => Poll::Pending,
        }
    }
}

impl<C: Control> fmt::Debug for Launch<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Launch").field(&self.acquire).finish()
    }
}

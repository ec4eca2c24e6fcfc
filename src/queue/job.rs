//! Items that stay unfinished until whoever received them says so (Q8).

use super::error::RecvError;
use super::kind::{Fifo, Kind};
use super::poll::{self, TakeJob};
use super::state::{InLine, Queue};
use crate::sys::Arc;
use core::fmt;
use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;

pin_project! {
    /// Waits for an item that stays unfinished; made by [`Receiver::recv_job`](super::Receiver::recv_job).
    ///
    /// # Fairness
    /// First come, first served, together with the other receives, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: its place in line is given up, and an item that it was granted goes to the next in line,
    /// or stays at the head of the queue.
    #[must_use = "nothing is received unless this is awaited"]
    pub struct RecvJob<'a, T, K: Kind<T> = Fifo> {
        #[pin]
        waiter: InLine<T, K, &'a Queue<T, K>>,
        queue: &'a Arc<Queue<T, K>>,
    }
}

impl<'a, T, K: Kind<T>> RecvJob<'a, T, K> {
    pub(super) fn new(queue: &'a Arc<Queue<T, K>>) -> Self {
        Self { waiter: InLine::new(&**queue, Default::default()), queue }
    }
}

impl<T, K: Kind<T>> Future for RecvJob<'_, T, K> {
    type Output = Result<Job<T, K>, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let taken = ready!(poll::poll(this.waiter.as_ref(), cx, TakeJob));
        Poll::Ready(taken.map(|item| Job::new(item, this.queue)).map_err(|()| RecvError))
    }
}

impl<T, K: Kind<T>> fmt::Debug for RecvJob<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvJob").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

/// An item that was received and is unfinished until this is [finished](Self::finish) or dropped, by a panic too; made by
/// [`Receiver::recv_job`](super::Receiver::recv_job).
///
/// It keeps the queue's memory, but does not count as a receiver.
#[must_use = "a job that is dropped is finished"]
pub struct Job<T, K: Kind<T> = Fifo> {
    // Dropped first: the job is finished when its item is gone, also if its drop panics.
    item: T,
    tally: Tally<T, K>,
}

/// Counts the job as finished when it is dropped.
struct Tally<T, K: Kind<T>>(Arc<Queue<T, K>>);

impl<T, K: Kind<T>> Drop for Tally<T, K> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl<T, K: Kind<T>> Job<T, K> {
    /// A job that the queue counts already.
    pub(super) fn new(item: T, queue: &Arc<Queue<T, K>>) -> Self {
        Self { item, tally: Tally(queue.clone()) }
    }

    /// The work is done. Gives the item back.
    pub fn finish(self) -> T {
        let Self { item, tally } = self;
        drop(tally);
        item
    }
}

impl<T, K: Kind<T>> Deref for Job<T, K> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T, K: Kind<T>> DerefMut for Job<T, K> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T: fmt::Debug, K: Kind<T>> fmt::Debug for Job<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.item).finish()
    }
}

pin_project! {
    /// Waits until nothing is unfinished; made by [`Sender::join`](super::Sender::join) and
    /// [`Receiver::join`](super::Receiver::join).
    ///
    /// It is ready at the first poll if there is neither an item in the queue nor a job that is out. Else it is granted at the
    /// moment at which there is neither, and is then ready whatever comes before its next poll.
    ///
    /// # Fairness
    /// All who wait are woken at that moment.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing.
    #[must_use = "nothing is waited for unless this is awaited"]
    pub struct Join<'a, T, K: Kind<T> = Fifo> {
        #[pin]
        waiter: InLine<T, K, &'a Queue<T, K>>,
    }
}

impl<'a, T, K: Kind<T>> Join<'a, T, K> {
    pub(super) fn new(queue: &'a Queue<T, K>) -> Self {
        Self { waiter: InLine::new(queue, Default::default()) }
    }
}

impl<T, K: Kind<T>> Future for Join<'_, T, K> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        poll::poll(this.waiter.as_ref(), cx, poll::Join).map(|_| ())
    }
}

impl<T, K: Kind<T>> fmt::Debug for Join<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

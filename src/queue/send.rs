//! Futures that send.

use super::error::SendError;
use super::kind::{Buffered, Fifo, Kind};
use super::poll::{self, Put, PutMany};
use super::shelf::Shelf;
use super::state::{InLine, Key, Queue};
use alloc::collections::VecDeque;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;

pin_project! {
    /// Sends an item; made by [`Sender::send`](super::Sender::send).
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has not sent its value, which is dropped with it; its place in line is given up, and
    /// a slot that it was granted goes to the next in line. To keep the value, [reserve](super::Sender::reserve) a slot
    /// first. In a rendezvous a receiver may have taken the value while this was not polled: then it is not dropped, but
    /// with that receiver.
    ///
    /// # Panics
    /// When polled after completion.
    #[must_use = "nothing is sent unless this is awaited"]
    pub struct SendItem<'a, T, K: Kind<T> = Fifo> {
        #[pin]
        waiter: InLine<T, K, &'a Queue<T, K>>,
        key: Key<T, K>,
        value: Option<T>,
        done: bool,
    }
}

impl<'a, T, K: Kind<T>> SendItem<'a, T, K> {
    #[inline]
    pub(super) fn new(queue: &'a Queue<T, K>, value: T) -> Self {
        let key = K::Shelf::key(&value);
        let waiter = InLine::new(queue, Default::default());
        Self { waiter, key, value: Some(value), done: false }
    }
}

impl<T, K: Kind<T>> Future for SendItem<'_, T, K> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        assert!(!*this.done, "a send is polled after completion");
        let put = Put { key: *this.key, value: this.value };
        let sent = ready!(poll::poll(this.waiter.as_ref(), cx, put));
        *this.done = true;
        Poll::Ready(match (sent, this.value.take()) {
            (Err(()), Some(value)) => Err(SendError(value)),
            _ => Ok(()),
        })
    }
}

impl<T, K: Kind<T>> fmt::Debug for SendItem<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendItem").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

pin_project! {
    /// Sends many items; made by [`Sender::send_many`](super::Sender::send_many).
    ///
    /// # Fairness
    /// First come, first served, as if each item were sent by itself, but that what finds room at once is sent at once.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: what was sent is off the front of the items, and the rest is still there.
    #[must_use = "nothing is sent unless this is awaited"]
    pub struct SendMany<'a, T, K: Kind<T> = Fifo> {
        #[pin]
        waiter: InLine<T, K, &'a Queue<T, K>>,
        items: &'a mut VecDeque<T>,
    }
}

impl<'a, T, K: Kind<T>> SendMany<'a, T, K> {
    pub(super) fn new(queue: &'a Queue<T, K>, items: &'a mut VecDeque<T>) -> Self {
        Self { waiter: InLine::new(queue, Default::default()), items }
    }
}

impl<T, K: Buffered<T>> Future for SendMany<'_, T, K> {
    type Output = Result<(), SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        while !this.items.is_empty() {
            let put = PutMany::new(this.items);
            if ready!(poll::poll(this.waiter.as_ref(), cx, put)).is_err() {
                return Poll::Ready(Err(SendError(())));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T, K: Kind<T>> fmt::Debug for SendMany<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("SendMany");
        out.field("waiting", &self.waiter.is_waiting()).field("left", &self.items.len()).finish_non_exhaustive()
    }
}

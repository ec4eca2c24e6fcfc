//! Futures and streams that receive.

use super::error::RecvError;
use super::kind::{Fifo, Kind};
use super::poll::{self, Take, TakeMany};
use super::receiver::Receiver;
use super::state::{InLine, Queue};
use crate::sys::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

pin_project! {
    /// Waits for an item; made by [`Receiver::recv`].
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: its place in line is given up, and an item that it was granted goes to the next in line,
    /// or stays at the head of the queue.
    #[must_use = "nothing is received unless this is awaited"]
    pub struct Recv<'a, T, K: Kind<T> = Fifo> {
        #[pin]
        waiter: InLine<T, K, &'a Queue<T, K>>,
    }
}

impl<'a, T, K: Kind<T>> Recv<'a, T, K> {
    #[inline]
    pub(super) fn new(queue: &'a Queue<T, K>) -> Self {
        Self { waiter: InLine::new(queue, Default::default()) }
    }
}

impl<T, K: Kind<T>> Future for Recv<'_, T, K> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        poll::poll(this.waiter.as_ref(), cx, Take).map_err(|()| RecvError)
    }
}

impl<T, K: Kind<T>> fmt::Debug for Recv<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits for items, and receives several at once; made by [`Receiver::recv_many`].
    ///
    /// # Fairness
    /// As [`Recv`]: one turn, in which all is received that belongs to nobody else.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: until it is ready it has received nothing.
    #[must_use = "nothing is received unless this is awaited"]
    pub struct RecvMany<'a, T, K: Kind<T> = Fifo> {
        #[pin]
        waiter: InLine<T, K, &'a Queue<T, K>>,
        buffer: &'a mut Vec<T>,
        limit: usize,
    }
}

impl<'a, T, K: Kind<T>> RecvMany<'a, T, K> {
    pub(super) fn new(queue: &'a Queue<T, K>, buffer: &'a mut Vec<T>, limit: usize) -> Self {
        Self { waiter: InLine::new(queue, Default::default()), buffer, limit }
    }
}

impl<T, K: Kind<T>> Future for RecvMany<'_, T, K> {
    type Output = Result<usize, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.limit == 0 {
            return Poll::Ready(Ok(0));
        }
        let queue: &Queue<T, K> = this.waiter.as_ref().get_ref().home();
        // Outside the lock.
        this.buffer.reserve(queue.len().clamp(1, *this.limit));
        let take = TakeMany { buffer: this.buffer, limit: *this.limit };
        Poll::Ready(match ready!(poll::poll(this.waiter.as_ref(), cx, take)) {
            Err(()) => Err(RecvError),
            Ok((taken, false)) => Ok(taken),
            Ok((taken, true)) => {
                // More came than there was room for. Nothing is no error here.
                let more = queue.try_recv_many(this.buffer, *this.limit - taken);
                Ok(taken + more.unwrap_or(0))
            }
        })
    }
}

impl<T, K: Kind<T>> fmt::Debug for RecvMany<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RecvMany");
        out.field("waiting", &self.waiter.is_waiting()).field("limit", &self.limit).finish_non_exhaustive()
    }
}

pin_project! {
    /// The items of a queue as a stream; made by [`Receiver::into_stream`].
    ///
    /// It holds its own place in line, so it allocates nothing, and has to be pinned to be polled.
    ///
    /// # Fairness
    /// As [`Recv`]: each item is waited for anew.
    ///
    /// # Cancel safety
    /// Dropping it loses nothing: its place in line is given up, and an item that it was granted goes to the next in line,
    /// or stays at the head of the queue. Dropping a future that polls it keeps the place.
    #[must_use = "a stream does nothing unless it is polled"]
    pub struct Items<T, K: Kind<T> = Fifo> {
        #[pin]
        waiter: InLine<T, K, Arc<Queue<T, K>>>,
        receiver: Receiver<T, K>,
        ended: bool,
    }
}

impl<T, K: Kind<T>> Items<T, K> {
    pub(super) fn new(receiver: Receiver<T, K>) -> Self {
        let waiter = InLine::new(receiver.queue().clone(), Default::default());
        Self { waiter, receiver, ended: false }
    }

    /// The receiver that this was made of.
    pub fn receiver(&self) -> &Receiver<T, K> {
        &self.receiver
    }
}

impl<T, K: Kind<T>> Stream for Items<T, K> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.project();
        let item = ready!(poll::poll(this.waiter.as_ref(), cx, Take)).ok();
        *this.ended = item.is_none();
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, if self.ended { Some(0) } else { None })
    }
}

impl<T, K: Kind<T>> FusedStream for Items<T, K> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T, K: Kind<T>> fmt::Debug for Items<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("receiver", &self.receiver).field("ended", &self.ended).finish_non_exhaustive()
    }
}

//! The receiving side.

use super::error::{RecvError, TryRecvError};
use super::poll;
use super::state::{self, Found, InLine, Queue};
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::probe::Access;
use crate::wait::Seen;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

/// The side of a queue that items are received from. Clones receive from the same queue, each item going to one of them;
/// when the last one is dropped, the queue closes and what is in it is dropped.
pub struct Receiver<T> {
    queue: Arc<Queue<T>>,
}

impl<T> Receiver<T> {
    /// The receiver that a new queue counts already.
    pub(super) fn first(queue: Arc<Queue<T>>) -> Self {
        Self { queue }
    }

    /// Waits for an item.
    ///
    /// # Errors
    /// [`RecvError`] once the queue is closed and neither an item nor a permit is left.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue::{self, RecvError};
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    ///     tx.send(1).await.unwrap();
    ///     tx.close();
    ///     assert_eq!(rx.recv().await, Ok(1));
    ///     assert_eq!(rx.recv().await, Err(RecvError));
    /// });
    /// ```
    #[inline]
    pub fn recv(&self) -> Recv<'_, T> {
        Recv { waiter: InLine::new(&*self.queue, ()), seen: Seen::NONE }
    }

    /// Receives an item if there is one that belongs to nobody else.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] or [`TryRecvError::Closed`].
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue::{self, TryRecvError};
    ///
    /// let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// tx.try_send(1).unwrap();
    /// drop(tx);
    /// assert_eq!(rx.try_recv(), Ok(1));
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.queue.try_recv() {
            Found::Done(item) => Ok(item),
            Found::Nothing => Err(TryRecvError::Empty),
            Found::Closed => Err(TryRecvError::Closed),
        }
    }

    /// Makes a stream of this receiver, which ends where [`recv`](Self::recv) would fail. To keep the receiver, clone it
    /// first.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::pin::pin;
    /// use futures_core::Stream;
    /// use wakeful::queue;
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::new(2).unwrap());
    ///     tx.try_send('a').unwrap();
    ///     tx.try_send('b').unwrap();
    ///     drop(tx);
    ///     let mut all = pin!(rx.into_stream());
    ///     let mut text = String::new();
    ///     while let Some(c) = core::future::poll_fn(|cx| all.as_mut().poll_next(cx)).await {
    ///         text.push(c);
    ///     }
    ///     assert_eq!(text, "ab");
    /// });
    /// ```
    pub fn into_stream(self) -> Items<T> {
        Items { waiter: InLine::new(self.queue.clone(), ()), seen: Seen::NONE, receiver: self, ended: false }
    }

    /// Lets nothing more in: sends that wait get their values back, permits that are out are honoured, and what is there
    /// is still to be received. Closing twice is closing once.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Closes the queue and takes out what is in it, the oldest first. A permit that is out is honoured even so: its item
    /// goes to the receivers.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue::{self, TrySendError};
    ///
    /// let (tx, rx) = queue::bounded(NonZeroUsize::new(8).unwrap());
    /// tx.try_send(1).unwrap();
    /// tx.try_send(2).unwrap();
    /// assert_eq!(rx.shutdown(), [1, 2]);
    /// assert_eq!(tx.try_send(3), Err(TrySendError::Closed(3)));
    /// ```
    pub fn shutdown(&self) -> Vec<T> {
        self.queue.shutdown().into()
    }

    /// Whether the queue is closed to further sends; there may be items left.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Whether nothing will be received any more: the queue is closed, and neither an item nor a permit is left.
    pub fn is_drained(&self) -> bool {
        self.queue.is_drained()
    }

    /// How many items are in the queue, those granted to receivers included.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no item is in the queue.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items, grants and permits there may be at once.
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// Changes the capacity. A greater one lets senders in that wait; a smaller one takes nothing away, and lets nobody in
    /// until the count has gone down below it.
    pub fn set_capacity(&self, capacity: NonZeroUsize) {
        self.queue.set_capacity(capacity);
    }

    /// Whether `self` and `other` receive from one queue.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }

    /// The queue itself; for tests.
    #[cfg(test)]
    pub(super) fn queue(&self) -> &Queue<T> {
        &self.queue
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        // Relaxed: the count is all that is read, and it is above zero as long as `self` is there.
        self.queue.touch(Access::Commute);
        self.queue.shared.receivers.fetch_add(1, Ordering::Relaxed);
        Self { queue: self.queue.clone() }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // Relaxed: what the other receivers did is ordered by the lock, which deserting takes.
        self.queue.touch(Access::Write);
        if self.queue.shared.receivers.fetch_sub(1, Ordering::Relaxed) == 1 {
            drop(self.queue.desert());
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        state::debug(&self.queue, f.debug_struct("Receiver"))
    }
}

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
    pub struct Recv<'a, T> {
        #[pin]
        waiter: InLine<T, &'a Queue<T>>,
        seen: Seen,
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        poll::poll_recv(this.waiter.as_ref(), this.seen, cx).map_err(|()| RecvError)
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
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
    pub struct Items<T> {
        #[pin]
        waiter: InLine<T, Arc<Queue<T>>>,
        seen: Seen,
        receiver: Receiver<T>,
        ended: bool,
    }
}

impl<T> Items<T> {
    /// The receiver that this was made of.
    pub fn receiver(&self) -> &Receiver<T> {
        &self.receiver
    }
}

impl<T> Stream for Items<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.project();
        let item = ready!(poll::poll_recv(this.waiter.as_ref(), this.seen, cx)).ok();
        *this.ended = item.is_none();
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, if self.ended { Some(0) } else { None })
    }
}

impl<T> FusedStream for Items<T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("receiver", &self.receiver).field("ended", &self.ended).finish_non_exhaustive()
    }
}

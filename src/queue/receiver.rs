//! The receiving side.

use super::error::TryRecvError;
use super::job::{Job, Join, RecvJob};
use super::kind::{Buffered, Fifo, Kind};
use super::recv::{Items, Recv, RecvMany};
use super::state::{self, Queue};
use super::weak::WeakReceiver;
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::probe::Access;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroUsize;

/// The side of a queue that items are received from. Clones receive from the same queue, each item going to one of them;
/// when the last one is dropped, the queue closes and what is in it is dropped.
pub struct Receiver<T, K: Kind<T> = Fifo> {
    queue: Arc<Queue<T, K>>,
}

impl<T, K: Kind<T>> Receiver<T, K> {
    /// A receiver that the queue counts already.
    pub(super) fn counted(queue: Arc<Queue<T, K>>) -> Self {
        Self { queue }
    }

    pub(super) fn queue(&self) -> &Arc<Queue<T, K>> {
        &self.queue
    }

    /// Waits for an item.
    ///
    /// # Errors
    /// [`RecvError`](super::RecvError) once the queue is closed and neither an item nor a permit is left.
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
    pub fn recv(&self) -> Recv<'_, T, K> {
        Recv::new(&self.queue)
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
        self.queue.try_recv()
    }

    /// Waits for an item, and then receives all that are there and belong to nobody else, `limit` at the most: they are put
    /// at the end of `buffer`, the next one first. Says how many; with a limit of zero, none, at once.
    ///
    /// # Errors
    /// [`RecvError`](super::RecvError) once the queue is closed and neither an item nor a permit is left.
    ///
    /// # Examples
    /// ```
    /// use wakeful::queue;
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let (tx, rx) = queue::unbounded();
    ///     (1..=5).for_each(|n| tx.try_send(n).unwrap());
    ///     let mut batch = Vec::new();
    ///     assert_eq!(rx.recv_many(&mut batch, 3).await, Ok(3));
    ///     assert_eq!(rx.recv_many(&mut batch, 3).await, Ok(2));
    ///     assert_eq!(batch, [1, 2, 3, 4, 5]);
    /// });
    /// ```
    pub fn recv_many<'a>(&'a self, buffer: &'a mut Vec<T>, limit: usize) -> RecvMany<'a, T, K> {
        RecvMany::new(&self.queue, buffer, limit)
    }

    /// Receives what is there and belongs to nobody else, `limit` items at the most, at the end of `buffer`, and says how
    /// many.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] or [`TryRecvError::Closed`], if there is nothing and `limit` is not zero.
    pub fn try_recv_many(&self, buffer: &mut Vec<T>, limit: usize) -> Result<usize, TryRecvError> {
        self.queue.try_recv_many(buffer, limit)
    }

    /// Receives all that is there and belongs to nobody else, the next one first. The queue stays as it is: open, or closed.
    /// To take what is granted to receivers that wait as well, there is [`shutdown`](Self::shutdown).
    pub fn drain(&self) -> Vec<T> {
        self.queue.drain()
    }

    /// Waits for an item, which stays [unfinished](Self::unfinished) until the [`Job`] that it comes in is finished or
    /// dropped.
    ///
    /// # Errors
    /// [`RecvError`](super::RecvError) once the queue is closed and neither an item nor a permit is left.
    ///
    /// # Examples
    /// As of [`Sender::join`](super::Sender::join).
    pub fn recv_job(&self) -> RecvJob<'_, T, K> {
        RecvJob::new(&self.queue)
    }

    /// As [`recv_job`](Self::recv_job), if there is an item that belongs to nobody else.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] or [`TryRecvError::Closed`].
    pub fn try_recv_job(&self) -> Result<Job<T, K>, TryRecvError> {
        self.queue.try_recv_job().map(|item| Job::new(item, &self.queue))
    }

    /// How many items are in the queue, or were received as jobs and are not finished. An item that is received as it is
    /// counts as finished.
    pub fn unfinished(&self) -> usize {
        self.queue.unfinished()
    }

    /// Waits until nothing is [unfinished](Self::unfinished).
    pub fn join(&self) -> Join<'_, T, K> {
        Join::new(&self.queue)
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
    pub fn into_stream(self) -> Items<T, K> {
        Items::new(self)
    }

    /// Lets nothing more in: sends that wait get their values back, permits that are out are honoured, and what is there
    /// is still to be received. Closing twice is closing once.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Closes the queue and takes out what is in it, the next one first. A permit that is out is honoured even so: its item
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
        self.queue.shutdown()
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

    /// How many items, grants and permits there may be at once: zero in a rendezvous, [`UNBOUNDED`](super::UNBOUNDED) where
    /// there is no bound.
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// A reference that does not keep the queue from being deserted.
    #[must_use]
    pub fn downgrade(&self) -> WeakReceiver<T, K> {
        WeakReceiver::of(&self.queue)
    }

    /// Whether `self` and `other` receive from one queue.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }
}

impl<T, K: Buffered<T>> Receiver<T, K> {
    /// Changes the capacity. A greater one lets senders in that wait; a smaller one takes nothing away, and lets nobody in
    /// until the count has gone down below it.
    pub fn set_capacity(&self, capacity: NonZeroUsize) {
        self.queue.set_capacity(capacity);
    }
}

impl<T, K: Kind<T>> Clone for Receiver<T, K> {
    fn clone(&self) -> Self {
        self.queue.touch(Access::Commute);
        // Relaxed: the count is all that is read, and it is above zero as long as `self` is there.
        self.queue.shared.receivers.fetch_add(1, Ordering::Relaxed);
        Self { queue: self.queue.clone() }
    }
}

impl<T, K: Kind<T>> Drop for Receiver<T, K> {
    fn drop(&mut self) {
        self.queue.touch(Access::Write);
        // Relaxed: what the other receivers did is ordered by the lock, which deserting takes.
        if self.queue.shared.receivers.fetch_sub(1, Ordering::Relaxed) == 1 {
            drop(self.queue.desert());
        }
    }
}

impl<T, K: Kind<T>> fmt::Debug for Receiver<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        state::debug(&self.queue, f.debug_struct("Receiver"))
    }
}

//! The sending side.

use super::error::TrySendError;
use super::job::Join;
use super::kind::{Buffered, Fifo, Kind};
use super::permit::{OwnedPermit, Permit, Reserve, ReserveOwned};
use super::send::{SendItem, SendMany};
use super::sink::SendSink;
use super::state::{self, Queue};
use super::weak::WeakSender;
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::probe::Access;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroUsize;

/// The side of a queue that items are sent into. Clones send into the same queue; when the last one is dropped, the queue
/// closes.
pub struct Sender<T, K: Kind<T> = Fifo> {
    queue: Arc<Queue<T, K>>,
}

impl<T, K: Kind<T>> Sender<T, K> {
    /// A sender that the queue counts already.
    pub(super) fn counted(queue: Arc<Queue<T, K>>) -> Self {
        Self { queue }
    }

    pub(super) fn queue(&self) -> &Arc<Queue<T, K>> {
        &self.queue
    }

    /// Waits for room and sends `value`. In a [rendezvous](super::rendezvous()), waits until a receiver has taken it.
    ///
    /// # Errors
    /// [`SendError`](super::SendError) with the value, if the queue is closed before there is room, or while this has been
    /// granted room and has not been polled since.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue::{self, SendError};
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    ///     assert_eq!(tx.send(1).await, Ok(()));
    ///     drop(rx);
    ///     assert_eq!(tx.send(2).await, Err(SendError(2)));
    /// });
    /// ```
    #[inline]
    pub fn send(&self, value: T) -> SendItem<'_, T, K> {
        SendItem::new(&self.queue, value)
    }

    /// Sends `value` if there is room that belongs to nobody else. In a [rendezvous](super::rendezvous()), if a receiver
    /// waits.
    ///
    /// # Errors
    /// The value comes back in [`TrySendError::Full`] or [`TrySendError::Closed`].
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue::{self, TrySendError};
    ///
    /// let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    /// assert_eq!(tx.try_send(1), Ok(()));
    /// assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    /// drop(rx);
    /// assert_eq!(tx.try_send(3), Err(TrySendError::Closed(3)));
    /// ```
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.queue.try_send(value)
    }

    /// Lets nothing more in: sends that wait get their values back, permits that are out are honoured, and receivers
    /// drain what is there. Closing twice is closing once.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Closes the queue and takes out what is in it, the next one first. A permit that is out is honoured even so: its item
    /// goes to the receivers.
    pub fn shutdown(&self) -> Vec<T> {
        self.queue.shutdown()
    }

    /// Whether the queue is closed to further sends.
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// How many items are in the queue.
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

    /// How many items are in the queue, or were received as [jobs](super::Receiver::recv_job) and are not finished.
    pub fn unfinished(&self) -> usize {
        self.queue.unfinished()
    }

    /// Waits until nothing is [unfinished](Self::unfinished).
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::queue;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (tx, rx) = queue::unbounded();
    ///     let time = sim.time();
    ///     sim.spawn("worker", async move {
    ///         while let Ok(job) = rx.recv_job().await {
    ///             time.sleep(Duration::from_secs(*job)).await;
    ///             job.finish();
    ///         }
    ///     });
    ///     tx.try_send(2).unwrap();
    ///     tx.try_send(3).unwrap();
    ///     tx.join().await;
    ///     assert_eq!(sim.now().as_nanos(), 5_000_000_000);
    /// });
    /// ```
    pub fn join(&self) -> Join<'_, T, K> {
        Join::new(&self.queue)
    }

    /// A reference that does not keep the queue open: for whoever may send, but is not to be waited for.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue;
    ///
    /// let (tx, rx) = queue::bounded::<u8>(NonZeroUsize::MIN);
    /// let weak = tx.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(tx);
    /// assert!(weak.upgrade().is_none());
    /// assert!(rx.is_drained());
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T, K> {
        WeakSender::of(&self.queue)
    }

    /// Whether `self` and `other` send into one queue.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }
}

impl<T, K: Buffered<T>> Sender<T, K> {
    /// Waits for room and holds it: sending through the permit does not wait.
    ///
    /// For an item that should not be made, or taken from elsewhere, before it is sure of its place.
    ///
    /// # Errors
    /// [`SendError`](super::SendError) if the queue is closed before there is room, or while this has been granted room and
    /// has not been polled since.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue::{self, TrySendError};
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    ///     let permit = tx.reserve().await.unwrap();
    ///     assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    ///     tx.close();
    ///     // A permit that is out is honoured.
    ///     permit.send(2).unwrap();
    ///     assert_eq!(rx.recv().await, Ok(2));
    /// });
    /// ```
    pub fn reserve(&self) -> Reserve<'_, T, K> {
        Reserve::new(&self.queue)
    }

    /// As [`reserve`](Self::reserve), with a future and a permit that borrow nothing and hold a sender each.
    ///
    /// # Errors
    /// As of [`reserve`](Self::reserve).
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    ///     let permit = tx.reserve_owned().await.unwrap();
    ///     drop(tx);
    ///     sim.spawn("elsewhere", async move { permit.send(1).unwrap() });
    ///     assert_eq!(rx.recv().await, Ok(1));
    ///     assert!(rx.recv().await.is_err());
    /// });
    /// ```
    pub fn reserve_owned(&self) -> ReserveOwned<T, K> {
        ReserveOwned::new(self.clone())
    }

    /// Holds room if there is some that belongs to nobody else.
    ///
    /// # Errors
    /// [`TrySendError::Full`] or [`TrySendError::Closed`].
    pub fn try_reserve(&self) -> Result<Permit<'_, T, K>, TrySendError<()>> {
        self.queue.try_reserve().map(|()| Permit::new(&self.queue))
    }

    /// As [`try_reserve`](Self::try_reserve), with a permit that borrows nothing.
    ///
    /// # Errors
    /// [`TrySendError::Full`] or [`TrySendError::Closed`].
    pub fn try_reserve_owned(&self) -> Result<OwnedPermit<T, K>, TrySendError<()>> {
        self.queue.try_reserve().map(|()| OwnedPermit::new(self.clone()))
    }

    /// Sends what is in `items`, the first one first, as there is room: what is sent is taken off the front, and what is not
    /// stays. For whoever has many: several are sent at once.
    ///
    /// # Errors
    /// [`SendError`](super::SendError) if the queue is closed before all are sent. The rest is in `items`.
    ///
    /// # Examples
    /// ```
    /// use std::collections::VecDeque;
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue::{self, SendError};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::new(2).unwrap());
    ///     let closer = tx.downgrade();
    ///     sim.spawn("consumer", async move {
    ///         assert_eq!([rx.recv().await, rx.recv().await], [Ok(1), Ok(2)]);
    ///         closer.upgrade().unwrap().close();
    ///         while rx.recv().await.is_ok() {}
    ///     });
    ///     let mut items: VecDeque<u32> = (1..=9).collect();
    ///     assert_eq!(tx.send_many(&mut items).await, Err(SendError(())));
    ///     assert!(items.iter().eq(&(10 - items.len() as u32..10).collect::<Vec<_>>()), "the rest is here");
    /// });
    /// ```
    pub fn send_many<'a>(&'a self, items: &'a mut VecDeque<T>) -> SendMany<'a, T, K> {
        SendMany::new(&self.queue, items)
    }

    /// Sends from the front of `items` as many as there is room for that belongs to nobody else, and says how many.
    ///
    /// # Errors
    /// [`TrySendError::Full`] or [`TrySendError::Closed`], if there are items and not one was sent.
    pub fn try_send_many(&self, items: &mut VecDeque<T>) -> Result<usize, TrySendError<()>> {
        self.queue.try_send_many(items)
    }

    /// Sends `value` at once: into room that belongs to nobody else, or else in place of the oldest item, which comes back.
    ///
    /// Where items have ranks, the one that comes back is the oldest of the least urgent, `value` itself counted in.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if all the room there is belongs to permits and to senders that wait, and
    /// [`TrySendError::Closed`].
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::queue;
    ///
    /// let (tx, rx) = queue::bounded(NonZeroUsize::new(2).unwrap());
    /// assert_eq!([tx.force_send(1), tx.force_send(2), tx.force_send(3)], [Ok(None), Ok(None), Ok(Some(1))]);
    /// assert_eq!(rx.drain(), [2, 3]);
    ///
    /// let (tx, rx) = queue::priority(NonZeroUsize::new(2).unwrap());
    /// tx.try_send((1, "soon")).unwrap();
    /// tx.try_send((5, "late")).unwrap();
    /// assert_eq!(tx.force_send((9, "never")), Ok(Some((9, "never"))));
    /// assert_eq!(tx.force_send((0, "now")), Ok(Some((5, "late"))));
    /// ```
    pub fn force_send(&self, value: T) -> Result<Option<T>, TrySendError<T>> {
        self.queue.force_send(value)
    }

    /// Changes the capacity. A greater one lets senders in that wait; a smaller one takes nothing away, and lets nobody in
    /// until the count has gone down below it.
    pub fn set_capacity(&self, capacity: NonZeroUsize) {
        self.queue.set_capacity(capacity);
    }

    /// Makes a sink of this sender. To keep the sender, clone it first.
    pub fn into_sink(self) -> SendSink<T, K> {
        SendSink::new(self)
    }
}

impl<T, K: Kind<T>> Clone for Sender<T, K> {
    fn clone(&self) -> Self {
        self.queue.touch(Access::Commute);
        // Relaxed: the count is all that is read, and it is above zero as long as `self` is there.
        self.queue.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self { queue: self.queue.clone() }
    }
}

impl<T, K: Kind<T>> Drop for Sender<T, K> {
    fn drop(&mut self) {
        self.queue.touch(Access::Write);
        // Relaxed: what the other senders did is ordered by the lock, which closing takes.
        if self.queue.shared.senders.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.queue.abandon();
        }
    }
}

impl<T, K: Kind<T>> fmt::Debug for Sender<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        state::debug(&self.queue, f.debug_struct("Sender"))
    }
}

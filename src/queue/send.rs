//! The sending side.

use super::error::{SendError, TrySendError};
use super::poll;
use super::state::{self, Found, InLine, Queue};
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::probe::Access;
use crate::wait::Seen;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::mem;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;

/// The side of a queue that items are sent into. Clones send into the same queue; when the last one is dropped, the queue
/// closes.
pub struct Sender<T> {
    queue: Arc<Queue<T>>,
}

impl<T> Sender<T> {
    /// The sender that a new queue counts already.
    pub(super) fn first(queue: Arc<Queue<T>>) -> Self {
        Self { queue }
    }

    /// Waits for room and sends `value`.
    ///
    /// # Errors
    /// [`SendError`] with the value, if the queue is closed before there is room, or while this has been granted room and
    /// has not been polled since.
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
    pub fn send(&self, value: T) -> SendItem<'_, T> {
        SendItem { waiter: InLine::new(&*self.queue, ()), seen: Seen::NONE, value: Some(value) }
    }

    /// Sends `value` if there is room that belongs to nobody else.
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
        let mut value = Some(value);
        let found = self.queue.try_send(&mut value);
        match (found, value) {
            (Found::Nothing, Some(value)) => Err(TrySendError::Full(value)),
            (Found::Closed, Some(value)) => Err(TrySendError::Closed(value)),
            _ => Ok(()),
        }
    }

    /// Waits for room and holds it: sending through the permit does not wait.
    ///
    /// For an item that should not be made, or taken from elsewhere, before it is sure of its place.
    ///
    /// # Errors
    /// [`SendError`] if the queue is closed before there is room, or while this has been granted room and has not been
    /// polled since.
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
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve { waiter: InLine::new(&*self.queue, ()), seen: Seen::NONE }
    }

    /// Holds room if there is some that belongs to nobody else.
    ///
    /// # Errors
    /// [`TrySendError::Full`] or [`TrySendError::Closed`].
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        match self.queue.try_reserve() {
            Found::Done(()) => Ok(Permit { queue: &self.queue }),
            Found::Nothing => Err(TrySendError::Full(())),
            Found::Closed => Err(TrySendError::Closed(())),
        }
    }

    /// Lets nothing more in: sends that wait get their values back, permits that are out are honoured, and receivers
    /// drain what is there. Closing twice is closing once.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Closes the queue and takes out what is in it, the oldest first. A permit that is out is honoured even so: its item
    /// goes to the receivers.
    pub fn shutdown(&self) -> Vec<T> {
        self.queue.shutdown().into()
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

    /// How many items, grants and permits there may be at once.
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// Changes the capacity. A greater one lets senders in that wait; a smaller one takes nothing away, and lets nobody in
    /// until the count has gone down below it.
    pub fn set_capacity(&self, capacity: NonZeroUsize) {
        self.queue.set_capacity(capacity);
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
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { queue: self.queue.clone() }
    }

    /// Whether `self` and `other` send into one queue.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.queue, &other.queue)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        // Relaxed: the count is all that is read, and it is above zero as long as `self` is there.
        self.queue.touch(Access::Commute);
        self.queue.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self { queue: self.queue.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // Relaxed: what the other senders did is ordered by the lock, which closing takes.
        self.queue.touch(Access::Write);
        if self.queue.shared.senders.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.queue.close();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        state::debug(&self.queue, f.debug_struct("Sender"))
    }
}

/// Refers to a queue without keeping it open; made by [`Sender::downgrade`].
pub struct WeakSender<T> {
    queue: Arc<Queue<T>>,
}

impl<T> WeakSender<T> {
    /// A sender, unless the last one is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        // Relaxed: only the count matters, and zero is final.
        let more = |n: usize| n.checked_sub(1).map(|_| n + 1);
        self.queue.touch(Access::Write);
        let counted = self.queue.shared.senders.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.ok().map(|_| Sender { queue: self.queue.clone() })
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        state::debug(&self.queue, f.debug_struct("WeakSender"))
    }
}

pin_project! {
    /// Sends an item; made by [`Sender::send`].
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has not sent its value, which is dropped with it; its place in line is given up, and
    /// a slot that it was granted goes to the next in line. To keep the value, [reserve](Sender::reserve) a slot first.
    ///
    /// # Panics
    /// When polled after completion.
    #[must_use = "nothing is sent unless this is awaited"]
    pub struct SendItem<'a, T> {
        #[pin]
        waiter: InLine<T, &'a Queue<T>>,
        seen: Seen,
        value: Option<T>,
    }
}

impl<T> Future for SendItem<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        assert!(this.value.is_some(), "a send is polled after completion");
        let sent = ready!(poll::poll_send(this.waiter.as_ref(), this.seen, this.value, cx));
        Poll::Ready(match (sent, this.value.take()) {
            (Err(()), Some(value)) => Err(SendError(value)),
            _ => Ok(()),
        })
    }
}

impl<T> fmt::Debug for SendItem<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendItem").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits for a permit; made by [`Sender::reserve`].
    ///
    /// # Fairness
    /// First come, first served, together with the sends, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it gives up its place in line; a slot that it was granted goes to the next in line.
    #[must_use = "nothing is reserved unless this is awaited"]
    pub struct Reserve<'a, T> {
        #[pin]
        waiter: InLine<T, &'a Queue<T>>,
        seen: Seen,
    }
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let reserved = ready!(poll::poll_reserve(this.waiter.as_ref(), this.seen, cx));
        let queue: &'a Queue<T> = this.waiter.as_ref().get_ref().home();
        Poll::Ready(reserved.map(|()| Permit { queue }).map_err(SendError))
    }
}

impl<T> fmt::Debug for Reserve<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

/// Room for one item, held until it is used or dropped; made by [`Sender::reserve`].
///
/// As long as one is out, receivers of a closed queue wait for its item. Forgetting it (`mem::forget`) makes them wait
/// for ever.
#[must_use = "a permit that is dropped gives its room back"]
pub struct Permit<'a, T> {
    queue: &'a Queue<T>,
}

impl<T> Permit<'_, T> {
    /// Sends `value` into the room that this holds, closed queue or not.
    ///
    /// # Errors
    /// [`SendError`] with the value, only if the last receiver is gone.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        let queue = self.queue;
        mem::forget(self);
        queue.redeem(value).map_err(SendError)
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.queue.unreserve();
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        state::debug(self.queue, f.debug_struct("Permit"))
    }
}

//! Room that is held before there is an item.

use super::error::SendError;
use super::kind::{Fifo, Kind};
use super::poll::{self, Hold};
use super::sender::Sender;
use super::shelf::Shelf;
use super::state::{self, InLine, Queue};
use crate::sys::Arc;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;

pin_project! {
    /// Waits for a permit; made by [`Sender::reserve`].
    ///
    /// # Fairness
    /// First come, first served, together with the sends, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it gives up its place in line; a slot that it was granted goes to the next in line.
    #[must_use = "nothing is reserved unless this is awaited"]
    pub struct Reserve<'a, T, K: Kind<T> = Fifo> {
        #[pin]
        waiter: InLine<T, K, &'a Queue<T, K>>,
    }
}

impl<'a, T, K: Kind<T>> Reserve<'a, T, K> {
    pub(super) fn new(queue: &'a Queue<T, K>) -> Self {
        Self { waiter: InLine::new(queue, Default::default()) }
    }
}

impl<'a, T, K: Kind<T>> Future for Reserve<'a, T, K> {
    type Output = Result<Permit<'a, T, K>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let reserved = ready!(poll::poll(this.waiter.as_ref(), cx, Hold));
        let queue: &'a Queue<T, K> = this.waiter.as_ref().get_ref().home();
        Poll::Ready(reserved.map(|()| Permit { queue }).map_err(SendError))
    }
}

impl<T, K: Kind<T>> fmt::Debug for Reserve<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits for a permit that borrows nothing; made by [`Sender::reserve_owned`].
    ///
    /// # Fairness
    /// As [`Reserve`].
    ///
    /// # Cancel safety
    /// As of [`Reserve`]: dropping it gives up its place in line; a slot that it was granted goes to the next in line.
    #[must_use = "nothing is reserved unless this is awaited"]
    pub struct ReserveOwned<T, K: Kind<T> = Fifo> {
        #[pin]
        waiter: InLine<T, K, Arc<Queue<T, K>>>,
        sender: Sender<T, K>,
    }
}

impl<T, K: Kind<T>> ReserveOwned<T, K> {
    pub(super) fn new(sender: Sender<T, K>) -> Self {
        Self { waiter: InLine::new(sender.queue().clone(), Default::default()), sender }
    }
}

impl<T, K: Kind<T>> Future for ReserveOwned<T, K> {
    type Output = Result<OwnedPermit<T, K>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let reserved = ready!(poll::poll(this.waiter.as_ref(), cx, Hold));
        Poll::Ready(reserved.map(|()| OwnedPermit::new(this.sender.clone())).map_err(SendError))
    }
}

impl<T, K: Kind<T>> fmt::Debug for ReserveOwned<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReserveOwned").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

/// Room for one item, held until it is used or dropped; made by [`Sender::reserve`].
///
/// As long as one is out, receivers of a closed queue wait for its item. Forgetting it (`mem::forget`) makes them wait
/// for ever.
#[must_use = "a permit that is dropped gives its room back"]
pub struct Permit<'a, T, K: Kind<T> = Fifo> {
    queue: &'a Queue<T, K>,
}

impl<'a, T, K: Kind<T>> Permit<'a, T, K> {
    /// The permit for a slot that was set aside.
    pub(super) fn new(queue: &'a Queue<T, K>) -> Self {
        Self { queue }
    }

    /// Sends `value` into the room that this holds, closed queue or not.
    ///
    /// # Errors
    /// [`SendError`] with the value, only if the last receiver is gone.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        let queue = self.queue;
        // The caller's code, so while this still holds the room.
        let key = K::Shelf::key(&value);
        mem::forget(self);
        queue.redeem(key, value).map_err(SendError)
    }
}

impl<T, K: Kind<T>> Drop for Permit<'_, T, K> {
    fn drop(&mut self) {
        self.queue.unreserve();
    }
}

impl<T, K: Kind<T>> fmt::Debug for Permit<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        state::debug(self.queue, f.debug_struct("Permit"))
    }
}

/// Room for one item, held until it is used or dropped, with a sender of its own; made by [`Sender::reserve_owned`].
///
/// What is said of [`Permit`] holds here too.
#[must_use = "a permit that is dropped gives its room back"]
pub struct OwnedPermit<T, K: Kind<T> = Fifo> {
    /// There until the permit is used or dropped.
    sender: Option<Sender<T, K>>,
}

impl<T, K: Kind<T>> OwnedPermit<T, K> {
    /// The permit for a slot that was set aside.
    pub(super) fn new(sender: Sender<T, K>) -> Self {
        Self { sender: Some(sender) }
    }

    /// Sends `value` into the room that this holds, closed queue or not.
    ///
    /// # Errors
    /// [`SendError`] with the value, only if the last receiver is gone.
    pub fn send(mut self, value: T) -> Result<(), SendError<T>> {
        let key = K::Shelf::key(&value);
        match self.sender.take() {
            Some(sender) => sender.queue().redeem(key, value).map_err(SendError),
            None => Err(SendError(value)),
        }
    }
}

impl<T, K: Kind<T>> Drop for OwnedPermit<T, K> {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            sender.queue().unreserve();
        }
    }
}

impl<T, K: Kind<T>> fmt::Debug for OwnedPermit<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").field("sender", &self.sender).finish()
    }
}

//! The publishing side.

use super::state::{Brought, ENDED, Hub, Outs, PUBLISHERS, Put, Slow, Topical, hub};
use super::{PublishError, Subscriber, TryPublishError};
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::probe::{self, Access};
use crate::sys::thread::contain;
use crate::wait::{Batch, Seen, Waiter};
use core::fmt;
use core::future::Future;
use core::mem;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// Messages of one type for whoever subscribes. Clones publish to the same subscribers; when the last one is dropped, the topic
/// is [closed](Self::close).
///
/// All subscribers read from one ring of `capacity` messages, which is allocated once: a message is moved in, cloned for all who read
/// it but the last, and moved out for that one. It is dropped as soon as nobody is to read it.
///
/// For work that one of several takes, take a [`queue`](crate::queue); for a state that can be looked at any time, a
/// [`watch`](crate::sync::watch).
///
/// # Fairness
/// Publishers that wait are served first come, first served, and not overtaken. Each subscriber has the messages in the order in
/// which they were published.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use wakeful::flow::topic::{RecvError, Slow, Topic};
///
/// wakeful::sim::check(|sim| async move {
///     let topic = Topic::new(NonZeroUsize::new(2).unwrap());
///     let mut logs = topic.subscribe(Slow::DropOldest);
///     let mut shown = topic.subscribe(Slow::Latest);
///     let mut accounts = topic.subscribe(Slow::Wait);
///     let sum = sim.spawn("accounts", async move {
///         let mut sum = 0;
///         while let Ok(amount) = accounts.recv().await {
///             sum += amount;
///         }
///         sum
///     });
///     for amount in 1..=5 {
///         assert_eq!(topic.publish(amount).await, Ok(3));
///     }
///     topic.close();
///     assert_eq!(sum.await, 15);
///     assert_eq!(shown.recv().await, Ok(5));
///     assert_eq!(logs.recv().await, Err(RecvError::Missed(3)));
///     assert_eq!((logs.recv().await, logs.recv().await), (Ok(4), Ok(5)));
///     assert_eq!((logs.recv().await, shown.recv().await), (Err(RecvError::Closed), Err(RecvError::Closed)));
/// });
/// ```
pub struct Topic<T> {
    hub: Arc<Topical<T>>,
}

impl<T> Topic<T> {
    /// A topic without subscribers. Allocates for the capacity, rounded up to a power of two.
    ///
    /// # Panics
    /// If there is no room for so many.
    #[must_use]
    #[track_caller]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { hub: hub(capacity.get()) }
    }

    /// A subscriber for what is published from now on. Dropping it unsubscribes.
    pub fn subscribe(&self, slow: Slow) -> Subscriber<T> {
        Subscriber::new(self.hub.clone(), slow)
    }

    /// Publishes `message` to all who have subscribed by then, and gives their number. Waits if a subscriber with [`Slow::Wait`] has
    /// not read the message that it displaces.
    ///
    /// # Errors
    /// [`PublishError`] with the message, if the topic is closed.
    ///
    /// # Panics
    /// If the drop of the message that it displaces does. The new one is published all the same.
    #[inline]
    pub fn publish(&self, message: T) -> Publish<'_, T> {
        Publish { message: Some(message), waiter: Waiter::new(&self.hub, Brought::Nothing), seen: Seen::NONE }
    }

    /// Publishes `message` if nobody has to be waited for.
    ///
    /// # Errors
    /// [`TryPublishError`] with the message, if there is no room, or others wait for it; or if the topic is closed.
    ///
    /// # Panics
    /// As [`publish`](Self::publish).
    #[inline]
    pub fn try_publish(&self, message: T) -> Result<usize, TryPublishError<T>> {
        let mut message = Some(message);
        let put = publish(&self.hub, &mut message);
        match (put, message) {
            (Put::Full, Some(message)) => Err(TryPublishError::Full(message)),
            (Put::Closed, Some(message)) => Err(TryPublishError::Closed(message)),
            (Put::Done(readers, _), _) => Ok(readers),
            (_, None) => unreachable!("what was refused is still there"),
        }
    }

    /// Lets nobody publish any more; who waits to has the message back. Subscribers read what is there, and then hear of the end.
    /// False: it was closed already.
    pub fn close(&self) -> bool {
        close(&self.hub)
    }

    /// Waits until the topic is closed and each subscriber has been told of the end, after all it was to read, or has been dropped.
    pub fn drained(&self) -> Drained<'_, T> {
        Drained { waiter: Waiter::new(&self.hub, Brought::Nothing), seen: Seen::NONE }
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.hub.read(|held| held.state.closed)
    }

    /// How many subscribers there are.
    pub fn subscribers(&self) -> usize {
        self.hub.read(|held| held.state.readers())
    }

    /// Whether `self` and `other` publish to the same subscribers.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.hub, &other.hub)
    }
}

/// Publishes what is in `message`, and wakes whoever waits for it.
#[inline(always)]
fn publish<T>(hub: &Topical<T>, message: &mut Option<T>) -> Put {
    let mut outs = Outs::new();
    let put = hub.wake(|held, batch| held.publish_now(message, &mut outs, batch));
    if let Put::Done(_, true) = put {
        hub.wake_to_end(|held, batch| held.announce(batch));
    }
    put
}

pub(super) fn close<T>(hub: &Topical<T>) -> bool {
    let mut was_open = None;
    hub.wake_to_end(|held, batch| {
        was_open.get_or_insert(!mem::replace(&mut held.state.closed, true));
        while !batch.is_full() {
            if !held.dismiss(PUBLISHERS, batch) {
                return held.announce(batch) || held.is_drained() && held.release(batch);
            }
        }
        true
    });
    was_open.unwrap_or(false)
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        // Relaxed: the count is all that is read, and it is above zero as long as `self` is there.
        self.hub.touch(Access::Commute);
        self.hub.shared.publishers.fetch_add(1, Ordering::Relaxed);
        Self { hub: self.hub.clone() }
    }
}

impl<T> Drop for Topic<T> {
    fn drop(&mut self) {
        // Relaxed: what the others did is ordered by the lock, which closing takes.
        self.hub.touch(Access::Write);
        if self.hub.shared.publishers.fetch_sub(1, Ordering::Relaxed) == 1 {
            contain(|| {
                close(&self.hub);
            });
        }
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("subscribers", &self.subscribers()).field("closed", &self.is_closed()).finish()
    }
}

pin_project! {
    /// Publishes a message; made by [`Topic::publish`].
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll that finds no room.
    ///
    /// # Cancel safety
    /// Dropped before it is done, the message is not published, unless there was room for it meanwhile: who makes room publishes for
    /// who waits.
    #[must_use = "nothing is published unless it is awaited"]
    pub struct Publish<'a, T> {
        message: Option<T>,
        #[pin]
        waiter: Waiter<Hub<T>, &'a Arc<Topical<T>>>,
        seen: Seen,
    }
}

impl<T> Future for Publish<'_, T> {
    type Output = Result<usize, PublishError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.message.is_some() {
            match (publish(this.waiter.home(), this.message), this.message.take()) {
                (Put::Done(readers, _), _) => return Poll::Ready(Ok(readers)),
                (Put::Closed, Some(message)) => return Poll::Ready(Err(PublishError(message))),
                (_, message) => *this.message = message,
            }
        }
        wait(this.message, this.waiter.as_ref(), this.seen, cx)
    }
}

/// Waits for room.
#[inline(never)]
fn wait<T>(
    message: &mut Option<T>,
    waiter: Pin<&Waiter<Hub<T>, &Arc<Topical<T>>>>,
    seen: &mut Seen,
    cx: &mut Context<'_>,
) -> Poll<Result<usize, PublishError<T>>> {
    if !(waiter.is_waiting() && seen.is(cx.waker())) {
        let waker = cx.waker().clone();
        *seen = Seen::of(&waker);
        let (mut outs, mut batch) = (Outs::new(), Batch::new());
        let (done, waker, more) = waiter.with(|seat| {
            if seat.is_waiting() {
                return (None, seat.set_waker(waker), false);
            }
            if message.is_none() {
                // It has been let go: what it laid down was published, or is still there.
                return (Some(mem::replace(seat.slot(), Brought::Nothing)), Some(waker), false);
            }
            match seat.held.publish(message, &mut outs, &mut batch) {
                Put::Done(readers, more) => (Some(Brought::Done(readers)), Some(waker), more),
                Put::Closed => (message.take().map(Brought::Message), Some(waker), false),
                Put::Full => {
                    if let Some(message) = message.take() {
                        mem::forget(mem::replace(seat.slot(), Brought::Message(message)));
                    }
                    seat.enter(PUBLISHERS, waker);
                    (None, None, false)
                }
            }
        });
        drop(waker);
        batch.fire();
        if more {
            waiter.home().wake_to_end(|held, batch| held.announce(batch));
        }
        drop(outs);
        match done {
            Some(Brought::Message(message)) if waiter.is_granted() => {
                // Nobody was there to read it.
                drop(message);
                return Poll::Ready(Ok(0));
            }
            Some(Brought::Message(message)) => return Poll::Ready(Err(PublishError(message))),
            Some(Brought::Done(readers)) => return Poll::Ready(Ok(readers)),
            Some(_) => return Poll::Ready(Ok(0)),
            None => {}
        }
    }
    probe::waiting("topic publish", Some(waiter.home().shared.id), u64::MAX);
    Poll::Pending
}

impl<T> fmt::Debug for Publish<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits until a topic is closed and read to its end; made by [`Topic::drained`].
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct Drained<'a, T> {
        #[pin]
        waiter: Waiter<Hub<T>, &'a Arc<Topical<T>>>,
        seen: Seen,
    }
}

impl<T> Future for Drained<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let waiter = this.waiter.as_ref();
        if !(waiter.is_waiting() && this.seen.is(cx.waker())) {
            let waker = cx.waker().clone();
            *this.seen = Seen::of(&waker);
            let (drained, old) = waiter.with(|seat| {
                if seat.held.is_drained() {
                    return (true, Some(waker));
                }
                if seat.is_waiting() {
                    return (false, seat.set_waker(waker));
                }
                seat.enter(ENDED, waker);
                (false, None)
            });
            drop(old);
            if drained {
                return Poll::Ready(());
            }
        }
        probe::waiting("topic drained", Some(waiter.home().shared.id), u64::MAX);
        Poll::Pending
    }
}

impl<T> fmt::Debug for Drained<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drained").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

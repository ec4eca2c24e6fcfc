//! Several queues at once.
//!
//! # Invariants
//!
//! - **A1** A receiver of the set is in a line, or holds a grant, only while somebody waits for the set: from a pending poll
//!   until the next one that is ready, or until the wait is dropped.
//! - **A2** At most one item is taken at a time. What else was granted meanwhile is given up, and goes to the next in its line.

use super::error::{RecvError, TryRecvError};
use super::kind::{Fifo, Kind};
use super::poll::{self, Take};
use super::receiver::Receiver;
use super::state::{InLine, Queue};
use crate::sys::Arc;
use crate::wait::Standing;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

pin_project! {
    /// A receiver of the set, with its place in line.
    struct Post<T, K: Kind<T>> {
        #[pin]
        waiter: InLine<T, K, Arc<Queue<T, K>>>,
        receiver: Receiver<T, K>,
        // Nothing will come any more.
        over: bool,
    }
}

/// Receivers of one type, received from as one: from whichever has an item, in rotation.
///
/// For queues of different types, a `select!` over their [`recv`](Receiver::recv) futures does as well: dropping the losers
/// loses nothing. This needs no macro, takes any number, and is fair.
///
/// It is a stream too, of the items alone. As a stream it keeps its places in line while it is not polled, and with them what
/// it may have been granted.
///
/// # Fairness
/// The queue after the one that was received from last is looked at first, so that of queues that are never empty each has
/// its turn. Within a queue it waits in line like any other receiver.
///
/// # Cancel safety
/// Dropping it loses nothing: its places in line are given up, and items that it was granted go to the next in line, or stay in
/// their queues.
///
/// # Examples
/// ```
/// use wakeful::queue::{self, Receivers, RecvError};
///
/// wakeful::sim::run(|_| async move {
///     let (orders, from_orders) = queue::unbounded();
///     let (letters, from_letters) = queue::unbounded();
///     let mut all = Receivers::new([from_orders, from_letters]);
///     (1..=3).for_each(|n| orders.try_send(n).unwrap());
///     letters.try_send(100).unwrap();
///     drop((orders, letters));
///
///     assert_eq!(all.recv().await, Ok((0, 1)));
///     assert_eq!(all.recv().await, Ok((1, 100)), "the other has its turn");
///     assert_eq!(all.recv().await, Ok((0, 2)));
///     assert_eq!(all.recv().await, Ok((0, 3)));
///     assert_eq!(all.recv().await, Err(RecvError), "all are closed and empty");
/// });
/// ```
pub struct Receivers<T, K: Kind<T> = Fifo> {
    posts: Vec<Pin<Box<Post<T, K>>>>,
    /// Where to look first.
    next: usize,
}

impl<T, K: Kind<T>> Receivers<T, K> {
    /// A set of these, numbered from 0 in this order.
    pub fn new(receivers: impl IntoIterator<Item = Receiver<T, K>>) -> Self {
        receivers.into_iter().collect()
    }

    /// Adds a receiver, and gives its number. Numbers stay as they are.
    pub fn push(&mut self, receiver: Receiver<T, K>) -> usize {
        let waiter = InLine::new(receiver.queue().clone(), Default::default());
        self.posts.push(Box::pin(Post { waiter, receiver, over: false }));
        self.posts.len() - 1
    }

    /// How many receivers there are, those of queues that are closed and empty included.
    pub fn len(&self) -> usize {
        self.posts.len()
    }

    /// Whether there is no receiver.
    pub fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// The receiver of this number.
    pub fn get(&self, number: usize) -> Option<&Receiver<T, K>> {
        self.posts.get(number).map(|post| &post.receiver)
    }

    /// Waits for an item of any of the queues, and says which it came from.
    ///
    /// # Errors
    /// [`RecvError`] once all queues are closed and neither an item nor a permit is left in any; so at once if there is none.
    pub fn recv(&mut self) -> RecvAny<'_, T, K> {
        RecvAny { receivers: self }
    }

    /// Receives an item if there is one that belongs to nobody else, and says which queue it came from.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`], or [`TryRecvError::Closed`] if all queues are closed and empty.
    pub fn try_recv(&mut self) -> Result<(usize, T), TryRecvError> {
        let mut all_over = true;
        for number in self.rotation() {
            if let Some(item) = self.take_granted(number) {
                self.received_from(number);
                return Ok((number, item));
            }
            match self.posts[number].receiver.try_recv() {
                Ok(item) => {
                    self.received_from(number);
                    return Ok((number, item));
                }
                Err(TryRecvError::Empty) => all_over = false,
                Err(TryRecvError::Closed) => {}
            }
        }
        Err(if all_over { TryRecvError::Closed } else { TryRecvError::Empty })
    }

    /// Takes the item that a place in line was granted, as a stream's may have been while nobody polled it.
    fn take_granted(&mut self, number: usize) -> Option<T> {
        let post = self.posts[number].as_mut().project();
        if post.waiter.standing() != Standing::Granted {
            return None;
        }
        match poll::poll(post.waiter.as_ref(), &mut Context::from_waker(Waker::noop()), Take) {
            Poll::Ready(taken) => taken.ok(),
            Poll::Pending => {
                // Somebody else has it. The task was woken with the grant, and comes again.
                post.waiter.as_ref().quit();
                None
            }
        }
    }

    /// The numbers, from the next on.
    fn rotation(&self) -> impl Iterator<Item = usize> + use<T, K> {
        let (next, len) = (self.next, self.posts.len());
        (next..len).chain(0..next)
    }

    fn received_from(&mut self, number: usize) {
        self.next = (number + 1) % self.posts.len();
        self.leave();
    }

    /// Gives up all places in line, and grants (A1, A2).
    fn leave(&mut self) {
        self.posts.iter().for_each(|post| post.as_ref().project_ref().waiter.quit());
    }

    fn poll_any(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, T)>> {
        // What is there, or granted, before anything is waited for; then the rest.
        for joins in [false, true] {
            for number in self.rotation() {
                let post = self.posts[number].as_mut().project();
                let looks = match post.waiter.standing() {
                    Standing::Granted => true,
                    Standing::Idle => joins || !post.receiver.queue().has_no_item(),
                    Standing::Waiting => joins,
                };
                if *post.over || !looks {
                    continue;
                }
                match poll::poll(post.waiter.as_ref(), cx, Take) {
                    Poll::Ready(Ok(item)) => {
                        self.received_from(number);
                        return Poll::Ready(Some((number, item)));
                    }
                    Poll::Ready(Err(())) => *post.over = true,
                    Poll::Pending => {}
                }
            }
        }
        if self.is_terminated() { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl<T, K: Kind<T>> FromIterator<Receiver<T, K>> for Receivers<T, K> {
    fn from_iter<I: IntoIterator<Item = Receiver<T, K>>>(receivers: I) -> Self {
        let mut set = Self { posts: Vec::new(), next: 0 };
        receivers.into_iter().for_each(|receiver| {
            set.push(receiver);
        });
        set
    }
}

impl<T, K: Kind<T>> Stream for Receivers<T, K> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_any(cx).map(|received| received.map(|(_, item)| item))
    }
}

impl<T, K: Kind<T>> FusedStream for Receivers<T, K> {
    fn is_terminated(&self) -> bool {
        self.posts.iter().all(|post| post.over)
    }
}

impl<T, K: Kind<T>> fmt::Debug for Receivers<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.posts.iter().map(|post| &post.receiver)).finish()
    }
}

/// Waits for an item of several queues; made by [`Receivers::recv`].
///
/// # Fairness
/// As of [`Receivers`]. In each queue it is first come, first served, counted from the first poll.
///
/// # Cancel safety
/// Dropping it loses nothing: its places in line are given up, and items that it was granted go to the next in line, or stay in
/// their queues.
#[must_use = "nothing is received unless this is awaited"]
pub struct RecvAny<'a, T, K: Kind<T> = Fifo> {
    receivers: &'a mut Receivers<T, K>,
}

impl<T, K: Kind<T>> Future for RecvAny<'_, T, K> {
    type Output = Result<(usize, T), RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(self.receivers.poll_any(cx)).ok_or(RecvError))
    }
}

impl<T, K: Kind<T>> Drop for RecvAny<'_, T, K> {
    fn drop(&mut self) {
        self.receivers.leave();
    }
}

impl<T, K: Kind<T>> fmt::Debug for RecvAny<'_, T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvAny").field("receivers", &self.receivers).finish()
    }
}

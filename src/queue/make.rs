//! How queues are made.

use super::kind::{Fifo, Kind, Lane, Lanes, Lifo, Priority, Ranked, Rendezvous};
use super::receiver::Receiver;
use super::sender::Sender;
use super::state;
use core::num::NonZeroUsize;

/// A capacity that is never reached.
///
/// A queue holds a quarter of `usize::MAX` at the most, whatever its capacity. Where words have 32 bits, items without a size
/// and permits that are forgotten can come to so many; then it is full.
pub const UNBOUNDED: NonZeroUsize = NonZeroUsize::MAX;

/// A queue that holds at most `capacity` items, first in, first out.
///
/// It keeps its senders and receivers until the last of each is gone. Room for the first 256 items is allocated here,
/// more when it is needed.
///
/// # Fairness
/// Senders are served first come, first served, and so are receivers.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use wakeful::queue;
///
/// wakeful::sim::run(|_| async move {
///     let (tx, rx) = queue::bounded(NonZeroUsize::new(2).unwrap());
///     tx.send("first").await.unwrap();
///     tx.send("second").await.unwrap();
///     drop(tx);
///     assert_eq!(rx.recv().await, Ok("first"));
///     assert_eq!(rx.recv().await, Ok("second"));
///     assert_eq!(rx.recv().await, Err(queue::RecvError));
/// });
/// ```
#[track_caller]
#[must_use = "a queue without a receiver is closed"]
pub fn bounded<T>(capacity: NonZeroUsize) -> (Sender<T>, Receiver<T>) {
    queue::<T, Fifo>(capacity.get())
}

/// A queue without a bound, first in, first out: sending never waits, and nothing keeps the queue from growing.
///
/// For items that must not be refused, from where waiting is out of the question; where producers may be faster than
/// consumers for long, take a [bounded] one. A bound can be set later ([`Sender::set_capacity`]).
///
/// # Fairness
/// Receivers are served first come, first served.
///
/// # Examples
/// ```
/// use wakeful::queue;
///
/// let (tx, rx) = queue::unbounded();
/// (0..1000).for_each(|n| tx.try_send(n).unwrap());
/// assert_eq!(rx.drain().len(), 1000);
/// ```
#[track_caller]
#[must_use = "a queue without a receiver is closed"]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    queue::<T, Fifo>(UNBOUNDED.get())
}

/// A queue that holds nothing: a send is done when a receiver has taken its value.
///
/// [`try_send`](Sender::try_send) hands its value to a receiver that waits; should that receiver be dropped before it
/// comes for it, the value is for the next. Room can't be reserved, since there is none.
///
/// # Fairness
/// Senders are served first come, first served, and so are receivers.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::queue;
///
/// wakeful::sim::run(|sim| async move {
///     let (tx, rx) = queue::rendezvous();
///     let time = sim.time();
///     let late = sim.spawn("receiver", async move {
///         time.sleep(Duration::from_secs(3)).await;
///         rx.recv().await
///     });
///     tx.send("hello").await.unwrap();
///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
///     assert_eq!(late.await, Ok("hello"));
/// });
/// ```
#[track_caller]
#[must_use = "a queue without a receiver is closed"]
pub fn rendezvous<T>() -> (Sender<T, Rendezvous>, Receiver<T, Rendezvous>) {
    queue(0)
}

/// A queue that holds at most `capacity` items, last in, first out: for work of which the newest matters most, such as
/// requests whose clients may have given up on the old ones. [`UNBOUNDED`] is no bound.
///
/// # Fairness
/// Senders are served first come, first served, and so are receivers. Items are not: an old one stays as long as newer ones
/// come.
///
/// # Examples
/// ```
/// use wakeful::queue;
///
/// let (tx, rx) = queue::lifo(queue::UNBOUNDED);
/// (1..=3).for_each(|n| tx.try_send(n).unwrap());
/// assert_eq!(rx.drain(), [3, 2, 1]);
/// ```
#[track_caller]
#[must_use = "a queue without a receiver is closed"]
pub fn lifo<T>(capacity: NonZeroUsize) -> (Sender<T, Lifo>, Receiver<T, Lifo>) {
    queue(capacity.get())
}

/// A queue that holds at most `capacity` items, the one with the lowest [rank](Ranked) first, and first in, first out among
/// equals. [`UNBOUNDED`] is no bound. Where a few ranks are enough, [`lanes()`] is faster.
///
/// Taking an item takes time that grows with the logarithm of their number. The rank is asked for once, when the item is
/// sent, outside the lock.
///
/// # Fairness
/// Senders are served first come, first served, however urgent what they send: ranks order items, not senders. Receivers are
/// served first come, first served. Items are not: a high rank waits as long as lower ones come.
///
/// # Examples
/// ```
/// use core::cmp::Reverse;
/// use core::num::NonZeroUsize;
/// use wakeful::queue;
///
/// let (tx, rx) = queue::priority(NonZeroUsize::new(8).unwrap());
/// for job in [(5, "later"), (1, "first"), (5, "last")] {
///     tx.try_send(job).unwrap();
/// }
/// assert_eq!(rx.drain(), [(1, "first"), (5, "later"), (5, "last")]);
///
/// let (tx, rx) = queue::priority(NonZeroUsize::new(8).unwrap());
/// tx.try_send((Reverse(1), "light")).unwrap();
/// tx.try_send((Reverse(9), "heavy")).unwrap();
/// assert_eq!(rx.try_recv(), Ok((Reverse(9), "heavy")));
/// ```
#[track_caller]
#[must_use = "a queue without a receiver is closed"]
pub fn priority<T: Ranked>(capacity: NonZeroUsize) -> (Sender<T, Priority>, Receiver<T, Priority>) {
    queue(capacity.get())
}

/// A queue that holds at most `capacity` items in `N` lanes, up to 32: the lowest lane that is not empty comes first, and
/// within a lane it is first in, first out. [`UNBOUNDED`] is no bound. The fast form of [`priority()`].
///
/// # Fairness
/// As of [`priority()`].
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use wakeful::queue::{self, Lane};
///
/// const URGENT: Lane<2> = Lane::at::<0>();
/// const NORMAL: Lane<2> = Lane::at::<1>();
///
/// let (tx, rx) = queue::lanes(NonZeroUsize::new(8).unwrap());
/// for job in [(NORMAL, 1), (NORMAL, 2), (URGENT, 3)] {
///     tx.try_send(job).unwrap();
/// }
/// assert_eq!(rx.drain(), [(URGENT, 3), (NORMAL, 1), (NORMAL, 2)]);
/// ```
#[track_caller]
#[must_use = "a queue without a receiver is closed"]
pub fn lanes<T: Ranked<Rank = Lane<N>>, const N: usize>(
    capacity: NonZeroUsize,
) -> (Sender<T, Lanes<N>>, Receiver<T, Lanes<N>>) {
    queue(capacity.get())
}

#[track_caller]
fn queue<T, K: Kind<T>>(capacity: usize) -> (Sender<T, K>, Receiver<T, K>) {
    let queue = state::queue(capacity);
    (Sender::counted(queue.clone()), Receiver::counted(queue))
}

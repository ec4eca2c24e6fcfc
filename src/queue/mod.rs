//! Queues between tasks: many producers, many consumers, backpressure, and nothing lost.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | pass items on, and slow producers down when consumers lag | [`bounded`] |
//! | know that there is room before you make the item | [`Sender::reserve`] |
//! | tell consumers that no more will come | [`Sender::close`], or drop the last [`Sender`] |
//! | stop at once and keep what is left | [`Receiver::shutdown`] |
//! | use stream combinators | [`Receiver::into_stream`] |
//! | refer to a queue without keeping it open | [`Sender::downgrade`] |
//!
//! A program that sends a "poison pill" to each consumer calls [`Sender::close`] instead: consumers drain the queue, and
//! then each of them, however many there are, gets [`RecvError`].
//!
//! # What every queue promises
//!
//! Tests cite these by number.
//!
//! - **Q1** Nothing is lost and nothing comes twice, whatever futures are dropped, and when.
//! - **Q2** The items of one producer arrive in its order.
//! - **Q3** The capacity counts items, slots granted to waiting senders, and permits; it is never exceeded. Making it
//!   smaller revokes nothing, and grants nothing until the count is below it.
//! - **Q4** No wake-up is lost: a waiter that is dropped after it was chosen passes its turn on.
//! - **Q5** Who waits is served first come, first served. Newcomers can't take what was granted to somebody who waits.
//! - **Q6** Closing gives a value back to each send that waits, or was granted a slot and has not been polled since. A
//!   permit that is out is honoured. Receivers drain: they learn of the closing when there is neither an item nor a
//!   permit left, and whoever takes the last one wakes the rest.
//! - **Q7** The last sender gone closes the queue. The last receiver gone closes it and drops what is in it, outside the
//!   lock; [`Receiver::shutdown`] hands it over instead.
//! - **Q9** No item is dropped, no waker is cloned, woken or dropped, and no code of the caller runs under the lock.
//!
//! # How it works
//!
//! One short lock guards a ring of items and two lines of waiters, whose entries live in the pinned futures: waiting
//! allocates nothing. Whoever makes room grants one slot to the first sender in line; whoever brings an item grants one
//! item to the first receiver. A grant is a count, not a particular item, so the item stays in the queue until a receiver
//! takes it, and a future dropped in between has nothing to lose. One atomic hint lets a `try_` method that has no hope
//! do without the lock.

mod error;
mod poll;
mod recv;
mod send;
mod state;

pub use error::{RecvError, SendError, TryRecvError, TrySendError};
pub use recv::{Items, Receiver, Recv};
pub use send::{Permit, Reserve, SendItem, Sender, WeakSender};

use core::num::NonZeroUsize;

/// A queue that holds at most `capacity` items.
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
    let queue = state::queue(capacity);
    (Sender::first(queue.clone()), Receiver::first(queue))
}

#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod model_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

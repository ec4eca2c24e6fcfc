//! Queues between tasks: many producers, many consumers, backpressure, and nothing lost.
//!
//! # Which queue do I want?
//!
//! | you want to | use |
//! |---|---|
//! | pass items on, and slow producers down when consumers lag | [`bounded`] |
//! | pass items on from where waiting is out of the question | [`unbounded`] |
//! | know, when the send is done, that somebody has taken the item | [`rendezvous`] |
//! | have the newest first | [`lifo`] |
//! | have the most urgent first, whatever rank it has | [`priority`] |
//! | have the most urgent of a few classes first, and fast | [`lanes`] |
//!
//! All are of one family: [`Sender`] and [`Receiver`], whose second parameter is the [`Kind`], [`Fifo`] unless something else
//! is said.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | know that there is room before you make the item | [`Sender::reserve`], [`Sender::reserve_owned`] |
//! | send or receive many at once | [`Sender::send_many`], [`Receiver::recv_many`], [`Receiver::drain`] |
//! | never wait, and give the oldest up instead | [`Sender::force_send`] |
//! | tell consumers that no more will come | [`Sender::close`], or drop the last [`Sender`] |
//! | stop at once and keep what is left | [`Receiver::shutdown`] |
//! | know when all that was sent has been worked off | [`Receiver::recv_job`] and [`Sender::join`] |
//! | receive from whichever of several queues has an item | [`Receivers`] |
//! | use stream combinators, or feed a sink | [`Receiver::into_stream`], [`Sender::into_sink`] |
//! | refer to a queue without keeping it open | [`Sender::downgrade`], [`Receiver::downgrade`] |
//!
//! # From other languages
//!
//! | there | here |
//! |---|---|
//! | a sentinel ("poison pill") for each consumer, then `join` | [`Sender::close`]: consumers drain the queue, and then each of them, however many there are, gets [`RecvError`] |
//! | `queue.Queue(maxsize=0)` | [`unbounded`]; capacity zero is [`rendezvous`] |
//! | `task_done()` and `join()` | [`Receiver::recv_job`]: the [`Job`] is done when it is finished or dropped; [`Sender::join`] |
//! | an unbuffered channel | [`rendezvous`] |
//! | `PriorityQueue` of pairs | [`priority`] of pairs: the first of each is its [rank](Ranked) |
//!
//! A program with a pill, in Python:
//!
//! ```python
//! def worker():
//!     while (job := q.get()) is not None:
//!         work(job)
//!
//! for job in jobs:
//!     q.put(job)
//! for _ in workers:
//!     q.put(None)
//! ```
//!
//! and here, where nobody has to know how many workers there are, and no item has to stand for the end:
//!
//! ```
//! use core::num::NonZeroUsize;
//! use wakeful::queue;
//!
//! wakeful::sim::run(|sim| async move {
//!     let (tx, rx) = queue::bounded(NonZeroUsize::new(2).unwrap());
//!     let workers: Vec<_> = (0..3)
//!         .map(|_| {
//!             let rx = rx.clone();
//!             sim.spawn("worker", async move {
//!                 let mut sum = 0;
//!                 while let Ok(job) = rx.recv().await {
//!                     sum += job;
//!                 }
//!                 sum
//!             })
//!         })
//!         .collect();
//!     for job in 1..=10 {
//!         tx.send(job).await.unwrap();
//!     }
//!     tx.close();
//!     let mut sum = 0;
//!     for worker in workers {
//!         sum += worker.await;
//!     }
//!     assert_eq!(sum, 55);
//! });
//! ```
//!
//! # What every queue promises
//!
//! Tests cite these by number.
//!
//! - **Q1** Nothing is lost and nothing comes twice, whatever futures are dropped, and when.
//! - **Q2** The items of one producer arrive in its order; of a queue that orders items, those that are equals do.
//! - **Q3** The capacity counts items, slots granted to waiting senders, and permits; it is never exceeded. Making it
//!   smaller revokes nothing, and grants nothing until the count is below it. In a rendezvous, whose capacity is zero, there is
//!   an item only between a [`try_send`](Sender::try_send) and the next poll of the receiver that waited for it.
//! - **Q4** No wake-up is lost: a waiter that is dropped after it was chosen passes its turn on.
//! - **Q5** Who waits is served first come, first served, in a full priority queue too: ranks order items, not senders.
//!   Newcomers can't take what was granted to somebody who waits.
//! - **Q6** Closing gives a value back to each send that waits, or was granted a slot and has not been polled since. A
//!   permit that is out is honoured. Receivers drain: they learn of the closing when there is neither an item nor a
//!   permit left, and whoever takes the last one wakes the rest.
//! - **Q7** The last sender gone closes the queue. The last receiver gone closes it and drops what is in it, outside the
//!   lock; [`Receiver::shutdown`] hands it over instead.
//! - **Q8** A job is unfinished from the moment at which it is received until its guard is finished or dropped, by a panic
//!   too; an item that is received as it is counts as finished. [`join`](Sender::join) is granted exactly when neither an item
//!   nor a job is left.
//! - **Q9** No item is dropped, no waker is cloned, woken or dropped, and no code of the caller runs under the lock: ranks
//!   are asked for before it.
//!
//! A waker that panics when it is woken does no harm to others: the rest are woken. The panic unwinds through the call that
//! woke it, unless that call has an item or a permit to hand over, which would be lost with it, or is a drop: then the panic
//! ends there, once the panic hook has told of it. (Without `std` a panic can't be caught, and takes them along.)
//!
//! # How it works
//!
//! One short lock guards the items and three lines of waiters, whose entries live in the pinned futures: waiting
//! allocates nothing. Whoever makes room grants one slot to the first sender in line; whoever brings an item grants one
//! item to the first receiver. A grant is a count, not a particular item, so the item stays in the queue until a receiver
//! takes it, and a future dropped in between has nothing to lose. In a rendezvous it stays with the sender that waits: the
//! line is the queue.
//!
//! The kinds differ in what keeps the items and in nothing else. Two atomic hints say what a newcomer would find: one that
//! has no hope does without the lock, and one that concerns nobody else takes a short way through it.

mod any;
mod error;
mod job;
mod kind;
mod make;
mod ops;
mod permit;
mod poll;
mod receiver;
mod recv;
mod ring;
mod send;
mod sender;
mod shelf;
mod sink;
mod state;
mod weak;

pub use any::{Receivers, RecvAny};
pub use error::{RecvError, SendError, TryRecvError, TrySendError};
pub use job::{Job, Join, RecvJob};
pub use kind::{Buffered, Fifo, Kind, Lane, Lanes, Lifo, Priority, Rank, Ranked, Rendezvous};
pub use make::{UNBOUNDED, bounded, lanes, lifo, priority, rendezvous, unbounded};
pub use permit::{OwnedPermit, Permit, Reserve, ReserveOwned};
pub use receiver::Receiver;
pub use recv::{Items, Recv, RecvMany};
pub use send::{SendItem, SendMany};
pub use sender::Sender;
pub use sink::SendSink;
pub use weak::{WeakReceiver, WeakSender};

#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod model_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

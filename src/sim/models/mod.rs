//! Reference models: what queues and a fair semaphore must do, in plain words of data, for fuzz targets and
//! property tests of the kit's own and of others'.
//!
//! | you want to test | use |
//! |---|---|
//! | a queue that serves in order and loses nothing | [`Queue`], whose steps are [`QueueOp`]s |
//! | one without room, where sends meet receives | [`Rendezvous`], with the same steps |
//! | a semaphore that serves in order, whatever its waiters ask for | [`Semaphore`], whose steps are [`SemaphoreOp`]s |
//!
//! A model waits for nobody and owns no waker. Each step says what was done to the real thing: a `try_` method was called, a
//! future was polled, or dropped. The model answers what must have come of it, and names those who must have been woken:
//! [`Queue::woken`] is complete, so one who was woken and is not in it was woken in vain. A future has whatever number its
//! owner gives it, as long as no two that live at once share one.
//!
//! # A fuzz target
//!
//! Any source of choices will do: the bytes of a fuzzer as here, [`Rng`](super::Rng) in a property test,
//! [`Sim::choose`](super::Sim::choose) in a simulation.
//!
//! ```
//! use core::num::NonZeroUsize;
//! use core::task::{Context, Poll, Waker};
//! use wakeful::queue;
//! use wakeful::sim::models::{Queue, QueueAnswer, QueueOp};
//! use wakeful::sim::{Bytes, Kind, Oracle};
//!
//! fn target(data: &[u8]) {
//!     let mut bytes = Bytes::new(data);
//!     let mut choose = |n| bytes.choose(Kind::Data, n);
//!     let (tx, rx) = queue::bounded(NonZeroUsize::new(2).unwrap()); // or a queue of yours
//!     let (tx, rx) = (&tx, &rx);
//!     let mut model = Queue::new(2);
//!     let mut cx = Context::from_waker(Waker::noop());
//!     let mut sends: [_; 4] = core::array::from_fn(|_| None);
//!     for value in 0..data.len() {
//!         let who = choose(sends.len());
//!         match choose(4) {
//!             0 => {
//!                 let received = rx.try_recv().map_or_else(
//!                     |error| match error {
//!                         queue::TryRecvError::Empty => QueueAnswer::Wait,
//!                         queue::TryRecvError::Closed => QueueAnswer::Closed,
//!                     },
//!                     QueueAnswer::Item,
//!                 );
//!                 assert_eq!(model.step(QueueOp::TryRecv), received);
//!             }
//!             1 => {
//!                 sends[who] = None;
//!                 model.step(QueueOp::Drop(who as u64));
//!             }
//!             2 if value > 10 => {
//!                 tx.close();
//!                 model.step(QueueOp::Close);
//!             }
//!             _ => {
//!                 let (value, send) = sends[who].get_or_insert_with(|| (value, Box::pin(tx.send(value))));
//!                 let sent = match send.as_mut().poll(&mut cx) {
//!                     Poll::Ready(Ok(())) => QueueAnswer::Done,
//!                     Poll::Ready(Err(_)) => QueueAnswer::Closed,
//!                     Poll::Pending => QueueAnswer::Wait,
//!                 };
//!                 assert_eq!(model.step(QueueOp::Send(who as u64, *value)), sent);
//!                 if sent != QueueAnswer::Wait {
//!                     sends[who] = None;
//!                 }
//!             }
//!         }
//!         assert_eq!(tx.len(), model.len());
//!     }
//! }
//!
//! target(&[3, 0, 2, 1, 3, 2, 0, 0, 1, 1, 0, 0, 2, 3, 3, 0]);
//! ```
//!
//! With wakers that count, compare [`Queue::woken`] after each step too: a lost wake-up is then found where it is lost.

mod line;
mod queue;
mod rendezvous;
mod semaphore;
mod takers;

pub use queue::{Queue, QueueAnswer, QueueOp};
pub use rendezvous::Rendezvous;
pub use semaphore::{Semaphore, SemaphoreAnswer, SemaphoreOp};

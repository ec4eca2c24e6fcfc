//! Waiting for each other: events, signals, permits, conditions, meeting points, and values that are handed over once or
//! watched.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | wait for something to have happened, which stays so | [`Event`] |
//! | be told to look again, one task or all | [`Notify`] |
//! | let only so many do something at once, a number that may change | [`Semaphore`] |
//! | the same, and know who they are | [`CapacityLimiter`] |
//! | wait until what a mutex guards has changed | [`Condition`], with any async mutex |
//! | wait for a known number of things | [`Latch`] |
//! | wait for whatever was begun to end | [`WaitGroup`] |
//! | have a number of tasks wait for each other, round after round | [`Barrier`] |
//! | hand over one value, once | [`oneshot`] |
//! | see the latest value, and hear of newer ones | [`watch`] |
//! | receive every value | [`queue`](crate::queue) |
//! | keep to a rate | [`limit`](crate::limit) |
//! | lock a value, read or write it, make it once | `async-lock`'s `Mutex`, `RwLock`, `OnceCell` |
//!
//! There is no mutex here: [`async-lock`](https://docs.rs/async-lock) has good ones, which work on any executor and under the
//! [scopes](crate::cancel) of this kit.
//!
//! # What all of them promise
//!
//! Tests cite these by number.
//!
//! - **Y1** Nothing is lost when a future is dropped, at whichever stage: its place in line is given up, and what it was
//!   granted and had not taken goes to the next in line.
//! - **Y2** Who waits is served first come, first served, counted from the first poll. Newcomers can't take what was granted
//!   to somebody who waits, and a large request is not passed by smaller ones behind it.
//! - **Y3** Where many are let go at once, they are those who wait at that moment: they go on whatever happens before their
//!   next poll, and who comes later waits, however long the line is.
//! - **Y4** Closing turns away whoever waits, or was granted something and has not been polled since; what is held stays
//!   good.
//! - **Y5** No waker is cloned, woken or dropped, and none of the caller's code runs under a lock: a waker may enter what
//!   fires it, a key may enter the limiter that compares it. A waker that panics leaves nobody asleep.
//! - **Y6** Waiting allocates nothing, but for the borrowers of a [`CapacityLimiter`], whose keys are kept.
//! - **Y7** What was done before an event was set, a count lowered, a permit given back, a value sent, is seen by who goes on
//!   because of it.
//!
//! # How it works
//!
//! Handles are counted references; clones are the same thing. A future that waits joins a line by an entry that lives in it,
//! under one short lock. Whoever lets it go takes it off the line, marks it, and wakes it when the lock is free. Where
//! nobody waits, one atomic word beside the lock is enough: permits are taken and given back, an event is looked at and reset,
//! and a signal is left behind without it. The two ends of a [`oneshot`] have no lock at all: they change one word in turn, which
//! says whose the value is, and who waits.

mod barrier;
mod capacity;
mod condition;
mod event;
mod gate;
mod latch;
mod line;
mod notify;
pub mod oneshot;
mod semaphore;
mod unsent;
pub mod watch;

pub use barrier::{Barrier, BarrierWait, BarrierWaitResult};
pub use capacity::{AcquireToken, CapacityLimiter, DoubleBorrow, Token, TryAcquireTokenError};
pub use condition::{Condition, ConditionWait};
pub use event::Event;
pub use gate::Wait;
pub use latch::{Latch, WaitGroup, WaitGuard};
pub use notify::{Notified, Notify};
pub use semaphore::{Acquire, AcquireError, OwnedPermit, Permit, Semaphore, TryAcquireError};

#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

//! Who waits and who is woken: the one waiting core that timers, queues, limiters and scopes stand on.
//!
//! A [`Hall`] is a [`Lock`](crate::sys::Lock) over a state and a fixed number of lines. A [`Waiter`] is an entry that
//! lives in the pinned future that waits; it joins a line of its own hall at the first `Pending` and needs no heap.
//! Whoever changes the state *grants*: takes the first waiter off a line, marks it, and carries its waker out of the
//! lock in a [`Batch`], which fires when the lock is free, so a waker may re-enter the hall that fires it.
//!
//! | part | file |
//! |---|---|
//! | lines, halls, grants | [`hall`] |
//! | the entry in a future | [`waiter`] |
//! | wakers on their way out | [`batch`] |
//! | which of many in one task may go on | [`ready`] |
//! | a turn for others | [`pause`] |
//!
//! # Invariants
//!
//! - **W1** Everything in an entry but its flag is read and written under the lock of its hall only.
//! - **W2** An entry is in at most one line, a line of its own hall, and its flag says `WAITING` exactly while it is; `PARTING`
//!   from when who has the lock has begun to take it off, which nobody sees who has the lock himself ([`Held::part`]).
//! - **W3** An entry in a line is pinned, and leaves the line, under the lock, before its memory goes.
//! - **W4** Whoever takes an entry off a line writes its flag last and does not touch the entry again.
//! - **W5** A waker leaves the lock before it is woken or dropped, and is cloned before it enters.
//! - **W6** A granted entry that is dropped before it took its grant passes it on ([`Place::left`]).
//!
//! W2 holds because the only way to a line from outside is [`Waiter::with`], which locks the hall that the waiter was
//! made for, and because a waiter's way to its hall ([`Home`]) always leads to the same one.

mod batch;
mod hall;
mod pause;
mod ready;
mod waiter;

pub(crate) use batch::Batch;
pub(crate) use hall::{Hall, Held, Line, Place};
pub(crate) use pause::yield_now;
pub(crate) use ready::{Caller, Ready};
pub(crate) use waiter::{Departure, Home, Seat, Seen, Standing, Waiter};

#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

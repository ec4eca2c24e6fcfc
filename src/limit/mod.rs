//! Rate limits: exact, served in order, and aware of deadlines.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | say how much is allowed | [`Quota`] |
//! | wait for your turn | [`Limiter::acquire`] |
//! | wait, unless it would take too long | [`Limiter::acquire_in`] a scope, [`Limiter::acquire_before`] an instant |
//! | know at once, and when to come back | [`Limiter::try_acquire`] |
//! | decide many at one reading of the clock | [`Limiter::try_acquire_at`] |
//!
//! # What a limiter promises
//!
//! Tests cite these by number.
//!
//! - **L1** In any window of time, at most `burst + rate · (window + credit)` permits are granted.
//! - **L2** A grant is made at the first instant, to the nanosecond, at which the quota allows it, and refused before it.
//!   Rates are ratios of integers: nothing drifts, and nothing overflows within the range of
//!   [`Instant`](crate::time::Instant).
//! - **L3** Waiters are served first come, first served, and newcomers don't overtake them. A large request is not passed
//!   by smaller ones behind it.
//! - **L4** A waiter that is dropped gives its place back, and its permits if it had been granted any: those behind it
//!   move forward at once.
//! - **L5** A wait whose turn would not come before its deadline is refused when it is asked for, with the instant that it
//!   would have needed, those ahead of it counted. A refusal leaves the limiter as it was.
//! - **L6** A grant that comes late, because the timer or the executor was late, is charged at the instant at which it was
//!   due, but no further back than the credit ([`Quota::credit`]): so the granted rate is the configured one, also
//!   under load.
//! - **L7** Time that goes backwards neither adds nor takes permits: a limiter keeps the latest instant that it was told.
//!
//! # How it works
//!
//! The decisions are those of GCRA, in integers, as pure functions of the present instant (`gcra.rs`). One line holds who
//! waits, in entries that live in the pinned futures; one timer, shared by all of them, is set to the instant at which the
//! first is due, and grants from wherever the timer queue is driven. So each waiter is woken once, with its permits.

mod acquire;
mod gcra;
mod limiter;
mod quota;
mod state;

pub use acquire::{Acquire, AcquireError};
pub use limiter::{Limiter, TryAcquireError};
pub use quota::{Quota, QuotaError};

#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

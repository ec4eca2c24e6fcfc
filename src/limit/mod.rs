//! Limits: of rates, exact, served in order, and aware of deadlines; and of calls in flight, by what a service can take.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | say how much is allowed | [`Quota`] |
//! | wait for your turn | [`Limiter::acquire`] |
//! | call something in your turn | [`Limiter::call`], [`Limiter::call_in`] a scope |
//! | have a stream give its items no faster | [`Limiter::throttle`] |
//! | wait, unless it would take too long | [`Limiter::acquire_in`] a scope, [`Limiter::acquire_before`] an instant |
//! | know at once, and when to come back | [`Limiter::try_acquire`] |
//! | decide many at one reading of the clock | [`Limiter::try_acquire_at`] |
//! | look without taking | [`Limiter::peek`], [`Limiter::available`] |
//! | take what may go back | [`Limiter::reserve`], [`Limiter::try_reserve`]; afterwards, [`Limiter::refund`] |
//! | change the numbers while it is in use | [`Limiter::set_quota`], [`Limiter::reconfigure`] |
//! | do as a server says | [`Limiter::penalize_until`], [`Limiter::observe`] |
//! | refuse all until the numbers are changed | [`Limiter::closed`] |
//! | limit each client, tenant or host by itself | [`KeyedLimiter`], with all of the above |
//! | keep to several limits at once, all or nothing | [`Composite`], of limiters, keys and semaphores |
//! | bound how many calls are in flight, by how a service answers | [`Concurrency`] |
//!
//! # Which algorithm?
//!
//! A limiter decides by [`Gcra`] unless it is made [`with`](Limiter::with) another. With `n` permits to a period or a window,
//! and a burst of `b`:
//!
//! | algorithm | in any time `l` at most | state | of a key | source |
//! |---|---|---|---|---|
//! | [`Gcra`]: a token bucket | `b + n · l / period` | 16 bytes | 8 bytes | ITU-T I.371, annex A: virtual scheduling |
//! | [`LeakyBucket`], as a meter | the same; it decides exactly as GCRA | 32 bytes | 32 bytes | ITU-T I.371, annex A: continuous-state leaky bucket |
//! | [`LeakyQueue`]: an even pace, and a bounded wait | `n · l / period`, and the largest request | 16 bytes | 16 bytes | Turner 1986 |
//! | [`FixedWindow`]: by the clock | `n` between two edges, `2 n` across one | 16 bytes | 16 bytes | the `RateLimit` header fields for HTTP, IETF draft: quota and time window |
//! | [`SlidingCounter`]: an estimate | `n · (1 + l / window)` | 16 bytes | 16 bytes | Desgats, Cloudflare 2017 |
//! | [`SlidingLog`]: the only exact window | `n` if `l` is no longer than the window | up to 16 bytes a permit | 40 bytes, and as many a permit | Mahdi, Figma 2017 |
//!
//! Take GCRA to keep to a rate; the queue to smooth what goes out; a window only to keep to a promise that is made in terms of
//! it: the fixed one if whoever counts starts anew at edges, the log if no window whatsoever may hold more.
//!
//! A [`KeyedLimiter`] keeps the last but one column for each key, beside the key itself and four bytes; by any of them, but many
//! keys and a log ask for memory.
//!
//! # Which control?
//!
//! What a [`Concurrency`] learns from its calls is up to its control:
//!
//! | control | sees that it is too much by | take it | source |
//! |---|---|---|---|
//! | [`Aimd`] | refusals, timeouts, or a bound on the round trip | to share a service fairly with other clients | Chiu and Jain 1989 |
//! | [`Vegas`] | the delay over the shortest round trip | for calls that take about the same time each | Brakmo, O'Malley and Peterson 1994; Netflix `concurrency-limits` |
//! | [`Gradient2`], the default | the delay over the average | for calls that take different times | Netflix `concurrency-limits` 2018 |
//! | [`Fixed`] | nothing | to compare with | |
//!
//! # What is it called elsewhere?
//!
//! | there | here |
//! |---|---|
//! | governor: `check`, `check_n`, `until_ready`, `until_n_ready` | [`Limiter::try_acquire`], [`Limiter::acquire`] |
//! | governor: `NotUntil::earliest_possible`, `wait_time_from` | [`TryAcquireError::earliest`], less the present instant |
//! | governor: `Quota::with_period`; `StateInformationMiddleware` | [`Quota::new`] with one permit; [`Limiter::available`] |
//! | governor: `FakeRelativeClock`; `QuantaClock` | [`ManualClock`](crate::time::ManualClock); `CounterClock`, with the feature `counter-clock` |
//! | governor: `until_ready_with_jitter` | not needed: waiters have turns, and are not woken to try again |
//! | leaky-bucket: `acquire_one`, `acquire`, `acquire_owned` | [`Limiter::acquire`]; a clone that is moved into the task |
//! | leaky-bucket: `refill` each `interval`, `max`, `initial` | [`Quota::new`], [`Quota::burst`]; see [`Limiter::new`] for less to begin with |
//! | Go's `x/time/rate`: `Allow`, `Wait`, `Reserve` | [`Limiter::try_acquire`], [`Limiter::acquire_in`] a scope, [`Limiter::reserve`] |
//! | bucket4j and HTTP: a bandwidth by intervals | [`FixedWindow`] |
//!
//! # What a limiter promises
//!
//! Tests cite these by number.
//!
//! - **L1** In any time `l`, no more is granted than the table says; for the first three `l` is longer by the
//!   [credit](Quota::credit).
//! - **L2** A grant is made at the first instant, to the nanosecond, at which the algorithm allows it, and refused before it.
//!   Rates are ratios of integers: nothing drifts, and nothing overflows within the range of
//!   [`Instant`](crate::time::Instant).
//! - **L3** Waiters are served first come, first served, and newcomers don't overtake them. A large request is not passed
//!   by smaller ones behind it.
//! - **L4** A waiter that is dropped gives its place back, and its permits if it had been granted any: those behind it
//!   move forward at once. So does a [`Reservation`] that is not committed. What is granted then is no more than if they had
//!   never been granted anything.
//! - **L5** A wait whose turn would not come before its deadline is refused when it is asked for, with the instant that it
//!   would have needed, those ahead of it counted. A refusal leaves the limiter as it was.
//! - **L6** A grant that comes late, because the timer or the executor was late, is charged at the instant at which it was
//!   due, but no further back than the credit ([`Quota::credit`]); and whoever comes next, without a pause, as if that had made it
//!   come late: so the granted rate is the configured one, also under load. Windows have no credit.
//! - **L7** Time that goes backwards neither adds nor takes permits: a limiter keeps the latest instant that it was told.
//! - **L8** Numbers that change, and what is imposed from outside, re-time whoever waits, and never allow more than what is
//!   configured.
//! - **L9** Of a [`Concurrency`], no call is let in while as many are in flight as its limit says, or more. The limit stays within
//!   its bounds, and where it is while the caller makes use of less than half of it, but for overload. A call that is dropped
//!   is no sample, and makes room.
//! - **L10** Each key of a [`KeyedLimiter`] is granted what a limiter of its own would grant it, and keys that are idle, and only
//!   those, are dropped. One that is bounded never holds more keys than that, and refuses a new one only while as many are
//!   held that are not idle.
//! - **L11** A [`Composite`] takes the permits of all its limiters at the first instant at which each of them, those ahead served,
//!   allows it, and nothing before. Composites don't wait for each other in a circle.
//!
//! # How it works
//!
//! The decisions are pure functions of the present instant, in integers (`decide.rs` and the algorithms, `book.rs`). One line
//! holds who waits, in entries that live in the pinned futures; one timer, shared by all of them, is set to the instant at
//! which the first is due, and grants from wherever the timer queue is driven. So each waiter is woken once, with its permits.
//! As long as nobody waits, GCRA is decided by one atomic word beside the lock (`quick.rs`). Keys are spread over shards, each
//! a lock and a hash table of such words (`keyed/`); one that is waited for, or treated in a way of its own, has a limiter of its
//! own for as long. Who wants permits of several limiters stands in all their lines, which he joins and leaves under all their locks
//! (`composite/`).

mod acquire;
mod adaptive;
mod book;
mod call;
mod change;
mod composite;
mod decide;
mod error;
mod gcra;
mod keyed;
mod leaky;
mod limiter;
mod quick;
mod quota;
mod rate;
mod reserve;
mod state;
mod throttle;
mod timer;
mod turn;
mod window;

pub use acquire::Acquire;
pub(crate) use acquire::Admit;
pub use adaptive::{
    Aimd, Bounds, BoundsError, Concurrency, Control, Feedback, Fixed, Flight, Gradient2, Launch, Vegas,
};
pub use composite::{AcquireAll, AcquireAllError, Composite, Pass, TryAcquireAllError};
pub use decide::{Algorithm, Carry};
pub use error::{AcquireError, TooManyKeys, TryAcquireError};
pub use gcra::Gcra;
pub use keyed::{AcquireKey, KeyReservation, KeyedLimiter, RandomState, ReserveKey};
pub use leaky::{LeakyBucket, LeakyQueue};
pub use limiter::Limiter;
pub use quota::{Quota, QuotaError};
pub use reserve::{Reservation, Reserve};
pub use throttle::Throttled;
pub use window::{FixedWindow, SlidingCounter, SlidingLog};

#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

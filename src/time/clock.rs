//! What the caller supplies: a clock, and where a calendar is meant, a wall.

use super::Instant;
use core::time::Duration;

/// A source of time with one alarm.
///
/// A clock is moved into [`Time::new`](super::Time::new), which owns the timer queue; most users never call these
/// methods. Implement it to drive the kit from a tick interrupt, another runtime's clock or a test's own time.
///
/// The driver is whatever rings the alarm: a thread, an interrupt, a task. Its part of the contract:
///
/// 1. `arm(at)` asks for a ringing no later than `at` plus the clock's own slack, if it has one. It is called outside every
///    lock, from any thread and in any order; the driver keeps the minimum of what it was given since it last rang.
/// 2. On ringing it forgets its minimum *before* it calls [`Time::turn`](super::Time::turn), and arms itself with what
///    `turn` returns.
/// 3. Ringing too early or too often is harmless.
///
/// # Examples
/// Over a counter of milliseconds that an interrupt moves. It rings at each tick, so there is nothing to arm:
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use wakeful::spawn::block_on_with;
/// use wakeful::time::{Clock, Instant, Time};
///
/// static TICKS: AtomicU32 = AtomicU32::new(0);
///
/// struct Ticks;
///
/// impl Clock for Ticks {
///     fn now(&self) -> Instant {
///         Instant::from_nanos(u64::from(TICKS.load(Ordering::Relaxed)) * 1_000_000)
///     }
///
///     fn arm(&self, _: Instant) {}
/// }
///
/// let time = Time::new(Ticks);
/// let interrupt = || {
///     TICKS.fetch_add(1, Ordering::Relaxed);
///     time.turn();
/// };
/// block_on_with(time.sleep(core::time::Duration::from_millis(20)), interrupt);
/// assert_eq!(TICKS.load(Ordering::Relaxed), 20);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no clock",
    note = "those of a test or a simulation are inside a `Time`: what is to run there takes a `Time`"
)]
pub trait Clock: Send + Sync + 'static {
    /// The present instant. It never decreases.
    fn now(&self) -> Instant;

    /// Asks that [`Time::turn`](super::Time::turn) be called no later than `at`. [`Instant::NEVER`] asks for nothing.
    fn arm(&self, at: Instant);
}

/// A source of calendar time, for what is due at a date rather than after a while.
///
/// Calendar time may jump in both directions; nothing in the kit measures a duration by it.
pub trait Wall: Send + Sync + 'static {
    /// Time since 1970-01-01 00:00:00 UTC, without leap seconds; zero before that.
    fn unix(&self) -> Duration;
}

//! No more than one call in a period.

use super::pace::{Edge, Periods};
use super::turns::{self, Skipped, Turns};
use crate::limit::{Limiter, Quota, QuotaError};
use crate::sys::Arc;
use crate::time::Time;
use crate::wait::Hall;
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

/// Of the calls of each period, runs no more than one: the first, the last, or both where there are periods enough. Clones share
/// it.
///
/// For what may be left out, but not for long: redrawing, reporting progress, telling a peer of a position. Each call is a closure
/// with arguments of its own, so the last arguments win; it runs in the task that called. What runs begins a period, and whatever
/// runs next does so when that is over. If nothing may be left out, let calls wait for their turns with a [`Spaced`]; for one that
/// runs when all is over, take a [`Debounce`](super::Debounce).
///
/// # Fairness
/// There is none: the last call wins. What is due at the instant at which another comes is run, not superseded.
///
/// # Time
/// Of the [`Time`] that it was made with. A call counts from its first poll, and no two begin within a period, unless
/// [`flush`](Self::flush) says so.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::flow::{Edge, Skipped, Throttle};
///
/// wakeful::sim::check(|sim| async move {
///     let (draw, start) = (Throttle::new(&sim.time(), Duration::from_secs(1), Edge::Both), sim.now());
///     let frames = [0, 300, 600].map(|at| {
///         let (draw, time) = (draw.clone(), sim.time());
///         sim.spawn("frame", async move {
///             time.sleep(Duration::from_millis(at)).await;
///             draw.call(async || time.now() - start).await
///         })
///     });
///     let [first, second, third] = frames;
///     assert_eq!(first.await, Ok(Duration::ZERO));
///     assert_eq!(second.await, Err(Skipped::Superseded));
///     assert_eq!(third.await, Ok(Duration::from_secs(1)));
/// });
/// ```
///
/// [`Spaced`]: super::Spaced
#[derive(Clone)]
pub struct Throttle {
    turns: Arc<Hall<Turns<Periods>>>,
}

impl Throttle {
    /// Nothing has been called yet.
    #[must_use]
    #[track_caller]
    pub fn new(time: &Time, period: Duration, edge: Edge) -> Self {
        Self { turns: Arc::new(turns::turns(time, Periods::new(period, edge))) }
    }

    /// Calls `f`, unless it is left out.
    ///
    /// # Cancel safety
    /// Dropped while it waits, it withdraws: nothing is run in its place, and those that it superseded don't come back. Dropped
    /// later it drops the call, and the period goes on.
    ///
    /// # Errors
    /// [`Skipped`], which says why `f` was not called.
    pub async fn call<T>(&self, f: impl AsyncFnOnce() -> T) -> Result<T, Skipped> {
        self.turns.turn().await?;
        Ok(f().await)
    }

    /// Lets the call that waits run now, and begins a period. False: none waits.
    pub fn flush(&self) -> bool {
        self.turns.flush()
    }

    /// Turns the call that waits away, with [`Skipped::Cancelled`]. False: none waits. The period goes on.
    pub fn cancel(&self) -> bool {
        self.turns.cancel()
    }

    /// Whether a call waits for its turn.
    pub fn is_pending(&self) -> bool {
        self.turns.waits()
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("pending", &self.is_pending()).finish_non_exhaustive()
    }
}

/// Runs every call, and lets none begin sooner than a period after the one before. Clones share it.
///
/// Concurrent callers are spaced too: of three at once the first runs now, the second after one period, the third after two. A
/// [`Limiter`] with a burst of one, for those who need no more of it: a burst, a deadline, a key for each client are there.
///
/// # Fairness
/// First come, first served, counted from the first poll.
///
/// # Time
/// Of the [`Time`] that it was made with. Never sooner: late calls are not caught up with.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::flow::Spaced;
///
/// wakeful::sim::check(|sim| async move {
///     let (ask, start) = (Spaced::new(&sim.time(), Duration::from_secs(1)).unwrap(), sim.now());
///     let tasks = [(); 3].map(|()| {
///         let (ask, time) = (ask.clone(), sim.time());
///         sim.spawn("caller", async move { ask.call(async || (time.now() - start).as_secs()).await })
///     });
///     let mut begun = Vec::new();
///     for task in tasks {
///         begun.push(task.await);
///     }
///     begun.sort();
///     assert_eq!(begun, [0, 1, 2]);
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Spaced {
    limiter: Limiter,
}

impl Spaced {
    /// Nothing has been called yet.
    ///
    /// # Errors
    /// [`QuotaError`] if the period is zero, or longer than can be kept.
    #[track_caller]
    pub fn new(time: &Time, period: Duration) -> Result<Self, QuotaError> {
        Ok(Self { limiter: Limiter::new(time, Quota::new(NonZeroU32::MIN, period)?.strict()) })
    }

    /// Waits for its turn and calls `f`.
    ///
    /// # Cancel safety
    /// Dropped before its turn has come, `f` is not called, and those behind move up. As soon as `f` has been called, the turn is
    /// spent, whatever comes of it.
    pub async fn call<T>(&self, f: impl AsyncFnOnce() -> T) -> T {
        // One is never more than the burst, and nobody is turned away from this kind.
        let granted = self.limiter.acquire(1).await;
        debug_assert!(granted.is_ok(), "{granted:?}");
        f().await
    }
}

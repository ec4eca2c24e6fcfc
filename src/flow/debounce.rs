//! The last of the calls that come close together.

use super::pace::{Bursts, Edge};
use super::turns::{self, Skipped, Turns};
use crate::sys::Arc;
use crate::time::Time;
use crate::wait::Hall;
use core::fmt;
use core::time::Duration;

/// When a [`Debounce`], or a [debounced stream](super::FlowExt::debounce), runs what.
///
/// A [`Duration`] is one too: the trailing call, after that much quiet.
///
/// # Examples
/// See [`Debounce`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a debounce is made of it"]
pub struct DebounceConfig {
    wait: Duration,
    edge: Edge,
    longest: Duration,
}

impl DebounceConfig {
    /// Which call runs unless that is [set](Self::edge): the trailing one.
    pub const EDGE: Edge = Edge::Trailing;
    /// How long calls may be held back unless that is [set](Self::longest_wait): as long as others follow.
    pub const LONGEST_WAIT: Duration = Duration::MAX;

    /// A burst is over when no call has come for `wait`.
    pub const fn new(wait: Duration) -> Self {
        Self { wait, edge: Self::EDGE, longest: Self::LONGEST_WAIT }
    }

    /// Which calls of a burst run.
    pub const fn edge(mut self, edge: Edge) -> Self {
        self.edge = edge;
        self
    }

    /// Runs the last call of a burst that is not over this long after the first call for which it stands, and goes on counting.
    pub const fn longest_wait(mut self, duration: Duration) -> Self {
        self.longest = duration;
        self
    }

    pub(super) fn bursts(self) -> Bursts {
        Bursts::new(self.wait, self.longest, self.edge)
    }
}

impl From<Duration> for DebounceConfig {
    fn from(wait: Duration) -> Self {
        Self::new(wait)
    }
}

/// Of calls that come close together, runs the last, when it has been quiet for a while. Clones share it.
///
/// For what is to be done once after much has happened: saving after edits, searching after key strokes, reloading after files have
/// changed. Each call is a closure with arguments of its own, so the last arguments win; it runs in the task that called, and who
/// has been superseded is told at once. To run calls at a steady pace while they go on, take a [`Throttle`](super::Throttle);
/// for events of a stream, [`FlowExt::debounce`](super::FlowExt::debounce).
///
/// A call that runs does not hold back others: where one may take longer than the wait, a mutex inside keeps them apart.
///
/// # Fairness
/// There is none: the last call wins. What is due at the instant at which another comes is run, not superseded.
///
/// # Time
/// Of the [`Time`] that it was made with. A call counts from its first poll.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::flow::{Debounce, Skipped};
///
/// wakeful::sim::check(|sim| async move {
///     let (save, start) = (Debounce::new(&sim.time(), Duration::from_millis(500)), sim.now());
///     let edits = [0, 200, 400].map(|at| {
///         let (save, time) = (save.clone(), sim.time());
///         sim.spawn("edit", async move {
///             time.sleep(Duration::from_millis(at)).await;
///             save.call(async || (at, time.now() - start)).await
///         })
///     });
///     let [first, second, third] = edits;
///     assert_eq!(first.await, Err(Skipped::Superseded));
///     assert_eq!(second.await, Err(Skipped::Superseded));
///     assert_eq!(third.await, Ok((400, Duration::from_millis(900))));
/// });
/// ```
#[derive(Clone)]
pub struct Debounce {
    turns: Arc<Hall<Turns<Bursts>>>,
}

impl Debounce {
    /// Nothing has been called yet.
    #[must_use]
    #[track_caller]
    pub fn new(time: &Time, config: impl Into<DebounceConfig>) -> Self {
        Self { turns: Arc::new(turns::turns(time, config.into().bursts())) }
    }

    /// Calls `f`, unless a later call takes its place before its turn has come.
    ///
    /// # Cancel safety
    /// Dropped while it waits, it withdraws: nothing is run in its place, and those that it superseded don't come back. Dropped
    /// later it drops the call.
    ///
    /// # Errors
    /// [`Skipped`], which says why `f` was not called.
    pub async fn call<T>(&self, f: impl AsyncFnOnce() -> T) -> Result<T, Skipped> {
        self.turns.turn().await?;
        Ok(f().await)
    }

    /// Lets the call that waits run now. False: none waits.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::flow::Debounce;
    ///
    /// wakeful::sim::check(|sim| async move {
    ///     let (save, time) = (Debounce::new(&sim.time(), Duration::from_secs(60)), sim.time());
    ///     let call = sim.spawn("edit", { let save = save.clone(); async move { save.call(async || "saved").await } });
    ///     time.sleep(Duration::from_secs(1)).await;
    ///     assert!(save.flush() && !save.flush());
    ///     assert_eq!(call.await, Ok("saved"));
    ///     assert_eq!(time.now().as_nanos(), 1_000_000_000);
    /// });
    /// ```
    pub fn flush(&self) -> bool {
        self.turns.flush()
    }

    /// Turns the call that waits away, with [`Skipped::Cancelled`], and ends the burst: the next call begins another. False: none
    /// waits.
    pub fn cancel(&self) -> bool {
        self.turns.cancel()
    }

    /// Whether a call waits for its turn.
    pub fn is_pending(&self) -> bool {
        self.turns.waits()
    }
}

impl fmt::Debug for Debounce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debounce").field("pending", &self.is_pending()).finish_non_exhaustive()
    }
}

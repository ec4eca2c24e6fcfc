//! Waiting for several things: by a count that goes down, or by guards.

use super::gate::{Gate, Wait, gate};
use crate::sys::Arc;
use crate::sys::atomic::Ordering;
use crate::sys::probe::Access;
use crate::wait::Hall;
use core::fmt;

/// A count that goes down to zero, once: whoever waits is let go then. Clones are the same latch.
///
/// For a number of things that is known beforehand. For one that is not, or where a task that fails must count as well,
/// take [`WaitGroup`]; for rounds in which all wait for each other, [`Barrier`](super::Barrier).
///
/// # Fairness
/// All who wait are let go together.
///
/// # Examples
/// ```
/// use wakeful::sync::Latch;
///
/// wakeful::sim::check(|sim| async move {
///     let connected = Latch::new(3);
///     for _ in 0..3 {
///         let connected = connected.clone();
///         sim.spawn("connection", async move { connected.count_down() });
///     }
///     connected.wait().await;
/// });
/// ```
#[derive(Clone)]
pub struct Latch {
    gate: Arc<Hall<Gate>>,
}

impl Latch {
    /// A latch that opens when it has been counted down `count` times; with zero, it is open.
    #[track_caller]
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { gate: gate(count, "latch") }
    }

    /// Counts down by one. That the count is zero already changes nothing.
    pub fn count_down(&self) {
        self.gate.lower();
    }

    /// How many times it has still to be counted down.
    pub fn count(&self) -> usize {
        self.gate.look().count.load(Ordering::Acquire)
    }

    /// Whether the count is zero.
    pub fn is_open(&self) -> bool {
        self.gate.is_open()
    }

    /// Waits until the count is zero. What was done before each counting down is seen from then on.
    pub fn wait(&self) -> Wait<'_> {
        self.gate.wait()
    }
}

impl fmt::Debug for Latch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latch").field("count", &self.count()).finish()
    }
}

/// Waits for whatever was begun: it is empty when each of its guards has been dropped, by a panic or a cancelling too.
/// Clones are the same group.
///
/// It may fill again later; whoever waited when it was empty goes on even so. It does not own what it waits for: to start
/// tasks, collect what they give and cancel the rest when one fails, a task group is the better tool.
///
/// # Fairness
/// All who wait are let go together.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::sync::WaitGroup;
///
/// wakeful::sim::check(|sim| async move {
///     let requests = WaitGroup::new();
///     for n in 1..4 {
///         let (guard, time) = (requests.add(), sim.time());
///         sim.spawn("request", async move {
///             time.sleep(Duration::from_secs(n)).await;
///             drop(guard);
///         });
///     }
///     requests.wait().await;
///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
/// });
/// ```
#[derive(Clone)]
pub struct WaitGroup {
    gate: Arc<Hall<Gate>>,
}

impl WaitGroup {
    /// A group that is empty.
    #[track_caller]
    #[must_use]
    pub fn new() -> Self {
        Self { gate: gate(0, "wait group") }
    }

    /// A guard that is waited for until it is dropped.
    pub fn add(&self) -> WaitGuard {
        // Relaxed: whoever is told of the guard reads this count or a later one.
        self.gate.touch(Access::Write);
        self.gate.shared.count.fetch_add(1, Ordering::Relaxed);
        WaitGuard { group: self.clone() }
    }

    /// How many guards there are.
    pub fn count(&self) -> usize {
        self.gate.look().count.load(Ordering::Acquire)
    }

    /// Waits until there is no guard. At once if none was ever made: make those that are to be waited for beforehand, not
    /// in the tasks that they stand for.
    pub fn wait(&self) -> Wait<'_> {
        self.gate.wait()
    }
}

impl Default for WaitGroup {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("count", &self.count()).finish()
    }
}

/// One thing that a group waits for; made by [`WaitGroup::add`]. Clones are waited for as well.
///
/// Forgetting it (`mem::forget`) makes the group wait for ever.
#[must_use = "a guard that is dropped is not waited for"]
pub struct WaitGuard {
    group: WaitGroup,
}

impl WaitGuard {
    /// The group.
    pub fn group(&self) -> &WaitGroup {
        &self.group
    }
}

impl Clone for WaitGuard {
    fn clone(&self) -> Self {
        self.group.add()
    }
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        self.group.gate.lower();
    }
}

impl fmt::Debug for WaitGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGuard").field("group", &self.group).finish()
    }
}

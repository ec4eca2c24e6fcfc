//! Executors that were late.

use super::histogram::Histogram;
use crate::sys::{Arc, Told};
use crate::time::{Instant, Time};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use core::time::Duration;

/// Tells when an executor was late by more than a threshold, and by how much.
///
/// It [runs](Self::run) as a task of the executor: it sleeps for an `interval`, compares when it was woken up and polled with
/// when that was due, and reports if it was more than `threshold` too late. Then somebody held the executor up: a task that
/// computed or blocked without an await, more tasks than it can serve, a machine that was asleep. Who it was is told by a
/// [`TaskMonitor`](super::TaskMonitor::reporting); a monitor of stalls costs the tasks nothing.
///
/// # What it sees
/// The part of a stall that lies after the instant at which it is due. So a stall that is longer than `interval + threshold` is
/// always reported, and a shorter one if enough of it comes after such an instant. With an interval of 1 s and a threshold of
/// 0.1 s, a block of 0.3 s is one event of 0.3 s if it begins just when the monitor is due, one event of 0.2 s if it begins 0.1 s
/// before that, and none if it lies between two such instants: what must never be missed asks for a short interval.
///
/// However long a stall is, it is one event: the next interval begins when the monitor has been polled.
///
/// # Time
/// By the clock that it is given. A clock whose alarm has a slack makes it late by that; the threshold had better be larger.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::observe::StallMonitor;
/// use wakeful::time::ManualClock;
///
/// let clock = ManualClock::new();
/// let (interval, threshold) = (Duration::from_secs(1), Duration::from_millis(100));
/// let monitor = StallMonitor::new(&clock.time(), interval, threshold, |stall| assert_eq!(stall.late.as_millis(), 300));
/// let mut run = Box::pin(monitor.run());
/// let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
/// assert!(run.as_mut().poll(&mut cx).is_pending());
///
/// clock.advance(Duration::from_millis(1_300)); // and nobody polls
/// assert!(run.as_mut().poll(&mut cx).is_pending());
/// assert_eq!(monitor.stats().stalls, 1);
/// ```
pub struct StallMonitor(pub(super) Arc<Shared>);

impl Clone for StallMonitor {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

pub(super) struct Shared {
    time: Time,
    interval: Duration,
    threshold: Duration,
    report: Box<dyn Fn(&Stall) + Send + Sync>,
    pub(super) state: Told<State>,
}

pub(super) struct State {
    stats: StallStats,
    lateness: Histogram,
    /// Of each run, when it is due.
    pub(super) due: Vec<Instant>,
}

/// An executor was late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Stall {
    /// When the monitor should have been polled.
    pub due: Instant,
    /// How much later it was.
    pub late: Duration,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the executor was {:?} late at {}", self.late, self.due + self.late)
    }
}

/// The numbers of a [`StallMonitor`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StallStats {
    /// How many intervals have ended.
    pub intervals: u64,
    /// After how many of them the executor was late by more than the threshold.
    pub stalls: u64,
    /// By how much, all of these stalls together.
    pub stalled: Duration,
    /// The longest of them.
    pub longest: Duration,
}

impl StallMonitor {
    /// A monitor by the clock of `time` that looks every `interval`, and calls `report` when it was late by more than
    /// `threshold`: in its own task, outside all locks.
    ///
    /// # Panics
    /// If `interval` is zero: it would look without end at one instant.
    #[track_caller]
    pub fn new(
        time: &Time,
        interval: Duration,
        threshold: Duration,
        report: impl Fn(&Stall) + Send + Sync + 'static,
    ) -> Self {
        assert!(!interval.is_zero(), "the interval of a stall monitor is zero");
        let state = State { stats: StallStats::default(), lateness: Histogram::new(), due: Vec::new() };
        let (time, report, state) = (time.clone(), Box::new(report), Told::new(state));
        Self(Arc::new(Shared { time, interval, threshold, report, state }))
    }

    /// Watches the executor that polls this, for ever: drop it to end it, or run it in a scope or a group that is cancelled.
    ///
    /// An executor with several threads is watched as a whole: one that is held up is noticed if the task was to run there. To
    /// watch each of several executors, run it in each.
    ///
    /// # Cancel safety
    /// Dropping it ends the watch, and loses what may have been late of the interval that is under way.
    pub async fn run(&self) -> Infallible {
        let shared = &*self.0;
        let mut due = shared.time.now() + shared.interval;
        let entry = Entry::new(shared, due);
        loop {
            shared.time.sleep_until(due).await;
            let now = shared.time.now();
            let late = now - due;
            let is_stall = late > shared.threshold;
            let next = now + shared.interval;
            shared.state.with(|state| {
                state.due[entry.number] = next;
                state.stats.intervals += 1;
                state.lateness.record(late);
                if is_stall {
                    state.stats.stalls += 1;
                    state.stats.stalled = state.stats.stalled.saturating_add(late);
                    state.stats.longest = state.stats.longest.max(late);
                }
            });
            if is_stall {
                (shared.report)(&Stall { due, late });
            }
            due = next;
        }
    }

    /// By how much it is late at this moment: more than zero while the executor is held up, for another thread that looks on.
    ///
    /// This tells of an executor that hangs, which the monitor's own task can report only when it goes on. Of several
    /// [runs](Self::run), the latest counts.
    pub fn late(&self) -> Duration {
        let due = self.0.state.read(|state| state.due.iter().copied().min());
        due.map_or(Duration::ZERO, |due| self.0.time.now() - due)
    }

    /// What it has seen so far.
    pub fn stats(&self) -> StallStats {
        self.0.state.read(|state| state.stats)
    }

    /// How late it was after each interval, stall or not.
    pub fn lateness(&self) -> Histogram {
        self.0.state.read(|state| state.lateness.clone())
    }
}

/// A run that is under way.
struct Entry<'a> {
    shared: &'a Shared,
    number: usize,
}

impl<'a> Entry<'a> {
    fn new(shared: &'a Shared, due: Instant) -> Self {
        let number = shared.state.with(|state| {
            let free = state.due.iter().position(|due| due.is_never());
            let number = free.unwrap_or(state.due.len());
            if free.is_none() {
                state.due.push(due);
            }
            state.due[number] = due;
            number
        });
        Self { shared, number }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.shared.state.with(|state| state.due[self.number] = Instant::NEVER);
    }
}

impl fmt::Debug for StallMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { interval, threshold, .. } = &*self.0;
        let mut all = f.debug_struct("StallMonitor");
        all.field("interval", interval).field("threshold", threshold).field("stats", &self.stats()).finish()
    }
}

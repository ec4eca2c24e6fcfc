//! A recording, as a value.

use super::event::{Event, TraceTask};
use crate::sim::dump::Moment;
use crate::sim::report::FailureKind;
use alloc::string::String;
use alloc::vec::Vec;

/// What happened in a run, event by event; made by runs with [`Builder::trace`](crate::sim::Builder::trace).
///
/// It holds the last events, so many as the builder says: the oldest are dropped. The tasks are those that the events
/// name, and those that were not done at the end.
///
/// # Examples
/// ```
/// use wakeful::sim::Builder;
/// use wakeful::sim::trace::{Cause, Trace, What};
///
/// let report = Builder::new().trace(Trace::EVENTS).run(|sim| async move {
///     sim.spawn("waker", async {}).await;
/// });
/// let trace = report.unwrap().trace.unwrap();
/// assert_eq!(trace.tasks()[1].name, "waker");
/// // The task that ended woke the root, which waited for that.
/// let woken = What::Woken { task: 0, by: Cause::Task(1) };
/// assert!(trace.events().iter().any(|event| event.what == woken));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub(super) tasks: Vec<TraceTask>,
    pub(super) events: Vec<Event>,
    pub(super) dropped: u64,
    pub(super) end: Moment,
    pub(super) outcome: Outcome,
    /// Whom a failure concerns, in order.
    pub(super) concerned: Vec<usize>,
}

/// What came of a run, as its recording tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Outcome {
    pub(in crate::sim) failure: Option<(FailureKind, String)>,
    pub(in crate::sim) replay: String,
}

impl Trace {
    /// How many events are kept where nothing else is said.
    pub const EVENTS: usize = 1 << 16;
    /// Of how many things that a poll waits for at once, what they are is kept.
    pub const WAITS: usize = 4;
    /// How many bytes of a note, or of what a stretch is, are kept.
    pub const NOTE: usize = 256;

    /// The tasks, in the order in which they were started.
    pub fn tasks(&self) -> &[TraceTask] {
        &self.tasks
    }

    /// The events, in the order in which they happened.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many events there were before the first that was kept.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// When the run was over.
    pub fn end(&self) -> Moment {
        self.end
    }

    /// How the run failed, and what the failure said, if it did.
    pub fn failure(&self) -> Option<(FailureKind, &str)> {
        self.outcome.failure.as_ref().map(|(kind, message)| (*kind, message.as_str()))
    }

    /// The line that replays the run: `WAKEFUL_SIM=...`.
    pub fn replay(&self) -> &str {
        &self.outcome.replay
    }

    /// Whether the failure concerns this task.
    pub(super) fn concerns(&self, task: usize) -> bool {
        self.concerned.binary_search(&task).is_ok()
    }
}

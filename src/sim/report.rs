//! What comes of a run: a report, or a failure that says what was going on.

use super::dump::TaskInfo;
use super::marks::Mark;
use super::sites::WakerSite;
use super::trace::Trace;
use super::twist::Dropped;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;

/// What came of a run that did not fail. The same seed and body give the same report, to the last byte.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report<T> {
    /// What the body returned.
    pub output: T,
    /// Stands for the whole course of the run: which task was polled when, who was ready, what the time was, and what was
    /// drawn.
    pub hash: u64,
    /// How many polls were made.
    pub steps: u64,
    /// How often the oracle chose among two or more ready tasks.
    pub choices: u64,
    /// How many numbers were drawn: choices of the oracle, and numbers of the tasks' random streams.
    pub draws: u64,
    /// The virtual time at the end.
    pub end: Instant,
    /// How many chances there were to drop what is swept: see [`Sim::cancel_at_each`](super::Sim::cancel_at_each).
    pub cancel_points: u64,
    /// The marks that were reached, in the order of their places: [`sometimes!`](crate::sometimes) and the like.
    pub marks: Vec<Mark>,
    /// The line that replays this run: `WAKEFUL_SIM=...`.
    pub replay: String,
    /// The recording of this run, if [`Builder::trace`](super::Builder::trace) asked for it.
    pub trace: Option<Trace>,
}

impl<T> fmt::Display for Report<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hash, steps, draws, end, replay, .. } = self;
        write!(f, "done at {end} after {steps} polls and {draws} draws, trace {hash:016x}, {replay}")
    }
}

/// What came of many runs that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many runs were made to their ends, without those that only repeated one or dropped something.
    pub runs: u32,
    /// How many runs were cut, since they could only have been like others: see
    /// [`Strategy::SleepSets`](super::Strategy::SleepSets).
    pub cut: u32,
    /// How many different traces there were among those that were not cut.
    pub traces: usize,
    /// What they stand for.
    pub coverage: Coverage,
    /// How many runs were made in which something was dropped: see
    /// [`Sim::cancel_at_each`](super::Sim::cancel_at_each).
    pub cancel_points: u64,
    /// The marks that were reached, in the order of their places: [`sometimes!`](crate::sometimes) and the like.
    pub marks: Vec<Mark>,
    /// The recording of the last run, if [`Builder::trace`](super::Builder::trace) asked for it.
    pub trace: Option<Trace>,
    /// The line that replays the last run, and what stands for its course.
    pub(super) last: (String, u64),
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, cut, traces, coverage, .. } = self;
        write!(f, "{runs} runs")?;
        if *cut > 0 {
            write!(f, " and {cut} that were cut")?;
        }
        write!(f, ", {traces} traces, {coverage}")
    }
}

/// How much of what is possible a number of runs stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coverage {
    /// Some runs; whether there are others was not found out.
    Sample,
    /// All runs with at most so many pre-emptions. If a task was polled 64 times in a row while others were ready, each
    /// time having woken itself: without those in which it went on. See [`Strategy::Preemptions`](super::Strategy::Preemptions).
    Preemptions(u32),
    /// All runs that there are, if the tasks that were started as tracked keep their promise: each that was not made differs
    /// from one that was only in the order of polls that have nothing to do with each other. See
    /// [`Sim::tracked`](super::Sim::tracked).
    Tracked,
    /// All runs that there are.
    Complete,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preemptions(most) => return write!(f, "complete up to {most} pre-emptions"),
            Self::Sample => "not complete",
            Self::Tracked => "complete under the tracked promise",
            Self::Complete => "complete",
        })
    }
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// A task panicked.
    Panic,
    /// Nobody was ready, no timer was left, and the root was not done. Perhaps it waits for another thread:
    /// [`Builder::foreign_wakes`](super::Builder::foreign_wakes).
    Deadlock,
    /// Another thread woke a task, which is not [allowed](super::Builder::foreign_wakes).
    ForeignWake,
    /// Nobody was ready, and time, which had somewhere to go, [does not move by itself](super::Builder::autojump).
    Standstill,
    /// The run took more polls than are allowed: a live-lock, perhaps.
    StepLimit,
    /// The root was done while tasks that are not in the background were still waiting.
    Leak,
    /// A task that is not in the background was pending, and no waker of it was left: nobody could ever wake it. With
    /// [`Builder::allow_leaks`](super::Builder::allow_leaks), the root only.
    NoWaker,
    /// A task kept the waker of an earlier poll, or was woken by it: only that of the last one counts. Found where
    /// [each poll has a waker of its own](super::Builder::fresh_wakers).
    StaleWaker,
    /// A task could go on, and nobody had woken it: polled once more, it came back ready, or let others go on. Looked for
    /// before a deadlock or a leak is reported, and where [probes](super::Builder::probe) are switched on.
    LostWakeup,
    /// A run and its repetition took different courses: something is not under the simulator's control.
    Nondeterminism,
    /// What [`always!`](crate::always) says did not hold.
    Violation,
    /// What [`sometimes!`](crate::sometimes) says was not true in any run, or what
    /// [`must be hit`](super::Builder::must_hit) was not.
    NeverHit,
    /// Faults had stopped, and the run was not over in the [time allowed](super::Faults::finish_within).
    Liveness,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panic => "panic",
            Self::Deadlock => "deadlock",
            Self::ForeignWake => "foreign wake",
            Self::Standstill => "standstill",
            Self::StepLimit => "step limit",
            Self::Leak => "leak",
            Self::NoWaker => "no waker",
            Self::StaleWaker => "stale waker",
            Self::LostWakeup => "lost wake-up",
            Self::Nondeterminism => "nondeterminism",
            Self::Violation => "violation",
            Self::NeverHit => "never hit",
            Self::Liveness => "liveness",
        })
    }
}

/// What went wrong in a run, and how to see it again.
///
/// Its `Display` is the full report, which ends with the line that replays the run. Two are equal if all but their recordings
/// is: a run is the same whether it was recorded or not.
#[derive(Clone)]
pub struct Failure(Box<Inner>, Option<Box<Trace>>, Vec<WakerSite>);

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Failure {}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: FailureKind,
    message: String,
    time: Instant,
    steps: u64,
    hash: u64,
    tasks: Vec<TaskInfo>,
    replay: String,
    shrunk: Option<Shrunk>,
    dropped: Option<Dropped>,
    place: Option<&'static Location<'static>>,
    waker_of: Option<u32>,
}

/// How a failure was made small.
///
/// A point is a choice that is not 0: one at which the run departs from that in which all take turns and all values
/// are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shrunk {
    /// How many points the run had in which the failure was found.
    pub from: usize,
    /// How many are left.
    pub to: usize,
    /// How many runs it took.
    pub runs: u32,
    /// The line that replays the run in which the failure was found.
    pub found: String,
}

impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, runs, found } = self;
        write!(f, "shrunk from {from} points to {to} in {runs} runs; found with {found}")
    }
}

impl Failure {
    pub(super) fn new(kind: FailureKind, message: String, time: Instant, tasks: Vec<TaskInfo>) -> Self {
        let (steps, hash, replay, shrunk) = (0, 0, String::new(), None);
        let (dropped, place) = (None, None);
        Self(
            Box::new(Inner { kind, message, time, steps, hash, tasks, replay, shrunk, dropped, place, waker_of: None }),
            None,
            Vec::new(),
        )
    }

    pub(super) fn with_place(mut self, place: Option<&'static Location<'static>>) -> Self {
        self.0.place = place;
        self
    }

    pub(super) fn with_replay(mut self, replay: String) -> Self {
        self.0.replay = replay;
        self
    }

    pub(super) fn with_shrunk(mut self, shrunk: Shrunk) -> Self {
        self.0.shrunk = Some(shrunk);
        self
    }

    /// The same with the recording and the sites of another, if that is of a run that took the same course.
    pub(super) fn told_by(mut self, told: Self) -> Self {
        if (told.hash(), told.message()) == (self.hash(), self.message()) {
            (self.1, self.2) = (told.1, told.2);
        }
        self
    }

    pub(super) fn with_course(mut self, hash: u64, steps: u64, trace: Option<Trace>) -> Self {
        (self.0.hash, self.0.steps, self.1) = (hash, steps, trace.map(Box::new));
        self
    }

    pub(super) fn with_waker_of(mut self, poll: Option<u32>) -> Self {
        self.0.waker_of = poll;
        self
    }

    /// Of which poll the waker is that matters, if not of the last.
    pub(super) fn waker_of(&self) -> Option<u32> {
        self.0.waker_of
    }

    pub(super) fn with_sites(mut self, sites: Vec<WakerSite>) -> Self {
        self.2 = sites;
        self
    }

    pub(super) fn with_dropped(mut self, dropped: Option<Dropped>) -> Self {
        self.0.dropped = dropped;
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// What happened, in a sentence; of a panic, who panicked and what it said.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The virtual time at which it happened.
    pub fn time(&self) -> Instant {
        self.0.time
    }

    /// How many polls had been made.
    pub fn steps(&self) -> u64 {
        self.0.steps
    }

    /// Stands for the course of the run, as [`Report::hash`] does.
    pub fn hash(&self) -> u64 {
        self.0.hash
    }

    /// Who is concerned: the task that panicked, the tasks left over, or all, the root first.
    pub fn tasks(&self) -> &[TaskInfo] {
        &self.0.tasks
    }

    /// Where in the code it happened, if a mark is concerned.
    pub fn place(&self) -> Option<&'static Location<'static>> {
        self.0.place
    }

    /// The line that replays the run: `WAKEFUL_SIM=...`. Of [`FailureKind::NeverHit`], which no single run shows, one that
    /// makes more runs: `WAKEFUL_SIM_RUNS=...`.
    pub fn replay(&self) -> &str {
        &self.0.replay
    }

    /// The recording of the run, if there is one.
    pub fn trace(&self) -> Option<&Trace> {
        self.1.as_deref()
    }

    /// Where those concerned left their wakers, if many runs found the failure, somebody could not go on, and there is `std`:
    /// of a deadlock or a leak, those that wait for something that is not the kit's.
    pub fn waker_sites(&self) -> &[WakerSite] {
        &self.2
    }

    /// What had been dropped on purpose, if anything was: see [`Sim::cancel_at_each`](super::Sim::cancel_at_each).
    pub fn dropped(&self) -> Option<&Dropped> {
        self.0.dropped.as_ref()
    }

    /// How it was made small, if it was.
    pub fn shrunk(&self) -> Option<&Shrunk> {
        self.0.shrunk.as_ref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, message, time, steps, tasks, replay, shrunk, dropped, .. } = &*self.0;
        if *kind == FailureKind::NeverHit {
            return write!(f, "{kind} {message}\ntry more runs with {replay}");
        }
        writeln!(f, "{kind} at {time} after {steps} polls: {message}")?;
        for task in tasks {
            writeln!(f, "  {task}")?;
        }
        for site in self.waker_sites() {
            writeln!(f, "{site}")?;
        }
        if let Some(dropped) = dropped {
            writeln!(f, "{dropped}")?;
        }
        if let Some(trace) = self.trace() {
            writeln!(f, "{trace}")?;
        }
        if let Some(shrunk) = shrunk {
            writeln!(f, "{shrunk}")?;
        }
        write!(f, "replay with {replay}")
    }
}

/// The same as `Display`, so that an `unwrap` prints the report.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Failure {}

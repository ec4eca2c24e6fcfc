//! Who is there, and in what state.

use super::monitor::{Live, TaskMonitor};
use crate::sys::probe::Wait;
use crate::time::Instant;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;

/// The futures of a [`TaskMonitor`] at one moment; made by [`TaskMonitor::dump`].
///
/// Its `Display` has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dump {
    /// When it was made.
    pub now: Instant,
    /// Those that are neither done nor dropped, in no particular order.
    pub tasks: Vec<TaskInfo>,
}

/// Whether a future can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// It was woken, or has not been polled yet: it waits for its executor.
    Ready,
    /// It was polled, and nobody has woken it since.
    Waiting,
    /// It is being polled. One that stays so holds up its executor.
    Running,
}

/// A future at the moment of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its name, or that of its monitor.
    pub name: String,
    /// The place at which it was given to the monitor.
    pub place: &'static Location<'static>,
    /// Whether it can go on.
    pub state: TaskState,
    /// Since when it is in that state.
    pub since: Instant,
    /// How many of its polls have ended.
    pub polls: u64,
    /// What its last poll waits for, as far as the kit's own futures say; empty unless it is waiting.
    pub waits: Vec<WaitInfo>,
}

/// What a future waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitInfo {
    /// What it is: "sleep", "queue send". The words are those of the simulator's reports.
    pub what: &'static str,
    /// The place where that was made.
    pub made: Option<&'static Location<'static>>,
    /// Until when it waits at the latest; [`Instant::NEVER`] if there is no end.
    pub until: Instant,
}

impl TaskMonitor {
    /// Its futures, in what state each is and since when, and what it waits for.
    ///
    /// From any thread, at any time: for a signal, a page of a server, a test that fails. A dump that is made while an
    /// executor hangs shows which future is running, and since when. Each future is shown as it was at one instant, but while
    /// others go on, not all at the same.
    ///
    /// What a future waits for is noted by the kit's own futures while they are polled. Without `std` there is one place for
    /// such notes: if two executors are polling at once there, on two cores or in an interrupt, they may get each other's.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::observe::{TaskMonitor, TaskState};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let monitor = TaskMonitor::new(&sim.time(), "fetch");
    ///     let time = sim.time();
    ///     let task = sim.spawn("fetch", monitor.watch(async move { time.sleep(Duration::from_secs(3)).await }));
    ///     sim.advance(Duration::from_secs(1)).await;
    ///
    ///     let dump = monitor.dump();
    ///     assert_eq!((dump.tasks[0].state, dump.tasks[0].polls), (TaskState::Waiting, 1));
    ///     assert_eq!(dump.tasks[0].waits[0].to_string(), "sleep until 3.000000000s");
    ///     task.await;
    ///     assert!(monitor.dump().tasks.is_empty());
    /// });
    /// ```
    pub fn dump(&self) -> Dump {
        let now = self.0.time.now();
        let tasks = self.0.state.read(|state| state.live.iter().flatten().map(Live::describe).collect());
        Dump { now, tasks }
    }
}

impl Live {
    fn describe(&self) -> TaskInfo {
        let Self { bell, polls, left, waits } = self;
        let (state, since) = match (bell.polling(), bell.woken()) {
            (Some(began), _) => (TaskState::Running, began),
            (None, Some(woken)) => (TaskState::Ready, woken.max(*left)),
            (None, None) if *polls == 0 => (TaskState::Ready, *left),
            (None, None) => (TaskState::Waiting, *left),
        };
        let waits = match state {
            TaskState::Waiting => waits.iter().map(WaitInfo::of).collect(),
            TaskState::Ready | TaskState::Running => Vec::new(),
        };
        TaskInfo { name: bell.name().to_string(), place: bell.place, state, since, polls: *polls, waits }
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.tasks.len() == 1 { "" } else { "s" };
        write!(f, "{} task{plural} at {}", self.tasks.len(), self.now)?;
        self.tasks.iter().try_for_each(|task| write!(f, "\n  {task}"))
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, place, state, since, polls, waits } = self;
        write!(f, "{name}, made at {place}: ")?;
        match state {
            TaskState::Ready => f.write_str("ready")?,
            TaskState::Running => f.write_str("runs")?,
            TaskState::Waiting if waits.is_empty() => f.write_str("waits for something that is not the kit's")?,
            TaskState::Waiting => {
                for (n, wait) in waits.iter().enumerate() {
                    write!(f, "{}{wait}", if n == 0 { "waits for " } else { "; for " })?;
                }
            }
        }
        write!(f, ", since {since}, polled {polls} time{}", if *polls == 1 { "" } else { "s" })
    }
}

impl WaitInfo {
    fn of(wait: &Wait) -> Self {
        let Wait { what, id, until } = *wait;
        Self { what, made: id.map(|id| id.made), until: Instant::from_nanos(until) }
    }
}

impl fmt::Display for WaitInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        if let Some(made) = self.made {
            write!(f, " made at {made}")?;
        }
        match self.until.is_never() {
            true => Ok(()),
            false => write!(f, " until {}", self.until),
        }
    }
}

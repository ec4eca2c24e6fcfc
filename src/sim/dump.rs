//! Who is there, in what state, and what each waits for.

use super::meta::Meta;
use super::world::Core;
use crate::sys::probe::Wait;
use crate::time::Instant;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;

/// A point of a run: the virtual time, and how many polls had been begun by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Moment {
    /// The virtual time.
    pub at: Instant,
    /// The number of the poll that was under way or was the last, from 1 on; 0 before the first.
    pub poll: u64,
}

impl Moment {
    pub(super) const START: Self = Self { at: Instant::EPOCH, poll: 0 };
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, poll {}", self.at, self.poll)
    }
}

/// All tasks of a run at a moment; made by [`Sim::dump`](super::Sim::dump).
///
/// Its `Display` has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dump {
    /// When it was made.
    pub now: Moment,
    /// The root first, if it is not done, and the others in the order of their spawn paths.
    pub tasks: Vec<TaskInfo>,
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.tasks.len() == 1 { "" } else { "s" };
        write!(f, "{} task{plural} at {}", self.tasks.len(), self.now)?;
        self.tasks.iter().try_for_each(|task| write!(f, "\n  {task}"))
    }
}

/// Whether a task can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// It was woken, or has not been polled yet.
    Ready,
    /// It was polled, and nobody has woken it since.
    Waiting,
    /// It is being polled: it asked for the dump, or panicked.
    Running,
}

/// A task at the moment of a dump or a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Stands for the task, as in [`ReadyTask`](super::ReadyTask).
    pub key: u64,
    /// Its name; empty if it has none.
    pub name: String,
    /// Which child of which child it is: `2.0` is the first that the root's third started. Empty for the root.
    pub path: String,
    /// The name of the [node](super::Node) that it is on; empty if it is on none.
    pub node: String,
    /// The place where it was made; the root has none.
    pub made: Option<&'static Location<'static>>,
    /// Whether it is in the background.
    pub background: bool,
    /// Whether it can go on.
    pub state: TaskState,
    /// Since when it is in that state: when it was woken, or when its last poll was begun.
    pub since: Moment,
    /// How often it was polled.
    pub polls: u32,
    /// What its last poll waited for, as far as the kit's own futures say.
    pub waits: Vec<WaitInfo>,
}

impl TaskInfo {
    /// Its name, or for want of one the place where it was made.
    pub fn label(&self) -> String {
        label(&self.name, self.made)
    }
}

/// A task's name, or for want of one the place where it was made.
pub(super) fn label(name: &str, made: Option<&'static Location<'static>>) -> String {
    match made {
        Some(made) if name.is_empty() => format!("task made at {made}"),
        _ => name.to_string(),
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.node.is_empty() {
            write!(f, "{}: ", self.node)?;
        }
        f.write_str(&self.label())?;
        if !self.path.is_empty() {
            write!(f, " [{}]", self.path)?;
        }
        f.write_str(if self.background { ", in the background: " } else { ": " })?;
        match self.state {
            TaskState::Ready => f.write_str("ready")?,
            TaskState::Running => return write!(f, "runs, in poll {}", self.since.poll),
            TaskState::Waiting if self.waits.is_empty() => f.write_str("waits for something that is not the kit's")?,
            TaskState::Waiting => {
                for (n, wait) in self.waits.iter().enumerate() {
                    write!(f, "{}{wait}", if n == 0 { "waits for " } else { "; for " })?;
                }
            }
        }
        write!(f, ", since {}", self.since)
    }
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitInfo {
    /// What it is: "sleep", "queue send".
    pub what: &'static str,
    /// Which one it is, counted in order of making within the run, and where it was made.
    pub id: Option<(u32, &'static Location<'static>)>,
    /// If it is the end of a task, which one: its name, or for want of one the place where it was made.
    pub task: Option<String>,
    /// Until when it waits at the latest; [`Instant::NEVER`] if there is no end.
    pub until: Instant,
}

impl WaitInfo {
    /// What a wait tells, where `task` is the label of the task with that handle.
    pub(super) fn of(wait: &Wait, task: impl FnOnce(u32) -> Option<String>) -> Self {
        let Wait { what, id, until } = *wait;
        let (id, task) = (id.map(|id| (id.number, id.made)), id.and_then(|id| task(id.number)));
        Self { what, id, task, until: Instant::from_nanos(until) }
    }
}

impl fmt::Display for WaitInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.task {
            Some(task) => write!(f, "the end of `{task}`,")?,
            None => f.write_str(self.what)?,
        }
        if let Some((number, made)) = self.id {
            write!(f, " #{number} made at {made}")?;
        }
        match self.until.is_never() {
            true => Ok(()),
            false => write!(f, " until {}", self.until),
        }
    }
}

impl Core {
    /// Those for whom `wanted` is true: the root first, the others in the order of their spawn paths.
    pub(super) fn dump(&self, wanted: impl Fn(u32, &Meta) -> bool) -> Vec<TaskInfo> {
        let mut numbers: Vec<u32> = self.ready.iter().collect();
        numbers.rotate_right(1);
        numbers.retain(|&number| wanted(number, &self.metas[number as usize]));
        let handle = |number| (self.said[number as usize].handle, number);
        let handles = self.ready.iter().map(handle).filter(|(handle, _)| *handle != 0).collect();
        numbers.into_iter().map(|number| self.describe_by(number, &handles)).collect()
    }

    pub(super) fn describe(&self, number: u32) -> TaskInfo {
        self.describe_by(number, &BTreeMap::new())
    }

    /// What is told of a task, where `handles` leads from the numbers of handles to those of tasks.
    fn describe_by(&self, number: u32, handles: &BTreeMap<u32, u32>) -> TaskInfo {
        let (meta, said) = (&self.metas[number as usize], &self.said[number as usize]);
        let state = match self.ready.is_set(number) {
            _ if self.polling && number == self.current => TaskState::Running,
            true => TaskState::Ready,
            false => TaskState::Waiting,
        };
        let waits = match state {
            TaskState::Waiting => {
                let label = |&number: &u32| label(&self.said[number as usize].name, self.said[number as usize].made);
                said.waits.iter().map(|wait| WaitInfo::of(wait, |id| handles.get(&id).map(label))).collect()
            }
            TaskState::Ready | TaskState::Running => Vec::new(),
        };
        let (name, path, node) = (said.name.to_string(), meta.path.to_string(), self.node_name(meta.node));
        let &Meta { background, since, polls, .. } = meta;
        TaskInfo { key: meta.key, name, path, node, made: said.made, background, state, since, polls, waits }
    }
}

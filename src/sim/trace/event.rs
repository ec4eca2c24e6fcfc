//! What is recorded.

use crate::sim::dump::{Moment, WaitInfo, label};
use crate::sim::twist::Dropped;
use crate::time::Instant;
use alloc::string::String;
use alloc::vec::Vec;
use core::panic::Location;

/// Something that happened in a run. Tasks are told by their index in [`Trace::tasks`](super::Trace::tasks).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When it happened.
    pub now: Moment,
    /// What happened.
    pub what: What,
}

/// The kinds of [`Event`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A task was started. It is ready.
    Started {
        /// Which one.
        task: usize,
        /// The task that started it. The root has none.
        by: Option<usize>,
    },
    /// A task that was not ready was woken. A wake-up of one that is ready leaves no mark.
    Woken {
        /// Which one.
        task: usize,
        /// Who woke it.
        by: Cause,
    },
    /// A poll was begun. Up to its end, all is done by this task.
    Polled {
        /// Whose.
        task: usize,
        /// How many were ready, itself included: more than one is a choice. 0: it was not ready, and is polled to see
        /// whether a wake-up was lost, as [`Builder::probe`](crate::sim::Builder::probe) says.
        among: usize,
    },
    /// A poll ended, and the task waits.
    Pending {
        /// Whose.
        task: usize,
        /// What it waits for, as far as the kit's own futures say.
        waits: Vec<WaitInfo>,
        /// For how many things it waits besides, which were not recorded.
        more: usize,
    },
    /// A poll ended, and the task is done.
    Done {
        /// Which one.
        task: usize,
    },
    /// A task panicked.
    Panicked {
        /// Which one.
        task: usize,
    },
    /// A task had a value chosen, by [`Sim::choose`](crate::sim::Sim::choose).
    Chose {
        /// Which one.
        task: usize,
        /// What it was given.
        chosen: usize,
        /// Below what.
        n: usize,
    },
    /// The test made a note, by [`Sim::note`](crate::sim::Sim::note).
    Noted {
        /// The task that was being polled.
        task: Option<usize>,
        /// What the note says.
        text: String,
    },
    /// The test began a stretch, by [`Sim::span`](crate::sim::Sim::span).
    Opened {
        /// The task that was being polled.
        task: Option<usize>,
        /// The number of the stretch, from 1 on.
        span: u64,
        /// What it is.
        text: String,
    },
    /// A stretch ended.
    Closed {
        /// Its number.
        span: u64,
    },
    /// There was a fault: [`buggify!`](crate::buggify) said so.
    Fault {
        /// The task that was being polled.
        task: Option<usize>,
        /// The text of the mark.
        text: &'static str,
        /// Where the mark stands.
        place: &'static Location<'static>,
    },
    /// Something was dropped on purpose, the task itself or a part of it: see
    /// [`Sim::cancel_at_each`](crate::sim::Sim::cancel_at_each).
    Dropped {
        /// The task that was being polled, or was to be.
        task: usize,
        /// What was dropped.
        dropped: Dropped,
    },
    /// Time moved on to that of the event.
    Moved {
        /// What it was before.
        from: Instant,
    },
}

/// Who woke a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A task, as it was polled.
    Task(usize),
    /// A timer that rang.
    Timer,
    /// That nobody else was ready: see [`Sim::idle`](crate::sim::Sim::idle).
    Lull,
    /// Nothing: see [`Builder::spurious`](crate::sim::Builder::spurious).
    Nothing,
    /// Another thread.
    Outside,
}

/// A task of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceTask {
    /// Its name; empty if it has none.
    pub name: String,
    /// Which child of which child it is, as in [`TaskInfo::path`](crate::sim::TaskInfo::path).
    pub path: String,
    /// The name of the [node](crate::sim::Node) that it is on; empty if it is on none.
    pub node: String,
    /// The place where it was made; the root has none.
    pub made: Option<&'static Location<'static>>,
    /// Whether it is in the background.
    pub background: bool,
}

impl TraceTask {
    /// Its name, or for want of one the place where it was made.
    pub fn label(&self) -> String {
        label(&self.name, self.made)
    }
}

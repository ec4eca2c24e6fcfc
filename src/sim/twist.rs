//! What a run does to its futures besides choosing who is next.

use alloc::string::String;
use core::fmt;
use core::panic::Location;

/// The twists of a run: part of what it depends on, and of the line that replays it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Twists {
    /// At which of the chances to cancel, counted from 1, what is swept is dropped; 0: at none.
    ///
    /// Where the choices are read from bytes, made by an oracle of the user's or searched through, these say it.
    pub(super) cancel: u64,
}

impl Twists {
    pub(super) const NONE: Self = Self { cancel: 0 };

    /// What is left to say where bytes say what is dropped.
    pub(super) const fn beside_bytes(mut self) -> Self {
        self.cancel = 0;
        self
    }
}

/// How a line names them.
impl fmt::Display for Twists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cancel {
            0 => Ok(()),
            nth => write!(f, ",cancel:{nth}"),
        }
    }
}

/// A chance to cancel: a future that is swept, and how often it was polled.
#[derive(Clone, Copy)]
pub(super) struct Chance {
    /// Stands for the future; made of spawn paths and of the order in which a task makes such futures.
    pub(super) id: u64,
    pub(super) polls: u32,
    /// Whether it is right after the last of these polls, or else when the next one would be.
    pub(super) after: bool,
}

/// What was dropped on purpose, and when: see [`Sim::cancel_at_each`](super::Sim::cancel_at_each).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The name of the task; empty if it has none, or if it was not a task but a part of one.
    pub name: String,
    /// Where the task or the future was made.
    pub made: Option<&'static Location<'static>>,
    /// How often it had been polled.
    pub polls: u32,
    /// Whether it was dropped right after the last of these polls, or else when it would have been polled again.
    pub after: bool,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.name, self.made) {
            ("", Some(made)) => write!(f, "what was made at {made}")?,
            (name, _) => write!(f, "`{name}`")?,
        }
        match (self.polls, self.after) {
            (0, _) => f.write_str(" was dropped before its first poll"),
            (polls, true) => write!(f, " was dropped right after poll {polls}"),
            (polls, false) => write!(f, " was dropped in place of poll {}", u64::from(polls) + 1),
        }
    }
}

//! Why a task can't be added.

use super::{StoreError, StrikeId};
use alloc::string::String;
use core::error::Error;
use core::fmt;

/// A task could not be added.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AddError {
    /// No task of this name is registered.
    Unknown {
        /// The name.
        name: String,
    },
    /// The fields can't be written down, or the task can't read them.
    Args {
        /// The task.
        name: String,
        /// What was wrong.
        why: String,
    },
    /// A limit of the task, or what is shown of it in logs, is for a field that it doesn't have.
    NoField {
        /// The task.
        name: String,
        /// The field.
        field: String,
    },
    /// It is to be due at a tick, and there is none any more.
    NoTick {
        /// The task.
        name: String,
    },
    /// It was to take the place of a row, and nothing is queued or running under the key.
    Gone {
        /// The key.
        key: String,
    },
    /// It is struck.
    Struck {
        /// The task.
        name: String,
        /// By which strike.
        strike: StrikeId,
    },
    /// The store can't.
    Store(StoreError),
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "no task is named `{name}`"),
            Self::Args { name, why } => write!(f, "`{name}` can't have these fields: {why}"),
            Self::NoField { name, field } => write!(f, "`{name}` has a policy for `{field}`, and no such field"),
            Self::NoTick { name } => write!(f, "`{name}` is to be due at a tick, and there is none any more"),
            Self::Gone { key } => write!(f, "nothing is queued under `{key}`"),
            Self::Struck { name, .. } => write!(f, "`{name}` is struck"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for AddError {}

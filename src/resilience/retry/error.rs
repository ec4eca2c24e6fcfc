//! What comes of attempts that all failed.

use crate::cancel::Deadline;
use crate::time::Instant;
use core::error::Error;
use core::fmt;

/// The error of a [`Retry`](super::Retry): the last one, and why there was no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryError<E> {
    /// The error of the last attempt.
    pub error: E,
    /// How many attempts there were.
    pub attempts: u32,
    /// Why there was no further one.
    pub why: GaveUp,
}

/// Why a retry gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GaveUp {
    /// The error is not one to be retried.
    NotRetried,
    /// The schedule has come to its end.
    Exhausted,
    /// The next attempt would not have begun before the effective deadline, or never.
    TooLate {
        /// When it would have begun.
        earliest: Instant,
        /// The effective deadline, which may be that the scope is cancelled.
        deadline: Deadline,
    },
    /// There was nothing left in the [`RetryBudget`](crate::resilience::RetryBudget).
    NoBudget,
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRetried => f.pad("its error is not one to be retried"),
            Self::Exhausted => f.pad("the schedule has come to its end"),
            Self::TooLate { deadline: Deadline::Cancelled, .. } => f.pad("the scope is cancelled"),
            Self::TooLate { earliest, deadline: Deadline::At(deadline) } => {
                write!(f, "the next would begin at {earliest}, which is not before the deadline {deadline}")
            }
            Self::TooLate { deadline: Deadline::Never, .. } => f.pad("the next would never begin"),
            Self::NoBudget => f.pad("nothing is left in the budget for retries"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, attempts, why } = self;
        let plural = if *attempts == 1 { "" } else { "s" };
        write!(f, "{error} (gave up after {attempts} attempt{plural}: {why})")
    }
}

impl<E: Error> Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The error itself is part of what is printed.
        self.error.source()
    }
}

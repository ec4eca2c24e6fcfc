//! What comes of a periodic run.

use crate::cancel::Reason;
use crate::spawn::Panic;
use crate::time::Instant;
use core::fmt;

/// Why an iteration of [`periodic`](super::periodic()) work was not done.
#[derive(Debug)]
#[non_exhaustive]
pub enum IterationError<E> {
    /// Its body returned an error.
    Failed(E),
    /// Its body panicked when it was made, polled or dropped. Only with `std`.
    Panicked(Panic),
    /// It took longer than [`iteration_timeout`](super::Periodic::iteration_timeout) allows, and was cut short.
    TimedOut,
}

impl<E: fmt::Display> fmt::Display for IterationError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked(panic) => write!(f, "panicked: {panic}"),
            Self::TimedOut => f.write_str("timed out"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for IterationError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Panicked(_) | Self::TimedOut => None,
        }
    }
}

/// How many iterations ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PeriodicCount {
    /// Iterations that came to their end.
    pub done: u64,
    /// Iterations that returned an error.
    pub failed: u64,
    /// Iterations that panicked.
    pub panicked: u64,
    /// Iterations cut short by their own timeout.
    pub timed_out: u64,
    /// Iterations cut short because the scope was cancelled or the run dropped: one at the most.
    pub cancelled: u64,
}

impl PeriodicCount {
    pub(super) const fn new() -> Self {
        Self { done: 0, failed: 0, panicked: 0, timed_out: 0, cancelled: 0 }
    }

    /// All of them: as many as have begun, but for one that still runs.
    pub const fn total(&self) -> u64 {
        self.done + self.failed + self.panicked + self.timed_out + self.cancelled
    }
}

impl fmt::Display for PeriodicCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, failed, panicked, timed_out, cancelled } = self;
        write!(f, "{done} done, {failed} failed, {panicked} panicked, {timed_out} timed out, {cancelled} cancelled")
    }
}

/// Why a periodic run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeriodicStop {
    /// [`PeriodicControl::stop`](super::PeriodicControl::stop) was called.
    Asked,
    /// The hook for failures said so.
    Failed,
    /// A grace of the scope, or of one around it, has begun.
    Draining(Reason),
    /// The scope, or one around it, was cancelled, or its deadline was reached.
    Cancelled(Reason),
}

impl fmt::Display for PeriodicStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("asked to stop"),
            Self::Failed => f.write_str("ended by a failure"),
            Self::Draining(reason) => write!(f, "winding down: {reason}"),
            Self::Cancelled(reason) => write!(f, "cancelled: {reason}"),
        }
    }
}

/// What came of a [periodic](super::periodic()) run.
///
/// `Display` gives it in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeriodicReport {
    /// How the iterations ended.
    pub count: PeriodicCount,
    /// When the run began.
    pub started: Instant,
    /// When it ended.
    pub ended: Instant,
    /// Why it ended.
    pub stop: PeriodicStop,
}

impl fmt::Display for PeriodicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.count, self.stop)
    }
}

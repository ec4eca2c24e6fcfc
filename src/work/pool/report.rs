//! What a pool says: of an item that it does not take, and in the end.

use crate::time::Instant;
use crate::work::outcome::Count;
use crate::work::report::Stop;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// An item that a [`WorkerPool`](super::WorkerPool) did not take, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitError<T> {
    /// The item.
    pub item: T,
    /// Why it was not taken.
    pub why: Refused,
}

/// Why a [`WorkerPool`](super::WorkerPool) did not take an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// So many are in the queue. Only where nothing is waited for.
    Full {
        /// How many may be in the queue.
        capacity: usize,
    },
    /// The pool takes nothing more: it was closed or drained, its scope winds down or is cancelled, or its workers are gone.
    Closed,
    /// It could not be started in time.
    TooLate {
        /// The item's own deadline or the pool's, whichever is earlier.
        deadline: Instant,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { capacity } => write!(f, "the queue is full: {capacity} items are in it"),
            Self::Closed => f.write_str("the pool is closed"),
            Self::TooLate { deadline } => write!(f, "it could not be started in time for {deadline}"),
        }
    }
}

impl<T> fmt::Display for SubmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the item was not taken: {}", self.why)
    }
}

impl<T: fmt::Debug> core::error::Error for SubmitError<T> {}

/// What came of a [`WorkerPool`](super::WorkerPool): every item that it took is counted in exactly one place.
///
/// `Display` gives the numbers in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerPoolReport<T> {
    /// What became of the items that were taken. Those that were not started are skipped.
    pub count: Count,
    /// Items that were left in the queue in the end, and whose tickets were dropped; the others are with their tickets. They
    /// are given out once: a later report has none.
    pub not_started: Vec<T>,
    /// When the pool was made.
    pub started: Instant,
    /// When the last worker was gone.
    pub ended: Instant,
    /// Why nothing more was started: `Exhausted` says that the pool was closed and all that it had taken was started.
    pub stop: Stop,
}

impl<T> WorkerPoolReport<T> {
    /// How long there was a pool.
    pub fn elapsed(&self) -> Duration {
        self.ended - self.started
    }

    /// How many items were taken.
    pub fn taken(&self) -> u64 {
        self.count.total()
    }

    /// Whether every item that was taken is done.
    pub fn is_complete(&self) -> bool {
        self.count.done == self.taken()
    }
}

impl<T> fmt::Display for WorkerPoolReport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (elapsed, stop) = (self.elapsed(), &self.stop);
        write!(f, "{} in {}.{:09}s ({stop})", self.count, elapsed.as_secs(), elapsed.subsec_nanos())
    }
}

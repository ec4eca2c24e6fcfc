//! What comes of a run.

use super::outcome::Count;
use crate::cancel::Reason;
use crate::time::Instant;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// Why a run started no more items.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The source came to its end.
    Exhausted,
    /// The deadline was reached, or less time was left than an item needs, or the rate allowed no item before it.
    OutOfTime,
    /// The scope, or one around it, was cancelled.
    Cancelled(Reason),
    /// A [grace](crate::cancel::Scope::cancel_with_grace) of the scope, or of one around it, had begun; what ran came to its
    /// end.
    Draining(Reason),
    /// All workers were tasks of an executor that dropped them.
    Lost,
    /// The item of this index failed, panicked or was timed out, and the run was to [stop](super::OnError) for that.
    Failed {
        /// How many items were pulled before it.
        index: u64,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted => f.write_str("the source is exhausted"),
            Self::OutOfTime => f.write_str("out of time"),
            Self::Cancelled(reason) => write!(f, "cancelled: {reason}"),
            Self::Draining(reason) => write!(f, "winding down: {reason}"),
            Self::Lost => f.write_str("all workers were lost"),
            Self::Failed { index } => write!(f, "item {index} failed"),
        }
    }
}

/// What came of a run: every item that was pulled is counted in exactly one place, and every other one is still in
/// [`rest`](Self::rest).
///
/// `Display` gives the numbers in one line.
///
/// # Examples
/// Going on with what was not started:
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Count, Lease, Stop, work};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let body = |_: Lease<u32>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(1)).await) };
///     let first = work(0..5).deadline_after(Duration::from_secs(3)).run(&scope, body, Count::new()).await;
///     assert_eq!((first.count.done, first.not_started, first.stop), (3, Some(2), Stop::OutOfTime));
///     let second = work(first.rest).run(&scope, body, Count::new()).await;
///     assert!(second.is_complete());
///     assert_eq!((second.count.done, second.started, second.elapsed()), (2, first.ended, Duration::from_secs(2)));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report<R> {
    /// What became of the items that were pulled.
    pub count: Count,
    /// How many items were left in the source, where it knows.
    pub not_started: Option<usize>,
    /// How many items each worker was given. A worker that was never needed is not listed.
    pub per_worker: Vec<u64>,
    /// When the run began.
    pub started: Instant,
    /// When it ended.
    pub ended: Instant,
    /// Why no more items were started.
    pub stop: Stop,
    /// What is left of the source: the iterator, the stream, the receiver.
    pub rest: R,
}

impl<R> Report<R> {
    /// How long the run took.
    pub fn elapsed(&self) -> Duration {
        self.ended - self.started
    }

    /// How many items were pulled.
    pub fn pulled(&self) -> u64 {
        self.count.total()
    }

    /// Whether the source was exhausted and every item done.
    pub fn is_complete(&self) -> bool {
        self.stop == Stop::Exhausted && self.count.done == self.pulled()
    }
}

impl<R> fmt::Display for Report<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.count)?;
        match self.not_started {
            Some(n) => write!(f, "{n} not started")?,
            None => f.write_str("the rest not counted")?,
        }
        let (elapsed, stop) = (self.elapsed(), &self.stop);
        write!(f, " in {}.{:09}s ({stop})", elapsed.as_secs(), elapsed.subsec_nanos())
    }
}

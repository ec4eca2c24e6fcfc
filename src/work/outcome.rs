//! What becomes of an item, and who is told.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What became of one item that was pulled.
///
/// `item` is there unless the body took it ([`Lease::take`](super::Lease::take)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemOutcome<T, O, E> {
    /// Its body came to its end.
    Done(O),
    /// Its body returned an error.
    Failed {
        /// The error.
        error: E,
        /// The item.
        item: Option<T>,
    },
    /// Its body panicked, when it was made, polled or dropped. Only with `std`.
    Panicked {
        /// What the panic said, if that was text.
        message: String,
        /// The item.
        item: Option<T>,
    },
    /// Its body was cut short by the item's own timeout.
    TimedOut {
        /// The item.
        item: Option<T>,
    },
    /// Its body was cut short when the run's time was up or its scope was cancelled.
    Cancelled {
        /// The item.
        item: Option<T>,
    },
    /// No body was started for it: it was pulled too late or, from the queue of a [`WorkerPool`](super::WorkerPool), not at all.
    Skipped {
        /// The item.
        item: T,
    },
}

impl<T, O, E> ItemOutcome<T, O, E> {
    /// As a [`Count`] names it.
    #[inline]
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Failed { .. } => "failed",
            Self::Panicked { .. } => "panicked",
            Self::TimedOut { .. } => "timed_out",
            Self::Cancelled { .. } => "cancelled",
            Self::Skipped { .. } => "skipped",
        }
    }

    /// The result, if there is one.
    pub fn done(self) -> Option<O> {
        match self {
            Self::Done(result) => Some(result),
            _ => None,
        }
    }

    /// Whether the body failed, panicked, or took longer than it may.
    #[inline]
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Panicked { .. } | Self::TimedOut { .. })
    }

    /// The item, if it came back.
    pub fn into_item(self) -> Option<T> {
        match self {
            Self::Done(_) => None,
            Self::Failed { item, .. } | Self::Panicked { item, .. } => item,
            Self::TimedOut { item } | Self::Cancelled { item } => item,
            Self::Skipped { item } => Some(item),
        }
    }
}

/// The end of one item: its outcome, which item it was, and who worked on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended<T, O, E> {
    /// How many items were pulled before it.
    pub index: u64,
    /// Which worker it was given to, counted from 0; none worked on one that was skipped.
    pub worker: Option<usize>,
    /// What became of it.
    pub outcome: ItemOutcome<T, O, E>,
}

impl<T, O, E> Ended<T, O, E> {
    pub(super) fn new(index: u64, worker: Option<usize>, outcome: ItemOutcome<T, O, E>) -> Self {
        Self { index, worker, outcome }
    }
}

/// Who is told what became of each item, as it happens: once for each item that was pulled.
///
/// | sink | does |
/// |---|---|
/// | [`Count`] | counts; memory stays constant |
/// | `&mut` [`Collect`] | keeps them all |
/// | a closure that takes an [`Ended`] | what it likes |
///
/// It is called inside the run's own poll, so it should be short. A panic of it goes through the run, which then drops
/// its bodies.
///
/// # Examples
/// Keeping nothing but what has to be done again:
/// ```
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Ended, Lease, work};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let mut again = Vec::new();
///     let sink = |ended: Ended<u32, (), &str>| again.extend(ended.outcome.into_item());
///     let body = |item: Lease<u32>| async move { if *item % 3 == 0 { Err("unlucky") } else { Ok(()) } };
///     let report = work(1..=9).run(&scope, body, sink).await;
///     assert_eq!((report.count.done, again), (6, vec![3, 6, 9]));
/// });
/// ```
pub trait Sink<T, O, E> {
    /// Takes the end of one item.
    fn accept(&mut self, ended: Ended<T, O, E>);

    /// The run is about to rest, and what others are to know of the ends until now is to be told them.
    #[doc(hidden)]
    #[inline]
    fn settle(&mut self) {}
}

impl<T, O, E, F: FnMut(Ended<T, O, E>)> Sink<T, O, E> for F {
    #[inline]
    fn accept(&mut self, ended: Ended<T, O, E>) {
        self(ended);
    }
}

/// How many items ended in which way. As a sink it counts and keeps nothing else; a [`Report`](super::Report) holds one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Count {
    /// Bodies that came to their end.
    pub done: u64,
    /// Bodies that returned an error.
    pub failed: u64,
    /// Bodies that panicked.
    pub panicked: u64,
    /// Bodies cut short by the item's own timeout.
    pub timed_out: u64,
    /// Bodies cut short when time was up or the scope was cancelled.
    pub cancelled: u64,
    /// Items for which no body was started.
    pub skipped: u64,
}

impl Count {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { done: 0, failed: 0, panicked: 0, timed_out: 0, cancelled: 0, skipped: 0 }
    }

    /// All of them: as many items as were pulled.
    pub const fn total(&self) -> u64 {
        self.done + self.failed + self.panicked + self.timed_out + self.cancelled + self.skipped
    }

    /// Those of another one, too.
    pub(super) fn add_all(&mut self, other: &Self) {
        let Self { done, failed, panicked, timed_out, cancelled, skipped } = other;
        self.done += done;
        self.failed += failed;
        self.panicked += panicked;
        self.timed_out += timed_out;
        self.cancelled += cancelled;
        self.skipped += skipped;
    }

    #[inline(always)]
    pub(super) fn add<T, O, E>(&mut self, outcome: &ItemOutcome<T, O, E>) {
        let place = match outcome {
            ItemOutcome::Done(_) => &mut self.done,
            ItemOutcome::Failed { .. } => &mut self.failed,
            ItemOutcome::Panicked { .. } => &mut self.panicked,
            ItemOutcome::TimedOut { .. } => &mut self.timed_out,
            ItemOutcome::Cancelled { .. } => &mut self.cancelled,
            ItemOutcome::Skipped { .. } => &mut self.skipped,
        };
        *place += 1;
    }
}

impl<T, O, E> Sink<T, O, E> for Count {
    #[inline]
    fn accept(&mut self, ended: Ended<T, O, E>) {
        self.add(&ended.outcome);
    }
}

impl<T, O, E> Sink<T, O, E> for &mut Count {
    #[inline]
    fn accept(&mut self, ended: Ended<T, O, E>) {
        self.add(&ended.outcome);
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, failed, panicked, timed_out, cancelled, skipped } = self;
        write!(f, "{done} done, {failed} failed, {panicked} panicked, {timed_out} timed out, ")?;
        write!(f, "{cancelled} cancelled, {skipped} skipped")
    }
}

/// A sink that keeps what became of every item, in the order in which they ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collect<T, O, E> {
    all: Vec<Ended<T, O, E>>,
}

impl<T, O, E> Collect<T, O, E> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { all: Vec::new() }
    }

    /// What was collected.
    pub fn as_slice(&self) -> &[Ended<T, O, E>] {
        &self.all
    }

    /// What was collected, in the order in which it ended.
    pub fn into_vec(self) -> Vec<Ended<T, O, E>> {
        self.all
    }

    /// What was collected, without the rest, in the order in which the items were pulled.
    pub fn into_outcomes(mut self) -> Vec<ItemOutcome<T, O, E>> {
        self.all.sort_by_key(|ended| ended.index);
        self.all.into_iter().map(|ended| ended.outcome).collect()
    }

    /// The results of those that were done, in the order in which the items were pulled.
    pub fn into_results(self) -> Vec<O> {
        self.into_outcomes().into_iter().filter_map(ItemOutcome::done).collect()
    }
}

impl<T, O, E> Default for Collect<T, O, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, O, E> Sink<T, O, E> for Collect<T, O, E> {
    fn accept(&mut self, ended: Ended<T, O, E>) {
        self.all.push(ended);
    }
}

impl<T, O, E> Sink<T, O, E> for &mut Collect<T, O, E> {
    fn accept(&mut self, ended: Ended<T, O, E>) {
        self.all.push(ended);
    }
}

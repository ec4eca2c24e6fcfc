//! Sources that give several items at once.

use super::source::{IntoSource, Source};
use crate::time::{Sleep, Time};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// How many items are put into a chunk before others have a turn.
const BUDGET: usize = 1_024;

/// Gives the items of `source` in chunks of so many, in order: the last one may be smaller. For what is cheaper when done for several
/// at once, such as rows that are inserted.
///
/// A chunk is an item of the run: one body has it, its outcome is that of all in it, and the report counts chunks. What is in a
/// chunk that is not full when the run ends is in the rest.
///
/// A source that has items now and then may keep a chunk waiting: see [`Chunks::max_wait`].
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Collect, Lease, chunks, work};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let body = |rows: Lease<Vec<u32>>| async move { Ok::<_, ()>(rows.len()) };
///     let mut all = Collect::new();
///     let rows = chunks(0..10, NonZeroUsize::new(4).unwrap());
///     let report = work(rows).run(&scope, body, &mut all).await;
///     assert_eq!((report.count.done, all.into_results()), (3, vec![4, 4, 2]));
/// });
/// ```
pub fn chunks<M, S: IntoSource<M>>(source: S, size: NonZeroUsize) -> Chunks<S::Source> {
    Chunks { source: source.into_source(), size: size.get(), chunk: Vec::new(), wait: None, ended: false }
}

/// A source of chunks; made by [`chunks`].
pub struct Chunks<S: Source> {
    source: S,
    size: usize,
    /// What was pulled of a chunk that is not full.
    chunk: Vec<S::Item>,
    wait: Option<Wait>,
    ended: bool,
}

/// How long a chunk waits, and until when this one does.
struct Wait {
    time: Time,
    most: Duration,
    timer: Pin<Box<Option<Sleep>>>,
}

impl<S: Source> Chunks<S> {
    /// Gives a chunk that is not full as well when this much time has passed since its first item was pulled. Items are pulled
    /// only when a worker is free; one that comes late is not put into a chunk whose time has passed.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::queue;
    /// use wakeful::work::{Collect, Lease, chunks, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, time, second) = (Scope::new(sim.time()), sim.time(), Duration::from_secs(1));
    ///     let (tx, rx) = queue::bounded(NonZeroUsize::new(10).unwrap());
    ///     sim.spawn("producer", async move {
    ///         for n in 0..4 {
    ///             tx.send(n).await.unwrap();
    ///             time.sleep(3 * second).await;
    ///         }
    ///     });
    ///     let body = |rows: Lease<Vec<u32>>| async move { Ok::<_, ()>(rows.take()) };
    ///     let mut all = Collect::new();
    ///     let rows = chunks(rx, NonZeroUsize::new(10).unwrap()).max_wait(&sim.time(), 5 * second);
    ///     work(rows).run(&scope, body, &mut all).await;
    ///     assert_eq!(all.into_results(), [vec![0, 1], vec![2, 3]]);
    ///     // The second waits for the end of the queue no longer than it has to.
    ///     assert_eq!(sim.now().as_nanos(), 12_000_000_000);
    /// });
    /// ```
    #[must_use]
    pub fn max_wait(mut self, time: &Time, duration: Duration) -> Self {
        self.wait = Some(Wait { time: time.clone(), most: duration, timer: Box::pin(None) });
        self
    }

    fn give(&mut self) -> Poll<Option<Vec<S::Item>>> {
        if let Some(wait) = &mut self.wait {
            wait.timer.set(None);
        }
        Poll::Ready(Some(core::mem::take(&mut self.chunk)).filter(|chunk| !chunk.is_empty()))
    }

    /// Whether the time of a chunk that has begun has passed; if not, its timer wakes the task.
    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let timer = self.wait.as_mut().and_then(|wait| wait.timer.as_mut().as_pin_mut());
        timer.is_some_and(|timer| timer.poll(cx).is_ready())
    }

    fn put(&mut self, item: S::Item) {
        if self.chunk.is_empty() {
            // No more than are put in at a time: the size may be that of anything.
            self.chunk.reserve(self.source.remaining().unwrap_or(0).min(self.size - 1).min(BUDGET - 1) + 1);
            if let Some(Wait { time, most, timer }) = &mut self.wait {
                timer.set(Some(time.sleep(*most)));
            }
        }
        self.chunk.push(item);
    }
}

impl<S: Source> Source for Chunks<S> {
    type Item = Vec<S::Item>;
    type Rest = ChunksRest<S::Rest, S::Item>;

    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<S::Item>>> {
        // What comes later than that is not of this chunk.
        let timer = self.wait.as_ref().and_then(|wait| wait.timer.as_ref().as_pin_ref());
        if timer.is_some_and(|timer| timer.is_elapsed()) {
            return self.give();
        }
        for _ in 0..BUDGET {
            if self.ended || self.chunk.len() == self.size {
                return self.give();
            }
            match self.source.poll_pull(cx) {
                Poll::Ready(Some(item)) => self.put(item),
                Poll::Ready(None) => self.ended = true,
                Poll::Pending => return if self.is_due(cx) { self.give() } else { Poll::Pending },
            }
        }
        // A source that always has more would else keep a large chunk for ever.
        if self.is_due(cx) {
            return self.give();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        self.source.poll_ahead(cx);
    }

    fn remaining(&self) -> Option<usize> {
        let left = if self.ended { 0 } else { self.source.remaining()? };
        Some(left.checked_add(self.chunk.len())?.div_ceil(self.size))
    }

    fn into_rest(self) -> ChunksRest<S::Rest, S::Item> {
        ChunksRest { begun: self.chunk, source: self.source.into_rest() }
    }
}

impl<S: Source + fmt::Debug> fmt::Debug for Chunks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks")
            .field("source", &self.source)
            .field("size", &self.size)
            .field("begun", &self.chunk.len())
            .finish_non_exhaustive()
    }
}

/// What is left of [`Chunks`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChunksRest<R, T> {
    /// The items of a chunk that had begun and was not given.
    pub begun: Vec<T>,
    /// What is left of the source, after them.
    pub source: R,
}

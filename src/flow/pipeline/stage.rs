//! Settings of a stage.

use super::link::{Entry, Gate, Link, Tells};
use crate::limit::Limiter;
use crate::sys::Arc;
use crate::work::{Count, OnError, Source, Work};
use alloc::borrow::Cow;
use core::num::NonZeroUsize;
use core::time::Duration;

/// Settings of one stage of a pipeline, under a name that its report bears.
///
/// One worker, results in the order in which they come to be, a queue of [`Stage::DEFAULT_BUFFER`] behind it, and no limit of any
/// kind, unless set otherwise.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::flow::pipeline::stage;
/// use wakeful::work::OnError;
///
/// let fetch = stage("fetch")
///     .workers(NonZeroUsize::new(8).unwrap())
///     .in_order()
///     .item_timeout(Duration::from_secs(5))
///     .on_error(OnError::StopStarting);
/// # drop(fetch);
/// ```
pub fn stage(name: impl Into<Cow<'static, str>>) -> Stage {
    Stage {
        name: name.into(),
        workers: NonZeroUsize::MIN,
        buffer: Stage::DEFAULT_BUFFER,
        is_ordered: false,
        on_error: OnError::Collect,
        item_timeout: Duration::MAX,
        limiter: None,
        sink: Count::new(),
    }
}

/// A stage that is being set up; made by [`stage()`].
///
/// `K` is told of the items that are not handed on: see [`undone`](Self::undone).
#[derive(Clone, Debug)]
#[must_use = "a stage does nothing unless it is part of a pipeline that is run"]
pub struct Stage<K = Count> {
    pub(super) name: Cow<'static, str>,
    workers: NonZeroUsize,
    buffer: NonZeroUsize,
    is_ordered: bool,
    pub(super) on_error: OnError,
    item_timeout: Duration,
    limiter: Option<Limiter>,
    pub(super) sink: K,
}

impl Stage {
    /// How many results may wait for the next stage, unless set.
    pub const DEFAULT_BUFFER: NonZeroUsize = NonZeroUsize::new(64).unwrap();
}

impl<K> Stage<K> {
    /// How many items are worked on at once at most; one, unless set.
    pub fn workers(mut self, workers: NonZeroUsize) -> Self {
        self.workers = workers;
        self
    }

    /// How many results may wait for the next stage. A worker whose result finds no room waits with it in his hand, and takes
    /// no further item meanwhile.
    pub fn buffer(mut self, results: NonZeroUsize) -> Self {
        self.buffer = results;
        self
    }

    /// Hands results on in the order in which their items came, instead of that in which they are done. One that is done before
    /// an earlier one waits for it in the queue.
    pub fn in_order(mut self) -> Self {
        self.is_ordered = true;
        self
    }

    /// What to do when an item fails, panics or is timed out: go on with the others, unless set. An item that does is never
    /// handed on.
    ///
    /// [`OnError::StopStarting`]: this stage and those before it start nothing more, and end what they are at; those behind it
    /// work on what was handed on. [`OnError::CancelRest`]: the whole pipeline is cancelled.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Cuts a body short when it has run for `duration`; never, unless set: as [`Work::item_timeout`](crate::work::Work::item_timeout).
    /// The time that a worker waits for room in the queue does not count.
    pub fn item_timeout(mut self, duration: Duration) -> Self {
        self.item_timeout = duration;
        self
    }

    /// Takes a permit of `limiter` before each item.
    pub fn rate(mut self, limiter: &Limiter) -> Self {
        self.limiter = Some(limiter.clone());
        self
    }

    /// Tells `sink` of each item that this stage does not hand on: failed, panicked, timed out, cancelled or skipped.
    ///
    /// A [`Sink`](crate::work::Sink) of the stage's items, of [`Infallible`](core::convert::Infallible) results, and of its errors:
    /// `&mut` [`Collect`](crate::work::Collect) for instance, or a closure that takes an [`Ended`](crate::work::Ended). That of a
    /// stage whose workers are tasks is dropped at its end, so it should send what it is told to a queue.
    ///
    /// # Examples
    /// ```
    /// use wakeful::cancel::Scope;
    /// use wakeful::flow::pipeline::{pipeline, stage};
    /// use wakeful::work::{Collect, Lease};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let (mut bad, mut sum) = (Collect::new(), 0);
    ///     let parse = |text: Lease<&'static str>| async move { text.parse::<u32>() };
    ///     let pipeline = pipeline(["1", "two", "3"]).then(stage("parse").undone(&mut bad), parse);
    ///     let report = pipeline.run(&scope, |n| sum += n).await;
    ///     assert_eq!((sum, report.delivered()), (4, 2));
    ///     let bad: Vec<_> = bad.into_outcomes().into_iter().filter_map(|outcome| outcome.into_item()).collect();
    ///     assert_eq!(bad, ["two"]);
    /// });
    /// ```
    pub fn undone<L>(self, sink: L) -> Stage<L> {
        let Self { name, workers, buffer, is_ordered, on_error, item_timeout, limiter, sink: _ } = self;
        Stage { name, workers, buffer, is_ordered, on_error, item_timeout, limiter, sink }
    }

    /// Its ends of the queue behind it.
    pub(super) fn ends<T>(&self, link: &Arc<Link<T>>, tells: Tells) -> (Gate<T>, Entry<T>) {
        let room = self.buffer.saturating_add(self.workers.get());
        (Gate::new(link, room.get()), Entry::new(link, tells, self.is_ordered))
    }

    /// The same for the run that does the stage's work.
    pub(super) fn set_up<S: Source>(&self, work: Work<S>) -> Work<S> {
        let work = work.workers(self.workers).on_error(self.on_error).item_timeout(self.item_timeout);
        match &self.limiter {
            Some(limiter) => work.rate(limiter),
            None => work,
        }
    }
}

//! So many items of one key at a time.
//!
//! The source is wrapped by one that gives out items whose keys have room, and the sink by one that tells that source which
//! items have come to their end. The run itself knows nothing of it.
//!
//! # Invariants
//!
//! - **G1** An item of a key is set aside only while `most` items of that key are worked on or called, and none of it starts
//!   past one that is set aside: so the items of a key start in their order.
//! - **G2** The room that an item leaves is that of the first one of its key that is set aside, which is called: it goes
//!   before what is still in the source.
//! - **G3** Who waits for room has looked once more after his waker was there, so that he hears of an item that ends on
//!   another thread meanwhile.
//! - **G4** What is known of a key goes with its last item.

mod aside;
mod ends;
mod groups;
#[cfg(test)]
mod loom_tests;
mod source;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

use super::drive::Drive;
use super::lease::Lease;
use super::options::{OnError, Options};
use super::outcome::Sink;
use super::report::{Report, Stop};
use super::source::Source;
use super::{run, spawned};
use crate::cancel::Scope;
use crate::spawn::Spawn;
use crate::sys::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::hash::Hash;
use core::num::NonZeroUsize;
use ends::{Ends, Teller};
use source::Keyed;

pub(crate) use groups::{DEFAULT_LOOK_AHEAD, Groups};

/// Work of which so many items of one key are done at a time; made by [`Work::per_key`](super::Work::per_key).
///
/// The key is what `key` says of an item: the host of a URL, a customer, a shard. When the next item's key has no room, the item is set
/// aside, and later ones start; it starts when its key has room, before anything that is still in the source. Items of a
/// key start in their order. Up to [`look_ahead`](Self::look_ahead) items are set aside; when there are as many, nothing more
/// is pulled until a key of theirs has room.
///
/// All settings of the run hold as they do without. An item that is set aside has not been given to the run: it is not
/// counted, takes no permit of the [rate](super::Work::rate), and is not timed. If it never starts, it comes back in
/// [`Report::rest`]. The index of an [`Ended`](super::Ended) says where the item was in the source, so results that are
/// [put in order](super::Collect::into_results) are in that of the source.
///
/// For limits on calls within a body rather than on items there is a [`KeyedLimiter`](crate::limit::KeyedLimiter), or a
/// [`Semaphore`](crate::sync::Semaphore) for each key; there an item that waits keeps its worker.
///
/// # Fairness
/// Among items that are set aside and have room, that goes first whose key has had room for longest.
///
/// # Panics
/// Passes on a panic of `key`, as of the source.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Collect, Lease, work};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let pages = ["slow/1", "slow/2", "slow/3", "quick/1", "quick/2", "quick/3"];
///     let body = |page: Lease<&'static str>| async move {
///         wakeful::sleep(Duration::from_secs(if page.starts_with("slow") { 5 } else { 1 })).await;
///         Ok::<_, ()>(*page)
///     };
///     let mut all = Collect::new();
///     let report = work(pages)
///         .workers(NonZeroUsize::new(2).unwrap())
///         .per_key(NonZeroUsize::MIN, |page| page.split('/').next())
///         .run(&scope, body, &mut all)
///         .await;
///     // One worker is busy with the slow host for 15 s; the other one is done with the quick one by then.
///     assert_eq!((report.count.done, report.elapsed()), (6, Duration::from_secs(15)));
///     assert_eq!(all.into_results(), pages);
/// });
/// ```
#[derive(Clone, Debug)]
#[must_use = "no work is done unless it is run"]
pub struct PerKey<S, F> {
    source: S,
    options: Options,
    most: NonZeroUsize,
    look_ahead: NonZeroUsize,
    key: F,
}

/// The rule of a [`Drive`] by which so many items of one key are done at a time; made by [`PerKey::drive`].
#[derive(Clone, Debug)]
pub struct ByKey<F> {
    most: NonZeroUsize,
    look_ahead: NonZeroUsize,
    key: F,
}

impl<F> ByKey<F> {
    pub(super) fn over<S>(self, source: S, options: Options) -> PerKey<S, F> {
        PerKey { source, options, most: self.most, look_ahead: self.look_ahead, key: self.key }
    }
}

/// What is left of the source of a run with a bound [for each key](PerKey).
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Count, Lease, work};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let body = |_: Lease<u32>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(2)).await) };
///     let work = work([10, 20, 11, 21, 30]).workers(NonZeroUsize::MIN.saturating_add(1));
///     let work = work.deadline_after(Duration::from_secs(2)).per_key(NonZeroUsize::MIN, |n| n % 10);
///     let report = work.run(&scope, body, Count::new()).await;
///     assert_eq!((report.count.done, report.not_started), (2, Some(3)));
///     let rest = report.rest;
///     assert_eq!((&rest.set_aside[..], rest.rest.as_slice()), (&[20][..], &[21, 30][..]));
///     // To go on with: in the order of the source.
///     let rest: Vec<u32> = rest.set_aside.into_iter().chain(rest.rest).collect();
///     assert_eq!(rest, [20, 21, 30]);
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerKeyRest<T, R> {
    /// The items that were set aside and did not start, in the order in which they were pulled.
    pub set_aside: Vec<T>,
    /// What is left of the source itself.
    pub rest: R,
}

/// The report of a run.
type PerKeyReport<S> = Report<PerKeyRest<<S as Source>::Item, <S as Source>::Rest>>;

/// The two ends of a run: what it pulls from, and what it tells.
type Ways<S, F, G, K> = (Keyed<S, F, G>, Teller<K>, Arc<Ends>);

impl<S: Source, F> PerKey<S, F> {
    /// How many items are set aside at most, unless set.
    pub const DEFAULT_LOOK_AHEAD: NonZeroUsize = DEFAULT_LOOK_AHEAD;

    pub(super) fn new(source: S, options: Options, most: NonZeroUsize, key: F) -> Self {
        Self { source, options, most, look_ahead: Self::DEFAULT_LOOK_AHEAD, key }
    }

    /// How many items are set aside at most: so many more are in memory at a time.
    pub fn look_ahead(mut self, items: NonZeroUsize) -> Self {
        self.look_ahead = items;
        self
    }

    /// Gives the results to a consumer as a stream, while the workers go on: see [`Drive`].
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Lease, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let body = |n: Lease<u32>| async move {
    ///         wakeful::sleep(Duration::from_secs(1)).await;
    ///         Ok::<_, ()>(*n)
    ///     };
    ///     let work = work([10, 20, 11, 21]).workers(NonZeroUsize::new(2).unwrap());
    ///     let driven = work
    ///         .per_key(NonZeroUsize::MIN, |n| n % 10)
    ///         .drive()
    ///         .in_order()
    ///         .run(&scope, body, async |mut results| {
    ///             let mut all = Vec::new();
    ///             while let Some(ended) = results.next().await {
    ///                 all.extend(ended.outcome.done());
    ///             }
    ///             all
    ///         })
    ///         .await;
    ///     // Of each key one at a time; given out in the order of the source all the same.
    ///     assert_eq!((driven.value, driven.report.elapsed()), (vec![10, 20, 11, 21], Duration::from_secs(2)));
    /// });
    /// ```
    pub fn drive(self) -> Drive<S, ByKey<F>> {
        let rule = ByKey { most: self.most, look_ahead: self.look_ahead, key: self.key };
        Drive::by(self.source, self.options, rule)
    }

    /// Does the work, as [`Work::run`](super::Work::run) does.
    ///
    /// # Cancel safety
    /// As of `Work::run`: dropping the future drops the bodies that run, what is set aside, and the source.
    pub fn run<G, B, Fut, O, E, K>(self, scope: &Scope, body: B, sink: K) -> impl Future<Output = PerKeyReport<S>>
    where
        F: FnMut(&S::Item) -> G,
        G: Hash + Eq,
        B: Fn(Lease<S::Item>) -> Fut,
        Fut: Future<Output = Result<O, E>>,
        K: Sink<S::Item, O, E>,
    {
        let options = self.options.clone();
        let (source, sink, ends) = self.ways(sink);
        let run = run::in_place(source, options, scope, body, sink);
        async move { located(run.await, &ends) }
    }

    /// Does the work in parallel, as [`Work::run_on`](super::Work::run_on) does.
    ///
    /// # Cancel safety
    /// As of `Work::run_on`: dropping the future cancels the workers, and drops what is set aside, and the source.
    pub fn run_on<P, G, B, Fut, O, E, K>(
        self,
        spawner: P,
        scope: &Scope,
        body: B,
        sink: K,
    ) -> impl Future<Output = (PerKeyReport<S>, K)>
    where
        P: Spawn,
        S: Send + 'static,
        S::Item: Send + 'static,
        F: FnMut(&S::Item) -> G + Send + 'static,
        G: Hash + Eq + Send + 'static,
        B: Fn(Lease<S::Item>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Send + 'static,
        E: Send + 'static,
        K: Sink<S::Item, O, E> + Send + 'static,
    {
        let options = self.options.clone();
        let (source, sink, ends) = self.ways(sink);
        let run = spawned::run_on(spawner, source, options, scope, body, sink);
        async move {
            let (report, teller) = run.await;
            (located(report, &ends), teller.sink)
        }
    }

    fn ways<G: Hash + Eq, K>(self, sink: K) -> Ways<S, F, G, K> {
        let ends = Arc::new(Ends::new(self.options.on_error != OnError::Collect));
        let groups = Groups::new(self.most.get(), self.look_ahead.get());
        let source = Keyed::new(self.source, self.key, groups, ends.clone());
        (source, Teller { ends: ends.clone(), sink }, ends)
    }
}

/// Names an item that ended the run by where it was in the source.
fn located<R>(mut report: Report<R>, ends: &Ends) -> Report<R> {
    if let Stop::Failed { index } = &mut report.stop {
        *index = ends.position_of(*index);
    }
    report
}

//! Settings of a run.

use super::drive::Drive;
use super::lease::Lease;
use super::options::{Limit, Observed, OnError, Options};
use super::outcome::Sink;
use super::per_key::PerKey;
use super::report::Report;
use super::run;
use super::source::{IntoSource, Source};
use super::spawned;
use crate::cancel::Scope;
use crate::limit::Limiter;
use crate::spawn::Spawn;
use crate::sync::watch;
use crate::time::Instant;
use core::future::Future;
use core::hash::Hash;
use core::num::NonZeroUsize;
use core::time::Duration;

/// Work on the items of `source`, to be set up and [run](Work::run).
///
/// A source is something to iterate over, a stream that is `Unpin` (`Box::pin` makes it so), a queue's
/// [`Receiver`](crate::queue::Receiver), or a [`Source`] of your own.
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
///     let report = work(1..=50)
///         .workers(NonZeroUsize::new(4).unwrap())
///         .deadline_after(Duration::from_millis(250))
///         .run(&scope, |item: Lease<i32>| async move {
///             wakeful::sleep(Duration::from_millis(50)).await;
///             if *item == 13 { Err("unlucky") } else { Ok(()) }
///         }, Count::new())
///         .await;
///     assert_eq!(
///         report.to_string(),
///         "19 done, 1 failed, 0 panicked, 0 timed out, 0 cancelled, 0 skipped, \
///          30 not started in 0.250000000s (out of time)",
///     );
///     assert_eq!(report.rest, 21..=50);
/// });
/// ```
pub fn work<M, S: IntoSource<M>>(source: S) -> Work<S::Source> {
    Work { source: source.into_source(), options: Options::new() }
}

/// Work that is being set up; made by [`work()`].
#[derive(Clone, Debug)]
#[must_use = "no work is done unless it is run"]
pub struct Work<S> {
    source: S,
    options: Options,
}

impl<S: Source> Work<S> {
    /// How many items are worked on at once at most; one, unless set. Workers are made when they are first needed, so any number
    /// will do: there are no more of them than items at once, and, where they are tasks, than 64 beyond that.
    pub fn workers(mut self, workers: NonZeroUsize) -> Self {
        self.options.workers = workers;
        self
    }

    /// As many workers as `says` says, at any time: the number may change while the run goes on, instead of the one that
    /// [`workers`](Self::workers) sets. With fewer, whoever is too many ends with the item that he has.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::sync::watch;
    /// use wakeful::work::{Count, Lease, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, time) = (Scope::new(sim.time()), sim.time());
    ///     let (width, says) = watch::channel(NonZeroUsize::MIN);
    ///     sim.spawn("resizer", async move {
    ///         time.sleep(Duration::from_secs(5)).await;
    ///         width.send(NonZeroUsize::new(5).unwrap()).ok();
    ///     });
    ///     let body = |_: Lease<u32>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(1)).await) };
    ///     let report = work(0..30).workers_follow(says).run(&scope, body, Count::new()).await;
    ///     assert_eq!((report.count.done, report.elapsed()), (30, Duration::from_secs(10)));
    /// });
    /// ```
    pub fn workers_follow(mut self, says: watch::Receiver<NonZeroUsize>) -> Self {
        self.options.follows = Some(says);
        self
    }

    /// As many workers as it takes to be done by the deadline, by how long items took so far on average and how many are left,
    /// but no more than `most`. It begins with as many as [`workers`](Self::workers) says, and stays with them as long as
    /// nothing has ended, there is no deadline, or the source does not know how many are left.
    ///
    /// For a service that gets slower when it gets more to do, have bodies call it by a
    /// [`Concurrency`](crate::limit::Concurrency) instead.
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
    ///     let body = |_: Lease<u32>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(1)).await) };
    ///     let work = work(0..100).deadline_after(Duration::from_secs(30));
    ///     let report = work.workers_to_meet(NonZeroUsize::new(50).unwrap()).run(&scope, body, Count::new()).await;
    ///     assert!(report.is_complete());
    ///     assert_eq!((report.per_worker.len(), report.elapsed()), (4, Duration::from_secs(30)));
    /// });
    /// ```
    pub fn workers_to_meet(mut self, most: NonZeroUsize) -> Self {
        self.options.to_meet = Some(most);
        self
    }

    /// What to do when an item fails, panics or is timed out: go on with the others, unless set.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.options.on_error = on_error;
        self
    }

    /// Ends the run at `at`. The scope's effective deadline holds in any case; whichever comes first counts.
    pub fn deadline_at(mut self, at: Instant) -> Self {
        self.options.limit = Limit::At(at);
        self
    }

    /// Ends the run when `duration` has passed since its first poll. See [`deadline_at`](Self::deadline_at).
    pub fn deadline_after(mut self, duration: Duration) -> Self {
        self.options.limit = Limit::After(duration);
        self
    }

    /// Starts no item when less than `duration` is left until the deadline; none, unless set.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Count, Lease, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let takes = Duration::from_millis(100);
    ///     let body = |_: Lease<u32>| async move { Ok::<_, ()>(wakeful::sleep(takes).await) };
    ///     let report =
    ///         work(0..20).deadline_after(Duration::from_millis(950)).min_time(takes).run(&scope, body, Count::new()).await;
    ///     assert_eq!((report.count.done, report.count.cancelled, report.not_started), (9, 0, Some(11)));
    ///     assert_eq!(report.elapsed(), Duration::from_millis(900));
    /// });
    /// ```
    pub fn min_time(mut self, duration: Duration) -> Self {
        self.options.min_time = duration;
        self
    }

    /// Lets what runs at the run's own deadline go on for `duration`; nothing is started meanwhile. None, unless set. A
    /// deadline of the scope is not put off by it.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Count, Lease, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let body = |_: Lease<u32>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(2)).await) };
    ///     let work = work(0..10).deadline_after(Duration::from_secs(3)).grace(Duration::from_secs(5));
    ///     let report = work.run(&scope, body, Count::new()).await;
    ///     assert_eq!((report.count.done, report.count.cancelled, report.not_started), (2, 0, Some(8)));
    ///     assert_eq!(report.elapsed(), Duration::from_secs(4));
    /// });
    /// ```
    pub fn grace(mut self, duration: Duration) -> Self {
        self.options.grace = duration;
        self
    }

    /// Starts no item when less time is left until the deadline than `percent` of 100 items have taken at most so far; as soon
    /// as `after` of them have come to their end, with a result or an error. [`min_time`](Self::min_time) holds as well.
    ///
    /// What they took is kept in a histogram of constant size, so that the answer may be too long by an eighth. More than 100
    /// percent are 100.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Count, Lease, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let body = |_: Lease<u32>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_millis(100)).await) };
    ///     let work = work(0..20).deadline_after(Duration::from_millis(950)).min_time_observed(90, 5);
    ///     let report = work.run(&scope, body, Count::new()).await;
    ///     assert_eq!((report.count.done, report.count.cancelled, report.not_started), (9, 0, Some(11)));
    /// });
    /// ```
    pub fn min_time_observed(mut self, percent: u8, after: u32) -> Self {
        self.options.observed = Some(Observed { percent: percent.min(100), after: u64::from(after).max(1) });
        self
    }

    /// Cuts a body short when it has run for `duration`; never, unless set. It counts from the start, and what is ready in time or at
    /// that instant is done: with no time at all, that is a body whose first poll is its last.
    pub fn item_timeout(mut self, duration: Duration) -> Self {
        self.options.item_timeout = duration;
        self
    }

    /// Takes a permit of `limiter` before each item is pulled. When the next one would come too late for the deadline, no
    /// more items are started.
    ///
    /// While a permit is waited for nobody asks the source: that a queue was closed is found out when the permit has come.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::limit::{Limiter, Quota};
    /// use wakeful::work::{Count, Lease, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
    ///     let body = |_: Lease<u32>| async { Ok::<_, ()>(()) };
    ///     let report = work(0..11).rate(&limiter).run(&scope, body, Count::new()).await;
    ///     assert_eq!((report.count.done, report.elapsed()), (11, Duration::from_secs(1)));
    /// });
    /// ```
    pub fn rate(mut self, limiter: &Limiter) -> Self {
        self.options.limiter = Some(limiter.clone());
        self
    }

    /// Gives the results to a consumer as a stream, while the workers go on. It is the last setting: see [`Drive`].
    pub fn drive(self) -> Drive<S> {
        Drive::new(self.source, self.options)
    }

    /// Works on `most` items of one key at a time at most, of one host for instance; those of other keys go on meanwhile. It is
    /// the last setting: see [`PerKey`].
    ///
    /// Where items are references and the run is part of a future that has to be `Send`, let `key` be a function with a name, of
    /// `&&Item`: the compiler takes no closure for one there.
    pub fn per_key<F, G>(self, most: NonZeroUsize, key: F) -> PerKey<S, F>
    where
        F: FnMut(&S::Item) -> G,
        G: Hash + Eq,
    {
        PerKey::new(self.source, self.options, most, key)
    }

    /// Does the work: calls `body` with each item, and tells `sink` what became of it.
    ///
    /// Everything happens inside the returned future: nothing is spawned, so source, body and sink may borrow, and the
    /// future is `Send` if they are.
    ///
    /// # Time
    /// The clock of `scope`. It is read once a poll and once an item; not at all between the run's beginning and its end,
    /// if there is neither a deadline nor a timeout.
    ///
    /// # Cancel safety
    /// Dropping the future drops the bodies that run, each in a panic guard of its own, and with them their items; nobody is
    /// told, and the source is dropped too. To end a run and keep its report, cancel the scope.
    ///
    /// # Panics
    /// Passes on the panics of the source and the sink. Those of bodies are outcomes, with `std`.
    pub fn run<F, Fut, O, E, K>(self, scope: &Scope, body: F, sink: K) -> impl Future<Output = Report<S::Rest>>
    where
        F: Fn(Lease<S::Item>) -> Fut,
        Fut: Future<Output = Result<O, E>>,
        K: Sink<S::Item, O, E>,
    {
        run::in_place(self.source, self.options, scope, body, sink)
    }

    /// Does the work in parallel, by workers that are tasks of `spawner`; gives the report, and `sink` with what it was told.
    ///
    /// For bodies that compute, or block for a while. Others are at home in a [run](Self::run) in one task, which is cheaper,
    /// and may borrow. A task is spawned for each worker: for up to 64 of them at once, and for up to 64 more, if there are to be
    /// so many, whenever each that is there has an item. With settings that change their number others are spawned when there
    /// are to be more, and a worker leaves, when he has ended his item, while there are more than that. One whose task the
    /// executor has dropped is not replaced, unless the number is set anew. Each worker
    /// [observes](Self::min_time_observed) for himself.
    ///
    /// # Fairness
    /// Source and sink are one worker's at a time; who waits for the source is called first come, first served.
    ///
    /// # Time
    /// As of [`run`](Self::run).
    ///
    /// # Cancel safety
    /// Dropping the future cancels the workers, who end at their next poll; nobody is told, and the source is dropped. To end a
    /// run and keep its report, cancel the scope: the report comes when the workers are gone, also where a run of the scope
    /// would end sooner.
    ///
    /// # Panics
    /// Passes on the first panic of the source or the sink, when all workers are gone. Those of bodies are outcomes, with
    /// `std`.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Collect, Lease, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     // On tokio: |task: Task| { tokio::spawn(task); }
    ///     let (scope, spawner) = (Scope::new(sim.time()), sim.spawner());
    ///     let body = |item: Lease<u64>| async move {
    ///         wakeful::sleep(Duration::from_secs(1)).await;
    ///         Ok::<_, ()>(*item * *item)
    ///     };
    ///     let squares = work(1..=6).workers(NonZeroUsize::new(3).unwrap());
    ///     let (report, all) = squares.run_on(spawner, &scope, body, Collect::new()).await;
    ///     assert_eq!((report.count.done, report.elapsed()), (6, Duration::from_secs(2)));
    ///     assert_eq!(all.into_results(), [1, 4, 9, 16, 25, 36]);
    /// });
    /// ```
    pub fn run_on<P, F, Fut, O, E, K>(
        self,
        spawner: P,
        scope: &Scope,
        body: F,
        sink: K,
    ) -> impl Future<Output = (Report<S::Rest>, K)>
    where
        P: Spawn,
        S: Send + 'static,
        S::Item: Send + 'static,
        F: Fn(Lease<S::Item>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Send + 'static,
        E: Send + 'static,
        K: Sink<S::Item, O, E> + Send + 'static,
    {
        spawned::run_on(spawner, self.source, self.options, scope, body, sink)
    }
}

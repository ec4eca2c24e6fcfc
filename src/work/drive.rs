//! Results as a stream, while the workers go on.
//!
//! The source is wrapped by one that gives out nothing while too much has not been taken, and the sink lays down what it is
//! told. Run and consumer are polled side by side, each when it was woken.
//!
//! # Invariants
//!
//! - **W1** Nothing is pulled while as many results as the buffer has room for have not been taken. They count from their end until
//!   they are taken, wherever they lie: with the sink, which lays them down by the batch, and what is left when the run is about
//!   to rest; between both; or with the consumer, who fetches all that are there, and hands back those that he does not take.
//! - **W2** In order, the place of a result is that of its index behind the last one that may be taken. The one that is waited
//!   for is worked on, or has ended, as items are pulled in that order: so it comes although nothing more is started.
//! - **W3** A wake-up of the consumer does not poll the run, nor the other way round.

mod hub;
#[cfg(test)]
mod loom_tests;

use super::lease::Lease;
use super::options::Options;
use super::outcome::Ended;
use super::per_key::{ByKey, PerKeyRest};
use super::report::Report;
use super::source::Source;
use super::{run, spawned};
use crate::cancel::Scope;
use crate::spawn::Spawn;
use crate::sys::Arc;
use crate::wait::Ready;
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::hash::Hash;
use core::num::NonZeroUsize;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use hub::{Hub, Teller, Throttled};

pub use hub::Results;

/// How often run and consumer have a turn before others have one.
const ROUNDS: usize = 64;

const RUN: usize = 0;
const CONSUMER: usize = 1;

/// Work whose results are a stream; made by [`Work::drive`](super::Work::drive).
///
/// A stream of futures that are polled by whoever takes from it, such as `buffer_unordered`, stands still while that one waits
/// for something else. Here workers and consumer go on side by side, in one task: while the consumer writes to a file, say,
/// items are started and ended, until as many results wait as the [buffer](Self::buffer) has room for. Then nothing more is
/// started until one is taken.
///
/// For a short reaction to each result, a closure as the [sink](super::Sink) of [`Work::run`](super::Work::run) is simpler.
/// For workers that are tasks, there is [`run_on`](Self::run_on).
///
/// # Examples
/// A consumer that takes a while itself:
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{Lease, work};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let body = |item: Lease<u64>| async move {
///         wakeful::sleep(Duration::from_secs(2)).await;
///         Ok::<_, ()>(*item * *item)
///     };
///     let squares = work(1..=5).workers(NonZeroUsize::new(2).unwrap()).drive().in_order();
///     let driven = squares
///         .run(&scope, body, async |mut results| {
///             let mut sum = 0;
///             while let Some(ended) = results.next().await {
///                 scope.sleep(Duration::from_secs(1)).await; // workers go on meanwhile
///                 sum += ended.outcome.done().unwrap();
///             }
///             sum
///         })
///         .await;
///     assert_eq!((driven.value, driven.report.count.done), (55, 5));
///     // Three rounds of workers, and the last result's own second.
///     assert_eq!(sim.now().as_nanos(), 7_000_000_000);
/// });
/// ```
#[derive(Clone, Debug)]
#[must_use = "no work is done unless it is run"]
pub struct Drive<S, R = Freely> {
    source: S,
    options: Options,
    rule: R,
    buffer: NonZeroUsize,
    is_ordered: bool,
}

/// The rule of a [`Drive`] by which each item may start.
#[derive(Clone, Debug)]
pub struct Freely(());

/// What comes of a [`Drive`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery<R, V, T, O, E> {
    /// The report of the run. Each item that was pulled is counted there, whether the consumer took its result or not.
    pub report: Report<R>,
    /// What the consumer returned.
    pub value: V,
    /// The results that the consumer did not take, in the order in which it would have got them.
    pub undelivered: Vec<Ended<T, O, E>>,
}

impl<S: Source> Drive<S> {
    pub(super) fn new(source: S, options: Options) -> Self {
        Self::by(source, options, Freely(()))
    }
}

impl<S: Source, R> Drive<S, R> {
    /// How many results may wait until nothing more is started, unless set.
    pub const DEFAULT_BUFFER: NonZeroUsize = NonZeroUsize::new(64).unwrap();

    pub(super) fn by(source: S, options: Options, rule: R) -> Self {
        Self { source, options, rule, buffer: Self::DEFAULT_BUFFER, is_ordered: false }
    }

    /// Starts nothing more while so many results have not been taken. As those that are worked on end all the same, there may
    /// be as many more, at most, as there are workers, less one; and as many more again as are [set aside](super::PerKey), which
    /// start as soon as their keys have room.
    pub fn buffer(mut self, results: NonZeroUsize) -> Self {
        self.buffer = results;
        self
    }

    /// Gives the results in the order of the source, instead of that in which items end. One that ended before an earlier one
    /// waits for it in the buffer.
    pub fn in_order(mut self) -> Self {
        self.is_ordered = true;
        self
    }

    /// The hub of a run in `scope`, whose workers are tasks of their own or not, and the source that heeds it.
    fn throttled<O, E>(self, scope: &Scope, is_shared: bool) -> (Throttled<S, O, E>, Options, R) {
        let hub = Arc::new(Hub::new(scope.clone(), self.buffer.get(), self.is_ordered, is_shared));
        (Throttled { source: self.source, hub }, self.options, self.rule)
    }
}

impl<S: Source> Drive<S> {
    /// Does the work, and gives `consumer` what becomes of the items.
    ///
    /// All settings of the run hold, and the outcome of every item that is pulled goes to the consumer, those that are
    /// cancelled or skipped too. A consumer that returns, or drops its [`Results`], before the run is over cancels it: what
    /// runs is cut short, and what was not taken comes back in [`Delivery::undelivered`]. When the run is over, by its deadline for
    /// instance, the consumer goes on until it has taken the rest. It is in no other scope than the caller is.
    ///
    /// # Fairness
    /// Workers and consumer are polled when they were woken, in turn.
    ///
    /// # Time
    /// As of [`Work::run`](super::Work::run). Deadlines of the run do not bound the consumer.
    ///
    /// # Cancel safety
    /// Dropping the future drops the consumer, then the bodies that run, and all results that were not taken. To end a run and
    /// keep its report, cancel the scope, or return from the consumer.
    ///
    /// # Panics
    /// Passes on the panics of the source and the consumer. Those of bodies are outcomes, with `std`.
    pub fn run<F, Fut, O, E, C, CFut, V>(
        self,
        scope: &Scope,
        body: F,
        consumer: C,
    ) -> impl Future<Output = Delivery<S::Rest, V, S::Item, O, E>>
    where
        F: Fn(Lease<S::Item>) -> Fut,
        Fut: Future<Output = Result<O, E>>,
        C: FnOnce(Results<S::Item, O, E>) -> CFut,
        CFut: Future<Output = V>,
    {
        let scope = scope.child();
        async move {
            let (source, options, Freely(())) = self.throttled(&scope, false);
            let hub = source.hub.clone();
            let run = pin!(run::in_place(source, options, &scope, body, Teller::new(hub.clone())));
            side_by_side(hub, run, consumer).await
        }
    }

    /// Does the work in parallel, as [`Work::run_on`](super::Work::run_on) does, and gives `consumer`, which stays in the caller's
    /// task, what becomes of the items.
    ///
    /// The buffer holds the workers up as it does in [`run`](Self::run). A consumer that returns ends them, and the report comes
    /// when they are gone.
    ///
    /// # Fairness
    /// Workers are tasks, and have their turns from the executor; results are taken in the order in which items end, unless they are
    /// to come [in order](Self::in_order).
    ///
    /// # Time
    /// As of [`Work::run`](super::Work::run). Deadlines of the run do not bound the consumer.
    ///
    /// # Cancel safety
    /// Dropping the future drops the consumer, and cancels the workers, who end at their next poll; results that were not taken
    /// are dropped. To end a run and keep its report, cancel the scope, or return from the consumer.
    ///
    /// # Panics
    /// Passes on the panics of the source, when all workers are gone, and of the consumer. Those of bodies are outcomes, with `std`.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Lease, work};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     // On tokio: |task: Task| { tokio::spawn(task); }
    ///     let (scope, spawner) = (Scope::new(sim.time()), sim.spawner());
    ///     let body = |item: Lease<u64>| async move {
    ///         wakeful::sleep(Duration::from_secs(2)).await;
    ///         Ok::<_, ()>(*item * *item)
    ///     };
    ///     let squares = work(1..=5).workers(NonZeroUsize::new(2).unwrap()).drive().in_order();
    ///     let driven = squares
    ///         .run_on(spawner, &scope, body, async |mut results| {
    ///             let mut all = Vec::new();
    ///             while let Some(ended) = results.next().await {
    ///                 scope.sleep(Duration::from_secs(1)).await; // workers go on meanwhile
    ///                 all.extend(ended.outcome.done());
    ///             }
    ///             all
    ///         })
    ///         .await;
    ///     assert_eq!((driven.value, driven.report.count.done), (vec![1, 4, 9, 16, 25], 5));
    ///     assert_eq!(sim.now().as_nanos(), 7_000_000_000);
    /// });
    /// ```
    pub fn run_on<P, F, Fut, O, E, C, CFut, V>(
        self,
        spawner: P,
        scope: &Scope,
        body: F,
        consumer: C,
    ) -> impl Future<Output = Delivery<S::Rest, V, S::Item, O, E>>
    where
        P: Spawn,
        S: Send + 'static,
        S::Item: Send + 'static,
        F: Fn(Lease<S::Item>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Send + 'static,
        E: Send + 'static,
        C: FnOnce(Results<S::Item, O, E>) -> CFut,
        CFut: Future<Output = V>,
    {
        let scope = scope.child();
        async move {
            let (source, options, Freely(())) = self.throttled(&scope, true);
            let hub = source.hub.clone();
            let run = spawned::run_on(spawner, source, options, &scope, body, Teller::new(hub.clone()));
            let run = pin!(async { run.await.0 });
            side_by_side(hub, run, consumer).await
        }
    }
}

impl<S: Source, F> Drive<S, ByKey<F>> {
    /// Does the work, with so many items of one key at a time, and gives `consumer` what becomes of the items. All that holds for
    /// [work without a bound for each key](Drive::run) holds here.
    ///
    /// # Cancel safety
    /// As without a bound for each key: what is set aside is dropped with the source.
    pub fn run<G, B, Fut, O, E, C, CFut, V>(
        self,
        scope: &Scope,
        body: B,
        consumer: C,
    ) -> impl Future<Output = KeyedDelivery<S, V, O, E>>
    where
        F: FnMut(&S::Item) -> G,
        G: Hash + Eq,
        B: Fn(Lease<S::Item>) -> Fut,
        Fut: Future<Output = Result<O, E>>,
        C: FnOnce(Results<S::Item, O, E>) -> CFut,
        CFut: Future<Output = V>,
    {
        let scope = scope.child();
        async move {
            let (source, options, rule) = self.throttled(&scope, false);
            let hub = source.hub.clone();
            let run = pin!(rule.over(source, options).run(&scope, body, Teller::new(hub.clone())));
            side_by_side(hub, run, consumer).await
        }
    }

    /// Does the work in parallel, by workers that are tasks of `spawner`, with so many items of one key at a time. All that holds
    /// for [work without a bound for each key](Drive::run_on) holds here.
    ///
    /// # Cancel safety
    /// As without a bound for each key: what is set aside is dropped with the source.
    pub fn run_on<P, G, B, Fut, O, E, C, CFut, V>(
        self,
        spawner: P,
        scope: &Scope,
        body: B,
        consumer: C,
    ) -> impl Future<Output = KeyedDelivery<S, V, O, E>>
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
        C: FnOnce(Results<S::Item, O, E>) -> CFut,
        CFut: Future<Output = V>,
    {
        let scope = scope.child();
        async move {
            let (source, options, rule) = self.throttled(&scope, true);
            let hub = source.hub.clone();
            let run = rule.over(source, options).run_on(spawner, &scope, body, Teller::new(hub.clone()));
            let run = pin!(async { run.await.0 });
            side_by_side(hub, run, consumer).await
        }
    }
}

/// What comes of a run with a bound for each key.
type KeyedDelivery<S, V, O, E> =
    Delivery<PerKeyRest<<S as Source>::Item, <S as Source>::Rest>, V, <S as Source>::Item, O, E>;

/// Polls run and consumer, each when it was woken, until both are over.
async fn side_by_side<R, V, T, O, E, C: Future<Output = V>>(
    hub: Arc<Hub<T, O, E>>,
    mut run: Pin<&mut impl Future<Output = Report<R>>>,
    consumer: impl FnOnce(Results<T, O, E>) -> C,
) -> Delivery<R, V, T, O, E> {
    let mut consumer = pin!(consumer(Results::new(hub.clone())));
    let (mut report, mut value) = (None, None);
    let mut ready = Ready::new();
    let wakers = [RUN, CONSUMER].map(|number| ready.control_waker(number));
    wakers[CONSUMER].wake_by_ref();
    let (report, value) = poll_fn(|cx| {
        ready.begin(cx.waker());
        for _ in 0..ROUNDS {
            // W3.
            let woken = ready.take_control();
            let is_woken = |number: usize| woken & (1 << number) != 0;
            if is_woken(RUN) && report.is_none() {
                if let Poll::Ready(over) = run.as_mut().poll(&mut Context::from_waker(&wakers[RUN])) {
                    report = Some(over);
                    hub.over();
                }
            }
            if is_woken(CONSUMER) && value.is_none() {
                let _turn = hub.consumer_turn();
                if let Poll::Ready(over) = consumer.as_mut().poll(&mut Context::from_waker(&wakers[CONSUMER])) {
                    value = Some(over);
                    hub.close();
                }
            }
            if report.is_some() && value.is_some() {
                return Poll::Ready((report.take(), value.take()));
            }
            if ready.rest() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    let (Some(report), Some(value)) = (report, value) else { unreachable!("both are over") };
    Delivery { report, value, undelivered: hub.empty() }
}

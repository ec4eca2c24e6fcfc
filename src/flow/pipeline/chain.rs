//! A pipeline as it is put together: the source, and one stage after another.

use super::link::{Exit, Link, Tells};
use super::report::PipelineReport;
use super::run::{self, Handed, Lent, Nothing, Plan, Running, Runs, Teller, Throttled};
use super::stage::Stage;
use crate::cancel::Scope;
use crate::spawn::Spawn;
use crate::sys::Arc;
use crate::time::Instant;
use crate::work::{IntoSource, Lease, Sink, Source, work};
use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::time::Duration;

/// A pipeline whose first stage takes the items of `source`: something to iterate over, a stream, a queue's receiver, as
/// [`work`](crate::work::work()) takes it.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::flow::pipeline::{pipeline, stage};
/// use wakeful::work::Lease;
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let slow = async |seconds| wakeful::sleep(Duration::from_secs(seconds)).await;
///     let mut written = Vec::new();
///     let report = pipeline(1..=4)
///         .then(stage("read").workers(NonZeroUsize::new(2).unwrap()).in_order(), |n: Lease<u64>| async move {
///             slow(3).await;
///             if *n == 3 { Err("unreadable") } else { Ok(*n) }
///         })
///         .then(stage("square"), |n: Lease<u64>| async move { Ok::<_, ()>(*n * *n) })
///         .then(stage("write"), |n: Lease<u64>| async move {
///             slow(1).await;
///             Ok::<_, ()>(*n)
///         })
///         .deadline_after(Duration::from_secs(60))
///         .run(&scope, |n| written.push(n))
///         .await;
///     assert_eq!(written, [1, 4, 16]);
///     let done: Vec<_> = report.stages.iter().map(|stage| (stage.count.done, stage.count.failed)).collect();
///     assert_eq!((done, report.elapsed().as_secs()), (vec![(3, 1), (3, 0), (3, 0)], 7));
/// });
/// ```
pub fn pipeline<M, S: IntoSource<M>>(source: S) -> Pipeline<Begin<S::Source>> {
    Pipeline { line: Begin(source.into_source()), deadline: Ends::Never }
}

/// A pipeline that is being put together; made by [`pipeline()`].
#[must_use = "a pipeline does nothing unless it is run"]
pub struct Pipeline<L> {
    line: L,
    deadline: Ends,
}

/// When the pipeline ends.
#[derive(Clone, Copy)]
enum Ends {
    Never,
    At(Instant),
    After(Duration),
}

/// A pipeline of no stages yet.
#[derive(Clone, Debug)]
pub struct Begin<S>(S);

/// The stages of `L`, and one more.
pub struct Then<L, K, F> {
    line: L,
    stage: Stage<K>,
    body: F,
}

/// The stages of `L`, and one more whose workers are tasks.
pub struct ThenOn<L, K, F, P> {
    line: L,
    stage: Stage<K>,
    body: F,
    spawner: P,
}

/// What stages are put behind. Closed.
pub trait Line {
    /// What the next stage is given.
    type Item;
    /// What is left of the source.
    type Rest;
    #[doc(hidden)]
    type Feed: Source<Item = Self::Item>;
    #[doc(hidden)]
    const LEN: usize;

    #[doc(hidden)]
    fn lay(
        self,
        plan: Arc<Plan>,
        next: Tells,
    ) -> Laid<Self::Feed, Self::Item, impl Runs<Back = <Self::Feed as Source>::Rest, Rest = Self::Rest>>;
}

/// At least one stage. Closed.
#[diagnostic::on_unimplemented(message = "a pipeline without stages can't be run", note = "add one by `then`")]
pub trait Staged: Line<Feed = Handed<<Self as Line>::Item>> {}

impl<L: Line, K, F> Staged for Then<L, K, F> where Self: Line<Feed = Handed<<Self as Line>::Item>> {}
impl<L: Line, K, F, P> Staged for ThenOn<L, K, F, P> where Self: Line<Feed = Handed<<Self as Line>::Item>> {}

/// Stages that are ready to run.
#[derive(Debug)]
pub struct Laid<S, T, R> {
    /// What the next stage pulls from.
    feed: S,
    /// The queue in between, behind a stage.
    link: Option<Arc<Link<T>>>,
    runs: R,
}

impl<S: Source> Line for Begin<S> {
    type Item = S::Item;
    type Rest = S::Rest;
    type Feed = S;
    const LEN: usize = 0;

    fn lay(self, _: Arc<Plan>, _: Tells) -> Laid<S, S::Item, impl Runs<Back = S::Rest, Rest = S::Rest>> {
        Laid { feed: self.0, link: None, runs: Nothing(PhantomData) }
    }
}

impl<L, K, F, Fut, O, E> Line for Then<L, K, F>
where
    L: Line,
    F: Fn(Lease<L::Item>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
    K: Sink<L::Item, Infallible, E>,
{
    type Item = O;
    type Rest = L::Rest;
    type Feed = Handed<O>;
    const LEN: usize = L::LEN + 1;

    fn lay(self, plan: Arc<Plan>, next: Tells) -> Laid<Handed<O>, O, impl Runs<Back = (), Rest = L::Rest>> {
        let Self { line, stage, body } = self;
        let Laid { feed, link: before, runs } = line.lay(plan.clone(), Tells::AtRest);
        let link = Link::new();
        let (gate, entry) = stage.ends(&link, Tells::AtRest);
        let work = stage.set_up(work(Throttled { source: feed, gate }));
        let name = stage.name.clone();
        let mut teller = Teller::new(&plan, L::LEN, stage, entry);
        let run = async move {
            let report = work.run(&plan.stages[L::LEN], body, Lent(&mut teller)).await;
            (report, teller)
        };
        let stage = run::stage::<L::Item, O, E, K, _>(name, before, run);
        Laid { feed: Handed(Exit::new(&link, next)), link: Some(link), runs: Running::new(runs, stage, L::LEN) }
    }
}

impl<L, K, F, Fut, O, E, P> Line for ThenOn<L, K, F, P>
where
    L: Line,
    L::Feed: Send + 'static,
    L::Item: Send + 'static,
    P: Spawn,
    F: Fn(Lease<L::Item>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Send + 'static,
    E: Send + 'static,
    K: Sink<L::Item, Infallible, E> + Send + 'static,
{
    type Item = O;
    type Rest = L::Rest;
    type Feed = Handed<O>;
    const LEN: usize = L::LEN + 1;

    fn lay(self, plan: Arc<Plan>, next: Tells) -> Laid<Handed<O>, O, impl Runs<Back = (), Rest = L::Rest>> {
        let Self { line, stage, body, spawner } = self;
        let Laid { feed, link: before, runs } = line.lay(plan.clone(), Tells::Promptly);
        let link = Link::new();
        let (gate, entry) = stage.ends(&link, Tells::Promptly);
        let work = stage.set_up(work(Throttled { source: feed, gate }));
        let name = stage.name.clone();
        let teller = Teller::new(&plan, L::LEN, stage, entry);
        let run = async move { work.run_on(spawner, &plan.stages[L::LEN], body, teller).await };
        let stage = run::stage::<L::Item, O, E, K, _>(name, before, run);
        Laid { feed: Handed(Exit::new(&link, next)), link: Some(link), runs: Running::new(runs, stage, L::LEN) }
    }
}

impl<L: Line> Pipeline<L> {
    /// Adds a stage: its workers call `body` with each item that the stage before hands on, and hand the result on to the next.
    ///
    /// They run inside the pipeline's own future, so that the body may borrow.
    pub fn then<K, F, Fut, O, E>(self, stage: Stage<K>, body: F) -> Pipeline<Then<L, K, F>>
    where
        F: Fn(Lease<L::Item>) -> Fut,
        Fut: Future<Output = Result<O, E>>,
        K: Sink<L::Item, Infallible, E>,
    {
        Pipeline { line: Then { line: self.line, stage, body }, deadline: self.deadline }
    }

    /// As [`then`](Self::then), with workers that are tasks of `spawner`: for bodies that compute, or block for a while. A
    /// pipeline may have stages of both kinds.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use wakeful::cancel::Scope;
    /// use wakeful::flow::pipeline::{pipeline, stage};
    /// use wakeful::work::Lease;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     // On tokio: |task: Task| { tokio::spawn(task); }
    ///     let (scope, spawner) = (Scope::new(sim.time()), sim.spawner());
    ///     let parallel = stage("factor").workers(NonZeroUsize::new(4).unwrap()).in_order();
    ///     let factor = |n: Lease<u64>| async move { (2..=*n).find(|by| *n % by == 0).ok_or("it has none") };
    ///     let mut factors = Vec::new();
    ///     let report = pipeline([15, 49, 1, 64])
    ///         .then_on(spawner, parallel, factor)
    ///         .then(stage("print"), |n: Lease<u64>| async move { Ok::<_, ()>(n.to_string()) })
    ///         .run(&scope, |text| factors.push(text))
    ///         .await;
    ///     assert_eq!((factors, report.stages[0].count.failed), (vec!["3".into(), "7".into(), "2".into()], 1));
    /// });
    /// ```
    pub fn then_on<P, K, F, Fut, O, E>(self, spawner: P, stage: Stage<K>, body: F) -> Pipeline<ThenOn<L, K, F, P>>
    where
        L::Feed: Send + 'static,
        L::Item: Send + 'static,
        P: Spawn,
        F: Fn(Lease<L::Item>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        O: Send + 'static,
        E: Send + 'static,
        K: Sink<L::Item, Infallible, E> + Send + 'static,
    {
        Pipeline { line: ThenOn { line: self.line, stage, body, spawner }, deadline: self.deadline }
    }

    /// Ends the whole pipeline at `at`. The scope's effective deadline holds in any case; whichever comes first counts.
    pub fn deadline_at(mut self, at: Instant) -> Self {
        self.deadline = Ends::At(at);
        self
    }

    /// Ends the whole pipeline when `duration` has passed since its first poll. See [`deadline_at`](Self::deadline_at).
    pub fn deadline_after(mut self, duration: Duration) -> Self {
        self.deadline = Ends::After(duration);
        self
    }
}

impl<L: Staged> Pipeline<L> {
    /// Does the work of all stages, gives `sink` what comes out of the last one, and returns a report for each.
    ///
    /// # Fairness
    /// Stages are polled when they were woken, in turn, from the first to the last; a poll that has gone on for 64 rounds lets
    /// others have a turn.
    ///
    /// # Time
    /// The clock of `scope`, as [`Work::run`](crate::work::Work::run) reads it for each stage.
    ///
    /// # Cancel safety
    /// Dropping the future drops the bodies that run, what lies between stages, and the source; workers that are tasks are
    /// cancelled, and end at their next poll. Nobody is told. To end a pipeline and keep its report, cancel the scope.
    ///
    /// # Panics
    /// Passes on the panics of the source and the sinks. Those of bodies are outcomes, with `std`.
    pub fn run<S: FnMut(L::Item)>(self, scope: &Scope, sink: S) -> impl Future<Output = PipelineReport<L::Rest>> {
        let scope = scope.child();
        let Self { line, deadline } = self;
        async move {
            let started = scope.now();
            match deadline {
                Ends::Never => {}
                Ends::At(at) => scope.set_deadline(at),
                Ends::After(duration) => scope.set_deadline(started + duration),
            }
            let stages = (0..L::LEN).map(|_| scope.child()).collect();
            let plan = Arc::new(Plan { scope, stages });
            let Laid { feed: Handed(last), runs, .. } = line.lay(plan.clone(), Tells::AtRest);
            run::run(plan, started, last, runs, sink).await
        }
    }
}

impl<L: fmt::Debug> fmt::Debug for Pipeline<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pipeline").field(&self.line).finish()
    }
}

impl<L: fmt::Debug, K, F> fmt::Debug for Then<L, K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Then").field(&self.line).field(&self.stage.name).finish()
    }
}

impl<L: fmt::Debug, K, F, P> fmt::Debug for ThenOn<L, K, F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThenOn").field(&self.line).field(&self.stage.name).finish()
    }
}

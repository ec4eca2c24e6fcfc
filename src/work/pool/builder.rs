//! Settings of a pool.

use super::feed;
use super::state::Shared;
use super::{Handle, WorkerPool};
use crate::cancel::Scope;
use crate::limit::Limiter;
use crate::spawn::{Spawn, Task};
use crate::sync::{Semaphore, watch};
use crate::sys::Arc;
use crate::time::Instant;
use crate::work::lease::Lease;
use crate::work::options::{Limit, Options};
use core::fmt;
use core::future::Future;
use core::num::NonZeroUsize;
use core::time::Duration;

/// Workers that call `body` with each item that is submitted to them; to be set up and [spawned](WorkerPoolBuilder::spawn_on).
///
/// The body is given a [`Lease`] of the item, as in a [run](super::super::work()).
///
/// # Examples
/// ```
/// use core::num::{NonZeroU32, NonZeroUsize};
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::limit::{Limiter, Quota};
/// use wakeful::work::{ItemOutcome, Lease, worker_pool};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(100).unwrap()));
///     let send = |mail: Lease<String>| async move {
///         let seconds = if mail.contains("slow") { 60 } else { 1 };
///         Ok::<_, ()>(wakeful::sleep(Duration::from_secs(seconds)).await)
///     };
///     let pool = worker_pool(send)
///         .workers(NonZeroUsize::new(4).unwrap())
///         .capacity(NonZeroUsize::new(1_000).unwrap())
///         .item_timeout(Duration::from_secs(10))
///         .rate(&limiter)
///         .spawn_on(sim.spawner(), &scope);
///     let (slow, fast) = (pool.try_submit("to slow".into()).unwrap(), pool.try_submit("to fast".into()).unwrap());
///     assert_eq!(fast.await, ItemOutcome::Done(()));
///     assert_eq!(slow.await, ItemOutcome::TimedOut { item: Some("to slow".into()) });
/// });
/// ```
pub fn worker_pool<T, F, Fut>(body: F) -> WorkerPoolBuilder<F>
where
    F: Fn(Lease<T>) -> Fut,
{
    WorkerPoolBuilder { body, options: Options::new(), capacity: WorkerPoolBuilder::<F>::DEFAULT_CAPACITY }
}

/// A pool that is being set up; made by [`worker_pool`].
#[must_use = "there is no pool before it is spawned"]
pub struct WorkerPoolBuilder<F> {
    body: F,
    options: Options,
    capacity: NonZeroUsize,
}

impl<F> WorkerPoolBuilder<F> {
    /// How many items may be in the queue, unless it is said otherwise.
    pub const DEFAULT_CAPACITY: NonZeroUsize = NonZeroUsize::new(64).expect("it is not zero");

    /// How many workers there are at most, each of which works on one item at a time; one, unless set. It may be
    /// [changed](WorkerPool::resize) later. Any number will do: no more than 64 are there beyond those that had an item.
    pub fn workers(mut self, workers: NonZeroUsize) -> Self {
        self.options.workers = workers;
        self
    }

    /// How many items may be in the queue; [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY), unless set. Those that are worked on
    /// are not in it. More than a [`Semaphore`] has [permits](Semaphore::MAX_PERMITS) are as many as it has.
    pub fn capacity(mut self, items: NonZeroUsize) -> Self {
        self.capacity = items;
        self
    }

    /// Cuts a body short when it has run for `duration`; never, unless set. It counts from the start, and what is ready in time or at
    /// that instant is done: with no time at all, that is a body whose first poll is its last.
    pub fn item_timeout(mut self, duration: Duration) -> Self {
        self.options.item_timeout = duration;
        self
    }

    /// Takes a permit of `limiter` before each item that is started. A worker that waits for an item has one already.
    pub fn rate(mut self, limiter: &Limiter) -> Self {
        self.options.limiter = Some(limiter.clone());
        self
    }

    /// Takes and starts no item when less than `duration` is left until its deadline, be it the pool's or its
    /// [own](WorkerPool::submit_before); none, unless set.
    pub fn min_time(mut self, duration: Duration) -> Self {
        self.options.min_time = duration;
        self
    }

    /// Ends the pool at `at`: what is worked on then is cancelled, what is in the queue skipped. The scope's effective
    /// deadline holds in any case; whichever comes first counts.
    pub fn deadline_at(mut self, at: Instant) -> Self {
        self.options.limit = Limit::At(at);
        self
    }

    /// Ends the pool when `duration` has passed since it was spawned. See [`deadline_at`](Self::deadline_at).
    pub fn deadline_after(mut self, duration: Duration) -> Self {
        self.options.limit = Limit::After(duration);
        self
    }

    /// Spawns the pool: one task that looks after the workers, and one for each of them: for up to 64 at once, and for up to 64
    /// more, if there are to be so many, whenever each that is there has an item. Bodies run in a scope inside `scope`.
    ///
    /// If `spawner` drops the task, there are no workers: the pool is closed.
    ///
    /// A pool in a scope that [winds down](Scope::cancel_with_grace) takes nothing more and starts nothing more: what is in its
    /// queue is skipped. Where that is to be worked off too, as when a service is shut down, spawn it in a scope around the one
    /// that winds down, and [drain](WorkerPool::drain) it.
    ///
    /// # Examples
    /// A pool that works its queue off in a phase of a program's end:
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::Registry;
    /// use wakeful::work::{ItemOutcome, Lease, worker_pool};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (second, registry) = (Duration::from_secs(1), Registry::new(&Scope::new(sim.time())));
    ///     let requests = registry.phase("requests", 10 * second, second);
    ///     let body = move |_: Lease<u32>| async move { Ok::<_, ()>(wakeful::sleep(second).await) };
    ///     let pool = worker_pool(body).spawn_on(sim.spawner(), registry.scope()); // not the phase's
    ///     let tickets = [1, 2, 3].map(|item| pool.try_submit(item).unwrap());
    ///     let winds_down = requests.scope().draining();
    ///     let drains = async move {
    ///         winds_down.await;
    ///         pool.drain(9 * second).await;
    ///     };
    ///     drop(sim.spawn("pool", requests.track("pool", drains).unwrap()));
    ///
    ///     let report = registry.shutdown("the example is over").await;
    ///     assert_eq!(report.to_string(), "requests: 1 drained");
    ///     for ticket in tickets {
    ///         assert_eq!(ticket.await, ItemOutcome::Done(()));
    ///     }
    ///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
    /// });
    /// ```
    pub fn spawn_on<P, T, Fut, O, E>(self, spawner: P, scope: &Scope) -> WorkerPool<T, O, E>
    where
        P: Spawn + Send + Sync + 'static,
        F: Fn(Lease<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        T: Send + 'static,
        O: Send + 'static,
        E: Send + 'static,
    {
        let Self { body, options, capacity } = self;
        let own = scope.child_at(options.limit.deadline(scope.now()));
        let (width, says) = watch::channel(options.workers);
        let capacity = capacity.get().min(Semaphore::MAX_PERMITS);
        let shared = Arc::new(Shared::new(capacity, own, options.min_time, options.limiter.as_ref()));
        let options = Options { follows: Some(says), limit: Limit::None, ..options };
        let keeper = Keeper(shared.clone());
        let spawner = Arc::new(spawner);
        let spawns = spawner.clone();
        let task = async move {
            let shared = &keeper.0;
            let hires = move |task: Task| spawns.spawn(task);
            let stop = feed::run(hires, shared.clone(), options, body).await;
            shared.run_over(stop);
        };
        spawner.spawn(Task::new(task).named("worker pool"));
        WorkerPool(Arc::new(Handle { shared, width, capacity }))
    }
}

impl<F> fmt::Debug for WorkerPoolBuilder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options, capacity, .. } = self;
        f.debug_struct("WorkerPoolBuilder")
            .field("options", options)
            .field("capacity", capacity)
            .finish_non_exhaustive()
    }
}

/// Whoever looks after the workers. When that is gone, so is the pool.
struct Keeper<T, O, E>(Arc<Shared<T, O, E>>);

impl<T, O, E> Drop for Keeper<T, O, E> {
    fn drop(&mut self) {
        self.0.lost();
    }
}

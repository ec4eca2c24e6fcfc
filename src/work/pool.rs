//! Workers for the long-lived: items are submitted one by one, and each has a ticket.
//!
//! It is a run whose workers are tasks (`spawned.rs`), which decides what is started and when. What they share is the queue, from
//! which each of them pulls by itself; and of each item the worker itself tells its ticket what came of it.
//!
//! # Invariants
//!
//! - **W1** Every item that was taken ends exactly once: it is counted in one place, and its ticket is told, if there is one.
//!   Whoever has a job ends it; a job that is dropped is cancelled. Both are done under the lock of the pool: who finds the
//!   answer finds it counted, and a pool that is over has answered everything.
//! - **W2** Each item in the queue has taken a permit of `room`, which comes back when it leaves the queue.
//! - **W3** An item is in the queue, or a worker has it that is noted in its slot. Both change under the lock of the pool: who
//!   gives up an item and does not find it in the queue calls that worker, which looks whether it was given up.
//! - **W4** Nothing is put into the queue of a pool that is closed, and what is in it when nobody pulls any more is skipped.
//! - **W5** A pool that was dropped is over when its last worker is gone, and until then the runs that were polling or dropping
//!   where that happened do not move on.
//! - **W6** While there is something in the queue and a worker waits, one worker was called that has not come yet. Whoever
//!   comes, with an item or without, or is gone, calls the next one. With a limiter there is one worker at a time that may
//!   pull, having taken a permit before: that one is called for what is put into the queue, and when there will be nothing any
//!   more, and calls the next when it is done.

mod builder;
mod feed;
mod job;
mod line;
#[cfg(test)]
mod loom_tests;
mod report;
mod state;

pub use builder::{WorkerPoolBuilder, worker_pool};
pub use job::Ticket;
pub use report::{Refused, SubmitError, WorkerPoolReport};

use super::outcome::Count;
use crate::cancel::Reason;
use crate::sync::{Permit, TryAcquireError, watch};
use crate::sys::Arc;
use crate::sys::thread::contain;
use crate::time::Instant;
use core::fmt;
use core::num::NonZeroUsize;
use core::time::Duration;
use job::Job;
use state::Shared;

/// Workers to whom items are submitted; made by [`worker_pool`]. Clones are the same pool.
///
/// For what goes on as long as the program: jobs that come from many places, one at a time, and of which each wants its own
/// result. What is there as a whole, or comes from one place, is at home in a [run](super::work()); its source may be a
/// queue. It ends as it is asked to: [`close`](Self::close) takes nothing more, [`drain`](Self::drain) also waits until
/// everything is done, but no longer than it is told to. No item is needed that says so.
///
/// Dropping the last clone is like cancelling a scope: what is in the queue is skipped at once, bodies are dropped at the next
/// poll of their workers, every ticket is told, and the scope around does not move on before the workers are gone. Clones in
/// items count: such a pool is dropped with the last of them, by a worker, when nobody else has one.
///
/// # Fairness
/// Items are started in the order in which they were submitted; whoever waits for room is served in order.
///
/// # Time
/// The clock of the scope. Workers read it as those of a [run](super::Work::run) do. Submitting reads it only where there is a
/// deadline.
///
/// # Examples
/// ```
/// use core::num::NonZeroUsize;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{ItemOutcome, Lease, worker_pool};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let thumbnail = |name: Lease<&'static str>| async move {
///         wakeful::sleep(Duration::from_millis(20)).await;
///         if name.ends_with(".png") { Ok(format!("small/{}", *name)) } else { Err("not a picture") }
///     };
///     // On tokio: |task: Task| { tokio::spawn(task); }
///     let pool = worker_pool(thumbnail).workers(NonZeroUsize::new(2).unwrap()).spawn_on(sim.spawner(), &scope);
///     let (cat, dog) = (pool.submit("cat.png").await.unwrap(), pool.submit("dog.txt").await.unwrap());
///     assert_eq!(cat.await, ItemOutcome::Done("small/cat.png".to_owned()));
///     assert_eq!(dog.await, ItemOutcome::Failed { error: "not a picture", item: Some("dog.txt") });
///
///     let report = pool.drain(Duration::from_secs(5)).await;
///     assert_eq!((report.count.done, report.count.failed, report.elapsed()), (1, 1, Duration::from_millis(20)));
///     assert!(pool.try_submit("late.png").is_err());
/// });
/// ```
pub struct WorkerPool<T, O, E>(Arc<Handle<T, O, E>>);

struct Handle<T, O, E> {
    shared: Arc<Shared<T, O, E>>,
    width: watch::Sender<NonZeroUsize>,
    capacity: usize,
}

impl<T, O, E> WorkerPool<T, O, E> {
    /// Submits an item, and waits for room in the queue, if there is none.
    ///
    /// # Cancel safety
    /// Dropping it gives the place in line back, and drops the item.
    ///
    /// # Errors
    /// [`SubmitError`] with the item: the pool is closed, be it while this waits; or its deadline is too near.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Lease, Refused, worker_pool};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let body = |_: Lease<u32>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(1)).await) };
    ///     let pool = worker_pool(body).capacity(NonZeroUsize::MIN).spawn_on(sim.spawner(), &Scope::new(sim.time()));
    ///     let first = pool.submit(1).await.unwrap();
    ///     sim.idle().await; // a worker has it
    ///     let second = pool.submit(2).await.unwrap();
    ///     assert_eq!(pool.try_submit(3).unwrap_err().why, Refused::Full { capacity: 1 });
    ///     let third = pool.submit(3).await.unwrap();
    ///     assert_eq!(sim.now().as_nanos(), 1_000_000_000);
    ///     third.await;
    ///     assert!(first.is_resolved() && second.is_resolved());
    /// });
    /// ```
    pub async fn submit(&self, item: T) -> Result<Ticket<T, O, E>, SubmitError<T>> {
        self.submit_before(item, Instant::NEVER).await
    }

    /// As [`submit`](Self::submit), of an item that is no use after `at`: it is not started then or later, nor when less
    /// than the [least time](WorkerPoolBuilder::min_time) is left until then. One that has waited too long in the queue is
    /// skipped when a worker comes to it. What has begun goes on, as long as the [timeout](WorkerPoolBuilder::item_timeout) allows.
    ///
    /// # Cancel safety
    /// As of [`submit`](Self::submit).
    ///
    /// # Errors
    /// As of [`submit`](Self::submit), and if there is no room until it is too late: at that instant.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{ItemOutcome, Lease, Refused, worker_pool};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let takes = Duration::from_secs(2);
    ///     let body = move |_: Lease<u32>| async move { Ok::<_, ()>(wakeful::sleep(takes).await) };
    ///     let pool = worker_pool(body).min_time(takes).spawn_on(sim.spawner(), &Scope::new(sim.time()));
    ///     let first = pool.submit(1).await.unwrap();
    ///     let at = sim.now() + Duration::from_secs(3);
    ///     let second = pool.submit_before(2, at).await.unwrap(); // taken, but the worker is busy for too long
    ///     assert_eq!(second.await, ItemOutcome::Skipped { item: 2 });
    ///     assert_eq!(first.await, ItemOutcome::Done(()));
    ///     assert_eq!(pool.submit_before(3, at).await.unwrap_err().why, Refused::TooLate { deadline: at });
    /// });
    /// ```
    pub async fn submit_before(&self, item: T, at: Instant) -> Result<Ticket<T, O, E>, SubmitError<T>> {
        let why = match self.admit(at) {
            Ok(()) => match self.0.shared.room.try_acquire() {
                Ok(permit) => return self.put(item, at, permit),
                Err(TryAcquireError::Closed) => Refused::Closed,
                Err(TryAcquireError::NoPermits) => match self.wait_for_room(at).await {
                    Ok(permit) => return self.put(item, at, permit),
                    Err(why) => why,
                },
            },
            Err(why) => why,
        };
        Err(SubmitError { item, why })
    }

    /// Submits an item, if there is room in the queue. Does not wait.
    ///
    /// # Errors
    /// [`SubmitError`] with the item: the queue is full, the pool closed, or its deadline too near.
    pub fn try_submit(&self, item: T) -> Result<Ticket<T, O, E>, SubmitError<T>> {
        self.try_submit_before(item, Instant::NEVER)
    }

    /// [`submit_before`](Self::submit_before), if there is room in the queue. Does not wait.
    ///
    /// # Errors
    /// As of [`try_submit`](Self::try_submit).
    pub fn try_submit_before(&self, item: T, at: Instant) -> Result<Ticket<T, O, E>, SubmitError<T>> {
        let why = match self.admit(at) {
            Ok(()) => match self.0.shared.room.try_acquire() {
                Ok(permit) => return self.put(item, at, permit),
                Err(TryAcquireError::Closed) => Refused::Closed,
                Err(TryAcquireError::NoPermits) => Refused::Full { capacity: self.0.capacity },
            },
            Err(why) => why,
        };
        Err(SubmitError { item, why })
    }

    /// Whether an item may be taken that is no use after `at`.
    fn admit(&self, at: Instant) -> Result<(), Refused> {
        let shared = &self.0.shared;
        if shared.room.is_closed() || shared.scope.is_draining() {
            return Err(Refused::Closed);
        }
        let deadline = shared.deadline(at);
        let closes = shared.closes(deadline);
        if !closes.is_never() && shared.scope.now() >= closes {
            return Err(Refused::TooLate { deadline });
        }
        Ok(())
    }

    async fn wait_for_room(&self, at: Instant) -> Result<Permit<'_>, Refused> {
        let shared = &self.0.shared;
        let deadline = shared.deadline(at);
        let wait = shared.scope.move_on_at(shared.closes(deadline), async |_| shared.room.acquire().await);
        match wait.await.done() {
            Some(Ok(permit)) => Ok(permit),
            Some(Err(_)) => Err(Refused::Closed),
            None => Err(self.admit(at).err().unwrap_or(Refused::TooLate { deadline })),
        }
    }

    /// Puts an item into the queue.
    fn put(&self, item: T, at: Instant, permit: Permit<'_>) -> Result<Ticket<T, O, E>, SubmitError<T>> {
        let shared = &self.0.shared;
        let (job, ticket) = Job::new(shared.closes(at), shared);
        permit.keep_out();
        match shared.push(item, job) {
            Ok(()) => Ok(ticket),
            Err((item, job)) => {
                job.refuse();
                Err(SubmitError { item, why: Refused::Closed })
            }
        }
    }

    /// Has `workers` workers from now on. With more, others are spawned at once, but for 64 at a time: the rest when each that is
    /// there has an item. With fewer, whoever is too many leaves when he has ended his item. Nothing is cut short.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{Lease, worker_pool};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let body = |_: Lease<u32>| async { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(1)).await) };
    ///     let pool = worker_pool(body).spawn_on(sim.spawner(), &Scope::new(sim.time()));
    ///     for item in 0..10 {
    ///         drop(pool.submit(item).await.unwrap());
    ///     }
    ///     sim.time().sleep(Duration::from_secs(2)).await;
    ///     pool.resize(NonZeroUsize::new(4).unwrap());
    ///     let report = pool.drain(Duration::MAX).await;
    ///     assert_eq!((report.count.done, report.elapsed()), (10, Duration::from_secs(4)));
    /// });
    /// ```
    pub fn resize(&self, workers: NonZeroUsize) {
        self.0.width.replace(workers);
    }

    /// How many workers there are to be at most.
    pub fn workers(&self) -> NonZeroUsize {
        *self.0.width.latest()
    }

    /// Takes nothing more: whoever waits for room is turned away. What was taken is worked on as before, then the workers leave.
    /// It can't be undone; closing twice is closing once.
    pub fn close(&self) {
        self.0.shared.close();
    }

    /// Whether nothing more is taken.
    pub fn is_closed(&self) -> bool {
        self.0.shared.is_closed() || self.0.shared.scope.is_draining()
    }

    /// [Closes](Self::close) the pool, and waits until everything that it has taken has ended, and the workers are gone; but when
    /// `grace` has passed, what is worked on is cancelled and what is in the queue skipped.
    ///
    /// With no grace nothing more is started, and what is not done by its next poll is cancelled; with [`Duration::MAX`] nothing is
    /// cut short. Bodies see the end of the grace as their effective deadline. Draining twice is waiting twice: the earlier end
    /// holds. A body that awaits it waits for itself until the grace has passed.
    ///
    /// # Time
    /// The grace begins at the first poll.
    ///
    /// # Cancel safety
    /// If it is dropped, the pool stays closed and ends as it was told; the report is given to who drains it next.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroUsize;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::work::{ItemOutcome, Lease, Stop, worker_pool};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let body = |item: Lease<u64>| async move { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(*item)).await) };
    ///     let pool = worker_pool(body).workers(NonZeroUsize::new(2).unwrap()).spawn_on(sim.spawner(), &Scope::new(sim.time()));
    ///     let mut tickets = Vec::new();
    ///     for seconds in [2, 9, 1, 9, 5, 6] {
    ///         tickets.push(pool.submit(seconds).await.unwrap());
    ///     }
    ///     drop(tickets.pop()); // nobody asks for the last one
    ///     let report = pool.drain(Duration::from_secs(4)).await;
    ///     assert_eq!((report.count.done, report.count.cancelled, report.count.skipped), (2, 2, 2));
    ///     assert_eq!((report.not_started, report.stop), (vec![6], Stop::OutOfTime));
    ///     assert_eq!(tickets.pop().unwrap().await, ItemOutcome::Skipped { item: 5 });
    /// });
    /// ```
    pub async fn drain(&self, grace: Duration) -> WorkerPoolReport<T> {
        let shared = &self.0.shared;
        shared.close();
        let end = shared.scope.now() + grace;
        if end < shared.scope.deadline() {
            shared.scope.set_deadline(end);
        }
        shared.over().await
    }

    /// What became of the items that have ended.
    pub fn count(&self) -> Count {
        self.0.shared.status().0
    }

    /// How many items are in the queue.
    pub fn queued(&self) -> usize {
        self.0.shared.status().1
    }

    /// How many items are being worked on, or about to be.
    pub fn running(&self) -> usize {
        self.0.shared.status().2
    }

    /// How many items may be in the queue.
    pub fn capacity(&self) -> usize {
        self.0.capacity
    }

    /// Whether `self` and `other` are one pool.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T, O, E> Drop for Handle<T, O, E> {
    fn drop(&mut self) {
        // W5.
        self.shared.keep();
        // W4 holds whoever panics of those who hear of it: this may be part of an unwinding.
        contain(|| {
            self.shared.scope.cancel(Reason::owner_dropped());
        });
        contain(|| self.shared.abandon());
    }
}

impl<T, O, E> Clone for WorkerPool<T, O, E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, O, E> fmt::Debug for WorkerPool<T, O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, queued, running) = self.0.shared.status();
        let mut all = f.debug_struct("WorkerPool");
        all.field("workers", &self.workers()).field("queued", &queued).field("running", &running);
        all.field("count", &count).finish_non_exhaustive()
    }
}

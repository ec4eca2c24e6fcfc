//! Items on their way through a pool, and who waits for what becomes of them.

use super::state::Shared;
use crate::sys::Arc;
use crate::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::pair::{RecvEnd, SendEnd, pair_with};
use crate::sys::probe::{self, Access, Resource};
use crate::time::Instant;
use crate::work::outcome::ItemOutcome;
use crate::work::tag::Tag;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll};

/// What a job and its ticket look at.
pub(super) struct Slot<T, O, E> {
    /// The item was given up.
    is_cut: AtomicBool,
    resource: Resource,
    /// Who has pulled the item. Written and read under the lock of the pool.
    worker: AtomicUsize,
    /// The first instant at which the item is not started any more.
    closes: Instant,
    pool: Arc<Shared<T, O, E>>,
}

impl<T, O, E> Slot<T, O, E> {
    /// Gives the item up.
    fn cut(&self) {
        self.resource.touch(Access::Write);
        // Relaxed: the worker is called after this, and looks when it comes.
        self.is_cut.store(true, Ordering::Relaxed);
    }

    fn is_cut(&self) -> bool {
        self.resource.touch(Access::Read);
        // Relaxed: who does not see it yet is called.
        self.is_cut.load(Ordering::Relaxed)
    }

    /// Who has pulled the item, for one who found under the lock of the pool that it is not in the queue.
    pub(super) fn worker(&self) -> usize {
        // Relaxed: under that lock.
        self.worker.load(Ordering::Relaxed)
    }
}

/// Where it is said what becomes of an item.
pub(super) type Answer<T, O, E> = SendEnd<ItemOutcome<T, O, E>, Slot<T, O, E>>;

/// That an item was accepted. It ends exactly once: dropped without an end, it is cancelled.
pub(super) struct Job<T, O, E> {
    answer: Option<Answer<T, O, E>>,
    index: u64,
}

impl<T, O, E> Job<T, O, E> {
    /// A job, and the ticket to it.
    pub(super) fn new(closes: Instant, pool: &Arc<Shared<T, O, E>>) -> (Self, Ticket<T, O, E>) {
        let (answer, outcome) = pair_with(Slot {
            is_cut: AtomicBool::new(false),
            resource: Resource::new(),
            worker: AtomicUsize::new(usize::MAX),
            closes,
            pool: pool.clone(),
        });
        (Self { answer: Some(answer), index: 0 }, Ticket { outcome, has_ended: false })
    }

    fn slot(&self) -> Option<&Slot<T, O, E>> {
        self.answer.as_ref().map(SendEnd::shared)
    }

    /// It was not accepted.
    pub(super) fn refuse(mut self) {
        self.answer = None;
    }

    /// Whether it is the one of `slot`.
    pub(super) fn is_of(&self, slot: &Slot<T, O, E>) -> bool {
        self.slot().is_some_and(|own| ptr::eq(own, slot))
    }

    /// It was pulled, after so many others, by this worker; under the lock of the pool.
    pub(super) fn pulled(&mut self, index: u64, worker: usize) {
        self.index = index;
        if let Some(slot) = self.slot() {
            // Relaxed: under that lock.
            slot.worker.store(worker, Ordering::Relaxed);
        }
    }

    /// Whether the item is not to be started any more.
    #[inline]
    pub(super) fn is_late(&self) -> bool {
        let Some(slot) = self.slot() else { return true };
        slot.is_cut() || !slot.closes.is_never() && slot.pool.scope.now() >= slot.closes
    }

    /// W1. Counts what became of it, and tells who waits for it. This is its pool.
    #[inline]
    pub(super) fn end(mut self, pool: &Shared<T, O, E>, outcome: ItemOutcome<T, O, E>) {
        if let Some(answer) = self.answer.take() {
            pool.end(answer, outcome);
        }
    }

    /// It was not started.
    pub(super) fn skip(self, pool: &Shared<T, O, E>, item: T) {
        self.end(pool, ItemOutcome::Skipped { item });
    }

    fn cancelled(&mut self, item: Option<T>) {
        if let Some(answer) = self.answer.take() {
            let pool = answer.shared().pool.clone();
            pool.end(answer, ItemOutcome::Cancelled { item });
        }
    }
}

impl<T, O, E> Drop for Job<T, O, E> {
    fn drop(&mut self) {
        self.cancelled(None);
    }
}

impl<T, O, E> Tag<T> for Job<T, O, E> {
    const NONE: Self = Self { answer: None, index: 0 };

    #[inline]
    fn index(&self) -> u64 {
        self.index
    }

    #[inline]
    fn hand_on(&mut self) -> Self {
        Self { answer: self.answer.take(), index: self.index }
    }

    #[inline]
    fn is_given_up(&self) -> bool {
        self.slot().is_some_and(Slot::is_cut)
    }

    fn lost(&mut self, item: impl FnOnce() -> Option<T>) {
        if self.answer.is_some() {
            self.cancelled(item());
        }
    }
}

/// The wait for what becomes of an item that was submitted to a [`WorkerPool`](super::WorkerPool).
///
/// It is a future that gives the [`ItemOutcome`], always: also when the pool is dropped, its scope cancelled, or the task of the
/// worker dropped by the executor.
///
/// # Cancel safety
/// To wait a while, await `&mut ticket`: nothing is lost. Dropping the ticket only means that nobody will ask: the item is worked
/// on as before, and what becomes of it is counted and dropped. To give the item up, [`cancel`](Self::cancel).
///
/// # Panics
/// If it is polled again after it was ready.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{ItemOutcome, Lease, worker_pool};
///
/// wakeful::sim::run(|sim| async move {
///     let body = |item: Lease<u64>| async move { Ok::<_, ()>(wakeful::sleep(Duration::from_secs(*item)).await) };
///     let scope = Scope::new(sim.time());
///     let pool = worker_pool(body).spawn_on(sim.spawner(), &scope);
///     let (mut first, second) = (pool.submit(5).await.unwrap(), pool.submit(1).await.unwrap());
///     let patience = scope.move_on_after(Duration::from_secs(2), async |_| (&mut first).await);
///     assert!(patience.await.is_cancelled());
///     second.cancel(); // not begun
///     first.cancel(); // cut short
///     assert_eq!(second.await, ItemOutcome::Skipped { item: 1 });
///     assert_eq!(first.await, ItemOutcome::Cancelled { item: Some(5) });
///     assert_eq!(sim.now().as_nanos(), 2_000_000_000);
/// });
/// ```
#[must_use = "without its ticket, what becomes of an item is only counted"]
pub struct Ticket<T, O, E> {
    outcome: RecvEnd<ItemOutcome<T, O, E>, Slot<T, O, E>>,
    /// It was ready: nothing is left to be taken.
    has_ended: bool,
}

impl<T, O, E> Ticket<T, O, E> {
    /// Gives the item up. One that waits in the queue leaves it at once, and is skipped; the body of one that is worked on is
    /// polled once more and, if it is not done, dropped, and the item cancelled. The ticket says what came of it.
    pub fn cancel(&self) {
        if !self.is_resolved() {
            let slot = self.outcome.shared();
            slot.cut();
            slot.pool.withdraw(slot);
        }
    }

    /// Whether it is known what became of the item.
    pub fn is_resolved(&self) -> bool {
        let (_, is_answered) = self.outcome.looks();
        is_answered
    }
}

impl<T, O, E> Future for Ticket<T, O, E> {
    type Output = ItemOutcome<T, O, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(!this.has_ended, "a ticket was polled after it was ready");
        match this.outcome.poll(cx) {
            Poll::Ready(outcome) => {
                this.has_ended = true;
                Poll::Ready(outcome.expect("each job that was accepted has an end"))
            }
            Poll::Pending => {
                probe::waiting("ticket", None, u64::MAX);
                Poll::Pending
            }
        }
    }
}

impl<T, O, E> fmt::Debug for Ticket<T, O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("is_resolved", &self.is_resolved()).finish_non_exhaustive()
    }
}

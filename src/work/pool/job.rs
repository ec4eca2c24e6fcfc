//! Items on their way through a pool, and who waits for what becomes of them.

use super::state::Shared;
use crate::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::{Arc, Told, probe};
use crate::time::Instant;
use crate::work::outcome::ItemOutcome;
use crate::work::tag::Tag;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// What becomes of one item, between the pool and the ticket.
pub(super) struct Slot<T, O, E> {
    inner: Told<Inner<T, O, E>>,
    /// Whether the answer is there. Written under the lock.
    is_answered: AtomicBool,
    /// The item was given up. Written under the lock.
    is_cut: AtomicBool,
    /// Who has pulled the item. Written and read under the lock of the pool.
    worker: AtomicUsize,
    /// The first instant at which the item is not started any more.
    closes: Instant,
    pool: Arc<Shared<T, O, E>>,
}

struct Inner<T, O, E> {
    answer: Answer<T, O, E>,
    /// Whether there is a ticket.
    is_wanted: bool,
    /// Of who awaits the ticket.
    waiter: Option<Waker>,
}

enum Answer<T, O, E> {
    Open,
    Here(ItemOutcome<T, O, E>),
    Taken,
}

impl<T, O, E> Slot<T, O, E> {
    /// Puts the answer there for who has the ticket, and gives the waker of who waits for it. If nobody has the ticket, the outcome
    /// stays.
    pub(super) fn answer(&self, outcome: &mut Option<ItemOutcome<T, O, E>>) -> Option<Waker> {
        self.inner.with(|inner| {
            inner.answer = match outcome.take() {
                Some(outcome) if inner.is_wanted => Answer::Here(outcome),
                unwanted => {
                    *outcome = unwanted;
                    Answer::Taken
                }
            };
            // Relaxed: who finds it takes the lock.
            self.is_answered.store(true, Ordering::Relaxed);
            inner.waiter.take()
        })
    }

    /// Whether the answer is there, or was.
    fn is_answered(&self) -> bool {
        self.inner.look();
        // Relaxed: whoever wants to have it takes the lock.
        self.is_answered.load(Ordering::Relaxed)
    }

    /// Gives the item up. False: it has ended.
    fn cut(&self) -> bool {
        self.inner.with(|inner| {
            let is_open = matches!(inner.answer, Answer::Open);
            if is_open {
                // Relaxed: the worker is called after this, and looks when it comes.
                self.is_cut.store(true, Ordering::Relaxed);
            }
            is_open
        })
    }

    fn is_cut(&self) -> bool {
        self.inner.look();
        // Relaxed: who does not see it yet is called.
        self.is_cut.load(Ordering::Relaxed)
    }

    /// Notes who has pulled the item, under the lock of the pool.
    pub(super) fn set_worker(&self, number: usize) {
        // Relaxed: under that lock.
        self.worker.store(number, Ordering::Relaxed);
    }

    /// Who has pulled the item, for one who found under the lock of the pool that it is not in the queue.
    pub(super) fn worker(&self) -> usize {
        // Relaxed: under that lock.
        self.worker.load(Ordering::Relaxed)
    }
}

/// That an item was accepted. It ends exactly once: dropped without an end, it is cancelled.
pub(super) struct Job<T, O, E> {
    slot: Option<Arc<Slot<T, O, E>>>,
    index: u64,
}

impl<T, O, E> Job<T, O, E> {
    /// A job, and the ticket to it.
    pub(super) fn new(closes: Instant, pool: &Arc<Shared<T, O, E>>) -> (Self, Ticket<T, O, E>) {
        let slot = Arc::new(Slot {
            inner: Told::new(Inner { answer: Answer::Open, is_wanted: true, waiter: None }),
            is_answered: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            worker: AtomicUsize::new(usize::MAX),
            closes,
            pool: pool.clone(),
        });
        (Self { slot: Some(slot.clone()), index: 0 }, Ticket { slot, has_ended: false })
    }

    /// It was not accepted.
    pub(super) fn refuse(mut self) {
        self.slot = None;
    }

    /// Whether it is the one of `slot`.
    pub(super) fn is_of(&self, slot: &Arc<Slot<T, O, E>>) -> bool {
        self.slot.as_ref().is_some_and(|own| Arc::ptr_eq(own, slot))
    }

    /// It was pulled, after so many others, by this worker; under the lock of the pool.
    pub(super) fn pulled(&mut self, index: u64, worker: usize) {
        self.index = index;
        if let Some(slot) = &self.slot {
            slot.set_worker(worker);
        }
    }

    /// Whether the item is not to be started any more.
    #[inline]
    pub(super) fn is_late(&self) -> bool {
        let Some(slot) = &self.slot else { return true };
        slot.is_cut() || !slot.closes.is_never() && slot.pool.scope.now() >= slot.closes
    }

    /// W1. Counts what became of it, and tells who waits for it.
    #[inline]
    pub(super) fn end(mut self, outcome: ItemOutcome<T, O, E>) {
        self.end_with(outcome);
    }

    /// It was not started.
    pub(super) fn skip(self, item: T) {
        self.end(ItemOutcome::Skipped { item });
    }

    fn end_with(&mut self, outcome: ItemOutcome<T, O, E>) {
        if let Some(slot) = self.slot.take() {
            slot.pool.end(&slot, outcome);
        }
    }
}

impl<T, O, E> Drop for Job<T, O, E> {
    fn drop(&mut self) {
        self.end_with(ItemOutcome::Cancelled { item: None });
    }
}

impl<T, O, E> Tag<T> for Job<T, O, E> {
    const NONE: Self = Self { slot: None, index: 0 };

    #[inline]
    fn index(&self) -> u64 {
        self.index
    }

    #[inline]
    fn hand_on(&mut self) -> Self {
        Self { slot: self.slot.take(), index: self.index }
    }

    #[inline]
    fn is_given_up(&self) -> bool {
        self.slot.as_ref().is_some_and(|slot| slot.is_cut())
    }

    fn lost(&mut self, item: impl FnOnce() -> Option<T>) {
        if self.slot.is_some() {
            self.end_with(ItemOutcome::Cancelled { item: item() });
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
    slot: Arc<Slot<T, O, E>>,
    /// It was ready: nothing is left to be taken.
    has_ended: bool,
}

impl<T, O, E> Ticket<T, O, E> {
    /// Gives the item up. One that waits in the queue leaves it at once, and is skipped; the body of one that is worked on is
    /// polled once more and, if it is not done, dropped, and the item cancelled. The ticket says what came of it.
    pub fn cancel(&self) {
        if self.slot.cut() {
            self.slot.pool.withdraw(&self.slot);
        }
    }

    /// Whether it is known what became of the item.
    pub fn is_resolved(&self) -> bool {
        self.slot.is_answered()
    }
}

impl<T, O, E> Future for Ticket<T, O, E> {
    type Output = ItemOutcome<T, O, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(!this.has_ended, "a ticket was polled after it was ready");
        // Most who look find it there, and need no waker.
        let mut waiter = if this.slot.is_answered() { None } else { Some(cx.waker().clone()) };
        let (answer, _old) = this.slot.inner.with(|inner| match core::mem::replace(&mut inner.answer, Answer::Taken) {
            Answer::Open => {
                inner.answer = Answer::Open;
                (None, core::mem::replace(&mut inner.waiter, waiter.take()))
            }
            answer => (Some(answer), inner.waiter.take()),
        });
        match answer {
            Some(Answer::Here(outcome)) => {
                this.has_ended = true;
                Poll::Ready(outcome)
            }
            Some(_) => unreachable!("it is wanted, and taken once"),
            None => {
                probe::waiting("ticket", None, u64::MAX);
                Poll::Pending
            }
        }
    }
}

impl<T, O, E> Drop for Ticket<T, O, E> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let _unasked = self.slot.inner.with(|inner| {
            inner.is_wanted = false;
            let answer = match inner.answer {
                Answer::Here(_) => core::mem::replace(&mut inner.answer, Answer::Taken),
                Answer::Open | Answer::Taken => Answer::Taken,
            };
            (answer, inner.waiter.take())
        });
    }
}

impl<T, O, E> fmt::Debug for Ticket<T, O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("is_resolved", &self.is_resolved()).finish_non_exhaustive()
    }
}

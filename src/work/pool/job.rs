//! Items on their way through a pool, and who waits for what becomes of them.

use super::state::Shared;
use crate::sys::thread::contain;
use crate::sys::{Arc, Told, probe};
use crate::time::Instant;
use crate::work::outcome::ItemOutcome;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// What becomes of one item, between the pool and the ticket.
pub(super) struct Slot<T, O, E>(Told<Inner<T, O, E>>);

struct Inner<T, O, E> {
    answer: Answer<T, O, E>,
    /// Whether there is a ticket.
    is_wanted: bool,
    /// Of who awaits the ticket.
    waiter: Option<Waker>,
    /// The item was given up.
    is_cut: bool,
    /// Of the worker that has the item, so that it looks whether that was given up.
    worker: Option<Waker>,
}

enum Answer<T, O, E> {
    Open,
    Here(ItemOutcome<T, O, E>),
    Taken,
}

impl<T, O, E> Slot<T, O, E> {
    pub(super) fn new() -> Self {
        let (waiter, worker) = (None, None);
        Self(Told::new(Inner { answer: Answer::Open, is_wanted: true, waiter, is_cut: false, worker }))
    }

    /// Answers who has the ticket. If nobody has, the outcome comes back.
    pub(super) fn answer(&self, outcome: ItemOutcome<T, O, E>) -> Option<ItemOutcome<T, O, E>> {
        let mut outcome = Some(outcome);
        let (waiter, _worker) = self.0.with(|inner| {
            inner.answer = match outcome.take() {
                Some(outcome) if inner.is_wanted => Answer::Here(outcome),
                unwanted => {
                    outcome = unwanted;
                    Answer::Taken
                }
            };
            (inner.waiter.take(), inner.worker.take())
        });
        if let Some(waiter) = waiter {
            contain(|| waiter.wake());
        }
        outcome
    }

    /// Gives the item up, and calls the worker that has it.
    fn cut(&self) {
        let worker = self.0.with(|inner| {
            inner.is_cut = true;
            inner.worker.take()
        });
        if let Some(worker) = worker {
            worker.wake();
        }
    }

    /// Whether the item was given up.
    pub(super) fn is_cut(&self) -> bool {
        self.0.read(|inner| inner.is_cut)
    }

    /// Whether the item was given up; if not, the worker is called when it is.
    pub(super) fn poll_cut(&self, cx: &Context<'_>) -> bool {
        let known = self.0.read(|inner| match inner.is_cut {
            true => Some(true),
            // Nobody can give it up any more, or it is known whom to call.
            false if !inner.is_wanted => Some(false),
            false => inner.worker.as_ref().filter(|worker| worker.will_wake(cx.waker())).map(|_| false),
        });
        if let Some(known) = known {
            return known;
        }
        let mut worker = Some(cx.waker().clone());
        let (is_cut, _old) = self.0.with(|inner| (inner.is_cut, core::mem::replace(&mut inner.worker, worker.take())));
        is_cut
    }
}

/// An item that was accepted. It ends exactly once: dropped without an end, it is cancelled.
pub(super) struct Job<T, O, E> {
    pub(super) item: Option<T>,
    /// The first instant at which it is not started any more.
    pub(super) closes: Instant,
    pub(super) slot: Arc<Slot<T, O, E>>,
    shared: Option<Arc<Shared<T, O, E>>>,
}

impl<T, O, E> Job<T, O, E> {
    pub(super) fn new(item: T, closes: Instant, shared: &Arc<Shared<T, O, E>>) -> Self {
        Self { item: Some(item), closes, slot: Arc::new(Slot::new()), shared: Some(shared.clone()) }
    }

    /// Gives the item back, as it was not accepted.
    pub(super) fn refuse(mut self) -> T {
        self.shared = None;
        let Some(item) = self.item.take() else { unreachable!("it was never taken out of the queue") };
        item
    }

    /// W1. Counts what became of it, and tells who waits for it.
    pub(super) fn end(mut self, outcome: ItemOutcome<T, O, E>) {
        self.end_with(outcome);
    }

    /// It was not started.
    pub(super) fn skip(mut self) {
        if let Some(item) = self.item.take() {
            self.end_with(ItemOutcome::Skipped { item });
        }
    }

    fn end_with(&mut self, outcome: ItemOutcome<T, O, E>) {
        let Some(shared) = self.shared.take() else { return };
        shared.count(&outcome);
        let unwanted = self.slot.answer(outcome);
        shared.ended(unwanted);
    }
}

impl<T, O, E> Drop for Job<T, O, E> {
    fn drop(&mut self) {
        let item = self.item.take();
        self.end_with(ItemOutcome::Cancelled { item });
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
    shared: Arc<Shared<T, O, E>>,
}

impl<T, O, E> Ticket<T, O, E> {
    pub(super) fn new(slot: Arc<Slot<T, O, E>>, shared: Arc<Shared<T, O, E>>) -> Self {
        Self { slot, shared }
    }

    /// Gives the item up. One that waits in the queue leaves it at once, and is skipped; the body of one that is worked on is
    /// polled once more and, if it is not done, dropped, and the item cancelled. The ticket says what came of it.
    pub fn cancel(&self) {
        match self.shared.withdraw(&self.slot) {
            Some(job) => job.skip(),
            None => self.slot.cut(),
        }
    }

    /// Whether it is known what became of the item.
    pub fn is_resolved(&self) -> bool {
        self.slot.0.read(|inner| !matches!(inner.answer, Answer::Open))
    }
}

impl<T, O, E> Future for Ticket<T, O, E> {
    type Output = ItemOutcome<T, O, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waiter = Some(cx.waker().clone());
        let (answer, _old) = self.slot.0.with(|inner| match core::mem::replace(&mut inner.answer, Answer::Taken) {
            Answer::Open => {
                inner.answer = Answer::Open;
                (None, core::mem::replace(&mut inner.waiter, waiter.take()))
            }
            answer => (Some(answer), inner.waiter.take()),
        });
        match answer {
            Some(Answer::Here(outcome)) => Poll::Ready(outcome),
            Some(_) => panic!("a ticket was polled after it was ready"),
            None => {
                probe::waiting("ticket", None, u64::MAX);
                Poll::Pending
            }
        }
    }
}

impl<T, O, E> Drop for Ticket<T, O, E> {
    fn drop(&mut self) {
        let _unasked = self.slot.0.with(|inner| {
            inner.is_wanted = false;
            let answer = match inner.answer {
                Answer::Here(_) => core::mem::replace(&mut inner.answer, Answer::Taken),
                Answer::Open | Answer::Taken => Answer::Taken,
            };
            (answer, inner.waiter.take(), inner.worker.take())
        });
    }
}

impl<T, O, E> fmt::Debug for Ticket<T, O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("is_resolved", &self.is_resolved()).finish_non_exhaustive()
    }
}

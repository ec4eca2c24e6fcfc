//! Waiting for a condition on what an async mutex guards.

use super::line::{self, ALONE, LINE};
use crate::sys::{Arc, probe};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Seen, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use pin_project_lite::pin_project;

/// What waits for a condition.
struct Changes;

impl Place for Changes {
    /// How often all were notified.
    type State = u64;
    type Shared = probe::Id;
    /// How often all had been notified when this one joined.
    type Slot = u64;
    type Lines = [Line<u64>; 1];
    const PASSES_ON: bool = true;

    fn left(held: &mut Held<'_, Self>, departure: Departure, round: &mut u64, batch: &mut Batch) {
        if matches!(departure, Departure::Grant(_)) && *round == ALONE {
            line::choose(held, LINE, batch);
        }
    }
}

/// A condition variable for any async mutex: a task gives its guard away, waits until it is notified, and locks again.
/// Clones are the same condition.
///
/// The mutex may be `async-lock`'s, tokio's, or any whose `lock` gives a future. For a flag that is set once, take
/// [`Event`](super::Event), which needs no mutex.
///
/// # Fairness
/// Who waits is notified first come, first served; the mutex decides who of several locks first.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use async_lock::Mutex;
/// use wakeful::sync::Condition;
///
/// wakeful::sim::check(|sim| async move {
///     let (stock, delivered) = (Arc::new(Mutex::new(0)), Condition::new());
///     let (shelf, news) = (stock.clone(), delivered.clone());
///     sim.spawn("supplier", async move {
///         *shelf.lock().await += 3;
///         news.notify_all();
///     });
///
///     let mut guard = stock.lock().await;
///     while *guard < 2 {
///         guard = delivered.wait(guard, || stock.lock()).await;
///     }
///     *guard -= 2;
/// });
/// ```
#[derive(Clone)]
pub struct Condition {
    changes: Arc<Hall<Changes>>,
}

impl Condition {
    /// A condition that nobody waits for.
    #[track_caller]
    #[must_use]
    pub fn new() -> Self {
        Self { changes: Arc::new(Hall::new(probe::Id::new(), 0, [Line::new()])) }
    }

    /// Waits to be notified: joins the line, drops `guard`, waits, and gives what `lock` gives, as a rule the guard anew.
    ///
    /// No notification is missed that is given while the mutex is locked after `guard` was dropped, or later. Nobody is
    /// woken for nothing, but by the time that the mutex is locked again somebody else may have changed the state: look
    /// again, in a loop, or by [`wait_while`](Self::wait_while).
    #[inline]
    pub fn wait<G, F, L>(&self, guard: G, lock: F) -> ConditionWait<'_, G, F, L>
    where
        F: FnOnce() -> L,
        L: Future,
    {
        ConditionWait {
            waiter: Waiter::new(&*self.changes, 0),
            seen: Seen::NONE,
            guard: Some(guard),
            lock: Some(lock),
            locking: None,
        }
    }

    /// Waits as long as `condition` holds for what the guard guards; looks at once, and each time that it is notified.
    ///
    /// # Cancel safety
    /// As [`ConditionWait`]: dropped, it holds no lock, and a notification for one that it was given goes to the next.
    ///
    /// # Examples
    /// ```
    /// use async_lock::Mutex;
    /// use wakeful::sync::Condition;
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let (stock, delivered) = (Mutex::new(5), Condition::new());
    ///     let guard = stock.lock().await;
    ///     let guard = delivered.wait_while(guard, |stock| **stock < 2, || stock.lock()).await;
    ///     assert_eq!(*guard, 5);
    /// });
    /// ```
    pub async fn wait_while<G, F, L>(&self, mut guard: G, mut condition: impl FnMut(&mut G) -> bool, mut lock: F) -> G
    where
        F: FnMut() -> L,
        L: Future<Output = G>,
    {
        while condition(&mut guard) {
            guard = self.wait(guard, &mut lock).await;
        }
        guard
    }

    /// Wakes the first of those who wait. If nobody waits, nothing happens: nothing is kept for who comes later.
    ///
    /// Should that one be dropped before it has locked the mutex again, the next is woken in its place.
    pub fn notify_one(&self) {
        let mut first = None;
        self.changes.with(|held| line::choose(held, LINE, &mut first));
        line::wake(&self.changes, first, false, |_, _| false);
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        let mut first = None;
        let (until, more) = self.changes.with(|held| {
            *held.state += 1;
            let until = *held.state;
            (until, line::let_go(held, LINE, until, &mut first))
        });
        line::wake(&self.changes, first, more, |held, batch| line::let_go(held, LINE, until, batch));
    }
}

impl Default for Condition {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").finish_non_exhaustive()
    }
}

pin_project! {
    /// Waits to be notified, and locks again; made by [`Condition::wait`].
    ///
    /// # Fairness
    /// Who waits is notified first come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropped at any stage it holds no lock. Before its first poll that drops the guard; later it gives up its place in
    /// line, or in that of the mutex. A notification for one that it was given goes to the next in line, unless this has
    /// returned.
    ///
    /// # Panics
    /// When polled after completion.
    #[must_use = "it waits for nothing unless it is awaited, and keeps the mutex locked"]
    pub struct ConditionWait<'a, G, F, L> {
        #[pin]
        waiter: Waiter<Changes, &'a Hall<Changes>>,
        seen: Seen,
        guard: Option<G>,
        lock: Option<F>,
        #[pin]
        locking: Option<L>,
    }
}

impl<G, F, L> Future for ConditionWait<'_, G, F, L>
where
    F: FnOnce() -> L,
    L: Future,
{
    type Output = L::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<L::Output> {
        let mut this = self.project();
        if this.locking.is_none() {
            let waiter = this.waiter.as_ref();
            if !waiter.is_granted() {
                assert!(this.lock.is_some(), "a condition is waited for after completion");
                let granted = line::look_or_join(waiter, this.seen, cx, LINE, |seat, granted| {
                    if granted {
                        // It keeps its turn, to pass it on, until it has locked.
                        seat.grant();
                        return Some(());
                    }
                    *seat.slot() = *seat.held.state;
                    None
                });
                // In line first, so that whoever locks next can't notify in vain.
                drop(this.guard.take());
                if granted.is_none() {
                    let changes = *waiter.home();
                    probe::waiting("condition", Some(changes.shared), u64::MAX);
                    return Poll::Pending;
                }
            }
            let lock = this.lock.take().expect("a condition is waited for after completion");
            this.locking.set(Some(lock()));
        }
        let locked = ready!(this.locking.as_mut().as_pin_mut().expect("set above").poll(cx));
        this.waiter.accept();
        this.locking.set(None);
        Poll::Ready(locked)
    }
}

impl<G, F, L> fmt::Debug for ConditionWait<'_, G, F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConditionWait")
            .field("waiting", &self.waiter.is_waiting())
            .field("locking", &self.locking.is_some())
            .finish_non_exhaustive()
    }
}

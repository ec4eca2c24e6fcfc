//! A gate that is open while a count is zero: what events, latches and wait groups are made of.
//!
//! # Invariants
//!
//! - **T1** The gate is open exactly while `count` is zero.
//! - **T2** `count` becomes zero under the lock only, and whoever is in line then is let go, even if the count rises again
//!   before the last of them is. It rises, and falls to other numbers, without the lock.
//! - **T3** One joins the line under the lock, while `count` is not zero.

use super::line::{self, LINE};
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::probe::{self, Access};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Seen, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;

/// What waits at a gate.
pub(super) struct Gate;

/// What is reached without the lock.
pub(super) struct Shared {
    pub(super) count: AtomicUsize,
    what: &'static str,
    id: probe::Id,
}

impl Place for Gate {
    /// How often the gate was opened.
    type State = u64;
    type Shared = Shared;
    /// How often it had been opened when this one joined.
    type Slot = u64;
    type Lines = [Line<u64>; 1];
    const PASSES_ON: bool = false;

    fn left(_: &mut Held<'_, Self>, _: Departure, _: &mut u64, _: &mut Batch) {}
}

/// A gate with a count, and what is waited for there, as reports print it.
#[track_caller]
pub(super) fn gate(count: usize, what: &'static str) -> Arc<Hall<Gate>> {
    let shared = Shared { count: AtomicUsize::new(count), what, id: probe::Id::new() };
    Arc::new(Hall::new(shared, 0, [Line::new()]))
}

impl Hall<Gate> {
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        // Acquire: partner of the releasing change that brought the count to zero, and of those before it.
        self.look().count.load(Ordering::Acquire) == 0
    }

    /// Runs `change` under the lock, and lets those go who wait if it says that the count has become zero (T2).
    #[inline]
    pub(super) fn open(&self, change: impl FnOnce(&AtomicUsize) -> bool) {
        let (first, until, more) = self.release(change);
        line::wake(self, first, more, |held, batch| line::let_go(held, LINE, until, batch));
    }

    /// As [`open`](Self::open), but for waking: whom to wake first, up to which round, and whether there are more.
    #[inline]
    fn release(&self, change: impl FnOnce(&AtomicUsize) -> bool) -> (Option<Waker>, u64, bool) {
        let mut first = None;
        let (until, more) = self.with(|held| {
            if change(&held.shared.count) {
                *held.state += 1;
            }
            let until = *held.state;
            (until, line::let_go(held, LINE, until, &mut first))
        });
        (first, until, more)
    }

    /// Lowers the count by one, unless it is zero. Lets no waker's panic out.
    pub(super) fn lower(&self) {
        self.touch(Access::Write);
        let lower = |above: usize| move |count: usize| count.checked_sub(1).filter(|_| count > above);
        // Release: partner of the acquiring load of whoever finds the gate open, and of the last change below.
        if self.shared.count.fetch_update(Ordering::Release, Ordering::Relaxed, lower(1)).is_err() {
            // Acquire: the last one passes what all did before it on to those whom it lets go.
            let last = |count: &AtomicUsize| count.fetch_update(Ordering::AcqRel, Ordering::Relaxed, lower(0)) == Ok(1);
            let (first, until, more) = self.release(last);
            line::wake_quietly(self, first, more, |held, batch| line::let_go(held, LINE, until, batch));
        }
    }

    #[inline]
    pub(super) fn wait(&self) -> Wait<'_> {
        Wait { waiter: Waiter::new(self, 0), seen: Seen::NONE }
    }
}

pin_project! {
    /// Waits until an event is set, a latch opens or a wait group is empty; made by [`Event::wait`](super::Event::wait),
    /// [`Latch::wait`](super::Latch::wait) and [`WaitGroup::wait`](super::WaitGroup::wait).
    ///
    /// # Fairness
    /// All who wait are let go together, and woken in the order of their first polls.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing for anybody else.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct Wait<'a> {
        #[pin]
        waiter: Waiter<Gate, &'a Hall<Gate>>,
        seen: Seen,
    }
}

impl Future for Wait<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let waiter = this.waiter.as_ref();
        let gate = *waiter.home();
        if waiter.is_granted() || gate.is_open() {
            return Poll::Ready(());
        }
        let passed = line::look_or_join(waiter, this.seen, cx, LINE, |seat, granted| {
            let joined = *seat.held.state;
            *seat.slot() = joined;
            // Relaxed: the lock is held, under which the count became what it is if it is zero (T2).
            let passes = granted || seat.held.shared.count.load(Ordering::Relaxed) == 0;
            passes.then_some(())
        });
        match passed {
            Some(()) => Poll::Ready(()),
            None => {
                probe::waiting(gate.shared.what, Some(gate.shared.id), u64::MAX);
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("waiting", &self.waiter.is_waiting()).finish_non_exhaustive()
    }
}

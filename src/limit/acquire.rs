//! Waiting for permits.

use super::limiter::Limiter;
use super::state::{self, Gate, LINE, Limit, Todo, Wish};
use crate::cancel::Deadline;
use crate::sys::probe;
use crate::time::Instant;
use crate::wait::{Batch, Seat, Seen, Waiter};
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;

pin_project! {
    /// Waits for permits; made by [`Limiter::acquire`], [`Limiter::acquire_before`] and [`Limiter::acquire_in`].
    ///
    /// # Time
    /// Ready at the instant at which the quota allows it, to the nanosecond in virtual time, else as late as timers are.
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping it before it is ready takes no permits: its place in line is given up, permits that it was granted go back,
    /// and those behind it move forward at once. Permits of one that was ready have been spent.
    #[must_use = "nothing is acquired unless this is awaited"]
    pub struct Acquire<'a> {
        #[pin]
        waiter: Waiter<Limit, &'a Gate>,
        seen: Seen,
        limiter: &'a Limiter,
        permits: u32,
        deadline: Deadline,
        due: Instant,
    }

    impl PinnedDrop for Acquire<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let waiter = this.waiter.as_ref();
            if waiter.is_waiting() || waiter.is_granted() {
                leave(waiter, this.limiter);
            }
        }
    }
}

impl<'a> Acquire<'a> {
    #[inline]
    pub(super) fn new(limiter: &'a Limiter, permits: u32, deadline: Deadline) -> Self {
        let waiter = Waiter::new(&*limiter.gate, Wish::new(permits, deadline));
        Self { waiter, seen: Seen::NONE, limiter, permits, deadline, due: Instant::NEVER }
    }
}

/// Gives up a place in line, or a grant (L4).
fn leave(waiter: Pin<&Waiter<Limit, &Gate>>, limiter: &Limiter) {
    let now = limiter.gate.shared.time.now();
    let mut batch = Batch::new();
    let (old, todo) = waiter.with(|seat| {
        let old = seat.leave(&mut batch);
        let now = seat.held.tell(now);
        (old, seat.held.settle(now, &mut batch))
    });
    state::follow(&limiter.gate, &mut batch, todo);
    drop(old);
}

/// What a round under the lock came to.
enum Round {
    Granted,
    /// Its turn comes at this instant, which is too late.
    TooLate(Instant),
    /// It is in line with the new waker, and its turn comes at this instant; the old waker is to be dropped.
    Waits(Option<Instant>, Option<Waker>),
    /// It has to wait, and has no waker for that yet.
    NeedsWaker,
}

/// Looks whether it is this one's turn, and joins the line if not.
fn round(
    seat: &mut Seat<'_, '_, Limit>,
    (permits, deadline): (u32, Deadline),
    now: Instant,
    waker: &mut Option<Waker>,
    batch: &mut Batch,
) -> (Round, Todo) {
    if seat.is_waiting() {
        let round = match waker.take() {
            Some(waker) => Round::Waits(None, seat.set_waker(waker)),
            None => Round::NeedsWaker,
        };
        return (round, Todo::default());
    }
    if seat.accept() {
        return (Round::Granted, Todo::default());
    }
    if let Some(at) = state::refusal(seat.slot()) {
        return (Round::TooLate(at), Todo::default());
    }
    let now = seat.held.tell(now);
    let todo = seat.held.settle(now, batch);
    if deadline.allows(Instant::from_nanos(now)) && seat.held.take(permits, now) {
        return (Round::Granted, todo);
    }
    let due = Instant::from_nanos(seat.held.due(permits).max(now));
    if !deadline.allows(due) {
        return (Round::TooLate(due), todo);
    }
    let Some(waker) = waker.take() else { return (Round::NeedsWaker, todo) };
    let mut wish = Wish::new(permits, deadline);
    seat.held.count(&mut wish, now);
    *seat.slot() = wish;
    let old = seat.join(LINE, Some(waker));
    // The first in line has the timer set for it.
    let todo = seat.held.settle(now, batch);
    (Round::Waits(Some(due), old), todo)
}

impl Future for Acquire<'_> {
    type Output = Result<(), AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let waiter = this.waiter.as_ref();
        let shared = &this.limiter.gate.shared;
        let (permits, deadline) = (*this.permits, *this.deadline);
        if !(waiter.is_waiting() && this.seen.is(cx.waker())) {
            if deadline == Deadline::Cancelled {
                return Poll::Ready(Err(AcquireError::Cancelled));
            }
            if permits == 0 {
                return Poll::Ready(Ok(()));
            }
            let burst = shared.quota.max_burst().get();
            if permits > burst {
                return Poll::Ready(Err(AcquireError::ExceedsBurst { permits, burst }));
            }
            let now = if waiter.is_granted() { Instant::EPOCH } else { shared.time.now() };
            let mut waker = None;
            loop {
                let mut batch = Batch::new();
                let (round, todo) = waiter.with(|seat| round(seat, (permits, deadline), now, &mut waker, &mut batch));
                state::follow(&this.limiter.gate, &mut batch, todo);
                match round {
                    Round::Granted => return Poll::Ready(Ok(())),
                    Round::TooLate(earliest) => {
                        let deadline = if let Deadline::At(at) = deadline { at } else { Instant::NEVER };
                        return Poll::Ready(Err(AcquireError::TooLate { earliest, deadline }));
                    }
                    Round::Waits(due, old) => {
                        *this.due = due.unwrap_or(*this.due);
                        drop(old);
                        break;
                    }
                    Round::NeedsWaker => {
                        let clone = cx.waker().clone();
                        *this.seen = Seen::of(&clone);
                        waker = Some(clone);
                    }
                }
            }
        }
        probe::waiting("limiter", Some(shared.id), this.due.as_nanos());
        Poll::Pending
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("permits", &self.permits)
            .field("deadline", &self.deadline)
            .field("waiting", &self.waiter.is_waiting())
            .finish_non_exhaustive()
    }
}

/// Permits that were not granted. The limiter is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// They are more than are ever granted at once.
    ExceedsBurst {
        /// How many were asked for.
        permits: u32,
        /// How many may be asked for.
        burst: u32,
    },
    /// The turn would not have come before the deadline.
    TooLate {
        /// When the turn would have come, those counted who waited already.
        earliest: Instant,
        /// The deadline.
        deadline: Instant,
    },
    /// The scope was cancelled already.
    Cancelled,
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExceedsBurst { permits, burst } => write!(f, "{permits} permits are more than the burst of {burst}"),
            Self::TooLate { earliest, deadline } => {
                write!(f, "not allowed before {earliest}, which is not before the deadline {deadline}")
            }
            Self::Cancelled => f.pad("the scope is cancelled"),
        }
    }
}

impl Error for AcquireError {}

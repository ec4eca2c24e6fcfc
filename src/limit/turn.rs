//! Waiting for a turn: what all futures of the room do.

use super::book::Receipt;
use super::decide::Algorithm;
use super::error::AcquireError;
use super::quick::Decision;
use super::state::{Gate, LINE, Limit, Todo, Verdict, Wish};
use super::timer::follow;
use crate::cancel::Deadline;
use crate::sys::thread::contain;
use crate::sys::{Arc, probe, trace};
use crate::time::Instant;
use crate::wait::{Batch, Home, Seat, Seen, Standing, Waiter};
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;

/// A way to a limiter.
pub(super) trait Door<A: Algorithm>: Home<Limit<A>> {
    fn gate(&self) -> &Arc<Gate<A>>;
}

impl<A: Algorithm> Door<A> for &Arc<Gate<A>> {
    #[inline]
    fn gate(&self) -> &Arc<Gate<A>> {
        self
    }
}

impl<A: Algorithm> Door<A> for Arc<Gate<A>> {
    #[inline]
    fn gate(&self) -> &Arc<Gate<A>> {
        self
    }
}

pin_project! {
    /// Waits for its turn at a limiter.
    pub(super) struct Turn<A: Algorithm, D: Door<A>> {
        #[pin]
        waiter: Waiter<Limit<A>, D>,
        seen: Seen,
        permits: u32,
        deadline: Deadline,
        // Whether the receipt is of use.
        returns: bool,
        // Whether it waits also where there is no room.
        patient: bool,
        due: u64,
    }

    impl<A: Algorithm, D: Door<A>> PinnedDrop for Turn<A, D> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.waiter.standing() != Standing::Idle {
                leave(this.waiter.as_ref());
            }
        }
    }
}

impl<A: Algorithm, D: Door<A>> Turn<A, D> {
    #[inline]
    pub(super) fn new(door: D, permits: u32, deadline: Deadline) -> Self {
        let waiter = Waiter::new(door, Wish::new(permits, deadline));
        Self { waiter, seen: Seen::NONE, permits, deadline, returns: false, patient: false, due: u64::MAX }
    }

    /// The same, for one who may give back what is granted.
    pub(super) fn returning(mut self) -> Self {
        self.returns = true;
        self
    }

    /// The same, for one who is held back as long as it waits, and so needs no room in a queue.
    pub(super) fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// How many permits it is for.
    pub(super) fn permits(&self) -> u32 {
        self.permits
    }

    /// The way to the limiter.
    pub(super) fn door(&self) -> &D {
        self.waiter.home()
    }

    #[inline]
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Receipt, AcquireError>> {
        let this = self.project();
        let waiter = this.waiter.as_ref();
        let ask = Ask { permits: *this.permits, deadline: *this.deadline, patient: *this.patient };
        let gate = waiter.get_ref().home().gate();
        let standing = waiter.standing();
        if standing == Standing::Waiting && this.seen.is(cx.waker()) {
            probe::waiting("limiter", Some(gate.shared.id), *this.due);
            return Poll::Pending;
        }
        let mut now = Instant::EPOCH;
        if standing == Standing::Idle {
            now = gate.shared.now();
            // A receipt comes from the book alone. Who waited with a deadline, and was turned away, is told so.
            if !*this.returns && *this.due == u64::MAX && ask.deadline.allows(gate.told(now)) {
                match gate.decide(ask.permits, now) {
                    Decision::Granted(_) => return Poll::Ready(Ok(Receipt::NONE)),
                    Decision::NotYet(due) if !ask.deadline.allows(Instant::from_nanos(due)) => {
                        return Poll::Ready(Err(ask.refused(ask.too_late(due))));
                    }
                    _ => {}
                }
            }
        }
        ask.go_round(waiter, this.seen, this.due, now, cx)
    }
}

/// Gives up a place in line, or a grant (L4).
#[cold]
pub(super) fn leave<A: Algorithm, D: Door<A>>(waiter: Pin<&Waiter<Limit<A>, D>>) {
    let gate = waiter.get_ref().home().gate();
    let now = gate.shared.now();
    let mut batch = Batch::new();
    let (old, todo) = waiter.with(|seat| {
        let old = seat.leave(&mut batch);
        let now = seat.held.open(now, &mut batch);
        (old, seat.held.close(now, &mut batch))
    });
    // A drop may be part of an unwinding, which a second panic would turn into the end of the process.
    contain(|| follow(gate, &mut batch, todo));
    contain(|| drop(old));
}

/// What a round under the lock came to.
enum Round {
    Granted(Receipt),
    Refused(AcquireError),
    /// It is in line with the new waker, and its turn comes at this instant, if that is known; the old waker is to be
    /// dropped.
    Waits(Option<u64>, Option<Waker>),
    /// It has to wait, and has no waker for that yet.
    NeedsWaker,
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Ask {
    permits: u32,
    deadline: Deadline,
    patient: bool,
}

impl Ask {
    /// Looks whether its turn has come, and waits if not.
    fn go_round<A: Algorithm, D: Door<A>>(
        self,
        waiter: Pin<&Waiter<Limit<A>, D>>,
        seen: &mut Seen,
        due: &mut u64,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Receipt, AcquireError>> {
        let gate = waiter.get_ref().home().gate();
        let mut waker = None;
        loop {
            let mut batch = Batch::new();
            let (round, todo) = waiter.with(|seat| self.round(seat, now, &mut waker, &mut batch));
            follow(gate, &mut batch, todo);
            match round {
                Round::Granted(receipt) => return Poll::Ready(Ok(receipt)),
                Round::Refused(error) => return Poll::Ready(Err(self.refused(error))),
                Round::Waits(at, old) => {
                    if let Some(at) = at {
                        *due = at;
                        trace::limiter_waits(self.permits, at);
                    }
                    drop(old);
                    probe::waiting("limiter", Some(gate.shared.id), *due);
                    return Poll::Pending;
                }
                Round::NeedsWaker => {
                    let clone = cx.waker().clone();
                    *seen = Seen::of(&clone);
                    waker = Some(clone);
                }
            }
        }
    }

    /// Looks whether it is this one's turn, and joins the line if not.
    fn round<A: Algorithm>(
        self,
        seat: &mut Seat<'_, '_, Limit<A>>,
        now: Instant,
        waker: &mut Option<Waker>,
        batch: &mut Batch,
    ) -> (Round, Todo) {
        let none = Todo::default();
        if seat.is_waiting() {
            return match waker.take() {
                Some(waker) => (Round::Waits(None, seat.set_waker(waker)), none),
                None => (Round::NeedsWaker, none),
            };
        }
        seat.accept();
        match mem::replace(&mut seat.slot().verdict, Verdict::None) {
            Verdict::Granted(receipt) => return (Round::Granted(receipt), none),
            Verdict::TooLate(at) => return (Round::Refused(self.too_late(at)), none),
            Verdict::Exceeds(burst) => return (Round::Refused(self.exceeds(burst)), none),
            Verdict::None => {}
        }
        if let Some(round) = self.at_once(seat.held.burst()) {
            return (round, none);
        }
        let now = seat.held.open(now, batch);
        let round = self.take_or_join(seat, now, waker);
        (round, seat.held.close(now, batch))
    }

    fn take_or_join<A: Algorithm>(
        self,
        seat: &mut Seat<'_, '_, Limit<A>>,
        now: u64,
        waker: &mut Option<Waker>,
    ) -> Round {
        if self.deadline.allows(Instant::from_nanos(now)) {
            if let Some(receipt) = seat.held.take(self.permits, now) {
                return Round::Granted(receipt);
            }
        }
        if !self.patient && !seat.held.has_room(self.permits) {
            return Round::Refused(AcquireError::Full { permits: self.permits, queued: seat.held.queued() });
        }
        let mut due = u64::MAX;
        if self.deadline != Deadline::Never || seat.held.is_due_known() {
            due = seat.held.due(self.permits, now);
            if !self.deadline.allows(Instant::from_nanos(due)) {
                return Round::Refused(self.too_late(due));
            }
        }
        let Some(waker) = waker.take() else { return Round::NeedsWaker };
        let mut wish = Wish::new(self.permits, self.deadline);
        seat.held.count(&mut wish, now);
        *seat.slot() = wish;
        Round::Waits(Some(due), seat.join(LINE, Some(waker)))
    }

    /// What can be said whatever was granted so far.
    fn at_once(self, burst: u32) -> Option<Round> {
        match self.permits {
            _ if self.deadline == Deadline::Cancelled => Some(Round::Refused(AcquireError::Cancelled)),
            0 => Some(Round::Granted(Receipt::NONE)),
            permits if permits > burst => Some(Round::Refused(self.exceeds(burst))),
            _ => None,
        }
    }

    fn exceeds(self, burst: u32) -> AcquireError {
        AcquireError::ExceedsBurst { permits: self.permits, burst }
    }

    /// Tells those who listen of a refusal.
    fn refused(self, error: AcquireError) -> AcquireError {
        trace::limiter_refused(self.permits, &error);
        error
    }

    fn too_late(self, due: u64) -> AcquireError {
        too_late(due, self.deadline)
    }
}

/// The refusal of one whose turn would come at `due`.
pub(super) fn too_late(due: u64, deadline: Deadline) -> AcquireError {
    let deadline = if let Deadline::At(at) = deadline { at } else { Instant::NEVER };
    AcquireError::TooLate { earliest: Instant::from_nanos(due), deadline }
}

impl<A: Algorithm, D: Door<A>> fmt::Debug for Turn<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("permits", &self.permits)
            .field("deadline", &self.deadline)
            .field("waiting", &self.waiter.is_waiting())
            .finish_non_exhaustive()
    }
}

//! What one who wants permits of several limiters has at each of them: a place in line, or none.
//!
//! # Invariants
//!
//! - **C1** The locks of several limiters are taken in the order of their addresses, and no other lock behind them. Whoever
//!   has all of them looks, decides, and does the same at each, before any other thread can look at two of them.
//! - **C2** So a composite joins all of its lines together, or none. Of two that meet in several lines the same one is ahead
//!   in all of them, and the one that is ahead of all others waits for time alone.
//! - **C3** Nothing is taken before all of it is there. Until then the first in a line who waits at other limiters too keeps
//!   those behind waiting, and is told when its turn has come here; `told` says that it has.

use super::error::Refusal;
use crate::cancel::Deadline;
use crate::limit::decide::Algorithm;
use crate::limit::state::{Gate, LINE, Limit, Todo, Verdict, Wish};
use crate::limit::timer::follow;
use crate::limit::turn::leave;
use crate::sys::Arc;
use crate::sys::thread::contain;
use crate::time::Instant;
use crate::wait::{Batch, Held, Seat, Standing, Waiter};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::iter::Flatten;
use core::mem;
use core::pin::Pin;
use core::slice::IterMut;
use core::task::Waker;
use pin_project_lite::pin_project;

/// What is known of the limiters whose locks are held.
#[derive(Clone, Copy)]
pub(super) struct Tally {
    /// Whether the turn has come at each.
    ready: bool,
    /// Since when it has.
    since: u64,
    /// The first instant at which it may come.
    due: u64,
    /// The latest reading of a clock.
    now: u64,
    refusal: Option<Refusal>,
}

impl Tally {
    pub(super) const NONE: Self = Self { ready: true, since: 0, due: 0, now: 0, refusal: None };

    /// What comes of it for one who asks in this way.
    pub(super) fn decide(self, ask: Ask) -> Decision {
        let due = self.due.max(self.now);
        match self.refusal {
            Some(refusal) => Decision::Refuse(refusal),
            None if !ask.deadline.allows(Instant::from_nanos(due)) => Decision::Refuse(Refusal::TooLate(due)),
            None if ask.how == How::Look => Decision::Nothing,
            None if self.ready => Decision::Take(self.since),
            None if ask.how == How::Try => Decision::Refuse(Refusal::NotYet(due.max(self.now.saturating_add(1)))),
            None => Decision::Wait,
        }
    }
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) how: How,
    pub(super) deadline: Deadline,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Only to know whether there is any point in it.
    Look,
    /// At once or not at all.
    Try,
    Wait,
}

/// What is done at each limiter.
#[derive(Clone, Copy)]
pub(super) enum Decision {
    /// The permits are taken, as of this instant.
    Take(u64),
    /// A place in line is taken, or kept.
    Wait,
    /// A place in line is given up.
    Refuse(Refusal),
    Nothing,
}

/// One limiter of a composite, whatever its algorithm.
pub(super) trait Stand: Send {
    /// What the limiter is told from others by.
    fn address(&self) -> usize;

    /// Wants so many more.
    fn add(self: Pin<&mut Self>, permits: u32);

    /// Reads the clock, and clones the waker of one who may have to wait.
    fn prepare(self: Pin<&mut Self>, waker: Option<&Waker>);

    /// Looks under the lock, has `rest` decide with what is known, and does as it says.
    fn locked(self: Pin<&mut Self>, ask: Ask, tally: Tally, rest: &mut dyn FnMut(Tally) -> Decision) -> Decision;

    /// Does what is left to do outside all locks.
    fn follow(self: Pin<&mut Self>);
}

/// One of them, which is taken out while its lock is held.
type Place = Option<Pin<Box<dyn Stand>>>;

/// All limiters of a composite, in the order in which they were named, so that a run that is repeated is the same.
#[derive(Default)]
pub(super) struct Stands {
    places: Vec<Place>,
    /// In which order their locks are taken (C1).
    order: Vec<usize>,
}

impl Stands {
    pub(super) fn new(stands: Vec<Pin<Box<dyn Stand>>>) -> Self {
        let mut order: Vec<_> = (0..stands.len()).collect();
        order.sort_by_key(|place| stands[*place].address());
        Self { places: stands.into_iter().map(Some).collect(), order }
    }

    /// Looks at all, and does at all the same (C1).
    pub(super) fn decide(&mut self, ask: Ask, waker: Option<&Waker>) -> Decision {
        for stand in self.places.iter_mut().flatten() {
            stand.as_mut().prepare(waker);
        }
        let decision = descend(&mut self.places, &self.order, ask, Tally::NONE);
        follow_all(&mut self.places);
        decision
    }
}

fn descend(places: &mut [Place], order: &[usize], ask: Ask, tally: Tally) -> Decision {
    let Some((first, others)) = order.split_first() else { return tally.decide(ask) };
    let Some(mut stand) = places[*first].take() else { return descend(places, others, ask, tally) };
    let decision = stand.as_mut().locked(ask, tally, &mut |tally| descend(places, others, ask, tally));
    places[*first] = Some(stand);
    decision
}

/// Follows at all, also when a waker panics at one.
fn follow_all(places: &mut [Place]) {
    /// The rest, also while a panic unwinds.
    struct Rest<'a>(Flatten<IterMut<'a, Place>>);
    impl Drop for Rest<'_> {
        fn drop(&mut self) {
            for stand in &mut self.0 {
                contain(|| stand.as_mut().follow());
            }
        }
    }
    let mut rest = Rest(places.iter_mut().flatten());
    for stand in rest.0.by_ref() {
        stand.as_mut().follow();
    }
}

pin_project! {
    /// A place at a limiter.
    pub(super) struct At<A: Algorithm, G> {
        #[pin]
        waiter: Waiter<Limit<A>, Arc<Gate<A>>>,
        permits: u32,
        now: Instant,
        // The one to be left behind, and then the one that was.
        waker: Option<Waker>,
        batch: Batch,
        todo: Todo,
        // Whoever lets go of a key does so when its line was left.
        keeper: G,
    }

    impl<A: Algorithm, G> PinnedDrop for At<A, G> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.waiter.standing() != Standing::Idle {
                leave(this.waiter.as_ref());
            }
        }
    }
}

impl<A: Algorithm, G> At<A, G> {
    pub(super) fn new(gate: Arc<Gate<A>>, permits: u32, keeper: G) -> Self {
        let waiter = Waiter::new(gate, Wish::new(permits, Deadline::Never));
        let (now, todo) = (Instant::EPOCH, Todo::default());
        Self { waiter, permits, now, waker: None, batch: Batch::new(), todo, keeper }
    }
}

impl<A: Algorithm, G: Send> Stand for At<A, G> {
    fn address(&self) -> usize {
        Arc::as_ptr(self.waiter.home()).addr()
    }

    fn add(self: Pin<&mut Self>, permits: u32) {
        let this = self.project();
        *this.permits = this.permits.saturating_add(permits);
    }

    fn prepare(self: Pin<&mut Self>, waker: Option<&Waker>) {
        let this = self.project();
        *this.now = this.waiter.as_ref().get_ref().home().shared.time.now();
        *this.waker = waker.cloned();
    }

    fn locked(self: Pin<&mut Self>, ask: Ask, tally: Tally, rest: &mut dyn FnMut(Tally) -> Decision) -> Decision {
        let this = self.project();
        let (permits, batch, waker) = (*this.permits, this.batch, this.waker);
        let (decision, todo) = this.waiter.as_ref().with(|seat| {
            let now = seat.held.open(*this.now, batch);
            let decision = rest(look(seat, permits, now, tally));
            match decision {
                Decision::Take(since) => {
                    *waker = step_out(seat, batch);
                    seat.held.take_together(permits, since, now);
                }
                Decision::Wait => *waker = stand_in(seat, Wish::together(permits, ask.deadline), now, waker.take()),
                Decision::Refuse(_) => *waker = step_out(seat, batch),
                Decision::Nothing => {}
            }
            (decision, seat.held.close(now, batch))
        });
        *this.todo = todo;
        decision
    }

    fn follow(self: Pin<&mut Self>) {
        let this = self.project();
        *this.waker = None;
        let todo = mem::take(this.todo);
        follow(this.waiter.as_ref().get_ref().home(), this.batch, todo);
    }
}

/// Adds what is known of one limiter to what is known of others.
fn look<A: Algorithm>(seat: &mut Seat<'_, '_, Limit<A>>, permits: u32, now: u64, tally: Tally) -> Tally {
    let (ready, since, due, refusal) = if seat.is_waiting() {
        let wish = seat.slot();
        let (ready, since) = (wish.told, wish.since);
        (ready, seat.held.state.book.due(permits, since), 0, None)
    } else {
        let refusal = match mem::replace(&mut seat.slot().verdict, Verdict::None) {
            Verdict::TooLate(at) => Some(Refusal::TooLate(at)),
            _ => seat.held.refusal(permits, now),
        };
        match refusal {
            Some(_) => (false, 0, 0, refusal),
            None => (seat.held.could_take(permits, now), now, seat.held.due(permits, now), None),
        }
    };
    Tally {
        ready: tally.ready && ready,
        since: tally.since.max(since),
        due: tally.due.max(due),
        now: tally.now.max(now),
        refusal: tally.refusal.max(refusal),
    }
}

/// Joins the line, or stays there; gives back the waker that is to be dropped outside the lock.
fn stand_in<A: Algorithm>(
    seat: &mut Seat<'_, '_, Limit<A>>,
    mut wish: Wish,
    now: u64,
    waker: Option<Waker>,
) -> Option<Waker> {
    if seat.is_waiting() {
        return match waker {
            Some(waker) => seat.set_waker(waker),
            None => None,
        };
    }
    wish.told = seat.held.could_take(wish.permits, now);
    seat.held.count(&mut wish, now);
    // Those behind it may be later than can be reckoned.
    seat.held.state.postpone();
    *seat.slot() = wish;
    seat.join(LINE, waker)
}

/// Leaves the line, if it is there; gives back the waker that is to be dropped outside the lock.
fn step_out<A: Algorithm>(seat: &mut Seat<'_, '_, Limit<A>>, batch: &mut Batch) -> Option<Waker> {
    if seat.is_waiting() { seat.leave(batch) } else { None }
}

impl<A: Algorithm> Held<'_, Limit<A>> {
    /// Why so many can't be had at all, or waited for.
    fn refusal(&mut self, permits: u32, now: u64) -> Option<Refusal> {
        let burst = self.burst();
        if permits > burst {
            return Some(Refusal::Exceeds { permits, burst });
        }
        if self.has_room(permits) {
            return None;
        }
        Some(Refusal::Full { permits, queued: self.queued(), due: self.due(permits, now) })
    }

    /// Whether a newcomer could have `permits` at `now`.
    fn could_take(&self, permits: u32, now: u64) -> bool {
        self.is_empty(LINE) && self.state.book.is_ready(permits, now)
    }

    /// Grants `permits` to one whose turn has come at all of its limiters since an instant, and who is in no line any more.
    fn take_together(&mut self, permits: u32, since: u64, now: u64) {
        self.state.postpone();
        self.state.book.grant(permits, since, now);
    }

    /// Tells the first in line, who waits at other limiters too, that its turn has come, if it has and is news. True: the batch
    /// is full.
    pub(in crate::limit) fn tell_first(&mut self, due: u64, now: u64, batch: &mut Batch) -> bool {
        let Some(wish) = self.first(LINE) else { return false };
        let (is_due, news) = (due <= now, due <= now && !wish.told);
        if news && batch.is_full() {
            self.state.want = now;
            return true;
        }
        wish.told = is_due;
        let end = if let Deadline::At(at) = wish.deadline { at.as_nanos() } else { u64::MAX };
        self.state.want = if is_due { end } else { due };
        if news {
            if let Some(waker) = self.rouse(LINE) {
                batch.push(waker);
            }
        }
        false
    }
}

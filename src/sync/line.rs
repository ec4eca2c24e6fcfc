//! How futures of this room wait, and how many are let go at once.
//!
//! A call that lets others go carries the first waker out by itself ([`Outgoing`]); where there are more, they leave the lock
//! in batches ([`wake`]). Should a waker panic, the rest are woken all the same, and then the panic unwinds through the call,
//! unless that is a drop or has something to hand over: then it ends there ([`wake_quietly`]).

use crate::sys::probe;
use crate::sys::thread::contain;
use crate::wait::{Batch, Hall, Held, Home, Place, Seat, Seen, Waiter};
use core::mem;
use core::pin::Pin;
use core::task::{Context, Waker};

/// The line of a kind that has only one.
pub(super) const LINE: usize = 0;

/// Looks under the lock, and joins `line` if `look`, which is told whether the waiter had been granted, finds nothing. None:
/// it waits.
///
/// Callers have looked without the lock before, in vain; so the waker is cloned at once.
#[inline]
pub(super) fn look_or_join<P: Place, H: Home<P>, R>(
    waiter: Pin<&Waiter<P, H>>,
    seen: &mut Seen,
    cx: &mut Context<'_>,
    line: usize,
    look: impl FnOnce(&mut Seat<'_, '_, P>, bool) -> Option<R>,
) -> Option<R> {
    if waiter.is_waiting() && (seen.is(cx.waker()) || stays(waiter, seen, cx)) {
        return None;
    }
    let waker = cx.waker().clone();
    *seen = Seen::of(&waker);
    let looked = waiter.with(|seat| {
        let granted = seat.accept();
        match look(seat, granted) {
            Some(found) => Some((found, waker)),
            None => {
                seat.enter(line, waker);
                None
            }
        }
    });
    let (found, waker) = looked?;
    drop(waker);
    Some(found)
}

/// Leaves another waker behind. False: the waiter is in line no more.
#[cold]
fn stays<P: Place, H: Home<P>>(waiter: Pin<&Waiter<P, H>>, seen: &mut Seen, cx: &mut Context<'_>) -> bool {
    let waker = cx.waker().clone();
    *seen = Seen::of(&waker);
    let (stays, old) = waiter.with(|seat| match seat.is_waiting() {
        true => (true, seat.set_waker(waker)),
        false => (false, Some(waker)),
    });
    drop(old);
    stays
}

/// Where wakers go on their way out of a lock: one into an `Option`, up to a full batch into a [`Batch`].
pub(super) trait Outgoing {
    fn is_full(&self) -> bool;

    /// Takes the waker along; there is room.
    fn take(&mut self, waker: Option<Waker>);
}

impl Outgoing for Option<Waker> {
    #[inline]
    fn is_full(&self) -> bool {
        self.is_some()
    }

    #[inline]
    fn take(&mut self, waker: Option<Waker>) {
        debug_assert!(self.is_none());
        mem::forget(mem::replace(self, waker));
    }
}

impl Outgoing for Batch {
    #[inline]
    fn is_full(&self) -> bool {
        Self::is_full(self)
    }

    #[inline]
    fn take(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.push(waker);
        }
    }
}

/// Grants whoever joined `line` before round `until`, until `out` is full. True: there are more.
///
/// Waiters of such kinds bring the round in which they joined. So whoever comes while a long line is being let go stays.
#[inline]
pub(super) fn let_go<P: Place<Slot = u64>>(
    held: &mut Held<'_, P>,
    line: usize,
    until: u64,
    out: &mut impl Outgoing,
) -> bool {
    while held.first(line).is_some_and(|joined| *joined < until) {
        if out.is_full() {
            return true;
        }
        out.take(held.hand(line));
    }
    false
}

/// The round of one that was chosen alone, not let go with others: it passes its turn on if it does not take it.
pub(super) const ALONE: u64 = u64::MAX;

/// Grants the first of `line` alone; `out` has room. False: nobody waits.
#[inline]
pub(super) fn choose<P: Place<Slot = u64>>(held: &mut Held<'_, P>, line: usize, out: &mut impl Outgoing) -> bool {
    let Some(round) = held.first(line) else { return false };
    *round = ALONE;
    out.take(held.hand(line));
    true
}

/// Wakes the first, and if there are `more`, runs `rest` until nothing is left.
#[inline]
pub(super) fn wake<P: Place>(
    hall: &Hall<P>,
    first: Option<Waker>,
    more: bool,
    rest: impl FnMut(&mut Held<'_, P>, &mut Batch) -> bool,
) {
    if more {
        return wake_more(hall, first, rest);
    }
    wake_one(first);
}

/// As [`wake`], and lets no panic out. Without `std` a panic can't be caught.
#[inline]
pub(super) fn wake_quietly<P: Place>(
    hall: &Hall<P>,
    first: Option<Waker>,
    more: bool,
    rest: impl FnMut(&mut Held<'_, P>, &mut Batch) -> bool,
) {
    if more {
        return contain(|| wake_more(hall, first, rest));
    }
    if first.is_some() {
        contain(|| wake_one(first));
    }
}

#[inline]
fn wake_one(waker: Option<Waker>) {
    if let Some(waker) = waker {
        probe::firing(&waker);
        waker.wake();
    }
}

#[cold]
fn wake_more<P: Place>(hall: &Hall<P>, first: Option<Waker>, rest: impl FnMut(&mut Held<'_, P>, &mut Batch) -> bool) {
    /// Does the rest while the panic of the first unwinds.
    struct Rest<'a, P: Place, F: FnMut(&mut Held<'_, P>, &mut Batch) -> bool>(&'a Hall<P>, F);
    impl<P: Place, F: FnMut(&mut Held<'_, P>, &mut Batch) -> bool> Rest<'_, P, F> {
        fn run(&mut self) {
            self.0.wake_to_end(&mut self.1);
        }
    }
    impl<P: Place, F: FnMut(&mut Held<'_, P>, &mut Batch) -> bool> Drop for Rest<'_, P, F> {
        fn drop(&mut self) {
            contain(|| self.run());
        }
    }
    let mut rest = Rest(hall, rest);
    wake_one(first);
    rest.run();
    mem::forget(rest);
}

//! How a future waits for its grant.

use super::kind::{Buffered, Kind};
use super::ops::Keys;
use super::shelf::Shelf;
use super::state::{Due, Found, InLine, JOINERS, Key, Queue, RECEIVERS, Room, SENDERS, Shared};
use crate::sys::probe;
use crate::wait::{Held, Home, Seat, Standing};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// What a future wants of a queue.
pub(super) trait Errand<T, K: Kind<T>> {
    type Output;
    /// The line to wait in.
    const LINE: usize;
    /// What a report says it waits for.
    const WHAT: &'static str;
    /// Whether it brings something, which would be lost with the panic of a waker.
    const BRINGS: bool = true;

    /// Whether a newcomer will have to wait.
    fn is_hopeless(shared: &Shared) -> bool;

    /// Does it at once, if nobody else is concerned.
    #[inline(always)]
    fn hurry(&mut self, _: &Queue<T, K>) -> Option<Self::Output> {
        None
    }

    /// Whether [`collect`](Self::collect) is worth a try.
    #[inline(always)]
    fn is_easy(_: &Shared) -> bool {
        false
    }

    /// Does what was granted, if nobody else is concerned.
    #[inline(always)]
    fn collect(&mut self, _: &mut Seat<'_, '_, Room<T, K>>) -> Option<Self::Output> {
        None
    }

    /// Looks for what is wanted; whether it was granted is known.
    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool, due: &mut Due) -> Found<Self::Output>;

    /// Whether a newcomer has to wait, as is known under the lock.
    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool;

    /// Called when the waiter has joined the line.
    #[inline]
    fn joined(&mut self, _: &mut Seat<'_, '_, Room<T, K>>, _: &mut Due) {}
}

/// The one way to wait: looks, and joins the line if there is nothing. `Err`: the queue is closed.
#[inline(always)]
pub(super) fn poll<T, K: Kind<T>, H: Home<Room<T, K>>, E: Errand<T, K>>(
    waiter: Pin<&InLine<T, K, H>>,
    cx: &mut Context<'_>,
    mut errand: E,
) -> Poll<Result<E::Output, ()>> {
    let queue = waiter.home().hall();
    match waiter.standing() {
        Standing::Idle => {
            if let Some(output) = errand.hurry(queue) {
                return Poll::Ready(Ok(output));
            }
            if E::is_hopeless(&queue.shared) {
                return enter::<T, K, H, E, false>(waiter, cx, errand);
            }
        }
        Standing::Waiting => return stay(waiter, cx, errand),
        Standing::Granted => {
            if E::is_easy(&queue.shared) {
                if let Some(Some(output)) = waiter.try_with(|seat| errand.collect(seat)) {
                    return Poll::Ready(Ok(output));
                }
            }
            return look::<T, K, H, E, true>(waiter, cx, errand);
        }
    }
    look::<T, K, H, E, false>(waiter, cx, errand)
}

/// Looks under the lock: for what was granted, or for what is there for newcomers.
#[inline(never)]
fn look<T, K: Kind<T>, H: Home<Room<T, K>>, E: Errand<T, K>, const GRANTED: bool>(
    waiter: Pin<&InLine<T, K, H>>,
    cx: &mut Context<'_>,
    mut errand: E,
) -> Poll<Result<E::Output, ()>> {
    let queue = waiter.home().hall();
    let mut due = Due::NOBODY;
    let found = waiter.with(|seat| {
        if GRANTED {
            seat.accept_known();
        }
        errand.look(seat, GRANTED, &mut due)
    });
    if E::BRINGS {
        queue.wake_quietly(due);
    } else {
        queue.wake_due(due);
    }
    match found {
        Found::Done(output) => Poll::Ready(Ok(output)),
        Found::Closed => Poll::Ready(Err(())),
        Found::Nothing => enter::<T, K, H, E, GRANTED>(waiter, cx, errand),
    }
}

/// Joins the line, if there is still nothing. One who was granted what was not there any more (`IN_VAIN`) is the first again.
///
/// A waker is cloned outside the lock (Q9), and only to wait.
#[inline(never)]
fn enter<T, K: Kind<T>, H: Home<Room<T, K>>, E: Errand<T, K>, const IN_VAIN: bool>(
    waiter: Pin<&InLine<T, K, H>>,
    cx: &mut Context<'_>,
    mut errand: E,
) -> Poll<Result<E::Output, ()>> {
    let queue = waiter.home().hall();
    let waker = cx.waker().clone();
    let mut due = Due::NOBODY;
    let refused = waiter.with(|seat| {
        if !E::is_hopeless(seat.held.shared) && !E::is_in_vain(seat.held) {
            return Some(waker);
        }
        seat.enter(E::LINE, waker);
        if IN_VAIN {
            seat.go_first(E::LINE);
        }
        errand.joined(seat, &mut due);
        seat.held.tell_joined(E::LINE);
        None
    });
    queue.wake_due(due);
    match refused {
        None => pending::<T, K, E>(queue),
        Some(waker) => {
            // Something has come in between.
            drop(waker);
            look::<T, K, H, E, false>(waiter, cx, errand)
        }
    }
}

/// What came of a second look by one in line.
enum Stays {
    /// It stays; the waker that it had is to be dropped.
    With(Option<Waker>),
    /// It stays, and needs another waker.
    NeedsWaker,
    /// It is not in line any more; the waker that it brought is to be dropped.
    Not(Option<Waker>),
}

/// Leaves another waker behind, where the waiter is in line with one that is not the task's any more.
#[inline(never)]
fn stay<T, K: Kind<T>, H: Home<Room<T, K>>, E: Errand<T, K>>(
    waiter: Pin<&InLine<T, K, H>>,
    cx: &mut Context<'_>,
    errand: E,
) -> Poll<Result<E::Output, ()>> {
    let queue = waiter.home().hall();
    let mut waker = None;
    loop {
        let stays = waiter.with(|seat| match (seat.is_waiting(), waker.take()) {
            (true, Some(waker)) => Stays::With(seat.set_waker(waker)),
            (true, None) if seat.will_wake(cx.waker()) => Stays::With(None),
            (true, None) => Stays::NeedsWaker,
            (false, waker) => Stays::Not(waker),
        });
        match stays {
            Stays::With(old) => {
                drop(old);
                break;
            }
            Stays::NeedsWaker => waker = Some(cx.waker().clone()),
            Stays::Not(waker) => {
                drop(waker);
                return poll(waiter, cx, errand);
            }
        }
    }
    // There is nothing for it by S3, unless somebody is still busy telling a long line.
    pending::<T, K, E>(queue)
}

fn pending<T, K: Kind<T>, E: Errand<T, K>>(queue: &Queue<T, K>) -> Poll<Result<E::Output, ()>> {
    probe::waiting(E::WHAT, Some(queue.shared.id), u64::MAX);
    Poll::Pending
}

/// Sends the value; it is there again if the queue is closed.
pub(super) struct Put<'a, T, K: Kind<T>> {
    pub(super) key: Key<T, K>,
    pub(super) value: &'a mut Option<T>,
}

impl<T, K: Kind<T>> Errand<T, K> for Put<'_, T, K> {
    type Output = ();
    const LINE: usize = SENDERS;
    const WHAT: &'static str = "queue send";
    const BRINGS: bool = false;

    #[inline]
    fn is_hopeless(shared: &Shared) -> bool {
        shared.has_no_slot()
    }

    #[inline(always)]
    fn hurry(&mut self, queue: &Queue<T, K>) -> Option<()> {
        if K::Shelf::MEETS {
            return None;
        }
        queue.push(self.key, self.value);
        if self.value.is_none() { Some(()) } else { None }
    }

    #[inline(always)]
    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool, due: &mut Due) -> Found<()> {
        if !K::Shelf::MEETS {
            return seat.held.put_item(granted, self.key, self.value, due);
        }
        if granted {
            return Found::Done(());
        }
        if seat.held.state.is_closed() {
            if let Some(value) = K::Shelf::pick_up(seat.slot()) {
                *self.value = Some(value);
            }
            return Found::Closed;
        }
        Found::Nothing
    }

    #[inline]
    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool {
        !held.state.is_closed() && (K::Shelf::MEETS || !held.may_send())
    }

    #[inline]
    fn joined(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, due: &mut Due) {
        if K::Shelf::MEETS {
            if let Some(value) = self.value.take() {
                *self.value = K::Shelf::lay(seat.slot(), value);
            }
            seat.held.offer(due);
        }
    }
}

/// Sets a slot aside.
pub(super) struct Hold;

impl<T, K: Kind<T>> Errand<T, K> for Hold {
    type Output = ();
    const LINE: usize = SENDERS;
    const WHAT: &'static str = "queue reserve";

    fn is_hopeless(shared: &Shared) -> bool {
        shared.has_no_slot()
    }

    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool {
        !held.state.is_closed() && !held.may_send()
    }

    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool, _: &mut Due) -> Found<()> {
        seat.held.hold_slot(granted)
    }
}

/// Sends some of the items.
pub(super) struct PutMany<'a, T, K: Kind<T>> {
    keys: Keys<T, K>,
    items: &'a mut VecDeque<T>,
}

impl<'a, T, K: Kind<T>> PutMany<'a, T, K> {
    pub(super) fn new(items: &'a mut VecDeque<T>) -> Self {
        Self { keys: Keys::of(items), items }
    }
}

impl<T, K: Buffered<T>> Errand<T, K> for PutMany<'_, T, K> {
    type Output = usize;
    const LINE: usize = SENDERS;
    const WHAT: &'static str = "queue send_many";
    const BRINGS: bool = false;

    fn is_hopeless(shared: &Shared) -> bool {
        shared.has_no_slot()
    }

    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool {
        !held.state.is_closed() && !held.may_send()
    }

    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool, due: &mut Due) -> Found<usize> {
        seat.held.put_items(granted, self.keys.get(), self.items, due)
    }
}

/// Takes an item.
pub(super) struct Take;

impl<T, K: Kind<T>> Errand<T, K> for Take {
    type Output = T;
    const LINE: usize = RECEIVERS;
    const WHAT: &'static str = "queue recv";

    #[inline]
    fn is_hopeless(shared: &Shared) -> bool {
        shared.has_no_item()
    }

    #[inline(always)]
    fn hurry(&mut self, queue: &Queue<T, K>) -> Option<T> {
        queue.pop()
    }

    #[inline(always)]
    fn is_easy(shared: &Shared) -> bool {
        shared.has_quick_slot()
    }

    #[inline(always)]
    fn collect(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>) -> Option<T> {
        let item = seat.held.pop_claimed()?;
        seat.accept_known();
        Some(item)
    }

    #[inline]
    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool {
        !held.may_recv() && !held.state.is_done()
    }

    #[inline(always)]
    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool, due: &mut Due) -> Found<T> {
        seat.held.take_item(granted, due)
    }
}

/// Takes an item as a job.
pub(super) struct TakeJob;

impl<T, K: Kind<T>> Errand<T, K> for TakeJob {
    type Output = T;
    const LINE: usize = RECEIVERS;
    const WHAT: &'static str = "queue recv_job";

    #[inline]
    fn is_hopeless(shared: &Shared) -> bool {
        shared.has_no_item()
    }

    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool {
        !held.may_recv() && !held.state.is_done()
    }

    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool, due: &mut Due) -> Found<T> {
        seat.held.take_job(granted, due)
    }
}

/// Takes items into the buffer, which has room for one at least; says how many, and whether there are more.
pub(super) struct TakeMany<'a, T> {
    pub(super) buffer: &'a mut Vec<T>,
    pub(super) limit: usize,
}

impl<T, K: Kind<T>> Errand<T, K> for TakeMany<'_, T> {
    type Output = (usize, bool);
    const LINE: usize = RECEIVERS;
    const WHAT: &'static str = "queue recv_many";

    fn is_hopeless(shared: &Shared) -> bool {
        shared.has_no_item()
    }

    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool {
        !held.may_recv() && !held.state.is_done()
    }

    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool, due: &mut Due) -> Found<(usize, bool)> {
        seat.held.take_items(granted, self.buffer, self.limit, due)
    }
}

/// Waits until nothing is unfinished.
pub(super) struct Join;

impl<T, K: Kind<T>> Errand<T, K> for Join {
    type Output = ();
    const LINE: usize = JOINERS;
    const WHAT: &'static str = "queue join";

    fn is_hopeless(_: &Shared) -> bool {
        false
    }

    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool {
        held.state.unfinished() > 0
    }

    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool, _: &mut Due) -> Found<()> {
        if granted || seat.held.state.unfinished() == 0 { Found::Done(()) } else { Found::Nothing }
    }
}

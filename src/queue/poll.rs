//! How a future waits for its grant.

use super::kind::{Buffered, Kind};
use super::ops::Keys;
use super::shelf::Shelf;
use super::state::{Due, Found, InLine, JOINERS, Key, Queue, RECEIVERS, Refused, Room, SENDERS, Shared};
use crate::sys::probe;
use crate::wait::{Held, Home, Seat, Seen, Standing};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::pin::Pin;
use core::task::{Context, Poll};

/// What a future wants of a queue.
pub(super) trait Errand<T, K: Kind<T>> {
    type Output;
    /// The line to wait in.
    const LINE: usize;
    /// What a report says it waits for.
    const WHAT: &'static str;

    /// Whether a newcomer will have to wait.
    fn is_hopeless(shared: &Shared) -> bool;

    /// Does it at once, if nobody else is concerned.
    #[inline(always)]
    fn hurry(&mut self, _: &Queue<T, K>) -> Option<Self::Output> {
        None
    }

    /// Does what was granted, if nobody else is concerned.
    #[inline(always)]
    fn collect(&mut self, _: &mut Seat<'_, '_, Room<T, K>>) -> Option<Self::Output> {
        None
    }

    /// Looks for what is wanted; whether it was granted is known.
    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool) -> (Found<Self::Output>, Due);

    /// Whether a newcomer has to wait, as is known under the lock.
    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool;

    /// Called when the waiter has joined the line.
    #[inline]
    fn joined(&mut self, _: &mut Seat<'_, '_, Room<T, K>>) -> Due {
        Due::NOBODY
    }
}

/// The one way to wait: looks, and joins the line if there is nothing. `Err`: the queue is closed.
#[inline(always)]
pub(super) fn poll<T, K: Kind<T>, H: Home<Room<T, K>>, E: Errand<T, K>>(
    waiter: Pin<&InLine<T, K, H>>,
    seen: &mut Seen,
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
                return enter(waiter, seen, cx, errand, false);
            }
        }
        Standing::Waiting => return stay(waiter, seen, cx, errand),
        Standing::Granted => {
            if let Some(Some(output)) = waiter.try_with(|seat| errand.collect(seat)) {
                return Poll::Ready(Ok(output));
            }
        }
    }
    look(waiter, seen, cx, errand)
}

/// Looks under the lock: for what was granted, or for what is there for newcomers.
#[inline(never)]
fn look<T, K: Kind<T>, H: Home<Room<T, K>>, E: Errand<T, K>>(
    waiter: Pin<&InLine<T, K, H>>,
    seen: &mut Seen,
    cx: &mut Context<'_>,
    mut errand: E,
) -> Poll<Result<E::Output, ()>> {
    let queue = waiter.home().hall();
    let mut granted = false;
    let (found, due) = waiter.with(|seat| {
        granted = seat.accept();
        errand.look(seat, granted)
    });
    queue.wake_quietly(due);
    match found {
        Found::Done(output) => Poll::Ready(Ok(output)),
        Found::Closed => Poll::Ready(Err(())),
        Found::Nothing => enter(waiter, seen, cx, errand, granted),
    }
}

/// Joins the line, if there is still nothing. One who was granted what was not there any more (`in_vain`) is the first again.
///
/// A waker is cloned outside the lock (Q9), and only to wait.
#[inline(never)]
fn enter<T, K: Kind<T>, H: Home<Room<T, K>>, E: Errand<T, K>>(
    waiter: Pin<&InLine<T, K, H>>,
    seen: &mut Seen,
    cx: &mut Context<'_>,
    mut errand: E,
    in_vain: bool,
) -> Poll<Result<E::Output, ()>> {
    let queue = waiter.home().hall();
    let waker = cx.waker().clone();
    *seen = Seen::of(&waker);
    let entered = waiter.with(|seat| {
        if !E::is_hopeless(seat.held.shared) && !E::is_in_vain(seat.held) {
            return Err(waker);
        }
        seat.enter(E::LINE, waker);
        if in_vain {
            seat.go_first(E::LINE);
        }
        let due = errand.joined(seat);
        seat.held.tell_joined(E::LINE);
        Ok(due)
    });
    match entered {
        Ok(due) => {
            queue.wake_due(due);
            pending::<T, K, E>(queue)
        }
        Err(waker) => {
            // Something has come in between.
            drop(waker);
            look(waiter, seen, cx, errand)
        }
    }
}

/// Leaves another waker behind, where the waiter is in line.
#[inline(never)]
fn stay<T, K: Kind<T>, H: Home<Room<T, K>>, E: Errand<T, K>>(
    waiter: Pin<&InLine<T, K, H>>,
    seen: &mut Seen,
    cx: &mut Context<'_>,
    errand: E,
) -> Poll<Result<E::Output, ()>> {
    let queue = waiter.home().hall();
    if !seen.is(cx.waker()) {
        let waker = cx.waker().clone();
        *seen = Seen::of(&waker);
        let stays = waiter.with(|seat| if seat.is_waiting() { Ok(seat.set_waker(waker)) } else { Err(waker) });
        match stays {
            Ok(old) => drop(old),
            Err(waker) => {
                drop(waker);
                return look(waiter, seen, cx, errand);
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

    #[inline]
    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool) -> (Found<()>, Due) {
        if K::Shelf::MEETS {
            if granted {
                return (Found::Done(()), Due::NOBODY);
            }
            if seat.held.state.is_closed() {
                if let Some(value) = K::Shelf::pick_up(seat.slot()) {
                    *self.value = Some(value);
                }
                return (Found::Closed, Due::NOBODY);
            }
            return (Found::Nothing, Due::NOBODY);
        }
        let Some(value) = self.value.take() else { return (Found::Nothing, Due::NOBODY) };
        match seat.held.put_item(granted, self.key, value) {
            Ok(due) => (Found::Done(()), due),
            Err(Refused { value, closed }) => {
                *self.value = Some(value);
                (if closed { Found::Closed } else { Found::Nothing }, Due::NOBODY)
            }
        }
    }

    #[inline]
    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool {
        !held.state.is_closed() && (K::Shelf::MEETS || !held.may_send())
    }

    #[inline]
    fn joined(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>) -> Due {
        if !K::Shelf::MEETS {
            return Due::NOBODY;
        }
        if let Some(value) = self.value.take() {
            *self.value = K::Shelf::lay(seat.slot(), value);
        }
        seat.held.offer()
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

    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool) -> (Found<()>, Due) {
        (seat.held.hold_slot(granted), Due::NOBODY)
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

    fn is_hopeless(shared: &Shared) -> bool {
        shared.has_no_slot()
    }

    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool {
        !held.state.is_closed() && !held.may_send()
    }

    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool) -> (Found<usize>, Due) {
        seat.held.put_items(granted, self.keys.get(), self.items)
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
    fn collect(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>) -> Option<T> {
        let item = seat.held.pop_claimed()?;
        seat.accept_known();
        Some(item)
    }

    #[inline]
    fn is_in_vain(held: &Held<'_, Room<T, K>>) -> bool {
        !held.may_recv() && !held.state.is_done()
    }

    #[inline]
    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool) -> (Found<T>, Due) {
        seat.held.take_item(granted)
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

    #[inline]
    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool) -> (Found<T>, Due) {
        seat.held.take_job(granted)
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

    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool) -> (Found<(usize, bool)>, Due) {
        seat.held.take_items(granted, self.buffer, self.limit)
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

    fn look(&mut self, seat: &mut Seat<'_, '_, Room<T, K>>, granted: bool) -> (Found<()>, Due) {
        let done = granted || seat.held.state.unfinished() == 0;
        (if done { Found::Done(()) } else { Found::Nothing }, Due::NOBODY)
    }
}

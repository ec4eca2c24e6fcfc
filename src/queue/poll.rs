//! How a future waits for its grant.

use super::state::{BROUGHT, Fifo, Found, InLine, NO_ITEM, NO_SLOT, RECEIVERS, SENDERS, take_item, take_slot};
use crate::sys::probe;
use crate::wait::{Batch, Held, Home, Seat, Seen};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// Polls for a slot, and sends what is in `value` with it. `Err`: the queue is closed.
#[inline]
pub(super) fn poll_send<T, H: Home<Fifo<T>>>(
    waiter: Pin<&InLine<T, H>>,
    seen: &mut Seen,
    value: &mut Option<T>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), ()>> {
    poll(waiter, seen, cx, &SEND, |held, granted| {
        take_slot(held, granted, |held| held.push(value.take().expect(BROUGHT)))
    })
}

/// Polls for a slot, and sets it aside. `Err`: the queue is closed.
#[inline]
pub(super) fn poll_reserve<T, H: Home<Fifo<T>>>(
    waiter: Pin<&InLine<T, H>>,
    seen: &mut Seen,
    cx: &mut Context<'_>,
) -> Poll<Result<(), ()>> {
    poll(waiter, seen, cx, &RESERVE, |held, granted| take_slot(held, granted, |held| held.state.permits += 1))
}

/// Polls for an item. `Err`: nothing can come any more.
#[inline]
pub(super) fn poll_recv<T, H: Home<Fifo<T>>>(
    waiter: Pin<&InLine<T, H>>,
    seen: &mut Seen,
    cx: &mut Context<'_>,
) -> Poll<Result<T, ()>> {
    poll(waiter, seen, cx, &RECV, take_item)
}

/// What a future waits for.
struct Aim {
    line: usize,
    /// The hint which says that it will have to wait.
    hint: u8,
    what: &'static str,
}

static SEND: Aim = Aim { line: SENDERS, hint: NO_SLOT, what: "queue send" };
static RESERVE: Aim = Aim { line: SENDERS, hint: NO_SLOT, what: "queue reserve" };
static RECV: Aim = Aim { line: RECEIVERS, hint: NO_ITEM, what: "queue recv" };

/// What a round under the lock came to.
enum Round<R> {
    Ready(Result<R, ()>),
    /// It waits with the new waker; the old one is to be dropped.
    Waits(Option<Waker>),
    /// It has to wait, and has no waker for that yet.
    NeedsWaker,
}

/// The one way to wait: looks with `take` (which is told whether the waiter had been granted), and joins the line if there
/// is nothing.
///
/// A waker is cloned outside the lock (Q9), and only to wait: before the lock is taken if the hint says so, else before
/// it is taken again.
#[inline]
fn poll<T, H: Home<Fifo<T>>, R>(
    waiter: Pin<&InLine<T, H>>,
    seen: &mut Seen,
    cx: &mut Context<'_>,
    aim: &'static Aim,
    mut take: impl FnMut(&mut Held<'_, Fifo<T>>, bool) -> Found<R>,
) -> Poll<Result<R, ()>> {
    let queue = waiter.home().hall();
    if !(waiter.is_waiting() && seen.is(cx.waker())) {
        let hopeless = queue.hints(aim.hint) && !waiter.is_granted();
        let mut waker = if hopeless { Some(cx.waker().clone()) } else { None };
        loop {
            if let Some(waker) = &waker {
                *seen = Seen::of(waker);
            }
            let mut batch = Batch::new();
            let (round, more) = waiter.with(|seat| round(seat, aim, &mut waker, &mut batch, &mut take));
            queue.fire(&mut batch, more);
            match round {
                Round::Ready(r) => return Poll::Ready(r),
                Round::Waits(old) => {
                    drop(old);
                    break;
                }
                Round::NeedsWaker => waker = Some(cx.waker().clone()),
            }
        }
    }
    probe::waiting(aim.what, Some(queue.shared.id), u64::MAX);
    Poll::Pending
}

#[inline]
fn round<T, R>(
    seat: &mut Seat<'_, '_, Fifo<T>>,
    aim: &'static Aim,
    waker: &mut Option<Waker>,
    batch: &mut Batch,
    take: &mut impl FnMut(&mut Held<'_, Fifo<T>>, bool) -> Found<R>,
) -> (Round<R>, bool) {
    if seat.is_waiting() {
        // By S3 there is nothing for it yet, unless somebody is still busy telling a long line.
        return match waker.take() {
            Some(waker) => (Round::Waits(seat.set_waker(waker)), false),
            None => (Round::NeedsWaker, false),
        };
    }
    let granted = seat.accept();
    let found = match take(seat.held, granted) {
        Found::Done(r) => Round::Ready(Ok(r)),
        Found::Closed => Round::Ready(Err(())),
        Found::Nothing => match waker.take() {
            Some(waker) => Round::Waits(seat.join(aim.line, Some(waker))),
            None => Round::NeedsWaker,
        },
    };
    (found, seat.held.settle(batch))
}

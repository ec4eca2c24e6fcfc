//! Waiting for the end of a group.

use super::state::{Core, Members, WAITERS};
use crate::sys::Arc;
use crate::sys::probe::{self, Id};
use crate::wait::{Seen, Waiter};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

pin_project! {
    /// Waits until a group is over: its body has ended or was dropped, every child is gone, and nobody waits for one to
    /// start. Made by [`TaskGroup::quiesced`].
    ///
    /// # Cancel safety
    /// Dropping it loses nothing.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct Quiesced<E> {
        #[pin]
        waiter: Waiter<Members<E>, Arc<Core<E>>>,
        seen: Seen,
        id: Id,
    }
}

impl<E> Quiesced<E> {
    pub(super) fn new(core: Arc<Core<E>>) -> Self {
        let id = core.shared.id;
        Self { waiter: Waiter::new(core, ()), seen: Seen::NONE, id }
    }
}

impl<E> Future for Quiesced<E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let waiter = this.waiter.as_ref();
        if waiter.is_granted() {
            return Poll::Ready(());
        }
        if !(waiter.is_waiting() && this.seen.is(cx.waker())) {
            let waker = cx.waker().clone();
            *this.seen = Seen::of(&waker);
            let (over, unused) = waiter.with(|seat| match (seat.held.state.over, seat.is_waiting()) {
                (true, _) => (true, Some(waker)),
                (false, true) => (false, seat.set_waker(waker)),
                (false, false) => (false, seat.join(WAITERS, Some(waker))),
            });
            drop(unused);
            if over {
                return Poll::Ready(());
            }
        }
        probe::waiting("the end of a group", Some(*this.id), u64::MAX);
        Poll::Pending
    }
}

impl<E> fmt::Debug for Quiesced<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quiesced").finish_non_exhaustive()
    }
}

//! Waiting for all that are done in time.

use crate::task::set::FutureSet;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// Waits for all futures until `limit` is done, and gives the outputs there are by then, and the futures that are not done.
///
/// The limit is a future: a sleep until a deadline, or the cancelling of a scope. What is done at the instant of the limit
/// counts as done. The losers are in [`Partial::pending`]: to be waited for, or to be dropped.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::task::join_until;
///
/// wakeful::sim::run(|sim| async move {
///     let time = sim.time();
///     let fetch = |seconds| time.sleep(Duration::from_secs(seconds));
///     let partial = join_until([4, 1, 3].map(fetch), time.sleep(Duration::from_secs(3))).await;
///     assert_eq!((partial.done, partial.pending.len()), (vec![(1, ()), (2, ())], 1));
///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
/// });
/// ```
#[track_caller]
pub fn join_until<F: Future, L: Future>(futures: impl IntoIterator<Item = F>, limit: L) -> JoinUntil<F, L> {
    JoinUntil { set: futures.into_iter().collect(), done: Vec::new(), limit }
}

pin_project! {
    /// Waits for several futures until a limit; made by [`join_until`].
    ///
    /// # Cancel safety
    /// Dropping it drops the futures, and the outputs of those that were done.
    ///
    /// # Panics
    /// If a future does: at once, the others being dropped with this.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct JoinUntil<F, L>
    where
        F: Future,
    {
        set: FutureSet<F>,
        done: Vec<(usize, F::Output)>,
        #[pin]
        limit: L,
    }
}

/// What was done in time, and what was not.
#[non_exhaustive]
pub struct Partial<F: Future> {
    /// Outputs with the indices of their futures, in the order in which they came.
    pub done: Vec<(usize, F::Output)>,
    /// Futures that are not done.
    pub pending: FutureSet<F>,
}

impl<F: Future, L: Future> Future for JoinUntil<F, L> {
    type Output = Partial<F>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        while let Poll::Ready(next) = this.set.poll_join_next(cx) {
            match next {
                Some(done) => this.done.push(done),
                None => return Poll::Ready(partial(this.done, this.set)),
            }
        }
        if this.limit.poll(cx).is_pending() {
            return Poll::Pending;
        }
        // Those that the budget of one poll did not reach, or that were woken meanwhile.
        this.set.poll_woken(|index, output| this.done.push((index, output)));
        Poll::Ready(partial(this.done, this.set))
    }
}

fn partial<F: Future>(done: &mut Vec<(usize, F::Output)>, set: &mut FutureSet<F>) -> Partial<F> {
    Partial { done: core::mem::take(done), pending: core::mem::take(set) }
}

impl<F: Future, L> fmt::Debug for JoinUntil<F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinUntil").field("waits_for", &self.set.len()).finish_non_exhaustive()
    }
}

impl<F: Future<Output: fmt::Debug>> fmt::Debug for Partial<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial").field("done", &self.done).field("pending", &self.pending).finish()
    }
}

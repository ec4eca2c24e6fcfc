//! Waiting for children that run elsewhere.

use super::all::{FailedAt, InOrder};
use crate::cancel::Reason;
use crate::task::handle::Handle;
use crate::task::outcome::ChildError;
use crate::task::set::FutureSet;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

/// Waits for all children, and gives their results in the order of the handles; or cancels the others when one ends without
/// a result.
///
/// The losers are those that were not done by then: they are cancelled, and gone before the error is given. Which is of
/// use where the group does not see to it: under [`Policy::Supervise`](crate::task::Policy::Supervise), and for some
/// children of many.
///
/// # Examples
/// ```
/// use wakeful::cancel::Scope;
/// use wakeful::task::{ChildError, Policy, group, try_join_handles};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let report = group::<&str>(sim.spawner())
///         .policy(Policy::Supervise)
///         .report(&scope, async |g| {
///             let halves = [
///                 g.spawn("left", std::future::pending::<Result<u8, _>>()).unwrap(),
///                 g.spawn("right", async { Err("no such half") }).unwrap(),
///             ];
///             let failed = try_join_handles(halves).await.unwrap_err();
///             assert_eq!((failed.index, failed.error, g.len()), (1, ChildError::Failed, 0));
///             Ok(())
///         })
///         .await;
///     assert_eq!((report.count.failed, report.count.cancelled), (1, 1));
/// });
/// ```
#[track_caller]
pub fn try_join_handles<T, E>(handles: impl IntoIterator<Item = Handle<T, E>>) -> TryJoinHandles<T, E> {
    let set: FutureSet<_> = handles.into_iter().collect();
    TryJoinHandles { outputs: InOrder::new(set.len()), set, failed: None }
}

/// Waits for all of several children, or for the first without a result; made by [`try_join_handles`].
///
/// # Cancel safety
/// Dropping it drops the handles, and the results of those that were done. The children go on, unless one had failed and they
/// have been cancelled, and their group waits for them.
///
/// # Errors
/// [`FailedAt`], with the first child that has no result.
#[must_use = "it waits for nothing unless it is awaited"]
pub struct TryJoinHandles<T, E> {
    set: FutureSet<Handle<T, E>>,
    outputs: InOrder<T>,
    failed: Option<FailedAt<ChildError>>,
}

impl<T, E> Future for TryJoinHandles<T, E> {
    type Output = Result<Vec<T>, FailedAt<ChildError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some((index, result)) = ready!(this.set.poll_join_next(cx)) {
            match result {
                Ok(output) if this.failed.is_none() => this.outputs.put(index, output),
                Ok(late) => drop(late),
                Err(error) if this.failed.is_none() => {
                    this.failed = Some(FailedAt::new(index, error));
                    this.set.each(|handle| {
                        handle.cancel(Reason::sibling_failed());
                    });
                }
                Err(_) => {}
            }
        }
        Poll::Ready(match this.failed.take() {
            Some(failed) => Err(failed),
            None => Ok(this.outputs.take()),
        })
    }
}

impl<T, E> Unpin for TryJoinHandles<T, E> {}

impl<T, E> fmt::Debug for TryJoinHandles<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryJoinHandles").field("waits_for", &self.set.len()).finish_non_exhaustive()
    }
}

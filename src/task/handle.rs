//! The handle to one child.

use super::child::Record;
use super::outcome::{ChildError, Status};
use super::outlet::{End, status};
use crate::cancel::Reason;
use crate::sys::joint::Shared;
use crate::sys::probe::{self, Id};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// One child of a [`TaskGroup`](super::TaskGroup): what has become of it, and its result. Awaiting it waits for its end.
///
/// Dropping it changes nothing: the child goes on, the group waits for it, and its result is dropped when it is done. It may
/// be kept after the group is over, to take what was done by then.
///
/// # Cancel safety
/// Dropping it, or a wait for `&mut handle`, loses nothing but the result's last owner: a handle that is kept can be awaited
/// again.
///
/// # Errors
/// [`ChildError`], if the child has no result. Its error or panic is in the group.
///
/// # Panics
/// If it is polled after it has given the result.
///
/// # Examples
/// Partial results after a deadline:
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::task::{GroupError, group};
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, time) = (Scope::new(sim.time()), sim.time());
///     let mut handles = Vec::new();
///     let outcome = group::<()>(sim.spawner())
///         .deadline_after(Duration::from_secs(3))
///         .run(&scope, async |g| {
///             for n in 1..=5 {
///                 let sleep = time.sleep(Duration::from_secs(n));
///                 handles.push(g.spawn("page", async move { Ok(sleep.await) }).unwrap());
///             }
///             Ok(())
///         })
///         .await;
///     assert!(matches!(outcome, Err(GroupError::Cancelled(_))));
///     let done = handles.iter_mut().filter_map(|handle| handle.try_take()?.ok());
///     assert_eq!(done.count(), 3);
/// });
/// ```
#[must_use = "awaiting it gives the child's result; to let the child go by itself, drop it"]
pub struct Handle<T, E> {
    record: Shared<Record<E>, End<T>>,
    id: Id,
}

impl<T, E> Handle<T, E> {
    pub(super) fn new(record: Shared<Record<E>, End<T>>, id: Id) -> Self {
        Self { record, id }
    }

    pub(super) fn record(&self) -> &Record<E> {
        &self.record
    }

    pub(super) fn end(&mut self) -> &mut Shared<Record<E>, End<T>> {
        &mut self.record
    }

    /// The child's name.
    pub fn name(&self) -> &str {
        &self.record.label.name
    }

    /// How far the child has come.
    pub fn status(&self) -> Status {
        status(self.record.mark())
    }

    /// Whether the child has ended.
    pub fn is_finished(&self) -> bool {
        self.status() != Status::Running
    }

    /// Cancels the child: its body is dropped when its task is next polled, for which it is woken. False: it was cancelled
    /// before, or has ended.
    ///
    /// To wait until it is gone, await the handle.
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        if self.is_finished() || !self.record.scope().cancel(reason) {
            return false;
        }
        self.record.wake();
        true
    }

    /// The child's result, or why there is none, if it has ended. A result is given once.
    pub fn try_take(&mut self) -> Option<Result<T, ChildError>> {
        self.record.sent()?.take().into_result()
    }
}

impl<T, E> Future for Handle<T, E> {
    type Output = Result<T, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.record.poll_sent(cx) {
            Poll::Ready(end) => {
                Poll::Ready(end.take().into_result().expect("a handle was polled after it had given the result"))
            }
            Poll::Pending => {
                probe::waiting("the end of a child", Some(self.id), u64::MAX);
                Poll::Pending
            }
        }
    }
}

impl<T, E> Unpin for Handle<T, E> {}

impl<T, E> fmt::Debug for Handle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("name", &self.name()).field("status", &self.status()).finish_non_exhaustive()
    }
}

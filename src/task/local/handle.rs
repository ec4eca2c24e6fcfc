//! The handle to one child of a local group.

use super::child::Record;
use crate::cancel::Reason;
use crate::sys::joint::Shared;
use crate::sys::probe::{self, Id};
use crate::task::outcome::{ChildError, Status};
use crate::task::outlet::{End, status};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// One child of a [`LocalGroup`](super::LocalGroup): what has become of it, and its result. Awaiting it waits for its end.
///
/// As the [`Handle`](super::super::Handle) of a child that is a task: dropping it changes nothing, and it may be kept after
/// the group is over, or given to another task.
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
#[must_use = "awaiting it gives the child's result; to let the child go by itself, drop it"]
pub struct LocalHandle<T> {
    record: Shared<Record, End<T>>,
    id: Id,
}

impl<T> LocalHandle<T> {
    pub(super) fn new(record: Shared<Record, End<T>>, id: Id) -> Self {
        Self { record, id }
    }

    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    pub(super) fn end(&mut self) -> &mut Shared<Record, End<T>> {
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

    /// Cancels the child: its body is dropped when the group next polls it, for which it is woken. False: it was cancelled
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

impl<T> Future for LocalHandle<T> {
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

impl<T> Unpin for LocalHandle<T> {}

impl<T> fmt::Debug for LocalHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalHandle")
            .field("name", &self.name())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

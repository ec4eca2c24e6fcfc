//! Waiting until a child of a local group has started.

use super::handle::LocalHandle;
use super::kinds::Kind;
use super::state::Shared;
use crate::cancel::Reason;
use crate::sys::Arc;
use crate::sys::probe::Id;
use crate::task::outcome::{Cause, StartError};
use crate::task::outlet::Ended;
use crate::task::start::{Recruit, Wait, Waiting};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// A child with its group.
struct Member<'env, T, E, K: Kind> {
    handle: LocalHandle<T>,
    group: Arc<Shared<'env, E, K>>,
}

impl<T, E, K: Kind> Recruit<E> for Member<'_, T, E, K> {
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        self.handle.end().poll_sent(cx).map(|end| end.ended())
    }

    fn forget_joiner(&mut self) {
        self.handle.end().forget_waker();
    }

    fn cancel(&self, reason: Reason) -> bool {
        self.handle.cancel(reason)
    }

    fn started(&self) {
        let last = self.group.state.with(|state| {
            state.starting -= 1;
            state.starting == 0 && state.alive == 0
        });
        if last {
            // It is what the run may wait for.
            self.group.control.wake_by_ref();
        }
    }

    fn failed_late(&self, error: E) {
        let label = self.handle.record().label.clone();
        let verdict = self.group.state.with(|state| state.tally.failed(label, Cause::Error(error)));
        self.group.act(verdict);
    }
}

/// Waits until a child of a local group has started; made by [`LocalGroup::start`](super::LocalGroup::start).
///
/// # Cancel safety
/// Dropping it before it is ready cancels the child, which the group waits for. An error that the child had returned by then,
/// or returns afterwards, goes to the group.
///
/// # Errors
/// [`StartError`], if the child has not started. It is gone then, and has been counted.
#[must_use = "dropping it cancels the child"]
pub struct LocalStart<'env, V, T, E, K: Kind>(Wait<V, E, Member<'env, T, E, K>>);

impl<'env, V, T, E, K: Kind> LocalStart<'env, V, T, E, K> {
    pub(super) fn new(waiting: Waiting<V, E>, handle: LocalHandle<T>, group: Arc<Shared<'env, E, K>>, id: Id) -> Self {
        Self(Wait::new(waiting, Member { handle, group }, id))
    }
}

impl<V, T, E, K: Kind> Future for LocalStart<'_, V, T, E, K> {
    type Output = Result<(LocalHandle<T>, V), StartError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx).map(|started| started.map(|(member, value)| (member.handle, value)))
    }
}

impl<V, T, E, K: Kind> Unpin for LocalStart<'_, V, T, E, K> {}

impl<V, T, E, K: Kind> fmt::Debug for LocalStart<'_, V, T, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStart").finish_non_exhaustive()
    }
}

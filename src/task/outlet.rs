//! Where a child leaves its result, and a handle takes it.

use super::outcome::{ChildError, Status};
use super::tally::{Fault, How};
use crate::cancel::Cancelled;
use crate::spawn::Panic;
use crate::sys::joint::Near;
use crate::sys::post::Sent;
use crate::sys::probe;
use crate::sys::thread::{catch, contain};
use alloc::boxed::Box;
use core::task::Waker;

/// The end of a child, with its result until that was taken.
pub(super) enum End<T> {
    Done(T),
    /// There is no result, or none any more.
    Ended(Ended),
}

/// How a child has ended.
#[derive(Clone)]
pub(super) enum Ended {
    Done,
    Failed,
    Panicked,
    /// Apart, so that a child takes little room.
    Cancelled(Box<Cancelled>),
    Lost,
}

/// What marks an end that was sent stands for.
const MARKS: [Status; 5] = [Status::Done, Status::Failed, Status::Panicked, Status::Cancelled, Status::Lost];

/// How far the child has come whose end has this mark.
pub(super) fn status(mark: Option<u8>) -> Status {
    mark.map_or(Status::Running, |mark| MARKS[usize::from(mark)])
}

/// Sends the end to the handle. Who waits for it is told when what is returned first is dropped. If the handle is gone, so is the
/// result, before this returns; should that panic, it is how the child ended.
#[inline(always)]
pub(super) fn send<S, T, E>(near: Near<'_, S, End<T>>, end: End<T>, how: How<E>) -> (Tell, How<E>) {
    let mark = end.mark();
    match near.send(end, mark) {
        Sent::There(joiner) => (Tell(joiner), how),
        Sent::Back(end) => (Tell::NOBODY, dropped(end, how)),
    }
}

#[cold]
fn dropped<T, E>(end: End<T>, how: How<E>) -> How<E> {
    match catch(|| drop(end)) {
        Ok(()) => how,
        Err(payload) => How::Failed(Box::new(Fault::Panic(Panic::new(payload), None))),
    }
}

/// Wakes the joiner, also if what is done before that panics.
pub(super) struct Tell(Option<Waker>);

impl Tell {
    pub(super) const NOBODY: Self = Self(None);

    #[inline]
    pub(super) fn now(mut self) {
        self.wake();
    }

    #[inline]
    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.0.take() {
            probe::firing(&waker);
            waker.wake();
        }
    }
}

impl Drop for Tell {
    /// Something has panicked, if there is somebody to wake: a second panic ends here.
    #[inline]
    fn drop(&mut self) {
        if self.0.is_some() {
            contain(|| self.wake());
        }
    }
}

impl<T> End<T> {
    /// The place of its status in [`MARKS`].
    #[inline]
    fn mark(&self) -> u8 {
        match self {
            Self::Done(_) | Self::Ended(Ended::Done) => 0,
            Self::Ended(Ended::Failed) => 1,
            Self::Ended(Ended::Panicked) => 2,
            Self::Ended(Ended::Cancelled(_)) => 3,
            Self::Ended(Ended::Lost) => 4,
        }
    }

    /// The end. A result is given once; the rest stays.
    #[inline]
    pub(super) fn take(&mut self) -> Self {
        match self {
            Self::Done(_) => core::mem::replace(self, Self::Ended(Ended::Done)),
            Self::Ended(ended) => Self::Ended(ended.clone()),
        }
    }

    /// The end without the result.
    pub(super) fn ended(&self) -> Ended {
        match self {
            Self::Done(_) => Ended::Done,
            Self::Ended(ended) => ended.clone(),
        }
    }

    /// What a handle gives. None: the result was given before.
    pub(super) fn into_result(self) -> Option<Result<T, ChildError>> {
        match self {
            Self::Done(value) => Some(Ok(value)),
            Self::Ended(Ended::Failed) => Some(Err(ChildError::Failed)),
            Self::Ended(Ended::Panicked) => Some(Err(ChildError::Panicked)),
            Self::Ended(Ended::Cancelled(cancelled)) => Some(Err(ChildError::Cancelled(*cancelled))),
            Self::Ended(Ended::Lost) => Some(Err(ChildError::Lost)),
            Self::Ended(Ended::Done) => None,
        }
    }
}

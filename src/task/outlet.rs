//! Where a child leaves its result, and a handle takes it.

use super::outcome::{ChildError, Status};
use crate::cancel::Cancelled;
use crate::sys::thread::contain;
use crate::sys::{Told, probe};
use alloc::boxed::Box;
use core::task::{Context, Poll, Waker};

/// How far the child has come.
pub(super) enum End<T> {
    Running,
    /// The same, and nobody will take the result.
    Unwanted,
    Done(T),
    /// It has ended, and there is no result, or none any more.
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

/// The end of a child, once it has come, and who waits for it.
pub(super) struct Outlet<T>(Told<Slot<T>>);

struct Slot<T> {
    end: End<T>,
    joiner: Option<Waker>,
}

impl<T> Outlet<T> {
    pub(super) fn new() -> Self {
        Self(Told::new(Slot { end: End::Running, joiner: None }))
    }

    pub(super) fn status(&self) -> Status {
        self.0.read(|slot| match slot.end {
            End::Running | End::Unwanted => Status::Running,
            End::Done(_) | End::Ended(Ended::Done) => Status::Done,
            End::Ended(Ended::Failed) => Status::Failed,
            End::Ended(Ended::Panicked) => Status::Panicked,
            End::Ended(Ended::Cancelled(_)) => Status::Cancelled,
            End::Ended(Ended::Lost) => Status::Lost,
        })
    }

    /// The end, once it has come. A result is given once; the rest stays.
    pub(super) fn take(&self) -> Option<End<T>> {
        self.0.with(Slot::take)
    }

    /// As [`take`](Self::take); the waker is kept until it has come.
    pub(super) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<End<T>> {
        self.poll(cx, Slot::take)
    }

    /// How the child has ended, without its result; the waker is kept until it has.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<Ended> {
        self.poll(cx, |slot| slot.end.ended())
    }

    fn poll<R>(&self, cx: &mut Context<'_>, look: impl Fn(&mut Slot<T>) -> Option<R>) -> Poll<R> {
        if let Some(end) = self.0.with(&look) {
            return Poll::Ready(end);
        }
        let waker = cx.waker().clone();
        probe::keeping(&waker);
        let (end, unused) = self.0.with(|slot| match look(slot) {
            Some(end) => (Poll::Ready(end), Some(waker)),
            None => (Poll::Pending, slot.joiner.replace(waker)),
        });
        drop(unused);
        end
    }

    /// Whoever waits for the end waits no more.
    pub(super) fn forget_joiner(&self) {
        let waker = self.0.with(|slot| slot.joiner.take());
        drop(waker);
    }

    /// Nobody will take the result. Gives it, if it is there.
    pub(super) fn abandon(&self) -> Option<End<T>> {
        let (there, _joiner) = self.0.with(|slot| {
            if let End::Running = slot.end {
                slot.end = End::Unwanted;
            }
            (slot.take_done(), slot.joiner.take())
        });
        there
    }

    /// The child has ended. Gives the result back, if it is [abandoned](Self::abandon). Who waits for the end is told when what is
    /// returned first is dropped.
    #[inline]
    pub(super) fn end(&self, end: End<T>) -> (Tell, Option<End<T>>) {
        let (before, joiner, unwanted) = self.0.with(|slot| {
            let before = core::mem::replace(&mut slot.end, end);
            let unwanted = if let End::Unwanted = before { slot.take_done() } else { None };
            (before, slot.joiner.take(), unwanted)
        });
        debug_assert!(matches!(before, End::Running | End::Unwanted), "a child ends once");
        (Tell(joiner), unwanted)
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
    fn wake(&mut self) {
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

impl<T> Slot<T> {
    fn take(&mut self) -> Option<End<T>> {
        match &self.end {
            End::Running | End::Unwanted => None,
            End::Done(_) => self.take_done(),
            End::Ended(ended) => Some(End::Ended(ended.clone())),
        }
    }

    /// The result, if it is there.
    fn take_done(&mut self) -> Option<End<T>> {
        let is_done = matches!(self.end, End::Done(_));
        is_done.then(|| core::mem::replace(&mut self.end, End::Ended(Ended::Done)))
    }
}

impl<T> End<T> {
    fn ended(&self) -> Option<Ended> {
        match self {
            Self::Running | Self::Unwanted => None,
            Self::Done(_) => Some(Ended::Done),
            Self::Ended(ended) => Some(ended.clone()),
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
            Self::Running | Self::Unwanted | Self::Ended(Ended::Done) => None,
        }
    }
}

//! A child in the group's own task.

use crate::cancel::Scope;
use crate::sys::Told;
use crate::sys::joint::{Joined, Label, Labelled, Near, Runner, Titled};
use crate::sys::trace::Span;
use crate::task::life::{Life, Returned};
use crate::task::outlet::{self, End, Ended, Tell};
use crate::task::tally::How;
use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;

/// What a child shares with its handle.
pub(super) struct Record {
    /// The child's own.
    pub(super) scope: Scope,
    /// By which the child is polled, as soon as it has one and there is a handle.
    waker: Told<Option<Waker>>,
    pub(super) label: Label,
}

impl Record {
    pub(super) fn new(scope: Scope, label: Label) -> Self {
        Self { scope, waker: Told::new(None), label }
    }

    /// Lets the group poll the child.
    pub(super) fn wake(&self) {
        let waker = self.waker.with(Option::take);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// How a child ended, for its group.
pub struct Gone<E> {
    pub(super) how: How<E>,
    /// Who waits for the end of the child is told when this is dropped.
    pub(super) tell: Tell,
}

impl<E> fmt::Debug for Gone<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gone").field("how", &self.how.word()).finish_non_exhaustive()
    }
}

/// A child, whatever its type.
pub trait Kid<E>: Unpin {
    /// Polls it. `open`: its group's scope is not cancelled nor past its deadline, so that it may begin. `Ready(None)`: it was
    /// over before.
    fn poll(&mut self, open: bool, cx: &mut Context<'_>) -> Poll<Option<Gone<E>>>;

    /// The group is dropped.
    fn leave(&mut self) -> Option<Gone<E>>;

    fn label(&self) -> &Label;
}

impl<E, D: ?Sized + Titled<bool, Gone<E>>> Kid<E> for Runner<D> {
    #[inline]
    fn poll(&mut self, open: bool, cx: &mut Context<'_>) -> Poll<Option<Gone<E>>> {
        self.poll_told(open, cx)
    }

    fn leave(&mut self) -> Option<Gone<E>> {
        Self::leave(self)
    }

    fn label(&self) -> &Label {
        Self::label(self)
    }
}

impl Labelled for Record {
    fn label(&self) -> &Label {
        &self.label
    }

    fn label_mut(&mut self) -> &mut Label {
        &mut self.label
    }
}

pin_project! {
    /// What is polled of a child, beside the record.
    pub(super) struct Child<F, T, E> {
        #[pin]
        life: Life<F, T, E>,
        noted: bool,
        span: Span,
    }
}

impl<F: Future<Output = Returned<T, E>>, T, E> Child<F, T, E> {
    pub(super) fn new(body: F) -> Self {
        Self { life: Life::new(body), noted: false, span: Span::new() }
    }
}

impl<F: Future<Output = Returned<T, E>>, T, E> Joined<Record> for Child<F, T, E> {
    type Ask = bool;
    type Said = Gone<E>;
    type Out = End<T>;

    fn poll(
        self: Pin<&mut Self>,
        near: Near<'_, Record, End<T>>,
        open: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Gone<E>>> {
        let this = self.project();
        let (record, alone) = (near.shared(), near.is_alone());
        let noted = this.noted;
        let rest = |cx: &mut Context<'_>| {
            if !(alone || *noted) {
                *noted = true;
                let waker = cx.waker().clone();
                // The scope is looked at afterwards: who cancels it before that has woken nobody.
                record.waker.with(|place| *place = Some(waker));
            }
        };
        // Its own scope has no deadline before it has begun; the group may have been cancelled since it looked.
        let may_begin = || open && !record.scope.is_cancelled();
        let polled = {
            let _entered = this.span.child(&record.label.name, record.label.made);
            this.life.poll(&record.scope, may_begin, alone, cx, rest)
        };
        polled.map(|ending| {
            let (end, how) = ending?;
            let tell = if alone { Tell::NOBODY } else { outlet::send(near, end).0 };
            Some(Gone { how, tell })
        })
    }

    fn left(self: Pin<&mut Self>, near: Near<'_, Record, End<T>>) -> Option<Gone<E>> {
        let record = near.shared();
        let dropped = || {
            let ended = record.scope.cause().map_or(Ended::Lost, |cause| Ended::Cancelled(Box::new(cause)));
            (End::Ended(ended), How::CutFromAbove)
        };
        let (end, how) = self.project().life.leave(&record.scope, dropped)?;
        Some(Gone { how, tell: outlet::send(near, end).0 })
    }
}

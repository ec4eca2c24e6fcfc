//! A child in the group's own task.

use super::state::Nest;
use crate::cancel::{Nested, Scope};
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::joint::{Joined, Label, Labelled, Near, Runner, Titled};
use crate::sys::trace::Span;
use crate::task::life::{Life, Returned};
use crate::task::outlet::{self, End, Ended, Tell};
use crate::task::tally::How;
use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// What a child shares with its handle.
pub(super) struct Record {
    /// The child's own scope, inside that of its side, and what wakes it.
    nested: Nested<Nest>,
    /// One more than the number that it is woken by, as soon as it rests and there is a handle.
    number: AtomicUsize,
    pub(super) label: Label,
}

impl Record {
    #[inline]
    pub(super) fn new(nest: Arc<Nest>, label: Label) -> Self {
        Self { nested: Nested::new(nest, |nest| &nest.scope), number: AtomicUsize::new(0), label }
    }

    /// The child's own.
    #[inline]
    pub(super) fn scope(&self) -> &Scope {
        self.nested.scope()
    }

    /// Lets the group poll the child, which has been cancelled.
    pub(super) fn wake(&self) {
        // AcqRel: partner of the exchange in `rests`: either the number is found here, or the child finds itself cancelled.
        if let Some(number) = self.number.swap(0, Ordering::AcqRel).checked_sub(1) {
            self.nested.owner().caller.wake(number);
        }
    }

    /// The child rests, and looks at its scope afterwards.
    #[inline]
    fn rests(&self, number: usize) {
        // AcqRel: partner of the exchange in `wake`.
        self.number.swap(number + 1, Ordering::AcqRel);
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

/// What a child is told when it is polled.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Its group's scope is not cancelled nor past its deadline, so that it may begin.
    pub(super) open: bool,
    /// What it is woken by.
    pub(super) number: usize,
}

/// A child, whatever its type.
pub trait Kid<E>: Unpin {
    /// Polls it. `Ready(None)`: it was over before.
    fn poll(&mut self, turn: Turn, cx: &mut Context<'_>) -> Poll<Option<Gone<E>>>;

    /// The group is dropped.
    fn leave(&mut self) -> Option<Gone<E>>;

    fn label(&self) -> &Label;
}

impl<E, D: ?Sized + Titled<Turn, Gone<E>>> Kid<E> for Runner<D> {
    #[inline]
    fn poll(&mut self, turn: Turn, cx: &mut Context<'_>) -> Poll<Option<Gone<E>>> {
        self.poll_told(turn, cx)
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
    type Ask = Turn;
    type Said = Gone<E>;
    type Out = End<T>;

    fn poll(
        self: Pin<&mut Self>,
        near: Near<'_, Record, End<T>>,
        Turn { open, number }: Turn,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Gone<E>>> {
        let this = self.project();
        let (record, alone) = (near.shared(), near.is_alone());
        let noted = this.noted;
        let rest = |_: &mut Context<'_>| {
            if !(alone || *noted) {
                *noted = true;
                record.rests(number);
            }
        };
        // Its own scope has no deadline before it has begun; the group may have been cancelled since it looked.
        let may_begin = || open && !record.scope().is_cancelled();
        let polled = {
            let _entered = this.span.child(&record.label.name, record.label.made);
            this.life.poll(record.scope(), may_begin, alone, cx, rest)
        };
        polled.map(|ending| {
            let (end, how) = ending?;
            let (tell, how) = if alone { (Tell::NOBODY, how) } else { outlet::send(near, end, how) };
            Some(Gone { how, tell })
        })
    }

    fn left(self: Pin<&mut Self>, near: Near<'_, Record, End<T>>) -> Option<Gone<E>> {
        let record = near.shared();
        let dropped = || {
            let ended = record.scope().cause().map_or(Ended::Lost, |cause| Ended::Cancelled(Box::new(cause)));
            (End::Ended(ended), How::CutFromAbove)
        };
        let (end, how) = self.project().life.leave(record.scope(), dropped)?;
        let (tell, how) = outlet::send(near, end, how);
        Some(Gone { how, tell })
    }
}

//! The life of a child, in whichever task it is polled: it begins, rests, is cut short or returns, and lingers.

use super::outlet::{End, Ended};
use super::tally::{Fault, How};
use crate::cancel::{Cancelled, Scope, Ward};
use crate::spawn::Panic;
use crate::sys::thread::catch;
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// What a body returns: its result, or its error, unless that went elsewhere.
pub(super) type Returned<T, E> = Result<T, Option<E>>;

/// How a child ended, for its handle and for its group.
pub(super) type Ending<T, E> = (End<T>, How<E>);

pin_project! {
    /// The body of a child whose error goes to the group.
    pub(super) struct Plain<F> {
        #[pin]
        body: F,
    }
}

impl<F> Plain<F> {
    pub(super) fn new(body: F) -> Self {
        Self { body }
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for Plain<F> {
    type Output = Returned<T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().body.poll(cx).map(|returned| returned.map_err(Some))
    }
}

pin_project! {
    /// A child's body, and how far it has come.
    pub(super) struct Life<F, T, E> {
        #[pin]
        body: Ward<F>,
        // How it ended, while groups that it left behind are waited for.
        ending: Option<Box<Ending<T, E>>>,
        stage: Stage,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Begun,
    /// It has been counted out.
    Over,
}

impl<F: Future<Output = Returned<T, E>>, T, E> Life<F, T, E> {
    pub(super) fn new(body: F) -> Self {
        Self { body: Ward::new(body), ending: None, stage: Stage::New }
    }

    /// Polls the body in `scope`. `Ready(None)`: it was over before.
    ///
    /// `may_begin` is called when it has not begun (rule b). `alone`: nobody will take the result. `rest` is called when the
    /// body is pending, and sees to it that the child is polled when a scope around its own is cancelled.
    pub(super) fn poll(
        self: Pin<&mut Self>,
        scope: &Scope,
        may_begin: impl FnOnce() -> bool,
        alone: bool,
        cx: &mut Context<'_>,
        rest: impl FnOnce(&mut Context<'_>),
    ) -> Poll<Option<Ending<T, E>>> {
        let mut this = self.project();
        let ending = match this.ending.take() {
            Some(ending) => *ending,
            None => {
                if *this.stage == Stage::New && may_begin() {
                    *this.stage = Stage::Begun;
                }
                let polled = match this.stage {
                    Stage::Begun => catch(|| this.body.as_mut().poll(scope, cx)),
                    // Why it may not begin is read from the flags below.
                    Stage::New => Ok(Poll::Pending),
                    Stage::Over => return Poll::Ready(None),
                };
                match polled {
                    Ok(Poll::Pending) => {
                        rest(cx);
                        let cause = if this.body.as_mut().is_cut(scope, cx) { scope.cause() } else { None };
                        match cause {
                            None => return Poll::Pending,
                            // Rule h.
                            Some(_) if this.body.as_mut().shelters(scope, cx) => return Poll::Pending,
                            Some(cancelled) => cut(clear(this.body.as_mut(), scope), cancelled),
                        }
                    }
                    Ok(Poll::Ready(returned)) => returned_with(clear(this.body.as_mut(), scope), returned, alone),
                    Err(payload) => {
                        // What panics when it is polled may panic again when it is dropped: the first one counts.
                        let panic = Panic::new(payload);
                        drop(clear(this.body.as_mut(), scope));
                        panicked(panic, None)
                    }
                }
            }
        };
        if this.body.as_mut().lingers(scope, cx) {
            *this.ending = Some(Box::new(ending));
            return Poll::Pending;
        }
        // Before others are told, whose wakers may panic.
        *this.stage = Stage::Over;
        Poll::Ready(Some(ending))
    }

    /// Drops the body of a child that is dropped in turn; it ended as `otherwise` says, unless it had ended or panics now.
    /// None: it was over before.
    pub(super) fn leave(
        self: Pin<&mut Self>,
        scope: &Scope,
        otherwise: impl FnOnce() -> Ending<T, E>,
    ) -> Option<Ending<T, E>> {
        let this = self.project();
        if *this.stage == Stage::Over {
            return None;
        }
        *this.stage = Stage::Over;
        let dropped = catch(|| this.body.end(scope)).map_err(Panic::new);
        Some(match (this.ending.take(), dropped) {
            (Some(ending), _) => *ending,
            (None, Ok(())) => otherwise(),
            (None, Err(panic)) => panicked(panic, None),
        })
    }
}

/// `error`: returned before.
#[cold]
fn panicked<T, E>(panic: Panic, error: Option<E>) -> Ending<T, E> {
    (End::Ended(Ended::Panicked), How::Failed(Box::new(Fault::Panic(panic, error))))
}

/// Drops a body in a panic guard.
fn clear<F: Future>(body: Pin<&mut Ward<F>>, scope: &Scope) -> Result<(), Panic> {
    catch(|| body.clear(scope)).map_err(Panic::new)
}

/// The end of a child whose body was cut short, or not begun.
fn cut<T, E>(cleared: Result<(), Panic>, cancelled: Cancelled) -> Ending<T, E> {
    match cleared {
        Ok(()) => {
            let how = if cancelled.is_own() { How::Cancelled } else { How::CutFromAbove };
            (End::Ended(Ended::Cancelled(Box::new(cancelled))), how)
        }
        Err(panic) => panicked(panic, None),
    }
}

/// The end of a child whose body has returned.
#[inline]
fn returned_with<T, E>(cleared: Result<(), Panic>, returned: Returned<T, E>, alone: bool) -> Ending<T, E> {
    match (cleared, returned) {
        (Ok(()), Ok(value)) => kept(alone, value),
        (Ok(()), Err(error)) => (End::Ended(Ended::Failed), How::Failed(Box::new(Fault::Error(error)))),
        // The panic is how it ended; an error is kept beside it.
        (Err(panic), Ok(value)) => {
            drop(catch(|| drop(value)).map_err(Panic::new));
            panicked(panic, None)
        }
        (Err(panic), Err(error)) => panicked(panic, error),
    }
}

/// A result that nobody will take is dropped here, in a guard.
#[inline]
fn kept<T, E>(alone: bool, value: T) -> Ending<T, E> {
    if !(alone && core::mem::needs_drop::<T>()) {
        return (End::Done(value), How::Done);
    }
    match catch(|| drop(value)) {
        Ok(()) => (End::Ended(Ended::Done), How::Done),
        Err(payload) => panicked(Panic::new(payload), None),
    }
}

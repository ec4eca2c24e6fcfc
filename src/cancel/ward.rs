//! Bodies that somebody else watches over, and runs that own their scope: what groups of tasks need of scopes.

use super::outcome::Outcome;
use super::run::Engine;
use super::scope::Scope;
use super::stay::Stay;
use super::watch::UntilCancelled;
use crate::sys::slot::{self, Frame};
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

impl UntilCancelled {
    /// Polls it on behalf of others, whose own notes say what they wait for. Whether the scope is cancelled.
    pub(crate) fn poll_for_others(self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        self.poll_inner(cx).is_ready()
    }
}

pin_project! {
    /// A body in a scope, of one who clears it once the scope is cancelled, and who is woken when that may be so by the waker
    /// that he polls it with.
    pub(crate) struct Ward<F> {
        #[pin]
        body: Option<F>,
        frame: Frame<Scope>,
        stay: Stay,
        // Of the scope itself, once others may cancel it, or move its deadline.
        own: Option<Pin<Box<UntilCancelled>>>,
    }
}

impl<F: Future> Ward<F> {
    pub(crate) fn new(body: F) -> Self {
        Self { body: Some(body), frame: Frame::new(), stay: Stay::new(), own: None }
    }

    /// Whether `scope` is cancelled, after a `Pending` of the body. If that handed its scope on, the waker is registered
    /// for whoever has it.
    #[inline]
    pub(crate) fn is_cut(self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> bool {
        if scope.is_shared() { self.watch_own(scope, cx) } else { scope.is_cancelled() }
    }

    #[cold]
    fn watch_own(self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> bool {
        let own = self.project().own.get_or_insert_with(|| Box::pin(scope.cancelled()));
        own.as_mut().poll_for_others(cx)
    }

    /// Polls the body in `scope`, which is the same at each call.
    #[inline]
    pub(crate) fn poll(self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let body = this.body.as_pin_mut().expect("polled after it was cleared");
        slot::poll_in(this.frame, scope, body, cx)
    }

    /// Whether a shield inside the body keeps it, although the scope is cancelled (rule h). If so, the waker is registered.
    #[cold]
    pub(crate) fn shelters(self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        this.frame.was_noted() && this.stay.shelters(scope, this.frame.number(), cx)
    }

    /// Whether to wait, after the body was cleared, for groups that it left behind. If so, the waker is registered.
    #[inline]
    pub(crate) fn lingers(self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        this.frame.was_noted() && this.stay.lingers(scope, this.frame.number(), cx)
    }

    /// Drops the body where it would have been polled.
    #[inline]
    pub(crate) fn clear(self: Pin<&mut Self>, scope: &Scope) {
        let this = self.project();
        slot::clear_in(this.frame, scope, this.body);
    }

    /// The same, for one who is dropped in turn and waits for nothing.
    #[inline]
    pub(crate) fn end(self: Pin<&mut Self>, scope: &Scope) {
        let this = self.project();
        if this.frame.was_noted() {
            super::hold::forget(scope, this.frame.number());
        }
        slot::end_in(this.frame, scope, this.body);
    }
}

pin_project! {
    /// A [`Run`](super::Run) that owns its handle to the scope, for those who have spans of their own.
    pub(crate) struct OwnedRun<F>
    where
        F: Future,
    {
        scope: Scope,
        #[pin]
        engine: Engine<F>,
    }

    impl<F> PinnedDrop for OwnedRun<F>
    where
        F: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let (body, frame) = this.engine.left(this.scope);
            slot::end_in(frame, this.scope, body);
        }
    }
}

impl<F: Future> OwnedRun<F> {
    pub(crate) fn new(scope: Scope, body: F) -> Self {
        Self { scope, engine: Engine::new(body, false, false).without_span() }
    }
}

impl<F: Future> Future for OwnedRun<F> {
    type Output = Outcome<F::Output>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.engine.poll(this.scope, cx)
    }
}

//! Running a body in a scope: the one engine behind every timeout and run.

use super::outcome::Outcome;
use super::scope::Scope;
use super::tree;
use super::watch::Watch;
use crate::sys::slot;
use crate::time::Instant;
use core::borrow::Borrow;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;

slot::ambient!(pub(super) CURRENT: Scope);

/// Calls `f` with the current scope.
pub(super) fn with_current<R>(f: impl FnOnce(Option<&Scope>) -> R) -> R {
    slot::current(&CURRENT, f)
}

/// How often a run leaves it to the run of a cancelled ancestor to drop it. That one does so after the same poll; one that
/// has not after so many polls is blocked by an executor that polls this run from inside it.
const STAYS: u8 = 64;

pin_project! {
    /// What a run keeps between polls.
    pub(super) struct Engine<F> {
        #[pin]
        body: Option<F>,
        #[pin]
        watch: Watch,
        started: bool,
        stays: u8,
    }
}

impl<F: Future> Engine<F> {
    /// A body that has not begun. `checked`: the caller has just seen that it may.
    #[inline]
    pub(super) fn new(body: F, checked: bool) -> Self {
        Self { body: Some(body), watch: Watch::new(), started: checked, stays: 0 }
    }

    /// Polls the body in `scope`, which is the same at each call.
    ///
    /// What is on the stack while the body is polled is this frame and the body's own: the rest is in calls of its own,
    /// so that scopes nest thousands deep also where nothing is optimised.
    #[inline(always)]
    pub(super) fn poll(mut self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        if !self.started && !self.as_mut().begin(scope, None, cx) {
            return self.refused(scope);
        }
        let polling = Polling::begin(scope, cx.waker());
        let polled = slot::poll_in(&CURRENT, scope, self.as_mut().body(), cx);
        drop(polling);
        self.polled(scope, polled, cx)
    }

    #[inline]
    pub(super) fn polled(
        self: Pin<&mut Self>,
        scope: &Scope,
        polled: Poll<F::Output>,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome<F::Output>> {
        match polled {
            Poll::Ready(value) => self.finished(scope, value),
            Poll::Pending if self.must_end(scope, cx) => cut(scope),
            Poll::Pending => Poll::Pending,
        }
    }

    #[inline]
    pub(super) fn body(self: Pin<&mut Self>) -> Pin<&mut F> {
        self.project().body.as_pin_mut().expect("polled after it was done")
    }

    /// Whether the body has begun, or may begin now (rule b); `now` saves reading the clock.
    #[inline]
    pub(super) fn begin(self: Pin<&mut Self>, scope: &Scope, now: Option<Instant>, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        *this.started |= match now {
            Some(now) => scope.check_at(now),
            None => scope.check(),
        }
        .is_ok();
        if !*this.started && !stays(scope, this.stays, cx) {
            drop_body(scope, this.body);
        }
        *this.started
    }

    pub(super) fn has_begun(&self) -> bool {
        self.started
    }

    /// What a poll says of a body that may not begin.
    #[cold]
    pub(super) fn refused(&self, scope: &Scope) -> Poll<Outcome<F::Output>> {
        if self.body.is_some() { Poll::Pending } else { cut(scope) }
    }

    #[inline]
    fn finished(self: Pin<&mut Self>, scope: &Scope, value: F::Output) -> Poll<Outcome<F::Output>> {
        let this = self.project();
        drop_body(scope, this.body);
        this.watch.clear();
        ended(scope);
        Poll::Ready(Outcome::Done(value))
    }

    /// What follows a `Pending` of the body: whether it is cut short; if not, the waker is registered.
    fn must_end(self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> bool {
        let mut this = self.project();
        loop {
            if scope.is_cancelled() {
                if stays(scope, this.stays, cx) {
                    return false;
                }
                drop_body(scope, this.body);
                this.watch.clear();
                ended(scope);
                return true;
            }
            if this.watch.as_mut().poll(scope, false, cx).is_pending() {
                return false;
            }
        }
    }

    /// The body, if it is not done.
    #[inline]
    pub(super) fn left(self: Pin<&mut Self>) -> Pin<&mut Option<F>> {
        self.project().body
    }
}

/// Drops the body where it would have been polled.
#[inline(always)]
pub(super) fn drop_body<F>(scope: &Scope, body: Pin<&mut Option<F>>) {
    slot::clear_in(&CURRENT, scope, body);
}

/// Says why a scope is cancelled.
#[cold]
pub(super) fn cut<T>(scope: &Scope) -> Poll<Outcome<T>> {
    Poll::Ready(Outcome::Cancelled(scope.outermost().expect("the scope is cancelled")))
}

/// Rule e, for a run in a cancelled scope: whether it leaves it to the run of an ancestor to drop it.
fn stays(scope: &Scope, stays: &mut u8, cx: &mut Context<'_>) -> bool {
    let stay = *stays < STAYS && is_polled_by_cancelled(scope);
    if stay {
        *stays += 1;
        // Should the ancestor's run not drop this one, whoever polls it next must come again.
        cx.waker().wake_by_ref();
    }
    stay
}

/// Ends a run that may not begin, as rule e has it.
pub(super) async fn refuse<T>(scope: &Scope) -> Outcome<T> {
    let mut stayed = 0;
    core::future::poll_fn(|cx| if stays(scope, &mut stayed, cx) { Poll::Pending } else { cut(scope) }).await
}

/// Whether the run of a cancelled ancestor is polling on this stack.
fn is_polled_by_cancelled(scope: &Scope) -> bool {
    let stack = slot::stack();
    scope.view().up().skip(1).any(|view| view.mark().stack() == stack && view.up().any(|above| above.is_flagged()))
}

/// The scope of a run. Dropped after the body, also when that panics, it wakes those that relied on the run.
pub(super) struct Entered<S: Borrow<Scope>>(pub(super) S);

impl<S: Borrow<Scope>> Drop for Entered<S> {
    #[inline]
    fn drop(&mut self) {
        ended(self.0.borrow());
    }
}

/// Wakes those that relied on this run to watch the clock.
#[inline]
fn ended(scope: &Scope) {
    if scope.view().mark().take_relied() {
        tree::sweep(&scope.branch());
    }
}

impl Scope {
    /// Calls `f`, which polls bodies of this scope, for one who drops them himself once the scope is cancelled: what runs
    /// inside them then stays pending (rule e). What they wait for in this scope they see to themselves, whatever waker they
    /// are polled with.
    #[inline]
    pub(crate) fn polling<R>(&self, f: impl FnOnce() -> R) -> R {
        let _polling = Polling::begin(self, Waker::noop());
        slot::enter(&CURRENT, self, f)
    }

    /// Calls `f`, which drops bodies of this scope.
    pub(crate) fn dropping<R>(&self, f: impl FnOnce() -> R) -> R {
        slot::enter(&CURRENT, self, f)
    }

    /// To be called when [`polling`](Self::polling) has been called for the last time.
    pub(crate) fn polled(&self) {
        ended(self);
    }
}

/// The time during which a run polls its body.
pub(super) struct Polling<'a> {
    scope: &'a Scope,
    before: usize,
}

impl<'a> Polling<'a> {
    /// Marks the scope as being polled on this stack with this waker.
    #[inline]
    pub(super) fn begin(scope: &'a Scope, waker: &Waker) -> Self {
        Self { scope, before: scope.view().mark().begin(slot::stack(), waker) }
    }
}

impl Drop for Polling<'_> {
    #[inline]
    fn drop(&mut self) {
        let stack = slot::stack();
        self.scope.view().mark().end(stack, self.before);
        if let Some(inline) = self.scope.inline() {
            // The scope may have become a node during the poll.
            inline.mark().end(stack, self.before);
        }
    }
}

pin_project! {
    /// Runs a body in a scope; made by [`Scope::run`].
    ///
    /// # Cancel safety
    /// Dropping it drops the body, with the scope current. The scope is not cancelled by it.
    #[must_use = "a run does nothing unless it is awaited"]
    pub struct Run<'s, F>
    where
        F: Future,
    {
        scope: Entered<&'s Scope>,
        #[pin]
        engine: Engine<F>,
    }

    impl<F> PinnedDrop for Run<'_, F>
    where
        F: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            slot::clear_in(&CURRENT, this.scope.0, this.engine.left());
        }
    }
}

impl<'s, F: Future> Run<'s, F> {
    #[inline]
    pub(super) fn new(scope: &'s Scope, body: F) -> Self {
        Self { scope: Entered(scope), engine: Engine::new(body, false) }
    }

    /// A run in a scope that was just checked.
    #[inline]
    pub(super) fn checked(scope: &'s Scope, body: F) -> Self {
        Self { scope: Entered(scope), engine: Engine::new(body, true) }
    }
}

impl<F: Future> Future for Run<'_, F> {
    type Output = Outcome<F::Output>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.engine.poll(this.scope.0, cx)
    }
}

impl<F: Future> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("scope", self.scope.0).finish_non_exhaustive()
    }
}

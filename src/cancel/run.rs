//! Running a body in a scope: the one engine behind every timeout and run.

use super::outcome::Outcome;
use super::scope::Scope;
use super::view::View;
use super::watch::Watch;
use crate::sys::slot::{self, Act, Frame};
use crate::time::Instant;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// Calls `f` with the current scope.
pub(super) fn with_current<R>(f: impl FnOnce(Option<&Scope>) -> R) -> R {
    slot::current(f)
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
        frame: Frame<Scope>,
        owns: bool,
        started: bool,
        stays: u8,
    }
}

impl<F: Future> Engine<F> {
    /// A body that has not begun. `owns`: its scope is inside the future that runs it. `checked`: the caller has just seen
    /// that it may begin.
    #[inline]
    pub(super) fn new(body: F, owns: bool, checked: bool) -> Self {
        Self { body: Some(body), watch: Watch::new(), frame: Frame::new(), owns, started: checked, stays: 0 }
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
        let (body, frame) = self.as_mut().parts();
        let polled = slot::poll_in(frame, scope, body, cx);
        self.polled(scope, polled, cx)
    }

    #[inline]
    pub(super) fn parts(self: Pin<&mut Self>) -> (Pin<&mut F>, &mut Frame<Scope>) {
        let this = self.project();
        (this.body.as_pin_mut().expect("polled after it was done"), this.frame)
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
            drop_body(scope, this.frame, this.body);
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
        let (body, frame) = self.left();
        drop_body(scope, frame, body);
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
                this.watch.clear();
                drop_body(scope, this.frame, this.body);
                return true;
            }
            if this.watch.as_mut().poll(scope, *this.owns, cx).is_pending() {
                return false;
            }
        }
    }

    /// What is to be dropped inside the scope when the run ends.
    #[inline]
    pub(super) fn left(self: Pin<&mut Self>) -> Left<'_, F> {
        let mut this = self.project();
        this.watch.as_mut().clear();
        (this.body, this.frame)
    }
}

/// A body, where there is one, and the frame to drop it in.
pub(super) type Left<'a, F> = (Pin<&'a mut Option<F>>, &'a mut Frame<Scope>);

/// Drops the body where it would have been polled.
#[inline]
fn drop_body<F>(scope: &Scope, frame: &mut Frame<Scope>, body: Pin<&mut Option<F>>) {
    slot::clear_in(frame, scope, body);
}

/// Says why a scope is cancelled.
#[cold]
pub(super) fn cut<T>(scope: &Scope) -> Poll<Outcome<T>> {
    Poll::Ready(Outcome::Cancelled(scope.outermost().expect("the scope is cancelled")))
}

/// Rule e, for a run in a cancelled scope: whether it leaves it to the run of an ancestor to drop it.
pub(super) fn stays(scope: &Scope, stays: &mut u8, cx: &mut Context<'_>) -> bool {
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

/// Whether, on this stack, the run of a cancelled ancestor is polling, or another run of the scope itself.
fn is_polled_by_cancelled(scope: &Scope) -> bool {
    scope.view().up().any(|view| is_polled(view) && view.up().any(View::is_flagged))
}

fn is_polled(view: View<'_>) -> bool {
    slot::polling(view.mark(), |scope| view.is(scope)).is_some()
}

/// What [`Scope::polling`] is to be called with: one for each who polls bodies of a scope himself.
pub(crate) struct Bodies(Frame<Scope>);

impl Bodies {
    pub(crate) fn new() -> Self {
        Self(Frame::new())
    }
}

impl Scope {
    /// Calls `f`, which polls bodies of this scope, for one who drops them himself once the scope is cancelled: what runs
    /// inside them then stays pending (rule e). What they wait for in this scope they see to themselves, whatever waker they
    /// are polled with.
    #[inline]
    pub(crate) fn polling<R>(&self, bodies: &mut Bodies, f: impl FnOnce() -> R) -> R {
        slot::enter(&mut bodies.0, self, Act::Polls, f)
    }

    /// Calls `f`, which drops bodies of this scope.
    pub(crate) fn dropping<R>(&self, f: impl FnOnce() -> R) -> R {
        slot::enter(&mut Frame::new(), self, Act::Drop, f)
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
        scope: &'s Scope,
        #[pin]
        engine: Engine<F>,
    }

    impl<F> PinnedDrop for Run<'_, F>
    where
        F: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let (body, frame) = this.engine.left();
            slot::clear_in(frame, this.scope, body);
        }
    }
}

impl<'s, F: Future> Run<'s, F> {
    #[inline]
    pub(super) fn new(scope: &'s Scope, body: F) -> Self {
        Self { scope, engine: Engine::new(body, false, false) }
    }

    /// A run in a scope that was just checked, and is inside the same future.
    #[inline]
    pub(super) fn checked(scope: &'s Scope, body: F) -> Self {
        Self { scope, engine: Engine::new(body, true, true) }
    }
}

impl<F: Future> Future for Run<'_, F> {
    type Output = Outcome<F::Output>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.engine.poll(this.scope, cx)
    }
}

impl<F: Future> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("scope", self.scope).finish_non_exhaustive()
    }
}

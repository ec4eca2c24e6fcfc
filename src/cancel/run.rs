//! Running a body in a scope: the one engine behind every timeout and run.

use super::hold;
use super::outcome::Outcome;
use super::scope::Scope;
use super::stay::{Stay, cut};
use super::watch::Watch;
use crate::sys::slot::{self, Act, Frame};
use crate::sys::trace::Span;
use crate::time::Instant;
use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use pin_project_lite::pin_project;

/// Calls `f` with the current scope.
pub(super) fn with_current<R>(f: impl FnOnce(Option<&Scope>) -> R) -> R {
    slot::current(f)
}

/// Where a run stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its body has not begun.
    New,
    /// Its body has begun.
    Begun,
    /// Its body is gone, and what came of it waits for groups that were left behind.
    Over,
    /// Its body is not to begin.
    Refused,
}

/// To whom a run leaves it to end what is cancelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Defers {
    /// To the run of a cancelled ancestor, as rule e has it.
    ToAncestors,
    /// To nobody: something is to be done afterwards.
    ToNobody,
}

pin_project! {
    /// What a run keeps between polls.
    pub(super) struct Engine<F>
    where
        F: Future,
    {
        #[pin]
        body: Option<F>,
        // A body that is ready at its first poll does without.
        #[pin]
        later: Option<Later<F::Output>>,
        frame: Frame<Scope>,
        stage: Stage,
        owns: bool,
        defers: Defers,
        span: Span,
    }
}

pin_project! {
    /// What a run needs that has to wait.
    struct Later<T> {
        #[pin]
        watch: Watch,
        stay: Stay,
        outcome: Option<Box<Outcome<T>>>,
    }
}

impl<T> Later<T> {
    /// That of a run, which is made when it is first needed.
    #[inline]
    fn of(mut place: Pin<&mut Option<Self>>) -> Pin<&mut Self> {
        if place.is_none() {
            place.set(Some(Self { watch: Watch::new(), stay: Stay::new(), outcome: None }));
        }
        place.as_pin_mut().expect("made above")
    }
}

impl<F: Future> Engine<F> {
    /// A body that has not begun. `owns`: its scope is inside the future that runs it. `checked`: the caller has just seen
    /// that it may begin.
    #[inline]
    pub(super) fn new(body: F, owns: bool, checked: bool) -> Self {
        Self {
            body: Some(body),
            later: None,
            frame: Frame::new(),
            stage: if checked { Stage::Begun } else { Stage::New },
            owns,
            defers: Defers::ToAncestors,
            span: Span::new(),
        }
    }

    /// The same, leaving it to nobody else to end it once it has begun.
    pub(super) fn on_its_own(self) -> Self {
        Self { defers: Defers::ToNobody, ..self }
    }

    /// The same for a body that has a span of its own.
    pub(super) fn without_span(self) -> Self {
        Self { span: Span::none(), ..self }
    }

    /// Polls the body in `scope`, which is the same at each call.
    ///
    /// What is on the stack while the body is polled is this frame and the body's own: the rest is in calls of its own,
    /// so that scopes nest thousands deep also where nothing is optimised.
    #[inline(always)]
    pub(super) fn poll(mut self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        if !self.as_mut().is_open(scope, None, cx) {
            return self.closed(scope, cx);
        }
        let polled = self.as_mut().poll_body(scope, cx);
        self.polled(scope, polled, cx)
    }

    /// Whether the body is there to be polled: it has begun, or begins now; `now` saves reading the clock.
    #[inline(always)]
    pub(super) fn is_open(mut self: Pin<&mut Self>, scope: &Scope, now: Option<Instant>, cx: &mut Context<'_>) -> bool {
        // By projection, here as elsewhere: a look at the whole would be one at a body that may borrow from itself.
        match self.as_mut().project().stage {
            Stage::Begun => true,
            Stage::New => self.begin(scope, now, cx),
            Stage::Over | Stage::Refused => false,
        }
    }

    /// Begins a body whose scope was seen to be clear.
    #[inline]
    pub(super) fn begin_clear(self: Pin<&mut Self>) -> bool {
        *self.project().stage = Stage::Begun;
        true
    }

    /// Polls the body, which has begun.
    #[inline(always)]
    pub(super) fn poll_body(self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let body = this.body.as_pin_mut().expect("a run in a scope was polled after it was done");
        let _entered = this.span.scope(|| scope.deadline().as_nanos());
        slot::poll_in(this.frame, scope, body, cx)
    }

    #[inline]
    pub(super) fn polled(
        mut self: Pin<&mut Self>,
        scope: &Scope,
        polled: Poll<F::Output>,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome<F::Output>> {
        match polled {
            Poll::Ready(value) if self.as_mut().close(scope) => self.linger(scope, Outcome::Done(value), cx),
            Poll::Ready(value) => Poll::Ready(Outcome::Done(value)),
            Poll::Pending => self.pended(scope, cx),
        }
    }

    /// What a poll says where the body is pending.
    #[inline]
    pub(super) fn pended(mut self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        if self.as_mut().must_end(scope, cx) { self.end(scope, cx) } else { Poll::Pending }
    }

    /// Whether the body may begin (rule b).
    #[inline(always)]
    fn begin(mut self: Pin<&mut Self>, scope: &Scope, now: Option<Instant>, cx: &mut Context<'_>) -> bool {
        if scope.is_clear(now) {
            *self.as_mut().project().stage = Stage::Begun;
            return true;
        }
        self.begin_checked(scope, now, cx)
    }

    /// The same where flags, or the clock, have to be looked at.
    fn begin_checked(self: Pin<&mut Self>, scope: &Scope, now: Option<Instant>, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        let may = match now {
            Some(now) => scope.check_at(now),
            None => scope.check(),
        };
        if may.is_ok() {
            *this.stage = Stage::Begun;
        } else if !Later::of(this.later).project().stay.stays(scope, cx) {
            *this.stage = Stage::Refused;
        }
        may.is_ok()
    }

    /// Whether the body has begun, over or not.
    pub(super) fn has_begun(self: Pin<&mut Self>) -> bool {
        matches!(self.project().stage, Stage::Begun | Stage::Over)
    }

    /// What tells the run from others on its stack.
    pub(super) fn number(self: Pin<&mut Self>) -> usize {
        self.project().frame.number()
    }

    /// What a poll says where there is no body to be polled.
    #[cold]
    pub(super) fn closed(mut self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        match self.as_mut().project().stage {
            Stage::Refused => self.end(scope, cx),
            Stage::Over => self.over(scope, cx),
            Stage::New | Stage::Begun => Poll::Pending,
        }
    }

    /// Cuts the body short, or does not let it begin.
    #[cold]
    fn end(mut self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        let outcome = cut(scope);
        if let Outcome::Cancelled(cancelled) = &outcome {
            self.span.cut(cancelled.reason());
        }
        if self.as_mut().close(scope) { self.linger(scope, outcome, cx) } else { Poll::Ready(outcome) }
    }

    /// Drops the body. Whether groups may have been left behind.
    #[inline]
    pub(super) fn close(self: Pin<&mut Self>, scope: &Scope) -> bool {
        let this = self.project();
        if let Some(later) = this.later.as_pin_mut() {
            later.project().watch.clear();
        }
        slot::clear_in(this.frame, scope, this.body);
        this.frame.was_noted()
    }

    /// Keeps what came of the body if groups were left behind.
    #[cold]
    pub(super) fn linger(
        self: Pin<&mut Self>,
        scope: &Scope,
        outcome: Outcome<F::Output>,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome<F::Output>> {
        let this = self.project();
        let later = Later::of(this.later).project();
        if !later.stay.lingers(scope, this.frame.number(), cx) {
            return Poll::Ready(outcome);
        }
        *this.stage = Stage::Over;
        *later.outcome = Some(Box::new(outcome));
        Poll::Pending
    }

    /// Waits for groups that were left behind. A run that was cut short leaves the rest to the run of a cancelled ancestor,
    /// should there be one by now.
    #[cold]
    fn over(self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        let this = self.project();
        let later = Later::of(this.later).project();
        let is_cut = later.outcome.as_ref().expect("a run in a scope was polled after it was done").is_cancelled();
        if later.stay.lingers(scope, this.frame.number(), cx)
            || is_cut && *this.defers == Defers::ToAncestors && later.stay.stays(scope, cx)
        {
            return Poll::Pending;
        }
        later.stay.clear();
        Poll::Ready(*later.outcome.take().expect("looked at above"))
    }

    /// What follows a `Pending` of the body: whether it is cut short; if not, the waker is registered.
    fn must_end(self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> bool {
        let this = self.project();
        let mut later = Later::of(this.later).project();
        loop {
            if scope.is_cancelled() {
                let stays = *this.defers == Defers::ToAncestors && later.stay.stays(scope, cx);
                return !(stays || later.stay.shelters(scope, this.frame.number(), cx));
            }
            if later.watch.as_mut().poll(scope, *this.owns, cx).is_pending() {
                return false;
            }
        }
    }

    /// Whether something is left to be dropped or forgotten inside the scope.
    #[inline]
    fn leaves_something(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        this.body.is_some() || this.frame.was_noted()
    }

    /// What is to be dropped inside the scope when the run is dropped.
    #[inline]
    pub(super) fn left(self: Pin<&mut Self>, scope: &Scope) -> Left<'_, F> {
        let this = self.project();
        if let Some(later) = this.later.as_pin_mut() {
            later.project().watch.clear();
        }
        if this.frame.was_noted() {
            hold::forget(scope, this.frame.number());
        }
        (this.body, this.frame)
    }
}

/// A body, where there is one, and the frame to drop it in.
pub(super) type Left<'a, F> = (Pin<&'a mut Option<F>>, &'a mut Frame<Scope>);

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
        slot::enter(&mut Frame::new(), self, Act::End, f)
    }
}

pin_project! {
    /// Runs a body in a scope; made by [`Scope::run`].
    ///
    /// # Panics
    /// If it is polled after it has given what its body returned.
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
        fn drop(mut this: Pin<&mut Self>) {
            if this.as_mut().project().engine.leaves_something() {
                this.leave();
            }
        }
    }
}

impl<'s, F: Future> Run<'s, F> {
    /// Drops what is to be dropped inside the scope.
    #[inline(never)]
    fn leave(self: Pin<&mut Self>) {
        let this = self.project();
        let (body, frame) = this.engine.left(this.scope);
        slot::end_in(frame, this.scope, body);
    }

    #[inline]
    pub(super) fn new(scope: &'s Scope, body: F) -> Self {
        Self { scope, engine: Engine::new(body, false, false) }
    }

    /// The scope and the body of a run that was never polled.
    pub(super) fn into_parts(mut self) -> (&'s Scope, F) {
        (self.scope, self.engine.body.take().expect("it was never polled"))
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

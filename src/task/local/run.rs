//! The run of a local group: its body and its children, polled in turn.
//!
//! # Invariants
//!
//! - **L1** Whoever spawns into an empty list of newcomers wakes the run, which takes the list whole.
//! - **L2** The run waits for the cancelling of the children's scope, and then polls each child: it looks at its own scope,
//!   inside that, after each `Pending`.
//! - **L3** A child is counted after its body was dropped, and its handle is told after that.
//! - **L4** Those in the background are cancelled, once, when body and others are gone: in the pass in which that is so.

use super::child::{Kid, Turn};
use super::group::LocalGroup;
use super::kinds::Kind;
use super::state::{Nest, Newcomer, Place, Shared, State};
use crate::cancel::{Outcome, OwnedRun, Reason, Scope, Service, Stay, UntilCancelled};
use crate::sys::joint::Label;
use crate::sys::probe::{self, Id};
use crate::sys::thread::{catch, contain, is_panicking, resume};
use crate::sys::trace::Span;
use crate::sys::{Arc, Told, trace};
use crate::task::crew::{BUDGET, Crew, PASSES};
use crate::task::guarded::Guarded;
use crate::task::outcome::{Cause, GroupError, GroupReport};
use crate::task::state::Side;
use crate::task::tally::{How, Tally, Verdict};
use alloc::borrow::Cow;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use pin_project_lite::pin_project;

/// What is woken beside the children, by number.
const CONTROL: usize = 0;
const BODY: usize = 1;

pin_project! {
    /// Runs a local group; made by [`LocalGroupBuilder::run`](super::LocalGroupBuilder::run).
    ///
    /// # Errors
    /// [`GroupError::Failed`] if the body or children failed; under which [`Policy`](crate::task::Policy) what counts, its
    /// table says. [`GroupError::Cancelled`] if none did, and something was cut short because the group's scope was
    /// cancelled. In the body of a scope that is cancelled, the group is cut short with the body, unless something had
    /// failed.
    ///
    /// # Panics
    /// If the body or a child panicked: when all are gone, with the first panic. To have panics as values, use
    /// [`LocalGroupBuilder::report`](super::LocalGroupBuilder::report). And if it is polled after it was ready.
    ///
    /// # Cancel safety
    /// Dropping it drops the body and then the children, each one though another's destructor panics; the first of
    /// these panics goes on when all are gone.
    #[must_use = "a group does nothing unless it is awaited"]
    pub struct LocalRun<'env, F, R, E, K>
    where
        F: Future<Output = Result<R, E>>,
        K: Kind,
    {
        #[pin]
        inner: LocalReport<'env, F, R, E, K>,
    }
}

impl<'env, F: Future<Output = Result<R, E>>, R, E, K: Kind> LocalRun<'env, F, R, E, K> {
    pub(super) fn new(inner: LocalReport<'env, F, R, E, K>) -> Self {
        Self { inner }
    }
}

impl<F: Future<Output = Result<R, E>>, R, E, K: Kind> Future for LocalRun<'_, F, R, E, K> {
    type Output = Result<R, GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map(GroupReport::raise)
    }
}

impl<F: Future<Output = Result<R, E>>, R, E, K: Kind> fmt::Debug for LocalRun<'_, F, R, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRun").field("name", &self.inner.shared.name).finish_non_exhaustive()
    }
}

pin_project! {
    /// Runs a local group and reports on it; made by [`LocalGroupBuilder::report`](super::LocalGroupBuilder::report).
    ///
    /// # Panics
    /// If it is polled after it was ready.
    ///
    /// # Cancel safety
    /// As that of [`LocalRun`].
    #[must_use = "a group does nothing unless it is awaited"]
    pub struct LocalReport<'env, F, R, E, K>
    where
        F: Future<Output = Result<R, E>>,
        K: Kind,
    {
        shared: Arc<Shared<'env, E, K>>,
        // Until the first poll.
        after: Option<Duration>,
        #[pin]
        run: Option<OwnedRun<Body<'env, F, E, K>>>,
        crew: Crew<Newcomer<'env, E, K>>,
        // How many of the crew are in the background.
        serving: usize,
        // While there are any.
        service: Option<Service>,
        #[pin]
        until: UntilCancelled,
        body: Waker,
        stage: Stage<R, E>,
        span: Span,
    }

    impl<F, R, E, K> PinnedDrop for LocalReport<'_, F, R, E, K>
    where
        F: Future<Output = Result<R, E>>,
        K: Kind,
    {
        fn drop(this: Pin<&mut Self>) {
            this.left();
        }
    }
}

/// What is waited for.
enum Stage<R, E> {
    Body,
    Children {
        output: Option<R>,
        cut: bool,
    },
    /// That the scope around it drops this.
    Leaving {
        report: GroupReport<R, E>,
        stay: Stay,
    },
    Over,
}

impl<'env, F: Future<Output = Result<R, E>>, R, E, K: Kind> LocalReport<'env, F, R, E, K> {
    pub(super) fn new(
        tally: Tally<E>,
        name: Cow<'static, str>,
        scope: Scope,
        after: Duration,
        id: Id,
        body: impl FnOnce(LocalGroup<'env, E, K>) -> F,
    ) -> Self {
        let mut crew = Crew::new(0);
        let (control, waker) = (crew.ready().control_waker(CONTROL), crew.ready().control_waker(BODY));
        // Number 0 is woken as it is.
        waker.wake_by_ref();
        let inner = Arc::new(Nest { scope: scope.child_node(), caller: crew.ready().caller() });
        let until = inner.scope.cancelled();
        let shared = Arc::new(Shared { name, scope, inner, state: Told::new(State::new(tally)), control, id });
        // Before the closure is called: should it panic, whom it has spawned is dropped with this.
        let mut report = Self {
            shared: shared.clone(),
            after: Some(after),
            run: None,
            crew,
            serving: 0,
            service: None,
            until,
            body: waker,
            stage: Stage::Body,
            span: Span::new(),
        };
        let body = Body { body: Guarded::new(body(LocalGroup(shared.clone()))), shared: shared.clone() };
        report.run = Some(OwnedRun::new(shared.scope.clone(), body));
        report
    }

    /// Polls body and children in turn. Whether all are gone.
    fn poll_members(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        this.crew.begin(cx.waker());
        // The runs around may be others than the last time.
        if let Some(service) = this.service {
            service.place(&this.shared.control);
        }
        let mut budget = BUDGET;
        for _ in 0..PASSES {
            let woken = self.as_mut().project().crew.ready().take_control();
            // Rule b, for all that begin in this pass: a reading of the clock is shared.
            let open = self.shared.inner.scope.check().is_ok();
            if woken & 1 << CONTROL != 0 {
                self.as_mut().control();
            }
            if woken & 1 << BODY != 0 && matches!(self.stage, Stage::Body) {
                self.as_mut().poll_body();
                // Whom it has spawned is polled with the others.
                self.as_mut().take_in();
            }
            self.as_mut().project().crew.begin_pass();
            while let Some(number) = self.as_mut().project().crew.next() {
                self.as_mut().poll_child(number, open);
                budget -= 1;
                if budget == 0 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            if self.as_mut().dismiss() {
                continue;
            }
            if self.is_over() {
                return Poll::Ready(());
            }
            if self.crew.rest() {
                probe::waiting("the end of a local group", Some(self.shared.id), u64::MAX);
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes newcomers in (L1), and looks whether the children are cut short (L2).
    fn control(mut self: Pin<&mut Self>) {
        self.as_mut().take_in();
        let this = self.as_mut().project();
        if this.until.poll_for_others(&mut Context::from_waker(&this.shared.control)) {
            for number in this.crew.numbers() {
                self.as_mut().poll_child(number, false);
            }
        }
    }

    fn take_in(self: Pin<&mut Self>) {
        let this = self.project();
        let incoming = this.shared.state.with(|state| core::mem::take(&mut state.incoming));
        incoming.into_iter().for_each(|newcomer| {
            *this.serving += usize::from(newcomer.0.side == Side::Background);
            this.crew.insert(newcomer);
        });
        if *this.serving > 0 {
            this.service.get_or_insert_with(|| Service::new(&this.shared.scope)).place(&this.shared.control);
        }
    }

    fn poll_body(self: Pin<&mut Self>) {
        let mut this = self.project();
        let run = this.run.as_mut().as_pin_mut().expect("there until the body has ended");
        let Poll::Ready(outcome) = run.poll(&mut Context::from_waker(this.body)) else { return };
        this.run.set(None);
        let cut = outcome.is_cancelled();
        let (output, failed) = match outcome {
            Outcome::Done(Ok(Ok(output))) => (Some(output), None),
            Outcome::Done(Ok(Err(error))) => (None, Some(Cause::Error(error))),
            Outcome::Done(Err(panic)) => (None, Some(Cause::Panic(panic))),
            Outcome::Cancelled(_) => (None, None),
        };
        *this.stage = Stage::Children { output, cut };
        if let Some(cause) = failed {
            let verdict = this.shared.state.with(|state| state.tally.body_failed(cause));
            this.shared.act(verdict);
        }
    }

    #[inline]
    fn poll_child(self: Pin<&mut Self>, number: usize, open: bool) {
        let this = self.project();
        let Some((mut seat, waker)) = this.crew.get(number) else { return };
        let (place, child) = seat.member().get_mut();
        let place = *place;
        // Of its own scope a child hears by itself, also before it begins.
        let open = open || place.side == Side::Background;
        let mut polled = child.poll(Turn { open, number }, &mut Context::from_waker(&waker));
        // Not moved as a whole, which the processor would wait for: it was written word by word just now.
        let Poll::Ready(gone) = &mut polled else { return };
        let verdict = gone.as_mut().map(|gone| this.shared.count(place, || child.label(), gone.how.take()));
        drop(seat.leave());
        if place.side == Side::Background {
            *this.serving -= 1;
            if *this.serving == 0 {
                *this.service = None;
            }
        }
        if let (Some(gone), Some(verdict)) = (gone, verdict) {
            this.shared.act(verdict);
            gone.tell.wake();
        }
        // What it had is taken.
        core::mem::forget(polled);
    }

    /// Cancels those in the background, if there is nobody left that they serve, and polls them (L2). Whether it did.
    fn dismiss(mut self: Pin<&mut Self>) -> bool {
        let only = self.serving > 0 && self.crew.len() == self.serving && !matches!(self.stage, Stage::Body);
        if !only {
            return false;
        }
        let Some(back) = self.shared.state.with(State::dismiss) else { return false };
        let shared = self.shared.clone();
        let why = shared.why();
        // Whom they spawn from now on is not begun.
        let panicked = [(&shared.inner, why.clone()), (&back, why)].map(|(nest, why)| catch(|| nest.scope.cancel(why)));
        self.as_mut().take_in();
        for number in self.as_mut().project().crew.numbers() {
            self.as_mut().poll_child(number, false);
        }
        // Of whoever was woken.
        if let Some(panic) = panicked.into_iter().find_map(Result::err) {
            resume(panic);
        }
        true
    }

    /// Whether body and children are gone, and nobody waits for one to start. No more may come then.
    fn is_over(&self) -> bool {
        self.crew.len() == 0
            && !matches!(self.stage, Stage::Body)
            && self.shared.state.with(|state| {
                state.over = state.alive == 0 && state.serving == 0 && state.starting == 0;
                state.over
            })
    }

    /// The group is dropped: its body, then its children.
    fn left(self: Pin<&mut Self>) {
        let mut this = self.project();
        if !matches!(this.stage, Stage::Body | Stage::Children { .. }) {
            return;
        }
        let (incoming, known) = this.shared.state.with(|state| {
            state.over = true;
            (core::mem::take(&mut state.incoming), state.tally.failures())
        });
        // Whatever wakers do, every child is left.
        contain(|| {
            this.shared.scope.cancel(Reason::owner_dropped());
        });
        this.run.set(None);
        let mut incoming = incoming;
        // Those in the background last.
        for side in [Side::Main, Side::Background] {
            let back = this.shared.state.read(|state| state.back.clone());
            if let (Side::Background, Some(back)) = (side, back) {
                let why = this.shared.why();
                contain(|| {
                    back.scope.cancel(why);
                });
            }
            let leave = |place: Place, child: &mut K::Kid<'env, E>| {
                if let Some(gone) = (place.side == side).then(|| child.leave()).flatten() {
                    contain(|| {
                        this.shared.act(this.shared.count(place, || child.label(), gone.how));
                        gone.tell.now();
                    });
                }
            };
            for number in this.crew.numbers() {
                if let Some((mut seat, _)) = this.crew.get(number) {
                    let (place, child) = seat.member().get_mut();
                    leave(*place, child);
                }
            }
            for (place, child) in &mut incoming {
                leave(*place, child);
            }
        }
        // What panicked before was for the report; that goes with the group.
        let first = this.shared.state.with(|state| state.tally.take_panic(known));
        if let (Some(panic), false) = (first, is_panicking()) {
            panic.resume();
        }
    }
}

impl<F: Future<Output = Result<R, E>>, R, E, K: Kind> Future for LocalReport<'_, F, R, E, K> {
    type Output = GroupReport<R, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let scope = self.shared.scope.clone();
        if let Some(after) = self.as_mut().project().after.take().filter(|after| *after != Duration::MAX) {
            scope.set_deadline(scope.deadline().min(scope.now() + after));
        }
        if matches!(self.stage, Stage::Body | Stage::Children { .. }) {
            // Taken out, as what is entered with it are the members, who are not apart from it.
            let mut span = core::mem::replace(self.as_mut().project().span, Span::new());
            let polled = {
                let _entered = span.group(&self.shared.name);
                self.as_mut().poll_members(cx)
            };
            *self.as_mut().project().span = span;
            if polled.is_pending() {
                return Poll::Pending;
            }
            let this = self.as_mut().project();
            let Stage::Children { output, cut } = core::mem::replace(this.stage, Stage::Over) else {
                unreachable!("all are gone")
            };
            let sums = this.shared.state.with(|state| state.tally.close());
            let report = GroupReport::new(output, sums, cut, &scope);
            trace::group_ended(&this.shared.name, report.failures.len(), report.cancelled.is_some());
            *this.stage = Stage::Leaving { report, stay: Stay::new() };
        }
        let this = self.project();
        let Stage::Leaving { report, stay } = this.stage else { panic!("a group was polled after it was over") };
        // Rule e: it is for the scope around to say so, if its body is what this is part of.
        if report.is_cut_from_above() && stay.stays(&scope, cx) {
            return Poll::Pending;
        }
        let Stage::Leaving { report, .. } = core::mem::replace(this.stage, Stage::Over) else {
            unreachable!("matched above")
        };
        Poll::Ready(report)
    }
}

impl<F: Future<Output = Result<R, E>>, R, E, K: Kind> fmt::Debug for LocalReport<'_, F, R, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalReport").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl<E, K: Kind> Shared<'_, E, K> {
    /// Why those in the background are cancelled.
    fn why(&self) -> Reason {
        self.scope.cause().map_or(Reason::parent(), |cause| cause.reason().clone())
    }

    /// Counts a child whose body is gone (L3).
    #[inline]
    fn count<'a>(&self, place: Place, label: impl Fn() -> &'a Label, how: How<E>) -> Verdict {
        trace::child_ended(&self.name, || label(), how.word());
        self.state.with(|state| {
            state.leave(place);
            state.tally.ended(label, place.side == Side::Main, how)
        })
    }

    #[inline]
    pub(super) fn act(&self, verdict: Verdict) {
        match verdict {
            Verdict::GoOn => {}
            Verdict::CancelAll(reason) => {
                self.scope.cancel(*reason);
            }
            Verdict::CancelMain(reason) => {
                self.inner.scope.cancel(*reason);
            }
        }
    }
}

pin_project! {
    /// The body of a group, polled and dropped in a panic guard.
    struct Body<'env, F, E, K>
    where
        K: Kind,
    {
        #[pin]
        body: Guarded<F>,
        shared: Arc<Shared<'env, E, K>>,
    }

    impl<F, E, K> PinnedDrop for Body<'_, F, E, K>
    where
        K: Kind,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Err(panic) = this.body.clear() {
                this.shared.state.with(|state| state.tally.body_failed(Cause::Panic(panic)));
            }
        }
    }
}

impl<F: Future, E, K: Kind> Future for Body<'_, F, E, K> {
    type Output = <Guarded<F> as Future>::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().body.poll(cx)
    }
}

//! The run of a pipeline: its stages side by side, each polled when it was woken.

use super::link::{Entry, Exit, Gate, Link};
use super::report::{PipelineReport, StageReport};
use super::stage::Stage;
use crate::cancel::{Reason, Scope};
use crate::sys::Arc;
use crate::time::Instant;
use crate::wait::Ready;
use crate::work::{Ended, ItemOutcome, OnError, Report, Sink, Source, Stop};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// How often the stages have a turn before others have one.
const ROUNDS: usize = 64;
/// How many results are taken from the last stage in one turn.
const TAKEN: usize = 128;
/// How many wakers tell stages apart; in longer pipelines, stages share them.
const WAKERS: usize = 31;

/// What the stages of a run share.
#[derive(Debug)]
pub struct Plan {
    /// The whole pipeline's.
    pub(super) scope: Scope,
    /// That of each stage, inside it.
    pub(super) stages: Vec<Scope>,
}

impl Plan {
    /// Whether the whole pipeline's time is up at `now`, or its scope winds down or is cancelled.
    fn is_ending(&self, now: Instant) -> bool {
        self.scope.is_draining() || !self.scope.effective_deadline().allows(now)
    }

    /// L5. The stages before this one start nothing more.
    fn halt_before(&self, stage: usize, reason: &Reason) {
        for scope in self.stages[..stage].iter().rev() {
            scope.cancel_with_grace(reason.clone(), Duration::MAX);
        }
    }
}

/// What a stage's workers pull from: the stage before, as long as there is room for what comes of it.
pub(super) struct Throttled<S, O> {
    pub(super) source: S,
    pub(super) gate: Gate<O>,
}

impl<S: Source, O> Source for Throttled<S, O> {
    type Item = S::Item;
    type Rest = S::Rest;

    #[inline]
    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if self.gate.poll_room(cx).is_pending() {
            return Poll::Pending;
        }
        let pulled = self.source.poll_pull(cx);
        if let Poll::Ready(Some(_)) = pulled {
            self.gate.begin();
        }
        pulled
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        self.source.poll_ahead(cx);
    }

    #[inline]
    fn settle(&mut self) {
        self.source.settle();
    }

    fn remaining(&self) -> Option<usize> {
        self.source.remaining()
    }

    fn into_rest(self) -> S::Rest {
        self.source.into_rest()
    }
}

/// What the stage before has handed on.
#[derive(Debug)]
pub struct Handed<T>(pub(super) Exit<T>);

impl<T> Source for Handed<T> {
    type Item = T;
    type Rest = ();

    #[inline]
    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_take(cx)
    }

    #[inline]
    fn settle(&mut self) {
        self.0.settle();
    }

    fn remaining(&self) -> Option<usize> {
        self.0.remaining()
    }

    fn into_rest(self) {
        self.0.put_back();
    }
}

/// Hands results on, and tells of the rest.
pub(super) struct Teller<O, K> {
    plan: Arc<Plan>,
    number: usize,
    on_error: OnError,
    out: Entry<O>,
    sink: K,
}

impl<O, K> Teller<O, K> {
    pub(super) fn new(plan: &Arc<Plan>, number: usize, stage: Stage<K>, out: Entry<O>) -> Self {
        Self { plan: plan.clone(), number, on_error: stage.on_error, out, sink: stage.sink }
    }
}

impl<O, K> Teller<O, K> {
    /// An item of which nothing is handed on.
    #[inline(never)]
    fn undone<T, E>(&mut self, ended: Ended<T, Infallible, E>)
    where
        K: Sink<T, Infallible, E>,
    {
        self.out.end(ended.index, None);
        if ended.outcome.is_error() {
            match self.on_error {
                OnError::Collect => {}
                OnError::StopStarting => self.plan.halt_before(self.number, &Reason::sibling_failed()),
                OnError::CancelRest => {
                    self.plan.scope.cancel(Reason::sibling_failed());
                }
            }
        }
        self.sink.accept(ended);
    }
}

impl<T, O, E, K: Sink<T, Infallible, E>> Sink<T, O, E> for Teller<O, K> {
    #[inline(always)]
    fn accept(&mut self, ended: Ended<T, O, E>) {
        let Ended { index, worker, outcome } = ended;
        let outcome = match outcome {
            ItemOutcome::Done(result) => return self.out.end(index, Some(result)),
            ItemOutcome::Failed { error, item } => ItemOutcome::Failed { error, item },
            ItemOutcome::Panicked { message, item } => ItemOutcome::Panicked { message, item },
            ItemOutcome::TimedOut { item } => ItemOutcome::TimedOut { item },
            ItemOutcome::Cancelled { item } => ItemOutcome::Cancelled { item },
            ItemOutcome::Skipped { item } => ItemOutcome::Skipped { item },
        };
        self.undone(Ended { index, worker, outcome });
    }

    #[inline]
    fn settle(&mut self) {
        self.out.settle();
    }
}

/// A sink that is borrowed.
pub(super) struct Lent<'a, K>(pub(super) &'a mut K);

impl<T, O, E, K: Sink<T, O, E>> Sink<T, O, E> for Lent<'_, K> {
    #[inline(always)]
    fn accept(&mut self, ended: Ended<T, O, E>) {
        self.0.accept(ended);
    }

    #[inline]
    fn settle(&mut self) {
        self.0.settle();
    }
}

/// What a stage comes to: its report, and that of the source, if it was the first one.
type Over<R> = (StageReport, Option<usize>, R);

/// A stage from its beginning to its end. `run` does its work; `input` is where the stage before hands its results to.
pub(super) async fn stage<T, O, E, K, R>(
    name: Cow<'static, str>,
    input: Option<Arc<Link<T>>>,
    run: impl Future<Output = (Report<R>, Teller<O, K>)>,
) -> Over<R>
where
    K: Sink<T, Infallible, E>,
{
    let (report, mut teller) = run.await;
    let Report { mut count, not_started, per_worker, started, ended, stop, rest } = report;
    let reason = match &stop {
        Stop::Exhausted => None,
        // It is the end of all stages, each of which notices by itself.
        _ if teller.plan.is_ending(ended) => None,
        Stop::Cancelled(reason) | Stop::Draining(reason) => Some(reason.clone()),
        Stop::Failed { .. } => Some(Reason::sibling_failed()),
        stop => Some(Reason::explicit(format!("`{name}` has stopped: {stop}"))),
    };
    if let Some(reason) = reason {
        teller.plan.halt_before(teller.number, &reason);
    }
    teller.out.over();
    // L2. What was handed to it and not begun is counted here, and its sink is told.
    if let Some(input) = input {
        poll_fn(|cx| input.poll_over(cx)).await;
        let pulled = count.total();
        for (index, item) in (pulled..).zip(input.empty()) {
            count.skipped += 1;
            teller.sink.accept(Ended { index, worker: None, outcome: ItemOutcome::Skipped { item } });
        }
    }
    (StageReport { name, count, per_worker, started, ended, stop }, not_started, rest)
}

/// The stages up to one of them, while they run.
pub trait Runs: Sized {
    /// What the last one's successor has left of what it pulled from.
    type Back;
    /// What is left of the source.
    type Rest;

    /// Polls those that were woken. Whether all are over.
    fn poll(&mut self, woken: usize, wakers: &[Waker]) -> bool;

    /// Lays down the reports of all; gives what is left of the source, and how much that is.
    fn finish(self, left: (Self::Back, Option<usize>), reports: &mut Vec<StageReport>) -> (Self::Rest, Option<usize>);
}

/// Before the first stage there is none.
pub(super) struct Nothing<R>(pub(super) PhantomData<fn() -> R>);

impl<R> Runs for Nothing<R> {
    type Back = R;
    type Rest = R;

    fn poll(&mut self, _: usize, _: &[Waker]) -> bool {
        true
    }

    fn finish(self, left: (R, Option<usize>), _: &mut Vec<StageReport>) -> (R, Option<usize>) {
        left
    }
}

/// A stage, and those before it.
pub(super) struct Running<P, F, R> {
    before: P,
    /// In a place of its own, as stages are moved about while they are put one into another.
    stage: Pin<Box<F>>,
    number: usize,
    over: Option<Over<R>>,
}

impl<P, F, R> Running<P, F, R> {
    pub(super) fn new(before: P, stage: F, number: usize) -> Self {
        Self { before, stage: Box::pin(stage), number, over: None }
    }
}

fn is_woken(woken: usize, number: usize) -> bool {
    woken & (1 << (number % WAKERS)) != 0
}

impl<P: Runs, F: Future<Output = Over<P::Back>>> Runs for Running<P, F, P::Back> {
    type Back = ();
    type Rest = P::Rest;

    fn poll(&mut self, woken: usize, wakers: &[Waker]) -> bool {
        let are_over = self.before.poll(woken, wakers);
        if self.over.is_none() && is_woken(woken, self.number) {
            if let Poll::Ready(over) = self.stage.as_mut().poll(&mut Context::from_waker(&wakers[self.number])) {
                self.over = Some(over);
            }
        }
        are_over && self.over.is_some()
    }

    fn finish(self, _: ((), Option<usize>), reports: &mut Vec<StageReport>) -> (P::Rest, Option<usize>) {
        let Some((report, not_started, back)) = self.over else { unreachable!("all are over") };
        let left = self.before.finish((back, not_started), reports);
        reports.push(report);
        left
    }
}

/// Runs all stages to their end, and gives `sink` what comes out of the last one.
pub(super) async fn run<T, L: Runs<Back = ()>>(
    plan: Arc<Plan>,
    started: Instant,
    mut last: Exit<T>,
    mut runs: L,
    mut sink: impl FnMut(T),
) -> PipelineReport<L::Rest> {
    let mut ready = Ready::new();
    let taker = plan.stages.len();
    let wakers: Vec<_> = (0..=taker).map(|number| ready.control_waker(number % WAKERS)).collect();
    wakers.iter().for_each(Waker::wake_by_ref);
    let mut is_empty = false;
    poll_fn(|cx| {
        ready.begin(cx.waker());
        for _ in 0..ROUNDS {
            let woken = ready.take_control();
            let are_over = runs.poll(woken, &wakers);
            if !is_empty && is_woken(woken, taker) {
                is_empty = take_some(&mut last, &wakers[taker], &mut sink);
            }
            if are_over && is_empty {
                return Poll::Ready(());
            }
            if ready.rest() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    let mut stages = Vec::with_capacity(taker);
    let (rest, not_started) = runs.finish(((), None), &mut stages);
    PipelineReport { stages, not_started, started, ended: plan.scope.now(), rest }
}

/// Whether there is nothing more to come.
fn take_some<T>(last: &mut Exit<T>, waker: &Waker, sink: &mut impl FnMut(T)) -> bool {
    let cx = Context::from_waker(waker);
    for _ in 0..TAKEN {
        match last.poll_take(&cx) {
            Poll::Ready(Some(result)) => sink(result),
            Poll::Ready(None) => return true,
            Poll::Pending => return false,
        }
    }
    last.settle();
    waker.wake_by_ref();
    false
}

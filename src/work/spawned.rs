//! Runs whose workers are tasks of their own.
//!
//! Each worker drives a crew of one (`run.rs`), and shares with the others what is here: the source, which is one worker's at
//! a time, and the sink, at which whoever finds it taken leaves what he has to say to who has it.
//!
//! # Invariants
//!
//! - **P1** No code of the user runs under a lock: source and sink are taken out of their places for that, and put back.
//! - **P2** Who waits for the source stands in line. Whoever puts it back, or leaves without having taken it, calls the first
//!   one, so that the source does not lie there while somebody waits.
//! - **P3** Each item that was pulled is noted as its worker's until the sink has been told of it. If the task is gone before
//!   that, the sink is told by what is dropped with the task.
//! - **P4** A worker is counted out when its body, its feed and its task are gone.
//! - **P5** Where the number of workers changes, nobody pulls while more of them stay than there are to be: who asks then
//!   leaves, and those in line are called to ask. Who waits for an item asks when it has come.

#[cfg(test)]
mod loom_tests;

use super::crowd::{Crowd, Resized};
use super::intake::{Feed, Intake};
use super::lease::Lease;
use super::options::Options;
use super::outbox::Outbox;
use super::outcome::{Ended, ItemOutcome, Sink};
use super::report::{Report, Stop};
use super::run::{self, Driven};
use super::source::Source;
use super::width::Width;
use crate::cancel::{KeepOpen, Reason, Scope};
use crate::spawn::{Panic, Spawn, Task};
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::thread::{catch, contain};
use crate::sys::{Arc, Told, probe};
use crate::task::Guarded;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::future::Future;
use core::num::NonZeroUsize;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// What the workers of a run share.
struct Shared<S, K, T, O, E> {
    turn: Told<Turn<S>>,
    outbox: Outbox<K, T, O, E>,
    crowd: Told<Crowd>,
    /// Whether the number of workers may change.
    is_elastic: bool,
    /// As many as it takes, but no more than so many.
    to_meet: Option<NonZeroUsize>,
    /// The one that all workers' scopes lie in.
    scope: Scope,
}

/// Whose turn it is to pull.
struct Turn<S> {
    /// There, unless somebody pulls.
    intake: Option<Box<Intake<S>>>,
    /// Who waits for it, by number.
    line: VecDeque<(usize, Waker)>,
    /// How many items were left when it was put back, if anybody wants to know.
    left: Option<usize>,
    /// The first reason why nothing more is started.
    stop: Option<Stop>,
}

impl<S, K, T, O, E> Shared<S, K, T, O, E> {
    /// Nothing more is started, by anybody: the first reason stays, but an error comes before all others (K8). Those in line are told.
    fn stop(&self, stop: &Stop) {
        let is_error = |stop: &Stop| matches!(stop, Stop::Failed { .. });
        self.turn.with(|turn| {
            if turn.stop.as_ref().is_none_or(|first| is_error(stop) && !is_error(first)) {
                turn.stop = Some(stop.clone());
            }
        });
        self.call_all();
    }

    /// Source or sink have panicked: the run passes the first such panic on when everybody is gone.
    fn panicked(&self, panic: Panic) {
        self.scope.cancel(Reason::sibling_failed());
        let mut panic = Some(panic);
        self.crowd.with(|crowd| {
            if crowd.panic.is_none() {
                crowd.panic = panic.take();
            }
        });
        if let Some(later) = panic {
            contain(|| drop(later));
        }
    }

    /// There are to be more workers from now on, or fewer.
    fn resized(&self, resized: Resized) {
        match resized {
            Resized::TooFew(waiter) => waiter.into_iter().for_each(Waker::wake),
            Resized::Enough => self.call_all(),
        }
    }

    fn call_all(&self) {
        let line = self.turn.with(|turn| core::mem::take(&mut turn.line));
        line.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// P2.
    fn call_next(&self) {
        let next = self.turn.with(|turn| if turn.intake.is_some() { turn.line.pop_front() } else { None });
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

/// A worker's way to the source.
struct Line<S: Source, K: Sink<S::Item, O, E>, O, E> {
    shared: Arc<Shared<S, K, S::Item, O, E>>,
    number: usize,
    /// While it is this one's turn.
    held: Option<Box<Intake<S>>>,
    /// P3. The item that the worker has, or had last.
    index: u64,
    told: Arc<AtomicBool>,
    /// P5.
    leaves: bool,
}

/// A worker's way to the sink.
struct Teller<S, K, T, O, E> {
    shared: Arc<Shared<S, K, T, O, E>>,
    number: usize,
    told: Arc<AtomicBool>,
}

impl<S, K: Sink<T, O, E>, T, O, E> Sink<T, O, E> for Teller<S, K, T, O, E> {
    fn accept(&mut self, mut ended: Ended<T, O, E>) {
        // Relaxed: the feed of the same task reads it.
        self.told.store(true, Ordering::Relaxed);
        ended.worker = ended.worker.map(|_| self.number);
        self.shared.outbox.tell(ended);
    }
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Line<S, K, O, E> {
    /// Takes the source, or stands in line for it.
    fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<Result<Box<Intake<S>>, Stop>> {
        if let Some(intake) = self.held.take() {
            return Poll::Ready(Ok(intake));
        }
        if let polled @ Poll::Ready(_) = self.shared.turn.with(Turn::take) {
            return polled;
        }
        let mut waker = Some(cx.waker().clone());
        let (polled, _old) = self.shared.turn.with(|turn| match turn.take() {
            Poll::Pending => (Poll::Pending, turn.stand(self.number, &mut waker)),
            ready => (ready, None),
        });
        polled
    }

    fn put_back(&mut self, intake: Box<Intake<S>>) {
        let left = self.shared.to_meet.and_then(|_| intake.remaining());
        self.shared.turn.with(|turn| (turn.intake, turn.left) = (Some(intake), left));
        self.shared.call_next();
    }

    /// P5. Whether this one has left.
    fn is_excused(&mut self) -> bool {
        let number = self.number;
        self.leaves = self.shared.crowd.with(|crowd| crowd.excuse(number));
        if self.leaves {
            if let Some(intake) = self.held.take() {
                self.put_back(intake);
            }
        }
        self.leaves
    }
}

impl<S> Turn<S> {
    fn take(&mut self) -> Poll<Result<Box<Intake<S>>, Stop>> {
        match (&self.stop, self.intake.take()) {
            (None, Some(intake)) => Poll::Ready(Ok(intake)),
            (None, None) => Poll::Pending,
            (Some(stop), intake) => {
                self.intake = intake;
                Poll::Ready(Err(stop.clone()))
            }
        }
    }

    /// The waker that stood there before.
    fn stand(&mut self, number: usize, waker: &mut Option<Waker>) -> Option<Waker> {
        match self.line.iter_mut().find(|(other, _)| *other == number) {
            Some((_, old)) => waker.take().map(|new| core::mem::replace(old, new)),
            None => {
                self.line.extend(waker.take().map(|new| (number, new)));
                None
            }
        }
    }
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Feed for Line<S, K, O, E> {
    type Item = S::Item;

    fn poll_feed(&mut self, cx: &mut Context<'_>, closes: Instant) -> Poll<Result<(u64, S::Item), Stop>> {
        if self.shared.is_elastic && self.is_excused() {
            return Poll::Ready(Err(Stop::Lost));
        }
        let mut intake = match self.poll_turn(cx) {
            Poll::Ready(Ok(intake)) => intake,
            Poll::Ready(Err(stop)) => return Poll::Ready(Err(stop)),
            Poll::Pending => {
                // Those in line may have been called to leave before this one stood there.
                if self.shared.is_elastic && self.shared.crowd.read(Crowd::is_too_many) {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
        };
        let pulled = intake.poll_feed(cx, closes);
        match &pulled {
            Poll::Pending => {
                // It is this one whom the source will wake.
                self.held = Some(intake);
                return Poll::Pending;
            }
            Poll::Ready(Ok((index, _))) => {
                self.index = *index;
                // Relaxed: of this task alone.
                self.told.store(false, Ordering::Relaxed);
            }
            Poll::Ready(Err(stop)) => self.shared.stop(stop),
        }
        self.put_back(intake);
        pulled
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) {
        if let Some(intake) = &mut self.held {
            return intake.poll_ahead(cx);
        }
        if let Poll::Ready(Ok(mut intake)) = self.shared.turn.with(Turn::take) {
            intake.poll_ahead(cx);
            self.put_back(intake);
        }
    }

    fn ask_anew(&mut self) {
        if let Some(intake) = &mut self.held {
            intake.ask_anew();
        }
    }

    fn took(&mut self, took: Duration, time: Option<Duration>) {
        let left = self.shared.turn.read(|turn| turn.left);
        if let (Some(most), Some(left), Some(time)) = (self.shared.to_meet, left, time) {
            let resized = self.shared.crowd.with(|crowd| crowd.took(took, left, time, most));
            self.shared.resized(resized);
        }
    }

    /// Nobody knows how many of them are this worker's.
    fn remaining(&self) -> Option<usize> {
        None
    }

    fn out_of_time(&mut self) -> Stop {
        let intake = self.held.take().or_else(|| self.shared.turn.with(|turn| turn.intake.take()));
        let Some(mut intake) = intake else { return Stop::OutOfTime };
        let stop = intake.out_of_time();
        self.put_back(intake);
        stop
    }

    fn halt(&mut self, stop: &Stop, cancel: bool) {
        self.shared.stop(stop);
        if cancel {
            self.shared.scope.cancel(Reason::sibling_failed());
        }
    }
}

impl<S: Source, K: Sink<S::Item, O, E>, O, E> Drop for Line<S, K, O, E> {
    fn drop(&mut self) {
        if let Some(intake) = self.held.take() {
            self.put_back(intake);
        }
        let number = self.number;
        let gone = self.shared.turn.with(|turn| {
            let at = turn.line.iter().position(|(other, _)| *other == number)?;
            turn.line.remove(at)
        });
        drop(gone);
        self.shared.call_next();
        if !self.told.swap(true, Ordering::Relaxed) {
            let ended = Ended::new(self.index, Some(number), ItemOutcome::Cancelled { item: None });
            if let Err(panic) = catch(|| self.shared.outbox.tell(ended)) {
                self.shared.panicked(Panic::new(panic));
            }
        }
    }
}

/// A worker's presence, from before it is spawned.
struct Present<S, K, T, O, E> {
    shared: Arc<Shared<S, K, T, O, E>>,
    number: usize,
}

impl<S, K, T, O, E> Drop for Present<S, K, T, O, E> {
    fn drop(&mut self) {
        if let Some(waiter) = self.shared.crowd.with(|crowd| crowd.gone(self.number)) {
            waiter.wake();
        }
    }
}

/// Cancels the workers if the run is dropped before they are gone.
struct Owner(Option<Scope>);

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(scope) = self.0.take() {
            scope.cancel(Reason::owner_dropped());
        }
    }
}

/// A run whose workers are tasks.
pub(super) async fn run_on<P, S, F, Fut, O, E, K>(
    spawner: P,
    source: S,
    options: Options,
    outer: &Scope,
    body: F,
    sink: K,
) -> (Report<S::Rest>, K)
where
    P: Spawn,
    S: Source + Send + 'static,
    S::Item: Send + 'static,
    F: Fn(Lease<S::Item>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    O: Send + 'static,
    E: Send + 'static,
    K: Sink<S::Item, O, E> + Send + 'static,
{
    let started = outer.now();
    let deadline = options.limit.deadline(started);
    let (most, mut width) = Width::begin(&options);
    let to_meet = options.to_meet;
    let scope = outer.child();
    let intake = Some(Box::new(Intake::new(source, options.limiter.clone())));
    let shared = Arc::new(Shared {
        turn: Told::new(Turn { intake, line: VecDeque::new(), left: None, stop: None }),
        outbox: Outbox::new(sink),
        crowd: Told::new(Crowd::new(most)),
        is_elastic: width.is_some() || to_meet.is_some(),
        to_meet,
        scope: scope.clone(),
    });
    let mut owner = Owner(Some(scope.clone()));
    let told = (Arc::new(options.single()), Arc::new(body));
    let here = shared.clone();
    let hire = move || {
        let shared = &here;
        // Nobody comes to where nothing is started any more.
        while shared.turn.read(|turn| turn.stop.is_none()) {
            let Some(number) = shared.crowd.with(Crowd::hire) else { return };
            let present = Present { shared: shared.clone(), number };
            spawner.spawn(Task::new(worker(told.clone(), deadline, outer.keep_open(), present)).named("worker"));
        }
    };
    hire();
    // The report comes although the scope is cancelled: the workers see to it that it comes soon.
    let there = shared.clone();
    let all_gone = core::future::poll_fn(move |cx| {
        let shared = &there;
        if let Some(most) = width.as_mut().and_then(|width| width.poll_change(cx)) {
            let resized = shared.crowd.with(|crowd| crowd.resize(most));
            shared.resized(resized);
        }
        let mut waker = Some(cx.waker().clone());
        let (is_over, _old) = shared.crowd.with(|crowd| crowd.poll_gone(&mut waker));
        if is_over {
            return Poll::Ready(());
        }
        if shared.is_elastic {
            hire();
        }
        probe::waiting("spawned work", None, u64::MAX);
        Poll::Pending
    });
    // Nobody cancels the shield's own scope.
    let _ = outer.shield(Duration::MAX, async |_| all_gone.await).await;
    owner.0 = None;
    let panic = shared.crowd.with(|crowd| crowd.panic.take());
    if let Some(panic) = panic {
        panic.resume();
    }
    let (intake, stop) = shared.turn.with(|turn| (turn.intake.take(), turn.stop.take()));
    let (sink, count, per_worker) = shared.outbox.empty();
    let (Some(intake), Some(sink)) = (intake, sink) else {
        unreachable!("all who take them have put them back, but those who panic")
    };
    let (not_started, rest) = intake.into_rest();
    let stop = stop.unwrap_or(Stop::Lost);
    (Report { count, not_started, per_worker, started, ended: outer.now(), stop, rest }, sink)
}

/// What a worker does.
async fn worker<S, F, Fut, O, E, K>(
    (options, body): (Arc<Options>, Arc<F>),
    deadline: Instant,
    open: KeepOpen,
    present: Present<S, K, S::Item, O, E>,
) where
    S: Source,
    F: Fn(Lease<S::Item>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
    K: Sink<S::Item, O, E>,
{
    // P4: these are dropped last.
    let (_open, present) = (open, present);
    let (shared, number) = (present.shared.clone(), present.number);
    let told = Arc::new(AtomicBool::new(true));
    let teller = Teller { shared: shared.clone(), number, told: told.clone() };
    let scope = shared.scope.clone();
    let line = Line { shared, number, held: None, index: 0, told, leaves: false };
    let driven = pin!(Guarded::new(async move {
        let Driven { feed, stop, .. } = run::drive(line, &options, deadline, &scope, &*body, teller).await;
        if !feed.leaves {
            feed.shared.stop(&stop);
        }
    }));
    if let Err(panic) = driven.await {
        present.shared.panicked(panic);
    }
}

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

use super::intake::{Feed, Intake};
use super::lease::Lease;
use super::options::Options;
use super::outcome::{Count, Ended, ItemOutcome, Sink};
use super::report::{Report, Stop};
use super::run::{self, Driven};
use super::source::Source;
use crate::cancel::{KeepOpen, Reason, Scope};
use crate::spawn::{Panic, Spawn, Task};
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::thread::{catch, contain};
use crate::sys::{Arc, Told, probe};
use crate::task::Guarded;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// What the workers of a run share.
struct Shared<S, K, T, O, E> {
    turn: Told<Turn<S>>,
    outbox: Told<Outbox<K, T, O, E>>,
    crowd: Told<Crowd>,
    /// The one that all workers' scopes lie in.
    scope: Scope,
}

/// Whose turn it is to pull.
struct Turn<S> {
    /// There, unless somebody pulls.
    intake: Option<Box<Intake<S>>>,
    /// Who waits for it, by number.
    line: VecDeque<(usize, Waker)>,
    /// The first reason why nothing more is started.
    stop: Option<Stop>,
}

/// Where outcomes go.
struct Outbox<K, T, O, E> {
    sink: Place<K>,
    /// What was left there for who has the sink.
    left: VecDeque<Ended<T, O, E>>,
    count: Count,
    per_worker: Vec<u64>,
}

enum Place<K> {
    Here(K),
    Taken,
    /// It has panicked.
    Broken,
}

/// Who is there.
struct Crowd {
    present: usize,
    panic: Option<Panic>,
    waiter: Option<Waker>,
}

impl<S, K, T, O, E> Shared<S, K, T, O, E> {
    /// Nothing more is started, by anybody: the first reason stays. Those in line are told.
    fn stop(&self, stop: &Stop) {
        let line = self.turn.with(|turn| {
            turn.stop.get_or_insert_with(|| stop.clone());
            core::mem::take(&mut turn.line)
        });
        line.into_iter().for_each(|(_, waker)| waker.wake());
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

    /// P2.
    fn call_next(&self) {
        let next = self.turn.with(|turn| if turn.intake.is_some() { turn.line.pop_front() } else { None });
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

impl<S, K: Sink<T, O, E>, T, O, E> Shared<S, K, T, O, E> {
    /// Tells the sink, or who has it.
    fn tell(&self, ended: Ended<T, O, E>) {
        let mut next = Some(ended);
        let mut sink = match self.outbox.with(|outbox| outbox.take(&mut next)) {
            Some(sink) => Guard { shared: self, sink: Some(sink) },
            None => return,
        };
        while let (Some(ended), Some(to)) = (next.take(), &mut sink.sink) {
            to.accept(ended);
            self.outbox.with(|outbox| match outbox.left.pop_front() {
                Some(left) => next = Some(left),
                None => outbox.sink = sink.sink.take().map_or(Place::Broken, Place::Here),
            });
        }
    }
}

impl<K, T, O, E> Outbox<K, T, O, E> {
    /// Counts what `ended`, and gives the sink out with it; leaves it there, if somebody has the sink.
    fn take(&mut self, ended: &mut Option<Ended<T, O, E>>) -> Option<K> {
        let one = ended.as_ref()?;
        self.count.add(&one.outcome);
        if let Some(worker) = one.worker {
            if worker >= self.per_worker.len() {
                self.per_worker.resize(worker + 1, 0);
            }
            self.per_worker[worker] += 1;
        }
        match core::mem::replace(&mut self.sink, Place::Taken) {
            Place::Here(sink) => return Some(sink),
            Place::Taken => self.left.extend(ended.take()),
            Place::Broken => self.sink = Place::Broken,
        }
        None
    }
}

/// Somebody has the sink. If that unwinds, nobody has it any more.
struct Guard<'a, S, K, T, O, E> {
    shared: &'a Shared<S, K, T, O, E>,
    sink: Option<K>,
}

impl<S, K, T, O, E> Drop for Guard<'_, S, K, T, O, E> {
    fn drop(&mut self) {
        if self.sink.is_some() {
            let left = self.shared.outbox.with(|outbox| {
                outbox.sink = Place::Broken;
                core::mem::take(&mut outbox.left)
            });
            drop(left);
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
        self.shared.tell(ended);
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
        self.shared.turn.with(|turn| turn.intake = Some(intake));
        self.shared.call_next();
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
        let mut intake = match self.poll_turn(cx) {
            Poll::Ready(Ok(intake)) => intake,
            Poll::Ready(Err(stop)) => return Poll::Ready(Err(stop)),
            Poll::Pending => return Poll::Pending,
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

    fn ask_anew(&mut self) {
        if let Some(intake) = &mut self.held {
            intake.ask_anew();
        }
    }

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
            if let Err(panic) = catch(|| self.shared.tell(ended)) {
                self.shared.panicked(Panic::new(panic));
            }
        }
    }
}

/// A worker's presence, from before it is spawned.
struct Present<S, K, T, O, E>(Arc<Shared<S, K, T, O, E>>);

impl<S, K, T, O, E> Drop for Present<S, K, T, O, E> {
    fn drop(&mut self) {
        let waiter = self.0.crowd.with(|crowd| {
            crowd.present -= 1;
            if crowd.present == 0 { crowd.waiter.take() } else { None }
        });
        if let Some(waiter) = waiter {
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
    let workers = options.workers.get();
    let scope = outer.child();
    let intake = Some(Box::new(Intake::new(source, options.limiter.clone())));
    let outbox = Outbox { sink: Place::Here(sink), left: VecDeque::new(), count: Count::new(), per_worker: Vec::new() };
    let shared = Arc::new(Shared {
        turn: Told::new(Turn { intake, line: VecDeque::new(), stop: None }),
        outbox: Told::new(outbox),
        crowd: Told::new(Crowd { present: workers, panic: None, waiter: None }),
        scope: scope.clone(),
    });
    let mut owner = Owner(Some(scope.clone()));
    let told = (Arc::new(options.single()), Arc::new(body));
    let open = Arc::new(outer.keep_open());
    for number in 0..workers {
        let present = Present(shared.clone());
        let task = worker(number, told.clone(), deadline, open.clone(), present);
        spawner.spawn(Task::new(task).named("worker"));
    }
    drop((told, open, spawner));
    // The report comes although the scope is cancelled: the workers see to it that it comes soon.
    let all_gone = core::future::poll_fn(|cx| {
        let waker = cx.waker().clone();
        let (is_over, _old) = shared.crowd.with(|crowd| match crowd.present {
            0 => (true, None),
            _ => (false, crowd.waiter.replace(waker)),
        });
        if is_over {
            return Poll::Ready(());
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
    let (sink, count, per_worker) = shared.outbox.with(|outbox| {
        let sink = core::mem::replace(&mut outbox.sink, Place::Taken);
        (sink, outbox.count, core::mem::take(&mut outbox.per_worker))
    });
    let (Some(intake), Place::Here(sink)) = (intake, sink) else {
        unreachable!("all who take them have put them back, but those who panic")
    };
    let (not_started, rest) = intake.into_rest();
    let stop = stop.unwrap_or(Stop::Lost);
    (Report { count, not_started, per_worker, started, ended: outer.now(), stop, rest }, sink)
}

/// What a worker does.
async fn worker<S, F, Fut, O, E, K>(
    number: usize,
    (options, body): (Arc<Options>, Arc<F>),
    deadline: Instant,
    open: Arc<KeepOpen>,
    present: Present<S, K, S::Item, O, E>,
) where
    S: Source,
    F: Fn(Lease<S::Item>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
    K: Sink<S::Item, O, E>,
{
    // P4: these are dropped last.
    let (_open, present) = (open, present);
    let shared = present.0.clone();
    let told = Arc::new(AtomicBool::new(true));
    let teller = Teller { shared: shared.clone(), number, told: told.clone() };
    let scope = shared.scope.clone();
    let line = Line { shared, number, held: None, index: 0, told };
    let driven = pin!(Guarded::new(async move {
        let Driven { feed, stop, .. } = run::drive(line, &options, deadline, &scope, &*body, teller).await;
        feed.shared.stop(&stop);
    }));
    if let Err(panic) = driven.await {
        present.0.panicked(panic);
    }
}

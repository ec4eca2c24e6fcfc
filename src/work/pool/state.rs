//! What a pool, its workers and its tickets share.

use super::job::{Answer, Job, Slot};
use super::line::{Bell, Line};
use super::report::WorkerPoolReport;
use crate::cancel::{Deadline, KeepOpen, Scope};
use crate::limit::Limiter;
use crate::sync::{Event, Semaphore};
use crate::sys::thread::contain;
use crate::sys::{Arc, Told};
use crate::time::Instant;
use crate::work::desk::closing;
use crate::work::intake::Toll;
use crate::work::outcome::{Count, ItemOutcome};
use crate::work::report::Stop;
use crate::work::spawned::note_stop;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

pub(super) struct Shared<T, O, E> {
    state: Told<State<T, O, E>>,
    /// A permit for each item that may be put into the queue.
    pub(super) room: Semaphore,
    /// The one that workers' scopes lie in.
    pub(super) scope: Scope,
    pub(super) min_time: Duration,
    /// The run is over, and every item has ended.
    over: Event,
}

struct State<T, O, E> {
    queue: VecDeque<(T, Job<T, O, E>)>,
    is_closed: bool,
    /// How many items were pulled.
    pulled: u64,
    line: Line,
    /// Where there is a limiter.
    gate: Option<Gate>,
    /// The first reason why nothing more is started.
    stop: Option<Stop>,
    count: Count,
    /// Accepted, and not ended.
    open: usize,
    /// Items that were not started, and nobody asks for.
    not_started: Vec<T>,
    started: Instant,
    /// When the run was over, and why.
    end: Option<(Instant, Stop)>,
    /// What keeps the scope of a pool that was dropped from moving on.
    kept: Over,
}

/// What stands before the queue, so that permits are taken one after another.
struct Gate {
    /// There, unless a worker has it.
    toll: Option<Box<Toll>>,
    /// Who has it.
    holder: Option<usize>,
    /// Whether that one has a permit, and waits for an item.
    waits: bool,
}

/// What came of a pull.
pub(super) enum Pull<T, O, E> {
    Item(T, Job<T, O, E>),
    /// The worker has what stands before the queue.
    Toll,
    /// The worker will be called.
    Pending,
    /// There will be none any more.
    Exhausted,
    Stopped(Stop),
    /// More workers are there than there are to be.
    Crowded,
}

/// What kept the scope from moving on until it was over, if anything did.
type Over = Option<KeepOpen>;

impl<T, O, E> State<T, O, E> {
    /// W6. Who is to be called.
    fn next(&mut self) -> Option<Arc<Bell>> {
        let is_there = !self.queue.is_empty();
        match &mut self.gate {
            None if is_there => self.line.call(),
            None => None,
            Some(gate) if gate.toll.is_some() => self.line.call(),
            Some(gate) if is_there && gate.waits => {
                gate.waits = false;
                self.holder()
            }
            Some(_) => None,
        }
    }

    /// The worker that has what stands before the queue.
    fn holder(&self) -> Option<Arc<Bell>> {
        self.gate.as_ref()?.holder.and_then(|number| self.line.bell(number))
    }

    fn call_all(&mut self) -> Vec<Arc<Bell>> {
        let mut all = self.line.call_all();
        all.extend(self.holder());
        all
    }

    fn remaining(&self) -> Option<usize> {
        Some(self.queue.len()).filter(|left| *left > 0 || self.is_closed)
    }

    fn is_over(&self) -> bool {
        self.end.is_some() && self.open == 0
    }

    /// What is to be let go, if it is over.
    fn over(&mut self) -> Option<Over> {
        self.is_over().then(|| self.kept.take())
    }
}

impl<T, O, E> Shared<T, O, E> {
    pub(super) fn new(capacity: usize, scope: Scope, min_time: Duration, limiter: Option<&Limiter>) -> Self {
        let gate = limiter.map(|limiter| Gate {
            toll: Some(Box::new(Toll::new(limiter.clone()))),
            holder: None,
            waits: false,
        });
        let state = State {
            queue: VecDeque::new(),
            is_closed: false,
            pulled: 0,
            line: Line::new(),
            gate,
            stop: None,
            count: Count::new(),
            open: 0,
            not_started: Vec::new(),
            started: scope.now(),
            end: None,
            kept: None,
        };
        Self { state: Told::new(state), room: Semaphore::new(capacity), scope, min_time, over: Event::new() }
    }

    /// W2. Puts an item in the queue, for which there is room. It comes back if the pool is closed.
    pub(super) fn push(&self, item: T, job: Job<T, O, E>) -> Result<(), (T, Job<T, O, E>)> {
        let mut queued = Some((item, job));
        let next = self.state.with(|state| {
            if state.is_closed {
                return None;
            }
            state.open += 1;
            state.queue.extend(queued.take());
            state.next()
        });
        if let Some(next) = next {
            next.feed.wake_by_ref();
        }
        match queued {
            None => Ok(()),
            Some(queued) => {
                self.room.put_back(1);
                Err(queued)
            }
        }
    }

    /// The next item, for a worker that has what stands before the queue, or that, for one that has not; and whether no other
    /// worker waits then.
    pub(super) fn pull(
        &self,
        number: usize,
        toll: &mut Option<Box<Toll>>,
        is_crowded: impl FnOnce() -> bool,
    ) -> (Pull<T, O, E>, bool) {
        let (pull, next, nobody_waits) = self.state.with(|state| {
            state.line.come(number);
            let pull = if let Some(stop) = &state.stop {
                Pull::Stopped(stop.clone())
            } else if is_crowded() {
                Pull::Crowded
            } else {
                state.pull(number, toll)
            };
            (pull, state.next(), state.line.is_empty())
        });
        if let Some(next) = next {
            next.feed.wake_by_ref();
        }
        if let Pull::Item(..) = pull {
            self.room.put_back(1);
        }
        (pull, nobody_waits)
    }

    /// A worker is done with what stands before the queue. Lets no waker's panic out.
    pub(super) fn put_back(&self, toll: Box<Toll>) {
        let next = self.state.with(|state| {
            if let Some(gate) = &mut state.gate {
                (gate.toll, gate.holder, gate.waits) = (Some(toll), None, false);
            }
            state.next()
        });
        if let Some(next) = next {
            contain(|| next.feed.wake_by_ref());
        }
    }

    /// A worker is there.
    pub(super) fn enter(&self, number: usize, bell: Arc<Bell>) {
        let old = self.state.with(|state| state.line.enter(number, bell));
        drop(old);
    }

    /// A worker is gone. Lets no waker's panic out.
    pub(super) fn leave(&self, number: usize) {
        let (old, next) = self.state.with(|state| (state.line.leave(number), state.next()));
        drop(old);
        if let Some(next) = next {
            contain(|| next.feed.wake_by_ref());
        }
    }

    /// Gives up what has not ended: takes it out of the queue, or calls the worker that has it.
    pub(super) fn withdraw(&self, slot: &Slot<T, O, E>) {
        let (queued, bell) = self.state.with(|state| match state.queue.iter().position(|(_, job)| job.is_of(slot)) {
            Some(at) => {
                let queued = state.queue.remove(at);
                // If there will be none any more, nobody is to wait for a permit.
                (queued, if state.remaining() == Some(0) { state.holder() } else { None })
            }
            None => (None, state.line.bell(slot.worker())),
        });
        let was_queued = queued.is_some();
        if let Some((item, job)) = queued {
            self.room.put_back(1);
            job.skip(self, item);
        }
        if let Some(bell) = bell {
            if was_queued { &bell.feed } else { &bell.body }.wake_by_ref();
        }
    }

    /// Nothing more is started.
    pub(super) fn stop(&self, stop: &Stop) {
        let _old = self.call_all_if(|state| note_stop(&mut state.stop, stop));
    }

    /// Why nothing more is started.
    pub(super) fn stopped(&self) -> Stop {
        self.state.with(|state| state.stop.take()).unwrap_or(Stop::Lost)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state.read(|state| state.stop.is_some())
    }

    /// Workers that wait are to ask anew.
    pub(super) fn call_all(&self) {
        self.call_all_if(|_| {});
    }

    /// Changes what workers ask for. Lets no waker's panic out.
    fn call_all_if<R>(&self, change: impl FnOnce(&mut State<T, O, E>) -> R) -> R {
        let (changed, all) = self.state.with(|state| (change(state), state.call_all()));
        for bell in all {
            contain(|| bell.feed.wake_by_ref());
        }
        changed
    }

    /// Accepts nothing more. Workers go on with what is in the queue. Lets no waker's panic out, as more is at stake (W4).
    pub(super) fn close(&self) {
        self.call_all_if(|state| state.is_closed = true);
        contain(|| self.room.close());
    }

    /// W4. Accepts nothing more, and starts nothing more.
    pub(super) fn abandon(&self) {
        self.close();
        let left = self.state.with(|state| core::mem::take(&mut state.queue));
        left.into_iter().for_each(|(item, job)| job.skip(self, item));
    }

    /// The run is over.
    pub(super) fn run_over(&self, stop: Stop) {
        let mut end = Some((self.scope.now(), stop));
        self.state.with(|state| {
            if state.end.is_none() {
                state.end = end.take();
            }
        });
        self.abandon();
        let over = self.state.with(State::over);
        self.tell_over(over);
    }

    /// As [`run_over`](Self::run_over), if nothing is known of the run.
    pub(super) fn lost(&self) {
        if self.state.read(|state| state.end.is_none()) {
            self.run_over(Stop::Lost);
        }
    }

    /// W1. A job has ended.
    pub(super) fn end(&self, answer: Answer<T, O, E>, outcome: ItemOutcome<T, O, E>) {
        let (waiter, unwanted, over) = self.state.with(|state| {
            state.count.add(&outcome);
            state.open -= 1;
            // Under the lock: so whoever finds the answer finds it counted, and a pool that is over has answered everything.
            let (waiter, mut unwanted) = match answer.send_in_silence(outcome) {
                Ok(waiter) => (waiter, None),
                Err(unwanted) => (None, Some(unwanted)),
            };
            if let (Some(_), Some(ItemOutcome::Skipped { .. })) = (&state.end, &unwanted) {
                state.not_started.extend(unwanted.take().and_then(ItemOutcome::into_item));
            }
            (waiter, unwanted, state.over())
        });
        if let Some(waiter) = waiter {
            contain(|| waiter.wake());
        }
        if let Some(unwanted) = unwanted {
            contain(|| drop(unwanted));
        }
        self.tell_over(over);
    }

    fn tell_over(&self, over: Option<Over>) {
        if over.is_some() {
            // A job may end in a drop, which may be part of an unwinding.
            contain(|| self.over.set());
        }
        // The scope moves on.
        drop(over);
    }

    /// W5. The scope does not move on before the run is over.
    pub(super) fn keep(&self) {
        let mut kept = Some(self.scope.keep_open());
        self.state.with(|state| {
            if !state.is_over() {
                state.kept = kept.take();
            }
        });
    }

    pub(super) async fn over(&self) -> WorkerPoolReport<T> {
        self.over.wait().await;
        self.state.with(|state| {
            let (ended, stop) = state.end.clone().unwrap_or((state.started, Stop::Lost));
            let not_started = core::mem::take(&mut state.not_started);
            WorkerPoolReport { count: state.count, not_started, started: state.started, ended, stop }
        })
    }

    /// What became of the items so far, how many are in the queue, and how many are not there any more and have not ended.
    pub(super) fn status(&self) -> (Count, usize, usize) {
        self.state.read(|state| (state.count, state.queue.len(), state.open - state.queue.len()))
    }

    /// How many items are in the queue. More may come until the pool is closed.
    pub(super) fn remaining(&self) -> Option<usize> {
        self.state.read(State::remaining)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.read(|state| state.is_closed)
    }

    /// The earlier one of `at` and the end of the pool.
    pub(super) fn deadline(&self, at: Instant) -> Instant {
        match self.scope.effective_deadline() {
            Deadline::At(end) => end.min(at),
            Deadline::Never | Deadline::Cancelled => at,
        }
    }

    /// The first instant at which an item is not started that is to be ready at `at`.
    pub(super) fn closes(&self, at: Instant) -> Instant {
        closing(at, self.min_time)
    }
}

impl<T, O, E> State<T, O, E> {
    fn pull(&mut self, number: usize, toll: &mut Option<Box<Toll>>) -> Pull<T, O, E> {
        if let (Some(gate), None) = (&mut self.gate, &toll) {
            *toll = gate.toll.take();
            if toll.is_some() {
                gate.holder = Some(number);
                return Pull::Toll;
            }
            self.line.stand(number);
            return Pull::Pending;
        }
        if let Some((item, mut job)) = self.queue.pop_front() {
            job.pulled(self.pulled, number);
            self.pulled += 1;
            return Pull::Item(item, job);
        }
        if self.is_closed {
            return Pull::Exhausted;
        }
        match &mut self.gate {
            None => self.line.stand(number),
            Some(gate) => gate.waits = true,
        }
        Pull::Pending
    }
}

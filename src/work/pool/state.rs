//! What a pool, its workers and its tickets share.

use super::job::{Job, Slot};
use super::report::WorkerPoolReport;
use crate::cancel::{Deadline, KeepOpen, Scope};
use crate::sync::{Event, Semaphore};
use crate::sys::thread::contain;
use crate::sys::{Arc, Told};
use crate::time::Instant;
use crate::work::desk::closing;
use crate::work::outcome::{Count, ItemOutcome};
use crate::work::report::Stop;
use crate::work::source::Source;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::{Context, Poll, Waker};
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
    queue: VecDeque<Job<T, O, E>>,
    is_closed: bool,
    /// Who pulls, and waits for an item.
    worker: Option<Waker>,
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

/// What kept the scope from moving on until it was over, if anything did.
type Over = Option<KeepOpen>;

impl<T, O, E> State<T, O, E> {
    fn is_over(&self) -> bool {
        self.end.is_some() && self.open == 0
    }

    /// What is to be let go, if it is over.
    fn over(&mut self) -> Option<Over> {
        self.is_over().then(|| self.kept.take())
    }
}

impl<T, O, E> Shared<T, O, E> {
    pub(super) fn new(capacity: usize, scope: Scope, min_time: Duration) -> Self {
        let state = State {
            queue: VecDeque::new(),
            is_closed: false,
            worker: None,
            count: Count::new(),
            open: 0,
            not_started: Vec::new(),
            started: scope.now(),
            end: None,
            kept: None,
        };
        Self { state: Told::new(state), room: Semaphore::new(capacity), scope, min_time, over: Event::new() }
    }

    /// W2. Puts a job in the queue, for which there is room. It comes back if the pool is closed.
    pub(super) fn push(&self, job: Job<T, O, E>) -> Result<(), Job<T, O, E>> {
        let mut job = Some(job);
        let worker = self.state.with(|state| {
            if state.is_closed {
                return None;
            }
            state.open += 1;
            state.queue.extend(job.take());
            state.worker.take()
        });
        if let Some(worker) = worker {
            worker.wake();
        }
        match job {
            None => Ok(()),
            Some(job) => {
                self.room.add_permits(1);
                Err(job)
            }
        }
    }

    /// The next job; none, if there will be none any more.
    fn poll_pop(&self, cx: &Context<'_>) -> Poll<Option<Job<T, O, E>>> {
        if let found @ Poll::Ready(_) = self.state.with(State::pop) {
            return found;
        }
        let mut worker = Some(cx.waker().clone());
        let (found, _old) = self.state.with(|state| match state.pop() {
            Poll::Pending => (Poll::Pending, core::mem::replace(&mut state.worker, worker.take())),
            found => (found, state.worker.take()),
        });
        found
    }

    /// Takes the job of this ticket out of the queue, if it is there.
    pub(super) fn withdraw(&self, slot: &Arc<Slot<T, O, E>>) -> Option<Job<T, O, E>> {
        let job = self.state.with(|state| {
            let at = state.queue.iter().position(|job| Arc::ptr_eq(&job.slot, slot))?;
            state.queue.remove(at)
        })?;
        self.room.add_permits(1);
        Some(job)
    }

    /// Accepts nothing more. Workers go on with what is in the queue.
    pub(super) fn close(&self) {
        let worker = self.state.with(|state| {
            state.is_closed = true;
            state.worker.take()
        });
        self.room.close();
        if let Some(worker) = worker {
            worker.wake();
        }
    }

    /// W4. Accepts nothing more, and starts nothing more.
    pub(super) fn abandon(&self) {
        self.close();
        let left = self.state.with(|state| core::mem::take(&mut state.queue));
        left.into_iter().for_each(Job::skip);
    }

    /// The run is over.
    pub(super) fn run_over(&self, stop: Stop) {
        let end = Some((self.scope.now(), stop));
        self.state.with(|state| {
            if state.end.is_none() {
                state.end = end;
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

    pub(super) fn count(&self, outcome: &ItemOutcome<T, O, E>) {
        self.state.with(|state| state.count.add(outcome));
    }

    /// A job has ended; its ticket was told, or there is none.
    pub(super) fn ended(&self, unwanted: Option<ItemOutcome<T, O, E>>) {
        let mut unwanted = unwanted;
        let over = self.state.with(|state| {
            state.open -= 1;
            if let (Some(_), Some(ItemOutcome::Skipped { .. })) = (&state.end, &unwanted) {
                state.not_started.extend(unwanted.take().and_then(ItemOutcome::into_item));
            }
            state.over()
        });
        contain(|| drop(unwanted));
        self.tell_over(over);
    }

    fn tell_over(&self, over: Option<Over>) {
        if over.is_some() {
            self.over.set();
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
    fn pop(&mut self) -> Poll<Option<Job<T, O, E>>> {
        match self.queue.pop_front() {
            None if !self.is_closed => Poll::Pending,
            job => Poll::Ready(job),
        }
    }
}

/// The queue, as what workers pull from.
pub(super) struct Queue<T, O, E>(pub(super) Arc<Shared<T, O, E>>);

impl<T, O, E> Source for Queue<T, O, E> {
    type Item = Job<T, O, E>;
    type Rest = ();

    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Option<Job<T, O, E>>> {
        loop {
            let job = match self.0.poll_pop(cx) {
                Poll::Ready(Some(job)) => job,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            };
            self.0.room.add_permits(1);
            if job.slot.is_cut() || !job.closes.is_never() && self.0.scope.now() >= job.closes {
                job.skip();
                continue;
            }
            return Poll::Ready(Some(job));
        }
    }

    /// How many are in the queue. More may come until the pool is closed.
    fn remaining(&self) -> Option<usize> {
        let (left, is_closed) = self.0.state.read(|state| (state.queue.len(), state.is_closed));
        Some(left).filter(|left| *left > 0 || is_closed)
    }

    fn into_rest(self) {}
}

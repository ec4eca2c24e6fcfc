//! One run: who is polled, what is pulled, when it ends.
//!
//! A poll of the run goes in rounds: bodies that were woken; those whose time is up; then, as long as a worker is idle and
//! nothing forbids it, a permit, a pull and a start.
//!
//! # Invariants
//!
//! - **D1** An item that was pulled is counted and given to the sink exactly once, whatever happens, but for a panic of
//!   the sink or the source, or the drop of the run.
//! - **D2** A body is polled once more before it is cut short, so that one that is ready counts.
//! - **D3** No item is started with a reading of the clock, made after it was pulled, at which it may not be.

use super::crew::{Crew, Place};
use super::lease::Lease;
use super::outcome::{Count, Ended, ItemOutcome, Sink};
use super::report::{Report, Stop};
use super::source::Source;
use crate::cancel::{Bodies, Deadline, ReasonKind, Scope, UntilCancelled};
use crate::limit::{Acquire, Limiter};
use crate::sys::probe;
use crate::time::{Instant, Sleep};
use crate::wait::Ready;
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

/// How much is done in a poll of the run before others have a turn.
struct Budget {
    /// Bodies that were woken.
    polls: u32,
    /// Items; counted apart, so that neither bodies that wake themselves nor a source that is always ready starve the
    /// other.
    starts: u32,
}

impl Budget {
    const FULL: Self = Self { polls: 128, starts: 128 };

    fn is_spent(&self) -> bool {
        self.polls == 0 || self.starts == 0
    }
}

/// What a run is told.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) workers: usize,
    pub(super) deadline: Instant,
    pub(super) min_time: Duration,
    pub(super) item_timeout: Duration,
    pub(super) limiter: Option<Limiter>,
}

/// What a run waits for besides its bodies.
struct Waits<'p, 'l> {
    cancelled: Pin<&'p mut UntilCancelled>,
    /// When too little time is left to start anything.
    closing: Pin<&'p mut Sleep>,
    /// When the soonest of the items' own deadlines is reached.
    late: Pin<&'p mut Sleep>,
    permit: Pin<&'p mut Option<Acquire<'l>>>,
}

struct Drive<'p, 'l, S: Source, F, Fut, K> {
    options: &'l Options,
    /// The caller's, and the one inside it that bodies run in, which ends at the run's deadline.
    outer: &'p Scope,
    scope: &'p Scope,
    /// Before what bodies may depend upon, so that it is dropped first.
    crew: Crew<S::Item, Fut>,
    source: S,
    body: F,
    sink: K,
    ready: Ready,
    control: Waker,
    waits: Waits<'p, 'l>,
    count: Count,
    pulled: u64,
    /// The latest reading of the clock, if anything is timed.
    now: Instant,
    /// The run's own deadline or the scope's, whichever comes first.
    deadline: Instant,
    /// The first instant at which nothing is started any more.
    closes: Instant,
    /// Whether the clock is of any interest.
    is_timed: bool,
    has_permit: bool,
    /// The permit or the source has registered the control waker.
    blocked: bool,
    exhausted: bool,
    stop: Option<Stop>,
}

pub(super) async fn run<S, F, Fut, O, E, K>(
    source: S,
    options: Options,
    outer: &Scope,
    body: F,
    sink: K,
) -> Report<S::Rest>
where
    S: Source,
    F: Fn(Lease<S::Item>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
    K: Sink<S::Item, O, E>,
{
    let started = outer.now();
    let scope = outer.child();
    let ready = Ready::new();
    let cancelled = pin!(scope.cancelled());
    let closing = pin!(scope.sleep_until(Instant::NEVER));
    let late = pin!(scope.sleep_until(Instant::NEVER));
    let permit = pin!(None);
    let mut drive = Drive {
        options: &options,
        outer,
        scope: &scope,
        source,
        body,
        sink,
        crew: Crew::new(scope.clone(), options.workers),
        control: ready.control_waker(0),
        ready,
        waits: Waits { cancelled, closing, late, permit },
        count: Count::new(),
        pulled: 0,
        now: started,
        deadline: Instant::NEVER,
        closes: Instant::NEVER,
        is_timed: options.item_timeout != Duration::MAX,
        has_permit: false,
        blocked: false,
        exhausted: false,
        stop: None,
    };
    core::future::poll_fn(|cx| drive.poll(cx)).await;
    let Drive { source, crew, count, exhausted, stop, .. } = drive;
    Report {
        count,
        not_started: if exhausted { Some(0) } else { source.remaining() },
        per_worker: crew.per_worker(),
        started,
        ended: scope.now(),
        stop: stop.unwrap_or(Stop::Exhausted),
        rest: source.into_rest(),
    }
}

/// The first instant at which less than `min_time`, or nothing, is left until `deadline`.
fn closing(deadline: Instant, min_time: Duration) -> Instant {
    match deadline.is_never() {
        true => deadline,
        false if deadline - Instant::EPOCH < min_time => Instant::EPOCH,
        false => deadline - min_time.saturating_sub(Duration::from_nanos(1)),
    }
}

impl<S, F, Fut, O, E, K> Drive<'_, '_, S, F, Fut, K>
where
    S: Source,
    F: Fn(Lease<S::Item>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
    K: Sink<S::Item, O, E>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ready.begin(cx.waker());
        self.look_at_deadline();
        let mut budget = Budget::FULL;
        loop {
            if self.ready.take_control() != 0 {
                self.control();
            }
            let (scope, mut bodies) = (self.scope, Bodies::new());
            if scope.polling(&mut bodies, || self.round(&mut budget)) {
                return Poll::Ready(());
            }
            if budget.is_spent() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.set_timers();
            if self.ready.rest() {
                probe::waiting("work", None, self.deadline.as_nanos());
                return Poll::Pending;
            }
        }
    }

    /// Notices a deadline that has moved, and reads the clock.
    fn look_at_deadline(&mut self) {
        let deadline = match self.outer.effective_deadline() {
            Deadline::At(at) => at.min(self.options.deadline),
            // What is cancelled is noticed by its flag.
            Deadline::Never | Deadline::Cancelled => self.options.deadline,
        };
        if deadline != self.deadline {
            self.deadline = deadline;
            self.closes = closing(deadline, self.options.min_time);
            self.is_timed = true;
            self.scope.set_deadline(deadline);
            // A permit was asked for with the deadline of then.
            self.waits.permit.set(None);
            self.blocked = false;
        }
        if self.is_timed {
            self.now = self.scope.now();
        }
    }

    /// Something that is not a worker was woken, or the run begins.
    fn control(&mut self) {
        let cx = &mut Context::from_waker(&self.control);
        // It only has to be registered anew: what it says is read from the flags and the clock.
        let _ = self.waits.cancelled.as_mut().poll(cx);
        let _ = self.waits.closing.as_mut().poll(cx);
        let _ = self.waits.late.as_mut().poll(cx);
        self.blocked = false;
    }

    /// Sets the timers to what the round came to.
    fn set_timers(&mut self) {
        let closing = match (self.stop.is_some(), self.options.min_time) {
            (true, _) | (_, Duration::ZERO) => Instant::NEVER,
            _ => self.closes,
        };
        let late = self.crew.soonest;
        for (sleep, at) in [(&mut self.waits.closing, closing), (&mut self.waits.late, late)] {
            if sleep.deadline() != at {
                sleep.as_mut().reset(at);
                if sleep.as_mut().poll(&mut Context::from_waker(&self.control)).is_ready() {
                    self.control.wake_by_ref();
                }
            }
        }
    }

    /// Whether the run is over.
    fn round(&mut self, budget: &mut Budget) -> bool {
        self.poll_ready(&mut budget.polls);
        if self.crew.soonest <= self.now && self.is_timed {
            self.cut_late();
        }
        if self.is_over() {
            self.cut_all();
            return true;
        }
        if self.stop.is_none() && !self.blocked {
            self.start_some(&mut budget.starts);
        }
        if self.is_over() {
            self.cut_all();
            return true;
        }
        self.stop.is_some() && self.crew.running() == 0
    }

    /// Polls who was woken, beginning where the budget ended the last time.
    fn poll_ready(&mut self, budget: &mut u32) {
        self.ready.begin_pass();
        while let Some(worker) = self.ready.next() {
            self.poll_worker(worker);
            *budget -= 1;
            if *budget == 0 {
                return;
            }
        }
    }

    /// Whether the run ends with whatever still runs.
    fn is_over(&self) -> bool {
        self.deadline <= self.now && !self.deadline.is_never() || self.scope.is_cancelled()
    }

    /// Whether an item may be started, by the latest reading of the clock; if not, notes why.
    fn may_start(&mut self) -> bool {
        if self.scope.is_cancelled() {
            // The round ends with it, and says why.
            return false;
        }
        if self.now >= self.closes {
            self.out_of_time();
            return false;
        }
        true
    }

    /// Starts nothing more for want of time; an empty source is the better reason.
    fn out_of_time(&mut self) {
        self.stop = Some(match self.source.remaining() {
            Some(0) => Stop::Exhausted,
            _ => Stop::OutOfTime,
        });
    }

    /// Pulls and starts as long as there are idle workers.
    fn start_some(&mut self, budget: &mut u32) {
        while *budget > 0 {
            let Some(worker) = self.crew.idle(&mut self.ready) else { return };
            if !self.may_start() {
                return;
            }
            match self.pull() {
                Poll::Pending => {
                    self.blocked = true;
                    return;
                }
                Poll::Ready(None) => return,
                Poll::Ready(Some(item)) => {
                    *budget -= 1;
                    self.start(worker, item);
                }
            }
            if self.stop.is_some() {
                return;
            }
        }
    }

    /// Takes a permit, where there is a limiter, and pulls. Nothing comes any more, if it gives none.
    fn pull(&mut self) -> Poll<Option<S::Item>> {
        let cx = &mut Context::from_waker(&self.control);
        if let (Some(limiter), false) = (&self.options.limiter, self.has_permit) {
            if self.source.remaining() == Some(0) {
                return self.exhausted();
            }
            if self.waits.permit.is_none() {
                let permit = limiter.acquire_before(1, self.closes - Duration::from_nanos(1));
                self.waits.permit.set(Some(permit));
            }
            let Some(permit) = self.waits.permit.as_mut().as_pin_mut() else { unreachable!("set above") };
            let Poll::Ready(granted) = permit.poll(cx) else { return Poll::Pending };
            self.waits.permit.set(None);
            if granted.is_err() {
                self.stop = Some(Stop::OutOfTime);
                return Poll::Ready(None);
            }
            self.has_permit = true;
        }
        match self.source.poll_pull(cx) {
            Poll::Ready(None) => self.exhausted(),
            pulled => pulled,
        }
    }

    fn exhausted(&mut self) -> Poll<Option<S::Item>> {
        self.exhausted = true;
        self.stop = Some(Stop::Exhausted);
        Poll::Ready(None)
    }

    fn start(&mut self, worker: usize, item: S::Item) {
        let index = self.pulled;
        self.pulled += 1;
        self.has_permit = false;
        let mut until = Instant::NEVER;
        if self.is_timed {
            // D3.
            self.now = self.scope.now();
            until = self.now + self.options.item_timeout;
        }
        if !self.may_start() {
            return self.end(index, None, ItemOutcome::Skipped { item });
        }
        if let Some((index, outcome)) = self.crew.start(worker, index, until, item, &self.body) {
            self.end(index, Some(worker), outcome);
        }
    }

    /// Cuts short those whose own deadline was reached.
    fn cut_late(&mut self) {
        for worker in 0..self.crew.made() {
            if self.crew.is_late(worker, self.now) {
                self.cut(worker, |item| ItemOutcome::TimedOut { item });
            }
        }
        self.crew.find_soonest();
    }

    /// Cuts short all that still runs, and says why.
    fn cut_all(&mut self) {
        for worker in 0..self.crew.made() {
            self.poll_worker(worker);
        }
        // What bodies hand on to others ends with them.
        let cancelled = self.scope.check();
        for worker in 0..self.crew.made() {
            if let Some((index, outcome)) = self.crew.cut(worker, |item| ItemOutcome::Cancelled { item }) {
                self.end(index, Some(worker), outcome);
            }
        }
        if self.stop.is_some() {
            return;
        }
        match cancelled {
            Err(cancelled) if cancelled.reason().kind() != ReasonKind::Deadline => {
                self.stop = Some(Stop::Cancelled(cancelled.reason().clone()));
            }
            _ => self.out_of_time(),
        }
    }

    fn cut(&mut self, worker: usize, place: Place<S::Item, O, E>) {
        // D2.
        self.poll_worker(worker);
        if let Some((index, outcome)) = self.crew.cut(worker, place) {
            self.end(index, Some(worker), outcome);
        }
    }

    fn poll_worker(&mut self, worker: usize) {
        if let Some((index, outcome)) = self.crew.poll(worker) {
            self.end(index, Some(worker), outcome);
        }
    }

    #[inline]
    fn end(&mut self, index: u64, worker: Option<usize>, outcome: ItemOutcome<S::Item, O, E>) {
        self.count.add(&outcome);
        self.sink.accept(Ended::new(index, worker, outcome));
    }
}

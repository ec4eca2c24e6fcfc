//! One run: who is polled, what is pulled, when it ends.
//!
//! A poll of the run goes in rounds: bodies that were woken, where each one that is done makes room for the next item; those
//! whose time is up; then, as long as a worker is idle and nothing forbids it, a permit, a pull and a start.
//!
//! # Invariants
//!
//! - **D1** An item that was pulled is counted and given to the sink exactly once, whatever happens, but for a panic of
//!   the sink or the source, or the drop of the run.
//! - **D2** A body is polled once more before it is cut short, so that one that is ready counts.
//! - **D3** No item is started with a reading of the clock, made after it was pulled, at which it may not be.

use super::crew::{Crew, Place, Seat};
use super::intake::{Feed, Intake};
use super::lease::Lease;
use super::options::Options;
use super::outcome::{Count, Ended, ItemOutcome, Sink};
use super::report::{Report, Stop};
use super::source::Source;
use crate::cancel::{Bodies, Deadline, ReasonKind, Scope, UntilCancelled};
use crate::sys::probe;
use crate::time::{Instant, Sleep};
use crate::wait::Ready;
use alloc::vec::Vec;
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

/// What a run waits for besides its bodies.
struct Waits<'p> {
    cancelled: Pin<&'p mut UntilCancelled>,
    /// When too little time is left to start anything.
    closing: Pin<&'p mut Sleep>,
    /// When the soonest of the items' own deadlines is reached.
    late: Pin<&'p mut Sleep>,
}

struct Drive<'p, N: Feed, F, Fut, K> {
    /// The caller's scope.
    outer: &'p Scope,
    /// Before what bodies may depend upon, so that it is dropped first.
    crew: Crew<N::Item, Fut>,
    desk: Desk<'p, N, F, K>,
    ready: Ready,
    waits: Waits<'p>,
    /// The run's own deadline, as it was told.
    ends: Instant,
    /// The run's own deadline or the scope's, whichever comes first.
    deadline: Instant,
}

/// What a worker is given, by which rules, and where its outcomes go.
struct Desk<'p, N, F, K> {
    options: &'p Options,
    /// The one inside the caller's that bodies run in, which ends at the run's deadline.
    scope: &'p Scope,
    feed: N,
    body: F,
    outlet: Outlet<K>,
    control: Waker,
    /// The latest reading of the clock, if anything is timed.
    now: Instant,
    /// The first instant at which nothing is started any more.
    closes: Instant,
    /// Whether the clock is of any interest.
    is_timed: bool,
    /// What items come from has registered the control waker.
    blocked: bool,
    stop: Option<Stop>,
}

/// Where outcomes go.
struct Outlet<K> {
    sink: K,
    count: Count,
}

impl<K> Outlet<K> {
    #[inline]
    fn end<T, O, E>(&mut self, index: u64, worker: Option<usize>, outcome: ItemOutcome<T, O, E>)
    where
        K: Sink<T, O, E>,
    {
        self.count.add(&outcome);
        self.sink.accept(Ended::new(index, worker, outcome));
    }
}

/// What came of one who drove a crew.
pub(super) struct Driven<N> {
    pub(super) feed: N,
    pub(super) count: Count,
    pub(super) per_worker: Vec<u64>,
    pub(super) stop: Stop,
}

/// A run inside the caller's own task.
pub(super) async fn in_place<S, F, Fut, O, E, K>(
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
    let deadline = options.limit.deadline(started);
    let feed = Intake::new(source, options.limiter.clone());
    let Driven { feed, count, per_worker, stop } = drive(feed, &options, deadline, outer, body, sink).await;
    let (not_started, rest) = feed.into_rest();
    Report { count, not_started, per_worker, started, ended: outer.now(), stop, rest }
}

/// Works until there is nothing more to be done.
pub(super) async fn drive<N, F, Fut, O, E, K>(
    feed: N,
    options: &Options,
    deadline: Instant,
    outer: &Scope,
    body: F,
    sink: K,
) -> Driven<N>
where
    N: Feed,
    F: Fn(Lease<N::Item>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
    K: Sink<N::Item, O, E>,
{
    let scope = outer.child();
    let ready = Ready::new();
    let cancelled = pin!(scope.cancelled());
    let closing = pin!(scope.sleep_until(Instant::NEVER));
    let late = pin!(scope.sleep_until(Instant::NEVER));
    let desk = Desk {
        options,
        scope: &scope,
        feed,
        body,
        outlet: Outlet { sink, count: Count::new() },
        control: ready.control_waker(0),
        now: Instant::EPOCH,
        closes: Instant::NEVER,
        is_timed: options.item_timeout != Duration::MAX,
        blocked: false,
        stop: None,
    };
    let crew = Crew::new(scope.clone(), options.workers.get());
    let waits = Waits { cancelled, closing, late };
    let mut drive = Drive { outer, crew, desk, ready, waits, ends: deadline, deadline: Instant::NEVER };
    core::future::poll_fn(|cx| drive.poll(cx)).await;
    let Drive { desk: Desk { feed, outlet, stop, .. }, mut crew, .. } = drive;
    Driven { feed, count: outlet.count, per_worker: crew.per_worker(), stop: stop.unwrap_or(Stop::Exhausted) }
}

/// The first instant at which less than `min_time`, or nothing, is left until `deadline`.
fn closing(deadline: Instant, min_time: Duration) -> Instant {
    match deadline.is_never() {
        true => deadline,
        false if deadline - Instant::EPOCH < min_time => Instant::EPOCH,
        false => deadline - min_time.saturating_sub(Duration::from_nanos(1)),
    }
}

impl<N: Feed, F, K> Desk<'_, N, F, K> {
    /// Starts nothing more for want of time; an empty source is the better reason.
    #[cold]
    fn out_of_time(&mut self) {
        self.stop = Some(self.feed.out_of_time());
    }

    /// Whether nothing has been found so far that forbids to pull.
    #[inline]
    fn is_open(&self) -> bool {
        self.stop.is_none() && !self.blocked
    }

    /// Whether the scope was cancelled. Whoever does that wakes the control waker, which was registered when the poll began.
    #[inline]
    fn is_cut(&self, ready: &Ready) -> bool {
        ready.has_control() && self.scope.is_cancelled()
    }

    /// Gives a worker that has nothing to do one item after another, as long as bodies are ready at once. Whether it has
    /// something to do now; if not, there is nothing to be given at present.
    #[inline]
    fn fill<Fut, O, E>(&mut self, seat: &mut Seat<'_, N::Item, Fut>, budget: &mut u32) -> bool
    where
        F: Fn(Lease<N::Item>) -> Fut,
        Fut: Future<Output = Result<O, E>>,
        K: Sink<N::Item, O, E>,
    {
        loop {
            if *budget == 0 || self.is_cut(seat.ready) {
                // If it is cut, the round ends with that, and says why.
                return false;
            }
            if self.now >= self.closes {
                self.out_of_time();
                return false;
            }
            let (index, item) = match self.feed.poll_feed(&mut Context::from_waker(&self.control), self.closes) {
                Poll::Ready(Ok(pulled)) => pulled,
                Poll::Ready(Err(stop)) => {
                    self.stop = Some(stop);
                    return false;
                }
                Poll::Pending => {
                    self.blocked = true;
                    return false;
                }
            };
            *budget -= 1;
            let mut until = Instant::NEVER;
            if self.is_timed {
                // D3.
                self.now = self.scope.now();
                until = self.now + self.options.item_timeout;
            }
            if self.now >= self.closes || self.is_cut(seat.ready) {
                self.outlet.end(index, None, ItemOutcome::Skipped { item });
                continue;
            }
            match seat.start(index, until, item, &self.body) {
                Some((index, outcome)) => self.outlet.end(index, Some(seat.number), outcome),
                None => return true,
            }
        }
    }
}

impl<N, F, Fut, O, E, K> Drive<'_, N, F, Fut, K>
where
    N: Feed,
    F: Fn(Lease<N::Item>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
    K: Sink<N::Item, O, E>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ready.begin(cx.waker());
        self.look_at_deadline();
        let mut budget = Budget::FULL;
        loop {
            if self.ready.take_control() != 0 {
                self.control();
            }
            let (scope, mut bodies) = (self.desk.scope, Bodies::new());
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
        let desk = &mut self.desk;
        let deadline = match self.outer.effective_deadline() {
            Deadline::At(at) => at.min(self.ends),
            // What is cancelled is noticed by its flag.
            Deadline::Never | Deadline::Cancelled => self.ends,
        };
        if deadline != self.deadline {
            self.deadline = deadline;
            desk.closes = closing(deadline, desk.options.min_time);
            desk.is_timed = true;
            desk.scope.set_deadline(deadline);
            // A permit was asked for with the deadline of then.
            desk.feed.ask_anew();
            desk.blocked = false;
        }
        if desk.is_timed {
            desk.now = desk.scope.now();
        }
    }

    /// Something that is not a worker was woken, or the run begins.
    fn control(&mut self) {
        let cx = &mut Context::from_waker(&self.desk.control);
        // It only has to be registered anew: what it says is read from the flags and the clock.
        let _ = self.waits.cancelled.as_mut().poll(cx);
        let _ = self.waits.closing.as_mut().poll(cx);
        let _ = self.waits.late.as_mut().poll(cx);
        self.desk.blocked = false;
    }

    /// Sets the timers to what the round came to.
    fn set_timers(&mut self) {
        let closing = match (self.desk.stop.is_some(), self.desk.options.min_time) {
            (true, _) | (_, Duration::ZERO) => Instant::NEVER,
            _ => self.desk.closes,
        };
        let late = self.crew.soonest();
        for (sleep, at) in [(&mut self.waits.closing, closing), (&mut self.waits.late, late)] {
            if sleep.deadline() != at {
                sleep.as_mut().reset(at);
                if sleep.as_mut().poll(&mut Context::from_waker(&self.desk.control)).is_ready() {
                    self.desk.control.wake_by_ref();
                }
            }
        }
    }

    /// Whether the run is over.
    fn round(&mut self, budget: &mut Budget) -> bool {
        self.poll_ready(budget);
        if self.crew.soonest() <= self.desk.now && self.desk.is_timed {
            self.cut_late();
        }
        if self.is_over() {
            self.cut_all();
            return true;
        }
        self.start_some(&mut budget.starts);
        if self.is_over() {
            self.cut_all();
            return true;
        }
        self.desk.stop.is_some() && self.crew.running() == 0
    }

    /// Polls who was woken, beginning where the budget ended the last time, and gives those who are done the next item.
    fn poll_ready(&mut self, budget: &mut Budget) {
        self.ready.begin_pass();
        while let Some(worker) = self.ready.next() {
            if let Some(mut seat) = self.crew.taken(worker, &self.ready) {
                if let Some((index, outcome)) = seat.poll() {
                    self.desk.outlet.end(index, Some(worker), outcome);
                    let is_on =
                        self.desk.is_open() && seat.is_wanted() && self.desk.fill(&mut seat, &mut budget.starts);
                    if !is_on {
                        seat.rise();
                    }
                }
            }
            budget.polls -= 1;
            if budget.polls == 0 {
                return;
            }
        }
    }

    /// Pulls and starts as long as there are idle workers.
    fn start_some(&mut self, budget: &mut u32) {
        while self.desk.is_open() {
            let Some(mut seat) = self.crew.free(&mut self.ready) else { return };
            if !self.desk.fill(&mut seat, budget) {
                return;
            }
            seat.sit();
        }
    }

    /// Whether the run ends with whatever still runs.
    fn is_over(&self) -> bool {
        self.deadline <= self.desk.now && !self.deadline.is_never() || self.desk.scope.is_cancelled()
    }

    /// Cuts short those whose own deadline was reached.
    fn cut_late(&mut self) {
        for worker in 0..self.crew.made() {
            if self.crew.is_late(worker, self.desk.now) {
                self.poll_once_more(worker);
                self.cut(worker, |item| ItemOutcome::TimedOut { item });
            }
        }
        self.crew.find_soonest();
    }

    /// Cuts short all that still runs, and says why.
    fn cut_all(&mut self) {
        for worker in 0..self.crew.made() {
            self.poll_once_more(worker);
        }
        // What bodies hand on to others ends with them.
        let cancelled = self.desk.scope.check();
        for worker in 0..self.crew.made() {
            self.cut(worker, |item| ItemOutcome::Cancelled { item });
        }
        if self.desk.stop.is_some() {
            return;
        }
        match cancelled {
            Err(cancelled) if cancelled.reason().kind() != ReasonKind::Deadline => {
                self.desk.stop = Some(Stop::Cancelled(cancelled.reason().clone()));
            }
            _ => self.desk.out_of_time(),
        }
    }

    /// D2.
    fn poll_once_more(&mut self, worker: usize) {
        let Some(mut seat) = self.crew.taken(worker, &self.ready) else { return };
        if let Some((index, outcome)) = seat.poll() {
            seat.rise();
            self.desk.outlet.end(index, Some(worker), outcome);
        }
    }

    fn cut(&mut self, worker: usize, place: Place<N::Item, O, E>) {
        let Some(seat) = self.crew.taken(worker, &self.ready) else { return };
        let (index, outcome) = seat.cut(self.desk.scope, place);
        self.desk.outlet.end(index, Some(worker), outcome);
    }
}

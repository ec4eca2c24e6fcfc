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

use super::crew::{Crew, Place, Polled};
use super::desk::{Desk, Outlet};
use super::durations::Durations;
use super::intake::{Feed, Intake};
use super::lease::Lease;
use super::options::Options;
use super::outcome::{Count, ItemOutcome, Sink};
use super::report::{Report, Stop};
use super::source::Source;
use super::tag::Outcomes;
use super::width::Width;
use crate::cancel::{Bodies, Deadline, Reason, ReasonKind, Scope, UntilCancelled, UntilDraining};
use crate::sys::probe;
use crate::time::{Instant, Sleep};
use crate::wait::Ready;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use pin_project_lite::pin_project;

/// How much is done in a poll of the run before others have a turn.
struct Budget {
    /// Bodies that were woken.
    polls: u32,
    /// Items; counted apart, so that neither bodies that wake themselves nor a source that is always ready starve the
    /// other.
    starts: u32,
    /// Looks at what is not a body: source, limiter, scope, timers. A source that wakes itself waits for others to have a turn.
    looks: u32,
}

impl Budget {
    const FULL: Self = Self { polls: 128, starts: 128, looks: 4 };

    fn is_spent(&self) -> bool {
        self.polls == 0 || self.starts == 0 || self.looks == 0
    }
}

/// What a run waits for besides its bodies.
struct Waits<'p> {
    scope_ends: Pin<&'p mut ScopeEnds>,
    /// When too little time is left to start anything.
    closing: Timer,
    /// When the soonest of the items' own deadlines is reached.
    late: Timer,
}

/// A sleep that takes no room until it is needed, which it is not in most runs.
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn deadline(&self) -> Instant {
        self.0.as_ref().map_or(Instant::NEVER, |sleep| sleep.deadline())
    }

    /// Registers the waker. Whether there is such an instant, and it is reached.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        self.0.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready())
    }

    fn reset(&mut self, scope: &Scope, at: Instant) {
        match &mut self.0 {
            Some(sleep) => sleep.as_mut().reset(at),
            None if at.is_never() => {}
            None => self.0 = Some(Box::pin(scope.sleep_until(at))),
        }
    }
}

pin_project! {
    /// What is waited for of the scope: that it winds down, and from then on that it is cancelled.
    #[project = ScopeEndsProjection]
    enum ScopeEnds {
        Draining { #[pin] until: UntilDraining },
        Cancelled { #[pin] until: UntilCancelled },
    }
}

impl ScopeEnds {
    /// Registers the waker. Something, once: the scope winds down, for this reason.
    fn poll_draining(mut self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> Option<Reason> {
        let mut drains = None;
        if let ScopeEndsProjection::Draining { until } = self.as_mut().project() {
            match until.poll(cx) {
                Poll::Ready(reason) => drains = Some(reason),
                Poll::Pending => return None,
            }
            self.set(Self::Cancelled { until: scope.cancelled() });
        }
        if let ScopeEndsProjection::Cancelled { until } = self.project() {
            // It only has to be registered: that it is cancelled is read from the flags.
            let _ = until.poll(cx);
        }
        drains
    }
}

struct Drive<'p, N: Feed, F, Fut, K> {
    /// The caller's scope.
    outer: &'p Scope,
    /// Before what bodies may depend upon, so that it is dropped first.
    crew: Crew<N::Tag, N::Item, Fut>,
    desk: Desk<'p, N, F, K>,
    ready: Ready,
    waits: Waits<'p>,
    /// Who says how many workers there are, if that changes.
    width: Option<Width>,
    /// The run's own deadline, as it was told.
    ends: Instant,
    /// The end of what runs: that deadline with its grace, or the scope's, whichever comes first.
    deadline: Instant,
}

/// What came of one who drove a crew.
pub(super) struct Driven<N> {
    pub(super) feed: N,
    pub(super) count: Count,
    pub(super) per_worker: Vec<u64>,
    pub(super) stop: Stop,
}

/// A run inside the caller's own task.
#[expect(clippy::manual_async_fn, reason = "a function that is async keeps what it was given twice")]
pub(super) fn in_place<S, F, Fut, O, E, K>(
    source: S,
    options: Options,
    outer: &Scope,
    body: F,
    sink: K,
) -> impl Future<Output = Report<S::Rest>>
where
    S: Source,
    F: Fn(Lease<S::Item>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
    K: Sink<S::Item, O, E>,
{
    async move {
        let started = outer.now();
        let deadline = options.limit.deadline(started);
        let feed = Intake::new(source, options.limiter.clone());
        let Driven { feed, count, per_worker, stop } = drive(feed, &options, deadline, outer, body, sink).await;
        let (not_started, rest) = feed.into_rest();
        Report { count, not_started, per_worker, started, ended: outer.now(), stop, rest }
    }
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
    K: Outcomes<N::Tag, N::Item, O, E>,
{
    let scope = outer.child();
    let scope_ends = pin!(ScopeEnds::Draining { until: scope.draining() });
    // In a block, so that what is moved into it is not kept twice.
    let mut drive = {
        let ready = Ready::new();
        let wants_durations = options.observed.is_some() || options.to_meet.is_some();
        let desk = Desk {
            options,
            scope: &scope,
            feed,
            body,
            outlet: Outlet { sink, count: Count::new() },
            control: ready.control_waker(0),
            now: Instant::EPOCH,
            closes: Instant::NEVER,
            is_timed: options.item_timeout != Duration::MAX || wants_durations,
            is_plain: false,
            blocked: false,
            stop: None,
            last_start: Instant::NEVER,
            durations: wants_durations.then(Durations::new),
        };
        let (most, width) = Width::begin(options);
        let is_fixed = width.is_none() && options.to_meet.is_none();
        let crew = Crew::new(scope.clone(), most.get(), is_fixed, wants_durations, options.item_timeout);
        let waits = Waits { scope_ends, closing: Timer(None), late: Timer(None) };
        Drive { outer, crew, desk, ready, waits, width, ends: deadline, deadline: Instant::NEVER }
    };
    drive.desk.feed.begin(&mut drive.ready);
    core::future::poll_fn(|cx| drive.poll(cx)).await;
    let Drive { desk: Desk { feed, outlet, stop, .. }, mut crew, .. } = drive;
    let (mut count, per_worker) = (outlet.count, crew.per_worker());
    // What workers were given was done, or has ended in one of these ways.
    count.done = per_worker.iter().sum::<u64>() - (count.failed + count.panicked + count.timed_out + count.cancelled);
    Driven { feed, count, per_worker, stop: stop.unwrap_or(Stop::Exhausted) }
}

impl<N, F, Fut, O, E, K> Drive<'_, N, F, Fut, K>
where
    N: Feed,
    F: Fn(Lease<N::Item>) -> Fut,
    Fut: Future<Output = Result<O, E>>,
    K: Outcomes<N::Tag, N::Item, O, E>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ready.begin(cx.waker());
        self.look_at_deadline();
        let mut budget = Budget::FULL;
        loop {
            let looks = self.ready.take_control() != 0;
            if looks {
                budget.looks -= 1;
                self.control();
            }
            let (scope, mut bodies) = (self.desk.scope, Bodies::new());
            let round = || {
                if looks {
                    self.look_ahead();
                }
                if self.desk.is_plain { self.round::<true>(&mut budget) } else { self.round::<false>(&mut budget) }
            };
            if scope.polling(&mut bodies, round) {
                return Poll::Ready(());
            }
            self.desk.feed.settle();
            self.desk.outlet.sink.settle();
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
        let outer = match self.outer.effective_deadline() {
            Deadline::At(at) => at,
            // What is cancelled is noticed by its flag.
            Deadline::Never | Deadline::Cancelled => Instant::NEVER,
        };
        let (last_start, deadline) = (outer.min(self.ends), outer.min(self.ends + desk.options.grace));
        if deadline != self.deadline || last_start != desk.last_start {
            self.deadline = deadline;
            desk.last_start = last_start;
            desk.is_timed = true;
            desk.scope.set_deadline(deadline);
            desk.close();
        }
        if desk.is_timed {
            desk.now = desk.scope.now();
        }
        desk.is_plain = !desk.is_timed && desk.feed.is_plain();
        if let Some(needed) = desk.options.to_meet.and_then(|most| desk.needed(most)) {
            self.crew.resize(needed);
        }
    }

    /// Something that is not a worker was woken, or the run begins.
    fn control(&mut self) {
        let cx = &mut Context::from_waker(&self.desk.control);
        // It only has to be registered anew: what it says is read from the flags and the clock.
        if let Some(reason) = self.waits.scope_ends.as_mut().poll_draining(self.desk.scope, cx) {
            if !self.desk.scope.is_cancelled() {
                self.desk.stop.get_or_insert(Stop::Draining(reason));
            }
        }
        let _ = self.waits.closing.poll(cx);
        let _ = self.waits.late.poll(cx);
        if let Some(most) = self.width.as_mut().and_then(|width| width.poll_change(cx)) {
            self.crew.resize(most.get());
        }
        // K2. A body that is done in this poll makes room for nothing, if the scope was cancelled before.
        self.desk.blocked = self.desk.scope.is_cancelled();
    }

    /// Lets the source go on with what it fetches ahead.
    fn look_ahead(&mut self) {
        if self.desk.stop.is_none() {
            self.desk.feed.poll_ahead(&mut Context::from_waker(&self.desk.control));
        }
    }

    /// Sets the timers to what the round came to.
    fn set_timers(&mut self) {
        // At the deadline the scope rings.
        let closing = match self.desk.stop {
            None if self.desk.closes < self.deadline => self.desk.closes,
            _ => Instant::NEVER,
        };
        let late = self.crew.soonest();
        for (timer, at) in [(&mut self.waits.closing, closing), (&mut self.waits.late, late)] {
            if timer.deadline() != at {
                timer.reset(self.desk.scope, at);
                if timer.poll(&mut Context::from_waker(&self.desk.control)) {
                    self.desk.control.wake_by_ref();
                }
            }
        }
    }

    /// Whether the run is over.
    fn round<const PLAIN: bool>(&mut self, budget: &mut Budget) -> bool {
        self.poll_ready::<PLAIN>(budget);
        if !PLAIN && self.crew.soonest() <= self.desk.now && self.desk.is_timed {
            self.cut_late();
        }
        if self.is_over() {
            self.cut_all();
            return true;
        }
        self.start_some::<PLAIN>(&mut budget.starts);
        if self.is_over() {
            self.cut_all();
            return true;
        }
        self.desk.stop.is_some() && self.crew.running() == 0
    }

    /// Polls who was woken, beginning where the budget ended the last time, and gives those who are done the next item.
    fn poll_ready<const PLAIN: bool>(&mut self, budget: &mut Budget) {
        self.ready.begin_pass();
        while let Some(worker) = self.ready.next() {
            if let Some(mut seat) = self.crew.taken(worker, &self.ready) {
                let polled = seat.poll::<true, PLAIN>();
                if !matches!(polled, Polled::Pending) {
                    self.desk.end::<PLAIN, _, _>(polled, worker, || seat.started());
                    let is_on = self.desk.is_open()
                        && seat.is_wanted()
                        && self.desk.fill::<true, PLAIN, _, _, _>(&mut seat, &mut budget.starts);
                    if !is_on {
                        seat.rise();
                    }
                }
            }
            budget.polls -= 1;
            // Who is done when nothing more may be started would have to be found once more to be given the next item.
            if budget.polls == 0 || budget.starts == 0 {
                return;
            }
        }
    }

    /// Pulls and starts as long as there are idle workers.
    fn start_some<const PLAIN: bool>(&mut self, budget: &mut u32) {
        while self.desk.is_open() {
            let Some(mut seat) = self.crew.free(&mut self.ready) else { return };
            if !self.desk.fill::<false, PLAIN, _, _, _>(&mut seat, budget) {
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
        // It has rung, and does not ring again for items that are started at this instant and have no time at all.
        self.waits.late.reset(self.desk.scope, Instant::NEVER);
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
        let polled = seat.poll::<false, false>();
        if !matches!(polled, Polled::Pending) {
            let started = seat.started();
            seat.rise();
            self.desk.end::<false, _, _>(polled, worker, || started);
        }
    }

    fn cut(&mut self, worker: usize, place: Place<N::Item, O, E>) {
        let Some(seat) = self.crew.taken(worker, &self.ready) else { return };
        let started = seat.started();
        let (tag, outcome) = seat.cut(self.desk.scope, place);
        self.desk.end_otherwise(tag, Some(worker), started, outcome);
    }
}

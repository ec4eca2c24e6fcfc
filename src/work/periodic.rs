//! Work that is done again and again, in the background.

mod control;
mod report;

pub use control::PeriodicControl;
pub use report::{IterationError, PeriodicCount, PeriodicReport, PeriodicStop};

use crate::cancel::{Outcome, Scope};
use crate::spawn::Panic;
use crate::sys::Lock;
use crate::task::Contained;
use crate::time::{Instant, Interval, MissedTick};
use control::{Ending, Running};
use core::fmt;
use core::future::{Future, poll_fn};
use core::ops::ControlFlow;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

/// Calls `body` every `period`, and awaits what it returns; to be set up and [run](Periodic::run).
///
/// For what has to go on beside everything else: flushing, polling, sweeping a cache, a heartbeat. It survives errors and
/// panics of its body, and ends between two iterations when it is asked to, by a [`PeriodicControl`] or by the
/// [grace](Scope::cancel_with_grace) of its scope. Nothing is spawned: to have it go on by itself, spawn the run, in a
/// group's [background](crate::task::TaskGroup::spawn_background) for instance. One iteration runs at a time. For many items
/// at a time there is [`work`](super::work()), for ticks alone [`Time::interval`](crate::time::Time::interval).
///
/// # Time
/// The first iteration begins at once, unless [`first_after`](Periodic::first_after) says otherwise; the others at multiples of
/// the period after that, never early. [`missed`](Periodic::missed) says what becomes of those that come due while one still
/// runs; by default they are left out.
///
/// # Panics
/// If the period is zero.
///
/// # Examples
/// ```
/// use core::ops::ControlFlow;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::{IterationError, periodic};
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, minute) = (Scope::new(sim.time()), Duration::from_secs(60));
///     let mut failures = Vec::new();
///     let flush = periodic(minute, |iteration| async move {
///         if iteration.number == 1 { Err("disk full") } else { Ok(wakeful::sleep(Duration::from_secs(5)).await) }
///     })
///     .on_failure(|error: IterationError<&str>| {
///         failures.push(error.to_string());
///         ControlFlow::Continue(())
///     });
///     let control = flush.control();
///     let stopper = sim.spawn("stopper", {
///         let time = sim.time();
///         async move {
///             time.sleep(3 * minute + Duration::from_secs(1)).await; // in the middle of an iteration
///             control.stop();
///             control.ended().await;
///             time.now()
///         }
///     });
///     let report = flush.run(&scope).await;
///     assert_eq!((report.count.done, report.count.failed), (3, 1));
///     assert_eq!(stopper.await.as_nanos(), 185_000_000_000); // the iteration came to its end
///     assert_eq!(failures, ["failed: disk full"]);
/// });
/// ```
#[track_caller]
pub fn periodic<F, Fut, E>(period: Duration, body: F) -> Periodic<F, GoOn<E>>
where
    F: FnMut(Iteration) -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    assert!(!period.is_zero(), "the period of what is done again and again is longer than zero");
    Periodic {
        period,
        first: Duration::ZERO,
        missed: MissedTick::Skip,
        timeout: Duration::MAX,
        body,
        hook: |_| ControlFlow::Continue(()),
        ending: Ending::new(),
    }
}

/// The hook where none was given.
type GoOn<E> = fn(IterationError<E>) -> ControlFlow<()>;

/// Which iteration it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Iteration {
    /// How many iterations began before it.
    pub number: u64,
    /// When it was due. One that was [triggered](PeriodicControl::trigger) was due when it began.
    pub due: Instant,
}

/// What is done again and again, being set up; made by [`periodic`].
#[must_use = "nothing is done unless it is run"]
pub struct Periodic<F, H> {
    period: Duration,
    first: Duration,
    missed: MissedTick,
    timeout: Duration,
    body: F,
    hook: H,
    ending: Ending,
}

impl<F, H> Periodic<F, H> {
    /// Lets the first iteration begin `delay` after the run.
    pub fn first_after(mut self, delay: Duration) -> Self {
        self.first = delay;
        self
    }

    /// What becomes of iterations that come due while one still runs; [`MissedTick::Skip`] by default.
    pub fn missed(mut self, missed: MissedTick) -> Self {
        self.missed = missed;
        self
    }

    /// Cuts an iteration short that takes longer than `timeout`, which is a failure; with no time at all, none begins.
    pub fn iteration_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Calls `hook` with what failed, after each iteration that did. [`ControlFlow::Break`] ends the run. Without a hook
    /// failures are counted, and it goes on.
    ///
    /// It is called outside the iteration's scope. A panic of it goes through the run.
    pub fn on_failure<E, H2: FnMut(IterationError<E>) -> ControlFlow<()>>(self, hook: H2) -> Periodic<F, H2> {
        let Self { period, first, missed, timeout, body, hook: _, ending } = self;
        Periodic { period, first, missed, timeout, body, hook, ending }
    }

    /// Stops and watches the run from elsewhere.
    pub fn control(&self) -> PeriodicControl {
        self.ending.control()
    }

    /// Runs it in `scope`, until it is [stopped](PeriodicControl::stop), a failure ends it, or the scope winds down or is
    /// cancelled.
    ///
    /// A scope that is cancelled cuts an iteration short; a grace, and a stop, wait for it. Inside a body of that very scope
    /// the run is cut with the body: [`PeriodicControl::count`] says then what was done.
    ///
    /// # Time
    /// Nothing begins at the scope's deadline. An iteration that is ready at the instant of its timeout is done.
    ///
    /// # Cancel safety
    /// Dropping the future drops the iteration that runs, which counts as cancelled.
    pub async fn run<Fut, E>(self, scope: &Scope) -> PeriodicReport
    where
        F: FnMut(Iteration) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        H: FnMut(IterationError<E>) -> ControlFlow<()>,
    {
        let Self { period, first, missed, timeout, mut body, mut hook, ending } = self;
        let started = scope.now();
        let mut ticks = scope.time().interval_at(started + first, period).missed(missed);
        let mut number = 0;
        let stop = loop {
            let due = match next(scope, &ending, &mut ticks).await {
                Ok(due) => due,
                Err(stop) => break stop,
            };
            let running = ending.begin();
            let iteration = Iteration { number, due };
            number += 1;
            let ended = iterate(scope, timeout, async { body(iteration).await }).await;
            match count(running, ended) {
                Ok(None) => {}
                Ok(Some(error)) => {
                    if hook(error).is_break() {
                        break PeriodicStop::Failed;
                    }
                }
                Err(stop) => break stop,
            }
        };
        PeriodicReport { count: ending.count(), started, ended: scope.now(), stop }
    }
}

impl<F, H> fmt::Debug for Periodic<F, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Periodic")
            .field("period", &self.period)
            .field("missed", &self.missed)
            .field("iteration_timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Waits until an iteration is due, and says for when it was, or why there is to be none.
async fn next(scope: &Scope, ending: &Ending, ticks: &mut Interval) -> Result<Instant, PeriodicStop> {
    let (stop, trigger) = ending.signals();
    let (mut stopped, mut triggered) = (pin!(stop.wait()), pin!(trigger.notified()));
    let mut draining = pin!(scope.draining());
    poll_fn(|cx| {
        if stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(PeriodicStop::Asked));
        }
        let drains = draining.as_mut().poll(cx);
        // The clock counts too: nothing begins at a deadline.
        if let Err(cancelled) = scope.check() {
            return Poll::Ready(Err(PeriodicStop::Cancelled(cancelled.reason().clone())));
        }
        if let Poll::Ready(reason) = drains {
            return Poll::Ready(Err(PeriodicStop::Draining(reason)));
        }
        if triggered.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(scope.now()));
        }
        ticks.poll_tick(cx).map(Ok)
    })
    .await
}

/// How an iteration ended, and the panic of a body that was cut short.
type Ended<E> = (Outcome<Result<Result<(), E>, Panic>>, Option<Panic>);

async fn iterate<E>(scope: &Scope, timeout: Duration, body: impl Future<Output = Result<(), E>>) -> Ended<E> {
    let panic = Lock::new(None);
    let body = Contained::new(body, &panic);
    let outcome = scope.move_on_after(timeout, async |_| body.await).await;
    (outcome, panic.with(Option::take))
}

/// Counts an iteration. An error: no other follows.
fn count<E>(running: Running<'_>, ended: Ended<E>) -> Result<Option<IterationError<E>>, PeriodicStop> {
    match ended {
        (Outcome::Done(Ok(Ok(()))), _) => {
            running.ended(|count| &mut count.done);
            Ok(None)
        }
        (Outcome::Done(Ok(Err(error))), _) => {
            running.ended(|count| &mut count.failed);
            Ok(Some(IterationError::Failed(error)))
        }
        (Outcome::Done(Err(panic)), _) | (Outcome::Cancelled(_), Some(panic)) => {
            running.ended(|count| &mut count.panicked);
            Ok(Some(IterationError::Panicked(panic)))
        }
        (Outcome::Cancelled(cancelled), None) if cancelled.is_timeout() => {
            running.ended(|count| &mut count.timed_out);
            Ok(Some(IterationError::TimedOut))
        }
        // It counts as cancelled, being dropped.
        (Outcome::Cancelled(cancelled), None) => Err(PeriodicStop::Cancelled(cancelled.reason().clone())),
    }
}

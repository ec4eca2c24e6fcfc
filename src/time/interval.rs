//! Ticking at a fixed period.

use super::instant::nanos;
use super::{Instant, Sleep, Time};
use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use futures_core::stream::{FusedStream, Stream};

/// What an [`Interval`] does with the ticks that nobody took in time; set by [`Interval::missed`].
///
/// | | for |
/// |---|---|
/// | `Burst` | what has to be done as often as periods have passed: counting, accounting |
/// | `Delay` | what needs a period of rest in between: polling a server |
/// | `Skip` | what belongs to the schedule's instants: redrawing, sampling on the second |
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::time::MissedTick;
///
/// wakeful::sim::run(|sim| async move {
///     let time = sim.time();
///     let mut every = time.interval(Duration::from_secs(10)).missed(MissedTick::Skip);
///     time.sleep(Duration::from_secs(35)).await;
///     // The tick of 10 s comes late; those of 20 s and 30 s are left out.
///     assert_eq!(every.tick().await.as_nanos(), 10_000_000_000);
///     assert_eq!(every.tick().await.as_nanos(), 40_000_000_000);
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MissedTick {
    /// Each comes at once, until the schedule is caught up with.
    #[default]
    Burst,
    /// The schedule starts anew from the late tick: the next is one period after it was taken.
    Delay,
    /// They are left out: the next is the first of the old schedule that still lies ahead.
    Skip,
}

impl MissedTick {
    /// The tick that follows the one scheduled at `due` and taken at `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        let next = due + period;
        if next > now || next.is_never() {
            return next;
        }
        match self {
            Self::Burst => next,
            Self::Delay => now + period,
            Self::Skip => {
                let period = nanos(period);
                let into = (now.as_nanos() - due.as_nanos()) % period;
                Instant::from_nanos((now.as_nanos() - into).saturating_add(period))
            }
        }
    }
}

/// Ticks every period; made by [`Time::interval`].
///
/// Allocates once, for its timer. It is a `Stream` of the same ticks, which never ends.
///
/// # Time
/// Never early, and free of drift: late ticks do not move the schedule, except as [`MissedTick`] says.
///
/// # Examples
/// ```
/// use core::time::Duration;
///
/// wakeful::sim::run(|sim| async move {
///     let time = sim.time();
///     let start = time.now();
///     let mut every = time.interval(Duration::from_secs(10));
///     for n in 1..=3 {
///         assert_eq!(every.tick().await, start + Duration::from_secs(10 * n));
///     }
/// });
/// ```
pub struct Interval {
    time: Time,
    sleep: Pin<Box<Sleep>>,
    period: Duration,
    missed: MissedTick,
}

impl Interval {
    #[track_caller]
    pub(super) fn new(time: &Time, start: Instant, period: Duration) -> Self {
        assert!(!period.is_zero(), "an interval's period is longer than zero");
        let sleep = Box::pin(time.sleep_until(start));
        Self { time: time.clone(), sleep, period, missed: MissedTick::default() }
    }

    /// What to do with missed ticks.
    #[must_use]
    pub fn missed(mut self, missed: MissedTick) -> Self {
        self.missed = missed;
        self
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick and gives the instant for which it was scheduled.
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self }
    }

    /// Polls for the next tick, and gives the instant for which it was scheduled.
    ///
    /// If it is `Pending`, the task is woken when the tick is due. Only the last task that polled is.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(self.sleep.as_mut().poll(cx));
        let due = self.sleep.deadline();
        let next = self.missed.next(due, self.time.now(), self.period);
        self.sleep.as_mut().reset(next);
        Poll::Ready(due)
    }

    /// Lets the next tick come one period from this call.
    pub fn reset(&mut self) {
        self.sleep.as_mut().reset(self.time.now() + self.period);
    }
}

/// The ticks, as [`tick`](Interval::tick) gives them.
impl Stream for Interval {
    type Item = Instant;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.get_mut().poll_tick(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

impl FusedStream for Interval {
    fn is_terminated(&self) -> bool {
        false
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval")
            .field("next", &self.sleep.deadline())
            .field("period", &self.period)
            .field("missed", &self.missed)
            .finish()
    }
}

/// Waits for a tick; made by [`Interval::tick`].
///
/// # Cancel safety
/// Dropping it loses no tick: the schedule moves on only when a tick is given out.
#[derive(Debug)]
#[must_use = "a tick does nothing unless it is awaited"]
pub struct Tick<'a> {
    interval: &'a mut Interval,
}

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.interval.poll_tick(cx)
    }
}

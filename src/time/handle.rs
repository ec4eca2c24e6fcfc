//! The handle that everything takes.

use super::instant::nanos;
use super::wheel::{self, Wheel};
use super::{Clock, Instant, Interval, Sleep};
use crate::sys::Reading;
use crate::sys::kept::Kept;
use crate::sys::probe::Access;
use core::fmt;
use core::time::Duration;

/// A clock and its timer queue: a cheap handle to both, to be cloned and passed around.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::time::{Instant, ManualClock};
///
/// let clock = ManualClock::new();
/// let time = clock.time();
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(time.now(), Instant::EPOCH + Duration::from_secs(2));
/// ```
#[derive(Clone)]
pub struct Time(Kept<Wheel>);

impl Time {
    /// Moves `clock` in and gives it a timer queue of its own. Allocates once.
    ///
    /// For a [`Clock`] of your own. The clock of the operating system is [`Time::system`], that of another runtime
    /// [`pump`](super::pump()), and one that a test moves [`ManualClock`](super::ManualClock).
    ///
    /// # Examples
    /// See [`Clock`].
    pub fn new(clock: impl Clock) -> Self {
        Self::read_by(Reading::Other, clock)
    }

    /// As [`new`](Self::new), with another way to read the clock than by itself.
    pub(super) fn read_by(reading: Reading, clock: impl Clock) -> Self {
        let source = wheel::Source::new(reading, clock);
        let now = source.now().as_nanos();
        Self(wheel::wheel(source, now))
    }

    /// The present instant of the clock.
    #[inline]
    pub fn now(&self) -> Instant {
        self.0.shared.now()
    }

    /// How the clock is read, for who keeps a copy of that nearer at hand.
    pub(crate) fn reading(&self) -> Reading {
        self.0.shared.reading().clone()
    }

    /// Waits for `duration` from this call on. [`Duration::MAX`] waits for ever, [`Duration::ZERO`] is ready at the first
    /// poll.
    #[inline]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        match nanos(duration) {
            u64::MAX => Sleep::new(self, Instant::NEVER),
            0 => Sleep::reached(self, self.now()),
            _ => self.sleep_until(self.now() + duration),
        }
    }

    /// Waits until `at`; ready at the first poll if that has been reached, unless the clock's driver is late with an
    /// earlier alarm, which then wakes this one too. [`Instant::NEVER`] waits for ever.
    #[inline]
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep::new(self, at)
    }

    /// Ticks every `period`, for the first time one period from this call.
    ///
    /// # Panics
    /// If `period` is zero: it would tick without end at one instant.
    #[track_caller]
    pub fn interval(&self, period: Duration) -> Interval {
        Interval::new(self, self.now() + period, period)
    }

    /// Ticks every `period`, for the first time at `start`.
    ///
    /// # Panics
    /// If `period` is zero: it would tick without end at one instant.
    #[track_caller]
    pub fn interval_at(&self, start: Instant, period: Duration) -> Interval {
        Interval::new(self, start, period)
    }

    /// Fires what is due, and gives the instant to arm the clock with next, [`Instant::NEVER`] if nothing waits.
    ///
    /// Called by whoever has the alarm; see [`Clock`]. It may run on several threads at once, and from inside a waker
    /// that it fires. Wakers run outside the queue's lock, in order of (deadline, registration).
    ///
    /// # Panics
    /// Passes on the panic of a waker, after the others of its batch have been woken. What was due and is not fired yet
    /// stays due.
    pub fn turn(&self) -> Instant {
        self.turn_counted().0
    }

    /// An instant before which nothing becomes due; [`Instant::NEVER`] if nothing waits.
    ///
    /// It may be earlier than the [first deadline](Self::earliest) by what has been cancelled or moved since.
    pub fn next(&self) -> Instant {
        Instant::from_nanos(self.0.read(|held| held.next()))
    }

    /// The first instant that anybody waits for, exactly; [`Instant::NEVER`] if nobody does.
    ///
    /// Looks at each sleep that is about as near: for tests and reports. For an alarm [`next`](Self::next) will do, which
    /// takes constant time.
    pub fn earliest(&self) -> Instant {
        Instant::from_nanos(self.0.read(|held| held.earliest()))
    }

    /// How many sleeps are registered.
    pub fn pending(&self) -> usize {
        self.0.read(|held| held.state.pending())
    }

    /// Whether `self` and `other` are the same clock with the same queue.
    pub fn same(&self, other: &Self) -> bool {
        self.0.same(&other.0)
    }

    /// A number that differs from all others of this clock, and is the same in each run of a simulation: what makes a seed
    /// one's own where none was given.
    pub(crate) fn draw(&self) -> u64 {
        // Who comes first can be told from it.
        self.0.touch(Access::Write);
        self.0.with(|held| held.state.draw())
    }

    /// As [`turn`](Self::turn), also telling how many were fired.
    pub(crate) fn turn_counted(&self) -> (Instant, usize) {
        wheel::turn(&self.0, self.now())
    }

    /// The handle to `wheel`.
    pub(super) fn of(wheel: Kept<Wheel>) -> Self {
        Self(wheel)
    }

    #[inline]
    pub(super) fn wheel(&self) -> &Kept<Wheel> {
        &self.0
    }
}

crate::sys::with_sim! {
    impl Time {
        /// Whether this is the only handle, and nothing waits: then the queue is as a new one of a clock that stands at its
        /// present instant.
        pub(crate) fn renew(&mut self) -> bool {
            let now = self.now();
            self.0.get_mut().is_some_and(|wheel| wheel.with(|held| held.renew(now.as_nanos())))
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Time").field("now", &self.now()).field("pending", &self.pending()).finish()
    }
}

//! A clock that reads a counter of the processor.

use super::alarm::{Alarm, start};
use super::{Clock, Instant, Time};
use crate::sys::{Counter, Reading};
use core::time::Duration;

/// A counter of the processor, calibrated against the operating system's clock: a reading takes about half of what one of
/// [`SystemClock`](super::SystemClock) takes (`time.now_counter` in `benches/`). Its alarm is a thread, started when somebody first waits.
///
/// For what reads the clock more often than it waits, such as a limiter that is asked a million times a second. For all
/// else [`Time::system`] is the better choice, as it can't be off. Where the processor has no counter that runs at the same
/// speed all the time, it is the operating system's clock after all.
///
/// The counter, and how it is calibrated, are those of the crate `quanta`.
///
/// # Time
/// The epoch is the moment at which the clock was started. It is as fine as the counter, less than a nanosecond on most
/// machines.
///
/// - Its speed is measured once a process, when the first one is started, within 0.2 s. As far as that is off, it stays off: by
///   some parts per million as a rule, by some tens of them if the machine was busy just then (`time.counter_drift` in
///   `benches/`; a second a day is twelve). What the operating system learns later about the speed of its own clock, from
///   servers on the network say, is not followed. So two of these agree with each other, but with another clock less and
///   less: don't compare instants over days.
/// - On one processor it never decreases. Readings on two of them may differ by some nanoseconds, and by more on machines
///   whose sockets are out of step. The timer queue and each limiter keep the latest instant that they were told; whoever
///   subtracts two readings gets zero at the least.
/// - It may or may not stand still while the machine is suspended.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use wakeful::limit::{Limiter, Quota};
/// use wakeful::time::{CounterClock, SystemClock};
///
/// let time = CounterClock::start(SystemClock::SLACK);
/// let million = NonZeroU32::new(1_000_000).unwrap();
/// let limiter = Limiter::new(&time, Quota::per_second(million).burst(million));
/// assert!(limiter.try_acquire(1).is_ok());
/// ```
pub struct CounterClock {
    counter: Counter,
    alarm: Alarm,
}

impl CounterClock {
    /// A clock of its own, with a thread of its own that ends when the last handle is gone. Wake-ups come up to `slack` later
    /// than asked, so that those which lie close together are one: see [`SystemClock::start`](super::SystemClock::start).
    ///
    /// The first one of a process takes the time to calibrate, up to 0.2 s, in which it blocks the thread.
    ///
    /// # Panics
    /// As [`Time::system`]: a wait panics if it needs the alarm and the operating system has no thread to give.
    pub fn start(slack: Duration) -> Time {
        let counter = Counter::new();
        start(slack, Reading::Counter(counter.clone()), |alarm| Self { counter, alarm })
    }
}

impl Clock for CounterClock {
    #[inline]
    fn now(&self) -> Instant {
        Instant::from_nanos(self.counter.nanos())
    }

    fn arm(&self, at: Instant) {
        let counter = self.counter.clone();
        self.alarm.arm(at, move || counter.nanos());
    }
}

impl core::fmt::Debug for CounterClock {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CounterClock").field("counter", &self.counter).finish_non_exhaustive()
    }
}

//! A clock that is moved by hand.

use super::{Clock, Instant, Time};
use crate::sys::{Arc, Told};
use core::fmt;
use core::time::Duration;

/// A clock that stands still until it is moved, with its [`Time`].
///
/// For tests of code that is polled by hand or by another executor, and for embedded loops that count their own ticks. In
/// the simulator time moves by itself.
///
/// It has a [`Clock`] inside, and is none itself: what is to be driven by it takes its [`time`](Self::time).
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::time::{Instant, ManualClock};
///
/// let clock = ManualClock::new();
/// let time = clock.time();
/// let mut sleep = Box::pin(time.sleep(Duration::from_millis(5)));
/// let waker = core::task::Waker::noop();
/// let mut cx = core::task::Context::from_waker(waker);
///
/// assert!(sleep.as_mut().poll(&mut cx).is_pending());
/// clock.advance(Duration::from_millis(5));
/// assert!(sleep.as_mut().poll(&mut cx).is_ready());
/// ```
#[derive(Clone)]
pub struct ManualClock {
    now: Now,
    time: Time,
}

/// The instant, and the clock that is moved into the `Time`. Behind a lock: not all targets have 64-bit atomics.
#[derive(Clone)]
struct Now(Arc<Told<Instant>>);

impl Clock for Now {
    fn now(&self) -> Instant {
        self.0.read(|now| *now)
    }

    /// Nothing: [`ManualClock::advance`] looks for itself.
    fn arm(&self, _: Instant) {}
}

impl Now {
    fn reach(&self, at: Instant) {
        self.0.with(|now| *now = at.max(*now));
    }
}

impl ManualClock {
    /// A clock at its epoch, with a timer queue.
    pub fn new() -> Self {
        Self::at(Instant::EPOCH)
    }

    /// A clock that stands at `now`, with a timer queue.
    pub fn at(now: Instant) -> Self {
        let now = Now(Arc::new(Told::new(now)));
        Self { time: Time::new(now.clone()), now }
    }

    /// The handle to this clock.
    pub fn time(&self) -> Time {
        self.time.clone()
    }

    /// Moves time on by `duration`, stopping at each deadline on the way, so that whoever is woken reads the instant for
    /// which it waited. Two advances equal their sum.
    ///
    /// Wakers run during this call, tasks only if a waker polls them.
    ///
    /// # Panics
    /// Passes on the panic of a waker. Time stands at that waker's instant then, and what is due and was not fired is
    /// fired by the next call.
    pub fn advance(&self, duration: Duration) {
        self.advance_to(self.time.now() + duration);
    }

    /// Moves time on to `at`, as [`advance`](Self::advance) does. An instant that lies in the past does not move it.
    ///
    /// # Panics
    /// As [`advance`](Self::advance).
    pub fn advance_to(&self, at: Instant) {
        loop {
            let next = self.time.next();
            if next > at || next.is_never() {
                break;
            }
            self.now.reach(next);
            self.time.turn();
        }
        self.jump_to(at);
    }

    /// Moves time to `at` in one step: all that are due by then are woken at `at`, in order of their deadlines. So it is on
    /// a machine that was asleep.
    ///
    /// # Panics
    /// Passes on the panic of a waker. What is due and was not fired is fired by the next call.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::time::{Instant, ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let time = clock.time();
    /// let mut sleep = Box::pin(time.sleep(Duration::from_secs(1)));
    /// let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
    /// assert!(sleep.as_mut().poll(&mut cx).is_pending());
    ///
    /// clock.jump_to(Instant::EPOCH + Duration::from_secs(3600));
    /// assert!(sleep.as_mut().poll(&mut cx).is_ready());
    /// assert_eq!(time.now().as_nanos(), 3_600_000_000_000);
    /// ```
    pub fn jump_to(&self, at: Instant) {
        self.now.reach(at);
        self.time.turn();
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.time).finish()
    }
}

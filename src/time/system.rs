//! The operating system's clock, with a thread for an alarm.

use super::alarm::{Alarm, start};
use super::{Clock, Instant, Time, Wall};
use crate::sys::{Monotonic, Reading};
use core::time::Duration;

/// The operating system's monotonic clock. Its alarm is a thread, started when somebody first waits.
///
/// It is not made by itself: [`SystemClock::start`] gives a [`Time`] that owns it, [`Time::system`] the one that the whole
/// process shares.
///
/// # Time
/// The epoch is the moment at which the clock was started. Wake-ups come up to the slack later than asked, so that those
/// which lie close together are one; on top of it comes what the operating system takes to run a thread.
pub struct SystemClock {
    clock: Monotonic,
    alarm: Alarm,
}

impl SystemClock {
    /// How much later than asked a wake-up may come by default, so that several become one.
    pub const SLACK: Duration = Duration::from_millis(1);

    /// A clock of its own, with a thread of its own that ends when the last handle is gone.
    ///
    /// Give a slack of zero where precision is worth more wake-ups; else [`SystemClock::SLACK`] or more.
    ///
    /// # Panics
    /// As [`Time::system`]: a wait panics if it needs the alarm and the operating system has no thread to give.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::time::SystemClock;
    ///
    /// let precise = SystemClock::start(Duration::ZERO);
    /// let start = precise.now();
    /// wakeful::block_on(precise.sleep(Duration::from_micros(500)));
    /// assert!(precise.now() - start >= Duration::from_micros(500));
    /// ```
    pub fn start(slack: Duration) -> Time {
        let clock = Monotonic::new();
        start(slack, Reading::System(clock), |alarm| Self { clock, alarm })
    }
}

impl Clock for SystemClock {
    #[inline]
    fn now(&self) -> Instant {
        Instant::from_nanos(self.clock.nanos())
    }

    fn arm(&self, at: Instant) {
        let clock = self.clock;
        self.alarm.arm(at, move || clock.nanos());
    }
}

impl core::fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SystemClock").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Time {
    /// The clock that the whole process shares: the operating system's, with [`SystemClock::SLACK`].
    ///
    /// # Panics
    /// A wait panics if it needs the alarm and the operating system has no thread to give; the next one tries again.
    ///
    /// # Examples
    /// ```
    /// let time = wakeful::time::Time::system();
    /// assert!(time.same(&wakeful::time::Time::system()));
    /// ```
    pub fn system() -> Self {
        Self::shared().clone()
    }

    /// What [`system`](Self::system) gives handles to.
    #[inline]
    pub(crate) fn shared() -> &'static Self {
        static SYSTEM: crate::sys::thread::OnceLock<Time> = crate::sys::thread::OnceLock::new();
        SYSTEM.get_or_init(|| {
            let time = SystemClock::start(SystemClock::SLACK);
            // Handles to it cost no count.
            time.wheel().keep_for_ever();
            time
        })
    }
}

/// The operating system's calendar.
///
/// # Examples
/// ```
/// use wakeful::time::{SystemWall, Wall};
///
/// let days = SystemWall.unix().as_secs() / 86_400;
/// assert!(days > 20_000, "it is later than 2024");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemWall;

impl Wall for SystemWall {
    fn unix(&self) -> Duration {
        std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO)
    }
}

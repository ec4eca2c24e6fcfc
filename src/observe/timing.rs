//! Where the time of a future went.

use core::fmt;
use core::ops::AddAssign;
use core::time::Duration;

/// What became of the time of a future between two instants: each nanosecond is in exactly one of four places.
///
/// ```text
///  made         polled      Pending      woken       polled      Ready
///    |--start delay--|---busy---|---idle---|-scheduled-|---busy---|
/// ```
///
/// A future that is woken while it is polled is scheduled from the end of that poll on. One that is polled without having been
/// woken was idle until then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Timing {
    /// How often it was polled.
    pub polls: u64,
    /// How many of these polls were [slow](super::TaskMonitor::reporting).
    pub slow_polls: u64,
    /// How many polls came after a wake-up; the first, and those that nobody asked for, are not among them.
    pub wakes: u64,
    /// From when it was made until its first poll.
    pub start_delay: Duration,
    /// In its polls.
    pub busy: Duration,
    /// From the end of a poll until a wake-up.
    pub idle: Duration,
    /// From a wake-up until the next poll: how long the executor left it waiting.
    pub scheduled: Duration,
    /// The longest poll.
    pub longest_poll: Duration,
    /// The longest that it was scheduled once.
    pub longest_delay: Duration,
}

impl Timing {
    /// All of the time: start delay, busy, idle and scheduled.
    pub fn total(&self) -> Duration {
        let Self { start_delay, busy, idle, scheduled, .. } = *self;
        [start_delay, busy, idle, scheduled].into_iter().fold(Duration::ZERO, Duration::saturating_add)
    }

    /// The mean poll, rounded down; `None` if there was none.
    pub fn mean_poll(&self) -> Option<Duration> {
        mean(self.busy, self.polls)
    }

    /// How long it was scheduled in the mean, rounded down; `None` if it never was.
    pub fn mean_delay(&self) -> Option<Duration> {
        mean(self.scheduled, self.wakes)
    }
}

/// What one poll adds, and the time before it, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct More {
    pub(super) start_delay: u64,
    pub(super) busy: u64,
    pub(super) idle: u64,
    pub(super) scheduled: u64,
    pub(super) woken: bool,
    pub(super) slow: bool,
}

/// A [`Timing`] in nanoseconds, as it is counted: durations would be taken apart and put together with each poll. Those of many
/// futures may come to more than 64 bits hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) polls: u64,
    slow_polls: u64,
    wakes: u64,
    start_delay: u128,
    busy: u128,
    idle: u128,
    scheduled: u128,
    longest_poll: u64,
    longest_delay: u64,
}

impl Sums {
    #[inline]
    pub(super) fn add(&mut self, more: &More) {
        self.polls += 1;
        self.slow_polls += u64::from(more.slow);
        self.wakes += u64::from(more.woken);
        self.start_delay += u128::from(more.start_delay);
        self.busy += u128::from(more.busy);
        self.idle += u128::from(more.idle);
        self.scheduled += u128::from(more.scheduled);
        self.longest_poll = self.longest_poll.max(more.busy);
        self.longest_delay = self.longest_delay.max(more.scheduled);
    }

    pub(super) fn timing(&self) -> Timing {
        Timing {
            polls: self.polls,
            slow_polls: self.slow_polls,
            wakes: self.wakes,
            start_delay: duration(self.start_delay),
            busy: duration(self.busy),
            idle: duration(self.idle),
            scheduled: duration(self.scheduled),
            longest_poll: Duration::from_nanos(self.longest_poll),
            longest_delay: Duration::from_nanos(self.longest_delay),
        }
    }
}

fn duration(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    // The remainder is below a second.
    u64::try_from(nanos / SECOND).map_or(Duration::MAX, |seconds| Duration::new(seconds, (nanos % SECOND) as u32))
}

fn mean(sum: Duration, count: u64) -> Option<Duration> {
    let mean = sum.as_nanos().checked_div(u128::from(count))?;
    Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
}

/// The times of one future after those of another; the longest is that of both.
impl AddAssign for Timing {
    fn add_assign(&mut self, more: Self) {
        self.polls += more.polls;
        self.slow_polls += more.slow_polls;
        self.wakes += more.wakes;
        self.start_delay = self.start_delay.saturating_add(more.start_delay);
        self.busy = self.busy.saturating_add(more.busy);
        self.idle = self.idle.saturating_add(more.idle);
        self.scheduled = self.scheduled.saturating_add(more.scheduled);
        self.longest_poll = self.longest_poll.max(more.longest_poll);
        self.longest_delay = self.longest_delay.max(more.longest_delay);
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { polls, slow_polls, start_delay, busy, idle, scheduled, .. } = self;
        let total = self.total();
        write!(f, "{total:?}: {busy:?} in {polls} polls, {slow_polls} of them slow, {idle:?} idle, ")?;
        write!(f, "{scheduled:?} scheduled, {start_delay:?} before the first poll")
    }
}

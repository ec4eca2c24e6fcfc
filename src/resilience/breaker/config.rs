//! When a breaker opens, and for how long.

use crate::time::nanos;
use core::error::Error;
use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

/// Of which calls a [`CircuitBreaker`](super::CircuitBreaker) takes the rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Window {
    /// The last so many.
    Calls(NonZeroU32),
    /// Those that ended in the last so much time. It moves on by a tenth of its length at a time.
    Time(Duration),
}

/// When a [`CircuitBreaker`](super::CircuitBreaker) opens, and how it closes again.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::resilience::{BreakerConfig, CircuitBreaker};
/// use wakeful::time::ManualClock;
///
/// let time = ManualClock::new().time();
/// let minute = Duration::from_secs(60);
/// let config = BreakerConfig::time(minute)
///     .least_calls(NonZeroU32::new(20).unwrap())
///     .failures(30)
///     .slow(Duration::from_secs(2), 80)
///     .open_for(Duration::from_secs(5))
///     .growing(200, 10 * minute);
/// assert!(CircuitBreaker::new(&time, config).is_ok());
///
/// let error = CircuitBreaker::new(&time, config.failures(101)).unwrap_err();
/// assert_eq!(error.to_string(), "a breaker can't open at a failure rate of 101 per cent");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a breaker is made of it"]
pub struct BreakerConfig {
    pub(super) window: Window,
    pub(super) least_calls: u32,
    pub(super) failures: u32,
    /// From how many nanoseconds on a call is slow, and per cent.
    pub(super) slow: Option<(u64, u32)>,
    pub(super) open_for: u64,
    pub(super) growth: u32,
    pub(super) longest_open: u64,
    pub(super) probes: u32,
    pub(super) longest_probe: u64,
}

impl BreakerConfig {
    /// The least calls unless they are [set](Self::least_calls): ten, or as many as the window holds if that is fewer.
    pub const LEAST_CALLS: u32 = 10;
    /// Per cent of failures unless [set](Self::failures).
    pub const FAILURES: u32 = 50;
    /// How long a breaker is open unless that is [set](Self::open_for).
    pub const OPEN_FOR: Duration = Duration::from_secs(10);
    /// How many probes unless [set](Self::probes).
    pub const PROBES: NonZeroU32 = NonZeroU32::new(3).expect("not zero");
    /// How long a half-open breaker waits for its probes unless that is [set](Self::longest_half_open).
    pub const LONGEST_HALF_OPEN: Duration = Duration::from_secs(60);
    /// The most calls that a window may hold.
    pub const MOST_CALLS: u32 = 1 << 16;
    /// Into how many parts a window of time is cut.
    pub const SLICES: u32 = 10;

    /// By the rates of the calls of `window`.
    pub const fn new(window: Window) -> Self {
        let least_calls = match window {
            Window::Calls(calls) if calls.get() < Self::LEAST_CALLS => calls.get(),
            _ => Self::LEAST_CALLS,
        };
        Self {
            window,
            least_calls,
            failures: Self::FAILURES,
            slow: None,
            open_for: nanos(Self::OPEN_FOR),
            growth: 100,
            longest_open: u64::MAX,
            probes: Self::PROBES.get(),
            longest_probe: nanos(Self::LONGEST_HALF_OPEN),
        }
    }

    /// By the rates of the last `calls`.
    pub const fn calls(calls: NonZeroU32) -> Self {
        Self::new(Window::Calls(calls))
    }

    /// By the rates of the calls of the last `length` of time.
    pub const fn time(length: Duration) -> Self {
        Self::new(Window::Time(length))
    }

    /// Opens after so many failures in a row.
    pub const fn consecutive(failures: NonZeroU32) -> Self {
        Self::calls(failures).least_calls(failures).failures(100)
    }

    /// Takes no rate of fewer calls; [`LEAST_CALLS`](Self::LEAST_CALLS) unless set.
    pub const fn least_calls(mut self, calls: NonZeroU32) -> Self {
        self.least_calls = calls.get();
        self
    }

    /// Opens when so many per cent of the calls fail, or more; [`FAILURES`](Self::FAILURES) unless set.
    pub const fn failures(mut self, percent: u32) -> Self {
        self.failures = percent;
        self
    }

    /// Opens also when so many per cent of the calls, or more, take as long as `duration`, or longer, well or not. Not unless set,
    /// and then the clock is read at each call's beginning and end.
    pub const fn slow(mut self, duration: Duration, percent: u32) -> Self {
        self.slow = Some((nanos(duration), percent));
        self
    }

    /// Lets nobody through for so long; [`OPEN_FOR`](Self::OPEN_FOR) unless set.
    pub const fn open_for(mut self, duration: Duration) -> Self {
        self.open_for = nanos(duration);
        self
    }

    /// Makes the open time so many per cent of the last one each time that probes fail, up to `longest`, until they are well. It
    /// stays the same unless set.
    pub const fn growing(mut self, percent: u32, longest: Duration) -> Self {
        (self.growth, self.longest_open) = (percent, nanos(longest));
        self
    }

    /// Lets so many calls through once it is half-open, and decides by them; [`PROBES`](Self::PROBES) unless set.
    pub const fn probes(mut self, calls: NonZeroU32) -> Self {
        self.probes = calls.get();
        self
    }

    /// Opens again when probes have been out for so long without a result; [`LONGEST_HALF_OPEN`](Self::LONGEST_HALF_OPEN) unless
    /// set. With [`Duration::MAX`] a probe that hangs is waited for without end.
    pub const fn longest_half_open(mut self, duration: Duration) -> Self {
        self.longest_probe = nanos(duration);
        self
    }

    /// Whether the end of a call needs the clock.
    pub(super) fn reads_clock(&self) -> bool {
        self.slow.is_some() || matches!(self.window, Window::Time(_))
    }

    /// The one place that validates.
    pub(super) fn validate(self) -> Result<Self, BreakerConfigError> {
        let is_rate = |percent: u32| (1..=100).contains(&percent);
        match self {
            Self { failures, .. } if !is_rate(failures) => Err(BreakerConfigError::FailureRate(failures)),
            Self { slow: Some((_, percent)), .. } if !is_rate(percent) => Err(BreakerConfigError::SlowRate(percent)),
            Self { window: Window::Time(length), .. } if length.is_zero() => Err(BreakerConfigError::NoTime),
            Self { window: Window::Calls(calls), .. } if calls.get() > Self::MOST_CALLS => {
                Err(BreakerConfigError::TooManyCalls(calls.get()))
            }
            Self { window: Window::Calls(calls), least_calls: least, .. } if least > calls.get() => {
                Err(BreakerConfigError::NeverEnough { least, window: calls.get() })
            }
            Self { open_for: 0, .. } => Err(BreakerConfigError::NeverOpen),
            Self { growth, .. } if growth < 100 => Err(BreakerConfigError::Shrinking(growth)),
            Self { longest_open: longest, open_for: first, .. } if longest < first => {
                Err(BreakerConfigError::Longest {
                    first: Duration::from_nanos(first),
                    longest: Duration::from_nanos(longest),
                })
            }
            Self { longest_probe: 0, .. } => Err(BreakerConfigError::NoTimeForProbes),
            config => Ok(config),
        }
    }
}

/// Settings that no [`CircuitBreaker`](super::CircuitBreaker) can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerConfigError {
    /// The failure rate is not from 1 to 100 per cent.
    FailureRate(u32),
    /// The rate of slow calls is not from 1 to 100 per cent.
    SlowRate(u32),
    /// The window has no length.
    NoTime,
    /// The window holds more than [`MOST_CALLS`](BreakerConfig::MOST_CALLS).
    TooManyCalls(u32),
    /// The window never holds as many calls as a rate is taken of at least.
    NeverEnough {
        /// The least calls.
        least: u32,
        /// How many the window holds.
        window: u32,
    },
    /// It would be open for no time at all.
    NeverOpen,
    /// The open time would become shorter, to so many per cent.
    Shrinking(u32),
    /// The longest open time is shorter than the first.
    Longest {
        /// The first.
        first: Duration,
        /// The longest.
        longest: Duration,
    },
    /// Half-open, it would wait for no probe at all.
    NoTimeForProbes,
}

impl fmt::Display for BreakerConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailureRate(percent) => write!(f, "a breaker can't open at a failure rate of {percent} per cent"),
            Self::SlowRate(percent) => write!(f, "a breaker can't open at {percent} per cent of slow calls"),
            Self::NoTime => f.pad("a breaker's window of time can't be empty"),
            Self::TooManyCalls(calls) => {
                write!(f, "a breaker's window can't hold {calls} calls, of {} at most", BreakerConfig::MOST_CALLS)
            }
            Self::NeverEnough { least, window } => {
                write!(f, "a breaker that needs {least} calls never opens by a window of {window}")
            }
            Self::NeverOpen => f.pad("a breaker can't be open for no time"),
            Self::Shrinking(percent) => write!(f, "a breaker's open time can't grow to {percent} per cent"),
            Self::Longest { first, longest } => {
                write!(f, "a breaker can't be open for {first:?} at first, and for {longest:?} at most")
            }
            Self::NoTimeForProbes => f.pad("a breaker can't wait for its probes for no time"),
        }
    }
}

impl Error for BreakerConfigError {}

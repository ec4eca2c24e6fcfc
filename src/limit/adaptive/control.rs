//! What a control has to decide: pure functions of what was observed, in integers and without a clock.

use crate::time::Instant;
use core::error::Error;
use core::fmt;
use core::num::NonZeroU32;

/// A way to find out how many calls at once a service can take.
///
/// Which to take stands in the table of the [room](crate::limit). The trait is sealed: a control decides under a lock, where
/// no code of a user runs.
pub trait Control: Adapt {}

impl<A: Adapt> Control for A {}

/// The decisions of a [`Control`].
pub trait Adapt: fmt::Debug + Send + Sync + 'static {
    /// What was learnt so far.
    type State: fmt::Debug + Send + 'static;

    /// Nothing was learnt.
    fn begin(&self) -> Self::State;

    /// How many calls may be in flight, at least one.
    fn limit(&self, state: &Self::State) -> u32;

    /// Learns from a call.
    fn learn(&self, state: &mut Self::State, sample: &Sample);
}

/// What a call says about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feedback {
    /// It was answered, well or badly: the service did its work, and its round-trip time counts.
    Answered,
    /// The service has too much to do, or isn't there: it refused, or the call timed out. How long that took says nothing.
    Overloaded,
}

/// One call, as a control sees it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it began.
    pub started: Instant,
    /// When it was over.
    pub ended: Instant,
    /// How many were in flight when it began, itself included.
    pub in_flight: u32,
    /// What it says about the service.
    pub feedback: Feedback,
}

impl Sample {
    /// The round-trip time in nanoseconds, at least one.
    pub(super) fn rtt(&self) -> u64 {
        crate::time::nanos(self.ended - self.started).max(1)
    }

    /// Whether the caller had so little to do that it says nothing about a limit.
    pub(super) fn is_slack(&self, limit: u32) -> bool {
        u64::from(self.in_flight) * 2 < u64::from(limit)
    }
}

/// Calls by which the next limit is decided: as many as the limit allows, of those that began after the last decision. Others
/// say nothing about what came of that one, and whoever heeds them goes too far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    /// When the last decision was made, in nanoseconds.
    since: u64,
    calls: u32,
    /// Their round-trip times.
    sum: u64,
}

impl Round {
    /// Whether a call began after the last decision.
    pub(super) fn includes(&self, sample: &Sample) -> bool {
        sample.started.as_nanos() >= self.since
    }

    /// Takes a call in that was answered. The mean round-trip time, if it was the last one of the round.
    pub(super) fn take(&mut self, sample: &Sample, limit: u32) -> Option<u64> {
        if !self.includes(sample) || sample.is_slack(limit) {
            return None;
        }
        self.calls += 1;
        self.sum = self.sum.saturating_add(sample.rtt());
        if self.calls < limit {
            return None;
        }
        let mean = self.sum / u64::from(self.calls);
        *self = Self::after(sample);
        Some(mean)
    }

    /// One that begins with a decision made by a call.
    pub(super) fn after(sample: &Sample) -> Self {
        Self { since: sample.ended.as_nanos(), calls: 0, sum: 0 }
    }
}

/// Between what a limit moves, and where it begins.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use wakeful::limit::Bounds;
///
/// let [one, ten, hundred] = [1, 10, 100].map(|n| NonZeroU32::new(n).unwrap());
/// let bounds = Bounds::new(one, ten, hundred).unwrap();
/// assert_eq!(bounds.first(), ten);
/// let error = Bounds::new(ten, one, hundred).unwrap_err();
/// assert_eq!(error.to_string(), "a limit can't begin at 1 between 10 and 100");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    least: NonZeroU32,
    first: NonZeroU32,
    most: NonZeroU32,
}

impl Bounds {
    /// From `least` to `most` calls at once, and `first` at first.
    ///
    /// # Errors
    /// [`BoundsError`] unless `first` lies between the others.
    pub const fn new(least: NonZeroU32, first: NonZeroU32, most: NonZeroU32) -> Result<Self, BoundsError> {
        let bounds = Self { least, first, most };
        if least.get() <= first.get() && first.get() <= most.get() { Ok(bounds) } else { Err(BoundsError { bounds }) }
    }

    /// The smallest limit.
    pub const fn least(&self) -> NonZeroU32 {
        self.least
    }

    /// The limit at first.
    pub const fn first(&self) -> NonZeroU32 {
        self.first
    }

    /// The largest limit.
    pub const fn most(&self) -> NonZeroU32 {
        self.most
    }

    /// What lies nearest to `limit`.
    pub(super) fn clamp(&self, limit: u32) -> u32 {
        limit.clamp(self.least.get(), self.most.get())
    }
}

/// Bounds that no limit can have: it would not begin between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundsError {
    bounds: Bounds,
}

impl fmt::Display for BoundsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bounds { least, first, most } = self.bounds;
        write!(f, "a limit can't begin at {first} between {least} and {most}")
    }
}

impl Error for BoundsError {}

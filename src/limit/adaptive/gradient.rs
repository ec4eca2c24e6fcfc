//! Gradient2: the present against the past.

use super::control::{Adapt, Bounds, Feedback, Round, Sample};

/// Gradient2 of Netflix's `concurrency-limits` (2018): the ratio of the round-trip time of the last six hundred calls, on average,
/// to that of a round of calls says how much of the limit is right, where half as much again counts as even; and what is right
/// grows by a small [queue](Self::queue). A fifth of the difference is gone after each round, of as many calls as the limit allows.
///
/// It needs no shortest round trip, and so bears calls that take different times. It follows slowly, and takes a service that
/// becomes slower little by little for what it is.
///
/// The original takes no notice of refusals. Here a call that the service had too much to do for ends the round with the smallest
/// ratio, which is one half, and without the queue.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use wakeful::limit::{Bounds, Concurrency, Feedback, Gradient2};
/// use wakeful::time::ManualClock;
///
/// let [one, ten, hundred] = [1, 10, 100].map(|n| NonZeroU32::new(n).unwrap());
/// let calls = Concurrency::new(&ManualClock::new().time(), Gradient2::new(Bounds::new(one, ten, hundred).unwrap()));
/// calls.try_launch().unwrap().end(Feedback::Overloaded);
/// assert_eq!(calls.limit(), 9);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gradient2 {
    bounds: Bounds,
    queue: u32,
}

impl Gradient2 {
    /// The queue unless it is [set](Self::queue).
    pub const QUEUE: u32 = 4;

    /// Between these bounds.
    pub const fn new(bounds: Bounds) -> Self {
        Self { bounds, queue: Self::QUEUE }
    }

    /// Lets so many calls wait at the service, by which the limit may grow; [`QUEUE`](Self::QUEUE) unless set.
    #[must_use]
    pub const fn queue(mut self, calls: u32) -> Self {
        self.queue = calls;
        self
    }
}

/// Bits behind the point of a limit and of a ratio.
const FRACTION: u32 = 16;
const ONE: u64 = 1 << FRACTION;

/// Bits behind the point of a time in nanoseconds; and the longest that counts, an hour.
const FINE: u32 = 8;
const LONGEST: u64 = 3_600_000_000_000;

/// Calls that the average weighs, and those at its beginning that weigh the same each.
const AVERAGE: i64 = 600;
const FIRST: u32 = 10;

/// What Gradient2 has learnt.
#[derive(Clone, Copy, Debug)]
pub struct Slope {
    /// With a fraction.
    limit: u64,
    round: Round,
    /// The round-trip time on average, with a fraction.
    average: u64,
    /// How many of the first it is made of.
    first: u32,
}

impl Slope {
    /// Takes a round trip into the average.
    fn take(&mut self, rtt: u64) {
        let rtt = rtt << FINE;
        if self.first < FIRST {
            let sum = self.average * u64::from(self.first) + rtt;
            self.first += 1;
            self.average = sum / u64::from(self.first);
        } else {
            // Both are below 2⁵⁰.
            let difference = rtt as i64 - self.average as i64;
            self.average = self.average.saturating_add_signed(difference * 2 / (AVERAGE + 1));
        }
        // A long time of trouble is forgotten sooner when it is over.
        if self.average > 2 * rtt {
            self.average -= self.average / 20;
        }
    }
}

impl Adapt for Gradient2 {
    type State = Slope;

    fn begin(&self) -> Slope {
        Slope { limit: u64::from(self.bounds.first().get()) << FRACTION, round: Round::default(), average: 0, first: 0 }
    }

    fn limit(&self, slope: &Slope) -> u32 {
        (slope.limit >> FRACTION) as u32
    }

    fn learn(&self, slope: &mut Slope, sample: &Sample) {
        let right = if sample.feedback == Feedback::Overloaded {
            if !slope.round.includes(sample) {
                return;
            }
            slope.round = Round::after(sample);
            slope.limit / 2
        } else {
            slope.take(sample.rtt().min(LONGEST));
            let Some(mean) = slope.round.take(sample, self.limit(slope)) else { return };
            // Below 2⁵⁰ · 3 · 2⁸ by at least two.
            let ratio = slope.average * 3 * (ONE >> FINE) / (2 * mean.min(LONGEST));
            // Below 2⁴⁷ · 2¹⁶.
            (((slope.limit >> 1) * ratio.clamp(ONE / 2, ONE)) >> (FRACTION - 1)) + (u64::from(self.queue) << FRACTION)
        };
        let limit = slope.limit - slope.limit / 5 + right / 5;
        let [least, most] = [self.bounds.least(), self.bounds.most()].map(|bound| u64::from(bound.get()) << FRACTION);
        slope.limit = limit.clamp(least, most);
    }
}

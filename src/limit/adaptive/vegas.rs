//! Vegas: a queue at the service is seen by its delay.

use super::control::{Adapt, Bounds, Feedback, Round, Sample};

/// TCP Vegas (L. Brakmo, S. O'Malley and L. Peterson, "TCP Vegas: New Techniques for Congestion Detection and Avoidance",
/// SIGCOMM 1994), with the thresholds of Netflix's `concurrency-limits`: the shortest round trip says how long the service takes
/// without a queue, and how much longer the others take on average how many calls wait in one. After each round of calls the
/// limit grows if that is few, and shrinks if it is many; it shrinks with each refusal.
///
/// It sees too much before the service refuses anything. It needs round trips that are alike: of calls that take very different
/// times the short ones make the long ones look like a queue. The shortest counts for thirty to sixty rounds, so that it gets
/// used to a service that has become slower for good.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use wakeful::limit::{Bounds, Concurrency, Vegas};
/// use wakeful::time::ManualClock;
///
/// let [one, ten, hundred] = [1, 10, 100].map(|n| NonZeroU32::new(n).unwrap());
/// let control = Vegas::new(Bounds::new(one, ten, hundred).unwrap());
/// assert_eq!(Concurrency::new(&ManualClock::new().time(), control).limit(), 10);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Vegas {
    bounds: Bounds,
}

/// Rounds after which a shortest round trip is forgotten, if none is as short.
const ROUNDS: u32 = 30;

impl Vegas {
    /// Between these bounds.
    pub const fn new(bounds: Bounds) -> Self {
        Self { bounds }
    }
}

/// What Vegas has learnt.
#[derive(Clone, Copy, Debug)]
pub struct Delay {
    limit: u32,
    round: Round,
    /// The shortest round trip, in nanoseconds.
    shortest: u64,
    /// The shortest of the last rounds, and how many these are.
    lately: u64,
    rounds: u32,
}

impl Adapt for Vegas {
    type State = Delay;

    fn begin(&self) -> Delay {
        let limit = self.bounds.first().get();
        Delay { limit, round: Round::default(), shortest: u64::MAX, lately: u64::MAX, rounds: 0 }
    }

    fn limit(&self, delay: &Delay) -> u32 {
        delay.limit
    }

    fn learn(&self, delay: &mut Delay, sample: &Sample) {
        let limit = delay.limit;
        let step = limit.ilog10().max(1);
        if sample.feedback == Feedback::Overloaded {
            delay.limit = self.bounds.clamp(limit.saturating_sub(step));
            delay.round = Round::after(sample);
            return;
        }
        delay.shortest = delay.shortest.min(sample.rtt());
        delay.lately = delay.lately.min(sample.rtt());
        let Some(mean) = delay.round.take(sample, limit) else { return };
        // As many as were answered while a call waited: no more than the limit, since the shortest is no longer than the mean.
        let waited = u128::from(limit) * u128::from(mean.saturating_sub(delay.shortest));
        let queue = waited.div_ceil(u128::from(mean)) as u32;
        let new = match queue {
            _ if queue <= step => limit.saturating_add(6 * step),
            _ if queue < 3 * step => limit.saturating_add(step),
            _ if queue > 6 * step => limit.saturating_sub(step),
            _ => limit,
        };
        delay.limit = self.bounds.clamp(new);
        delay.rounds += 1;
        if delay.rounds == ROUNDS {
            (delay.shortest, delay.lately, delay.rounds) = (delay.lately, u64::MAX, 0);
        }
    }
}

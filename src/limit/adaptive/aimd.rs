//! Additive increase, multiplicative decrease.

use super::control::{Adapt, Bounds, Feedback, Sample};
use core::time::Duration;

/// Additive increase, multiplicative decrease (D.-M. Chiu and R. Jain, "Analysis of the Increase and Decrease Algorithms for
/// Congestion Avoidance in Computer Networks", Computer Networks and ISDN Systems 17, 1989): one more after each round of calls
/// that were answered, and a tenth fewer, at least one, when the service has too much to do.
///
/// A round is as many calls as the limit allows. What began before the last decrease says nothing about it, so that a service
/// that refuses a hundred calls together is answered by one decrease: once a round trip, as TCP does (RFC 5681). Several clients
/// of one service come to equal shares. To be told of too much it needs refusals or timeouts, or a
/// [bound](Self::slow_after) on the round-trip time: then it goes back and forth about what the service can take.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::limit::{Aimd, Bounds, Concurrency, Feedback};
/// use wakeful::time::ManualClock;
///
/// let [one, ten, hundred] = [1, 10, 100].map(|n| NonZeroU32::new(n).unwrap());
/// let control = Aimd::new(Bounds::new(one, ten, hundred).unwrap()).slow_after(Duration::from_secs(1));
/// let calls = Concurrency::new(&ManualClock::new().time(), control);
/// calls.try_launch().unwrap().end(Feedback::Overloaded);
/// assert_eq!(calls.limit(), 9);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Aimd {
    bounds: Bounds,
    /// Nanoseconds.
    slow: u64,
}

impl Aimd {
    /// Between these bounds.
    pub const fn new(bounds: Bounds) -> Self {
        Self { bounds, slow: u64::MAX }
    }

    /// Takes a call that was answered after more than `rtt` for one that the service had too much to do for.
    #[must_use]
    pub const fn slow_after(mut self, rtt: Duration) -> Self {
        self.slow = crate::time::nanos(rtt);
        self
    }
}

/// What AIMD has learnt.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    limit: u32,
    /// Calls of this round that were answered.
    answered: u32,
    /// When the limit was last decreased, in nanoseconds.
    decreased: u64,
}

impl Adapt for Aimd {
    type State = Window;

    fn begin(&self) -> Window {
        Window { limit: self.bounds.first().get(), answered: 0, decreased: 0 }
    }

    fn limit(&self, window: &Window) -> u32 {
        window.limit
    }

    fn learn(&self, window: &mut Window, sample: &Sample) {
        if sample.feedback == Feedback::Overloaded || sample.rtt() > self.slow {
            if sample.started.as_nanos() >= window.decreased {
                let limit = self.bounds.clamp(window.limit - window.limit.div_ceil(10));
                *window = Window { limit, answered: 0, decreased: sample.ended.as_nanos() };
            }
        } else if !sample.is_slack(window.limit) {
            window.answered += 1;
            if window.answered >= window.limit {
                *window = Window { limit: self.bounds.clamp(window.limit.saturating_add(1)), answered: 0, ..*window };
            }
        }
    }
}

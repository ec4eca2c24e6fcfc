//! Schedules made of others.

use super::super::random::Random;
use super::{Schedule, Step, duration};
use crate::time::nanos;
use core::iter::FusedIterator;
use core::time::Duration;

/// Delays that are no longer than a cap; made by [`Schedule::cap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capped<S> {
    schedule: S,
    most: Duration,
}

impl<S> Capped<S> {
    pub(super) fn new(schedule: S, most: Duration) -> Self {
        Self { schedule, most }
    }
}

impl<S: Schedule> Schedule for Capped<S> {
    const TIMED: bool = S::TIMED;

    fn delay(&mut self, step: &mut Step<'_>) -> Option<Duration> {
        self.schedule.delay(step).map(|delay| delay.min(self.most))
    }
}

/// What [`Schedule::jitter`] makes of a delay: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015. For the
/// third kind that it describes there is [`Decorrelated`](super::Decorrelated).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// Nothing: the delay is as it was.
    None,
    /// Anything from zero to the delay. It spreads the most, and makes the fewest calls.
    Full,
    /// Half of the delay, and anything up to the other half: never at once.
    Equal,
}

impl Jitter {
    fn of(self, delay: u64, random: &mut Random) -> u64 {
        match self {
            // Never is never.
            _ if delay == u64::MAX => delay,
            Self::None => delay,
            Self::Full => random.between(0, delay),
            Self::Equal => random.between(delay / 2, delay),
        }
    }
}

/// Delays of which something random is made; made by [`Schedule::jitter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jittered<S> {
    schedule: S,
    jitter: Jitter,
}

impl<S> Jittered<S> {
    pub(super) fn new(schedule: S, jitter: Jitter) -> Self {
        Self { schedule, jitter }
    }
}

impl<S: Schedule> Schedule for Jittered<S> {
    const TIMED: bool = S::TIMED;

    fn delay(&mut self, step: &mut Step<'_>) -> Option<Duration> {
        let delay = self.schedule.delay(step)?;
        Some(duration(self.jitter.of(nanos(delay), step.random)))
    }
}

/// So many delays at most; made by [`Schedule::up_to`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpTo<S> {
    schedule: S,
    left: u32,
}

impl<S> UpTo<S> {
    pub(super) fn new(schedule: S, left: u32) -> Self {
        Self { schedule, left }
    }
}

impl<S: Schedule> Schedule for UpTo<S> {
    const TIMED: bool = S::TIMED;

    fn delay(&mut self, step: &mut Step<'_>) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        self.schedule.delay(step)
    }
}

/// Delays for so much time in all; made by [`Schedule::up_to_total`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpToTotal<S> {
    schedule: S,
    total: Duration,
}

impl<S> UpToTotal<S> {
    pub(super) fn new(schedule: S, total: Duration) -> Self {
        Self { schedule, total }
    }
}

impl<S: Schedule> Schedule for UpToTotal<S> {
    const TIMED: bool = true;

    fn delay(&mut self, step: &mut Step<'_>) -> Option<Duration> {
        let delay = self.schedule.delay(step)?;
        let then = step.elapsed.saturating_add(delay.max(step.least));
        (then < self.total).then_some(delay)
    }
}

/// One schedule, and another when that is at its end; made by [`Schedule::then`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Then<A, B> {
    /// None: it is at its end.
    first: Option<A>,
    second: B,
    /// How much time had passed by then.
    since: Duration,
}

impl<A, B> Then<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
        Self { first: Some(first), second, since: Duration::ZERO }
    }
}

impl<A: Schedule, B: Schedule> Schedule for Then<A, B> {
    const TIMED: bool = A::TIMED || B::TIMED;

    fn delay(&mut self, step: &mut Step<'_>) -> Option<Duration> {
        if let Some(first) = &mut self.first {
            if let Some(delay) = first.delay(step) {
                return Some(delay);
            }
            (self.first, self.since) = (None, step.elapsed);
        }
        let elapsed = step.elapsed.saturating_sub(self.since);
        self.second.delay(&mut Step::new(elapsed, step.least, step.random))
    }
}

/// The delays of a schedule, as if attempts took no time; made by [`Schedule::delays`].
#[derive(Clone, Debug)]
pub struct Delays<S> {
    /// None: it is at its end.
    schedule: Option<S>,
    elapsed: Duration,
    random: Random,
}

impl<S> Delays<S> {
    pub(super) fn new(schedule: S, seed: u64) -> Self {
        Self { schedule: Some(schedule), elapsed: Duration::ZERO, random: Random::new(seed) }
    }
}

impl<S: Schedule> Iterator for Delays<S> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let schedule = self.schedule.as_mut()?;
        let delay = schedule.delay(&mut Step::new(self.elapsed, Duration::ZERO, &mut self.random));
        match delay {
            Some(delay) => self.elapsed = self.elapsed.saturating_add(delay),
            None => self.schedule = None,
        }
        delay
    }
}

impl<S: Schedule> FusedIterator for Delays<S> {}

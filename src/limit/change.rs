//! Limits that change while they are in use.

use super::decide::{Algorithm, Carry};
use super::gcra::Gcra;
use super::limiter::Limiter;
use super::quota::Quota;
use super::state::{self, Gate};
use crate::sys::Arc;
use crate::time::{Instant, Time};

impl Limiter {
    /// [Goes on](Self::reconfigure) by another quota.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{Carry, Limiter, Quota};
    /// use wakeful::time::ManualClock;
    ///
    /// let [ten, forty] = [10, 40].map(|n| NonZeroU32::new(n).unwrap());
    /// let limiter = Limiter::new(&ManualClock::new().time(), Quota::per_second(ten).burst(ten));
    /// limiter.try_acquire(5).unwrap();
    /// limiter.set_quota(Quota::per_second(forty).burst(forty), Carry::Fraction);
    /// assert_eq!(limiter.available(), 20); // half full as before
    /// ```
    pub fn set_quota(&self, quota: Quota, carry: Carry) {
        self.reconfigure(Gcra::new(quota), carry);
    }
}

impl<A: Algorithm> Limiter<A> {
    /// A limiter that is closed: it grants nothing at all until it is [opened](Self::open).
    ///
    /// This is what a rate of zero would be, which no algorithm has.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{Gcra, Limiter, Quota, TryAcquireError};
    /// use wakeful::time::{Instant, ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let limiter = Limiter::closed(&clock.time(), Gcra::new(Quota::per_second(NonZeroU32::MIN)));
    /// assert_eq!(limiter.try_acquire(1), Err(TryAcquireError::NotYet { earliest: Instant::NEVER }));
    /// limiter.open();
    /// assert_eq!(limiter.try_acquire(1), Ok(()));
    /// ```
    #[track_caller]
    pub fn closed(time: &Time, algorithm: A) -> Self {
        let limiter = Self::with(time, algorithm);
        limiter.penalize_until(Instant::NEVER);
        limiter
    }

    /// Goes on by other numbers. What was used or saved up is carried over as `carry` says; those who wait keep their places,
    /// are granted as the new numbers have it, and are turned away if they want more than the new burst.
    ///
    /// From then on the limiter decides under its lock, which takes some nanoseconds more than the word that it began with.
    pub fn reconfigure(&self, algorithm: A, carry: Carry) {
        change(&self.gate, algorithm, carry);
    }

    /// Grants nothing before `until`: whoever was told to come back later, by a `Retry-After` say. Those who wait are re-timed;
    /// what is saved up meanwhile is there at its end.
    ///
    /// It can only be extended, and is taken back by [`open`](Self::open). An instant that has passed changes nothing.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::limit::{Limiter, Quota};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
    ///     let start = sim.now();
    ///     limiter.penalize_until(start + Duration::from_secs(30));
    ///     limiter.acquire(1).await.unwrap();
    ///     assert_eq!(sim.now() - start, Duration::from_secs(30));
    /// });
    /// ```
    pub fn penalize_until(&self, until: Instant) {
        self.observe(0, until);
    }

    /// Grants at most `remaining` permits until `reset`, and never more than it would by itself: what a server says of its own
    /// count, in headers such as `RateLimit`.
    ///
    /// Answers come out of order, and know nothing of calls that are under way. So as long as an earlier observation holds, a
    /// later one counts only if it leaves no more than the earlier one still does; its `reset`, then, only if it is later.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::limit::{Limiter, Quota, TryAcquireError};
    /// use wakeful::time::ManualClock;
    ///
    /// let clock = ManualClock::new();
    /// let limiter = Limiter::new(&clock.time(), Quota::per_second(NonZeroU32::new(100).unwrap()));
    /// let reset = clock.time().now() + Duration::from_secs(60);
    /// limiter.observe(1, reset);
    /// assert_eq!(limiter.try_acquire(1), Ok(()));
    /// assert_eq!(limiter.try_acquire(1), Err(TryAcquireError::NotYet { earliest: reset }));
    /// ```
    pub fn observe(&self, remaining: u32, reset: Instant) {
        state::adjust(&self.gate, |book, now| book.impose(remaining, reset.as_nanos(), now));
    }

    /// Takes back what [`closed`](Self::closed), [`penalize_until`](Self::penalize_until) and [`observe`](Self::observe) have
    /// imposed.
    pub fn open(&self) {
        state::adjust(&self.gate, |book, now| book.lift(now));
    }
}

/// Goes on by another algorithm, and turns away who wants more than its burst.
fn change<A: Algorithm>(gate: &Arc<Gate<A>>, algorithm: A, carry: Carry) {
    state::adjust(gate, |book, now| book.change(algorithm, carry, now));
    gate.wake_to_end(|held, batch| held.turn_away_large(batch));
}

/// What is left to do when the algorithm has changed under the lock of several: as [`change`] does it.
pub(super) fn changed<A: Algorithm>(gate: &Arc<Gate<A>>) {
    settle(gate);
    gate.wake_to_end(|held, batch| held.turn_away_large(batch));
}

/// Grants whoever is due, at a reading of the clock.
pub(super) fn settle<A: Algorithm>(gate: &Arc<Gate<A>>) {
    state::enter(gate, gate.shared.now(), |_, _| ());
}

//! When to try again: schedules of delays.

mod backoff;
mod compose;

pub(super) use backoff::part;
pub use backoff::{Constant, Decorrelated, Exponential, Fibonacci};
pub use compose::{Capped, Delays, Jitter, Jittered, Then, UpTo, UpToTotal};

use super::random::Random;
use core::time::Duration;

/// The delays between the attempts of a [`Retry`](super::Retry), one after another.
///
/// It is a pure function of its own state, of how much time has passed, and of a seed: it reads no clock, and the same seed
/// gives the same delays. A retry works on a clone of it, so that a schedule begins anew with each.
///
/// Those that there are compose, and saturate instead of overflowing: a delay of [`Duration::MAX`] is never, at which a retry
/// gives up.
///
/// | a schedule | then waits |
/// |---|---|
/// | [`Constant`] | always as long |
/// | [`Exponential`] | twice as long each time, or some other factor |
/// | [`Fibonacci`] | as long as the last two times together |
/// | [`Decorrelated`] | at random up to three times as long as the last time |
/// | [`.cap(d)`](Self::cap) | no longer than `d` |
/// | [`.jitter(j)`](Self::jitter) | as long as `j` makes of it at random |
/// | [`.up_to(n)`](Self::up_to) | `n` times at most |
/// | [`.up_to_total(d)`](Self::up_to_total) | as long as less than `d` has passed when the wait is over |
/// | [`.then(s)`](Self::then) | as `s` says when the first is at its end |
///
/// They apply from left to right: a cap before the jitter bounds what is jittered, one behind it what comes of that. Without
/// an `up_to` they never end by themselves, and then the error or a deadline has to.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::resilience::{Constant, Exponential, Jitter, Schedule};
///
/// let ms = Duration::from_millis;
/// let schedule = Exponential::new(ms(100)).cap(ms(500)).up_to(4).then(Constant::new(ms(1_000)).up_to(2));
/// let delays: Vec<_> = schedule.delays(0).collect();
/// assert_eq!(delays, [100, 200, 400, 500, 1_000, 1_000].map(ms));
///
/// let jittered = Exponential::new(ms(100)).jitter(Jitter::Full).up_to(20);
/// assert!(jittered.delays(7).eq(jittered.delays(7)), "same seed, same jitter");
/// assert!(jittered.delays(7).ne(jittered.delays(8)));
/// ```
///
/// One of your own:
/// ```
/// use core::time::Duration;
/// use wakeful::resilience::{Schedule, Step};
///
/// /// Of a table.
/// #[derive(Clone)]
/// struct Table(&'static [u64]);
///
/// impl Schedule for Table {
///     const TIMED: bool = false;
///
///     fn delay(&mut self, _: &mut Step<'_>) -> Option<Duration> {
///         let (first, rest) = self.0.split_first()?;
///         self.0 = rest;
///         Some(Duration::from_secs(*first))
///     }
/// }
///
/// assert_eq!(Table(&[1, 5, 60]).up_to(2).delays(0).sum::<Duration>(), Duration::from_secs(6));
/// ```
pub trait Schedule: Clone {
    /// Whether it asks how much time has [passed](Step::elapsed). If not, a retry that succeeds at once reads no clock.
    const TIMED: bool = true;

    /// The delay before the next attempt; none: there is to be no other. It is not asked again after that.
    fn delay(&mut self, step: &mut Step<'_>) -> Option<Duration>;

    /// Waits no longer than `most` each time.
    fn cap(self, most: Duration) -> Capped<Self> {
        Capped::new(self, most)
    }

    /// Makes something random of each delay, so that those who failed together don't come back together.
    fn jitter(self, jitter: Jitter) -> Jittered<Self> {
        Jittered::new(self, jitter)
    }

    /// Gives so many delays at most: one attempt more than that.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::resilience::{Constant, Schedule};
    ///
    /// assert_eq!(Constant::new(Duration::from_secs(1)).up_to(3).delays(0).count(), 3);
    /// ```
    fn up_to(self, delays: u32) -> UpTo<Self> {
        UpTo::new(self, delays)
    }

    /// Ends when the next attempt would not begin before `total` has passed: since the first attempt began, or, behind a
    /// [`then`](Self::then), since the schedule before it ended. What the attempts take counts, and what a server
    /// [asks for](Step::least).
    ///
    /// For a bound on everything, the last attempt included, take a [scope](crate::cancel::Scope::fail_after) with a deadline.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::resilience::{Constant, Schedule};
    ///
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Constant::new(second).up_to_total(3 * second).delays(0).count(), 2, "the third is not before the end");
    /// ```
    fn up_to_total(self, total: Duration) -> UpToTotal<Self> {
        UpToTotal::new(self, total)
    }

    /// Goes on with `next` when this one is at its end.
    fn then<S: Schedule>(self, next: S) -> Then<Self, S> {
        Then::new(self, next)
    }

    /// The delays for `seed`, as if attempts took no time: to look at.
    fn delays(&self, seed: u64) -> Delays<Self> {
        Delays::new(self.clone(), seed)
    }
}

/// What a [`Schedule`] may look at for its next delay.
#[derive(Debug)]
pub struct Step<'a> {
    elapsed: Duration,
    least: Duration,
    random: &'a mut Random,
}

impl<'a> Step<'a> {
    pub(super) fn new(elapsed: Duration, least: Duration, random: &'a mut Random) -> Self {
        Self { elapsed, least, random }
    }

    /// How much time has passed since the first attempt began; zero, if the schedule is not [`TIMED`](Schedule::TIMED).
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How long a server has asked to wait at least. The retry sees to it: a schedule needs it only to know when the next attempt
    /// will be.
    pub fn least(&self) -> Duration {
        self.least
    }

    /// A random number, the same ones for the same seed.
    pub fn random(&mut self) -> u64 {
        self.random.next()
    }
}

/// The duration of so many nanoseconds; [`Duration::MAX`] for the largest number, which is never.
pub(super) const fn duration(nanos: u64) -> Duration {
    if nanos == u64::MAX { Duration::MAX } else { Duration::from_nanos(nanos) }
}

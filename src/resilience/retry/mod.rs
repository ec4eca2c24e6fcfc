//! Trying again.

mod after;
mod error;
mod verdict;

pub use after::{RetryAfterError, retry_after};
pub use error::{GaveUp, RetryError};
pub use verdict::{Always, Judge, Notify, Retrying, Silent, Told, Verdict, When};

use super::budget::{RetryBudget, Token};
use super::random::Random;
use super::schedule::{Schedule, Step};
use crate::cancel::Scope;
use crate::time::Instant;
use crate::wait::yield_now;
use core::fmt;
use core::future::Future;
use core::time::Duration;

/// Calls again what failed, after the delays of a [`Schedule`].
///
/// It is a value, to be made once and used by many: a run changes nothing in it. It retries every error, unless told
/// [otherwise](Self::when).
///
/// Only what may be done twice may be retried. If every layer of a program retries three times, the lowest is called 3ⁿ times:
/// retry in one place, as near to the failure as it can be told that it will pass, and share a [`RetryBudget`].
///
/// # Examples
/// ```
/// use core::cell::Cell;
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::resilience::{Exponential, Retry, Schedule};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let retry = Retry::new(Exponential::new(Duration::from_millis(100)).up_to(5))
///         .when(|status: &u32| *status >= 500)
///         .notify(|retrying| println!("{} failed, again in {:?}", retrying.error, retrying.delay));
///     let answers = Cell::new([503, 500, 200].iter());
///     let answer = retry.run(&scope, |_attempt| async {
///         let mut left = answers.take();
///         let status = *left.next().unwrap();
///         answers.set(left);
///         if status == 200 { Ok("hello") } else { Err(status) }
///     });
///     assert_eq!(answer.await, Ok("hello"));
///     assert_eq!(sim.now().as_nanos(), 300_000_000);
///
///     let refused = retry.run(&scope, |_| async { Err::<(), _>(404) }).await.unwrap_err();
///     assert_eq!((refused.error, refused.attempts), (404, 1));
/// });
/// ```
#[derive(Clone)]
pub struct Retry<S, J = Always, N = Silent> {
    schedule: S,
    judge: J,
    notify: N,
    budget: Option<RetryBudget>,
    seed: Option<u64>,
}

impl<S: Schedule> Retry<S> {
    /// Retries whatever the error is, as long as `schedule` says.
    pub const fn new(schedule: S) -> Self {
        Self { schedule, judge: Always(()), notify: Silent(()), budget: None, seed: None }
    }
}

impl<S: Schedule, J, N> Retry<S, J, N> {
    /// Asks `judge` about each error: whether to try again, as a `bool`; or a [`Verdict`], which may say when at the earliest.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::resilience::{Constant, Retry, Schedule, Verdict};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let retry = Retry::new(Constant::new(Duration::from_millis(10)).up_to(2)).when(|status: &u32| match status {
    ///         429 => Verdict::After(Duration::from_secs(30)), // as `Retry-After` says
    ///         500.. => Verdict::Retry,
    ///         _ => Verdict::GiveUp,
    ///     });
    ///     let down = retry.run(&scope, |attempt| async move { Err::<(), u32>([429, 500, 429][attempt as usize - 1]) });
    ///     assert_eq!(down.await.unwrap_err().attempts, 3);
    ///     assert_eq!(sim.now().as_nanos(), 30_010_000_000);
    /// });
    /// ```
    pub fn when<E, V>(self, judge: impl Fn(&E) -> V) -> Retry<S, When<impl Fn(&E) -> V>, N>
    where
        V: Into<Verdict>,
    {
        let Self { schedule, notify, budget, seed, .. } = self;
        Retry { schedule, judge: When(judge), notify, budget, seed }
    }

    /// Calls `notify` before each wait: to log, to count.
    pub fn notify<E>(self, notify: impl Fn(&Retrying<'_, E>)) -> Retry<S, J, Told<impl Fn(&Retrying<'_, E>)>> {
        let Self { schedule, judge, budget, seed, .. } = self;
        Retry { schedule, judge, notify: Told(notify), budget, seed }
    }

    /// Shares what may be spent on retries with others; see [`RetryBudget`].
    #[must_use]
    pub fn budget(self, budget: &RetryBudget) -> Self {
        Self { budget: Some(budget.clone()), ..self }
    }

    /// Makes the jitter of each run that which follows from `seed`: the same in all of them. Unless it is set each run has a seed
    /// of its own, which in the simulator is the same again in each replay.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Calls `operation` until it is well, or there is no use in trying again. It is given the number of the attempt, from 1.
    ///
    /// After an error that is to be [retried](Self::when), it waits for as long as the schedule says, or as the server asks for,
    /// whichever is longer. If that would not be over before the effective deadline of `scope`, or if the scope is cancelled,
    /// it gives up at once with the error, without waiting in vain. The first attempt is made in any case.
    ///
    /// # Time
    /// Of `scope`. A run that succeeds at once reads no clock, unless the schedule is [timed](Schedule::TIMED).
    ///
    /// # Cancel safety
    /// Dropping it drops the attempt that runs, or the error of the last one. A token that was taken for an attempt that has not
    /// begun goes back to the budget.
    ///
    /// # Errors
    /// [`RetryError`], with the last error, the number of attempts, and why there was no further one.
    ///
    /// # Panics
    /// Passes on the panics of `operation`, of the predicate and of the hook. A panic is not retried.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::resilience::{Constant, GaveUp, Retry};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let retry = Retry::new(Constant::new(Duration::from_secs(2)));
    ///     let outcome = scope
    ///         .move_on_after(Duration::from_secs(5), async |s| retry.run(s, |_| async { Err::<(), _>("down") }).await)
    ///         .await;
    ///     let error = outcome.done().expect("there is an error, instead of a timeout").unwrap_err();
    ///     assert_eq!((error.error, error.attempts), ("down", 3));
    ///     assert!(matches!(error.why, GaveUp::TooLate { .. }));
    ///     assert_eq!(sim.now().as_nanos(), 4_000_000_000);
    /// });
    /// ```
    pub async fn run<F, Fut, T, E>(&self, scope: &Scope, operation: F) -> Result<T, RetryError<E>>
    where
        F: Fn(u32) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        J: Judge<E>,
        N: Notify<E>,
    {
        let started = if S::TIMED { scope.now() } else { Instant::EPOCH };
        if let Some(budget) = &self.budget {
            budget.deposit();
        }
        let mut plan = None;
        let mut attempts = 1;
        loop {
            let error = match operation(attempts).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let plan = plan.get_or_insert_with(|| self.plan(scope, started));
            let next = match self.next(scope, plan, attempts, &error) {
                Ok(next) => next,
                Err(why) => return Err(RetryError { error, attempts, why }),
            };
            if next.delay.is_zero() {
                yield_now().await;
            } else {
                scope.sleep_until(next.at).await;
            }
            // Woken late, or after the scope was cancelled by one that waits for no run of it.
            if scope.check().is_err() {
                let why = GaveUp::TooLate { earliest: next.at, deadline: scope.effective_deadline() };
                return Err(RetryError { error, attempts, why });
            }
            if let Some(token) = next.token {
                token.spend();
            }
            attempts = attempts.saturating_add(1);
        }
    }

    /// What a run needs once something has failed.
    #[cold]
    fn plan(&self, scope: &Scope, started: Instant) -> Plan<S> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => Random::new(scope.time().draw()).next() ^ scope.now().as_nanos(),
        };
        Plan { schedule: self.schedule.clone(), random: Random::new(seed), started }
    }

    /// What follows on an error.
    #[cold]
    fn next<E>(&self, scope: &Scope, plan: &mut Plan<S>, attempts: u32, error: &E) -> Result<Next<'_>, GaveUp>
    where
        J: Judge<E>,
        N: Notify<E>,
    {
        let verdict = self.judge.judge(error);
        let now = scope.now();
        let least = match verdict {
            Verdict::Retry => Duration::ZERO,
            Verdict::After(delay) => delay,
            Verdict::NotBefore(at) => at - now,
            Verdict::GiveUp => return Err(GaveUp::NotRetried),
        };
        let elapsed = if S::TIMED { now - plan.started } else { Duration::ZERO };
        let delay = plan.schedule.delay(&mut Step::new(elapsed, least, &mut plan.random));
        let delay = delay.ok_or(GaveUp::Exhausted)?.max(least);
        let (at, deadline) = (now + delay, scope.effective_deadline());
        if at.is_never() || !deadline.allows(at) {
            return Err(GaveUp::TooLate { earliest: at, deadline });
        }
        let token = match &self.budget {
            Some(budget) => Some(budget.token(now).ok_or(GaveUp::NoBudget)?),
            None => None,
        };
        self.notify.notify(&Retrying { error, attempts, delay, at });
        Ok(Next { delay, at, token })
    }
}

/// What a run keeps between attempts.
struct Plan<S> {
    schedule: S,
    random: Random,
    started: Instant,
}

/// The next attempt.
struct Next<'a> {
    delay: Duration,
    at: Instant,
    token: Option<Token<'a>>,
}

impl<S: fmt::Debug, J, N> fmt::Debug for Retry<S, J, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("schedule", &self.schedule)
            .field("budget", &self.budget)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

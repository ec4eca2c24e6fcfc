//! Asking once more what takes long.

use super::budget::RetryBudget;
use super::latency::Latencies;
use crate::cancel::Scope;
use crate::task::FutureSet;
use crate::time::{Instant, Sleep};
use core::future::{Future, poll_fn};
use core::num::NonZeroU32;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;

/// Starts another attempt beside one that takes long, and takes the first that is well (J. Dean and L. A. Barroso, "The Tail at
/// Scale", CACM 56, 2013).
///
/// For what may be done twice, against a service of which some few answers take much longer than most: with a delay that 95 per
/// cent of the calls do not reach, it costs 5 per cent more calls, and cuts off what lies beyond. Against a service that has too
/// much to do it makes things worse: share a [`RetryBudget`].
///
/// An error is not hedged against: put a [`Retry`](super::Retry) around it, or inside.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::resilience::Hedge;
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, ms) = (Scope::new(sim.time()), Duration::from_millis);
///     let hedge = Hedge::after(ms(50));
///     let answer = hedge.run(&scope, |attempt| {
///         // The first one has met a server that is busy.
///         let sleep = scope.sleep(if attempt == 1 { ms(900) } else { ms(20) });
///         async move { (sleep.await, Ok::<_, ()>(attempt)).1 }
///     });
///     assert_eq!(answer.await, Ok(2));
///     assert_eq!((sim.now().as_nanos(), sim.time().pending()), (70_000_000, 0));
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Hedge {
    delay: Duration,
    quantile: Option<(Latencies, u32)>,
    most: u32,
    budget: Option<RetryBudget>,
}

impl Hedge {
    /// How many further attempts there are unless that is [set](Self::up_to): one.
    pub const UP_TO: NonZeroU32 = NonZeroU32::MIN;

    /// Starts another attempt when `delay` has passed. With no delay they begin at one instant, [one a poll](Self::run).
    #[must_use]
    pub const fn after(delay: Duration) -> Self {
        Self { delay, quantile: None, most: Self::UP_TO.get(), budget: None }
    }

    /// Starts another attempt when as much time has passed as `percent` of the calls did not exceed, by what `latencies` remembers,
    /// and fills it with what the first attempts take. As long as it knows too little, `delay` counts.
    ///
    /// A first attempt that loses is remembered with the time that it had taken by then: it was longer than the delay in any case, so
    /// that the quantile stays what it is.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::resilience::{Hedge, Latencies};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, ms) = (Scope::new(sim.time()), Duration::from_millis);
    ///     let latencies = Latencies::new();
    ///     let hedge = Hedge::quantile(&latencies, 90, Duration::from_secs(10));
    ///     let mut extra = 0;
    ///     for n in 0..1_000 {
    ///         let calls = core::cell::Cell::new(0);
    ///         let answer = hedge.run(&scope, |attempt| {
    ///             calls.set(attempt);
    ///             let sleep = scope.sleep(ms(if attempt == 1 { 1 + n * 37 % 100 } else { 10 }));
    ///             async move { (sleep.await, Ok::<_, ()>(())).1 }
    ///         });
    ///         answer.await.unwrap();
    ///         extra += calls.get() - 1;
    ///     }
    ///     assert!((50..=110).contains(&extra), "about one in ten: {extra}");
    /// });
    /// ```
    #[must_use]
    pub fn quantile(latencies: &Latencies, percent: u32, delay: Duration) -> Self {
        Self { quantile: Some((latencies.clone(), percent)), ..Self::after(delay) }
    }

    /// Starts up to so many further attempts, each one delay after the one before; [`UP_TO`](Self::UP_TO) unless set.
    #[must_use]
    pub fn up_to(self, attempts: NonZeroU32) -> Self {
        Self { most: attempts.get(), ..self }
    }

    /// Shares what may be spent on further attempts with others; see [`RetryBudget`].
    #[must_use]
    pub fn budget(self, budget: &RetryBudget) -> Self {
        Self { budget: Some(budget.clone()), ..self }
    }

    /// Calls `operation`, and again for as long as it takes long, until one attempt is well; or until all that have begun have
    /// failed. It is given the number of the attempt, from 1.
    ///
    /// When one is well the others are dropped, before this is ready. None is begun at the effective deadline of `scope` or after it,
    /// nor without a token of the budget. Where there is no delay each poll begins one, so that others have a turn, however many there
    /// may be.
    ///
    /// # Time
    /// Of `scope`. What is ready at the instant at which another would begin wins.
    ///
    /// # Cancel safety
    /// Dropping it drops all attempts.
    ///
    /// # Errors
    /// The last error, when all attempts that have begun have failed.
    ///
    /// # Panics
    /// If an attempt does: at once, the others being dropped with this. If the destructor of a loser does, when all are gone.
    pub async fn run<F, Fut, T, E>(&self, scope: &Scope, operation: F) -> Result<T, E>
    where
        F: Fn(u32) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(budget) = &self.budget {
            budget.deposit();
        }
        let started = scope.now();
        let delay = self.delay();
        let mut attempts = 1;
        let mut set = FutureSet::with_capacity(1);
        set.push(operation(attempts));
        let mut first_runs = true;
        let mut timer = pin!(self.timer(scope, started, delay, attempts));
        let mut yields = false;
        loop {
            match poll_fn(|cx| poll(&mut set, timer.as_mut(), &mut yields, cx)).await {
                Step::Ended(_, Ok(value)) => {
                    // It has just ended, or loses.
                    if first_runs {
                        self.remember(scope, started);
                    }
                    set.clear();
                    return Ok(value);
                }
                Step::Ended(_, Err(error)) if set.is_empty() => return Err(error),
                Step::Ended(index, Err(_)) => first_runs &= index != 0,
                Step::TimeUp => {
                    let now = scope.now();
                    let may = scope.check().is_ok() && self.budget.as_ref().is_none_or(|b| b.try_withdraw(now));
                    if !may {
                        timer.set(None);
                        continue;
                    }
                    attempts += 1;
                    set.push(operation(attempts));
                    timer.set(self.timer(scope, now, delay, attempts));
                    yields = delay.is_zero();
                }
            }
        }
    }

    fn delay(&self) -> Duration {
        let quantile = self.quantile.as_ref();
        quantile.and_then(|(latencies, percent)| latencies.quantile(*percent)).unwrap_or(self.delay)
    }

    /// Rings when another attempt is to begin; none: never.
    fn timer(&self, scope: &Scope, now: Instant, delay: Duration, attempts: u32) -> Option<Sleep> {
        let at = now + delay;
        let may = attempts <= self.most && !at.is_never() && scope.effective_deadline().allows(at);
        may.then(|| scope.sleep_until(at))
    }

    fn remember(&self, scope: &Scope, started: Instant) {
        if let Some((latencies, _)) = &self.quantile {
            latencies.record(scope.now() - started);
        }
    }
}

/// What happens next.
enum Step<R> {
    /// An attempt ended.
    Ended(usize, R),
    /// Another one is to begin.
    TimeUp,
}

fn poll<F: Future>(
    set: &mut FutureSet<F>,
    timer: Pin<&mut Option<Sleep>>,
    yields: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Step<F::Output>> {
    // First, so that what is ready at the same instant wins.
    if let Poll::Ready(Some((index, result))) = set.poll_join_next(cx) {
        return Poll::Ready(Step::Ended(index, result));
    }
    match timer.as_pin_mut() {
        Some(_) if core::mem::take(yields) => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Some(timer) => timer.poll(cx).map(|()| Step::TimeUp),
        None => Poll::Pending,
    }
}

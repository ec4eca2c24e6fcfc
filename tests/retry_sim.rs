//! Retries in the simulator: exact to the nanosecond, and as their model says whatever happens when.

use futures::FutureExt;
use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;
use wakeful::cancel::{Deadline, Outcome, Scope};
use wakeful::resilience::{
    Constant, Decorrelated, Exponential, Fibonacci, GaveUp, Jitter, Retry, RetryBudget, Schedule, Step, Verdict,
};
use wakeful::sim::{self, Builder, Sim};
use wakeful::time::Instant;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Instant {
    Instant::EPOCH + ms(millis)
}

/// When each attempt of `retry` began, in milliseconds, if all of them fail at once.
async fn attempts(sim: &Sim, scope: &Scope, retry: &Retry<impl Schedule>) -> (Vec<u64>, GaveUp) {
    let (begun, start) = (RefCell::new(Vec::new()), sim.now());
    let run = retry.run(scope, |attempt| {
        begun.borrow_mut().push((sim.now() - start).as_millis() as u64);
        let made = begun.borrow().len();
        async move {
            assert_eq!(attempt as usize, made);
            Err::<(), _>("down")
        }
    });
    let error = run.await.unwrap_err();
    assert_eq!(error.attempts as usize, begun.borrow().len());
    (begun.into_inner(), error.why)
}

#[test]
fn attempts_begin_exactly_when_the_schedule_says() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let retry = Retry::new(Exponential::new(ms(100)).cap(ms(300)).up_to(4));
        assert_eq!(attempts(&sim, &scope, &retry).await, (vec![0, 100, 300, 600, 900], GaveUp::Exhausted));
        let retry = Retry::new(Fibonacci::new(ms(10)).up_to(3).then(Constant::new(ms(5)).up_to_total(ms(11))));
        assert_eq!(attempts(&sim, &scope, &retry).await, (vec![0, 10, 20, 40, 45, 50], GaveUp::Exhausted));
        assert_eq!(attempts(&sim, &scope, &Retry::new(Constant::new(ms(1)).up_to(0))).await.0, [0]);
    });
}

#[test]
fn runs_have_jitter_of_their_own_unless_a_seed_is_set() {
    let run = |sim: Sim| async move {
        let scope = Scope::new(sim.time());
        let schedule = Constant::new(ms(1_000)).jitter(Jitter::Full).up_to(8);
        let (own, set) = (Retry::new(schedule), Retry::new(schedule).seed(5));
        let mut begun = Vec::new();
        for retry in [&own, &own, &own.clone(), &set, &set] {
            begun.push(attempts(&sim, &scope, retry).await.0);
        }
        let expected = schedule.delays(5).scan(Duration::ZERO, |sum, delay| {
            *sum += delay;
            Some(sum.as_millis() as u64)
        });
        assert!(begun[3][1..].iter().copied().eq(expected));
        assert_eq!(begun[3], begun[4]);
        begun.dedup();
        assert_eq!(begun.len(), 4, "{begun:?}");
        begun
    };
    assert_eq!(sim::run(run), sim::run(run), "and the same again in each run of a simulation");
}

#[test]
fn runs_at_one_instant_have_jitter_of_their_own() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let tasks = [(); 20].map(|()| {
            let (sim, scope) = (sim.clone(), scope.clone());
            sim.clone().spawn("caller", async move {
                let retry = Retry::new(Constant::new(ms(1_000)).jitter(Jitter::Full).up_to(1));
                retry.run(&scope, |_| async { Err::<(), _>(()) }).await.unwrap_err();
                sim.now()
            })
        });
        let mut ends = Vec::new();
        for task in tasks {
            ends.push(task.await);
        }
        ends.sort_unstable();
        ends.dedup();
        assert_eq!(ends.len(), 20);
    });
}

#[test]
fn a_wait_that_would_outlast_the_deadline_is_refused_at_once_and_one_before_it_is_not() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        for (limit, begun) in [(301, 4), (300, 3), (299, 3), (100, 1), (1, 1)] {
            let start = sim.now();
            let outcome = scope.move_on_after(ms(limit), async |s| {
                let scope = s.child();
                attempts(&sim, &scope, &Retry::new(Constant::new(ms(100)))).await
            });
            let (times, why) = outcome.await.done().expect("it gives up by itself");
            assert_eq!(times.len(), begun);
            let last = times[begun - 1];
            assert_eq!(sim.now(), start + ms(last), "at once");
            let (earliest, deadline) = (start + ms(last + 100), Deadline::At(start + ms(limit)));
            assert_eq!(why, GaveUp::TooLate { earliest, deadline });
        }
    });
}

#[test]
fn a_delay_of_never_is_the_end_also_where_there_is_no_deadline() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let never = GaveUp::TooLate { earliest: Instant::NEVER, deadline: Deadline::Never };
        let retry = Retry::new(Constant::new(Duration::MAX));
        assert_eq!(attempts(&sim, &scope, &retry).await, (vec![0], never));
        let retry = Retry::new(Constant::new(ms(1))).when(|()| Verdict::After(Duration::MAX));
        assert_eq!(retry.run(&scope, |_| async { Err::<(), _>(()) }).await.unwrap_err().why, never);
    });
}

#[test]
fn a_server_is_waited_for_when_it_asks_for_longer_than_the_schedule() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let retry = Retry::new(Exponential::new(ms(100)).up_to(9)).when(|verdict: &Verdict| *verdict);
        let script = [
            (Verdict::After(ms(50)), 100),
            (Verdict::After(ms(500)), 600),
            (Verdict::NotBefore(at(700)), 1_000),
            (Verdict::NotBefore(at(9_000)), 9_000),
            (Verdict::Retry, 10_600),
            (Verdict::GiveUp, 10_600),
        ];
        let run = retry.run(&scope, |attempt| async move { Err::<(), _>(script[attempt as usize - 1].0) });
        let error = run.await.unwrap_err();
        assert_eq!((error.attempts, error.why, sim.now()), (6, GaveUp::NotRetried, at(10_600)));
        let total = Retry::new(Constant::new(ms(10)).up_to_total(ms(100))).when(|()| Verdict::After(ms(60)));
        let error = total.run(&scope, |_| async { Err::<(), _>(()) }).await.unwrap_err();
        assert_eq!((error.attempts, error.why), (2, GaveUp::Exhausted), "what it asks for counts for a total");
    });
}

#[test]
fn a_total_counts_what_the_attempts_take() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let retry = Retry::new(Constant::new(ms(10)).up_to_total(ms(100)));
        let error = retry.run(&scope, |_| {
            let sleep = scope.sleep(ms(40));
            async move { (sleep.await, Err::<(), _>(())).1 }
        });
        assert_eq!((error.await.unwrap_err().attempts, sim.now()), (2, at(90)));
    });
}

#[test]
fn the_hook_is_told_of_each_wait_and_of_nothing_else() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let told = RefCell::new(Vec::new());
        let retry = Retry::new(Exponential::new(ms(10)).up_to(3)).when(|error: &u32| *error != 3).notify(|r| {
            told.borrow_mut().push((*r.error, r.attempts, r.delay, r.at));
        });
        retry.run(&scope, |attempt| async move { Err::<(), _>(attempt) }).await.unwrap_err();
        assert_eq!(*told.borrow(), [(1, 1, ms(10), at(10)), (2, 2, ms(20), at(30))]);
    });
}

#[test]
fn callers_of_a_service_share_what_they_spend_on_retries() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let budget = RetryBudget::new(20, 0, NonZeroU32::new(10).unwrap());
        let tasks = [(); 10].map(|()| {
            let (scope, budget) = (scope.clone(), budget.clone());
            sim.spawn("caller", async move {
                let retry = Retry::new(Constant::new(ms(10)).up_to(3)).budget(&budget);
                let mut attempts = 0;
                for _ in 0..10 {
                    attempts += retry.run(&scope, |_| async { Err::<(), _>(()) }).await.unwrap_err().attempts;
                }
                attempts
            })
        });
        let mut attempts = 0;
        for task in tasks {
            attempts += task.await;
        }
        // Ten were in hand, and a hundred calls bring twenty, of which none was brought while all were in hand.
        assert!((100 + 28..=100 + 30).contains(&attempts), "{attempts}");
    });
}

#[test]
fn a_retry_that_has_not_begun_gives_its_token_back() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let budget = RetryBudget::new(0, 0, NonZeroU32::MIN);
        let retry = Retry::new(Constant::new(ms(10))).budget(&budget);
        let fails = |_| async { Err::<(), _>(()) };
        let run = scope.child();
        let (cancelled, ()) = futures::join!(run.run(retry.run(&scope, fails)), async {
            scope.sleep(ms(5)).await;
            assert_eq!(budget.tokens(), 0);
            run.cancel("enough");
        });
        assert!(cancelled.is_cancelled());
        assert_eq!(budget.tokens(), 1);
        assert_eq!(retry.run(&scope, fails).await.unwrap_err().attempts, 2);
        assert_eq!(budget.tokens(), 0);
    });
}

#[test]
fn delays_of_zero_let_others_have_a_turn_and_end_with_the_scope() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time()).child();
        let (other, time) = (scope.clone(), sim.time());
        let task = sim.spawn("cancels", async move {
            time.sleep(Duration::ZERO).await;
            other.cancel("enough");
        });
        let tries = Cell::new(0_u64);
        let retry = Retry::new(Constant::new(Duration::ZERO));
        let run = retry.run(&scope, |_| async {
            tries.set(tries.get() + 1);
            Err::<(), _>("down")
        });
        let error = run.await.unwrap_err();
        assert!(matches!(error.why, GaveUp::TooLate { deadline: Deadline::Cancelled, .. }), "{error}");
        assert_eq!(u64::from(error.attempts), tries.get());
        task.await;
    });
}

#[test]
fn nothing_is_tried_again_in_a_scope_that_was_cancelled_meanwhile() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time()).child();
        let retry = Retry::new(Constant::new(ms(10)));
        let run = retry.run(&scope, |attempt| {
            if attempt == 2 {
                scope.cancel("enough");
            }
            async { Err::<(), _>("down") }
        });
        let error = run.await.unwrap_err();
        assert_eq!((error.attempts, sim.now()), (2, at(10)));
        assert_eq!(error.to_string(), "down (gave up after 2 attempts: the scope is cancelled)");
    });
}

#[test]
fn a_panic_goes_on_and_is_not_retried() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let budget = RetryBudget::default();
        let calls = Cell::new(0);
        let retry = Retry::new(Constant::new(ms(10))).budget(&budget);
        let run = retry.run(&scope, |attempt| {
            calls.set(attempt);
            async move { if attempt == 2 { resume_unwind(Box::new(7)) } else { Err::<(), _>(()) } }
        });
        let panic = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
        assert_eq!((panic.downcast_ref(), calls.get(), sim.time().pending()), (Some(&7), 2, 0));
    });
}

/// What an attempt does, and how long it takes.
#[derive(Clone, Copy, Debug)]
enum Attempt {
    Succeeds(u64),
    Fails(u64, Verdict),
    Panics(u64),
}

/// How a run ended.
#[derive(Debug, PartialEq)]
enum Ending {
    Value,
    Panic,
    Cut,
    Error(u32, GaveUp),
}

/// Any of the schedules, as a type of its own.
#[derive(Clone, Debug)]
enum Any {
    Constant(Constant),
    Exponential(Exponential),
    Fibonacci(Fibonacci),
    Decorrelated(Decorrelated),
}

impl Schedule for Any {
    const TIMED: bool = false;

    fn delay(&mut self, step: &mut Step<'_>) -> Option<Duration> {
        match self {
            Self::Constant(schedule) => schedule.delay(step),
            Self::Exponential(schedule) => schedule.delay(step),
            Self::Fibonacci(schedule) => schedule.delay(step),
            Self::Decorrelated(schedule) => schedule.delay(step),
        }
    }
}

/// What has to come of it, and when, in nanoseconds: the model.
fn model(
    script: &[Attempt],
    mut delays: impl Iterator<Item = Duration>,
    total: u64,
    deadline: u64,
    cut: u64,
    mut tokens: u64,
) -> (Ending, u64) {
    let end = deadline.min(cut);
    let mut now = 0;
    for (attempts, attempt) in (1..).zip(script) {
        let (Attempt::Succeeds(takes) | Attempt::Fails(takes, _) | Attempt::Panics(takes)) = attempt;
        now += takes * 1_000_000;
        // What is ready at the deadline counts.
        if now > end {
            return (Ending::Cut, end);
        }
        let verdict = match attempt {
            Attempt::Succeeds(_) => return (Ending::Value, now),
            Attempt::Panics(_) => return (Ending::Panic, now),
            Attempt::Fails(_, verdict) => *verdict,
        };
        let least = match verdict {
            Verdict::Retry => 0,
            Verdict::After(delay) => delay.as_nanos() as u64,
            Verdict::NotBefore(at) => at.as_nanos().saturating_sub(now),
            _ => return (Ending::Error(attempts, GaveUp::NotRetried), now),
        };
        let delay = delays.next().map(|delay| least.max(delay.as_nanos() as u64));
        let Some(delay) = delay.filter(|delay| now + delay < total) else {
            return (Ending::Error(attempts, GaveUp::Exhausted), now);
        };
        if now + delay >= deadline {
            let why = GaveUp::TooLate {
                earliest: Instant::from_nanos(now + delay),
                deadline: Deadline::At(Instant::from_nanos(deadline)),
            };
            return (Ending::Error(attempts, why), now);
        }
        if tokens == 0 {
            return (Ending::Error(attempts, GaveUp::NoBudget), now);
        }
        tokens -= 1;
        now += delay;
        if now > end {
            return (Ending::Cut, end);
        }
    }
    unreachable!("the script ends with a success")
}

/// Random attempts, schedules, deadlines and cancellations, beside the model.
async fn program(sim: Sim) {
    let scope = Scope::new(sim.time());
    let draw = |bound: usize| sim.choose(bound) as u64;
    let mut script: Vec<_> = (0..draw(7))
        .map(|_| match draw(16) {
            0 => Attempt::Panics(draw(4)),
            1 => Attempt::Succeeds(draw(4)),
            2 => Attempt::Fails(draw(4), Verdict::After(ms(draw(20)))),
            3 => Attempt::Fails(draw(4), Verdict::NotBefore(at(draw(60)))),
            4 => Attempt::Fails(draw(4), Verdict::GiveUp),
            _ => Attempt::Fails(draw(4), Verdict::Retry),
        })
        .collect();
    script.push(Attempt::Succeeds(draw(4)));
    let first = ms(draw(5));
    let schedule = match draw(4) {
        0 => Any::Constant(Constant::new(first)),
        1 => Any::Exponential(Exponential::new(first)),
        2 => Any::Fibonacci(Fibonacci::new(first)),
        _ => Any::Decorrelated(Decorrelated::new(first, ms(20))),
    };
    let (seed, jitter) = (draw(1_000), [Jitter::None, Jitter::Full, Jitter::Equal][draw(3) as usize]);
    let schedule = schedule.cap(ms(1 + draw(12))).jitter(jitter).up_to(1 + draw(7) as u32);
    // Cut by somebody else at an instant of its own, so that who is first is no question of the schedule.
    let (total, deadline) = (1 + draw(60), 1 + draw(50));
    let cut = if draw(2) == 0 { u64::MAX } else { draw(40) * 1_000_000 + 500_001 };
    let tokens = 1 + draw(6);
    let budget = RetryBudget::new(0, 0, NonZeroU32::new(tokens as u32).unwrap());
    let expected = model(&script, schedule.delays(seed), total * 1_000_000, deadline * 1_000_000, cut, tokens);

    let told = Cell::new(0);
    let retry = Retry::new(schedule.up_to_total(ms(total)))
        .when(|verdict: &Verdict| *verdict)
        .notify(|_| told.set(told.get() + 1))
        .budget(&budget)
        .seed(seed);
    let begun = Cell::new(0);
    let (whole, time) = (scope.child_at(at(deadline)), sim.time());
    let stop = whole.clone();
    let stopper = sim.spawn("stops it", async move {
        let still = stop.clone();
        let wait = async { time.sleep_until(Instant::from_nanos(cut)).await };
        let _ = still.run(wait).await;
        stop.cancel("enough");
    });
    let run = whole.run(retry.run(&whole, |attempt| {
        assert_eq!(attempt, begun.get() + 1);
        begun.set(attempt);
        let (attempt, time) = (script[attempt as usize - 1], sim.time());
        async move {
            match attempt {
                Attempt::Succeeds(takes) => {
                    time.sleep(ms(takes)).await;
                    Ok(())
                }
                Attempt::Fails(takes, verdict) => Err((time.sleep(ms(takes)).await, verdict).1),
                Attempt::Panics(takes) => {
                    time.sleep(ms(takes)).await;
                    resume_unwind(Box::new("planned"))
                }
            }
        }
    }));
    let ending = match AssertUnwindSafe(run).catch_unwind().await {
        Ok(Outcome::Done(Ok(()))) => Ending::Value,
        Ok(Outcome::Done(Err(error))) => {
            let why = match error.why {
                // At the deadline itself somebody else may have noticed it before.
                GaveUp::TooLate { earliest, deadline: Deadline::Cancelled } if sim.now() == at(deadline) => {
                    GaveUp::TooLate { earliest, deadline: Deadline::At(at(deadline)) }
                }
                why => why,
            };
            Ending::Error(error.attempts, why)
        }
        Ok(Outcome::Cancelled(_)) => Ending::Cut,
        Err(_) => Ending::Panic,
    };
    assert_eq!((ending, sim.now().as_nanos()), expected);
    // Of those that were told of, one may not have begun; its token is back.
    assert!(begun.get() == told.get() + 1 || begun.get() == told.get());
    assert_eq!(u64::from(budget.tokens() + begun.get()), tokens + 1);
    whole.cancel("over");
    stopper.await;
    assert_eq!(sim.time().pending(), 0);
}

#[test]
fn whatever_happens_a_retry_does_as_its_model() {
    Builder::new().runs(6_000).check(program);
}

//! Hedges in the simulator: as their model says, and the losers are gone first.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::pin::pin;
use std::time::Duration;
use wakeful::cancel::{Outcome, Scope};
use wakeful::resilience::{Hedge, Latencies, RetryBudget, fallback};
use wakeful::sim::{self, Builder, Sim};
use wakeful::time::Instant;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Instant {
    Instant::EPOCH + ms(millis)
}

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// Says when it is dropped.
struct Guard<'a>(&'a RefCell<Vec<u32>>, u32);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

#[test]
fn the_losers_are_dropped_before_the_answer_is_given() {
    sim::check(|sim| async move {
        let (scope, dropped) = (Scope::new(sim.time()), RefCell::new(Vec::new()));
        let hedge = Hedge::after(ms(10)).up_to(nz(2));
        let answer = hedge.run(&scope, |attempt| {
            let (guard, sleep) = (Guard(&dropped, attempt), scope.sleep(ms([100, 15, 100][attempt as usize - 1])));
            async move {
                let _guard = guard;
                sleep.await;
                Ok::<_, ()>(attempt)
            }
        });
        assert_eq!(answer.await, Ok(2));
        let mut dropped = dropped.into_inner();
        dropped.sort_unstable();
        assert_eq!((dropped, sim.now(), sim.time().pending()), (vec![1, 2, 3], at(25), 0));
    });
}

#[test]
fn an_answer_in_time_starts_nothing_else_and_one_at_the_very_instant_wins() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        for takes in [0, 9, 10] {
            let begun = Cell::new(0);
            let hedge = Hedge::after(ms(10));
            let answer = hedge.run(&scope, |attempt| {
                begun.set(attempt);
                let sleep = scope.sleep(ms(takes));
                async move { (sleep.await, Ok::<_, ()>(attempt)).1 }
            });
            assert_eq!((answer.await, begun.get()), (Ok(1), 1));
        }
    });
}

#[test]
fn without_a_delay_each_poll_begins_one_attempt() {
    sim::check(|sim| async move {
        let (scope, begun) = (Scope::new(sim.time()), Cell::new(0));
        let hedge = Hedge::after(Duration::ZERO).up_to(nz(5));
        let mut run = pin!(hedge.run(&scope, |attempt| {
            begun.set(attempt);
            let sleep = scope.sleep(ms(10));
            async move { (sleep.await, Ok::<_, ()>(attempt)).1 }
        }));
        for polls in 1..=5 {
            assert!(futures::poll!(run.as_mut()).is_pending());
            assert_eq!(begun.get(), polls + 1);
        }
        assert_eq!((run.await, sim.now(), begun.get()), (Ok(1), at(10), 6));
    });
}

#[test]
fn a_scope_that_was_cancelled_starts_no_further_attempt() {
    sim::check(|sim| async move {
        let (scope, begun) = (Scope::new(sim.time()), Cell::new(0));
        let (hedge, budget) = (Hedge::after(ms(10)), RetryBudget::new(0, 0, nz(1)));
        let hedge = hedge.budget(&budget);
        let answer = hedge.run(&scope, |attempt| {
            begun.set(attempt);
            // By the clock, not in the scope, as a call that goes on does.
            let sleep = sim.time().sleep(ms(20));
            async move { (sleep.await, Ok::<_, ()>(attempt)).1 }
        });
        let cancels = async {
            sim.time().sleep(ms(5)).await;
            scope.cancel("enough");
        };
        assert_eq!(futures::join!(answer, cancels).0, Ok(1));
        assert_eq!((begun.get(), budget.tokens(), sim.now()), (1, 1, at(20)));
    });
}

#[test]
fn a_quantile_follows_what_the_calls_take() {
    let latencies = Latencies::new();
    assert_eq!((latencies.quantile(50), latencies.quantile(100)), (None, None));
    latencies.record(Duration::ZERO);
    assert_eq!((latencies.quantile(0), latencies.quantile(1)), (Some(Duration::ZERO), None));
    assert_eq!(latencies.quantile(100), Some(Duration::ZERO));
    for n in 0..4_000_u32 {
        latencies.record(Duration::from_nanos(u64::from(n)));
    }
    // The thousand before, and one.
    assert_eq!(latencies.count(), 1_001);
    for (percent, least) in [(0, 2_999), (50, 3_499), (99, 3_989), (100, 3_999)] {
        let quantile = latencies.quantile(percent).unwrap().as_nanos();
        assert!((least..=least * 9 / 8).contains(&quantile), "{percent}: {quantile}");
    }
    (0..2_000).for_each(|_| latencies.record(Duration::MAX));
    assert_eq!(latencies.quantile(1), Some(Duration::from_nanos(u64::MAX)));
}

#[test]
fn a_quantile_is_never_too_short_and_never_too_long_by_more_than_an_eighth() {
    for bits in 0..64 {
        for offset in [-1, 0, 1, 3] {
            let nanos = (1_u64 << bits).saturating_add_signed(offset);
            let latencies = Latencies::new();
            latencies.record(Duration::from_nanos(nanos));
            let quantile = latencies.quantile(100).unwrap().as_nanos() as u64;
            assert!(quantile >= nanos && quantile - nanos <= nanos / 8, "{nanos}: {quantile}");
        }
    }
}

#[test]
fn a_fallback_is_called_with_the_error_and_only_then() {
    sim::check(|sim| async move {
        let time = sim.time();
        let calls = Cell::new(0);
        let second = async |error: &str| {
            calls.set(calls.get() + 1);
            time.sleep(ms(5)).await;
            if error == "down" { Ok("cached") } else { Err(7) }
        };
        assert_eq!(fallback(async || Ok("fresh"), second).await, Ok("fresh"));
        assert_eq!(calls.get(), 0);
        assert_eq!(fallback(async || Err("down"), second).await, Ok("cached"));
        assert_eq!(fallback(async || Err("wrong"), second).await, Err(7));
        assert_eq!((calls.get(), sim.now()), (2, at(10)));
    });
}

/// What has to come of it: the attempt that is well or how many have failed, when, and how many began. The model, which goes
/// from one instant to the next.
fn model(
    script: &[(u64, bool)],
    delay: u64,
    most: u64,
    tokens: u64,
    deadline: u64,
) -> (Option<Result<u32, u32>>, u64, u32) {
    let mut begun = vec![0];
    let may = 1 + most.min(tokens) as usize;
    for now in 0..=deadline {
        let ended = |is: fn(u64, u64) -> bool| {
            let each = begun.iter().zip(script).enumerate();
            each.filter(|(_, (start, (takes, _)))| is(**start + takes, now))
                .map(|(n, (_, (_, well)))| (n, *well))
                .collect::<Vec<_>>()
        };
        let count = begun.len() as u32;
        // Those that are ready at one instant are seen in any order, so scripts are such that they are not.
        if let Some((n, _)) = ended(|end, now| end == now).iter().find(|(_, well)| *well) {
            return (Some(Ok(*n as u32 + 1)), now, count);
        }
        let over = ended(|end, now| end <= now);
        if over.len() == begun.len() {
            return (Some(Err(count)), now, count);
        }
        if now == deadline {
            return (None, now, count);
        }
        if now == begun.last().unwrap() + delay && begun.len() < may && now < deadline {
            begun.push(now);
        }
    }
    unreachable!("it ends with the deadline")
}

async fn program(sim: Sim) {
    let scope = Scope::new(sim.time());
    let draw = |bound: usize| sim.choose(bound) as u64;
    // Eight units to a millisecond, and an own one for each attempt: no two end together.
    let script: Vec<_> = (0..4).map(|n| (draw(30) * 8 + n + 1, draw(3) > 0)).collect();
    let (delay, most, tokens, deadline) = (8 * (1 + draw(12)), 1 + draw(3), 1 + draw(3), 8 * (1 + draw(30)));
    let expected = model(&script, delay, most, tokens, deadline);
    let unit = |n: u64| Duration::from_micros(125 * n);

    let budget = RetryBudget::new(0, 0, nz(tokens as u32));
    let hedge = Hedge::after(unit(delay)).up_to(nz(most as u32)).budget(&budget);
    let (begun, live) = (Cell::new(0), Cell::new(0));
    let outcome = scope.move_on_after(unit(deadline), async |s| {
        let run = hedge.run(s, |attempt| {
            assert_eq!(attempt, begun.get() + 1);
            begun.set(attempt);
            live.set(live.get() + 1);
            let (takes, well) = script[attempt as usize - 1];
            let (sleep, live) = (sim.time().sleep(unit(takes)), &live);
            let leaves = scopeguard(|| live.set(live.get() - 1));
            async move {
                let _leaves = leaves;
                sleep.await;
                if well { Ok(attempt) } else { Err(attempt) }
            }
        });
        let result = run.await;
        assert_eq!(live.get(), 0, "the losers are gone");
        result.map_err(|_| begun.get())
    });
    let result = match outcome.await {
        Outcome::Done(result) => Some(result),
        Outcome::Cancelled(_) => None,
    };
    assert_eq!((result, sim.now().as_nanos(), begun.get()), (expected.0, expected.1 * 125_000, expected.2));
    assert_eq!(u64::from(budget.tokens()), tokens - u64::from(begun.get() - 1));
    assert_eq!((live.get(), sim.time().pending()), (0, 0));
}

/// Calls `f` when it is dropped.
fn scopeguard(f: impl FnMut()) -> impl Drop {
    struct Calls<F: FnMut()>(F);
    impl<F: FnMut()> Drop for Calls<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    Calls(f)
}

#[test]
fn whatever_happens_a_hedge_does_as_its_model() {
    Builder::new().runs(4_000).check(program);
}

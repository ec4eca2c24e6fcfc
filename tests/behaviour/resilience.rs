//! Calls of services that fail.

use crate::support::{Cx, LONG, Spawner, again, ms};
use futures::future::{join_all, select_all};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use wakeful::cancel::{Deadline, FailError};
use wakeful::resilience::{
    BreakerConfig, BreakerState, Bulkhead, BulkheadConfig, BulkheadError, CallError, CircuitBreaker, CircuitOpen,
    Constant, Exponential, GaveUp, Hedge, Jitter, Retry, RetryBudget, RetryError, Schedule, Verdict, fallback,
};

pub(crate) async fn attempts_come_when_the_schedule_says(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let retry = Retry::new(Exponential::new(ms(2)).cap(ms(5)).up_to(3));
    let run = retry.run(&scope, |attempt| {
        cx.assert_at([0, 2, 6, 11][attempt as usize - 1]);
        async move { if attempt == 4 { Ok(attempt) } else { Err(()) } }
    });
    assert_eq!(run.await, Ok(4));
    cx.assert_at(11);
}

pub(crate) async fn a_server_says_when_to_come_back(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let retry = Retry::new(Constant::new(ms(1)).up_to(9)).when(|status: &u32| match status {
        429 => Verdict::After(ms(10)),
        503 => Verdict::Retry,
        _ => Verdict::GiveUp,
    });
    let answers = [429, 503, 404];
    let error =
        retry.run(&scope, |attempt| async move { Err::<(), _>(answers[attempt as usize - 1]) }).await.unwrap_err();
    assert_eq!((error.error, error.attempts, error.why), (404, 3, GaveUp::NotRetried));
    cx.assert_at(11);
}

pub(crate) async fn nobody_waits_for_an_attempt_that_would_be_too_late(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let limit = LONG / 2;
    let outcome = scope.move_on_after(limit, async |s| {
        let error = Retry::new(Constant::new(LONG)).run(s, |_| async { Err::<(), _>("down") }).await.unwrap_err();
        let GaveUp::TooLate { earliest, deadline } = error.why else { panic!("{}", error.why) };
        assert!(!deadline.allows(earliest) && deadline != Deadline::Cancelled);
        error.error
    });
    assert_eq!(outcome.await.done(), Some("down"));
    cx.assert_at(0);
}

pub(crate) async fn tasks_share_a_budget_for_retries(cx: Cx<impl Spawner>) {
    let budget = RetryBudget::new(0, 0, NonZeroU32::new(5).unwrap());
    let calls = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..4)
        .map(|seed| {
            let (scope, budget, calls) = (cx.scope(), budget.clone(), calls.clone());
            cx.spawn("caller", async move {
                let schedule = Constant::new(ms(2)).jitter(Jitter::Equal).up_to(3);
                let retry = Retry::new(schedule).budget(&budget).seed(seed);
                let run = retry.run(&scope, |_| async {
                    calls.fetch_add(1, Ordering::Relaxed);
                    Err::<(), _>(())
                });
                run.await.unwrap_err().attempts
            })
        })
        .collect();
    let attempts: u32 = join_all(tasks).await.into_iter().sum();
    assert_eq!((attempts, calls.load(Ordering::Relaxed), budget.tokens()), (9, 9, 0));
}

pub(crate) async fn a_breaker_opens_and_finds_out_when_to_close(cx: Cx<impl Spawner>) {
    let config = BreakerConfig::consecutive(NonZeroU32::new(2).unwrap()).open_for(ms(5)).probes(NonZeroU32::MIN);
    let breaker = CircuitBreaker::new(&cx.time, config).unwrap();
    for _ in 0..2 {
        assert_eq!(breaker.call(async || Err::<(), _>("down")).await, Err(CallError::Failed("down")));
    }
    // A machine that is late may find the open time over.
    if let Err(CallError::Refused(open)) = breaker.call(async || Err::<(), _>("down")).await {
        cx.time.sleep_until(open.retry_at).await;
        cx.assert_at(5);
        assert_eq!(breaker.call(async || Ok::<_, ()>("up")).await, Ok("up"));
        assert_eq!(breaker.state(), BreakerState::Closed);
    } else {
        assert!(!cx.exact());
    }
}

pub(crate) async fn a_probe_that_is_cut_short_is_given_back(cx: Cx<impl Spawner>) {
    let config = BreakerConfig::consecutive(NonZeroU32::MIN).open_for(ms(5)).probes(NonZeroU32::MIN);
    let breaker = CircuitBreaker::new(&cx.time, config).unwrap();
    breaker.trip();
    cx.sleep(5).await;
    let scope = cx.scope();
    let (probe, patience) = (breaker.clone(), ms(cx.soon()));
    let task = cx.spawn("probe", async move {
        let hangs = scope.move_on_after(patience, async |s| {
            let hang = async || {
                s.sleep(LONG).await;
                Err::<(), _>(())
            };
            let _ = probe.call(hang).await;
        });
        hangs.await.is_cancelled()
    });
    assert!(task.await);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert!(breaker.call(async || Ok::<_, ()>(())).await.is_ok());
}

pub(crate) async fn a_bulkhead_turns_away_who_finds_no_room(cx: Cx<impl Spawner>) {
    let config = BulkheadConfig::new(NonZeroU32::MIN).waiting(1).longest_wait(LONG);
    let bulkhead = Bulkhead::new(&cx.time, config);
    let seat = bulkhead.enter().await.unwrap();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let bulkhead = bulkhead.clone();
            cx.spawn("caller", async move { bulkhead.call(async || Ok::<_, ()>(())).await })
        })
        .collect();
    while bulkhead.waiting() < 1 {
        again().await;
    }
    let full = CallError::Refused(BulkheadError::Full { in_flight: 1, waiting: 1 });
    let mut tasks = tasks.into_iter().map(Box::pin).collect::<Vec<_>>();
    // Two are turned away, whoever they are; the third waits until there is room.
    for _ in 0..2 {
        let (turned_away, _, rest) = select_all(tasks).await;
        assert_eq!(turned_away, Err(full));
        tasks = rest;
    }
    drop(seat);
    assert_eq!(join_all(tasks).await, [Ok(())]);
}

pub(crate) async fn a_hedge_takes_the_first_that_is_well(cx: Cx<impl Spawner>) {
    let (scope, live) = (cx.scope(), Arc::new(()));
    let answer = Hedge::after(ms(3))
        .run(&scope, |attempt| {
            let (live, sleep) = (live.clone(), scope.sleep(if attempt == 1 { LONG } else { ms(2) }));
            async move {
                sleep.await;
                drop(live);
                Ok::<_, ()>(attempt)
            }
        })
        .await;
    assert_eq!((answer, Arc::strong_count(&live)), (Ok(2), 1));
    cx.assert_at(5);
}

pub(crate) async fn what_stands_around_a_call_nests(cx: Cx<impl Spawner>) {
    let (scope, late) = (cx.scope(), cx.soon());
    let config = BreakerConfig::consecutive(NonZeroU32::new(2).unwrap());
    let (breaker, bulkhead) =
        (CircuitBreaker::new(&cx.time, config).unwrap(), Bulkhead::new(&cx.time, BulkheadConfig::new(NonZeroU32::MIN)));
    let retry = Retry::new(Constant::new(ms(1)).up_to(5)).when(|error: &CallError<_, CallError<_, _>>| {
        matches!(error, CallError::Failed(CallError::Failed(FailError::TimedOut(_))))
    });
    let price = fallback(
        async || {
            let attempt = async |_| {
                let call = async || scope.fail_after(ms(late), async |s| (s.sleep(LONG).await, 120).1).await;
                bulkhead.call(async || breaker.call(call).await).await
            };
            retry.run(&scope, attempt).await
        },
        async |error: RetryError<_>| Err::<i32, _>((error.attempts, error.error)),
    );
    let (attempts, error) = price.await.unwrap_err();
    // Two time out, and then the breaker is open.
    assert_eq!(attempts, 3);
    assert!(matches!(error, CallError::Failed(CallError::Refused(CircuitOpen { .. }))));
    cx.assert_at(2 * late + 2);
    assert_eq!(bulkhead.in_flight(), 0);
}

//! Retries and what stands before calls: who is dropped gives back what he held, and no timer is left.

use crate::ms;
use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::Arc;
use wakeful::cancel::Scope;
use wakeful::resilience::{
    BreakerConfig, BreakerState, Bulkhead, BulkheadConfig, CircuitBreaker, Exponential, Hedge, Mark, Retry,
    RetryBudget, Schedule, fallback,
};
use wakeful::sim::Sim;

crate::sweeps! {
    "resilience::Retry::run" => retry,
    "resilience::CircuitBreaker::call" => breaker_call,
    "resilience::CircuitBreaker::call_with" => breaker_call_with,
    "resilience::Bulkhead::enter" => enter,
    "resilience::Bulkhead::call" => bulkhead_call,
    "resilience::Hedge::run" => hedge,
    "resilience::fallback" => fall_back,
}

async fn retry(sim: Sim) {
    let scope = Scope::new(sim.time());
    let budget = RetryBudget::new(0, 0, NonZeroU32::new(4).unwrap());
    let retry = Retry::new(Exponential::new(ms(0)).up_to(1).then(Exponential::new(ms(10)).up_to(2))).budget(&budget);
    let (begun, time) = (Cell::new(0), sim.time());
    let run = retry.run(&scope, |attempt| {
        begun.set(attempt);
        let sleep = time.sleep(ms(5));
        async move {
            sleep.await;
            if attempt == 4 { Ok(attempt) } else { Err(()) }
        }
    });
    if let Some(value) = sim.cancel_at_each(run).await {
        assert_eq!((value, sim.now().as_nanos()), (Ok(4), 50_000_000));
    }
    // A token each for the attempts that have begun, but the first.
    assert_eq!(budget.tokens(), 4 - begun.get().saturating_sub(1));
    assert_eq!(time.pending(), 0);
}

async fn breaker_call(sim: Sim) {
    probe(sim, async |breaker, sim| {
        let call = breaker.call(async || {
            sim.time().sleep(ms(5)).await;
            Ok::<_, ()>(())
        });
        sim.cancel_at_each(call).await.is_some()
    })
    .await;
}

async fn breaker_call_with(sim: Sim) {
    probe(sim, async |breaker, sim| {
        let call = breaker.call_with(|()| Some(Mark::Success), async || sim.time().sleep(ms(5)).await);
        sim.cancel_at_each(call).await.is_some()
    })
    .await;
}

/// Half-open, with one probe: dropped, it is given back to the next one.
async fn probe(sim: Sim, one: impl AsyncFnOnce(&CircuitBreaker, &Sim) -> bool) {
    let config = BreakerConfig::consecutive(NonZeroU32::MIN).open_for(ms(10)).probes(NonZeroU32::MIN);
    let breaker = CircuitBreaker::new(&sim.time(), config).unwrap();
    breaker.trip();
    sim.time().sleep(ms(10)).await;
    if one(&breaker, &sim).await {
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
    breaker.call(async || Ok::<_, ()>(())).await.unwrap();
    assert_eq!((breaker.state(), sim.time().pending()), (BreakerState::Closed, 0));
}

async fn enter(sim: Sim) {
    seats(sim, async |bulkhead, sim| {
        if let Some(seat) = sim.cancel_at_each(bulkhead.enter()).await {
            drop(seat.unwrap());
        }
    })
    .await;
}

async fn bulkhead_call(sim: Sim) {
    seats(sim, async |bulkhead, sim| {
        let call = bulkhead.call(async || {
            sim.time().sleep(ms(50)).await;
            Ok::<_, ()>(())
        });
        sim.cancel_at_each(call).await;
    })
    .await;
}

/// There is one seat, for a tenth of a second each: no time is lost, and it comes back.
async fn seats(sim: Sim, one: impl AsyncFnOnce(&Bulkhead, &Sim)) {
    let config = BulkheadConfig::new(NonZeroU32::MIN).waiting(4).longest_wait(ms(1_000));
    let (bulkhead, start) = (Bulkhead::new(&sim.time(), config), sim.now());
    let first = bulkhead.enter().await.unwrap();
    let others = [0, 1, 2].map(|_| {
        let (bulkhead, time) = (bulkhead.clone(), sim.time());
        sim.spawn("caller", async move {
            let _seat = bulkhead.enter().await.unwrap();
            time.sleep(ms(100)).await;
        })
    });
    sim.yield_now().await;
    drop(first);
    one(&bulkhead, &sim).await;
    for other in others {
        other.await;
    }
    let took = sim.now() - start;
    assert!(took == ms(300) || took > ms(300) && took <= ms(350), "{took:?}");
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting(), sim.time().pending()), (0, 0, 0));
}

async fn hedge(sim: Sim) {
    let (scope, live) = (Scope::new(sim.time()), Arc::new(()));
    let hedge = Hedge::after(ms(10)).up_to(NonZeroU32::new(2).unwrap());
    let run = hedge.run(&scope, |attempt| {
        let (live, sleep) = (live.clone(), scope.sleep(ms(50)));
        async move {
            sleep.await;
            drop(live);
            if attempt == 3 { Ok(attempt) } else { Err(()) }
        }
    });
    if let Some(answer) = sim.cancel_at_each(run).await {
        assert_eq!((answer, sim.now().as_nanos()), (Ok(3), 70_000_000));
    }
    assert_eq!((Arc::strong_count(&live), sim.time().pending()), (1, 0));
}

async fn fall_back(sim: Sim) {
    let (time, called) = (sim.time(), Cell::new(0));
    let call = async |takes| {
        called.set(called.get() + 1);
        time.sleep(ms(takes)).await;
    };
    let first = async || {
        call(10).await;
        Err::<(), _>("down")
    };
    let second = async |_: &str| {
        call(10).await;
        Ok::<_, ()>(())
    };
    if let Some(answer) = sim.cancel_at_each(fallback(first, second)).await {
        assert_eq!((answer, called.get(), sim.now().as_nanos()), (Ok(()), 2, 20_000_000));
    }
    assert_eq!(time.pending(), 0);
}

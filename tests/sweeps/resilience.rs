//! Retries and what stands before calls: who is dropped gives back what he held, and no timer is left.

use crate::ms;
use std::cell::Cell;
use std::num::NonZeroU32;
use wakeful::cancel::Scope;
use wakeful::resilience::{
    BreakerConfig, BreakerState, CircuitBreaker, Exponential, Mark, Retry, RetryBudget, Schedule,
};
use wakeful::sim::Sim;

crate::sweeps! {
    "resilience::Retry::run" => retry,
    "resilience::CircuitBreaker::call" => breaker_call,
    "resilience::CircuitBreaker::call_with" => breaker_call_with,
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

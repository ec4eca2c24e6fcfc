//! Retries and what stands before calls: who is dropped gives back what he held, and no timer is left.

use crate::ms;
use std::cell::Cell;
use std::num::NonZeroU32;
use wakeful::cancel::Scope;
use wakeful::resilience::{Exponential, Retry, RetryBudget, Schedule};
use wakeful::sim::Sim;

crate::sweeps! {
    "resilience::Retry::run" => retry,
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

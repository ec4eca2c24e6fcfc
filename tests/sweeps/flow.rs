//! Calls that have turns: one that is given up leaves no timer, and those behind it are not kept waiting.

use crate::ms;
use wakeful::flow::{Debounce, Edge, Skipped, Spaced, Throttle};
use wakeful::sim::Sim;

crate::sweeps! {
    "flow::Debounce::call" => debounce,
    "flow::Throttle::call" => throttle,
    "flow::Spaced::call" => spaced,
}

async fn debounce(sim: Sim) {
    let (debounce, time) = (Debounce::new(&sim.time(), ms(20)), sim.time());
    let rival = sim.spawn("rival", {
        let (debounce, time) = (debounce.clone(), sim.time());
        async move {
            time.sleep(ms(10)).await;
            debounce.call(async || time.now()).await
        }
    });
    let called = sim.cancel_at_each(debounce.call(async || time.sleep(ms(5)).await)).await;
    assert!(matches!(called, None | Some(Err(Skipped::Superseded))), "the other comes in between: {called:?}");
    assert_eq!(rival.await.map(|at| at.as_nanos()), Ok(30_000_000));
    assert_eq!((debounce.is_pending(), time.pending()), (false, 0));
    // One that has been superseded by nobody runs, and its timer is gone if it is dropped.
    if let Some(called) = sim.cancel_at_each(debounce.call(async || time.sleep(ms(5)).await)).await {
        assert_eq!((called, sim.now().as_nanos()), (Ok(()), 55_000_000));
    }
    assert_eq!((debounce.is_pending(), time.pending()), (false, 0));
}

async fn throttle(sim: Sim) {
    let (throttle, time) = (Throttle::new(&sim.time(), ms(20), Edge::Both), sim.time());
    throttle.call(async || ()).await.unwrap();
    if let Some(called) = sim.cancel_at_each(throttle.call(async || time.sleep(ms(5)).await)).await {
        assert_eq!((called, sim.now().as_nanos()), (Ok(()), 25_000_000));
    }
    assert_eq!((throttle.is_pending(), time.pending()), (false, 0));
    let at = throttle.call(async || time.now()).await.unwrap();
    assert!([20, 40].contains(&(at.as_nanos() / 1_000_000)), "the period of whichever ran is kept: {at:?}");
}

async fn spaced(sim: Sim) {
    let (spaced, time) = (Spaced::new(&sim.time(), ms(20)).unwrap(), sim.time());
    spaced.call(async || ()).await;
    let rival = sim.spawn("rival", {
        let (spaced, time) = (spaced.clone(), sim.time());
        async move { spaced.call(async || time.now()).await }
    });
    let called = sim.cancel_at_each(spaced.call(async || time.now())).await;
    let mut at = vec![rival.await.as_nanos() / 1_000_000];
    at.extend(called.map(|at| at.as_nanos() / 1_000_000));
    at.sort();
    assert!(at == [20, 40] || at == [20], "who is left moves up: {at:?}");
    assert_eq!(time.pending(), 0);
}

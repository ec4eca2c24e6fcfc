//! Limiters: a place in line that is given up goes to the others, and no time is lost.

use crate::ms;
use std::num::NonZeroU32;
use wakeful::limit::{Limiter, Quota};
use wakeful::sim::Sim;

crate::sweeps! {
    "limit::Acquire" => acquire,
}

async fn acquire(sim: Sim) {
    let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
    let (time, start) = (sim.time(), sim.now());
    let others = [0, 1, 2].map(|_| {
        let (limiter, time) = (limiter.clone(), time.clone());
        sim.spawn("caller", async move {
            limiter.acquire(1).await.unwrap();
            time.now() - start
        })
    });
    limiter.try_acquire(1).unwrap();
    sim.yield_now().await;
    let mut granted = Vec::new();
    if let Some(result) = sim.cancel_at_each(limiter.acquire(1)).await {
        result.unwrap();
        granted.push(time.now() - start);
    }
    for other in others {
        granted.push(other.await);
    }
    granted.sort_unstable();
    assert!(granted.iter().enumerate().all(|(n, at)| *at == ms(100 * (n as u64 + 1))), "{granted:?}");
    assert_eq!(time.pending(), 0);
}

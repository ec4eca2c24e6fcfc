//! The simulator's own futures.

use crate::ms;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use wakeful::sim::{JoinHandle, Sim};

crate::sweeps! {
    "sim::JoinHandle" => join,
    "sim::JoinHandle::outcome" => outcome,
    "sim::Lull" => lull,
    "sim::YieldNow" => yield_now,
    "sim::Sim::jump" => jump,
    "sim::CancelAtEach" => cancel_at_each,
}

/// A task that takes a millisecond, and whether it is done.
fn task(sim: &Sim) -> (JoinHandle<u32>, Arc<AtomicBool>) {
    let (done, task) = (Arc::new(AtomicBool::new(false)), sim.clone());
    let ends = done.clone();
    let handle = sim.spawn("task", async move {
        task.time().sleep(ms(1)).await;
        ends.store(true, Relaxed);
        7
    });
    (handle, done)
}

/// The task goes on by itself.
async fn join(sim: Sim) {
    let (handle, done) = task(&sim);
    assert!(sim.cancel_at_each(handle).await.is_none_or(|output| output == 7));
    sim.advance(ms(1)).await;
    assert!(done.load(Relaxed));
}

async fn outcome(sim: Sim) {
    let (handle, done) = task(&sim);
    assert!(sim.cancel_at_each(handle.outcome()).await.is_none_or(|output| output == Some(7)));
    sim.advance(ms(1)).await;
    assert!(done.load(Relaxed));
}

/// The others wait for theirs, and time is where they expect it.
async fn lull(sim: Sim) {
    let start = sim.now();
    let others = [0, 1, 3].map(|n| {
        let task = sim.clone();
        sim.spawn("other", async move {
            task.advance(ms(n)).await;
            assert_eq!(task.now(), start + ms(n));
        })
    });
    if sim.cancel_at_each(sim.advance(ms(2))).await.is_some() {
        assert_eq!(sim.now(), start + ms(2));
    }
    for other in others {
        other.await;
    }
    assert_eq!(sim.now(), start + ms(3));
}

async fn yield_now(sim: Sim) {
    let task = sim.clone();
    let other = sim.spawn("other", async move { task.yield_now().await });
    sim.cancel_at_each(sim.yield_now()).await;
    sim.yield_now().await;
    other.await;
}

/// Time moves in one step, or stays where it is.
async fn jump(sim: Sim) {
    let start = sim.now();
    let jumped = sim.cancel_at_each(sim.jump(ms(5))).await;
    let now = sim.now();
    assert!(now == start + ms(5) || (now == start && jumped.is_none()), "{now}");
    sim.idle().await;
    assert_eq!(sim.now(), now);
}

/// Whichever of two drops it, it is dropped.
async fn cancel_at_each(sim: Sim) {
    let held = Arc::new(());
    let (inside, task) = (held.clone(), sim.clone());
    let future = async move {
        let _held = inside;
        task.yield_now().await;
    };
    let inner = sim.cancel_at_each(future);
    sim.cancel_at_each(inner).await;
    assert_eq!(Arc::strong_count(&held), 1);
}

//! Looking on: who is dropped is counted as dropped, and what was looked at goes with it.

use crate::ms;
use std::sync::Arc;
use wakeful::cancel::Scope;
use wakeful::observe::{StallMonitor, TaskMonitor};
use wakeful::sim::Sim;

crate::sweeps! {
    "observe::Timed" => timed,
    "observe::StallMonitor::run" => stalls,
}

/// It is done or dropped, never both, and all of its time is accounted for.
async fn timed(sim: Sim) {
    let (monitor, held, time) = (TaskMonitor::new(&sim.time(), "timed"), Arc::new(()), sim.time());
    let inside = held.clone();
    let made = sim.now();
    let timed = monitor.watch(async move {
        let _held = inside;
        time.sleep(ms(1)).await;
        time.sleep(ms(1)).await;
    });
    let is_done = sim.cancel_at_each(timed).await.is_some();
    let timings = monitor.timings();
    assert_eq!((timings.done, timings.dropped, timings.live()), (is_done.into(), (!is_done).into(), 0));
    assert!(timings.timing.total() <= sim.now() - made);
    assert!(!is_done || timings.timing.total() == sim.now() - made);
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
    assert!(monitor.dump().tasks.is_empty());
}

/// Who does not watch any more is not late, and no timer is left.
async fn stalls(sim: Sim) {
    let monitor =
        StallMonitor::new(&sim.time(), ms(10), ms(1), |stall| unreachable!("no executor is as prompt: {stall}"));
    let scope = Scope::new(sim.time());
    let watch = scope.move_on_after(ms(35), async |_| monitor.run().await);
    sim.cancel_at_each(watch).await;
    assert_eq!((monitor.stats().stalls, sim.time().pending()), (0, 0));
    sim.advance(ms(100)).await;
    assert_eq!(monitor.late(), ms(0));
}

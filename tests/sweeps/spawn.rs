//! Tasks.

use crate::ms;
use std::sync::Arc;
use wakeful::sim::Sim;
use wakeful::spawn::Task;

crate::sweeps! {
    "spawn::Task" => task,
}

/// What it holds goes with it.
async fn task(sim: Sim) {
    let (held, time) = (Arc::new(()), sim.time());
    let inside = held.clone();
    let task = Task::new(async move {
        let _held = inside;
        time.sleep(ms(1)).await;
        time.sleep(ms(1)).await;
    });
    sim.cancel_at_each(task).await;
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
}

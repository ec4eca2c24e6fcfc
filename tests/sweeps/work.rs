//! Work: a run that is dropped takes its items, its bodies and its timers with it.

use crate::ms;
use std::num::NonZeroUsize;
use std::sync::Arc;
use wakeful::cancel::Scope;
use wakeful::sim::Sim;
use wakeful::work::{Count, Lease, work};

crate::sweeps! {
    "work::Work::run" => run,
}

async fn run(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let items: Vec<_> = (1..=5).map(|n| (n, held.clone())).collect();
    let body = async |item: Lease<(u64, Arc<()>)>| {
        wakeful::sleep(ms(item.0)).await;
        sim.yield_now().await;
        if item.0 == 2 { Err(()) } else { Ok(()) }
    };
    let run = work(items).workers(NonZeroUsize::new(2).unwrap()).item_timeout(ms(4)).deadline_after(ms(8));
    if let Some(report) = sim.cancel_at_each(run.run(&scope, body, Count::new())).await {
        assert_eq!(report.pulled() + report.not_started.unwrap() as u64, 5);
        drop(report);
    }
    assert_eq!((Arc::strong_count(&held), sim.time().pending()), (1, 0));
    assert!(!scope.cancel_called());
}

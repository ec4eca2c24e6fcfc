//! Work: a run that is dropped takes its items, its bodies and its timers with it.

use crate::ms;
use std::num::NonZeroUsize;
use std::sync::Arc;
use wakeful::cancel::Scope;
use wakeful::sim::Sim;
use wakeful::work::{Count, Lease, periodic, work};

crate::sweeps! {
    "work::Work::run" => run,
    "work::Periodic::run" => again_and_again,
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

async fn again_and_again(sim: Sim) {
    let (scope, held) = (Scope::new(sim.time()), Arc::new(()));
    let run = periodic(ms(3), |iteration| {
        let held = held.clone();
        async move {
            let _held = held;
            wakeful::sleep(ms(iteration.number)).await;
            if iteration.number == 1 { Err(()) } else { Ok(()) }
        }
    });
    let control = run.control();
    let run = run.iteration_timeout(ms(3));
    let asker = sim.spawn("asks", {
        let (time, control) = (sim.time(), control.clone());
        async move {
            time.sleep(ms(14)).await;
            control.trigger();
            control.stop();
            control.ended().await;
        }
    });
    let report = sim.cancel_at_each(run.run(&scope)).await;
    assert!(control.is_ended() && Arc::strong_count(&held) == 1);
    if let Some(report) = report {
        assert_eq!((report.count, report.count.total()), (control.count(), 5));
    }
    asker.await;
    assert_eq!(sim.time().pending(), 0);
}

//! Groups of tasks: whatever is dropped, no child outlives its group, and each is counted once.

use crate::ms;
use std::future::pending;
use std::sync::Arc;
use wakeful::cancel::Scope;
use wakeful::sim::Sim;
use wakeful::task::{GroupError, StartError, Starting, TaskGroup, group};

crate::sweeps! {
    "task::RunGroup" => run_group,
    "task::ReportGroup" => report_group,
    "task::Quiesced" => quiesced,
    "task::Handle" => handle,
    "task::Start" => start,
}

/// What children hold, and where they lie.
struct Family {
    sim: Sim,
    scope: Scope,
    held: Arc<()>,
}

impl Family {
    fn new(sim: &Sim) -> Self {
        Self { sim: sim.clone(), scope: Scope::new(sim.time()), held: Arc::new(()) }
    }

    /// Spawns a child that takes so many milliseconds, and fails if they are odd.
    fn spawn(&self, g: &TaskGroup<u64>, millis: u64) {
        let (sleep, held) = (self.sim.time().sleep(ms(millis)), self.held.clone());
        let child = async move {
            let _held = held;
            sleep.await;
            if millis % 2 == 1 { Err(millis) } else { Ok(()) }
        };
        drop(g.spawn("child", child).unwrap());
    }

    /// All are gone, and so are their timers.
    async fn check(&self, g: Option<TaskGroup<u64>>, children: u64) {
        if let Some(g) = g {
            g.quiesced().await;
            assert_eq!((g.count().total(), g.len()), (children, 0));
        }
        assert_eq!((Arc::strong_count(&self.held), self.sim.time().pending()), (1, 0));
        assert!(!self.scope.cancel_called());
    }
}

async fn run_group(sim: Sim) {
    let (family, mut kept) = (Family::new(&sim), None);
    let run = group(sim.spawner()).run(&family.scope, async |g| {
        kept = Some(g.clone());
        [2, 4, 5, 8].into_iter().for_each(|millis| family.spawn(&g, millis));
        sim.time().sleep(ms(3)).await;
        Ok(())
    });
    let run = sim.cancel_at_each(run).await;
    assert!(run.is_none_or(|run| matches!(run, Err(GroupError::Failed(all)) if all.first.error() == Some(&5))));
    let children = if kept.is_some() { 4 } else { 0 };
    family.check(kept, children).await;
}

async fn report_group(sim: Sim) {
    let (family, mut kept) = (Family::new(&sim), None);
    let run = group(sim.spawner()).deadline_after(ms(5)).report(&family.scope, async |g| {
        kept = Some(g.clone());
        [2, 4, 8].into_iter().for_each(|millis| family.spawn(&g, millis));
        drop(g.spawn_background("serves", pending()).unwrap());
        Ok(())
    });
    if let Some(report) = sim.cancel_at_each(run).await {
        assert_eq!((report.count.done, report.count.cancelled), (2, 2));
        assert!(report.cancelled.is_some_and(|cancelled| cancelled.is_timeout()));
    }
    let children = if kept.is_some() { 4 } else { 0 };
    family.check(kept, children).await;
}

/// The others that wait are told all the same.
async fn quiesced(sim: Sim) {
    let family = Family::new(&sim);
    let mut kept = None;
    let run = group(sim.spawner()).run(&family.scope, async |g| {
        kept = Some(g.clone());
        [2, 4].into_iter().for_each(|millis| family.spawn(&g, millis));
        pending::<Result<(), _>>().await
    });
    assert!(family.scope.move_on_after(ms(3), async |_| run.await).await.is_cancelled());
    let kept = kept.unwrap();
    let others = [0, 1].map(|_| sim.spawn("waits", kept.quiesced()));
    sim.cancel_at_each(kept.quiesced()).await;
    for other in others {
        other.await;
    }
    assert_eq!((kept.count().done, kept.count().cancelled), (1, 1));
    family.check(Some(kept), 2).await;
}

async fn handle(sim: Sim) {
    let (family, mut kept) = (Family::new(&sim), None);
    let run = group(sim.spawner()).run(&family.scope, async |g| {
        let (sleep, held) = (sim.time().sleep(ms(2)), family.held.clone());
        let child = async move {
            sleep.await;
            Ok(held)
        };
        let mut handle = g.spawn("child", child).unwrap();
        if let Some(result) = sim.cancel_at_each(&mut handle).await {
            drop(result.unwrap());
            assert_eq!(handle.try_take(), None, "it is given once");
        }
        kept = Some(g);
        Ok(handle)
    });
    let mut handle = run.await.unwrap();
    assert!(handle.is_finished());
    drop(handle.try_take());
    family.check(kept, 1).await;
}

async fn start(sim: Sim) {
    let (family, mut kept) = (Family::new(&sim), None);
    let run = group(sim.spawner()).report(&family.scope, async |g| {
        let (task, held) = (sim.clone(), family.held.clone());
        let serve = |starting: Starting<u8, u64>| async move {
            let _held = held;
            task.yield_now().await;
            match task.choose(3) {
                0 => return Err(1),
                1 => drop(starting),
                _ => drop(starting.started(7)),
            }
            task.time().sleep(ms(2)).await;
            Ok(())
        };
        match sim.cancel_at_each(g.start("server", serve).unwrap()).await {
            None | Some(Err(StartError::Failed(1) | StartError::Unstarted)) => {}
            Some(Ok((handle, seven))) => assert_eq!((seven, handle.await), (7, Ok(()))),
            Some(Err(error)) => panic!("{error}"),
        }
        kept = Some(g);
        Ok(())
    });
    let report = run.await;
    assert!(report.failures.len() <= 1, "an error is in one place");
    family.check(kept, 1).await;
}

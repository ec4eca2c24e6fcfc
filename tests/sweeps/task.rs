//! Groups of tasks: whatever is dropped, no child outlives its group, and each is counted once.

use crate::ms;
use std::future::{Future, pending};
use std::num::NonZeroUsize;
use std::sync::Arc;
use wakeful::cancel::Scope;
use wakeful::sim::Sim;
use wakeful::task::{
    FutureSet, GroupError, Policy, Registry, StartError, Starting, TaskGroup, first_completed, group, join_all,
    join_until, local_group, map_bounded, offload, race, try_join_all, try_join_handles,
};

crate::sweeps! {
    "task::RunGroup" => run_group,
    "task::ReportGroup" => report_group,
    "task::Quiesced" => quiesced,
    "task::Handle" => handle,
    "task::CancelOnDrop" => cancelling_handle,
    "task::Start" => start,
    "task::LocalRun" => local_run,
    "task::LocalReport" => local_report,
    "task::LocalHandle" => local_handle,
    "task::LocalStart" => local_start,
    "task::Registry::shutdown" => shutdown,
    "task::Tracked" => tracked,
    "task::offload" => blocking,
    "task::Phase::offload" => counted_blocking,
    "task::JoinNext" => join_next,
    "task::JoinAll" => all,
    "task::TryJoinAll" => try_all,
    "task::Race" => first,
    "task::FirstCompleted" => first_kept,
    "task::JoinUntil" => until,
    "task::NextMapped" => next_mapped,
    "task::Gather" => gather,
    "task::TryJoinHandles" => handles,
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

async fn cancelling_handle(sim: Sim) {
    let (family, mut kept) = (Family::new(&sim), None);
    let run = group::<u64>(sim.spawner()).report(&family.scope, async |g| {
        let (sleep, held) = (sim.time().sleep(ms(2)), family.held.clone());
        let child = async move {
            let _held = held;
            sleep.await;
            Ok(())
        };
        let handle = g.spawn("child", child).unwrap().cancel_on_drop();
        let given = sim.cancel_at_each(handle).await.is_some();
        kept = Some(g);
        Ok(given)
    });
    let report = run.await;
    // Dropped before it had given the result, it may have come too late for the child.
    assert!(report.count.done == 1 || report.output == Some(false));
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

impl Family {
    /// A future that takes so many milliseconds, which are its output: an error, if they are odd.
    fn future(&self, millis: u64) -> impl Future<Output = Result<u64, u64>> + use<> {
        let (sleep, held) = (self.sim.time().sleep(ms(millis)), self.held.clone());
        async move {
            let _held = held;
            sleep.await;
            if millis % 2 == 1 { Err(millis) } else { Ok(millis) }
        }
    }
}

/// What was done before the drop has come out, and what comes afterwards is the rest.
async fn join_next(sim: Sim) {
    let family = Family::new(&sim);
    let mut set: FutureSet<_> = [4, 2, 6].map(|millis| family.future(millis)).into_iter().collect();
    let mut outputs = Vec::new();
    outputs.extend(sim.cancel_at_each(set.join_next()).await.flatten());
    while let Some(done) = set.join_next().await {
        outputs.push(done);
    }
    assert_eq!(outputs, [(1, Ok(2)), (0, Ok(4)), (2, Ok(6))]);
    family.check(None, 0).await;
}

async fn all(sim: Sim) {
    let family = Family::new(&sim);
    let all = sim.cancel_at_each(join_all([5, 2, 4].map(|millis| family.future(millis)))).await;
    assert!(all.is_none_or(|all| all == [Err(5), Ok(2), Ok(4)]));
    family.check(None, 0).await;
}

async fn try_all(sim: Sim) {
    let family = Family::new(&sim);
    let all = sim.cancel_at_each(try_join_all([6, 3, 2, 5].map(|millis| family.future(millis)))).await;
    if let Some(all) = all {
        let failed = all.unwrap_err();
        assert_eq!((failed.index, failed.error), (1, 3));
    }
    family.check(None, 0).await;
}

async fn first(sim: Sim) {
    let family = Family::new(&sim);
    let first = sim.cancel_at_each(race([6, 3, 8].map(|millis| family.future(millis)))).await;
    assert!(first.is_none_or(|first| first == Some((1, Err(3)))));
    family.check(None, 0).await;
}

async fn first_kept(sim: Sim) {
    let family = Family::new(&sim);
    let first = sim.cancel_at_each(first_completed([6, 3, 8].map(|millis| family.future(millis)))).await;
    if let Some(mut first) = first.flatten() {
        assert_eq!((first.index, first.output, first.rest.len()), (1, Err(3), 2));
        assert_eq!(first.rest.join_next().await, Some((0, Ok(6))));
    }
    family.check(None, 0).await;
}

async fn until(sim: Sim) {
    let family = Family::new(&sim);
    let limit = sim.time().sleep(ms(4));
    let partial = sim.cancel_at_each(join_until([6, 4, 2].map(|millis| family.future(millis)), limit)).await;
    assert!(partial.is_none_or(|partial| partial.done == [(2, Ok(2)), (1, Ok(4))] && partial.pending.len() == 1));
    family.check(None, 0).await;
}

async fn next_mapped(sim: Sim) {
    let family = Family::new(&sim);
    let two = NonZeroUsize::new(2).unwrap();
    let mut map = map_bounded([4, 2, 6], two, |millis| family.future(millis));
    let mut outputs = Vec::new();
    outputs.extend(sim.cancel_at_each(map.join_next()).await.flatten());
    while let Some(done) = map.join_next().await {
        outputs.push(done);
    }
    outputs.sort();
    assert_eq!(outputs, [(0, Ok(4)), (1, Ok(2)), (2, Ok(6))]);
    drop(map);
    family.check(None, 0).await;
}

async fn gather(sim: Sim) {
    let family = Family::new(&sim);
    let two = NonZeroUsize::new(2).unwrap();
    let all = sim.cancel_at_each(map_bounded([4, 2, 6], two, |millis| family.future(millis)).gather()).await;
    assert!(all.is_none_or(|all| all == [Ok(4), Ok(2), Ok(6)]));
    family.check(None, 0).await;
}

/// Dropped before one has failed, it cancels nobody.
async fn handles(sim: Sim) {
    let (family, mut kept) = (Family::new(&sim), None);
    let run = group(sim.spawner()).policy(Policy::Supervise).report(&family.scope, async |g| {
        kept = Some(g.clone());
        let children = [6, 3, 9].map(|millis| g.spawn("child", family.future(millis)).unwrap());
        let joined = sim.cancel_at_each(try_join_handles(children)).await;
        if let Some(joined) = &joined {
            assert_eq!((joined.as_ref().unwrap_err().index, g.len()), (1, 0));
        }
        Ok(joined.is_some())
    });
    let report = run.await;
    let cancelled = report.count.cancelled;
    assert!(cancelled == 2 || cancelled == 0 && report.output == Some(false));
    family.check(kept, 3).await;
}

/// Dropped, it has dropped its children, who borrow.
async fn local_run(sim: Sim) {
    let family = Family::new(&sim);
    let run = local_group().run(&family.scope, async |g| {
        for millis in [2, 4, 5, 8] {
            let family = &family;
            drop(g.spawn("child", async move { family.future(millis).await }).unwrap());
        }
        sim.time().sleep(ms(3)).await;
        Ok(())
    });
    let run = sim.cancel_at_each(run).await;
    assert!(run.is_none_or(|run| matches!(run, Err(GroupError::Failed(all)) if all.first.error() == Some(&5))));
    family.check(None, 0).await;
}

async fn local_report(sim: Sim) {
    let (family, mut kept) = (Family::new(&sim), None);
    let run = local_group().deadline_after(ms(5)).report(&family.scope, async |g| {
        kept = Some(g.clone());
        [2, 4, 8].into_iter().for_each(|millis| drop(g.spawn("child", family.future(millis)).unwrap()));
        Ok(())
    });
    if let Some(report) = sim.cancel_at_each(run).await {
        assert_eq!((report.count.done, report.count.cancelled), (2, 1));
        assert!(report.cancelled.is_some_and(|cancelled| cancelled.is_timeout()));
    }
    if let Some(kept) = kept {
        assert_eq!((kept.count().total(), kept.len(), kept.is_over()), (3, 0, true));
    }
    family.check(None, 0).await;
}

async fn local_handle(sim: Sim) {
    let family = Family::new(&sim);
    let run = local_group().run(&family.scope, async |g| {
        let mut handle = g.spawn("child", family.future(2)).unwrap();
        if let Some(result) = sim.cancel_at_each(&mut handle).await {
            assert_eq!((result, handle.try_take()), (Ok(2), None), "it is given once");
        }
        Ok(handle)
    });
    let mut handle = run.await.unwrap();
    assert!(handle.is_finished());
    drop(handle.try_take());
    family.check(None, 0).await;
}

async fn local_start(sim: Sim) {
    let family = Family::new(&sim);
    let run = local_group().report(&family.scope, async |g| {
        let serve = |starting: Starting<u8, u64>| async {
            let _held = family.held.clone();
            sim.yield_now().await;
            match sim.choose(3) {
                0 => return Err(1),
                1 => drop(starting),
                _ => drop(starting.started(7)),
            }
            sim.time().sleep(ms(2)).await;
            Ok(())
        };
        match sim.cancel_at_each(g.start("server", serve).unwrap()).await {
            None | Some(Err(StartError::Failed(1) | StartError::Unstarted)) => {}
            Some(Ok((handle, seven))) => assert_eq!((seven, handle.await), (7, Ok(()))),
            Some(Err(error)) => panic!("{error}"),
        }
        Ok(())
    });
    let report = run.await;
    assert!(report.failures.len() <= 1, "an error is in one place");
    assert_eq!(report.count.total(), 1);
    family.check(None, 0).await;
}

/// Dropped half-way, and called again, it gives the same.
async fn shutdown(sim: Sim) {
    let family = Family::new(&sim);
    let registry = Registry::new(&family.scope);
    let (first, second) = (registry.phase("first", ms(3), ms(2)), registry.phase("second", ms(3), ms(2)));
    let mut tasks = Vec::new();
    for (phase, millis) in [(&first, 2), (&first, 50), (&second, 4), (&second, 90)] {
        tasks.push(sim.spawn("task", phase.track("task", family.future(millis)).unwrap()));
    }
    let dropped = sim.cancel_at_each(registry.shutdown("enough")).await;
    let report = registry.shutdown("again").await;
    assert!(dropped.is_none_or(|dropped| dropped == report));
    assert_eq!(report.to_string(), "first: 1 drained, 1 forced (task); second: 1 drained, 1 forced (task)");
    for task in tasks {
        drop(task.await);
    }
    family.check(None, 0).await;
}

/// Dropped, it is counted out.
async fn tracked(sim: Sim) {
    let family = Family::new(&sim);
    let registry = Registry::new(&family.scope);
    let phase = registry.phase("phase", ms(3), ms(2));
    let outcome = sim.cancel_at_each(phase.track("task", family.future(2)).unwrap()).await;
    assert!(outcome.is_none_or(|outcome| outcome.done() == Some(Ok(2))));
    assert!(phase.is_empty() && registry.shutdown("enough").await.is_clean());
    family.check(None, 0).await;
}

/// What has begun is done all the same.
async fn blocking(sim: Sim) {
    let family = Family::new(&sim);
    let (pool, held) = (sim.offloader(ms(2)), family.held.clone());
    let value = sim.cancel_at_each(offload(&family.scope, &pool, "work", move || Arc::strong_count(&held))).await;
    assert!(value.is_none_or(|value| value.unwrap() == 2));
    sim.time().sleep(ms(3)).await;
    family.check(None, 0).await;
}

/// It is counted until it is done.
async fn counted_blocking(sim: Sim) {
    let family = Family::new(&sim);
    let registry = Registry::new(&family.scope);
    let phase = registry.phase("phase", ms(3), ms(2));
    let (pool, held) = (sim.offloader(ms(2)), family.held.clone());
    let value = sim.cancel_at_each(phase.offload(&pool, "work", move || Arc::strong_count(&held))).await;
    assert!(value.is_none_or(|value| value.unwrap() == 2));
    assert!(registry.shutdown("enough").await.is_clean() && phase.is_empty());
    family.check(None, 0).await;
}

//! Phases that are shut down in order, and work that blocks.

use crate::support::{Counter, Cx, LONG, Log, Spawner, again, elsewhere, ms, poll, waker};
use std::future::{pending, ready};
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::time::Duration;
use wakeful::cancel::Reason;
use wakeful::spawn::Job;
use wakeful::task::{OffloadError, Phase, Refusal, Registry, offload};

/// Names with counts, as reports have them.
fn names(list: &[(&'static str, usize)]) -> wakeful::task::ByName {
    list.iter().map(|(name, count)| ((*name).into(), *count)).collect()
}

/// Starts a task in a phase that winds down when it is asked to, and takes so many milliseconds for it.
fn cooperates<S: Spawner>(cx: &Cx<S>, phase: &Phase, name: &'static str, millis: u64, log: &Log<&'static str>) {
    let (draining, time, log) = (phase.scope().draining(), cx.time.clone(), log.clone());
    let tracked = phase.track(name, async move {
        draining.await;
        time.sleep(ms(millis)).await;
        log.add(name);
    });
    drop(cx.spawn(name, tracked.unwrap()));
}

/// A thread for each job.
fn threads(job: Job) {
    std::thread::spawn(|| job.run());
}

pub(crate) async fn phases_are_shut_down_in_order_and_all_are_in_one_place(cx: Cx<impl Spawner>) {
    let (registry, log) = (Registry::new(&cx.scope()), Log::new());
    let first = registry.phase("first", LONG, LONG);
    let second = registry.phase("second", ms(cx.soon()), LONG);
    let third = registry.phase("third", Duration::ZERO, ms(2));
    cooperates(&cx, &first, "a", 2, &log);
    cooperates(&cx, &first, "b", 1, &log);
    cooperates(&cx, &second, "c", 0, &log);
    drop(cx.spawn("endless", second.track("endless", pending::<()>()).unwrap()));
    // Nobody polls this one, so that it can't be cut short.
    let stuck = third.track("stuck", pending::<()>()).unwrap();
    let thread = third.enter("thread").unwrap();
    assert_eq!(registry.live()[1], ("second".into(), names(&[("c", 1), ("endless", 1)])));
    let report = registry.shutdown(Reason::shutdown()).await;
    let [one, two, three] = &report.phases[..] else { panic!("{report}") };
    assert_eq!((&one.drained, one.forced.len(), one.lost.len()), (&names(&[("a", 1), ("b", 1)]), 0, 0));
    assert_eq!((&two.drained, &two.forced), (&names(&[("c", 1)]), &names(&[("endless", 1)])));
    assert_eq!((&three.lost, report.is_clean()), (&names(&[("stuck", 1), ("thread", 1)]), false));
    assert_eq!(third.live(), names(&[("stuck", 1), ("thread", 1)]), "what outlived its phase is known by name");
    if cx.exact() {
        assert_eq!(log.entries(), ["b", "a", "c"]);
    }
    cx.assert_at(2 + cx.soon() + 2);
    drop((stuck, thread));
    assert!(third.is_empty());
}

pub(crate) async fn a_clean_shutdown_takes_no_longer_than_its_tasks(cx: Cx<impl Spawner>) {
    let (registry, log) = (Registry::new(&cx.scope()), Log::new());
    let workers = registry.phase("workers", Duration::MAX, Duration::MAX);
    let empty = registry.phase("empty", LONG, LONG);
    for _ in 0..3 {
        cooperates(&cx, &workers, "worker", 2, &log);
    }
    assert_eq!((workers.len(), empty.is_empty(), empty.name()), (3, true, "empty"));
    let report = registry.shutdown("enough").await;
    assert!(report.is_clean());
    assert_eq!(report.to_string(), "workers: 3 drained; empty: nobody there");
    cx.assert_at(2);
}

pub(crate) async fn a_phase_whose_turn_has_come_gives_futures_back(cx: Cx<impl Spawner>) {
    let (registry, log) = (Registry::new(&cx.scope()), Log::new());
    let (requests, database) = (registry.phase("requests", LONG, LONG), registry.phase("database", LONG, LONG));
    cooperates(&cx, &requests, "request", 2, &log);
    let (draining, late, serves, log) =
        (requests.scope().draining(), requests.clone(), database.clone(), Log::<&str>::new());
    let uses = requests.track("uses", async move {
        draining.await;
        let refused = late.track("late", ready(7)).unwrap_err();
        assert_eq!(refused.to_string(), "the group or phase winds down, and takes nobody in");
        assert_eq!((refused.refusal(), refused.into_inner().await), (Refusal::Draining, 7));
        assert_eq!(late.enter("late").unwrap_err(), Refusal::Draining);
        // Whom the phases before it need still works, and takes others in.
        assert_eq!(serves.track("query", ready(8)).unwrap().await.done(), Some(8));
        log.add("done");
    });
    let uses = cx.spawn("uses", uses.unwrap());
    assert!(registry.shutdown("enough").await.is_clean());
    assert!(uses.await.done().is_some());
    let too_late = registry.phase("too late", LONG, LONG);
    assert!(too_late.track("nobody", ready(())).is_err());
    assert_eq!(registry.shutdown("again").await.phases.len(), 3, "called again, it tells what came of it");
}

pub(crate) async fn a_shutdown_that_is_dropped_goes_on_where_it_was(cx: Cx<impl Spawner>) {
    let (registry, log) = (Registry::new(&cx.scope()), Log::new());
    let phase = registry.phase("workers", LONG, LONG);
    cooperates(&cx, &phase, "worker", cx.soon() + 1, &log);
    let impatient = cx.scope();
    let dropped = impatient.move_on_after(ms(1), async |_| registry.shutdown("enough").await).await;
    assert!(dropped.is_cancelled() || !cx.exact());
    let report = registry.shutdown("more than enough").await;
    assert_eq!(report.phases[0].drained, names(&[("worker", 1)]));
    assert_eq!(phase.scope().draining().await.text(), Some("enough"), "the first reason stays");
    cx.assert_at(cx.soon() + 1);
}

pub(crate) async fn blocking_work_gives_its_result(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    // Waited for, so that a run in the simulator is the same when it is repeated.
    let thread = |job: Job| elsewhere(|| job.run());
    assert_eq!(offload(&scope, &thread, "adds", || 1 + 1).await.unwrap(), 2);
    let panicked = offload(&scope, &thread, "panics", || resume_unwind(Box::new("in the thread"))).await;
    let Err(OffloadError::Panicked(panic)) = panicked else { panic!("it panicked") };
    assert_eq!(panic.message(), "in the thread");
    let lost = offload(&scope, &|job: Job| assert_eq!(job.name(), "dropped"), "dropped", || ()).await;
    assert!(matches!(lost, Err(OffloadError::Lost)));
}

pub(crate) async fn cancelling_abandons_the_result_and_not_the_thread(cx: Cx<impl Spawner>) {
    let (registry, dropped) = (Registry::new(&cx.scope()), Counter::new());
    let phase = registry.phase("files", ms(1), ms(1));
    let (go_on, waits) = mpsc::channel::<()>();
    let (guard, waiting) = (dropped.on_drop(), phase.clone());
    let task = cx.spawn("writes", async move {
        let work = move || {
            waits.recv().unwrap();
            guard
        };
        waiting.offload(&threads, "write", work).await.is_err()
    });
    while phase.is_empty() {
        again().await;
    }
    let report = registry.shutdown("enough").await;
    assert_eq!(report.phases[0].lost, names(&[("write", 1)]), "what runs on a thread is reported");
    assert!(task.await && dropped.count() == 0);
    go_on.send(()).unwrap();
    while !phase.is_empty() || dropped.count() == 0 {
        std::thread::yield_now();
    }
    let refused = phase.offload(&threads, "late", || ()).await;
    assert!(matches!(refused, Err(OffloadError::Refused)));
}

pub(crate) async fn b_blocking_work_is_not_begun_in_a_cancelled_scope(cx: Cx<impl Spawner>) {
    let (scope, begun) = (cx.scope(), Counter::new());
    scope.cancel("at once");
    let counts = begun.clone();
    let refused = offload(&scope, &|job: Job| job.run(), "late", move || counts.add()).await;
    assert!(matches!(refused, Err(OffloadError::Cancelled(_))));
    assert_eq!(begun.count(), 0);
}

pub(crate) async fn k_a_waker_that_panics_does_not_come_out_of_whoever_leaves_last(cx: Cx<impl Spawner>) {
    let registry = Registry::new(&cx.scope());
    let presence = registry.phase("phase", LONG, LONG).enter("last").unwrap();
    let mut shutdown = Box::pin(registry.shutdown("done"));
    let bad = waker(|| resume_unwind(Box::new("a bad waker")));
    assert!(poll(shutdown.as_mut(), &bad).is_pending());
    drop(presence);
    let report = shutdown.await;
    assert!(report.is_clean());
    assert_eq!(report.phases[0].drained, names(&[("last", 1)]));
}

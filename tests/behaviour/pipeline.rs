//! Stages one after another, in one task and in several.

use crate::support::{Cx, Spawner, ms};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wakeful::flow::pipeline::{PipelineReport, pipeline, stage};
use wakeful::work::{Lease, OnError, Stop};

fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

#[track_caller]
fn assert_balanced<R>(report: &PipelineReport<R>) {
    for pair in report.stages.windows(2) {
        assert_eq!(pair[0].count.done, pair[1].count.total(), "{report}");
    }
}

pub(crate) async fn stages_pass_items_on_in_order(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let takes = |millis| {
        let time = cx.time.clone();
        move |item: Lease<u64>| {
            let sleep = time.sleep(ms(millis + *item % 2));
            async move { (sleep.await, Ok::<_, ()>(*item)).1 }
        }
    };
    let mut all = Vec::new();
    let report = pipeline(0..20)
        .then(stage("here").workers(n(4)).in_order().buffer(n(3)), takes(4))
        .then_on(cx.spawner.clone(), stage("there").workers(n(3)).in_order().buffer(n(2)), takes(3))
        .then(stage("last"), takes(0))
        .run(&scope, |item| all.push(item))
        .await;
    assert!(report.is_complete(), "{report}");
    assert_eq!(all, (0..20).collect::<Vec<_>>());
}

pub(crate) async fn a_stage_that_stops_loses_no_item(cx: Cx<impl Spawner>) {
    let (scope, begun) = (cx.scope(), Arc::new(AtomicU64::new(0)));
    let (time, counted) = (cx.time.clone(), begun.clone());
    let first = move |item: Lease<u64>| {
        let sleep = time.sleep(ms(1));
        counted.fetch_add(1, Ordering::Relaxed);
        async move { (sleep.await, Ok::<_, ()>(*item)).1 }
    };
    let fails = |item: Lease<u64>| async move { if *item == 5 { Err(()) } else { Ok(*item) } };
    let mut all = Vec::new();
    let report = pipeline(0..)
        .then_on(cx.spawner.clone(), stage("endless").workers(n(2)).in_order(), first)
        .then_on(cx.spawner.clone(), stage("fails").on_error(OnError::StopStarting), fails)
        .then(stage("last"), |item: Lease<u64>| async move { Ok::<_, ()>(*item) })
        .run(&scope, |item| all.push(item))
        .await;
    assert_balanced(&report);
    assert_eq!((all, &report.stages[1].stop), (vec![0, 1, 2, 3, 4], &Stop::Failed { index: 5 }));
    assert_eq!(report.pulled(), begun.load(Ordering::Relaxed));
    assert_eq!(report.rest, report.pulled()..);
}

pub(crate) async fn cancelling_the_scope_ends_all_stages_with_a_report(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let hangs = |_: Lease<u64>| std::future::pending::<Result<u64, ()>>();
    let last = |_: Lease<u64>| {
        scope.cancel("as it was asked to");
        std::future::pending::<Result<u64, ()>>()
    };
    let report = pipeline(0..10)
        .then(stage("passes"), |item: Lease<u64>| async move { if *item < 4 { Ok(*item) } else { hangs(item).await } })
        .then_on(cx.spawner.clone(), stage("hangs").workers(n(2)), move |item: Lease<u64>| async move {
            if *item > 0 { hangs(item).await } else { Ok(0) }
        })
        .then(stage("cancels"), last)
        .run(&scope, drop)
        .await;
    assert_balanced(&report);
    assert_eq!((report.delivered(), report.stages[2].count.cancelled), (0, 1));
    for stage in &report.stages {
        assert_eq!(stage.stop, Stop::Cancelled("as it was asked to".into()));
    }
    assert_eq!(report.rest, report.pulled()..10);
}

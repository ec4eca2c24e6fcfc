//! Children in the background: there as long as the others, and for them.

use crate::support::{Counter, Cx, LONG, Log, Spawner, again, poll, waker};
use futures::StreamExt;
use futures::channel::mpsc;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::task::Poll;
use wakeful::cancel::{ReasonKind, current};
use wakeful::task::{ChildError, GroupError, TaskGroup, group};

pub(crate) async fn the_background_ends_with_the_main_children(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let report = group::<()>(cx.spawner.clone())
        .report(&cx.scope(), async |g| {
            let guard = gone.on_drop();
            let heart = async move {
                let _guard = guard;
                pending().await
            };
            drop(g.spawn_background("heart", heart).unwrap());
            let (sleep, gone) = (cx.sleep(5), gone.clone());
            let child = async move {
                sleep.await;
                Ok(gone.count())
            };
            assert_eq!(g.spawn("child", child).unwrap().await, Ok(0));
            Ok(())
        })
        .await;
    assert_eq!((gone.count(), report.count.done, report.count.cancelled), (1, 1, 1));
    assert_eq!(report.cancelled, None, "that is no cancelling of the group");
    assert_eq!(report.into_result().unwrap(), ());
    cx.assert_at(5);
}

pub(crate) async fn the_background_is_cancelled_after_the_main_children(cx: Cx<impl Spawner>) {
    let (written, log) = (Log::new(), cx.scope());
    let outcome = group::<&str>(cx.spawner.clone())
        .run(&log, async |g| {
            let (lines, mut queue) = mpsc::unbounded::<&'static str>();
            let written = written.clone();
            let writer = async move {
                while let Some(line) = queue.next().await {
                    written.add(line);
                }
                Ok(())
            };
            let writer = g.spawn_background("writer", writer).unwrap();
            let child = async move {
                lines.unbounded_send("begun").unwrap();
                let lines = lines;
                let _last = crate::support::on_drop(move || lines.unbounded_send("cut short").unwrap());
                pending::<Result<(), _>>().await
            };
            drop(g.spawn("child", child).unwrap());
            cx.sleep(3).await;
            drop(g.spawn("fails", ready(Err::<(), _>("broken"))).unwrap());
            let _ = writer.await;
            Ok(())
        })
        .await;
    assert!(matches!(outcome, Err(GroupError::Failed(_))));
    let entries = written.entries();
    assert_eq!(entries[0], "begun");
    assert!(!cx.exact() || entries.len() <= 2);
}

pub(crate) async fn a_background_child_knows_why_it_ends(cx: Cx<impl Spawner>) {
    let mut handles = Vec::new();
    let mut run = async |cancel: bool| {
        let mut handle = None;
        let _ = group::<()>(cx.spawner.clone())
            .run(&cx.scope(), async |g| {
                handle = Some(g.spawn_background("serves", pending()).unwrap());
                if cancel {
                    g.cancel("enough");
                }
                Ok(())
            })
            .await;
        handles.push(handle.unwrap().await);
    };
    run(false).await;
    run(true).await;
    let reasons: Vec<_> = handles
        .into_iter()
        .map(|ended| match ended {
            Err(ChildError::Cancelled(cancelled)) => cancelled.reason().clone(),
            ended => panic!("{ended:?}"),
        })
        .collect();
    assert_eq!((reasons[0].kind(), reasons[1].text()), (ReasonKind::Parent, Some("enough")));
}

pub(crate) async fn a_failure_in_the_background_cancels_the_group(cx: Cx<impl Spawner>) {
    let error = group(cx.spawner.clone())
        .run(&cx.scope(), async |g| {
            drop(g.spawn_background("serves", ready(Err("worn out"))).unwrap());
            pending::<Result<(), _>>().await
        })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "`serves`: worn out");
}

pub(crate) async fn whom_the_background_spawns_at_the_end_is_not_begun(cx: Cx<impl Spawner>) {
    let begun = Counter::new();
    let report = group::<()>(cx.spawner.clone())
        .report(&cx.scope(), async |g: TaskGroup<()>| {
            let (inner, begun) = (g.clone(), begun.clone());
            let last = crate::support::on_drop(move || {
                let begun = begun.clone();
                let child = async move {
                    begun.add();
                    Ok(())
                };
                drop(inner.spawn("late", child).unwrap());
            });
            let serves = async move {
                let _last = last;
                pending().await
            };
            drop(g.spawn_background("serves", serves).unwrap());
            Ok(())
        })
        .await;
    assert_eq!((begun.count(), report.count.cancelled), (0, 2));
}

pub(crate) async fn k_a_waker_that_panics_keeps_no_background_child(cx: Cx<impl Spawner>) {
    let (scope, serves, ended) = (cx.scope(), Mutex::new(None), Mutex::new(None));
    let mut run = Box::pin(group::<()>(cx.spawner.clone()).run(&scope, async |g| {
        *serves.lock().unwrap() = Some(g.spawn_background("serves", pending::<Result<(), _>>()).unwrap());
        let main = g.spawn("main", async { Ok(current().unwrap()) }).unwrap();
        let mut until = Box::pin(main.await.unwrap().cancelled());
        assert!(poll(until.as_mut(), &waker(|| resume_unwind(Box::new("a bad waker")))).is_pending());
        *ended.lock().unwrap() = Some(until);
        Ok(())
    }));
    let panicked = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        ended => Poll::Ready(ended.is_err()),
    });
    assert!(panicked.await);
    let serves = serves.lock().unwrap().take().unwrap();
    assert!(matches!(serves.await, Err(ChildError::Cancelled(_))));
}

pub(crate) async fn what_is_cancelled_while_the_background_ends_cuts_nothing_short(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let report = group::<()>(cx.spawner.clone())
        .report(&scope, async |g| {
            let (outer, long) = (scope.clone(), cx.sleep(3));
            let serves = async move {
                // Dismissed in it, and then cancelled around the group.
                let farewell = async {
                    current().unwrap().parent().unwrap().cancelled().await;
                    outer.cancel("too late");
                    long.await;
                };
                drop(wakeful::shield(LONG, farewell).await);
                pending().await
            };
            drop(g.spawn_background("serves", serves).unwrap());
            again().await;
            Ok(7)
        })
        .await;
    assert_eq!((&report.cancelled, report.count.cancelled), (&None, 1));
    assert_eq!(report.into_result().unwrap(), 7);
}

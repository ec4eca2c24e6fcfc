//! Children that say when they have started.

use crate::support::{Counter, Cx, Spawner, again, poll, waker};
use futures::channel::oneshot;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use wakeful::spawn::Task;
use wakeful::task::{Handle, Policy, StartError, Starting, group};

type Begin = Starting<u16, &'static str>;

pub(crate) async fn a_start_gives_the_handle_and_a_value(cx: Cx<impl Spawner>) {
    let report = group(cx.spawner.clone())
        .report(&cx.scope(), async |g| {
            let (first, second) = (cx.sleep(2), cx.sleep(5));
            let server = |starting: Begin| async move {
                first.await;
                starting.started(80).unwrap();
                second.await;
                Ok("served")
            };
            let (handle, port) = g.start("server", server).unwrap().await.unwrap();
            assert_eq!((port, handle.name(), handle.is_finished()), (80, "server", false));
            cx.assert_at(2);
            assert_eq!(handle.await, Ok("served"));
            Ok(())
        })
        .await;
    assert_eq!((report.count.done, report.count.total()), (1, 1));
}

pub(crate) async fn what_fails_before_the_start_is_an_error_of_the_start(cx: Cx<impl Spawner>) {
    let report = group(cx.spawner.clone())
        .report(&cx.scope(), async |g| {
            let fails = |starting: Begin| async move {
                again().await;
                drop(starting);
                Err::<(), _>("port in use")
            };
            let failed = g.start("fails", fails).unwrap().await.unwrap_err();
            assert!(matches!(failed, StartError::Failed("port in use")));
            assert!(!g.scope().is_cancelled());
            Ok(())
        })
        .await;
    assert_eq!((report.count.failed, report.failures.len()), (1, 0), "counted, and its error is not in the group");
    assert_eq!(report.into_result().unwrap(), ());
}

pub(crate) async fn what_fails_after_the_start_is_an_error_of_the_group(cx: Cx<impl Spawner>) {
    let error = group(cx.spawner.clone())
        .run(&cx.scope(), async |g| {
            let fails = |starting: Begin| async move {
                starting.started(1).unwrap();
                Err::<(), _>("afterwards")
            };
            let (handle, _) = g.start("fails", fails).unwrap().await.unwrap();
            assert!(handle.await.is_err());
            pending::<Result<(), _>>().await
        })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "`fails`: afterwards");
}

pub(crate) async fn a_child_that_never_says_that_it_has_started_is_an_error(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let report = group(cx.spawner.clone())
        .policy(Policy::Supervise)
        .report(&cx.scope(), async |g| {
            let ends = |starting: Begin| async move {
                drop(starting);
                Ok(())
            };
            assert!(matches!(g.start("ends", ends).unwrap().await, Err(StartError::Unstarted)));
            let guard = gone.on_drop();
            let gives_up = |starting: Begin| async move {
                let _guard = guard;
                drop(starting);
                pending::<Result<(), _>>().await
            };
            assert!(matches!(g.start("gives up", gives_up).unwrap().await, Err(StartError::Unstarted)));
            assert_eq!(gone.count(), 1, "and is gone");
            let (give, given) = oneshot::channel();
            let hands_on = |starting: Begin| async move {
                give.send(starting).unwrap();
                pending::<Result<(), _>>().await
            };
            let start = g.start("hands it on", hands_on).unwrap();
            drop(given.await.unwrap());
            assert!(matches!(start.await, Err(StartError::Unstarted)));
            let panics = |_: Begin| async { if true { resume_unwind(Box::new("early")) } else { Ok(()) } };
            assert!(matches!(g.start("panics", panics).unwrap().await, Err(StartError::Panicked)));
            Ok(())
        })
        .await;
    assert_eq!((report.count.done, report.count.cancelled, report.count.panicked), (1, 2, 1));
    assert_eq!(report.cancelled, None);
}

pub(crate) async fn a_start_in_a_cancelled_group_says_so(cx: Cx<impl Spawner>) {
    let outcome = group::<&str>(cx.spawner.clone())
        .run(&cx.scope(), async |g| {
            let endless = |starting: Begin| async move {
                let _starting = starting;
                pending::<Result<(), _>>().await
            };
            let start = g.start("endless", endless).unwrap();
            again().await;
            g.cancel("enough");
            let Err(StartError::Cancelled(cancelled)) = start.await else { panic!("it was cancelled") };
            assert!(!cancelled.is_own());
            assert_eq!(cancelled.reason().text(), Some("enough"));
            Ok(())
        })
        .await;
    // The body is ready in its last poll only if the child was gone by then.
    assert!(outcome.is_err());
}

pub(crate) async fn a_dropped_start_cancels_its_child(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let report = group(cx.spawner.clone())
        .report(&cx.scope(), async |g| {
            let guard = gone.on_drop();
            let (begin, begun) = oneshot::channel();
            let endless = |starting: Begin| async move {
                let (_guard, _starting) = (guard, starting);
                begin.send(()).unwrap();
                pending::<Result<(), _>>().await
            };
            let mut start = Box::pin(g.start("endless", endless).unwrap());
            assert!(poll(start.as_mut(), &Counter::new().waker()).is_pending());
            begun.await.unwrap();
            drop(start);
            Ok(())
        })
        .await;
    assert_eq!((gone.count(), report.count.cancelled, report.cancelled), (1, 1, None));
}

pub(crate) async fn an_error_that_a_dropped_start_had_goes_to_the_group(cx: Cx<impl Spawner>) {
    let error = group(cx.spawner.clone())
        .run(&cx.scope(), async |g| {
            let (begin, begun) = oneshot::channel::<()>();
            let fails = |_: Begin| async move {
                drop(begin);
                Err::<(), _>("nobody listens")
            };
            let start = g.start("fails", fails).unwrap();
            assert!(begun.await.is_err());
            // Its panic stays in.
            let mut until = Box::pin(g.scope().cancelled());
            assert!(poll(until.as_mut(), &waker(|| resume_unwind(Box::new("a bad waker")))).is_pending());
            drop(start);
            Ok(())
        })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "`fails`: nobody listens");
}

/// A group's future ends when no handshake is pending: here that of somebody who is neither body nor child.
pub(crate) async fn a_group_waits_for_who_waits_for_a_start(cx: Cx<impl Spawner>) {
    let (give, given) = oneshot::channel();
    let (scope, spawner) = (cx.scope(), cx.spawner.clone());
    let owner = cx.spawn("owner", async move {
        let quick = |starting: Begin| async move {
            starting.started(7).unwrap();
            Ok(())
        };
        let run = group(spawner).run(&scope, async |g| {
            give.send((g.clone(), g.start("quick", quick).unwrap())).map_err(|_| "nobody takes it")
        });
        run.await
    });
    let (g, start) = given.await.unwrap();
    while !g.is_empty() {
        again().await;
    }
    cx.sleep(2).await;
    assert!(!g.is_over(), "the child is gone, and the handshake is pending");
    let (handle, seven): (Handle<(), _>, _) = start.await.unwrap();
    assert_eq!((seven, handle.await), (7, Ok(())));
    owner.await.unwrap();
    assert!(g.is_over());
}

pub(crate) async fn what_is_said_after_the_child_is_gone_comes_back(cx: Cx<impl Spawner>) {
    let (scope, second) = (cx.scope(), oneshot::channel());
    let run = group::<&str>(cx.spawner.clone()).run(&scope, async |g| {
        let (give, given) = second;
        let hands_on = |starting: Begin| async move {
            give.send(starting).unwrap();
            Ok(())
        };
        assert!(matches!(g.start("hands it on", hands_on).unwrap().await, Err(StartError::Unstarted)));
        assert_eq!(given.await.unwrap().started(80), Err(80), "nobody waits any more");
        Ok(())
    });
    run.await.unwrap();
}

pub(crate) async fn a_start_whose_spawner_panics_is_waited_for_by_nobody(cx: Cx<impl Spawner>) {
    let report = group::<&str>(|_: Task| resume_unwind(Box::new("no executor")))
        .policy(Policy::Supervise)
        .report(&cx.scope(), async |g| {
            let child = |starting: Begin| async move { starting.started(1).map_err(|_| "nobody waits") };
            assert!(catch_unwind(AssertUnwindSafe(|| drop(g.start("child", child)))).is_err());
            Ok(())
        })
        .await;
    assert_eq!((report.output, report.count.lost), (Some(()), 1));
}

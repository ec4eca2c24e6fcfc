//! Children of local groups that say when they have started.

use crate::support::{Counter, Cx, Spawner, again, poll, waker};
use futures::channel::oneshot;
use std::cell::Cell;
use std::future::pending;
use std::panic::resume_unwind;
use wakeful::task::{LocalHandle, LocalStart, Policy, Refusal, StartError, Starting, local_group};

type Begin = Starting<&'static str, &'static str>;

pub(crate) async fn a_local_start_gives_the_handle_and_a_value_that_may_be_borrowed(cx: Cx<impl Spawner>) {
    let (scope, name) = (cx.scope(), String::from("localhost"));
    let report = local_group()
        .report(&scope, async |g| {
            let (first, second) = (cx.sleep(2), cx.sleep(5));
            let server = |starting: Starting<_, &'static str>| async {
                first.await;
                starting.started(&*name).unwrap();
                second.await;
                Ok(name.len())
            };
            let (handle, address) = g.start("server", server).unwrap().await.unwrap();
            assert_eq!((address, handle.name(), handle.is_finished()), ("localhost", "server", false));
            cx.assert_at(2);
            assert_eq!(handle.await, Ok(9));
            Ok(())
        })
        .await;
    assert_eq!((report.count.done, report.count.total()), (1, 1));
}

pub(crate) async fn a_local_start_that_is_not_send_shares_a_cell(_: Cx<impl Spawner>) {
    wakeful::block_on(async {
        let (scope, cell) = (wakeful::cancel::Scope::new(wakeful::time::Time::system()), Cell::new(0));
        let run = local_group::<()>().not_send().run(&scope, async |g| {
            let sets = |starting: Starting<_, ()>| async {
                cell.set(1);
                starting.started(&cell).ok();
                cell.set(cell.get() + 1);
                Ok(())
            };
            let (handle, shared) = g.start("sets", sets).unwrap().await.unwrap();
            handle.await.unwrap();
            Ok(shared.get())
        });
        assert_eq!(run.await.unwrap(), 2);
    });
}

pub(crate) async fn an_error_before_a_local_start_is_its_own_and_one_afterwards_the_groups(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let report = local_group()
        .report(&scope, async |g| {
            let fails = |starting: Begin| async move {
                again().await;
                drop(starting);
                Err::<(), _>("port in use")
            };
            let failed = g.start("fails", fails).unwrap().await.unwrap_err();
            assert!(matches!(failed, StartError::Failed("port in use")));
            assert!(!g.scope().is_cancelled());
            let fails = |starting: Begin| async move {
                starting.started("").unwrap();
                Err::<(), _>("afterwards")
            };
            let (handle, _) = g.start("fails late", fails).unwrap().await.unwrap();
            assert!(handle.await.is_err());
            pending::<Result<(), _>>().await
        })
        .await;
    assert_eq!((report.count.failed, report.failures.len()), (2, 1), "both are counted");
    assert_eq!(report.into_result().unwrap_err().to_string(), "`fails late`: afterwards");
}

pub(crate) async fn a_local_child_that_never_says_that_it_has_started_is_an_error(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let report = local_group()
        .policy(Policy::Supervise)
        .report(&scope, async |g| {
            let ends = |starting: Begin| async move {
                drop(starting);
                Ok(())
            };
            assert!(matches!(g.start("ends", ends).unwrap().await, Err(StartError::Unstarted)));
            let gives_up = |starting: Begin| async {
                let _guard = gone.on_drop();
                drop(starting);
                pending::<Result<(), _>>().await
            };
            assert!(matches!(g.start("gives up", gives_up).unwrap().await, Err(StartError::Unstarted)));
            assert_eq!(gone.count(), 1, "and is gone");
            let panics = |_: Begin| async { if true { resume_unwind(Box::new("early")) } else { Ok(()) } };
            assert!(matches!(g.start("panics", panics).unwrap().await, Err(StartError::Panicked)));
            Ok(())
        })
        .await;
    assert_eq!((report.count.done, report.count.cancelled, report.count.panicked), (1, 1, 1));
    assert_eq!(report.cancelled, None);
}

pub(crate) async fn a_dropped_local_start_cancels_its_child_and_gives_the_group_its_error(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let report = local_group()
        .report(&scope, async |g| {
            let (begin, begun) = oneshot::channel();
            let endless = |starting: Begin| async {
                let (_guard, _starting) = (gone.on_drop(), starting);
                begin.send(()).unwrap();
                pending::<Result<(), _>>().await
            };
            let mut start = Box::pin(g.start("endless", endless).unwrap());
            assert!(poll(start.as_mut(), &Counter::new().waker()).is_pending());
            begun.await.unwrap();
            drop(start);
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
        .await;
    assert_eq!((gone.count(), report.count.cancelled, report.count.failed), (1, 1, 1));
    assert_eq!(report.into_result().unwrap_err().to_string(), "`fails`: nobody listens");
}

/// A group's future ends when no handshake is pending: here that of somebody who is neither body nor child.
pub(crate) async fn a_local_group_waits_for_who_waits_for_a_start(cx: Cx<impl Spawner>) {
    let (give, given) = oneshot::channel();
    let scope = cx.scope();
    let owner = cx.spawn("owner", async move {
        let quick = |starting: Starting<u8, &'static str>| async move {
            starting.started(7).unwrap();
            Ok(())
        };
        let run = local_group().run(&scope, async |g| {
            give.send((g.clone(), g.start("quick", quick).unwrap())).map_err(|_| "nobody takes it")
        });
        run.await
    });
    let (g, start): (_, LocalStart<'static, u8, (), _, _>) = given.await.unwrap();
    while !g.is_empty() {
        again().await;
    }
    cx.sleep(2).await;
    assert!(!g.is_over(), "the child is gone, and the handshake is pending");
    let (handle, seven): (LocalHandle<()>, _) = start.await.unwrap();
    assert_eq!((seven, handle.await), (7, Ok(())));
    owner.await.unwrap();
    assert!(g.is_over());
    let refused = g.start("late", |_: Starting<u8, &'static str>| async { Ok(()) }).unwrap_err();
    assert_eq!(refused.refusal(), Refusal::Over);
}

pub(crate) async fn a_local_start_outlives_the_group_that_was_dropped(cx: Cx<impl Spawner>) {
    let (scope, mut kept) = (cx.scope(), None);
    let mut run = Box::pin(local_group::<()>().run(&scope, async |g| {
        let endless = |starting: Starting<u8, ()>| async move {
            let _starting = starting;
            pending::<Result<(), _>>().await
        };
        kept = Some(g.start("endless", endless).unwrap());
        pending::<Result<(), _>>().await
    }));
    assert!(poll(run.as_mut(), &Counter::new().waker()).is_pending());
    drop(run);
    let Err(StartError::Cancelled(cancelled)) = kept.unwrap().await else { panic!("it was cancelled") };
    assert!(!cancelled.is_own());
}

//! Children in the background of local groups: there as long as the others, and for them.

use crate::support::{Counter, Cx, LONG, Spawner, again, on_drop, poll, waker};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::task::Poll;
use wakeful::cancel::{ReasonKind, current};
use wakeful::task::{ChildError, LocalGroup, local_group};

pub(crate) async fn the_local_background_serves_while_the_others_are_cut_short(cx: Cx<impl Spawner>) {
    let (beats, begun, last) = (Counter::new(), Counter::new(), Counter::new());
    let report = local_group::<()>()
        .report(&cx.scope(), async |g| {
            let heart = async {
                loop {
                    cx.sleep(1).await;
                    beats.add();
                }
            };
            drop(g.spawn_background("heart", heart).unwrap());
            let farewell = async {
                begun.add();
                // The shield ends when there were four beats, though the group is cancelled after one.
                let served = async {
                    while beats.count() < 4 {
                        cx.sleep(1).await;
                    }
                    last.add();
                };
                drop(wakeful::shield(LONG, served).await);
                pending::<Result<(), _>>().await
            };
            drop(g.spawn("farewell", farewell).unwrap());
            cx.sleep(1).await;
            // A millisecond may be over before it has begun, where time does not wait.
            while begun.count() == 0 {
                cx.sleep(1).await;
            }
            g.cancel("enough");
            Ok(())
        })
        .await;
    assert_eq!((last.count(), report.count.cancelled, report.cancelled.is_some()), (1, 2, true));
    assert!(beats.count() >= 4 && (!cx.exact() || beats.count() <= 5));
}

pub(crate) async fn the_local_background_ends_with_the_others_and_knows_why(cx: Cx<impl Spawner>) {
    let mut handles = Vec::new();
    for cancel in [false, true] {
        let mut handle = None;
        let report = local_group::<()>()
            .report(&cx.scope(), async |g| {
                handle = Some(g.spawn_background("serves", pending()).unwrap());
                let sleep = cx.sleep(5);
                drop(g.spawn("child", async move { (sleep.await, Ok(())).1 }).unwrap());
                if cancel {
                    g.cancel("enough");
                }
                Ok(())
            })
            .await;
        assert_eq!(report.cancelled.is_some(), cancel, "the end of the background is no cancelling of the group");
        handles.push(handle.unwrap().await);
    }
    cx.assert_at(5);
    let reasons: Vec<_> = handles
        .into_iter()
        .map(|ended| match ended {
            Err(ChildError::Cancelled(cancelled)) => cancelled.reason().clone(),
            ended => panic!("{ended:?}"),
        })
        .collect();
    assert_eq!((reasons[0].kind(), reasons[1].text()), (ReasonKind::Parent, Some("enough")));
}

pub(crate) async fn a_failure_in_the_local_background_cancels_the_group(cx: Cx<impl Spawner>) {
    let error = local_group()
        .run(&cx.scope(), async |g| {
            drop(g.spawn_background("serves", ready(Err("worn out"))).unwrap());
            pending::<Result<(), _>>().await
        })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "`serves`: worn out");
}

pub(crate) async fn whom_the_local_background_spawns_at_the_end_is_not_begun(cx: Cx<impl Spawner>) {
    let begun = Counter::new();
    let report = local_group::<()>()
        .report(&cx.scope(), async |g: LocalGroup<'_, ()>| {
            let (inner, begun) = (g.clone(), begun.clone());
            let last = on_drop(move || {
                for background in [false, true] {
                    let begun = begun.clone();
                    let child = async move {
                        begun.add();
                        Ok(())
                    };
                    drop(if background { inner.spawn_background("late", child) } else { inner.spawn("late", child) });
                }
            });
            let serves = async move {
                let _last = last;
                pending().await
            };
            drop(g.spawn_background("serves", serves).unwrap());
            Ok(())
        })
        .await;
    assert_eq!((begun.count(), report.count.cancelled), (0, 3));
}

pub(crate) async fn k_a_waker_that_panics_keeps_no_local_background_child(cx: Cx<impl Spawner>) {
    let (scope, serves, ended) = (cx.scope(), Mutex::new(None), Mutex::new(None));
    let mut run = Box::pin(local_group::<()>().run(&scope, async |g| {
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

pub(crate) async fn what_is_cancelled_while_the_local_background_ends_cuts_nothing_short(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let report = local_group::<()>()
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

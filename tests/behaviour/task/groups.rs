//! What a group is: children, their handles, their names, its end.

use crate::support::{Counter, Cx, LONG, Log, Spawner, again, ok};
use futures::channel::oneshot;
use std::future::{Future, pending, ready};
use std::pin::Pin;
use wakeful::cancel::{Deadline, ReasonKind, Scope, current};
use wakeful::task::{ChildError, Status, TaskGroup, group};

pub(crate) async fn a_group_ends_when_its_body_and_all_children_are_gone(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let report = group::<()>(cx.spawner.clone())
        .report(&scope, async |g| {
            for n in 1..=3 {
                let (sleep, guard) = (cx.sleep(n), gone.on_drop());
                let child = async move {
                    let _guard = guard;
                    sleep.await;
                    Ok(())
                };
                drop(g.spawn("child", child).unwrap());
            }
            Ok("the body's result")
        })
        .await;
    assert_eq!(gone.count(), 3);
    assert_eq!((report.output, report.count.done, report.count.total()), (Some("the body's result"), 3, 3));
    assert!(report.failures.is_empty() && report.cancelled.is_none());
    cx.assert_at(3);
}

pub(crate) async fn an_empty_group_ends_with_its_body(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    assert_eq!(group::<()>(cx.spawner.clone()).run(&scope, async |_| Ok(1)).await.unwrap(), 1);
    let error = group(cx.spawner.clone()).run(&scope, async |_| Err::<(), _>("empty")).await.unwrap_err();
    assert_eq!(error.to_string(), "the body: empty");
}

/// Spawns a child that spawns two below it, down to `depth`.
fn tree(g: &TaskGroup<()>, depth: u32) -> Pin<Box<dyn Future<Output = Result<(), ()>> + Send>> {
    let g = g.clone();
    Box::pin(async move {
        again().await;
        if depth > 0 {
            for _ in 0..2 {
                drop(g.spawn("node", tree(&g, depth - 1)).unwrap());
            }
        }
        Ok(())
    })
}

pub(crate) async fn children_spawn_siblings(cx: Cx<impl Spawner>) {
    let report = group(cx.spawner.clone())
        .report(&cx.scope(), async |g| {
            drop(g.spawn("root", tree(&g, 5)).unwrap());
            Ok(())
        })
        .await;
    assert_eq!((report.count.done, report.count.total()), (63, 63));
}

pub(crate) async fn a_handle_tells_how_far_its_child_is_and_gives_the_result_once(cx: Cx<impl Spawner>) {
    let (tell, told) = oneshot::channel();
    let mut handle = group::<()>(cx.spawner.clone())
        .run(&cx.scope(), async |g| {
            let mut handle = g.spawn("seven", async { Ok(told.await.unwrap()) }).unwrap();
            assert_eq!((handle.name(), handle.status(), handle.is_finished()), ("seven", Status::Running, false));
            assert_eq!(handle.try_take(), None);
            tell.send(7).unwrap();
            assert_eq!((&mut handle).await, Ok(7));
            assert_eq!((handle.status(), handle.try_take()), (Status::Done, None));
            // Kept beyond the group, another one gives its result then.
            Ok(g.spawn("eight", ready(Ok(8))).unwrap())
        })
        .await
        .unwrap();
    assert!(handle.is_finished());
    assert_eq!((handle.try_take(), handle.try_take()), (Some(Ok(8)), None));
    assert!(!handle.cancel("too late"));
}

pub(crate) async fn a_dropped_handle_detaches_nothing(cx: Cx<impl Spawner>) {
    let done = Counter::new();
    let report = group::<()>(cx.spawner.clone())
        .report(&cx.scope(), async |g| {
            let (sleep, guard) = (cx.sleep(4), done.on_drop());
            let child = async move {
                sleep.await;
                Ok(guard)
            };
            drop(g.spawn("child", child).unwrap());
            Ok(())
        })
        .await;
    assert_eq!((done.count(), report.count.done), (1, 1), "waited for, and its result is dropped");
    cx.assert_at(4);
}

pub(crate) async fn a_handle_cancels_its_own_child_alone(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let report = group::<()>(cx.spawner.clone())
        .report(&scope, async |g| {
            let guard = gone.on_drop();
            let endless = async move {
                let _guard = guard;
                pending().await
            };
            let one: wakeful::task::Handle<(), ()> = g.spawn("one", endless).unwrap();
            let sleep = cx.sleep(5);
            let two = g.spawn("two", ok(sleep)).unwrap();
            cx.sleep(2).await;
            assert!(one.cancel("not needed"));
            assert!(!one.cancel("twice"));
            let Err(ChildError::Cancelled(cancelled)) = one.await else { panic!("it was cancelled") };
            assert!(cancelled.is_own());
            assert_eq!((cancelled.reason().text(), gone.count()), (Some("not needed"), 1));
            cx.assert_at(2);
            assert_eq!(two.await, Ok(()));
            Ok(())
        })
        .await;
    assert_eq!((report.count.cancelled, report.count.done), (1, 1));
    assert_eq!((report.output, report.cancelled), (Some(()), None), "a child that was sent away is no failure");
}

/// A computation that never waits sees it too, if it looks.
pub(crate) async fn a_child_that_is_cancelled_by_its_handle_sees_that_at_once(cx: Cx<impl Spawner>) {
    group::<()>(cx.spawner.clone())
        .run(&cx.scope(), async |g| {
            let (give, given) = oneshot::channel();
            let child = async move {
                give.send(current().unwrap()).unwrap();
                pending::<Result<(), ()>>().await
            };
            let handle = g.spawn("child", child).unwrap();
            let inside: Scope = given.await.unwrap();
            assert!(inside.check().is_ok());
            handle.cancel("now");
            assert!(inside.is_cancelled() && inside.check().is_err());
            assert!(!g.scope().is_cancelled());
            assert!(handle.await.is_err());
            Ok(())
        })
        .await
        .unwrap();
}

pub(crate) async fn children_lie_in_the_scope_of_the_group(cx: Cx<impl Spawner>) {
    let scope = cx.scope().child_at(cx.at(90_000));
    group::<()>(cx.spawner.clone())
        .deadline_after(LONG)
        .run(&scope, async |g| {
            assert_eq!(wakeful::effective_deadline(), Deadline::At(cx.at(90_000)));
            let group_scope = g.scope().clone();
            let child = async move {
                let inside = current().unwrap();
                let above = inside.parent().unwrap().parent().unwrap();
                Ok((wakeful::effective_deadline(), above.same(&group_scope)))
            };
            let seen = g.spawn("child", child).unwrap().await.unwrap();
            assert_eq!(seen, (Deadline::At(cx.at(90_000)), true));
            Ok(())
        })
        .await
        .unwrap();
}

pub(crate) async fn names_tell_who_is_there(cx: Cx<impl Spawner>) {
    let names = Log::new();
    let log = names.clone();
    let inner = cx.spawner.clone();
    let spawner = move |task: wakeful::spawn::Task| {
        log.add((task.name().to_owned(), task.made().file().ends_with("groups.rs")));
        wakeful::spawn::Spawn::spawn(&inner, task);
    };
    group::<()>(spawner)
        .named("zoo")
        .run(&cx.scope(), async |g| {
            let (open, opened) = oneshot::channel::<()>();
            let opened = futures::FutureExt::shared(opened);
            for name in ["lion", "lion", "bear"] {
                let opened = opened.clone();
                drop(g.spawn(name, async move { opened.await.map_err(drop) }).unwrap());
            }
            drop(g.spawn(String::from("owl"), ready(Ok(()))).unwrap().await);
            assert_eq!((g.name(), g.len(), g.is_over()), ("zoo", 3, false));
            assert_eq!(Vec::from_iter(g.live()), [("bear".into(), 1), ("lion".into(), 2)]);
            open.send(()).unwrap();
            Ok(())
        })
        .await
        .unwrap();
    let expected = ["lion", "lion", "bear", "owl"].map(|name| (name.to_owned(), true));
    assert_eq!(names.entries(), expected, "tasks have the names of children, and the places where they were spawned");
}

pub(crate) async fn a_group_that_is_over_gives_the_future_back(cx: Cx<impl Spawner>) {
    let kept = group::<()>(cx.spawner.clone()).run(&cx.scope(), async |g| Ok(g.clone())).await.unwrap();
    assert!(kept.is_over() && kept.is_empty());
    let error = kept.spawn("late", async { Ok(5) }).unwrap_err();
    assert_eq!(error.to_string(), "the group is over, and takes no more children");
    assert_eq!(error.into_inner().await, Ok::<_, ()>(5));
    assert!(kept.spawn_background("late", pending()).is_err());
    let make = kept.start("late", |_: wakeful::task::Starting<(), ()>| ready(Ok(6))).unwrap_err().into_inner();
    assert_eq!(size_of_val(&make), 0, "the closure itself");
    kept.quiesced().await;
    assert_eq!(kept.count().total(), 0);
}

pub(crate) async fn a_child_of_a_cancelled_group_is_not_begun(cx: Cx<impl Spawner>) {
    let (scope, begun) = (cx.scope(), Counter::new());
    let report = group::<&str>(cx.spawner.clone())
        .report(&scope, async |g| {
            assert!(g.cancel("enough") && !g.cancel("again"));
            let (begun, gone) = (begun.clone(), begun.on_drop());
            let child = async move {
                let _gone = gone;
                begun.add();
                Ok(())
            };
            drop(g.spawn("late", child).unwrap());
            Ok(())
        })
        .await;
    assert_eq!(begun.count(), 1, "dropped, and not begun");
    assert_eq!((report.count.cancelled, report.output), (1, Some(())));
    let cancelled = report.cancelled.clone().unwrap();
    assert_eq!((cancelled.kind(), cancelled.is_own()), (ReasonKind::Explicit, true));
    assert_eq!(report.into_result().unwrap_err().to_string(), "the group was cancelled: enough");
}

pub(crate) async fn partial_results_are_there_after_the_deadline(cx: Cx<impl Spawner>) {
    let (scope, mut handles) = (cx.scope(), Vec::new());
    let report = group::<()>(cx.spawner.clone())
        .deadline_at(cx.at(cx.soon()))
        .report(&scope, async |g| {
            let (quick, slow) = (cx.sleep(1), cx.sleep(90_000));
            handles.push(g.spawn("quick", ok(quick)).unwrap());
            handles.push(g.spawn("slow", ok(slow)).unwrap());
            Ok(())
        })
        .await;
    cx.assert_at(cx.soon());
    assert_eq!((report.count.done, report.count.cancelled), (1, 1));
    assert!(report.cancelled.is_some_and(|cancelled| cancelled.is_timeout()));
    assert_eq!(handles[0].try_take(), Some(Ok(())));
    assert!(matches!(handles[1].try_take(), Some(Err(ChildError::Cancelled(_)))));
}

/// Many wake-ups that turn out to be for nothing: each time the children have to be found again.
pub(crate) async fn f_a_deadline_that_is_moved_is_heard_each_time(cx: Cx<impl Spawner>) {
    let scope = cx.scope().child_at(cx.at(100_000));
    let canceller = {
        let (scope, cx) = (scope.clone(), cx.clone());
        cx.clone().spawn("mover", async move {
            for millis in [90_000, 80_000, 70_000] {
                cx.sleep(2).await;
                scope.set_deadline(cx.at(millis));
            }
            cx.sleep(2).await;
            scope.set_deadline(cx.time.now());
        })
    };
    let report = group::<()>(cx.spawner.clone())
        .report(&scope, async |g| {
            for _ in 0..3 {
                drop(g.spawn("endless", pending::<Result<(), _>>()).unwrap());
            }
            Ok(())
        })
        .await;
    canceller.await;
    cx.assert_at(8);
    assert_eq!(report.count.cancelled, 3);
    assert!(report.cancelled.is_some_and(|cancelled| cancelled.kind() == ReasonKind::Parent));
}

pub(crate) async fn group_futures_are_send_and_boxed_groups_nest(cx: Cx<impl Spawner>) {
    let (scope, spawner) = (cx.scope(), cx.spawner.clone());
    let outer = cx.spawn("owner", async move {
        group::<String>(spawner.clone())
            .run(&scope, async |g| {
                let (inner_scope, spawner) = (g.scope().clone(), spawner.clone());
                let inner = async move {
                    let inner = group::<String>(spawner).run(&inner_scope, async |g| {
                        let sums = [1, 2, 3].map(|n| g.spawn("leaf", ready(Ok(n))).unwrap());
                        let mut sum = 0;
                        for leaf in sums {
                            sum += leaf.await.map_err(|error| error.to_string())?;
                        }
                        Ok(sum)
                    });
                    inner.await.map_err(|error| error.to_string())
                };
                g.spawn("inner", inner).unwrap().await.map_err(|error| error.to_string())
            })
            .await
    });
    assert_eq!(outer.await.unwrap(), 6);
}

/// T4, whoever has the child's own scope.
pub(crate) async fn f_a_child_hears_what_others_do_with_its_own_scope(cx: Cx<impl Spawner>) {
    let report = group::<()>(cx.spawner.clone())
        .report(&cx.scope(), async |g| {
            let (tell, told) = oneshot::channel();
            let child = async move {
                tell.send(current().unwrap()).unwrap();
                pending::<Result<(), _>>().await
            };
            let handle = g.spawn("child", child).unwrap();
            let own = told.await.unwrap();
            cx.sleep(1).await;
            assert!(own.cancel("from elsewhere"));
            let Err(ChildError::Cancelled(cancelled)) = handle.await else { panic!("it was cancelled") };
            assert!(cancelled.is_own());
            let at = cx.at(cx.soon());
            let child = async move {
                current().unwrap().set_deadline(at);
                pending::<Result<(), _>>().await
            };
            let late = g.spawn("late", child).unwrap().await.unwrap_err();
            assert!(matches!(late, ChildError::Cancelled(cancelled) if cancelled.is_timeout()));
            Ok(())
        })
        .await;
    assert_eq!((report.count.cancelled, report.cancelled), (2, None));
    cx.assert_at(cx.soon());
}

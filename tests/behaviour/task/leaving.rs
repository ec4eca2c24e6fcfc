//! Groups whose futures are dropped, or whose scopes are cancelled from outside.

use crate::support::{Boxed, Counter, Cx, LONG, Spawner, again, ms, ok, poll, waker};
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use wakeful::cancel::{ReasonKind, Scope};
use wakeful::task::{GroupError, Handle, Refusal, TaskGroup, group};

type Run = Boxed<Result<(), GroupError<()>>>;

/// A group with one child that waits for ever, and counts its end.
fn endless<S: Spawner>(cx: &Cx<S>, scope: &Scope, gone: &Counter) -> (Run, TaskGroup<()>) {
    let (guard, mut kept) = (gone.on_drop(), None);
    let run = group::<()>(cx.spawner.clone()).run(scope, |g| {
        kept = Some(g.clone());
        async move {
            let child = async move {
                let _guard = guard;
                pending().await
            };
            let handle: Handle<(), ()> = g.spawn("endless", child).unwrap();
            drop(handle);
            pending().await
        }
    });
    (Box::pin(run), kept.unwrap())
}

pub(crate) async fn a_dropped_group_cancels_its_children_at_once(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let (mut run, kept) = endless(&cx, &cx.scope(), &gone);
    assert!(poll(run.as_mut(), &Counter::new().waker()).is_pending());
    cx.sleep(2).await;
    assert_eq!(gone.count(), 0);
    drop(run);
    assert_eq!(kept.scope().reason().unwrap().kind(), ReasonKind::OwnerDropped);
    kept.quiesced().await;
    assert_eq!((gone.count(), kept.count().cancelled, kept.is_empty()), (1, 1, true));
    cx.assert_at(2);
}

pub(crate) async fn k_a_waker_that_panics_does_not_come_out_of_a_group_that_is_dropped(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let (mut run, kept) = endless(&cx, &cx.scope(), &gone);
    assert!(poll(run.as_mut(), &Counter::new().waker()).is_pending());
    let mut until = Box::pin(kept.scope().cancelled());
    assert!(poll(until.as_mut(), &waker(|| resume_unwind(Box::new("a bad waker")))).is_pending());
    drop(run);
    kept.quiesced().await;
    assert_eq!((gone.count(), kept.count().cancelled), (1, 1));
}

pub(crate) async fn what_outlives_a_dropped_group_is_known_by_name(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let (mut run, kept) = endless(&cx, &cx.scope(), &gone);
    assert!(poll(run.as_mut(), &Counter::new().waker()).is_pending());
    drop(run);
    if cx.exact() {
        assert_eq!(Vec::from_iter(kept.live()), [("endless".into(), 1)]);
    }
    kept.quiesced().await;
    assert!(kept.live().is_empty());
}

pub(crate) async fn several_may_wait_for_a_group_to_quiesce(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let (mut run, kept) = endless(&cx, &cx.scope(), &gone);
    assert!(poll(run.as_mut(), &Counter::new().waker()).is_pending());
    let waits: Vec<_> = (0..50)
        .map(|_| {
            let kept = kept.clone();
            cx.spawn("waits", async move { kept.quiesced().await })
        })
        .collect();
    cx.sleep(1).await;
    drop(run);
    for wait in waits {
        wait.await;
    }
    assert_eq!(gone.count(), 1);
}

/// Rule e: the scope around it says so.
pub(crate) async fn e_a_group_in_the_body_of_a_cancelled_scope_is_cut_with_it(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let outcome = scope
        .move_on_after(ms(20), async |s| {
            let (run, kept) = endless(&cx, s, &gone);
            (run.await, kept)
        })
        .await;
    assert!(outcome.into_result().unwrap_err().is_timeout());
    cx.assert_at(20);
    // Also where the body of the group is done, and only children are waited for.
    let gone = Counter::new();
    let outcome = scope
        .move_on_after(ms(20), async |s| {
            let guard = gone.on_drop();
            let run = group::<()>(cx.spawner.clone()).run(s, async |g| {
                let child = async move {
                    let _guard = guard;
                    pending().await
                };
                let handle: Handle<(), ()> = g.spawn("endless", child).unwrap();
                drop(handle);
                Ok(())
            });
            run.await
        })
        .await;
    assert!(outcome.is_cancelled());
}

/// Nothing that follows the scope meets what was left behind.
pub(crate) async fn a_scope_waits_for_the_groups_that_it_cut_short(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let mut kept = Vec::new();
    let outcome = scope
        .move_on_after(ms(20), async |s| {
            let ((one, g), (two, h)) = (endless(&cx, s, &gone), endless(&cx, s, &gone));
            kept.extend([g, h]);
            futures::future::join(one, two).await
        })
        .await;
    assert!(outcome.into_result().unwrap_err().is_timeout());
    assert_eq!(gone.count(), 2);
    assert!(kept.iter().all(TaskGroup::is_over));
    // A run that ends by itself waits too, for one that its body dropped.
    let (run, g) = endless(&cx, &scope, &gone);
    let done = scope.run(async move {
        let mut run = run;
        assert!(poll(run.as_mut(), &Counter::new().waker()).is_pending());
        drop(run);
    });
    assert!(!done.await.is_cancelled());
    assert!(g.is_over() && gone.count() == 3);
}

/// Rule h: what a shield keeps in a child ends before the group does.
pub(crate) async fn h_a_shield_in_a_child_holds_the_group(cx: Cx<impl Spawner>) {
    let (begun, written) = (Counter::new(), Counter::new());
    let report = group::<()>(cx.spawner.clone())
        .report(&cx.scope(), async |g| {
            let (begins, count, sleep) = (begun.clone(), written.clone(), cx.sleep(10));
            let child = async move {
                begins.add();
                let write = async {
                    sleep.await;
                    count.add();
                };
                let _ = wakeful::cancel::shield(LONG, write).await;
                pending().await
            };
            let handle: Handle<(), ()> = g.spawn("writer", child).unwrap();
            drop(handle);
            begun.reaches(1).await;
            cx.sleep(2).await;
            g.cancel("enough");
            Ok(())
        })
        .await;
    assert_eq!((written.count(), report.count.cancelled), (1, 1));
    cx.assert_at(10);
}

/// Rule j: what is there winds down, and nothing new begins.
pub(crate) async fn j_a_group_that_winds_down_takes_no_more_children(cx: Cx<impl Spawner>) {
    let (scope, begun) = (cx.scope(), Counter::new());
    let report = group::<()>(cx.spawner.clone())
        .report(&scope, async |g| {
            let (inside, begins) = (g.scope().clone(), begun.clone());
            let polite = async move {
                begins.add();
                inside.draining().await;
                Ok(())
            };
            let polite = g.spawn("polite", polite).unwrap();
            let stubborn: Handle<(), ()> = g.spawn("stubborn", pending()).unwrap();
            begun.reaches(1).await;
            cx.sleep(2).await;
            assert!(scope.cancel_with_grace("wind down", ms(20)));
            let refused = g.spawn("late", async { Ok(5) }).unwrap_err();
            assert_eq!(refused.refusal(), Refusal::Draining);
            assert_eq!(refused.into_inner().await, Ok(5));
            assert!(g.spawn_background("late", pending()).is_err());
            assert_eq!(polite.await, Ok(()));
            let _ = stubborn.await;
            Ok(())
        })
        .await;
    assert_eq!((report.count.done, report.count.cancelled), (1, 1));
    cx.assert_at(22);
}

/// Rule e: elsewhere it says so itself, with the ancestor's reason.
pub(crate) async fn e_a_group_whose_scope_is_cancelled_from_elsewhere_says_so(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let inner = scope.child();
    let (run, _) = endless(&cx, &inner, &gone);
    let task = cx.spawn("owner", run);
    cx.sleep(3).await;
    scope.cancel("from elsewhere");
    let GroupError::Cancelled(cancelled) = task.await.unwrap_err() else { panic!("nothing failed") };
    assert_eq!((cancelled.kind(), cancelled.reason().text()), (ReasonKind::Parent, Some("from elsewhere")));
    assert_eq!(gone.count(), 1);
    cx.assert_at(3);
}

/// Rule b: children that are ready count, also at the instant of the deadline.
pub(crate) async fn b_a_group_whose_children_are_done_in_time_is_not_cancelled(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let mut kept = None;
    let outcome = group::<()>(cx.spawner.clone())
        .run(&scope, async |g| {
            let sleep = cx.sleep(2);
            let handle = g.spawn("child", ok(sleep)).unwrap();
            kept = Some(g.clone());
            handle.await.map_err(|_| ())
        })
        .await;
    assert_eq!(outcome.unwrap(), ());
    let kept = kept.unwrap();
    kept.cancel("when it is over");
    assert_eq!((kept.count().done, kept.count().total()), (1, 1));
}

pub(crate) async fn b_a_group_in_a_cancelled_scope_does_not_begin(cx: Cx<impl Spawner>) {
    let (scope, begun) = (cx.scope(), Counter::new());
    scope.cancel("before");
    let outcome = group::<()>(cx.spawner.clone())
        .run(&scope, async |_| {
            begun.add();
            Ok(())
        })
        .await;
    assert!(matches!(outcome, Err(GroupError::Cancelled(_))));
    assert_eq!(begun.count(), 0);
}

pub(crate) async fn children_of_a_dropped_group_end_in_scopes_of_their_own(cx: Cx<impl Spawner>) {
    let (scope, seen) = (cx.scope(), Counter::new());
    let mut run = Box::pin(group::<()>(cx.spawner.clone()).run(&scope, async |g| {
        let seen = seen.clone();
        let child = async move {
            // A timeout inside a child relies on the child's own run to hear of the end.
            let outcome = wakeful::move_on_after(LONG, pending::<()>()).await;
            let _ = outcome;
            seen.add();
            Ok(())
        };
        drop(g.spawn("child", child).unwrap());
        pending::<Result<(), ()>>().await
    }));
    assert!(poll(run.as_mut(), &Counter::new().waker()).is_pending());
    again().await;
    drop(run);
    cx.sleep(2).await;
    assert_eq!(seen.count(), 0, "cut short as a whole");
    assert!(!scope.is_cancelled());
}

pub(crate) async fn a_closure_that_panics_leaves_no_child_behind(cx: Cx<impl Spawner>) {
    let (gone, scope, mut kept) = (Counter::new(), cx.scope(), None);
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let run = group::<()>(cx.spawner.clone()).run(&scope, |g| {
            kept = Some(g.clone());
            let guard = gone.on_drop();
            let child = async move {
                let _guard = guard;
                pending::<Result<(), _>>().await
            };
            drop(g.spawn("endless", child).unwrap());
            if true { resume_unwind(Box::new("not set up")) } else { ready(Ok(())) }
        });
        drop(run);
    }));
    assert!(opened.is_err());
    let kept = kept.unwrap();
    assert_eq!(kept.scope().reason().unwrap().kind(), ReasonKind::OwnerDropped);
    kept.quiesced().await;
    assert_eq!((gone.count(), kept.count().cancelled), (1, 1));
}

//! What fails, whom that cancels, and what is said of it.

use crate::support::{Counter, Cx, LONG, Spawner, again, ok, on_drop, poll, waker};
use futures::channel::oneshot;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, resume_unwind};
use wakeful::cancel::ReasonKind;
use wakeful::spawn::Task;
use wakeful::task::{Cause, ChildError, GroupError, Handle, Policy, Status, TaskGroup, group};

/// A child that waits for ever, and counts its end.
fn endless<E: Send + 'static>(g: &TaskGroup<E>, gone: &Counter) -> Handle<(), E> {
    let guard = gone.on_drop();
    let child = async move {
        let _guard = guard;
        pending().await
    };
    g.spawn("endless", child).unwrap()
}

/// A panic without a message on the terminal.
fn panics() -> Result<(), &'static str> {
    resume_unwind(Box::new("oh no"))
}

pub(crate) async fn the_first_failure_cancels_body_and_siblings(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let mut sibling = None;
    let error = group(cx.spawner.clone())
        .run(&scope, async |g| {
            let _body = gone.on_drop();
            sibling = Some(endless(&g, &gone));
            let sleep = cx.sleep(3);
            let fails = async move {
                sleep.await;
                Err::<(), _>("broken")
            };
            drop(g.spawn("fails", fails).unwrap());
            pending::<Result<(), _>>().await
        })
        .await
        .unwrap_err();
    cx.assert_at(3);
    assert_eq!((gone.count(), error.to_string().as_str()), (2, "`fails`: broken"));
    let Some(Ok(Err(ChildError::Cancelled(cancelled)))) = sibling.map(|mut s| s.try_take().ok_or(())) else {
        panic!("it was cancelled")
    };
    assert_eq!((cancelled.reason().kind(), cancelled.reason().text()), (ReasonKind::SiblingFailed, Some("fails")));
    assert!(!scope.is_cancelled());
}

pub(crate) async fn a_body_that_fails_cancels_its_children_under_every_policy(cx: Cx<impl Spawner>) {
    for policy in [Policy::FailFast, Policy::Supervise, Policy::FirstDone, Policy::FirstOk] {
        let gone = Counter::new();
        let error = group(cx.spawner.clone())
            .policy(policy)
            .run(&cx.scope(), async |g| {
                drop(endless(&g, &gone));
                again().await;
                Err::<(), _>("the body has had enough")
            })
            .await
            .unwrap_err();
        assert_eq!(gone.count(), 1);
        let GroupError::Failed(failures) = error else { panic!("it failed") };
        assert_eq!((failures.count(), failures.first.name()), (1, None));
    }
}

pub(crate) async fn supervised_children_fail_by_themselves(cx: Cx<impl Spawner>) {
    let report = group(cx.spawner.clone())
        .policy(Policy::Supervise)
        .report(&cx.scope(), async |g| {
            let sleep = cx.sleep(4);
            let good = g.spawn("good", ok(sleep)).unwrap();
            let bad = g.spawn("bad", ready(Err::<(), _>("bad luck"))).unwrap();
            let worse = g.spawn("worse", async { panics() }).unwrap();
            assert_eq!((bad.await, worse.await), (Err(ChildError::Failed), Err(ChildError::Panicked)));
            assert_eq!(good.await, Ok(()));
            Ok("to its end")
        })
        .await;
    assert_eq!(report.output, Some("to its end"));
    assert_eq!((report.count.done, report.count.failed, report.count.panicked), (1, 1, 1));
    let mut names: Vec<_> = report.failures.iter().map(|failure| failure.name().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["bad", "worse"]);
    let GroupError::Failed(failures) = report.into_result().unwrap_err() else { panic!("children failed") };
    assert_eq!(failures.first.name(), Some("worse"), "panic outranks error");
    assert_eq!(failures.rest[0].error(), Some(&"bad luck"));
}

pub(crate) async fn the_first_one_done_cancels_the_others(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let outcome = group::<&str>(cx.spawner.clone())
        .policy(Policy::FirstDone)
        .run(&cx.scope(), async |g| {
            let loser = endless(&g, &gone);
            let sleep = cx.sleep(2);
            let winner = g.spawn("winner", ok(sleep)).unwrap();
            let Err(ChildError::Cancelled(cancelled)) = loser.await else { panic!("it was cancelled") };
            assert_eq!(cancelled.reason().text(), Some("another child was first"));
            // The body goes on.
            cx.sleep(2).await;
            winner.await.unwrap();
            Ok(())
        })
        .await;
    assert_eq!((outcome.unwrap(), gone.count()), ((), 1));
    cx.assert_at(4);
    let error = group(cx.spawner.clone())
        .policy(Policy::FirstDone)
        .run(&cx.scope(), async |g| {
            drop(endless(&g, &gone));
            drop(g.spawn("first", ready(Err::<(), _>("badly"))).unwrap());
            Ok(())
        })
        .await
        .unwrap_err();
    assert_eq!((error.to_string().as_str(), gone.count()), ("`first`: badly", 2));
}

/// Also if it lingers in a shield while the group is cancelled: what cut it short is that another was first.
pub(crate) async fn d_whom_the_first_one_has_cancelled_is_not_cut_short_by_the_group(cx: Cx<impl Spawner>) {
    for (end, policy) in [(6, Policy::FirstDone), (12, Policy::FirstOk)] {
        let (begun, written) = (Counter::new(), Counter::new());
        let report = group::<()>(cx.spawner.clone())
            .policy(policy)
            .report(&cx.scope(), async |g| {
                let (begins, count, write) = (begun.clone(), written.clone(), cx.sleep(6));
                let lingers = async move {
                    begins.add();
                    let write = async {
                        write.await;
                        count.add();
                    };
                    let _ = wakeful::cancel::shield(LONG, write).await;
                    pending::<Result<(), ()>>().await
                };
                drop(g.spawn("lingers", lingers).unwrap());
                begun.reaches(1).await;
                g.spawn("first", ok(cx.sleep(2))).unwrap().await.unwrap();
                let (inside, later) = (g.scope().clone(), cx.sleep(2));
                let cancels = async move {
                    later.await;
                    inside.cancel("later");
                };
                cx.spawner.spawn(Task::new(cancels));
                Ok(())
            })
            .await;
        cx.assert_at(end);
        assert_eq!((written.count(), report.count.done, report.count.cancelled), (1, 1, 1));
        assert_eq!((report.cancelled, report.output), (None, Some(())), "{policy:?}");
    }
}

pub(crate) async fn the_first_one_that_is_well_cancels_the_others(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let run = async |good: bool| {
        let (sleep, later) = (cx.sleep(3), cx.sleep(2));
        group(cx.spawner.clone())
            .policy(Policy::FirstOk)
            .report(&cx.scope(), async |g| {
                let bad = g.spawn("bad", ready(Err::<(), _>("at once"))).unwrap();
                let late = async move {
                    later.await;
                    assert_eq!(bad.await, Err(ChildError::Failed));
                    Err::<(), _>("late")
                };
                let bad_too = g.spawn("bad too", late).unwrap();
                if good {
                    drop(endless(&g, &gone));
                    // However late all of them are polled, it is after the others.
                    let good = async move {
                        sleep.await;
                        assert_eq!(bad_too.await, Err(ChildError::Failed));
                        Ok(())
                    };
                    drop(g.spawn("good", good).unwrap());
                }
                Ok(())
            })
            .await
    };
    let report = run(true).await;
    assert_eq!((gone.count(), report.failures.len(), report.count.cancelled), (1, 2, 1));
    assert_eq!(report.into_result().unwrap(), (), "one was well");
    let GroupError::Failed(failures) = run(false).await.into_result().unwrap_err() else { panic!("none was well") };
    let errors: Vec<_> = failures.iter().map(|failure| *failure.error().unwrap()).collect();
    assert_eq!(errors, ["at once", "late"]);
}

pub(crate) async fn all_errors_survive_and_cancellations_are_filtered_out(cx: Cx<impl Spawner>) {
    let error = group(cx.spawner.clone())
        .run(&cx.scope(), async |g| {
            drop(endless(&g, &Counter::new()));
            let (open, opened) = oneshot::channel::<()>();
            let stubborn = async move {
                // Notices the group's end by something else, and fails on its way out.
                assert!(opened.await.is_err());
                Err::<(), _>("second")
            };
            drop(g.spawn("stubborn", stubborn).unwrap());
            let sleep = cx.sleep(2);
            let fails = async move {
                let _open = open;
                sleep.await;
                Err::<(), _>("first")
            };
            drop(g.spawn("fails", fails).unwrap());
            Ok(())
        })
        .await
        .unwrap_err();
    // The channel goes with the failing child's body, before that child has ended.
    let GroupError::Failed(failures) = error else { panic!("it failed") };
    let mut errors: Vec<_> = failures.iter().map(|failure| *failure.error().unwrap()).collect();
    assert!(errors[0] == "first" || !cx.exact());
    errors.sort_unstable();
    errors.retain(|error| *error != "second");
    assert_eq!(errors, ["first"]);
}

pub(crate) async fn a_panic_is_raised_again_when_all_are_gone(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let raised = AssertUnwindSafe(async {
        group(cx.spawner.clone())
            .run(&cx.scope(), async |g| {
                drop(endless(&g, &gone));
                drop(g.spawn("error", ready(Err::<(), _>("an error"))).unwrap());
                drop(g.spawn("panics", async { panics() }).unwrap());
                Ok(())
            })
            .await
    });
    let raised = futures::FutureExt::catch_unwind(raised).await;
    // Whoever failed first cancelled the others: where that is the error, the panic may not have begun.
    match raised {
        Err(panic) => assert_eq!(panic.downcast_ref(), Some(&"oh no")),
        Ok(result) => assert_eq!(result.unwrap_err().to_string(), "`error`: an error"),
    }
    assert_eq!(gone.count(), 1);
}

pub(crate) async fn a_panic_of_the_body_is_raised_again_when_all_are_gone(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let raised = AssertUnwindSafe(async {
        let body = async |g: TaskGroup<_>| {
            drop(endless(&g, &gone));
            again().await;
            panics()
        };
        group(cx.spawner.clone()).run(&cx.scope(), body).await
    });
    let panic = futures::FutureExt::catch_unwind(raised).await.unwrap_err();
    assert_eq!((panic.downcast_ref(), gone.count()), (Some(&"oh no"), 1));
}

pub(crate) async fn a_panic_in_a_destructor_is_its_childs(cx: Cx<impl Spawner>) {
    let report = group::<()>(cx.spawner.clone())
        .policy(Policy::Supervise)
        .report(&cx.scope(), async |g| {
            let guard = || on_drop(|| resume_unwind(Box::new("while it was dropped")));
            let (one, two, three) = (guard(), guard(), guard());
            let cut = async move {
                let _guard = one;
                pending::<Result<(), ()>>().await
            };
            let cut = g.spawn("cut short", cut).unwrap();
            again().await;
            cut.cancel("for its destructor");
            assert_eq!(cut.await, Err(ChildError::Panicked));
            let ends = async move {
                let _guard = two;
                Ok(())
            };
            assert_eq!(g.spawn("ends", ends).unwrap().await, Err(ChildError::Panicked));
            drop(g.spawn("result that nobody takes", async move { Ok(three) }).unwrap());
            Ok(())
        })
        .await;
    assert!((2..=3).contains(&report.count.panicked), "the last handle may be dropped first or last");
    for failure in &report.failures {
        assert!(matches!(failure.cause(), Cause::Panic(panic) if panic.message() == "while it was dropped"));
    }
}

pub(crate) async fn a_task_that_its_executor_drops_is_lost_at_once(cx: Cx<impl Spawner>) {
    let (inner, gone) = (cx.spawner.clone(), Counter::new());
    let spawner = move |task: Task| {
        if task.name() == "lost" { drop(task) } else { inner.spawn(task) }
    };
    let report = group::<&str>(spawner)
        .report(&cx.scope(), async |g| {
            drop(endless(&g, &gone));
            let lost = g.spawn("lost", pending::<Result<(), _>>()).unwrap();
            assert_eq!(lost.status(), Status::Lost);
            assert_eq!(lost.await, Err(ChildError::Lost));
            pending::<Result<(), _>>().await
        })
        .await;
    assert_eq!((report.count.lost, report.count.cancelled, report.cancelled.is_some()), (1, 1, true));
    let error = report.into_result().unwrap_err();
    assert_eq!(error.to_string(), "`lost`: its task was dropped before it had ended");
}

pub(crate) async fn an_inner_failure_stays_inside_unless_it_leaves_the_inner_group(cx: Cx<impl Spawner>) {
    type Inner = GroupError<&'static str>;
    let (spawner, gone) = (cx.spawner.clone(), Counter::new());
    let inner = |g: &TaskGroup<Inner>| {
        let (scope, spawner, gone) = (g.scope().clone(), spawner.clone(), gone.clone());
        async move {
            group(spawner)
                .run(&scope, async |g| {
                    drop(endless(&g, &gone));
                    drop(g.spawn("leaf", ready(Err::<(), _>("wilted"))).unwrap());
                    Ok(())
                })
                .await
        }
    };
    let report = group::<Inner>(spawner.clone())
        .report(&cx.scope(), async |g| {
            let sleep = cx.sleep(3);
            let other = g.spawn("other", ok(sleep)).unwrap();
            let kept = inner(&g);
            let handled = g.spawn("handles it", async move { Ok(kept.await.is_err()) }).unwrap();
            assert_eq!(handled.await, Ok(true));
            assert_eq!((other.await, g.scope().is_cancelled()), (Ok(()), false));
            drop(endless(&g, &gone));
            drop(g.spawn("lets it out", inner(&g)).unwrap());
            pending::<Result<(), _>>().await
        })
        .await;
    assert_eq!(gone.count(), 3);
    let GroupError::Failed(failures) = report.into_result().unwrap_err() else { panic!("one let it out") };
    assert_eq!((failures.count(), failures.first.name()), (1, Some("lets it out")));
    let shape = failures.first.error().unwrap();
    assert_eq!(shape.first().and_then(|first| first.name()), Some("leaf"));
    assert_eq!(failures.first.to_string(), "`lets it out`: `leaf`: wilted");
}

/// Rule k: the waker is fired outside the lock, and what it throws goes to who fired it.
pub(crate) async fn k_a_waker_that_panics_keeps_nobody_waiting(cx: Cx<impl Spawner>) {
    let (inner, scope, gone) = (cx.spawner.clone(), cx.scope(), Counter::new());
    let spawner = move |task: Task| {
        let guarded = futures::FutureExt::catch_unwind(AssertUnwindSafe(task));
        inner.spawn(Task::new(async move { drop(guarded.await) }));
    };
    let bad = waker(|| resume_unwind(Box::new("a bad waker")));
    let error = group(spawner)
        .run(&scope, async |g| {
            let mut until = Box::pin(g.scope().cancelled());
            assert!(poll(until.as_mut(), &bad).is_pending());
            drop((endless(&g, &gone), endless(&g, &gone)));
            again().await;
            drop(g.spawn("fails", ready(Err::<(), _>("broken"))).unwrap());
            pending::<Result<(), _>>().await
        })
        .await
        .unwrap_err();
    assert_eq!((error.to_string().as_str(), gone.count()), ("`fails`: broken", 2));
}

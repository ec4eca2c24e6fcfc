//! Local groups: children in the group's own task.

use crate::support::{Counter, Cx, LONG, Log, Spawner, again, ms, ok, poll, waker};
use futures::channel::oneshot;
use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use wakeful::cancel::{Deadline, ReasonKind, current};
use wakeful::sync::{Event, Latch};
use wakeful::task::{Cause, ChildError, GroupError, LocalGroup, Policy, Refusal, group, local_group};

pub(crate) async fn children_borrow_and_run_while_the_body_awaits(cx: Cx<impl Spawner>) {
    let (scope, words) = (cx.scope(), vec![String::from("one"), String::from("three")]);
    let letters = Latch::new(2);
    let report = local_group::<()>()
        .report(&scope, async |g| {
            let handles = words.iter().map(|word| {
                let child = async {
                    cx.sleep(2).await;
                    letters.count_down();
                    Ok(&word[..1])
                };
                g.spawn("first letter", child).unwrap()
            });
            let handles: Vec<_> = handles.collect();
            // Not awaiting the children themselves.
            letters.wait().await;
            cx.sleep(1).await;
            let mut both = String::new();
            for handle in handles {
                both += handle.await.unwrap();
            }
            Ok(both)
        })
        .await;
    assert_eq!((report.output.as_deref(), report.count.done, report.count.total()), (Some("ot"), 2, 2));
    cx.assert_at(3);
}

pub(crate) async fn a_local_group_ends_when_all_are_gone(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let run = local_group::<()>().run(&scope, async |g| {
        for n in [4, 2] {
            let (sleep, guard) = (cx.sleep(n), gone.on_drop());
            let child = async move {
                let _guard = guard;
                sleep.await;
                Ok(())
            };
            drop(g.spawn("child", child).unwrap());
        }
        Ok(g.len())
    });
    assert_eq!(run.await.unwrap(), 2);
    assert_eq!(gone.count(), 2);
    cx.assert_at(4);
}

/// Children that spawn siblings, each a level deeper.
fn deeper<'env>(g: &LocalGroup<'env, ()>, seen: &'env Counter, depth: u32) {
    let inner = g.clone();
    let child = async move {
        seen.add();
        again().await;
        if depth > 0 {
            deeper(&inner, seen, depth - 1);
            deeper(&inner, seen, depth - 1);
        }
        Ok(())
    };
    drop(g.spawn("node", child).unwrap());
}

pub(crate) async fn local_children_spawn_siblings(cx: Cx<impl Spawner>) {
    let seen = Counter::new();
    let report = local_group()
        .report(&cx.scope(), async |g| {
            deeper(&g, &seen, 5);
            Ok(())
        })
        .await;
    assert_eq!((report.count.done, seen.count()), (63, 63));
}

pub(crate) async fn the_first_local_failure_cancels_the_others(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let outcome = local_group::<&str>()
        .run(&cx.scope(), async |g| {
            let guard = gone.on_drop();
            let endless = async move {
                let _guard = guard;
                pending::<()>().await;
                Ok(())
            };
            drop(g.spawn("endless", endless).unwrap());
            let sleep = cx.sleep(1);
            let fails = async move {
                sleep.await;
                Err::<(), _>("bad luck")
            };
            drop(g.spawn("fails", fails).unwrap());
            pending::<Result<(), _>>().await
        })
        .await;
    assert_eq!((outcome.unwrap_err().to_string().as_str(), gone.count()), ("`fails`: bad luck", 1));
    cx.assert_at(1);
}

pub(crate) async fn local_policies_are_those_of_groups(cx: Cx<impl Spawner>) {
    for (policy, done, failed, cancelled) in
        [(Policy::Supervise, 1, 1, 0), (Policy::FirstDone, 0, 1, 1), (Policy::FirstOk, 1, 1, 1)]
    {
        let report = local_group::<&str>()
            .policy(policy)
            .report(&cx.scope(), async |g| {
                drop(g.spawn("fails", ready(Err::<(), _>("at once"))).unwrap());
                let sleep = cx.sleep(1);
                drop(g.spawn("is well", ok(sleep)).unwrap());
                if policy == Policy::FirstOk {
                    drop(g.spawn("endless", pending::<Result<(), _>>()).unwrap());
                }
                Ok(())
            })
            .await;
        let count = report.count;
        assert_eq!((count.done, count.failed, count.cancelled), (done, failed, cancelled), "{policy:?}");
    }
}

pub(crate) async fn a_local_panic_is_raised_when_all_are_gone(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let spawn = |g: &LocalGroup<'_, ()>| {
        for n in 0..4 {
            let guard = gone.on_drop();
            let child = async move {
                let _guard = guard;
                if n % 2 == 1 {
                    resume_unwind(Box::new(n));
                }
                pending().await
            };
            drop(g.spawn::<(), _>("child", child).unwrap());
        }
    };
    let (scope, spawn) = (cx.scope(), &spawn);
    let run = || {
        async move |g: LocalGroup<'_, ()>| {
            spawn(&g);
            Ok(())
        }
    };
    let mut raises = pin!(local_group().run(&scope, run()));
    let raised = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| raises.as_mut().poll(cx))) {
        Ok(polled) => polled.map(|_| None),
        Err(panic) => Poll::Ready(Some(panic)),
    });
    assert_eq!((raised.await.unwrap().downcast_ref(), gone.count()), (Some(&1), 4));
    let report = local_group().policy(Policy::Supervise).deadline_after(ms(cx.soon())).report(&scope, run()).await;
    assert_eq!((report.count.panicked, report.count.cancelled, gone.count()), (2, 2, 8));
    assert!(report.failures.iter().all(|failure| matches!(failure.cause(), Cause::Panic(_))));
}

pub(crate) async fn dropping_a_local_group_drops_every_child_whoever_panics(cx: Cx<impl Spawner>) {
    struct Panics(usize, Counter);
    impl Drop for Panics {
        fn drop(&mut self) {
            self.1.add();
            if self.0 % 2 == 1 {
                resume_unwind(Box::new(self.0));
            }
        }
    }
    let (scope, gone) = (cx.scope(), Counter::new());
    let mut kept = None;
    let mut run = Box::pin(local_group::<()>().run(&scope, |g| {
        kept = Some(g.clone());
        let body = Panics(10, gone.clone());
        for n in 0..6 {
            let panics = Panics(n, gone.clone());
            let child = async move {
                let _panics = panics;
                pending().await
            };
            drop(g.spawn::<(), _>("child", child).unwrap());
        }
        async move {
            let _body = body;
            pending::<Result<(), _>>().await
        }
    }));
    let kept = kept.unwrap();
    let handle = kept.spawn("watched", pending::<Result<(), _>>()).unwrap();
    assert!(poll(run.as_mut(), &Counter::new().waker()).is_pending());
    // One that was not taken in yet.
    drop(kept.spawn("late", pending::<Result<(), _>>()).unwrap());
    let mut until = Box::pin(kept.scope().cancelled());
    assert!(poll(until.as_mut(), &waker(|| resume_unwind(Box::new("a bad waker")))).is_pending());
    let panic = catch_unwind(AssertUnwindSafe(|| drop(run))).unwrap_err();
    assert_eq!((panic.downcast_ref(), gone.count()), (Some(&1_usize), 7), "the first panic goes on when all are gone");
    assert!(kept.is_over() && kept.is_empty() && kept.live().is_empty());
    assert_eq!((kept.count().panicked, kept.count().cancelled), (3, 5));
    let Err(ChildError::Cancelled(cancelled)) = handle.await else { panic!("it was dropped") };
    assert_eq!(cancelled.reason().kind(), ReasonKind::OwnerDropped);
    assert_eq!(kept.spawn("late", ready(Ok(()))).unwrap_err().refusal(), Refusal::Over);
}

pub(crate) async fn a_local_child_is_cancelled_by_its_handle(cx: Cx<impl Spawner>) {
    let gone = Counter::new();
    let report = local_group::<()>()
        .report(&cx.scope(), async |g| {
            let guard = gone.on_drop();
            let child = async move {
                let _guard = guard;
                pending::<Result<(), _>>().await
            };
            let mut handle = g.spawn("child", child).unwrap();
            assert!(handle.cancel("before it has begun") && !handle.cancel("twice"));
            let Err(ChildError::Cancelled(cancelled)) = (&mut handle).await else { panic!("it was cancelled") };
            assert_eq!(cancelled.reason().text(), Some("before it has begun"));
            let resting = g.spawn("resting", pending::<Result<(), _>>()).unwrap();
            // Polled by then, being before the body in line.
            again().await;
            assert!(resting.cancel("while it rests"));
            assert!(matches!(resting.await, Err(ChildError::Cancelled(_))));
            Ok(gone.count())
        })
        .await;
    assert_eq!((report.output, report.count.cancelled, report.cancelled), (Some(1), 2, None));
}

pub(crate) async fn a_deadline_cuts_a_local_group_short(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let mut handles = Vec::new();
    let outcome = local_group::<()>()
        .deadline_after(ms(cx.soon()))
        .run(&scope, async |g| {
            assert!(matches!(g.scope().effective_deadline(), Deadline::At(_)));
            for millis in [0, 100_000] {
                let sleep = cx.sleep(millis);
                handles.push(g.spawn("page", ok(sleep)).unwrap());
            }
            Ok(())
        })
        .await;
    let Err(GroupError::Cancelled(cancelled)) = outcome else { panic!("it was cut short") };
    assert!(cancelled.is_timeout());
    let done = handles.iter_mut().filter_map(|handle| handle.try_take()?.ok()).count();
    assert_eq!(done, 1, "partial results are there after the deadline");
    cx.assert_at(cx.soon());
}

/// Rule e: the scope around it says so; what runs inside the children stays pending meanwhile.
pub(crate) async fn e_a_local_group_in_a_cancelled_body_is_cut_with_it(cx: Cx<impl Spawner>) {
    let (scope, gone) = (cx.scope(), Counter::new());
    let outcome = scope
        .move_on_after(ms(cx.soon()), async |s| {
            let run = local_group::<()>().run(s, async |g| {
                let (inner, guard) = (s.clone(), gone.on_drop());
                let child = async move {
                    let _guard = guard;
                    let outcome = inner.move_on_after(LONG, async |_| pending::<()>().await).await;
                    unreachable!("{outcome:?}")
                };
                drop(g.spawn::<(), _>("child", child).unwrap());
                pending::<Result<(), _>>().await
            });
            run.await
        })
        .await;
    assert!(outcome.into_result().unwrap_err().is_timeout());
    assert_eq!(gone.count(), 1);
    cx.assert_at(cx.soon());
}

pub(crate) async fn h_a_shield_in_a_local_child_holds_the_group(cx: Cx<impl Spawner>) {
    let (scope, begun, done) = (cx.scope(), Event::new(), Counter::new());
    let report = local_group::<()>()
        .report(&scope, async |g| {
            let (time, shields, done) = (cx.time.clone(), begun.clone(), done.clone());
            let child = async move {
                let shielded = async {
                    shields.set();
                    time.sleep(ms(3)).await;
                    done.add();
                };
                drop(wakeful::shield(LONG, shielded).await);
                pending().await
            };
            drop(g.spawn::<(), _>("shielded", child).unwrap());
            begun.wait().await;
            cx.sleep(1).await;
            g.cancel("enough");
            Ok(())
        })
        .await;
    assert_eq!((done.count(), report.count.cancelled), (1, 1));
    cx.assert_at(3);
}

pub(crate) async fn j_a_local_group_that_winds_down_takes_no_more_children(cx: Cx<impl Spawner>) {
    let (scope, done) = (cx.scope(), Counter::new());
    let outcome = local_group::<()>()
        .run(&scope, async |g| {
            let (draining, done) = (g.scope().draining(), done.clone());
            let child = async move {
                draining.await;
                done.add();
                Ok(())
            };
            drop(g.spawn("cooperates", child).unwrap());
            g.scope().cancel_with_grace("winding down", LONG);
            let refused = g.spawn("late", ready(Ok(7))).unwrap_err();
            assert_eq!((refused.refusal(), refused.into_inner().await), (Refusal::Draining, Ok(7)));
            Ok(())
        })
        .await;
    assert_eq!((outcome.unwrap(), done.count()), ((), 1));
}

pub(crate) async fn b_a_local_child_of_a_cancelled_group_is_not_begun(cx: Cx<impl Spawner>) {
    let begun = Counter::new();
    let report = local_group::<()>()
        .policy(Policy::Supervise)
        .report(&cx.scope(), async |g| {
            g.cancel("at once");
            let begun = begun.clone();
            drop(
                g.spawn("late", async move {
                    begun.add();
                    Ok(())
                })
                .unwrap(),
            );
            Ok(())
        })
        .await;
    assert_eq!((begun.count(), report.count.cancelled, report.cancelled.is_some()), (0, 1, true));
}

pub(crate) async fn local_groups_are_spawned_from_elsewhere_and_waited_for_elsewhere(cx: Cx<impl Spawner>) {
    let (event, order) = (Arc::new(Event::new()), Log::new());
    let report = local_group::<()>()
        .report(&cx.scope(), |g: LocalGroup<'_, ()>| {
            let (g, sets, task_order) = (g.clone(), event.clone(), order.clone());
            let other = cx.spawn("spawns", async move {
                let handle = g.spawn("from elsewhere", ok(again())).unwrap();
                handle.await.unwrap();
                task_order.add("child");
                sets.set();
            });
            let (event, order) = (event.clone(), order.clone());
            async move {
                event.wait().await;
                order.add("body");
                other.await;
                Ok(())
            }
        })
        .await;
    assert_eq!((report.count.done, order.entries()), (1, vec!["child", "body"]));
}

pub(crate) async fn children_that_are_not_send_share_a_cell(cx: Cx<impl Spawner>) {
    let (time, scope) = (cx.time.clone(), cx.scope());
    // Such a group stays on its thread, in a `block_on` for instance.
    let sum = wakeful::block_on(async {
        let sum = Cell::new(0);
        let run = local_group::<()>().not_send().run(&scope, async |g| {
            for n in 1..=3 {
                let sum = &sum;
                let child = async move {
                    again().await;
                    sum.set(sum.get() + n);
                    Ok(())
                };
                drop(g.spawn("adds", child).unwrap());
            }
            Ok(time.now())
        });
        run.await.unwrap();
        sum.get()
    });
    assert_eq!(sum, 6);
}

pub(crate) async fn a_wake_up_polls_that_child_alone(cx: Cx<impl Spawner>) {
    let polls: Vec<_> = (0..100).map(|_| Counter::new()).collect();
    let events: Vec<_> = (0..100).map(|_| Event::new()).collect();
    let scope = cx.scope();
    let run = local_group::<()>().run(&scope, async |g| {
        let mut handles: Vec<_> = (0..100)
            .map(|n| {
                let (polls, event) = (&polls[n], &events[n]);
                let child = async move {
                    let mut wait = pin!(event.wait());
                    poll_fn(|cx| {
                        polls.add();
                        wait.as_mut().poll(cx)
                    })
                    .await;
                    Ok(n)
                };
                g.spawn("child", child).unwrap()
            })
            .collect();
        while polls.iter().any(|polls| polls.count() == 0) {
            again().await;
        }
        let before: Vec<_> = polls.iter().map(Counter::count).collect();
        events[17].set();
        assert_eq!((&mut handles[17]).await, Ok(17));
        assert_eq!(polls[17].count(), before[17] + 1);
        assert!((0..100).all(|n| n == 17 || polls[n].count() == before[n]));
        events.iter().for_each(Event::set);
        Ok(())
    });
    run.await.unwrap();
}

pub(crate) async fn local_groups_nest_in_tasks_of_groups(cx: Cx<impl Spawner>) {
    let report = group::<String>(cx.spawner.clone())
        .report(&cx.scope(), async |g| {
            let scope = g.scope().clone();
            let child = async move {
                let run = local_group::<&str>().run(&scope, async |inner| {
                    drop(inner.spawn("inner", ready(Err::<(), _>("bad luck"))).unwrap());
                    Ok(())
                });
                run.await.map_err(|error| error.to_string())
            };
            drop(g.spawn("outer", child).unwrap());
            Ok(())
        })
        .await;
    assert_eq!(report.failures[0].to_string(), "`outer`: `inner`: bad luck");
}

/// T4, whoever has the child's own scope.
pub(crate) async fn f_a_local_child_hears_what_others_do_with_its_own_scope(cx: Cx<impl Spawner>) {
    let report = local_group::<()>()
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

pub(crate) async fn a_closure_that_panics_leaves_no_local_child_behind(cx: Cx<impl Spawner>) {
    let (gone, scope) = (Counter::new(), cx.scope());
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let run = local_group::<()>().run(&scope, |g| {
            // It has the group, which has it.
            let (guard, inner) = (gone.on_drop(), g.clone());
            let child = async move {
                let _kept = (guard, inner);
                pending::<Result<(), _>>().await
            };
            drop(g.spawn("endless", child).unwrap());
            if true { resume_unwind(Box::new("not set up")) } else { ready(Ok(())) }
        });
        drop(run);
    }));
    assert!(opened.is_err());
    assert_eq!(gone.count(), 1);
}

pub(crate) async fn k_a_waker_that_panics_keeps_no_child_of_a_dropped_local_group_uncounted(cx: Cx<impl Spawner>) {
    let (scope, mut handles, mut kept) = (cx.scope(), Vec::new(), None);
    let mut run = Box::pin(local_group::<()>().run(&scope, |g| {
        handles.extend((0..3).map(|_| g.spawn("endless", pending::<Result<(), _>>()).unwrap()));
        kept = Some(g);
        pending::<Result<(), _>>()
    }));
    assert!(poll(run.as_mut(), &Counter::new().waker()).is_pending());
    for handle in &mut handles {
        assert!(poll(pin!(handle), &waker(|| resume_unwind(Box::new("a bad waker")))).is_pending());
    }
    drop(run);
    let kept = kept.unwrap();
    assert_eq!((kept.len(), kept.count().cancelled), (0, 3));
    assert!(handles.iter().all(|handle| handle.is_finished()));
}

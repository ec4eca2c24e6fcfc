//! Rules g, h and i: shields, how long they hold, what they hold against, and for whom.

use crate::support::{Boxed, Counter, Cx, LONG, Log, SOON, Spawner, again, elsewhere, ms, on_drop, poll};
use futures::channel::oneshot;
use futures::future::{BoxFuture, join, select};
use futures::stream::{FuturesUnordered, StreamExt};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::{self, Deadline, NotAShield, Outcome, ReasonKind, Scope, defer};
use wakeful::spawn::{Task, block_on};
use wakeful::time::{Instant, ManualClock};

/// A clock that stands, and a scope in it.
fn still() -> (ManualClock, Scope) {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time());
    (clock, scope)
}

fn at(millis: u64) -> Deadline {
    Deadline::At(Instant::EPOCH + ms(millis))
}

pub(crate) async fn b_a_shield_entered_in_a_cancelled_scope_starts_its_body(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    scope.cancel("before");
    let began = scope.shield(LONG, async |s| {
        s.sleep(ms(1)).await;
        (s.is_cancelled(), s.check().is_ok(), s.run(async { "runs" }).await.done())
    });
    assert_eq!(began.await, Outcome::Done((false, true, Some("runs"))));
    // Past a deadline that nobody has noticed yet, and below it.
    let late = cx.scope().child_at(cx.start);
    assert_eq!(late.shield(LONG, async |s| s.is_cancelled()).await, Outcome::Done(false));
    let below = late.child();
    assert_eq!(below.shield(LONG, async |s| s.sleep(ms(1)).await).await, Outcome::Done(()));
    // A shield that can hold nothing back begins nothing in vain.
    let none = scope.shield(Duration::ZERO, async |_| ()).await.into_result().unwrap_err();
    assert_eq!((none.reason().text(), none.is_own()), (Some("before"), false));
}

pub(crate) async fn g_through_a_shield_a_deadline_counts_as_one_later_by_the_budget(_: Cx<impl Spawner>) {
    let (_clock, root) = still();
    let timed = root.child_at(Instant::EPOCH + ms(5));
    let seen = timed.shield(ms(3), async |outer| {
        let through = outer.effective_deadline();
        let inner = outer.child().shield(ms(2), async |inner| inner.effective_deadline()).await.done().unwrap();
        let own = outer.move_on_at(Instant::EPOCH + ms(6), async |s| s.effective_deadline()).await.done().unwrap();
        outer.set_deadline(Instant::EPOCH + ms(1));
        let of_the_shield = outer.effective_deadline();
        timed.set_deadline(Instant::NEVER);
        outer.set_deadline(Instant::NEVER);
        (through, inner, own, of_the_shield, outer.effective_deadline())
    });
    let seen = seen.await.done().unwrap();
    assert_eq!(seen, (at(8), at(10), at(6), at(1), Deadline::Never));
    let past = timed.child_at(Instant::EPOCH);
    let hidden = past.shield(Duration::MAX, async |s| s.effective_deadline());
    assert_eq!(hidden.await, Outcome::Done(Deadline::Never));
}

pub(crate) async fn g_through_a_shield_cancelled_counts_from_when_it_was_held_back(_: Cx<impl Spawner>) {
    let (clock, root) = still();
    let middle = root.child();
    let scope = middle.child();
    clock.advance(ms(1));
    let outcome = scope.shield(ms(5), async |s| {
        clock.advance(ms(1));
        middle.cancel("first");
        clock.advance(ms(1));
        root.cancel("outermost");
        assert_eq!((s.effective_deadline(), scope.effective_deadline()), (at(7), Deadline::Cancelled));
        assert!(!s.is_cancelled() && s.check().is_ok());
        let nested = s.shield(ms(10), async |s| s.effective_deadline()).await;
        assert_eq!(nested, Outcome::Done(at(17)));
        s.set_budget(Duration::MAX).unwrap();
        assert_eq!(s.effective_deadline(), Deadline::Never);
        s.set_budget(ms(4)).unwrap();
        clock.advance(ms(3));
        assert!(!s.is_cancelled(), "flags are all that this reads");
        let cancelled = s.check().unwrap_err();
        assert_eq!((cancelled.reason().text(), cancelled.is_own()), (Some("outermost"), false));
        assert_eq!(s.effective_deadline(), Deadline::Cancelled);
        // What has come through has come through.
        s.set_budget(LONG).unwrap();
        assert!(s.is_cancelled() && s.check().is_err() && !s.cancel_called());
        "ready"
    });
    assert_eq!(outcome.await, Outcome::Done("ready"));
    // A shield that is entered later counts from then.
    let later = scope.shield(ms(5), async |s| s.effective_deadline());
    assert_eq!(later.await, Outcome::Done(at(11)));
}

pub(crate) async fn h_a_cancelled_run_keeps_its_body_until_the_shield_inside_is_over(cx: Cx<impl Spawner>) {
    let log = Log::new();
    let (soon, scope) = (cx.soon(), cx.scope());
    let outcome = scope.move_on_after(ms(soon), async |s| {
        s.move_on_after(LONG, async |s| {
            let done = s.shield(LONG, async |s| {
                let _body = on_drop(|| log.add("the shielded body is gone"));
                s.sleep(ms(soon + 3)).await;
                cx.assert_at(soon + 3);
                log.add("it came to its end");
            });
            assert_eq!(done.await, Outcome::Done(()));
            log.add("what follows, until it waits");
            again().await;
            log.add("too far");
        })
        .await
    });
    assert!(outcome.await.into_result().unwrap_err().is_timeout());
    assert_eq!(log.entries(), ["it came to its end", "the shielded body is gone", "what follows, until it waits"]);
    cx.assert_at(soon + 3);
}

pub(crate) async fn h_a_budget_ends_what_takes_too_long(cx: Cx<impl Spawner>) {
    let dropped = Counter::new();
    let (soon, scope) = (cx.soon(), cx.scope());
    let outcome = scope.move_on_after(ms(soon), async |s| {
        let guard = dropped.on_drop();
        let shielded = s.shield(ms(3), async move |_| {
            let _guard = guard;
            pending::<()>().await
        });
        let _ = shielded.await;
        unreachable!("the outer run is the one that ends");
    });
    assert!(outcome.await.into_result().unwrap_err().is_timeout());
    assert_eq!(dropped.count(), 1);
    cx.assert_at(soon + 3);
    // In another task the shield resolves itself, with the ancestor's reason.
    let root = cx.scope();
    let task = {
        let child = root.child();
        cx.spawn("shielded", async move { child.shield(ms(3), async |_| pending::<()>().await).await })
    };
    again().await;
    root.cancel("from outside");
    let cancelled = task.await.into_result().unwrap_err();
    assert_eq!((cancelled.reason().text(), cancelled.is_own()), (Some("from outside"), false));
    cx.assert_at(soon + 6);
}

pub(crate) async fn h_the_budget_may_be_raised_and_lowered_while_somebody_waits(cx: Cx<impl Spawner>) {
    for (budgets, end) in [(&[6, 9][..], 9), (&[6, 2], 4), (&[9, 2], 4), (&[9, 5], 5), (&[6, 9, 5], 6)] {
        let (start, root) = (cx.time.now(), cx.scope());
        root.cancel("before");
        let (tell, told) = oneshot::channel();
        let waits = {
            let (root, first) = (root.clone(), budgets[0]);
            cx.spawn("waits", async move {
                let shielded = root.shield(ms(first), async |s| {
                    tell.send(s.clone()).unwrap();
                    pending::<()>().await
                });
                shielded.await.into_result().unwrap_err()
            })
        };
        let shield = told.await.unwrap();
        let mut in_time = true;
        for change in budgets.windows(2) {
            cx.sleep(4 - 2 * u64::from(change[1] == 5)).await;
            shield.set_budget(ms(change[1])).unwrap();
            assert_eq!(shield.budget(), Some(ms(change[1])));
            in_time &= cx.time.now() < start + ms(change[0]);
        }
        assert!(!waits.await.is_own());
        let passed = cx.time.now() - start;
        assert!(in_time || !cx.exact());
        // One that is raised when it has ended stays so.
        assert!(passed >= ms(end) || !in_time, "{budgets:?}: {passed:?}");
        assert!(passed == ms(end) || !cx.exact(), "{budgets:?}: {passed:?}");
    }
    assert_eq!((cx.scope().set_budget(LONG), cx.scope().child().budget()), (Err(NotAShield), None));
}

pub(crate) async fn h_a_shield_hides_ancestors_only(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    scope.cancel("of the outer");
    let own = scope.shield(LONG, async |s| {
        s.cancel("of its own");
        pending::<()>().await
    });
    let own = own.await.into_result().unwrap_err();
    assert_eq!((own.reason().text(), own.kind(), own.is_own()), (Some("of its own"), ReasonKind::Explicit, true));
    let timed = scope.shield(LONG, async |s| {
        s.set_deadline(cx.at(3));
        pending::<()>().await
    });
    assert!(timed.await.into_result().unwrap_err().is_timeout());
    cx.assert_at(3);
    // What is inside may be cut short by itself.
    let inside = scope.shield(LONG, async |s| s.move_on_after(ms(1), async |_| pending::<()>().await).await);
    assert!(inside.await.done().unwrap().into_result().unwrap_err().is_timeout());
    cx.assert_at(4);
}

pub(crate) async fn h_a_shield_covers_the_future_it_wraps_and_no_longer(cx: Cx<impl Spawner>) {
    let (root, beside, log) = (cx.scope(), Counter::new(), Log::new());
    let (tell, told) = oneshot::channel();
    let (seen, may_end) = oneshot::channel();
    let elsewhere = {
        let (child, guard, time) = (root.child(), beside.on_drop(), cx.time.clone());
        let waits = async move {
            let _guard = guard;
            pending::<()>().await
        };
        cx.spawn("beside", async move {
            let cut = child.run(waits).await.is_cancelled();
            (cut, time.now())
        })
    };
    let shielded = {
        let (root, log) = (root.clone(), log.clone());
        cx.spawn("shielded", async move {
            root.run(async {
                let done = root.shield(LONG, async |s| {
                    tell.send(s.clone()).unwrap();
                    s.sleep(ms(6)).await;
                    may_end.await.unwrap();
                });
                assert_eq!(done.await, Outcome::Done(()));
                log.add("done");
                pending::<()>().await
            })
            .await
        })
    };
    let shield = told.await.unwrap();
    let covered = {
        let below = shield.child();
        cx.spawn("below the shield", async move { below.run(pending::<()>()).await })
    };
    cx.sleep(2).await;
    root.cancel("over");
    assert!(!shield.is_cancelled());
    seen.send(()).unwrap();
    let (cut, when) = elsewhere.await;
    assert!(cut && beside.count() == 1);
    cx.assert_instant(when, 2);
    assert!(shielded.await.is_cancelled());
    cx.assert_instant(cx.time.now(), 6);
    assert_eq!(log.entries(), ["done"]);
    assert!(shield.is_cancelled() && !shield.cancel_called(), "a handle that is left over hides nothing");
    assert!(covered.await.is_cancelled(), "and what it covered elsewhere ends with it");
    assert_eq!(shield.shield(LONG, async |_| "anew").await, Outcome::Done("anew"));
}

pub(crate) async fn h_a_shield_holds_among_others_of_the_same_body(cx: Cx<impl Spawner>) {
    // Each has a waker of its own; those that are woken in between do not let the body be dropped.
    let (soon, scope, ticks) = (cx.soon(), cx.scope(), Counter::new());
    let outcome = scope.move_on_after(ms(soon), async |s| {
        let tick = async {
            for _ in 0..4 {
                cx.sleep(soon / 2).await;
                ticks.add();
            }
            pending::<()>().await
        };
        let shielded = async {
            assert_eq!(s.shield(LONG, async |s| s.sleep(ms(3 * soon)).await).await, Outcome::Done(()));
            cx.assert_at(3 * soon);
        };
        let other = async {
            assert_eq!(s.shield(LONG, async |s| s.sleep(ms(2 * soon)).await).await, Outcome::Done(()));
            pending::<()>().await
        };
        let mut all: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
        all.push(Box::pin(tick));
        all.push(Box::pin(shielded));
        all.push(Box::pin(other));
        while all.next().await.is_some() {}
    });
    assert!(outcome.await.is_cancelled());
    assert_eq!(ticks.count(), 4);
    cx.assert_at(3 * soon);
}

pub(crate) async fn e_what_runs_beside_a_shield_stays_without_being_polled_for_nothing(cx: Cx<impl Spawner>) {
    let (soon, scope, polls, went_on) = (cx.soon(), cx.scope(), Counter::new(), Counter::new());
    let outcome = scope.move_on_after(ms(soon), async |s| {
        let beside = async {
            let nested = s.move_on_after(LONG, async |s| {
                let child = s.child();
                let _ = child
                    .run(poll_fn(|_| {
                        polls.add();
                        Poll::<()>::Pending
                    }))
                    .await;
                went_on.add();
            });
            let _ = nested.await;
            went_on.add();
        };
        join(s.shield(LONG, async |s| s.sleep(ms(soon + 3)).await), beside).await
    });
    assert!(outcome.await.is_cancelled());
    cx.assert_at(soon + 3);
    assert_eq!(went_on.count(), 0, "the outermost wins, once it may");
    assert!(polls.count() <= 8, "polled {} times", polls.count());
}

pub(crate) async fn h_behind_a_block_on_nobody_waits_for_ever(_: Cx<impl Spawner>) {
    let inner = elsewhere(|| {
        let scope = Scope::new(ManualClock::new().time());
        let blocked = scope.run(async {
            futures::executor::block_on(async {
                let (open, gate) = oneshot::channel::<()>();
                let shielded = scope.shield(LONG, async |_| gate.await.is_ok());
                let child = scope.child();
                let beside = child.run(pending::<()>());
                let cancel = async {
                    again().await;
                    scope.cancel("meanwhile");
                    again().await;
                    std::thread::spawn(move || open.send(()).unwrap());
                };
                let ((done, cut), ()) = join(join(shielded, beside), cancel).await;
                (done, cut.into_result().unwrap_err().is_own())
            })
        });
        block_on(blocked).done().expect("the body is ready when what is inside is")
    });
    assert_eq!(inner, (Outcome::Done(true), false));
}

pub(crate) async fn h_a_shield_that_moves_to_another_task_lets_the_first_go(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let (tell, told) = oneshot::channel::<Boxed<_>>();
    let first = {
        let scope = scope.clone();
        cx.spawn("first", async move {
            let shielded = scope.clone();
            let mut moved: Boxed<_> =
                Box::pin(async move { shielded.shield(LONG, async |s| s.sleep(ms(SOON)).await).await });
            scope
                .run(async {
                    assert!(futures::poll!(moved.as_mut()).is_pending());
                    scope.cancel("over");
                    assert!(tell.send(moved).is_ok());
                    pending::<()>().await
                })
                .await
        })
    };
    let second = cx.spawn("second", told.await.unwrap());
    assert!(first.await.is_cancelled());
    assert_eq!(second.await, Outcome::Done(()));
    cx.assert_at(SOON);
}

pub(crate) async fn h_shields_in_the_current_scope(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let outcome = scope.run(async {
        scope.cancel("over");
        let shielded = wakeful::shield(LONG, async {
            let inside = cancel::current().unwrap();
            wakeful::sleep(ms(2)).await;
            (inside.is_cancelled(), inside.budget(), inside.parent().unwrap().same(&scope))
        });
        assert_eq!(shielded.await, Outcome::Done((false, Some(LONG), true)));
        wakeful::sleep(LONG).await;
    });
    assert!(outcome.await.is_cancelled());
    cx.assert_at(2);
    assert!(cancel::current().is_none());
    let outside = wakeful::shield(ms(1), async { wakeful::effective_deadline() });
    assert_eq!(outside.await, Outcome::Done(Deadline::Never), "nothing to hold back");
    // Dropped half-way, with its own scope current.
    let seen = Log::new();
    let guard = on_drop({
        let seen = seen.clone();
        move || seen.add(cancel::current().is_some_and(|current| current.budget() == Some(LONG)))
    });
    let mut dropped: Boxed<_> = Box::pin(wakeful::shield(LONG, async move {
        let _guard = guard;
        pending::<()>().await
    }));
    assert!(poll(dropped.as_mut(), &Counter::new().waker()).is_pending());
    drop(dropped);
    assert_eq!(seen.entries(), [true]);
}

pub(crate) async fn i_a_foreign_drop_defeats_a_shield_and_what_is_deferred_survives_it(cx: Cx<impl Spawner>) {
    let (scope, ended) = (cx.scope(), Log::new());
    let (tell, told) = oneshot::channel();
    let task = Task::new({
        let (time, ended) = (cx.time.clone(), ended.clone());
        async move {
            time.sleep(ms(3)).await;
            ended.add("what was deferred");
            tell.send(()).unwrap();
        }
    });
    {
        let shielded = pin!(scope.shield(LONG, async |_| {
            let _shielded = on_drop(|| ended.add("the shielded body, not at its end"));
            let _deferred = defer(cx.spawner.clone(), task.named("deferred"));
            pending::<()>().await
        }));
        let _ = select(shielded, pin!(cx.sleep(2))).await;
    }
    told.await.unwrap();
    assert_eq!(ended.entries(), ["the shielded body, not at its end", "what was deferred"]);
    cx.assert_at(5);
    // One that was not needed gives its task back.
    let never = Counter::new();
    let guard = never.on_drop();
    let deferred = defer(cx.spawner.clone(), Task::new(async move { drop(guard) }).named("not needed"));
    let task = deferred.disarm();
    assert_eq!((task.name(), never.count()), ("not needed", 0));
    let (begun, started) = oneshot::channel();
    defer(cx.spawner.clone(), Task::new(async { begun.send(()).unwrap() })).start();
    started.await.unwrap();
}

pub(crate) async fn h_a_budget_counts_from_when_the_shield_around_lets_a_cancelling_through(_: Cx<impl Spawner>) {
    let (clock, root) = still();
    let timed = root.child_at(Instant::EPOCH + ms(5));
    let used_up = timed.shield(ms(3), async |outer| {
        let inside = outer.shield(ms(10), async |inner| {
            clock.advance(ms(9));
            assert!(outer.check().is_err(), "its budget is used up");
            inner.effective_deadline()
        });
        inside.await
    });
    assert_eq!(used_up.await.done().unwrap(), Outcome::Done(at(18)));

    let (clock, root) = still();
    root.cancel("at the beginning");
    let made_smaller = root.shield(Duration::MAX, async |outer| {
        let inside = outer.shield(ms(10), async |inner| {
            clock.advance(ms(5));
            assert_eq!(inner.effective_deadline(), Deadline::Never);
            outer.set_budget(ms(2)).unwrap();
            inner.effective_deadline()
        });
        inside.await
    });
    assert_eq!(made_smaller.await.done().unwrap(), Outcome::Done(at(15)));
}

pub(crate) async fn h_a_shield_that_is_dropped_leaves_those_inside_it_their_budgets(_: Cx<impl Spawner>) {
    let (clock, root) = still();
    let outer = OnceLock::new();
    let mut over = Box::pin(root.shield(Duration::MAX, async |s| {
        outer.get_or_init(|| s.clone());
        pending::<()>().await
    }));
    assert!(poll(over.as_mut(), &Counter::new().waker()).is_pending());
    let outer = outer.get().unwrap();
    // In another task.
    let mut goes_on = Box::pin(outer.shield(ms(10), async |_| pending::<()>().await));
    assert!(poll(goes_on.as_mut(), &Counter::new().waker()).is_pending());
    root.cancel("at the beginning");
    clock.advance(ms(5));
    drop(over);
    clock.advance(ms(9));
    assert!(poll(goes_on.as_mut(), &Counter::new().waker()).is_pending());
    clock.advance(ms(1));
    let Poll::Ready(outcome) = poll(goes_on.as_mut(), &Counter::new().waker()) else { panic!("its budget is used up") };
    assert!(outcome.is_cancelled());
}

pub(crate) async fn h_a_budget_counts_from_when_a_deadline_was_moved_into_the_past(_: Cx<impl Spawner>) {
    let (clock, root) = still();
    let scope = root.child();
    let left = scope.shield(ms(10), async |s| {
        clock.advance(ms(20));
        scope.set_deadline(Instant::EPOCH + ms(1));
        assert!(scope.is_cancelled() && s.check().is_ok());
        s.effective_deadline()
    });
    assert_eq!(left.await, Outcome::Done(at(30)));
    assert_eq!(scope.reason().unwrap().kind(), ReasonKind::Deadline);
}

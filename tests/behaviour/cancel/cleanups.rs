//! What is done after a body was cut short, and what a scope waits for that was left behind in it.

use crate::support::{Boxed, Counter, Cx, LONG, Log, Spawner, again, ms, on_drop, poll};
use futures::channel::oneshot;
use futures::future::join;
use std::future::{pending, ready};
use std::time::Duration;
use wakeful::cancel::{self, KeepOpen, Outcome, Reason, ReasonKind, Scope};

pub(crate) async fn a_cleanup_follows_a_body_that_is_cut_short(cx: Cx<impl Spawner>) {
    let (scope, log) = (cx.scope().child_after(ms(cx.soon())), Log::new());
    let body = async {
        let _body = on_drop(|| log.add("the body is gone".to_owned()));
        pending::<()>().await
    };
    let cleanup = async |reason: Reason| {
        let inside = cancel::current().unwrap();
        assert!(!inside.is_cancelled() && inside.parent().unwrap().same(&scope));
        inside.sleep(ms(3)).await;
        log.add(format!("{:?}", reason.kind()));
    };
    let outcome = scope.run(body).cleanup(cleanup, LONG).await;
    assert!(outcome.into_result().unwrap_err().is_timeout());
    assert_eq!(log.entries(), ["the body is gone", "Deadline"]);
    cx.assert_at(cx.soon() + 3);
}

pub(crate) async fn a_cleanup_follows_nothing_else(cx: Cx<impl Spawner>) {
    let (scope, cleaned) = (cx.scope(), Counter::new());
    let cleanup = async |_| cleaned.add();
    assert_eq!(scope.run(ready(1)).cleanup(cleanup, LONG).await, Outcome::Done(1));
    assert_eq!(scope.run(scope.sleep(ms(1))).cleanup(cleanup, LONG).await, Outcome::Done(()));
    let mut dropped = Box::pin(scope.run(pending::<()>()).cleanup(cleanup, LONG));
    assert!(poll(dropped.as_mut(), &Counter::new().waker()).is_pending());
    drop(dropped);
    scope.cancel("before");
    assert!(scope.run(ready(2)).cleanup(cleanup, LONG).await.is_cancelled(), "never begun");
    assert_eq!(cleaned.count(), 0);
}

pub(crate) async fn a_cleanup_can_not_hold_the_program_up_for_longer_than_its_budget(cx: Cx<impl Spawner>) {
    let (scope, dropped) = (cx.scope(), Counter::new());
    let outcome = scope.move_on_after(ms(cx.soon()), async |s| {
        let guard = dropped.on_drop();
        let cleanup = async move |_| {
            let _guard = guard;
            pending::<()>().await
        };
        let _ = s.run(pending::<()>()).cleanup(cleanup, ms(4)).await;
        unreachable!("the outer run is the one that ends");
    });
    assert!(outcome.await.is_cancelled());
    assert_eq!(dropped.count(), 1);
    cx.assert_at(cx.soon() + 4);
    // One that has no time at all is not begun.
    let (scope, begun) = (cx.scope().child_after(ms(1)), Counter::new());
    let outcome = scope.run(pending::<()>()).cleanup(async |_| begun.add(), Duration::ZERO).await;
    assert!(outcome.is_cancelled());
    assert_eq!(begun.count(), 0);
}

pub(crate) async fn e_cleanups_are_done_from_inside_outwards_before_the_outermost_goes(cx: Cx<impl Spawner>) {
    let (outer, log) = (cx.scope(), Log::new());
    let canceller = {
        let (outer, time) = (outer.clone(), cx.time.clone());
        let soon = ms(cx.soon());
        cx.spawn("canceller", async move {
            time.sleep(soon).await;
            outer.cancel("from outside")
        })
    };
    let cleanup = |name: &'static str, takes: u64| {
        let (log, time) = (log.clone(), cx.time.clone());
        move |reason: Reason| async move {
            assert_eq!(reason.text(), Some("from outside"));
            time.sleep(ms(takes)).await;
            log.add(name);
        }
    };
    let outcome = outer.run(async {
        let middle = outer.child();
        let body = async {
            let inner = middle.child();
            let _ = inner.run(pending::<()>()).cleanup(cleanup("inner", 3), LONG).await;
            log.add("what follows the inner run");
        };
        let _ = middle.run(body).cleanup(cleanup("middle", 1), LONG).await;
        log.add("what follows the middle run");
    });
    let cancelled = outcome.await.into_result().unwrap_err();
    assert!(cancelled.is_own() && canceller.await);
    assert_eq!(log.entries(), ["inner", "middle"]);
    cx.assert_at(cx.soon() + 4);
}

pub(crate) async fn e_two_cleanups_side_by_side_are_both_done(cx: Cx<impl Spawner>) {
    let (scope, log) = (cx.scope(), Log::new());
    let outcome = scope.move_on_after(ms(cx.soon()), async |s| {
        let one = async |takes: u64| {
            let cleanup = async |_| {
                cx.sleep(takes).await;
                log.add(takes);
            };
            let _ = s.child().run(pending::<()>()).cleanup(cleanup, LONG).await;
            unreachable!("the body is dropped when both are done");
        };
        join(one(3), one(5)).await
    });
    assert!(outcome.await.is_cancelled());
    assert_eq!(log.entries(), [3, 5]);
    cx.assert_at(cx.soon() + 5);
}

pub(crate) async fn a_cleanup_of_a_scope_that_is_cancelled_itself_lets_the_body_around_go_on(cx: Cx<impl Spawner>) {
    let (scope, cleaned) = (cx.scope(), Counter::new());
    let outcome = scope.run(async {
        let child = scope.child();
        let body = async {
            again().await;
            child.cancel(Reason::sibling_failed());
            pending::<()>().await
        };
        let cleanup = async |reason: Reason| {
            cx.sleep(2).await;
            assert_eq!(reason.kind(), ReasonKind::SiblingFailed);
            cleaned.add();
        };
        let cut = child.run(body).cleanup(cleanup, LONG).await;
        (cut.into_result().unwrap_err().is_own(), cleaned.count())
    });
    assert_eq!(outcome.await, Outcome::Done((true, 1)));
    cx.assert_at(2);
}

/// Something whose destructor leaves a task behind that keeps the scopes around it open.
struct LeavesBehind<S: Spawner> {
    scope: Scope,
    cx: Cx<S>,
    takes: u64,
}

impl<S: Spawner> Drop for LeavesBehind<S> {
    fn drop(&mut self) {
        let (open, sleep): (KeepOpen, _) = (self.scope.keep_open(), self.cx.sleep(self.takes));
        let task = async move {
            sleep.await;
            drop(open);
        };
        drop(self.cx.spawn("left behind", task));
    }
}

pub(crate) async fn a_scope_waits_for_what_was_left_behind_before_it_moves_on(cx: Cx<impl Spawner>) {
    let leaves = |scope: &Scope, takes| LeavesBehind { scope: scope.clone(), cx: cx.clone(), takes };
    let scope = cx.scope();
    // Cut short; the outer run waits although the inner one is dropped, and the task of the inner scope counts too.
    let outcome = scope.move_on_after(ms(cx.soon()), async |s| {
        s.move_on_after(LONG, async |s| {
            let _left = leaves(s, 3);
            pending::<()>().await
        })
        .await
    });
    assert!(outcome.await.into_result().unwrap_err().is_timeout());
    cx.assert_at(cx.soon() + 3);
    // Done; and with the free functions.
    let done = scope.run(async {
        drop(leaves(&scope, 2));
        wakeful::move_on_after(LONG, async { drop(leaves(&cancel::current().unwrap(), 4)) }).await
    });
    assert_eq!(done.await, Outcome::Done(Outcome::Done(())));
    cx.assert_at(cx.soon() + 7);
    let cleaned = Log::new();
    let child = scope.child_after(ms(cx.soon()));
    let body = async {
        let _left = leaves(&child, 2);
        pending::<()>().await
    };
    let outcome = child.run(body).cleanup(async |_| cleaned.add(cx.time.now()), LONG).await;
    assert!(outcome.is_cancelled());
    cx.assert_instant(cleaned.entries()[0], 2 * cx.soon() + 9);
}

pub(crate) async fn what_was_left_behind_elsewhere_keeps_nobody_waiting(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let (tell, told) = oneshot::channel();
    let other = {
        let (cx, scope) = (cx.clone(), scope.clone());
        cx.clone().spawn("other", async move {
            let left = LeavesBehind { scope: scope.clone(), cx: cx.clone(), takes: 4 };
            scope
                .run(async {
                    drop(left);
                    tell.send(()).unwrap();
                })
                .await
        })
    };
    assert_eq!(scope.run(told).await, Outcome::Done(Ok(())));
    if cx.exact() {
        assert_eq!(cx.time.now(), cx.start);
    }
    assert!(!other.await.is_cancelled());
    cx.assert_at(4);
    // A run that is dropped with its body does not wait, nor does one that begins afterwards.
    let mut dropped: Boxed<_> = Box::pin({
        let (cx, scope) = (cx.clone(), scope.clone());
        async move {
            let left = LeavesBehind { scope: scope.clone(), cx, takes: 1 };
            scope
                .run(async {
                    let _left = left;
                    pending::<()>().await
                })
                .await
        }
    });
    assert!(poll(dropped.as_mut(), &Counter::new().waker()).is_pending());
    drop(dropped);
    assert_eq!(scope.run(ready(1)).await, Outcome::Done(1));
    cx.sleep(2).await;
}

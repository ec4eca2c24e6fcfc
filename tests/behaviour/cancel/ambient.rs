//! The scope that is current by itself.

use crate::support::{Boxed, Counter, Cx, LONG, Log, Spawner, ms, on_drop, poll};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::{self, Deadline, FailError, Outcome, Scope};
use wakeful::time::ManualClock;

/// Whether `scope` is the current one.
fn is_current(scope: &Scope) -> bool {
    cancel::current().is_some_and(|current| current.same(scope))
}

pub(crate) async fn a_scope_is_current_during_poll_and_drop(cx: Cx<impl Spawner>) {
    let (scope, seen) = (cx.scope(), Log::new());
    let body = |sleeps: Duration| {
        let (scope, seen) = (&scope, seen.clone());
        async move {
            let _guard = on_drop(|| seen.add(is_current(scope)));
            seen.add(is_current(scope));
            scope.sleep(sleeps).await;
            seen.add(is_current(scope));
        }
    };
    assert!(!scope.run(body(ms(1))).await.is_cancelled());
    let mut dropped = Box::pin(scope.run(body(LONG)));
    assert!(poll(dropped.as_mut(), &Counter::new().waker()).is_pending());
    drop(dropped);
    let inner = scope.child_after(ms(4));
    let guard = on_drop(|| seen.add(is_current(&inner)));
    let cut = inner.run(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    assert!(cut.await.is_cancelled());
    assert_eq!(seen.entries(), [true; 6]);
    assert!(cancel::current().is_none());
}

pub(crate) async fn what_was_current_is_put_back_also_on_panic(cx: Cx<impl Spawner>) {
    let (outer, inner) = (cx.scope(), cx.scope());
    let outcome = outer.run(poll_fn(|task| {
        let mut panics = Box::pin(inner.run(poll_fn(|_| -> Poll<()> { panic!("inside") })));
        let caught = catch_unwind(AssertUnwindSafe(|| panics.as_mut().poll(task)));
        assert!(caught.is_err() && is_current(&outer));
        let guard = on_drop(|| panic!("in its drop"));
        let unpolled = inner.run(async move { drop(guard) });
        assert!(catch_unwind(AssertUnwindSafe(|| drop(unpolled))).is_err());
        assert!(is_current(&outer));
        Poll::Ready(())
    }));
    assert_eq!(outcome.await, Outcome::Done(()));
    assert!(cancel::current().is_none());
}

pub(crate) async fn scopes_are_current_innermost_first(cx: Cx<impl Spawner>) {
    let outer = cx.scope();
    let nested = outer.run(async {
        assert!(is_current(&outer));
        let inner = outer.move_on_after(LONG, async |s| {
            assert!(is_current(s));
            s.sleep(ms(1)).await;
            is_current(s) && s.parent().unwrap().same(&outer)
        });
        let inner = inner.await.done().unwrap();
        inner && is_current(&outer)
    });
    assert_eq!(nested.await, Outcome::Done(true));
}

pub(crate) async fn free_functions_lie_in_the_current_scope(cx: Cx<impl Spawner>) {
    let scope = cx.scope().child_at(cx.at(5000));
    let outcome = scope.run(async {
        assert!(wakeful::now() >= cx.start);
        assert_eq!(wakeful::effective_deadline(), Deadline::At(cx.at(5000)));
        wakeful::sleep_until(cx.at(2)).await;
        cx.assert_at(2);
        let moved_on = wakeful::move_on_at(cx.at(4), pending::<()>()).await;
        assert!(moved_on.into_result().unwrap_err().is_timeout());
        cx.assert_at(4);
        let failed = wakeful::fail_at(cx.at(6), wakeful::sleep(LONG)).await;
        assert_eq!(failed, Err(FailError::TimedOut(cx.at(6))));
        cx.assert_at(6);
        assert!(matches!(wakeful::fail_after(ms(1), pending::<()>()).await, Err(FailError::TimedOut(_))));
        wakeful::move_on_after(LONG, async { (wakeful::effective_deadline(), cancel::current().unwrap()) }).await
    });
    let (deadline, inner) = outcome.await.done().unwrap().done().unwrap();
    assert_eq!(deadline, Deadline::At(cx.at(5000)));
    assert!(inner.parent().unwrap().same(&scope));
    // Cancelling the scope around them ends them from outside.
    let outcome = scope.run(async {
        scope.cancel("over");
        assert!(wakeful::move_on_after(LONG, ready(())).await.is_cancelled(), "not begun");
        wakeful::sleep(LONG).await;
    });
    assert!(outcome.await.into_result().unwrap_err().is_own());
}

pub(crate) async fn free_functions_count_from_their_first_poll(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let made = wakeful::move_on_after(ms(5), async { cancel::current().unwrap().deadline() });
    cx.sleep(3).await;
    let deadline = scope.run(made).await.done().unwrap().done().unwrap();
    cx.assert_instant(deadline, 8);
    let zero = wakeful::move_on_after(ms(0), ready(1));
    assert!(scope.run(zero).await.done().unwrap().is_cancelled(), "not begun");
}

pub(crate) async fn a_moved_future_stays_in_the_scope_of_its_first_poll(cx: Cx<impl Spawner>) {
    let clock = ManualClock::new();
    let (first, second) = (Scope::new(clock.time()), Scope::new(clock.time()));
    let mut moved: Boxed<_> = Box::pin(wakeful::move_on_after(LONG, pending::<()>()));
    let begun = first.run(poll_fn(|task| Poll::Ready(moved.as_mut().poll(task).is_pending())));
    assert_eq!(begun.await, Outcome::Done(true));
    let task = {
        let second = second.clone();
        cx.spawn("elsewhere", async move { second.run(moved).await })
    };
    cx.sleep(2).await;
    first.cancel("of its first");
    let cancelled = task.await.done().expect("its new surroundings are not cancelled").into_result().unwrap_err();
    assert_eq!((cancelled.reason().text(), cancelled.is_own()), (Some("of its first"), false));
    assert!(!second.is_cancelled());
}

pub(crate) async fn outside_any_scope_there_is_no_deadline(_: Cx<impl Spawner>) {
    assert!(cancel::current().is_none());
    assert_eq!(wakeful::effective_deadline(), Deadline::Never);
    let inside = wakeful::fail_after(LONG, async { wakeful::effective_deadline() }).await.unwrap();
    assert!(matches!(inside, Deadline::At(_)));
}

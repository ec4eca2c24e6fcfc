//! Rules a to d: when a body is cut short, when it is not begun, and what is said of it.

use crate::support::{Boxed, Counter, Cx, LONG, Log, SOON, Spawner, again, elsewhere, ms, on_drop, poll};
use futures::future::{join, join_all};
use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::task::Poll;
use wakeful::cancel::{Deadline, FailError, Outcome, Reason, ReasonKind, Scope};
use wakeful::time::ManualClock;

pub(crate) async fn a_cancelling_drops_the_body(cx: Cx<impl Spawner>) {
    let (scope, count) = (cx.scope(), Counter::new());
    let guard = count.on_drop();
    let body = async move {
        let _guard = guard;
        pending::<()>().await;
    };
    let dropped = {
        let (scope, count) = (scope.clone(), count.clone());
        cx.spawn("body", async move {
            let outcome = scope.run(body).await;
            (outcome, count.count())
        })
    };
    cx.sleep(2).await;
    assert!(scope.cancel("enough"));
    let (outcome, dropped) = dropped.await;
    assert_eq!(dropped, 1, "before the run is over");
    let Outcome::Cancelled(cancelled) = outcome else { panic!("it was cut short") };
    assert_eq!(cancelled.reason(), &Reason::from("enough"));
    assert!(cancelled.is_own() && !cancelled.is_timeout());
    cx.assert_at(2);
}

pub(crate) async fn a_flag_is_looked_at_before_the_first_poll_and_after_each_pending(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let polls = Counter::new();
    let body = async {
        for n in 0.. {
            polls.add();
            if n == 2 {
                scope.cancel("from inside");
            }
            again().await;
        }
    };
    assert!(scope.run(body).await.is_cancelled());
    assert_eq!(polls.count(), 3, "cut short by the Pending that follows");
    assert!(scope.run(async { polls.add() }).await.is_cancelled());
    assert_eq!(polls.count(), 3, "not even begun");
}

pub(crate) async fn a_dropped_run_drops_its_body_and_cancels_nothing(cx: Cx<impl Spawner>) {
    let (scope, count) = (cx.scope(), Counter::new());
    let guard = count.on_drop();
    let mut run = Box::pin(scope.run(async move {
        let _guard = guard;
        pending::<()>().await;
    }));
    assert!(poll(run.as_mut(), &count.waker()).is_pending());
    drop(run);
    assert_eq!(count.count(), 1, "dropped, and nobody woken");
    assert!(!scope.is_cancelled());
    assert_eq!(scope.run(ready(1)).await, Outcome::Done(1));
}

/// That no way of running a body in, or below, `scope` begins it.
async fn assert_nothing_begins(scope: &Scope) {
    let begun = Counter::new();
    let body = async || begun.add();
    assert!(scope.run(body()).await.is_cancelled());
    assert!(scope.child().run(body()).await.is_cancelled());
    assert!(scope.child().child().run(body()).await.is_cancelled());
    assert!(scope.move_on_after(LONG, async |_| begun.add()).await.is_cancelled());
    assert!(scope.move_on_at(scope.now() + LONG, async |_| begun.add()).await.is_cancelled());
    assert!(scope.fail_after(LONG, async |_| begun.add()).await.is_err());
    assert!(scope.fail_at(scope.now() + LONG, async |_| begun.add()).await.is_err());
    assert_eq!(begun.count(), 0);
}

pub(crate) async fn b_a_body_is_never_started_in_a_cancelled_scope(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    scope.cancel("before");
    assert_nothing_begins(&scope).await;
    let root = cx.scope();
    let below = root.child().child();
    root.cancel("before");
    assert_nothing_begins(&below).await;
    assert!(!below.cancel_called());
}

pub(crate) async fn b_a_body_is_never_started_past_the_deadline(cx: Cx<impl Spawner>) {
    let begun = Counter::new();
    let scope = cx.scope();
    let zero = scope.move_on_after(ms(0), async |_| begun.add()).await;
    assert!(zero.into_result().unwrap_err().is_timeout());
    assert!(scope.move_on_at(cx.start, async |_| begun.add()).await.is_cancelled());
    assert!(
        matches!(scope.fail_at(cx.start, async |_| begun.add()).await, Err(FailError::TimedOut(at)) if at == cx.start)
    );
    assert_eq!(begun.count(), 0);
    assert!(!scope.is_cancelled());
    assert_nothing_begins(&scope.child_at(cx.start)).await;
}

pub(crate) async fn b_a_body_is_never_started_past_the_deadline_of_an_ancestor(cx: Cx<impl Spawner>) {
    let root = cx.scope().child_after(ms(3));
    let below = root.child().child_after(LONG);
    cx.sleep(4).await;
    assert!(!root.is_cancelled(), "nobody has looked at the clock");
    assert_nothing_begins(&below).await;
    assert!(root.cancel_called() && !below.cancel_called());
}

pub(crate) async fn b_a_ready_body_wins_at_the_deadline_instant(cx: Cx<impl Spawner>) {
    let at = cx.at(SOON);
    let scope = cx.scope();
    let outcome = scope.move_on_at(at, async |s| {
        s.sleep_until(at).await;
        "in time"
    });
    assert_eq!(outcome.await, Outcome::Done("in time"));
    cx.assert_at(SOON);

    // By a clock of our own the body is ready long after the deadline, and nobody polled it in between.
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time());
    let waker = Counter::new().waker();
    let mut run = pin!(scope.move_on_after(ms(1), async |s| s.sleep(ms(2)).await));
    assert!(poll(run.as_mut(), &waker).is_pending());
    clock.advance(ms(5));
    assert_eq!(poll(run.as_mut(), &waker), Poll::Ready(Outcome::Done(())));
}

pub(crate) async fn b_a_ready_body_wins_in_a_cancelled_scope(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let outcome = scope.run(async {
        again().await;
        scope.cancel("too late for that");
        5
    });
    assert_eq!(outcome.await, Outcome::Done(5));
    assert!(scope.is_cancelled());
}

pub(crate) async fn c_cancel_called_is_not_caught(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let outcome = scope.move_on_after(LONG, async |s| {
        s.cancel("called");
        assert!(s.cancel_called());
        "not caught"
    });
    assert_eq!(outcome.await, Outcome::Done("not caught"));

    let (root, inner) = (cx.scope(), Counter::new());
    let child = root.child();
    let outcome = root.run(async {
        let _ = child
            .run(poll_fn(|_| {
                root.cancel("root");
                Poll::<()>::Pending
            }))
            .await;
        inner.add();
    });
    assert!(outcome.await.is_cancelled(), "caught by the root");
    assert!(!child.cancel_called(), "and only by the root");
    assert_eq!(inner.count(), 0);
}

pub(crate) async fn d_the_first_reason_stays(cx: Cx<impl Spawner>) {
    let scope = cx.scope().child_at(cx.at(2));
    assert!(scope.cancel("first"));
    assert!(!scope.cancel("second"));
    cx.sleep(3).await;
    assert!(scope.check().is_err());
    assert_eq!(scope.reason(), Some(Reason::from("first")));

    let timed = cx.scope().child_at(cx.at(1));
    let cancelled = timed.cancelled().await;
    assert!(cancelled.is_timeout());
    assert!(!timed.cancel("second"));
    assert_eq!(timed.reason().map(|reason| reason.kind()), Some(ReasonKind::Deadline));
    let text = String::from("of the caller's own making");
    let other = cx.scope();
    other.cancel(text.clone());
    assert_eq!(other.reason().as_ref().and_then(Reason::text), Some(text.as_str()));
}

pub(crate) async fn d_a_reason_of_each_kind_is_read_inside_and_in_the_outcome(cx: Cx<impl Spawner>) {
    let kinds = [
        (Reason::from("a text"), ReasonKind::Explicit, "a text"),
        (Reason::parent(), ReasonKind::Parent, "the scope around it was cancelled"),
        (Reason::sibling_failed().with_text("parser"), ReasonKind::SiblingFailed, "a sibling failed: parser"),
        (Reason::owner_dropped(), ReasonKind::OwnerDropped, "its owner was dropped"),
        (Reason::shutdown().with_text(String::from("SIGTERM")), ReasonKind::Shutdown, "shutting down: SIGTERM"),
    ];
    for (reason, kind, text) in kinds {
        let (outer, seen) = (cx.scope(), Log::new());
        let inner = outer.child();
        let looks = on_drop(|| seen.add((outer.cause().unwrap(), inner.cause().unwrap())));
        let outcome = outer.run(async {
            let _looks = looks;
            assert_eq!(inner.cause(), None);
            outer.cancel(reason.clone());
            pending::<()>().await;
        });
        let cancelled = outcome.await.into_result().unwrap_err();
        assert_eq!((cancelled.kind(), cancelled.reason()), (kind, &reason));
        assert_eq!(reason.to_string(), text);
        let [(own, inherited)] = seen.entries().try_into().unwrap();
        assert_eq!(own, cancelled);
        assert_eq!((inherited.kind(), inherited.reason()), (ReasonKind::Parent, &reason));
        assert!(inner.reason().is_none() && !inherited.is_own());
    }
    let timed = cx.scope().child_at(cx.at(1));
    let inner = cx.spawn("inner", timed.child().cancelled()).await;
    assert_eq!((inner.kind(), inner.reason().kind()), (ReasonKind::Parent, ReasonKind::Deadline));
    assert_eq!(timed.cancelled().await.kind(), ReasonKind::Deadline);
    assert_eq!(Reason::from("one text"), Reason::from(String::from("one text")), "wherever it is kept");
}

pub(crate) async fn d_timed_out_needs_the_own_deadline_first(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let late = scope.fail_at(cx.at(3), async |_| pending::<()>().await).await;
    assert_eq!(late, Err(FailError::TimedOut(cx.at(3))));
    cx.assert_at(3);
    let cancelled = scope.fail_after(LONG, async |s| {
        s.cancel("first");
        s.sleep(LONG).await;
    });
    let Err(FailError::Cancelled(cancelled)) = cancelled.await else { panic!("not a timeout") };
    assert!(cancelled.is_own() && !cancelled.is_timeout());
}

pub(crate) async fn d_an_ancestors_deadline_is_no_time_out(cx: Cx<impl Spawner>) {
    let root = cx.scope().child_at(cx.at(2));
    let inner = {
        let root = root.clone();
        cx.spawn("inner", async move { root.fail_after(LONG, async |_| pending::<()>().await).await })
    };
    let Err(FailError::Cancelled(cancelled)) = inner.await else { panic!("not its own time") };
    assert_eq!(cancelled.reason().kind(), ReasonKind::Deadline);
    assert!(!cancelled.is_own() && !cancelled.is_timeout());
    cx.assert_at(2);
    // The same where the body is not begun.
    let Err(FailError::Cancelled(cancelled)) = root.fail_after(LONG, async |_| ()).await else { panic!("too late") };
    assert!(!cancelled.is_timeout());
    let past = cx.scope().child_at(cx.at(1));
    let Err(FailError::Cancelled(cancelled)) = past.fail_after(ms(0), async |_| ()).await else { panic!("too late") };
    assert!(!cancelled.is_own(), "both are past their deadlines, and the outermost speaks");
}

pub(crate) async fn d_errors_of_the_body_are_not_mixed_with_those_of_the_scope(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let failed = scope.fail_after(LONG, async |_| Err::<(), _>("its own")).await;
    assert_eq!(failed, Ok(Err("its own")));
}

pub(crate) async fn cancelling_from_another_thread_reaches_every_task(cx: Cx<impl Spawner>) {
    let root = cx.scope();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let scope = if n % 2 == 0 { root.clone() } else { root.child().child() };
            cx.spawn("waits", async move {
                if n < 4 {
                    scope.cancelled().await
                } else {
                    scope.run(pending::<()>()).await.into_result().unwrap_err()
                }
            })
        })
        .collect();
    cx.sleep(2).await;
    elsewhere(move || root.cancel("from a thread"));
    for cancelled in join_all(tasks).await {
        assert_eq!(cancelled.reason().text(), Some("from a thread"));
    }
    cx.assert_at(2);
}

pub(crate) async fn many_children_are_all_told(cx: Cx<impl Spawner>) {
    const CHILDREN: usize = 500;
    let root = cx.scope();
    let told = Counter::new();
    let mut waits: Vec<_> = (0..CHILDREN).map(|_| Box::pin(root.child().cancelled())).collect();
    let waker = told.waker();
    for wait in &mut waits {
        assert!(poll(wait.as_mut(), &waker).is_pending());
    }
    drop(waits.split_off(CHILDREN / 2));
    root.cancel("all of you");
    assert_eq!(told.count(), CHILDREN / 2, "those who are still there");
    assert!(join_all(waits).await.iter().all(|cancelled| !cancelled.is_own()));
}

pub(crate) async fn futures_are_send(cx: Cx<impl Spawner>) {
    fn boxed<T>(future: impl Future<Output = T> + Send + 'static) -> Boxed<T> {
        Box::pin(future)
    }
    let scope = cx.scope();
    let task = boxed(async move {
        let number = 4;
        let outcome = scope.move_on_after(LONG, async |s| {
            let inner = s.fail_after(LONG, async |s| {
                s.sleep(ms(1)).await;
                (s.effective_deadline(), number)
            });
            inner.await
        });
        outcome.await.done().unwrap().unwrap()
    });
    let child = cx.scope().child();
    let wait = boxed(child.cancelled());
    let bare = boxed(wakeful::move_on_after(LONG, ready(1)));
    let ((deadline, number), one) = join(cx.spawn("scopes", task), cx.spawn("bare", bare)).await;
    assert!(matches!(deadline, Deadline::At(_)));
    assert_eq!((number, one), (4, Outcome::Done(1)));
    let wait = cx.spawn("wait", wait);
    child.cancel("over");
    assert!(wait.await.is_own());
}

//! Rule j: winding down before the end.

use crate::support::{Counter, Cx, LONG, Spawner, again, ms, poll};
use futures::channel::oneshot;
use futures::future::join3;
use std::future::pending;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeful::cancel::{Deadline, Outcome, Reason, ReasonKind, Scope};
use wakeful::time::{Instant, ManualClock};

pub(crate) async fn j_during_a_grace_what_has_begun_goes_on_and_may_begin_scopes(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let outcome = scope.run(async {
        let child = scope.child();
        assert!(!child.is_draining() && child.drain_reason().is_none());
        assert!(scope.cancel_with_grace("winding down", ms(6)));
        for scope in [&scope, &child] {
            assert!(!scope.is_cancelled() && scope.check().is_ok() && scope.reason().is_none());
            assert!(scope.is_draining() && !scope.cancel_called());
            assert_eq!(scope.drain_reason(), Some(Reason::from("winding down")));
        }
        let Deadline::At(end) = child.effective_deadline() else { panic!("the end of the grace") };
        cx.assert_instant(end, 6);
        assert_eq!(scope.deadline(), Instant::NEVER, "its own deadline is another thing");
        let late = child.run(async { scope.child().run(scope.sleep(ms(1))).await }).await;
        assert_eq!(late, Outcome::Done(Outcome::Done(())));
        let timed = scope.move_on_after(ms(1), async |_| pending::<()>().await).await;
        assert!(timed.into_result().unwrap_err().is_timeout());
        pending::<()>().await
    });
    let cancelled = outcome.await.into_result().unwrap_err();
    assert_eq!(cancelled.reason(), &Reason::from("winding down"));
    assert!(cancelled.is_own() && !cancelled.is_timeout() && scope.is_draining());
    cx.assert_at(6);
}

pub(crate) async fn j_what_is_waited_for_to_begin_with_is_given_up_when_a_grace_begins(cx: Cx<impl Spawner>) {
    for kind in 0..3 {
        let root = match kind {
            2 => cx.scope().child_after(ms(cx.soon())),
            _ => cx.scope(),
        };
        let (begun, below, gone) = (Counter::new(), root.child().child(), Counter::new());
        let waits = {
            let (begins, gone) = (begun.clone(), gone.clone());
            cx.spawn("waits", async move {
                let wait = async {
                    let _gone = gone.on_drop();
                    begins.add();
                    pending::<()>().await
                };
                let given = below.unless_draining(wait).await;
                // Dropped with the wait, and not with the future around it.
                (given, gone.count(), below.unless_draining(async { unreachable!("nothing is begun") as () }).await)
            })
        };
        begun.reaches(1).await;
        assert_eq!(root.unless_draining(async { "at once" }).await, Some("at once"));
        match kind {
            0 => assert!(root.cancel_with_grace(Reason::shutdown(), LONG)),
            1 => assert!(root.cancel(Reason::shutdown())),
            _ => {}
        }
        assert_eq!(waits.await, (None, 1, None));
    }
    // What came at the same time is left where it is.
    let (scope, (gives, given)) = (cx.scope(), oneshot::channel());
    let mut given = pin!(given);
    {
        let mut wait = pin!(scope.unless_draining(given.as_mut()));
        assert!(poll(wait.as_mut(), Waker::noop()).is_pending());
        gives.send("left").unwrap();
        scope.cancel_with_grace("over", LONG);
        assert_eq!(poll(wait.as_mut(), Waker::noop()), Poll::Ready(None));
    }
    assert_eq!(given.await, Ok("left"));
}

pub(crate) async fn j_all_who_watch_are_told_at_once(cx: Cx<impl Spawner>) {
    for kind in 0..3 {
        let root = match kind {
            2 => cx.scope().child_after(ms(cx.soon())),
            _ => cx.scope(),
        };
        let below = root.child().child();
        let (own, inherited) = (cx.spawn("own", root.draining()), cx.spawn("inherited", below.draining()));
        let begun = Counter::new();
        let body = {
            let (below, begins) = (below.clone(), begun.clone());
            cx.spawn("body", async move {
                let body = async {
                    begins.add();
                    below.draining().await
                };
                below.run(body).await
            })
        };
        begun.reaches(1).await;
        cx.sleep(1).await;
        match kind {
            0 => assert!(root.cancel_with_grace(Reason::shutdown(), LONG)),
            1 => assert!(root.cancel(Reason::shutdown())),
            _ => {}
        }
        let (own, inherited, body) = join3(own, inherited, body).await;
        let kinds = [own.kind(), inherited.kind()];
        assert_eq!(kinds, [if kind == 2 { ReasonKind::Deadline } else { ReasonKind::Shutdown }; 2]);
        assert!(!body.is_cancelled() || kind == 2, "one that hears of it is ready, and wins");
        assert_eq!(below.draining().await, own, "a state, not an event");
    }
}

pub(crate) async fn j_the_first_reason_stays_and_the_earlier_end_counts(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    assert!(scope.cancel_with_grace("first", LONG));
    assert!(!scope.cancel_with_grace("second", 2 * LONG) && scope.effective_deadline() <= deadline(&cx, LONG));
    assert!(!scope.cancel_with_grace("third", ms(3)));
    let wait = cx.spawn("wait", scope.child().cancelled()).await;
    assert_eq!((wait.reason().text(), scope.drain_reason()), (Some("first"), Some(Reason::from("first"))));
    cx.assert_at(3);
    assert!(!scope.cancel_with_grace("fourth", ms(1)) && !scope.cancel("fifth"));

    let hurried = cx.scope();
    assert!(hurried.cancel_with_grace("at leisure", LONG));
    assert!(hurried.cancel("at once") && hurried.is_cancelled());
    assert_eq!(hurried.reason(), Some(Reason::from("at leisure")), "recorded first");
    let timed = cx.scope().child_after(ms(2));
    timed.cancel_with_grace("at leisure", LONG);
    let ended = timed.cancelled().await;
    assert!(!ended.is_timeout() && ended.reason().text() == Some("at leisure"));
    cx.assert_at(5);
    let at_once = cx.scope();
    assert!(at_once.cancel_with_grace("none", Duration::ZERO) && at_once.is_cancelled());
    let unbounded = cx.scope();
    assert!(unbounded.cancel_with_grace("whenever", Duration::MAX));
    assert_eq!((unbounded.effective_deadline(), unbounded.is_draining()), (Deadline::Never, true));
    unbounded.cancel("now");
    assert_eq!(unbounded.cancelled().await.reason().text(), Some("whenever"));
}

/// That so much time is left.
fn deadline(cx: &Cx<impl Spawner>, duration: Duration) -> Deadline {
    Deadline::At(cx.time.now() + duration)
}

pub(crate) async fn j_a_shield_hides_a_grace_and_its_end_counts_later(_: Cx<impl Spawner>) {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time());
    let (told, waker) = (Counter::new(), Counter::new());
    let outcome = scope.shield(ms(4), async |s| {
        let mut draining = Box::pin(s.draining());
        assert!(poll(draining.as_mut(), &told.waker()).is_pending());
        scope.cancel_with_grace("outside", ms(3));
        assert!(scope.is_draining() && !s.is_draining() && s.drain_reason().is_none());
        assert!(poll(draining.as_mut(), &waker.waker()).is_pending());
        assert_eq!(s.effective_deadline(), Deadline::At(Instant::EPOCH + ms(7)));
        clock.advance(ms(3));
        assert!(scope.check().is_err() && !s.is_draining() && s.check().is_ok());
        clock.advance(ms(4));
        assert!(waker.count() > 0, "woken when the shield is spent");
        assert!(poll(draining.as_mut(), &waker.waker()).is_ready());
        let own = s.cancel_with_grace("of its own", LONG);
        (own, s.is_cancelled())
    });
    assert_eq!(outcome.await, Outcome::Done((true, true)));
}

pub(crate) async fn j_a_grace_that_ends_unnoticed_is_noticed_by_the_clock(_: Cx<impl Spawner>) {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time());
    scope.cancel_with_grace("over", ms(3));
    clock.advance(ms(3));
    assert!(!scope.is_cancelled(), "flags are all that this reads");
    assert_eq!(scope.check().unwrap_err().reason().text(), Some("over"));
    assert!(scope.is_cancelled());
    again().await;
    assert!(scope.run(async {}).await.is_cancelled(), "and then nothing begins any more");
}

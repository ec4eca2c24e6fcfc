//! Rules f, g and k: deadlines that move, how much time is left, and wakers that enter the scope.

use crate::support::{Counter, Cx, LONG, Log, Spawner, again, ms, poll, waker};
use futures::future::join;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use wakeful::cancel::{Deadline, Outcome, Reason, ReasonKind, Scope};
use wakeful::time::{Instant, ManualClock};

pub(crate) async fn f_moving_a_deadline_later_never_uncancels(cx: Cx<impl Spawner>) {
    let scope = cx.scope().child_at(cx.at(2));
    assert!(scope.cancelled().await.is_timeout());
    scope.set_deadline(cx.at(1000));
    assert!(scope.is_cancelled() && scope.check().is_err());
    assert_eq!(scope.effective_deadline(), Deadline::Cancelled);
    assert!(scope.cancelled().await.is_timeout());
    scope.set_deadline(Instant::NEVER);
    assert!(scope.run(async {}).await.is_cancelled());
    assert_eq!(scope.reason().map(|reason| reason.kind()), Some(ReasonKind::Deadline));
}

pub(crate) async fn f_after_counts_from_entry(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let made = scope.move_on_after(ms(5), async |s| {
        let entered = s.deadline();
        s.sleep(ms(2)).await;
        entered
    });
    cx.sleep(10).await;
    let deadline = made.await.done().expect("it had its whole time");
    cx.assert_instant(deadline, 15);
    cx.assert_at(12);
    let child = scope.child_after(ms(3));
    cx.assert_instant(child.deadline(), 15);
}

pub(crate) async fn f_is_cancelled_reads_flags_and_check_reads_the_clock(cx: Cx<impl Spawner>) {
    let root = cx.scope().child_at(cx.at(2));
    let child = root.child();
    cx.sleep(3).await;
    assert!(!root.is_cancelled() && !child.is_cancelled());
    assert_eq!(child.effective_deadline(), Deadline::At(cx.at(2)));
    let cancelled = child.check().unwrap_err();
    assert!(!cancelled.is_own());
    assert_eq!(cancelled.reason().to_string(), format!("the deadline {} was reached", cx.at(2)));
    assert!(root.is_cancelled() && child.is_cancelled());
    assert!(root.cancel_called() && !child.cancel_called());
    assert!(cx.scope().check().is_ok());
}

pub(crate) async fn a_deadline_moved_earlier_wakes_whoever_waits(cx: Cx<impl Spawner>) {
    let root = cx.scope().child_after(LONG);
    let child = root.child().child();
    let wait = cx.spawn("wait", child.cancelled());
    let run = {
        let root = root.clone();
        cx.spawn("run", async move { root.run(pending::<()>()).await })
    };
    cx.sleep(2).await;
    root.set_deadline(cx.at(5));
    let (cancelled, outcome) = join(wait, run).await;
    cx.assert_at(5);
    assert_eq!(cancelled.reason().kind(), ReasonKind::Deadline);
    assert!(outcome.into_result().unwrap_err().is_timeout());
    let past = cx.scope();
    let wait = cx.spawn("wait", past.child().cancelled());
    again().await;
    past.set_deadline(cx.at(1));
    assert_eq!(wait.await.reason().kind(), ReasonKind::Deadline);
}

pub(crate) async fn a_deadline_moved_later_is_kept(cx: Cx<impl Spawner>) {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time()).child_after(ms(5));
    let wait = cx.spawn("wait", scope.child().cancelled());
    let counter = Counter::new();
    let mut other = Box::pin(scope.cancelled());
    assert!(poll(other.as_mut(), &counter.waker()).is_pending());
    scope.set_deadline(Instant::EPOCH + ms(9));
    clock.advance(ms(6));
    cx.sleep(1).await;
    assert!(poll(other.as_mut(), &counter.waker()).is_pending());
    assert!(!scope.is_cancelled());
    clock.advance(ms(3));
    let cancelled = wait.await;
    assert_eq!(cancelled.reason().to_string(), "the deadline 0.009000000s was reached");
}

pub(crate) async fn a_deadline_moved_by_the_body_itself_counts(cx: Cx<impl Spawner>) {
    let scope = cx.scope();
    let earlier = scope.move_on_after(LONG, async |s| {
        s.set_deadline(cx.at(3));
        s.sleep(LONG).await;
    });
    assert!(earlier.await.into_result().unwrap_err().is_timeout());
    cx.assert_at(3);
    let scope = cx.scope();
    let later = scope.move_on_after(ms(50), async |s| {
        s.set_deadline(Instant::NEVER);
        s.sleep(ms(60)).await;
        s.effective_deadline()
    });
    assert_eq!(later.await, Outcome::Done(Deadline::Never));
}

pub(crate) async fn g_the_effective_deadline_is_the_minimum(cx: Cx<impl Spawner>) {
    let root = cx.scope();
    assert_eq!(root.effective_deadline(), Deadline::Never);
    let middle = root.child_at(cx.at(5000));
    let inner = middle.child_at(cx.at(9000));
    assert_eq!(inner.effective_deadline(), Deadline::At(cx.at(5000)));
    middle.set_deadline(Instant::NEVER);
    assert_eq!(inner.effective_deadline(), Deadline::At(cx.at(9000)));
    root.set_deadline(cx.at(7000));
    assert_eq!(inner.effective_deadline(), Deadline::At(cx.at(7000)));
    let outcome = inner.move_on_at(cx.at(6000), async |s| {
        let nested = s.move_on_after(LONG, async |s| (s.deadline() > cx.at(6000), s.effective_deadline())).await;
        (s.effective_deadline(), nested)
    });
    let least = Deadline::At(cx.at(6000));
    assert_eq!(outcome.await, Outcome::Done((least, Outcome::Done((true, least)))));
    assert!(least.allows(cx.at(5999)) && !least.allows(cx.at(6000)));
}

pub(crate) async fn g_cancelled_is_a_value_of_its_own(cx: Cx<impl Spawner>) {
    let root = cx.scope();
    let timed = root.child_at(cx.at(5000));
    let free = root.child();
    root.cancel("over");
    for scope in [&root, &timed, &free] {
        assert_eq!(scope.effective_deadline(), Deadline::Cancelled);
    }
    assert!(Deadline::Cancelled < Deadline::At(Instant::EPOCH) && Deadline::At(cx.at(1)) < Deadline::Never);
    assert!(!Deadline::Cancelled.allows(Instant::EPOCH) && Deadline::Never.allows(cx.at(1)));
    assert_eq!(Deadline::from(Instant::NEVER), Deadline::Never);
}

pub(crate) async fn k_a_waker_may_enter_the_scope_that_fires_it(cx: Cx<impl Spawner>) {
    let root = cx.scope();
    let waits = Arc::new(Mutex::new(Vec::new()));
    let log = Log::new();
    for n in 0..40 {
        let (scope, waits_too, log) = (root.child(), waits.clone(), log.clone());
        let mut wait = Box::pin(scope.cancelled());
        let enters = waker(move || {
            log.add(n);
            assert!(scope.is_cancelled() && !scope.cancel_called());
            assert!(scope.cancel("by the waker"));
            scope.set_deadline(scope.now());
            let parent = scope.parent().unwrap();
            assert!(!parent.cancel("again"));
            assert!(poll(Box::pin(parent.child().cancelled()).as_mut(), &Counter::new().waker()).is_ready());
            // Others that wait in the same lines go while these are being emptied.
            let dropped = waits_too.lock().unwrap().pop();
            drop::<Option<std::pin::Pin<Box<wakeful::cancel::UntilCancelled>>>>(dropped);
        });
        assert!(poll(wait.as_mut(), &enters).is_pending());
        waits.lock().unwrap().push(wait);
    }
    assert!(root.cancel("over"));
    assert_eq!(root.reason(), Some(Reason::from("over")));
    assert!(log.entries().len() >= 20, "each waker drops one wait, its own or another's");
    waits.lock().unwrap().clear();
}

pub(crate) async fn k_a_waker_that_panics_keeps_nobody_waiting(cx: Cx<impl Spawner>) {
    let root = cx.scope();
    let told = Counter::new();
    let panics = waker(|| panic!("a waker's own trouble"));
    let mut waits: Vec<_> = (0..200).map(|_| Box::pin(root.child().child().cancelled())).collect();
    let last = waits.len() - 1;
    for (n, wait) in waits.iter_mut().enumerate() {
        let waker = if n == last { panics.clone() } else { told.waker() };
        assert!(poll(wait.as_mut(), &waker).is_pending());
    }
    let mut own = Box::pin(root.cancelled());
    assert!(poll(own.as_mut(), &panics).is_pending());
    waits.pop();
    assert!(catch_unwind(AssertUnwindSafe(|| root.cancel("over"))).is_err());
    assert_eq!(told.count(), last, "all others are woken while it unwinds");
    assert_eq!(poll(own.as_mut(), &panics).map(|cancelled| cancelled.is_own()), Poll::Ready(true));
}

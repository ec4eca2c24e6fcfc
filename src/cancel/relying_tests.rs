//! Who relies on a run, who waits for a shield, and what an old reading of the clock, or a grace, comes to.

use super::hostile_tests::counting;
use super::{Deadline, Scope, UntilCancelled};
use crate::sys::atomic::Ordering;
use crate::sys::waker::hooked::hooked;
use crate::time::{Instant, ManualClock};
use alloc::boxed::Box;
use core::cell::Cell;
use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

type Wait = Pin<Box<UntilCancelled>>;

const SECOND: Duration = Duration::from_secs(1);

/// A body that polls `relied`, which relies on the run of the same scope, and is ready at its second poll.
fn twice(relied: &mut Wait) -> impl Future<Output = ()> {
    let mut polls = 0;
    poll_fn(move |cx| {
        assert!(relied.as_mut().poll(cx).is_pending());
        polls += 1;
        if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// Polls a run with such a body to its end, with and without something that is dropped with it.
fn is_told(with_drop: bool) {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time()).child_after(SECOND);
    let (waker, count) = counting();
    let mut cx = Context::from_waker(&waker);
    let mut relied: Wait = Box::pin(scope.cancelled());
    let told = || count.swap(0, Ordering::Relaxed) > 0;
    if with_drop {
        let held = Box::new(());
        let body = twice(&mut relied);
        let mut run = pin!(scope.run(async move {
            body.await;
            drop(held);
        }));
        assert!(run.as_mut().poll(&mut cx).is_pending() && !told());
        assert!(run.as_mut().poll(&mut cx).is_ready() && told(), "the run watches no more, and says so");
    } else {
        let mut run = pin!(scope.run(twice(&mut relied)));
        assert!(run.as_mut().poll(&mut cx).is_pending() && !told());
        assert!(run.as_mut().poll(&mut cx).is_ready() && told(), "the run watches no more, and says so");
    }
    assert!(relied.as_mut().poll(&mut cx).is_pending());
    clock.advance(SECOND);
    assert!(told() && relied.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn e_a_run_that_is_done_tells_who_relied_on_it() {
    is_told(false);
    is_told(true);
}

#[test]
fn h_a_shield_that_is_polled_elsewhere_lets_the_run_go_that_waited_for_it() {
    let (root, other) = [ManualClock::new(), ManualClock::new()].map(|clock| Scope::new(clock.time())).into();
    let mut shielded = Box::pin(root.shield(Duration::MAX, async |_| pending::<()>().await));
    let (waker, count) = counting();
    let mut cx = Context::from_waker(&waker);
    let lent = Cell::new(Some(&mut shielded));
    let mut run = Box::pin(root.run(poll_fn(|_| {
        if let Some(shielded) = lent.take() {
            assert!(shielded.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            lent.set(Some(shielded));
        }
        Poll::<()>::Pending
    })));
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert!(root.cancel("over"));
    assert!(run.as_mut().poll(&mut cx).is_pending(), "the shield is inside it");
    count.store(0, Ordering::Relaxed);
    let shielded = lent.take().expect("it was put back");
    let mut elsewhere = pin!(other.run(poll_fn(|_| shielded.as_mut().poll(&mut Context::from_waker(Waker::noop())))));
    assert!(elsewhere.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(count.load(Ordering::Relaxed), 1, "nothing keeps it any more");
    assert!(run.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn h_a_run_that_a_shield_keeps_polls_again_who_relied_on_it() {
    let root = Scope::new(ManualClock::new().time());
    let (waker, count) = counting();
    let mut cx = Context::from_waker(&waker);
    let cleaned = Cell::new(false);
    let mut run = pin!(root.move_on_at(Instant::NEVER, async |inner| {
        // Relies on the run around it, and is polled before the scope is cancelled in the same poll.
        let mut relied = pin!(inner.run(pending::<()>()).cleanup(async |_| cleaned.set(true), Duration::MAX));
        let mut shielded = pin!(inner.shield(Duration::MAX, async |_| {
            root.cancel("over");
            pending::<()>().await;
        }));
        poll_fn(|cx| {
            let _ = relied.as_mut().poll(cx);
            shielded.as_mut().poll(cx)
        })
        .await
    }));
    assert!(run.as_mut().poll(&mut cx).is_pending() && !cleaned.get());
    assert!(count.swap(0, Ordering::Relaxed) > 0, "nobody else would tell it");
    assert!(run.as_mut().poll(&mut cx).is_pending() && cleaned.get());
}

#[test]
fn the_budget_of_a_cleanup_counts_from_when_the_body_is_gone() {
    let clock = ManualClock::new();
    let root = Scope::new(clock.time());
    let (time, done) = (clock.time(), Cell::new(false));
    let cleanup = async |_| {
        time.sleep(SECOND).await;
        done.set(true);
    };
    let mut run = pin!(root.run(pending::<()>()).cleanup(cleanup, 2 * SECOND));
    let waker = hooked(|_| {});
    let mut cx = Context::from_waker(&waker);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    clock.advance(SECOND);
    assert!(root.cancel("over"));
    clock.advance(9 * SECOND);
    assert!(run.as_mut().poll(&mut cx).is_pending(), "its task was late");
    clock.advance(SECOND);
    assert!(run.as_mut().poll(&mut cx).is_ready() && done.get());
}

#[test]
fn f_what_was_noticed_stays_so_for_who_read_the_clock_before() {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time()).child_after(SECOND);
    let before = clock.time().now();
    clock.advance(SECOND);
    assert!(scope.check_at(before).is_ok(), "nobody has noticed");
    assert!(scope.check().is_err());
    assert!(scope.check_at(before).is_err());
}

#[test]
fn j_a_grace_ends_by_the_clock_also_for_who_asks_below() {
    let clock = ManualClock::new();
    let root = Scope::new(clock.time());
    let below = root.child_after(9 * SECOND);
    assert!(root.cancel_with_grace("enough", SECOND));
    let end = clock.time().now() + SECOND;
    assert_eq!(below.effective_deadline(), Deadline::At(end));
    let (waker, count) = counting();
    let mut cx = Context::from_waker(&waker);
    let mut run = pin!(below.run(pending::<()>()));
    assert!(run.as_mut().poll(&mut cx).is_pending() && below.check().is_ok());
    clock.advance(SECOND);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(below.check().is_err() && run.as_mut().poll(&mut cx).is_ready());
    assert!(root.check_at(Instant::NEVER).is_err());
}

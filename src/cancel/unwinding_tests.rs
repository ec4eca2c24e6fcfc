//! Wakers and bodies that panic.

use super::hostile_tests::counting;
use super::{Scope, UntilCancelled};
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::waker::hooked::{Act, hooked};
use crate::sys::{Arc, Lock};
use crate::time::{Instant, ManualClock};
use alloc::boxed::Box;
use core::future::{Future, pending, poll_fn};
use core::panic::AssertUnwindSafe;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::panic::{catch_unwind, resume_unwind};

/// A waker that panics, and how often it was woken.
fn bad() -> (Waker, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counts = count.clone();
    let waker = hooked(move |act| {
        if act == Act::Wake {
            counts.fetch_add(1, Ordering::Relaxed);
            resume_unwind(Box::new("a bad waker"));
        }
    });
    (waker, count)
}

#[test]
fn a_waker_that_panics_does_not_come_out_of_who_kept_a_scope_open() {
    let (waker, count) = bad();
    let (root, kept) = (Scope::new(ManualClock::new().time()), Lock::new(None));
    let mut run = pin!(root.run(async {
        let open = root.keep_open();
        kept.with(|kept| *kept = Some(open));
        pending::<()>().await
    }));
    assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(root.cancel("over"));
    assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(kept.with(Option::take));
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn a_waker_that_panics_does_not_come_out_of_a_shield_that_is_dropped() {
    let (waker, count) = bad();
    let (root, given) = (Scope::new(ManualClock::new().time()), Lock::new(None));
    let mut run = Box::pin(root.run(crate::cancel::shield(Duration::from_secs(1), async {
        let inside = crate::cancel::current();
        given.with(|given| *given = inside);
        pending::<()>().await
    })));
    assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let inside = given.with(Option::take).expect("it was given away");
    let mut wait = pin!(inside.cancelled());
    assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(run);
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn two_wakers_that_panic_in_one_sweep_are_one_panic() {
    let root = Scope::new(ManualClock::new().time());
    let scopes = [root.clone(), root.child(), root.child()];
    let mut waits = scopes.each_ref().map(|scope| Box::pin(scope.cancelled()));
    let (waker, count) = bad();
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| root.cancel("over"))).is_err());
    assert_eq!(count.load(Ordering::Relaxed), 3);
}

#[test]
fn a_body_that_panics_when_its_run_is_dropped_leaves_nobody_without_a_clock() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a body that does not go quietly");
        }
    }
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time()).child_at(Instant::from_nanos(9));
    let (waker, count) = counting();
    let mut cx = Context::from_waker(&waker);
    let mut relied: Pin<Box<UntilCancelled>> = Box::pin(scope.cancelled());
    let mut run = Box::pin(scope.run({
        let (relied, bomb) = (&mut relied, Bomb);
        async move {
            let _bomb = bomb;
            poll_fn(|cx| {
                let _: Poll<_> = relied.as_mut().poll(cx);
                Poll::<()>::Pending
            })
            .await;
        }
    }));
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(run))).is_err());
    assert!(count.swap(0, Ordering::Relaxed) > 0, "a run that ends says so to who relied on it");
    assert!(relied.as_mut().poll(&mut cx).is_pending());
    clock.advance(Duration::from_nanos(9));
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(relied.as_mut().poll(&mut cx).is_ready());
}

//! Wakers that poll what wakes them, clocks at the end of time.

use super::{Outcome, Scope, UntilCancelled};
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::waker::hooked::{Act, hooked};
use crate::sys::{Arc, Lock};
use crate::time::{Instant, ManualClock};
use alloc::boxed::Box;
use core::future::{Future, pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Mutex, OnceLock};

type Wait = Pin<Box<UntilCancelled>>;

pub(super) fn counting() -> (Waker, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counts = count.clone();
    let waker = hooked(move |act| {
        if act == Act::Wake {
            counts.fetch_add(1, Ordering::Relaxed);
        }
    });
    (waker, count)
}

/// A wait that is polled anew inside the waker that it registered, `most` times at the most.
fn polled_by_its_waker(scope: &Scope, most: usize) -> Arc<AtomicUsize> {
    let wakes = Arc::new(AtomicUsize::new(0));
    let waker = Arc::new(OnceLock::<Waker>::new());
    let wait: Mutex<Wait> = Mutex::new(Box::pin(scope.cancelled()));
    let (counts, own) = (wakes.clone(), waker.clone());
    let hook = hooked(move |act| {
        if act == Act::Wake && counts.fetch_add(1, Ordering::Relaxed) < most {
            if let Ok(mut wait) = wait.try_lock() {
                let _: Poll<_> = wait.as_mut().poll(&mut Context::from_waker(own.get().unwrap()));
            }
        }
    });
    waker.set(hook).unwrap();
    waker.get().unwrap().wake_by_ref();
    assert_eq!(wakes.swap(0, Ordering::Relaxed), 1);
    wakes
}

#[test]
fn a_moved_deadline_wakes_once_who_waits_again_inside_its_waker() {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time());
    let (own, below) = (polled_by_its_waker(&scope, 1000), polled_by_its_waker(&scope.child().child(), 1000));
    scope.set_deadline(Instant::from_nanos(9));
    assert!(own.load(Ordering::Relaxed) <= 2, "woken {} times", own.load(Ordering::Relaxed));
    assert!(below.load(Ordering::Relaxed) <= 2, "woken {} times", below.load(Ordering::Relaxed));
    own.store(0, Ordering::Relaxed);
    below.store(0, Ordering::Relaxed);
    clock.advance(Duration::from_nanos(9));
    assert!(own.load(Ordering::Relaxed) > 0 && below.load(Ordering::Relaxed) > 0, "the new deadline is watched");
    assert!(scope.is_cancelled());
}

#[test]
fn a_sweep_does_not_skip_who_waited_before_it_when_others_join_and_leave_meanwhile() {
    let scope = Scope::new(ManualClock::new().time());
    let (waker, count) = counting();
    let mut cx = Context::from_waker(&waker);
    let others = Arc::new(Lock::new(alloc::vec::Vec::<Wait>::new()));
    let (joins, joiner) = (others.clone(), scope.clone());
    let first = hooked(move |act| {
        if act == Act::Wake {
            let mut wait: Wait = Box::pin(joiner.cancelled());
            let _ = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            joins.with(|joins| joins.push(wait));
        }
    });
    let mut waits: alloc::vec::Vec<Wait> = (0..200).map(|_| Box::pin(scope.cancelled())).collect();
    for (n, wait) in waits.iter_mut().enumerate() {
        match n % 2 {
            0 => assert!(wait.as_mut().poll(&mut Context::from_waker(&first)).is_pending()),
            _ => assert!(wait.as_mut().poll(&mut cx).is_pending()),
        }
    }
    drop(waits.drain(..50));
    scope.set_deadline(Instant::from_nanos(9));
    assert_eq!(count.load(Ordering::Relaxed), 75, "each that was there is woken");
    assert_eq!(others.with(|others| others.len()), 75);
    others.with(core::mem::take).clear();
}

#[test]
fn a_sweep_tells_everybody_once_and_in_order_in_a_tree_that_is_wide_on_each_level() {
    let told = Arc::new(Lock::new(alloc::vec::Vec::new()));
    let mut waits = alloc::vec::Vec::<Wait>::new();
    let mut wait_in = |scope: &Scope| {
        let (told, number) = (told.clone(), waits.len());
        let waker = hooked(move |act| {
            if act == Act::Wake {
                told.with(|told| told.push(number));
            }
        });
        let mut wait: Wait = Box::pin(scope.cancelled());
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        waits.push(wait);
    };
    let root = Scope::new(ManualClock::new().time());
    for child in (0..40).map(|_| root.child()) {
        (0..40).for_each(|_| wait_in(&child));
        for grandchild in (0..40).map(|_| child.child()) {
            wait_in(&grandchild);
        }
    }
    assert!(root.cancel("over"));
    assert!(
        told.with(|told| told.iter().copied().eq(0..waits.len())),
        "those of a scope first, then its children in turn"
    );
}

#[test]
fn a_scope_without_a_deadline_is_not_cancelled_by_a_clock_at_the_end_of_time() {
    let clock = ManualClock::new();
    let root = Scope::new(clock.time());
    let scope = root.child_after(Duration::from_secs(1));
    let mut cx = Context::from_waker(Waker::noop());
    let mut run = pin!(scope.run(pending::<()>()));
    assert!(run.as_mut().poll(&mut cx).is_pending());
    clock.jump_to(Instant::NEVER);
    assert!(run.as_mut().poll(&mut cx).is_ready(), "its deadline is long past");
    assert!(scope.check().is_err());
    assert!(!root.is_cancelled(), "the root has none");
    let mut late = pin!(root.move_on_after(Duration::MAX, async |_| 1));
    assert_eq!(late.as_mut().poll(&mut cx).map(|outcome| outcome.done()), Poll::Ready(Some(1)));
}

#[test]
fn the_last_waker_is_the_one_that_is_told() {
    let root = Scope::new(ManualClock::new().time());
    let (mut run, mut wait) = (pin!(root.run(pending::<()>())), pin!(root.cancelled()));
    let ((first, old), (last, new)) = (counting(), counting());
    for waker in [first, last] {
        let mut cx = Context::from_waker(&waker);
        assert!(run.as_mut().poll(&mut cx).is_pending() && wait.as_mut().poll(&mut cx).is_pending());
    }
    assert!(root.cancel("over"));
    assert_eq!([old, new].map(|count| count.load(Ordering::Relaxed)), [0, 2]);
}

/// Polls `run` twice, whose body gives its scope away at the second poll, and cancels that from elsewhere.
fn is_heard<F: Future<Output = Outcome<()>>>(run: F, given: &Lock<Option<Scope>>) {
    let (waker, count) = counting();
    let (mut run, mut cx) = (pin!(run), Context::from_waker(&waker));
    assert!(run.as_mut().poll(&mut cx).is_pending() && given.with(|given| given.is_none()));
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert!(given.with(Option::take).expect("it was given away").cancel("late"));
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(matches!(run.poll(&mut cx), Poll::Ready(Outcome::Cancelled(cut)) if cut.is_own()));
}

/// Gives `scope` away at its second poll.
async fn give(scope: impl Fn() -> Scope, given: &Lock<Option<Scope>>) {
    let mut polls = 0;
    poll_fn(|_| {
        polls += 1;
        if polls == 2 {
            let scope = scope();
            given.with(|given| *given = Some(scope));
        }
        Poll::Pending
    })
    .await
}

#[test]
fn a_scope_that_its_body_gives_away_while_it_waits_is_heard() {
    let given = Lock::new(None);
    let root = Scope::new(ManualClock::new().time());
    is_heard(root.move_on_after(Duration::from_secs(9), async |s| give(|| s.clone(), &given).await), &given);
}

#[cfg(all(test, feature = "std"))]
#[test]
fn a_scope_outside_any_other_that_its_body_gives_away_while_it_waits_is_heard() {
    let given = Lock::new(None);
    let body = give(|| crate::cancel::current().expect("that of the body"), &given);
    is_heard(crate::cancel::move_on_after(Duration::from_secs(9), body), &given);
}

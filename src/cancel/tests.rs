//! Rule k, with wakers that tell when they are touched, and what a tree leaves behind.

use super::*;
use crate::sys::lock::taken;
use crate::sys::waker::hooked::hooked;
use crate::sys::{Arc, Lock};
use crate::time::ManualClock;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::{Future, pending};
use core::pin::{Pin, pin};
use core::task::{Context, Waker};
use core::time::Duration;

fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> bool {
    future.poll(&mut Context::from_waker(waker)).is_ready()
}

#[test]
fn k_wakers_are_cloned_woken_and_dropped_outside_every_lock() {
    let clock = ManualClock::new();
    let root = Scope::new(clock.time()).child_after(Duration::from_millis(5));
    let child = root.child();
    let acts = Arc::new(Lock::new(Vec::new()));
    let waker = || {
        let (root, child, acts) = (root.clone(), child.clone(), acts.clone());
        hooked(move |act| {
            // Each takes the lock of a node that is waited on.
            assert_eq!(root.reason().is_some(), root.cancel_called());
            child.set_deadline(child.deadline());
            acts.with(|acts| acts.push(act));
        })
    };
    for end in [0, 1, 2] {
        let mut wait = Box::pin(child.cancelled());
        let mut run = Box::pin(child.run(pending::<()>()));
        for waker in [waker(), waker()] {
            assert!(!poll(wait.as_mut(), &waker) && !poll(run.as_mut(), &waker));
        }
        match end {
            0 => drop((wait, run)),
            1 => root.set_deadline(clock.time().now() + Duration::from_millis(1)),
            _ => assert!(root.cancel("over")),
        }
    }
    assert!(acts.with(|acts| acts.len()) > 20);
}

#[test]
fn a_tree_that_nobody_holds_is_freed_whatever_waited_in_it() {
    let clock = ManualClock::new();
    let root = Scope::new(clock.time());
    let branch = Arc::downgrade(&root.branch());
    let mut waits: Vec<_> = (0..10).map(|_| Box::pin(root.child().child().cancelled())).collect();
    for wait in &mut waits {
        assert!(!poll(wait.as_mut(), Waker::noop()));
    }
    waits.truncate(5);
    root.cancel("over");
    drop(root);
    assert!(branch.upgrade().is_some(), "those who wait hold it");
    drop(waits);
    assert!(branch.upgrade().is_none());
    assert_eq!(clock.time().pending(), 0);
}

/// How many locks each of two polls takes, the second with the waker of the first.
fn locks_of<F: Future>(future: F) -> [usize; 2] {
    let (mut future, waker) = (pin!(future), hooked(|_| {}));
    [(); 2].map(|()| taken::during(|| assert!(!poll(future.as_mut(), &waker))))
}

#[test]
fn polled_again_with_the_same_waker_nobody_takes_a_lock() {
    let clock = ManualClock::new();
    let second = Duration::from_secs(1);
    let root = Scope::new(clock.time());
    let timed = root.child_after(second).child();
    let drains = root.child();
    assert!(drains.cancel_with_grace("soon", second));
    let inside = timed.child();
    let shielded = async |s: &Scope| s.child_after(second).cancelled().await;
    let polls = [
        ("a sleep", locks_of(clock.time().sleep(second))),
        ("a run", locks_of(root.run(pending::<()>()))),
        ("a run below a deadline", locks_of(timed.run(pending::<()>()))),
        ("a run that winds down", locks_of(drains.run(pending::<()>()))),
        ("a run inside another", locks_of(timed.run(inside.run(inside.child().run(pending::<()>()))))),
        ("a timeout", locks_of(root.fail_after(second, async |_| pending::<()>().await))),
        ("timeouts inside each other", {
            let inner = async |s: &Scope| s.move_on_after(second, async |_| pending::<()>().await).await;
            locks_of(root.move_on_after(second, inner))
        }),
        ("a timeout whose body keeps a handle", {
            locks_of(root.move_on_after(second, async |s| s.clone().run(pending::<()>()).await))
        }),
        ("a shield", locks_of(timed.shield(second, shielded))),
        ("a run that may be cleaned up after", {
            locks_of(timed.run(pending::<()>()).cleanup(|_| core::future::ready(()), second))
        }),
        ("waiting for the cancelling", locks_of(timed.cancelled())),
        ("waiting for a grace", locks_of(timed.draining())),
    ];
    for (what, [first, again]) in polls {
        assert!(first > 0, "{what} is registered");
        assert_eq!(again, 0, "{what}");
    }
}

#[test]
fn what_is_kept_of_a_nested_scope_outlives_it_and_its_owner() {
    let clock = ManualClock::new();
    let owner = Arc::new([Scope::new(clock.time()), Scope::new(clock.time())]);
    let nested = Nested::new(owner.clone(), |scopes| &scopes[1]);
    let other = Nested::new(owner.clone(), |scopes| &scopes[1]);
    assert_eq!(Arc::strong_count(&owner), 3);
    assert!(other.scope().cancel("alone") && !nested.scope().is_cancelled());
    let (kept, around) = (nested.scope().child(), nested.owner()[1].clone());
    assert!(kept.parent().is_some_and(|parent| parent.same(nested.scope())));
    drop((nested, other, owner));
    let mut until = pin!(kept.cancelled());
    assert!(!poll(until.as_mut(), Waker::noop()));
    around.cancel("all");
    assert!(poll(until, Waker::noop()) && kept.is_cancelled());
}

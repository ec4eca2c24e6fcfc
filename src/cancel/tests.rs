//! Rule k, with wakers that tell when they are touched, and what a tree leaves behind.

use super::*;
use crate::sys::waker::hooked::hooked;
use crate::sys::{Arc, Lock};
use crate::time::ManualClock;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::{Future, pending};
use core::pin::Pin;
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

//! The flag-and-wait protocol of the tree (S1–S3): whoever waits when a scope is cancelled or its deadline moves is told,
//! whatever the two threads do first.

use super::{Scope, UntilCancelled};
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::model::{model, spawn};
use crate::sys::waker::hooked::{Act, hooked};
use crate::time::{Instant, ManualClock};
use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};

/// A wait for the end of a scope, with a waker that counts.
struct Wait {
    wait: Pin<Box<UntilCancelled>>,
    waker: Waker,
    woken: Arc<AtomicUsize>,
}

impl Wait {
    fn new(scope: &Scope) -> Self {
        let woken = Arc::new(AtomicUsize::new(0));
        let counts = woken.clone();
        let waker = hooked(move |act| {
            if act == Act::Wake {
                counts.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { wait: Box::pin(scope.cancelled()), waker, woken }
    }

    fn poll(&mut self) -> bool {
        self.wait.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready()
    }

    /// That a wait which was `ready` or not when it was polled has been told by now.
    fn check(mut self, ready: bool) {
        assert!(ready || self.woken.load(Ordering::Relaxed) > 0, "it still waits, and nobody woke it");
        assert!(self.poll(), "it was woken for nothing");
    }
}

fn root() -> Scope {
    Scope::new(ManualClock::at(Instant::from_nanos(5)).time())
}

#[test]
fn loom_a_cancel_that_races_with_the_first_wait_is_heard() {
    model(|| {
        let scope = root();
        let mut wait = Wait::new(&scope);
        let cancels = spawn(move || assert!(scope.cancel("over")));
        let ready = wait.poll();
        cancels.join().unwrap();
        wait.check(ready);
    });
}

#[test]
fn loom_a_cancel_that_races_with_the_making_of_a_grandchild_reaches_it() {
    model(|| {
        let scope = root();
        let middle = scope.child();
        let cancels = spawn(move || assert!(scope.cancel("over")));
        let mut wait = Wait::new(&middle.child());
        let ready = wait.poll();
        cancels.join().unwrap();
        wait.check(ready);
    });
}

#[test]
fn loom_two_that_join_below_one_node_are_both_told() {
    model(|| {
        let scope = root();
        let middle = scope.child();
        let below = middle.child();
        let joins = spawn(move || {
            let mut wait = Wait::new(&below);
            let ready = wait.poll();
            (wait, ready)
        });
        let mut wait = Wait::new(&middle);
        let ready = wait.poll();
        assert!(scope.cancel("over"));
        let (other, other_ready) = joins.join().unwrap();
        wait.check(ready);
        other.check(other_ready);
    });
}

#[test]
fn loom_a_cancel_that_races_with_the_drop_of_a_branch_touches_nothing_that_is_gone() {
    model(|| {
        let scope = root();
        let child = scope.child();
        let mut gone = Wait::new(&child.child());
        let mut stays = Wait::new(&child);
        assert!(!gone.poll() && !stays.poll());
        let drops = spawn(move || drop(gone));
        assert!(scope.cancel("over"));
        drops.join().unwrap();
        drop((scope, child));
        stays.check(false);
    });
}

#[test]
fn loom_of_two_reasons_one_stays_and_both_cancellers_return_after_the_wake_up_began() {
    model(|| {
        let scope = root();
        let mut wait = Wait::new(&scope);
        assert!(!wait.poll());
        let other = scope.clone();
        let cancels = spawn(move || other.cancel("one"));
        let second = scope.cancel("two");
        let first = cancels.join().unwrap();
        assert!(first != second, "one of them was the first");
        let reason = scope.reason().expect("it is cancelled");
        assert_eq!(reason.text(), Some(if first { "one" } else { "two" }));
        wait.check(false);
    });
}

#[test]
fn loom_a_deadline_that_is_moved_into_the_past_during_the_first_wait_is_noticed() {
    model(|| {
        let scope = root();
        let mut wait = Wait::new(&scope.child());
        let moves = spawn(move || scope.set_deadline(Instant::from_nanos(3)));
        let ready = wait.poll();
        moves.join().unwrap();
        wait.check(ready);
    });
}

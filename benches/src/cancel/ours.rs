//! wakeful: `Scope` and its children, with the clock of the operating system.

use std::future::{pending, ready};
use std::hint::black_box;
use std::pin::pin;

use wakeful::cancel::{Scope, fail_after};
use wakeful::time::Time;

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::{poll_once, told, two_threads_ns};
use crate::time::AHEAD;
use crate::time::ours::standing;

/// A child that is a node of the tree, as it is when somebody shares it.
fn shared_child(parent: &Scope) -> Scope {
    parent.child().clone()
}

pub fn is_cancelled() -> f64 {
    let child = shared_child(&Scope::new(Time::system()));
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            assert!(!black_box(&child).is_cancelled());
        }
    })
}

pub fn is_cancelled_two_threads() -> f64 {
    let child = shared_child(&Scope::new(Time::system()));
    two_threads_ns(OPERATIONS, || assert!(!black_box(&child).is_cancelled()))
}

pub fn child_create_drop() -> f64 {
    let parent = Scope::new(Time::system());
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            drop(black_box(parent.child()));
        }
    })
}

pub fn child_create_drop_two_threads() -> f64 {
    let parent = Scope::new(Time::system());
    two_threads_ns(OPERATIONS, || drop(black_box(parent.child())))
}

fn cancel(count: usize) -> f64 {
    let parent = Scope::new(Time::system());
    let children: Vec<_> = (0..count).map(|_| shared_child(&parent)).collect();
    let took = cpu_ns(count, || assert!(parent.cancel("over")));
    assert!(children.iter().all(Scope::is_cancelled));
    took
}

pub fn cancel_1k() -> f64 {
    cancel(1_000)
}

pub fn cancel_100k() -> f64 {
    cancel(100_000)
}

fn cancel_waited(count: usize) -> f64 {
    let parent = Scope::new(Time::system());
    let waits = (0..count).map(|_| parent.child().cancelled());
    told(waits, |count| cpu_ns(count, || assert!(parent.cancel("over"))))
}

pub fn cancel_1k_waited() -> f64 {
    cancel_waited(1_000)
}

pub fn cancel_100k_waited() -> f64 {
    cancel_waited(100_000)
}

pub fn run_ready() -> f64 {
    let scope = Scope::new(Time::system());
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            let run = pin!(scope.run(ready(black_box(1))));
            assert!(poll_once(run).is_ready());
        }
    })
}

pub fn run_pending() -> f64 {
    let scope = Scope::new(Time::system());
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            let run = pin!(scope.run(pending::<()>()));
            assert!(poll_once(run).is_pending());
        }
    })
}

pub fn timeout_ready() -> f64 {
    standing(|_| {
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                let timeout = pin!(fail_after(AHEAD, ready(black_box(1))));
                assert!(poll_once(timeout).is_ready());
            }
        })
    })
}

pub fn timeout_ready_in_scope() -> f64 {
    standing(|time| {
        let scope = Scope::new(time.clone());
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                let timeout = pin!(scope.fail_after(AHEAD, async |_| ready(black_box(1)).await));
                assert!(poll_once(timeout).is_ready());
            }
        })
    })
}

pub fn timeout_pending() -> f64 {
    standing(|_| {
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                let timeout = pin!(fail_after(AHEAD, pending::<()>()));
                assert!(poll_once(timeout).is_pending());
            }
        })
    })
}

pub fn timeout_pending_in_scope() -> f64 {
    standing(|time| {
        let scope = Scope::new(time.clone());
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                let timeout = pin!(scope.fail_after(AHEAD, async |_| pending::<()>().await));
                assert!(poll_once(timeout).is_pending());
            }
        })
    })
}

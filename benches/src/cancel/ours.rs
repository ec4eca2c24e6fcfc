//! wakeful: `Scope` and its children, with the clock of the operating system.

use std::hint::black_box;

use wakeful::cancel::Scope;
use wakeful::time::Time;

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::two_threads_ns;

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

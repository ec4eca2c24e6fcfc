//! tokio-util: `CancellationToken` and its child tokens.

use std::hint::black_box;

use ::tokio_util::sync::CancellationToken;

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::two_threads_ns;

pub fn child_create_drop() -> f64 {
    let parent = CancellationToken::new();
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            drop(black_box(parent.child_token()));
        }
    })
}

pub fn child_create_drop_two_threads() -> f64 {
    let parent = CancellationToken::new();
    two_threads_ns(OPERATIONS, || drop(black_box(parent.child_token())))
}

//! tokio-util: `CancellationToken` and its child tokens.

use std::future::{pending, ready};
use std::hint::black_box;
use std::pin::pin;

use ::tokio_util::sync::CancellationToken;

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::{poll_once, told, two_threads_ns};

pub fn is_cancelled() -> f64 {
    let child = CancellationToken::new().child_token();
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            assert!(!black_box(&child).is_cancelled());
        }
    })
}

pub fn is_cancelled_two_threads() -> f64 {
    let child = CancellationToken::new().child_token();
    two_threads_ns(OPERATIONS, || assert!(!black_box(&child).is_cancelled()))
}

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

fn cancel(count: usize) -> f64 {
    let parent = CancellationToken::new();
    let children: Vec<_> = (0..count).map(|_| parent.child_token()).collect();
    let took = cpu_ns(count, || parent.cancel());
    assert!(children.iter().all(CancellationToken::is_cancelled));
    took
}

pub fn cancel_1k() -> f64 {
    cancel(1_000)
}

pub fn cancel_100k() -> f64 {
    cancel(100_000)
}

fn cancel_waited(count: usize) -> f64 {
    let parent = CancellationToken::new();
    let waits = (0..count).map(|_| parent.child_token().cancelled_owned());
    told(waits, |count| cpu_ns(count, || parent.cancel()))
}

pub fn cancel_1k_waited() -> f64 {
    cancel_waited(1_000)
}

pub fn cancel_100k_waited() -> f64 {
    cancel_waited(100_000)
}

pub fn run_ready() -> f64 {
    let token = CancellationToken::new();
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            let run = pin!(token.run_until_cancelled(ready(black_box(1))));
            assert!(poll_once(run).is_ready());
        }
    })
}

pub fn run_pending() -> f64 {
    let token = CancellationToken::new();
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            let run = pin!(token.run_until_cancelled(pending::<()>()));
            assert!(poll_once(run).is_pending());
        }
    })
}

//! tokio: `timeout`, on a current-thread runtime.

use std::future::{pending, ready};
use std::hint::black_box;
use std::pin::pin;

use ::tokio::time::timeout;

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::poll_once;
use crate::time::AHEAD;
use crate::time::tokio::in_runtime;

pub fn timeout_ready() -> f64 {
    in_runtime(async {
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                let timeout = pin!(timeout(AHEAD, ready(black_box(1))));
                assert!(poll_once(timeout).is_ready());
            }
        })
    })
}

pub fn timeout_pending() -> f64 {
    in_runtime(async {
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                let timeout = pin!(timeout(AHEAD, pending::<()>()));
                assert!(poll_once(timeout).is_pending());
            }
        })
    })
}

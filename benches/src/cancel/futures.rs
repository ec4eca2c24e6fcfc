//! futures: `select` between the future and a token's `cancelled`.

use std::future::{pending, ready};
use std::hint::black_box;
use std::pin::pin;

use ::tokio_util::sync::CancellationToken;
use futures_util::future::select;

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::poll_once;

pub fn select_ready() -> f64 {
    let token = CancellationToken::new();
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            let cancelled = pin!(token.cancelled());
            let select = pin!(select(ready(black_box(1)), cancelled));
            assert!(poll_once(select).is_ready());
        }
    })
}

pub fn select_pending() -> f64 {
    let token = CancellationToken::new();
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            let cancelled = pin!(token.cancelled());
            let select = pin!(select(pending::<()>(), cancelled));
            assert!(poll_once(select).is_pending());
        }
    })
}

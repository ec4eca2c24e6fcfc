//! backon, by itself and without a timer: none is needed.

use std::future::ready;
use std::hint::black_box;
use std::pin::pin;
use std::task::Poll;

use backon::{ExponentialBuilder, Retryable};

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::poll_once;

pub fn retry_succeeds() -> f64 {
    let schedule = ExponentialBuilder::default();
    cpu_ns(OPERATIONS, || {
        for n in 0..OPERATIONS {
            let retry = (|| ready(Ok::<_, ()>(black_box(n)))).retry(black_box(schedule));
            let run = pin!(retry.sleep(|_| ready(())));
            assert!(matches!(poll_once(run), Poll::Ready(Ok(got)) if got == n));
        }
    })
}

//! recloser: its breaker around futures.

use std::hint::black_box;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use recloser::{AsyncRecloser, Error, Recloser};

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::{poll_once, two_threads_ns};

fn breaker(closed_len: usize) -> AsyncRecloser {
    let long = Duration::from_secs(1_000);
    AsyncRecloser::from(Recloser::custom().error_rate(0.5).closed_len(closed_len).open_wait(long).build())
}

fn call(breaker: &AsyncRecloser) {
    let call = pin!(breaker.call(async { Ok::<_, ()>(black_box(1)) }));
    assert!(matches!(poll_once(call), Poll::Ready(Ok(1))));
}

pub fn closed() -> f64 {
    let breaker = breaker(100);
    cpu_ns(OPERATIONS, || (0..OPERATIONS).for_each(|_| call(&breaker)))
}

pub fn closed_two_threads() -> f64 {
    let breaker = breaker(100);
    two_threads_ns(OPERATIONS, || call(&breaker))
}

pub fn open() -> f64 {
    let breaker = breaker(1);
    for _ in 0..2 {
        let failed = poll_once(pin!(breaker.call(async { Err::<(), _>(()) })));
        assert!(matches!(failed, Poll::Ready(Err(Error::Inner(())))));
    }
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            let call = pin!(breaker.call(async { Ok::<_, ()>(black_box(1)) }));
            assert!(matches!(poll_once(call), Poll::Ready(Err(Error::Rejected))));
        }
    })
}

//! failsafe: its state machine around futures.

use std::hint::black_box;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use failsafe::futures::CircuitBreaker;
use failsafe::{Config, backoff, failure_policy};

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::{poll_once, two_threads_ns};

fn consecutive() -> impl CircuitBreaker + Sync {
    let policy = failure_policy::consecutive_failures(5, backoff::constant(Duration::from_secs(1_000)));
    Config::new().failure_policy(policy).build()
}

fn call(breaker: &impl CircuitBreaker) {
    let call = pin!(breaker.call(async { Ok::<_, ()>(black_box(1)) }));
    assert!(matches!(poll_once(call), Poll::Ready(Ok(1))));
}

fn calls(breaker: &impl CircuitBreaker) -> f64 {
    cpu_ns(OPERATIONS, || (0..OPERATIONS).for_each(|_| call(breaker)))
}

pub fn closed() -> f64 {
    calls(&consecutive())
}

pub fn closed_two_threads() -> f64 {
    let breaker = consecutive();
    two_threads_ns(OPERATIONS, || call(&breaker))
}

pub fn closed_time() -> f64 {
    let backoff = backoff::constant(Duration::from_secs(1_000));
    let policy = failure_policy::success_rate_over_time_window(0.5, 10, Duration::from_secs(10), backoff);
    calls(&Config::new().failure_policy(policy).build())
}

pub fn open() -> f64 {
    let breaker = consecutive();
    for _ in 0..5 {
        let failed = poll_once(pin!(breaker.call(async { Err::<(), _>(()) })));
        assert!(matches!(failed, Poll::Ready(Err(failsafe::Error::Inner(())))));
    }
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            let call = pin!(breaker.call(async { Ok::<_, ()>(black_box(1)) }));
            assert!(matches!(poll_once(call), Poll::Ready(Err(failsafe::Error::Rejected))));
        }
    })
}

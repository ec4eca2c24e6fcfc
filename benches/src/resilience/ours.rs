//! wakeful: `Retry` and `CircuitBreaker`, with the clock of the operating system.

use std::future::ready;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use wakeful::cancel::Scope;
use wakeful::resilience::{BreakerConfig, CircuitBreaker, Exponential, Retry, Schedule};
use wakeful::time::Time;

use super::OPERATIONS;
use crate::harness::cpu_ns;
use crate::support::{poll_once, two_threads_ns};

pub fn retry_succeeds() -> f64 {
    let scope = Scope::new(Time::system());
    let retry = Retry::new(Exponential::new(Duration::from_millis(100)).up_to(3));
    cpu_ns(OPERATIONS, || {
        for n in 0..OPERATIONS {
            let run = pin!(retry.run(&scope, |_| ready(Ok::<_, ()>(black_box(n)))));
            assert!(matches!(poll_once(run), Poll::Ready(Ok(got)) if got == n));
        }
    })
}

fn breaker(config: BreakerConfig) -> CircuitBreaker {
    CircuitBreaker::new(&Time::system(), config).expect("it is valid")
}

fn hundred() -> CircuitBreaker {
    breaker(BreakerConfig::calls(NonZeroU32::new(100).expect("not zero")))
}

fn call(breaker: &CircuitBreaker) {
    let call = pin!(breaker.call(async || Ok::<_, ()>(black_box(1))));
    assert!(matches!(poll_once(call), Poll::Ready(Ok(1))));
}

fn calls(breaker: &CircuitBreaker) -> f64 {
    cpu_ns(OPERATIONS, || (0..OPERATIONS).for_each(|_| call(breaker)))
}

pub fn closed() -> f64 {
    calls(&hundred())
}

pub fn closed_two_threads() -> f64 {
    let breaker = hundred();
    two_threads_ns(OPERATIONS, || call(&breaker))
}

pub fn closed_time() -> f64 {
    calls(&breaker(BreakerConfig::time(Duration::from_secs(10))))
}

pub fn open() -> f64 {
    let breaker = breaker(BreakerConfig::consecutive(NonZeroU32::MIN).open_for(Duration::from_secs(1_000)));
    breaker.trip();
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            let call = pin!(breaker.call(async || Ok::<_, ()>(black_box(1))));
            assert!(matches!(poll_once(call), Poll::Ready(Err(_))));
        }
    })
}

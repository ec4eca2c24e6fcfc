//! Limiters that nobody else asks at that moment.

use crate::TIMES;
use crate::time::still;
use std::future::Future;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use wakeful::limit::{Limiter, Quota};
use wakeful::time::ManualClock;

/// More than is ever asked for here.
fn plenty() -> Limiter {
    Limiter::new(&still(), Quota::per_second(NonZeroU32::MIN).burst(NonZeroU32::new(1_000_000).unwrap()))
}

/// One that has nothing, by a rate of so many permits a second.
fn nothing(rate: u32) -> Limiter {
    let limiter = Limiter::new(&still(), Quota::per_second(NonZeroU32::new(rate).unwrap()));
    limiter.try_acquire(1).unwrap();
    limiter
}

fn refused(limiter: &Limiter) {
    for _ in 0..TIMES {
        black_box(limiter.try_acquire(black_box(1)).unwrap_err());
    }
}

/// A permit is taken without waiting, by a clock whose reading costs nothing.
#[inline(never)]
pub fn allowed() {
    let limiter = plenty();
    for _ in 0..TIMES {
        limiter.try_acquire(black_box(1)).unwrap();
    }
}

/// There is none, and the instant of the next is a whole number of nanoseconds anyway.
#[inline(never)]
pub fn denied() {
    refused(&nothing(1));
}

/// There is none, and the instant of the next takes a division.
#[inline(never)]
pub fn denied_fraction() {
    refused(&nothing(333));
}

/// A permit is acquired by a future that is ready at its first poll.
#[inline(never)]
pub fn acquire_ready() {
    let limiter = plenty();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        assert!(pin!(limiter.acquire(black_box(1))).poll(&mut cx).is_ready());
    }
}

/// A permit is reserved, and given back.
#[inline(never)]
pub fn reserve_pair() {
    let limiter = plenty();
    for _ in 0..TIMES {
        drop(black_box(limiter.try_reserve(black_box(1)).unwrap()));
    }
}

/// One waits, its turn comes, the timer rings, and it goes on.
#[inline(never)]
pub fn wait_cycle() {
    let clock = ManualClock::new();
    let period = Duration::from_micros(1);
    let limiter = Limiter::new(&clock.time(), Quota::new(NonZeroU32::MIN, period).unwrap());
    limiter.try_acquire(1).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        let mut acquire = pin!(limiter.acquire(1));
        assert!(acquire.as_mut().poll(&mut cx).is_pending());
        clock.advance(period);
        assert!(acquire.poll(&mut cx).is_ready());
    }
}

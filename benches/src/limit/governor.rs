//! governor: `RateLimiter`, by the clock of the standard library, and by that of quanta, its default.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ::governor::clock::{Clock, FakeRelativeClock, MonotonicClock, QuantaClock};
use ::governor::middleware::NoOpMiddleware;
use ::governor::state::{InMemoryState, NotKeyed};
use ::governor::{Quota, RateLimiter};

pub mod keyed;

use super::workloads::{self, Executor, Served};
use super::{BURST, PER_SECOND, SLOW, STOCK};

type Limiter<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not zero")
}

/// So much that it is never used up.
fn plenty<C: Clock>(clock: C) -> Limiter<C> {
    RateLimiter::direct_with_clock(Quota::per_second(nz(1_000_000_000)).allow_burst(NonZeroU32::MAX), clock)
}

/// Nothing for an hour.
fn nothing<C: Clock>(clock: C) -> Limiter<C> {
    let limiter = RateLimiter::direct_with_clock(Quota::per_hour(NonZeroU32::MIN), clock);
    assert!(limiter.check().is_ok(), "the first one");
    limiter
}

pub fn allowed() -> f64 {
    let limiter = plenty(MonotonicClock);
    workloads::allowed(|| limiter.check().is_ok())
}

pub fn allowed_counter() -> f64 {
    let limiter = plenty(QuantaClock::default());
    workloads::allowed(|| limiter.check().is_ok())
}

pub fn denied() -> f64 {
    let limiter = nothing(MonotonicClock);
    workloads::denied(|| limiter.check().is_ok())
}

pub fn denied_counter() -> f64 {
    let limiter = nothing(QuantaClock::default());
    workloads::denied(|| limiter.check().is_ok())
}

pub fn two_threads() -> f64 {
    let limiter = plenty(MonotonicClock);
    workloads::two_threads(|| limiter.check().is_ok())
}

pub fn two_threads_counter() -> f64 {
    let limiter = plenty(QuantaClock::default());
    workloads::two_threads(|| limiter.check().is_ok())
}

fn rate_error(rate: u32, step: u64, permits: u64) -> f64 {
    let clock = FakeRelativeClock::default();
    let limiter = RateLimiter::direct_with_clock(Quota::per_second(nz(rate)).allow_burst(nz(STOCK)), clock.clone());
    workloads::rate_error(rate.into(), step, permits, |nanos| {
        if nanos > 0 {
            clock.advance(Duration::from_nanos(step));
        }
        limiter.check().is_ok()
    })
}

pub fn rate_error_1() -> f64 {
    rate_error(1, 1_900, 19)
}

pub fn rate_error_700m() -> f64 {
    rate_error(700_000_000, 1, 7_000_000)
}

pub fn rate_error_1g() -> f64 {
    rate_error(1_000_000_000, 1, 10_000_000)
}

fn queue(drop_half: bool) -> Served {
    let set_up = || {
        let limiter = Arc::new(RateLimiter::direct(Quota::per_second(nz(PER_SECOND)).allow_burst(NonZeroU32::MIN)));
        assert!(limiter.check().is_ok(), "the first one");
        move || {
            let limiter = limiter.clone();
            async move { limiter.until_ready().await }
        }
    };
    workloads::queue(set_up, drop_half)
}

pub fn queue_time() -> f64 {
    queue(false).time
}

pub fn queue_polls() -> f64 {
    queue(false).polls
}

pub fn queue_disorder() -> f64 {
    queue(false).disorder
}

pub fn queue_half_time() -> f64 {
    queue(true).time
}

pub fn after_idling() -> f64 {
    workloads::after_idling(|| {
        let limiter = Arc::new(RateLimiter::direct(Quota::per_second(nz(SLOW)).allow_burst(nz(BURST))));
        move || {
            let limiter = limiter.clone();
            async move { limiter.until_ready().await }
        }
    })
}

fn granted(executor: Executor, loops: usize, rate: u32) -> f64 {
    workloads::loops(executor, loops, rate, |rate| {
        let limiter = Arc::new(RateLimiter::direct(Quota::per_second(nz(rate)).allow_burst(NonZeroU32::MIN)));
        move || {
            let limiter = limiter.clone();
            async move { limiter.until_ready().await }
        }
    })
}

pub fn granted_1000_tokio() -> f64 {
    granted(Executor::Tokio, 1, 1_000)
}

pub fn granted_50000_tokio() -> f64 {
    granted(Executor::Tokio, 1, 50_000)
}

pub fn granted_100_loops_tokio() -> f64 {
    granted(Executor::Tokio, 100, 5_000)
}

pub fn granted_1000_smol() -> f64 {
    granted(Executor::Smol, 1, 1_000)
}

pub fn granted_50000_smol() -> f64 {
    granted(Executor::Smol, 1, 50_000)
}

pub fn granted_100_loops_smol() -> f64 {
    granted(Executor::Smol, 100, 5_000)
}

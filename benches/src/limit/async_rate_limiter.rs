//! async-rate-limiter: `RateLimiter`, by the clock of the standard library and the timers of tokio.

use ::async_rate_limiter::RateLimiter;

use super::workloads::{self, Executor, Served};
use super::{BURST, PER_SECOND, SLOW};

/// So much that it is never used up.
fn plenty() -> RateLimiter {
    RateLimiter::new(1_000_000_000)
}

pub fn allowed() -> f64 {
    let limiter = plenty();
    workloads::allowed(|| limiter.try_acquire().is_ok())
}

pub fn two_threads() -> f64 {
    let limiter = plenty();
    workloads::two_threads(|| limiter.try_acquire().is_ok())
}

fn per_second(rate: u32, burst: u32) -> RateLimiter {
    let limiter = RateLimiter::new(rate as usize);
    limiter.burst(burst as usize);
    limiter
}

fn queue(drop_half: bool) -> Served {
    let set_up = || {
        let limiter = per_second(PER_SECOND, 1);
        assert!(limiter.try_acquire().is_ok(), "the first one");
        move || {
            let limiter = limiter.clone();
            async move { limiter.acquire().await }
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
        let limiter = per_second(SLOW, BURST);
        move || {
            let limiter = limiter.clone();
            async move { limiter.acquire().await }
        }
    })
}

fn granted(loops: usize, rate: u32) -> f64 {
    workloads::loops(Executor::Tokio, loops, rate, |rate| {
        let limiter = per_second(rate, 1);
        move || {
            let limiter = limiter.clone();
            async move { limiter.acquire().await }
        }
    })
}

pub fn granted_1000() -> f64 {
    granted(1, 1_000)
}

pub fn granted_50000() -> f64 {
    granted(1, 50_000)
}

pub fn granted_100_loops() -> f64 {
    granted(100, 5_000)
}

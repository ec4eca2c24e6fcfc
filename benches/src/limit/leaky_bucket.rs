//! leaky-bucket: `RateLimiter`, by the clock of tokio, refilled each millisecond, the shortest interval that it has.

use std::sync::Arc;
use std::time::Duration;

use ::leaky_bucket::RateLimiter;

use super::workloads::{self, Executor, Served};
use super::{BURST, PER_SECOND, SLOW};

/// So many that they are never used up.
const PLENTY: usize = usize::MAX >> 2;

fn plenty() -> RateLimiter {
    RateLimiter::builder().max(PLENTY).initial(PLENTY).build()
}

pub fn allowed() -> f64 {
    let limiter = plenty();
    workloads::allowed(|| limiter.try_acquire(1))
}

pub fn denied() -> f64 {
    let limiter = RateLimiter::builder().interval(Duration::from_secs(3_600)).build();
    workloads::denied(|| limiter.try_acquire(1))
}

pub fn two_threads() -> f64 {
    let limiter = plenty();
    workloads::two_threads(|| limiter.try_acquire(1))
}

/// `rate` a second, that is some each millisecond, of which none are left over.
fn per_second(rate: u32) -> Arc<RateLimiter> {
    let each = rate as usize / 1_000;
    Arc::new(RateLimiter::builder().interval(Duration::from_millis(1)).refill(each).max(each).build())
}

fn queue(drop_half: bool) -> Served {
    let set_up = || {
        let limiter = per_second(PER_SECOND);
        move || limiter.clone().acquire_owned(1)
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

fn idling(fair: bool) -> f64 {
    workloads::after_idling(|| {
        let mut builder = RateLimiter::builder();
        builder.interval(Duration::from_secs(1) / SLOW).max(BURST as usize).initial(BURST as usize).fair(fair);
        let limiter = Arc::new(builder.build());
        move || limiter.clone().acquire_owned(1)
    })
}

pub fn after_idling() -> f64 {
    idling(true)
}

pub fn unfair_after_idling() -> f64 {
    idling(false)
}

fn granted(loops: usize, rate: u32) -> f64 {
    workloads::loops(Executor::Tokio, loops, rate, |rate| {
        let limiter = per_second(rate);
        move || limiter.clone().acquire_owned(1)
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

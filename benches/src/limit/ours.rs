//! wakeful: `Limiter`, by the clock of the operating system, and by the counter of the processor.

use std::num::NonZeroU32;

use wakeful::limit::{KeyedLimiter, Limiter, Quota};
use wakeful::time::{CounterClock, Instant, ManualClock, SystemClock, Time};

use super::workloads::{self, Executor, Served};
use super::{BURST, PER_SECOND, SLOW, STOCK};

fn nz(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not zero")
}

/// So much that it is never used up.
fn plenty(time: &Time) -> Limiter {
    Limiter::new(time, Quota::per_second(nz(1_000_000_000)).burst(NonZeroU32::MAX))
}

/// Nothing for an hour.
fn nothing(time: &Time) -> Limiter {
    let limiter = Limiter::new(time, Quota::per_hour(NonZeroU32::MIN));
    limiter.try_acquire(1).expect("the first one");
    limiter
}

pub fn allowed() -> f64 {
    allowed_by(&Time::system())
}

pub fn allowed_counter() -> f64 {
    allowed_by(&CounterClock::start(SystemClock::SLACK))
}

fn allowed_by(time: &Time) -> f64 {
    let limiter = plenty(time);
    workloads::allowed(|| limiter.try_acquire(1).is_ok())
}

pub fn denied() -> f64 {
    denied_by(&Time::system())
}

pub fn denied_counter() -> f64 {
    denied_by(&CounterClock::start(SystemClock::SLACK))
}

fn denied_by(time: &Time) -> f64 {
    let limiter = nothing(time);
    workloads::denied(|| limiter.try_acquire(1).is_ok())
}

pub fn two_threads() -> f64 {
    two_threads_by(&Time::system())
}

pub fn two_threads_counter() -> f64 {
    two_threads_by(&CounterClock::start(SystemClock::SLACK))
}

fn two_threads_by(time: &Time) -> f64 {
    let limiter = plenty(time);
    workloads::two_threads(|| limiter.try_acquire(1).is_ok())
}

/// So much for each key that it is never used up.
fn plenty_each() -> KeyedLimiter<u64> {
    let quota = Quota::per_second(nz(1)).burst(nz(100_000_000));
    KeyedLimiter::new(&CounterClock::start(SystemClock::SLACK), quota)
}

fn keyed(keys: u64) -> f64 {
    let limiter = plenty_each();
    workloads::keyed(keys, |key| limiter.try_acquire(&key, 1).is_ok())
}

pub fn keyed_1() -> f64 {
    keyed(1)
}

pub fn keyed_1k() -> f64 {
    keyed(1_000)
}

pub fn keyed_1m() -> f64 {
    keyed(1_000_000)
}

pub fn keyed_bytes() -> f64 {
    workloads::keyed_bytes(plenty_each, |limiter, key| limiter.try_acquire(&key, 1_000_000).is_ok())
}

fn rate_error(rate: u32, step: u64, permits: u64) -> f64 {
    let limiter = Limiter::new(&ManualClock::new().time(), Quota::per_second(nz(rate)).burst(nz(STOCK)));
    let attempt = |nanos| limiter.try_acquire_at(Instant::from_nanos(nanos), 1).is_ok();
    workloads::rate_error(rate.into(), step, permits, attempt)
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
        let limiter = Limiter::new(&Time::system(), Quota::per_second(nz(PER_SECOND)));
        limiter.try_acquire(1).expect("the first one");
        move || {
            let limiter = limiter.clone();
            async move { limiter.acquire(1).await.expect("a permit") }
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
        let limiter = Limiter::new(&Time::system(), Quota::per_second(nz(SLOW)).burst(nz(BURST)));
        move || {
            let limiter = limiter.clone();
            async move { limiter.acquire(1).await.expect("a permit") }
        }
    })
}

fn granted(executor: Executor, loops: usize, rate: u32) -> f64 {
    workloads::loops(executor, loops, rate, |rate| {
        let limiter = Limiter::new(&Time::system(), Quota::per_second(nz(rate)));
        move || {
            let limiter = limiter.clone();
            async move { limiter.acquire(1).await.expect("a permit") }
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

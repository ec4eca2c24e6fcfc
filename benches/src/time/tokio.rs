//! tokio: a current-thread runtime, the workload outside the cooperative budget, which would stop it half-way.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use ::tokio::runtime::Builder;
use ::tokio::task::{unconstrained, yield_now};
use ::tokio::time::{Instant, sleep, sleep_until};

use super::{AHEAD, OPERATIONS, STANDING};
use crate::harness::cpu_ns;
use crate::support::{bytes_each, poll_once, register_and_fire};

pub fn in_runtime<F: Future>(workload: F) -> F::Output {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let mut standing = pin!(sleep(STANDING));
        assert!(poll_once(standing.as_mut()).is_pending());
        // The driver parks and learns of the standing sleep.
        for _ in 0..3 {
            yield_now().await;
        }
        unconstrained(workload).await
    })
}

pub fn create_drop() -> f64 {
    in_runtime(async {
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                let sleep = pin!(sleep(AHEAD));
                assert!(poll_once(sleep).is_pending());
            }
        })
    })
}

pub fn reset_later() -> f64 {
    in_runtime(async {
        let mut at = Instant::now() + AHEAD;
        let mut sleep = pin!(sleep_until(at));
        assert!(poll_once(sleep.as_mut()).is_pending());
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                at += Duration::from_micros(10);
                sleep.as_mut().reset(at);
            }
        })
    })
}

pub fn reset_random() -> f64 {
    in_runtime(async {
        let start = Instant::now();
        let deadlines: Vec<Instant> = super::random_deadlines().into_iter().map(|after| start + after).collect();
        let mut sleep = pin!(sleep_until(deadlines[0]));
        assert!(poll_once(sleep.as_mut()).is_pending());
        cpu_ns(OPERATIONS, || {
            for turn in 0..OPERATIONS {
                sleep.as_mut().reset(deadlines[turn % deadlines.len()]);
            }
        })
    })
}

fn fire(count: usize) -> f64 {
    let deadlines = super::deadlines(count);
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    cpu_ns(count, || {
        runtime.block_on(unconstrained(async {
            let start = Instant::now();
            register_and_fire(deadlines.iter().map(|after| sleep_until(start + *after))).await;
        }));
    })
}

pub fn fire_100k() -> f64 {
    fire(100_000)
}

pub fn fire_1m() -> f64 {
    fire(1_000_000)
}

pub fn memory() -> f64 {
    in_runtime(async { bytes_each(|| sleep(AHEAD)) })
}

pub fn lateness() -> f64 {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let mut lateness = Vec::new();
        for nap in super::naps() {
            let at = Instant::now() + nap;
            sleep_until(at).await;
            lateness.push(at.elapsed().as_nanos() as f64 / 1e3);
        }
        super::median_us(lateness)
    })
}

//! tokio: a `Semaphore` that a task refills each millisecond by what is due since the last time, what many write by hand.

use std::sync::Arc;
use std::time::Duration;

use ::tokio::sync::Semaphore;
use ::tokio::time::{Instant, MissedTickBehavior, interval};

use super::PER_SECOND;
use super::workloads::{self, Executor, Served};

/// An empty one; the task that refills it ends with its runtime.
fn per_second(rate: u32) -> Arc<Semaphore> {
    let semaphore = Arc::new(Semaphore::new(0));
    let refilled = semaphore.clone();
    ::tokio::spawn(async move {
        let (start, mut added) = (Instant::now(), 0);
        let mut ticks = interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let due = (start.elapsed().as_secs_f64() * f64::from(rate)) as usize;
            refilled.add_permits(due - added);
            added = due;
        }
    });
    semaphore
}

fn queue(drop_half: bool) -> Served {
    let set_up = || {
        let semaphore = per_second(PER_SECOND);
        move || {
            let semaphore = semaphore.clone();
            async move { semaphore.acquire().await.expect("never closed").forget() }
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

fn granted(loops: usize, rate: u32) -> f64 {
    workloads::loops(Executor::Tokio, loops, rate, |rate| {
        let semaphore = per_second(rate);
        move || {
            let semaphore = semaphore.clone();
            async move { semaphore.acquire().await.expect("never closed").forget() }
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

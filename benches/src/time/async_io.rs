//! async-io: its `Timer`, which its own thread or its own `block_on` drives.

use std::pin::pin;
use std::time::{Duration, Instant};

use ::async_io::{Timer, block_on};

use super::{AHEAD, OPERATIONS, STANDING};
use crate::harness::cpu_ns;
use crate::support::{bytes_each, poll_once, register_and_fire};

fn standing<T>(workload: impl FnOnce() -> T) -> T {
    let mut standing = pin!(Timer::after(STANDING));
    assert!(poll_once(standing.as_mut()).is_pending());
    workload()
}

pub fn create_drop() -> f64 {
    standing(|| {
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                let sleep = pin!(Timer::after(AHEAD));
                assert!(poll_once(sleep).is_pending());
            }
        })
    })
}

pub fn reset_later() -> f64 {
    standing(|| {
        let mut at = Instant::now() + AHEAD;
        let mut sleep = pin!(Timer::at(at));
        assert!(poll_once(sleep.as_mut()).is_pending());
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                at += Duration::from_micros(10);
                sleep.set_at(at);
            }
        })
    })
}

pub fn reset_random() -> f64 {
    standing(|| {
        let start = Instant::now();
        let deadlines: Vec<Instant> = super::random_deadlines().into_iter().map(|after| start + after).collect();
        let mut sleep = pin!(Timer::at(deadlines[0]));
        assert!(poll_once(sleep.as_mut()).is_pending());
        cpu_ns(OPERATIONS, || {
            for turn in 0..OPERATIONS {
                sleep.set_at(deadlines[turn % deadlines.len()]);
            }
        })
    })
}

fn fire(count: usize) -> f64 {
    let deadlines = super::deadlines(count);
    cpu_ns(count, || {
        block_on(async {
            let start = Instant::now();
            register_and_fire(deadlines.iter().map(|after| Timer::at(start + *after))).await;
        });
    })
}

pub fn fire_100k() -> f64 {
    fire(100_000)
}

pub fn fire_1m() -> f64 {
    fire(1_000_000)
}

pub fn memory() -> f64 {
    standing(|| bytes_each(|| Timer::after(AHEAD)))
}

pub fn lateness() -> f64 {
    block_on(async {
        let mut lateness = Vec::new();
        for nap in super::naps() {
            let at = Instant::now() + nap;
            Timer::at(at).await;
            lateness.push(at.elapsed().as_nanos() as f64 / 1e3);
        }
        super::median_us(lateness)
    })
}

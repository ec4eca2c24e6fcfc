//! wakeful: the clock of the operating system, whose alarm is a thread of its own.

use std::hint::black_box;
use std::pin::pin;
use std::time::Duration;

use wakeful::spawn::block_on;
use wakeful::time::{CounterClock, Instant, SystemClock, Time};

use super::{AHEAD, OPERATIONS, STANDING};
use crate::harness::cpu_ns;
use crate::support::{bytes_each, poll_once, register_and_fire};

/// What a reading of this clock costs.
fn reading(time: &Time) -> f64 {
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            black_box(time.now());
        }
    })
}

pub fn now() -> f64 {
    reading(&Time::system())
}

pub fn now_counter() -> f64 {
    reading(&CounterClock::start(SystemClock::SLACK))
}

pub fn counter_drift() -> f64 {
    let time = CounterClock::start(SystemClock::SLACK);
    let start = time.now();
    super::drift(|| time.now() - start)
}

pub fn standing<T>(workload: impl FnOnce(&Time) -> T) -> T {
    let time = Time::system();
    let mut standing = pin!(time.sleep(STANDING));
    assert!(poll_once(standing.as_mut()).is_pending());
    workload(&time)
}

pub fn create_drop() -> f64 {
    standing(|time| {
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                let sleep = pin!(time.sleep(AHEAD));
                assert!(poll_once(sleep).is_pending());
            }
        })
    })
}

pub fn reset_later() -> f64 {
    standing(|time| {
        let mut at = time.now() + AHEAD;
        let mut sleep = pin!(time.sleep_until(at));
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
    standing(|time| {
        let start = time.now();
        let deadlines: Vec<Instant> = super::random_deadlines().into_iter().map(|after| start + after).collect();
        let mut sleep = pin!(time.sleep_until(deadlines[0]));
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
    let time = Time::system();
    cpu_ns(count, || {
        block_on(async {
            let start = time.now();
            register_and_fire(deadlines.iter().map(|after| time.sleep_until(start + *after))).await;
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
    standing(|time| bytes_each(|| time.sleep(AHEAD)))
}

pub fn lateness() -> f64 {
    median_lateness(&Time::system())
}

pub fn lateness_no_slack() -> f64 {
    median_lateness(&SystemClock::start(Duration::ZERO))
}

fn median_lateness(time: &Time) -> f64 {
    block_on(async {
        let mut lateness = Vec::new();
        for nap in super::naps() {
            let at = time.now() + nap;
            time.sleep_until(at).await;
            let woken = time.now();
            assert!(woken >= at, "woken early");
            lateness.push((woken - at).as_nanos() as f64 / 1e3);
        }
        super::median_us(lateness)
    })
}

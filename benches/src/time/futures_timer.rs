//! futures-timer: its `Delay`, which takes durations only and is driven by a thread of its own.

use std::pin::pin;

use ::futures_timer::Delay;

use super::{AHEAD, OPERATIONS, STANDING};
use crate::harness::cpu_ns;
use crate::support::{block_on, bytes_each, poll_once, register_and_fire};

fn standing<T>(workload: impl FnOnce() -> T) -> T {
    let mut standing = pin!(Delay::new(STANDING));
    assert!(poll_once(standing.as_mut()).is_pending());
    workload()
}

pub fn create_drop() -> f64 {
    standing(|| {
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                let sleep = pin!(Delay::new(AHEAD));
                assert!(poll_once(sleep).is_pending());
            }
        })
    })
}

pub fn reset_later() -> f64 {
    standing(|| {
        let mut sleep = pin!(Delay::new(AHEAD));
        assert!(poll_once(sleep.as_mut()).is_pending());
        cpu_ns(OPERATIONS, || {
            for _ in 0..OPERATIONS {
                sleep.reset(AHEAD);
            }
        })
    })
}

pub fn reset_random() -> f64 {
    standing(|| {
        let deadlines = super::random_deadlines();
        let mut sleep = pin!(Delay::new(deadlines[0]));
        assert!(poll_once(sleep.as_mut()).is_pending());
        cpu_ns(OPERATIONS, || {
            for turn in 0..OPERATIONS {
                sleep.reset(deadlines[turn % deadlines.len()]);
            }
        })
    })
}

pub fn fire_100k() -> f64 {
    let deadlines = super::deadlines(100_000);
    cpu_ns(deadlines.len(), || block_on(register_and_fire(deadlines.iter().map(|after| Delay::new(*after)))))
}

pub fn memory() -> f64 {
    standing(|| bytes_each(|| Delay::new(AHEAD)))
}

//! quanta: its `Clock`, by the same counter and calibration as our `CounterClock`.

use std::hint::black_box;

use ::quanta::Clock;

use super::OPERATIONS;
use crate::harness::cpu_ns;

pub fn now() -> f64 {
    let clock = Clock::new();
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            black_box(clock.now());
        }
    })
}

pub fn drift() -> f64 {
    let clock = Clock::new();
    let start = clock.now();
    super::drift(|| clock.now() - start)
}

//! The standard library: `Instant`, beside whose `elapsed` ours has to be read.

use std::hint::black_box;
use std::time::Instant;

use super::OPERATIONS;
use crate::harness::cpu_ns;

pub fn now() -> f64 {
    let epoch = Instant::now();
    cpu_ns(OPERATIONS, || {
        for _ in 0..OPERATIONS {
            black_box(epoch.elapsed());
        }
    })
}

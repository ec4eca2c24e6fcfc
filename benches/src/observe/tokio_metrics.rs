//! tokio-metrics, which needs no runtime for this.

use tokio_metrics::TaskMonitor;

use super::{OPERATIONS, Yields, drive};
use crate::harness::cpu_ns;

pub fn poll() -> f64 {
    let monitor = TaskMonitor::new();
    let watched = monitor.instrument(Yields(OPERATIONS));
    let ns = cpu_ns(OPERATIONS, || drive(watched));
    assert_eq!(monitor.cumulative().total_poll_count, OPERATIONS as u64 + 1);
    ns
}

pub fn task() -> f64 {
    let monitor = TaskMonitor::new();
    let ns = cpu_ns(OPERATIONS, || (0..OPERATIONS).for_each(|_| drive(monitor.instrument(Yields(0)))));
    assert_eq!(monitor.cumulative().dropped_count, OPERATIONS as u64);
    ns
}

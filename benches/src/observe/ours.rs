//! Ours.

use wakeful::observe::TaskMonitor;
use wakeful::time::Time;

use super::{OPERATIONS, Yields, drive};
use crate::harness::cpu_ns;

pub fn poll() -> f64 {
    let monitor = TaskMonitor::new(&Time::system(), "bench");
    let watched = monitor.watch(Yields(OPERATIONS));
    let ns = cpu_ns(OPERATIONS, || drive(watched));
    assert_eq!(monitor.timings().timing.polls, OPERATIONS as u64 + 1);
    ns
}

pub fn task() -> f64 {
    let monitor = TaskMonitor::new(&Time::system(), "bench");
    let ns = cpu_ns(OPERATIONS, || (0..OPERATIONS).for_each(|_| drive(monitor.watch(Yields(0)))));
    assert_eq!(monitor.timings().done, OPERATIONS as u64);
    ns
}

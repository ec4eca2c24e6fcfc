//! Looking on: where the time of tasks goes, and which of them holds up the others.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | know how long tasks are busy, idle, and kept waiting by their executor | [`TaskMonitor::watch`] |
//! | be told which poll is too long, and where its future was made | [`TaskMonitor::reporting`] |
//! | see which futures are there, in what state each is, and what it waits for | [`TaskMonitor::dump`] |
//! | know when an executor was held up, and for how long | [`StallMonitor`] |
//! | hand the numbers of queues, limits, groups, pools to an exporter | [`MetricSet`], [`Measure`] |
//! | know the median and the worst, not the mean alone | [`TaskMonitor::poll_times`], [`TaskMonitor::delays`] |
//! | know it of one future | [`Timed::timing`] |
//! | count durations of your own, in constant memory | [`Histogram`] |
//!
//! # What it promises
//!
//! - **O1** Each nanosecond of a future, from when it was given to its monitor to the end of its last poll, is in one of four
//!   places: start delay, busy, idle, scheduled. Together they are that time.
//! - **O2** Each future that was given to a monitor is live, done or dropped, and each of its polls is counted once, one that
//!   panics too.
//! - **O3** Looking on changes nothing: a wake-up goes to the task as it would without, at once, and outputs, panics and drops
//!   pass through.
//! - **O4** Without the feature nothing of this is compiled in, and waits are noted nowhere. With it, a future of the kit that has
//!   to wait reads one thread-local value, and what it waits at is larger by the place where it was made; nothing else is
//!   different for those that are not watched.
//! - **O5** No lock is held while foreign code runs: reports, wakers and drops.

mod dump;
mod histogram;
mod measured;
mod metrics;
mod monitor;
mod stall;
mod timed;
mod timing;

pub use dump::{Dump, TaskInfo, TaskState, WaitInfo};
pub use histogram::{Bucket, Histogram};
pub use metrics::{Measure, Metric, MetricSet, Sample, Snapshot, Value};
pub use monitor::{SlowPoll, TaskMonitor, Timings};
pub use stall::{Stall, StallMonitor, StallStats};
pub use timed::Timed;
pub use timing::Timing;

#[cfg(all(test, feature = "std", not(wakeful_loom)))]
mod dump_tests;
#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod metrics_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod stall_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

//! Looking on: where the time of tasks goes, and which of them holds up the others.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | know how long tasks are busy, idle, and kept waiting by their executor | [`TaskMonitor::watch`] |
//! | be told which poll is too long, and where its future was made | [`TaskMonitor::reporting`] |
//! | see which futures are there, and in what state each is | [`TaskMonitor::dump`] |
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
//! - **O4** No lock is held while foreign code runs: reports, wakers and drops.

mod dump;
mod histogram;
mod monitor;
mod timed;
mod timing;

pub use dump::{Dump, TaskInfo, TaskState};
pub use histogram::{Bucket, Histogram};
pub use monitor::{SlowPoll, TaskMonitor, Timings};
pub use timed::Timed;
pub use timing::Timing;

#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

//! The simulator: runs async code on one thread, in virtual time, under schedules that can be replayed.

mod builder;
mod exec;
mod handle;
mod join;
mod lull;
mod oracle;
mod ready;
mod replay;
mod report;
mod world;

pub use builder::{Builder, check, run};
pub use handle::{Sim, SimWall, Spawner};
pub use join::JoinHandle;
pub use lull::{Lull, YieldNow};
pub use oracle::{Bytes, Kind, Oracle, Random, Rng};
pub use replay::ReplayError;
pub use report::{Failure, FailureKind, Report, Summary, TaskInfo, TaskState, WaitInfo};

#[cfg(all(test, not(wakeful_loom)))]
mod tests;

//! The runtimes, one line each. The job knows none of them.

use super::job::Row;
use std::pin::Pin;

/// A row of the table on its way.
pub(crate) type Job = Pin<Box<dyn Future<Output = Row> + Send>>;

/// A way to run a future to its end.
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Job) -> Row,
}

/// Every runtime that the job is done on.
pub(crate) static ALL: [Runtime; 4] = [
    Runtime { name: "tokio-multi-thread", run: |job| tokio(tokio::runtime::Builder::new_multi_thread(), job) },
    Runtime { name: "tokio-current-thread", run: |job| tokio(tokio::runtime::Builder::new_current_thread(), job) },
    Runtime { name: "smol", run: |job| smol::block_on(smol::spawn(job)) },
    Runtime { name: "async-std", run: |job| async_std::task::block_on(async_std::task::spawn(job)) },
];

/// As a task of its own, so that it runs where the runtime runs tasks, not on the thread that waits. Neither tokio's timer
/// nor its I/O driver is switched on: the job brings its own time.
fn tokio(mut builder: tokio::runtime::Builder, job: Job) -> Row {
    let runtime = builder.build().expect("tokio starts");
    runtime.block_on(runtime.spawn(job)).expect("the job does not panic")
}

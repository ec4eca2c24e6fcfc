//! Cancelling: `wakeful::cancel` beside tokio-util's `CancellationToken`.
//!
//! - `child_create_drop`: create a child of one living parent and drop it, on one thread (CPU), and on two threads that
//!   share the parent (wall time of one operation on a thread).

mod ours;
mod tokio_util;

use crate::harness::{Bench, Row, Target};

/// Operations of one round, on each thread.
const OPERATIONS: usize = 50_000;

pub fn run(bench: &mut Bench) {
    bench.row(&Row {
        name: "cancel.child_create_drop",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(0.50),
        ours: ours::child_create_drop,
        rivals: &[("tokio-util", tokio_util::child_create_drop)],
    });
    bench.row(&Row {
        name: "cancel.child_create_drop_2_threads",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(0.50),
        ours: ours::child_create_drop_two_threads,
        rivals: &[("tokio-util", tokio_util::child_create_drop_two_threads)],
    });
}

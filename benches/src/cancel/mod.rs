//! Cancelling: `wakeful::cancel` beside tokio-util's `CancellationToken`, futures' `select` with one, and tokio's `timeout`.
//!
//! - `is_cancelled`: ask a child of a living parent, neither being cancelled, on one thread (CPU), and on two threads that ask the
//!   same one (wall time of one operation on a thread).
//! - `child_create_drop`: create a child of one living parent and drop it, on one thread, and on two that share the parent.
//! - `cancel_1k`, `cancel_100k`: cancel a parent of so many children; the cost for each. Nobody waits for them: they are
//!   asked. Ours are nodes of the tree, as they are when handles to them are shared.
//! - `cancel_1k_waited`, `cancel_100k_waited`: the same, somebody waiting for each child, with a waker that counts.
//! - `run_ready`: put what may be cancelled, by a token or scope that lives on, around a future that is ready, and poll it once.
//! - `run_pending`: the same around a future that never is; poll it once, drop it.
//! - `timeout_ready`: put a timeout of 60 s around a future that is ready, and poll it once. As in the group `time`, a
//!   sleep of 30 s stands.
//! - `timeout_pending`: put a timeout of 60 s around a future that never is, poll it once, drop it. Ours are the free
//!   functions, in no scope, which is what tokio's are.
//! - `timeout_ready_in_scope`, `timeout_pending_in_scope`: ours as methods of a scope, which may be cancelled too.

mod futures;
mod ours;
mod tokio;
mod tokio_util;

use crate::harness::{Bench, Row, Target};

/// Operations of one round, on each thread.
const OPERATIONS: usize = 50_000;

pub fn run(bench: &mut Bench) {
    let mut row = |name, target, rounds, ours, rivals: &[_]| {
        bench.row(&Row { name, unit: "ns", rounds, target: Target::Ratio(target), ours, rivals });
    };
    row("cancel.is_cancelled", 0.30, 31, ours::is_cancelled, &[("tokio-util", tokio_util::is_cancelled)]);
    row(
        "cancel.is_cancelled_2_threads",
        0.30,
        31,
        ours::is_cancelled_two_threads,
        &[("tokio-util", tokio_util::is_cancelled_two_threads)],
    );
    row(
        "cancel.child_create_drop",
        0.50,
        31,
        ours::child_create_drop,
        &[("tokio-util", tokio_util::child_create_drop)],
    );
    row(
        "cancel.child_create_drop_2_threads",
        0.50,
        31,
        ours::child_create_drop_two_threads,
        &[("tokio-util", tokio_util::child_create_drop_two_threads)],
    );
    row("cancel.cancel_1k", 0.80, 31, ours::cancel_1k, &[("tokio-util", tokio_util::cancel_1k)]);
    row("cancel.cancel_100k", 0.80, 9, ours::cancel_100k, &[("tokio-util", tokio_util::cancel_100k)]);
    row("cancel.cancel_1k_waited", 0.80, 31, ours::cancel_1k_waited, &[("tokio-util", tokio_util::cancel_1k_waited)]);
    row(
        "cancel.cancel_100k_waited",
        0.80,
        9,
        ours::cancel_100k_waited,
        &[("tokio-util", tokio_util::cancel_100k_waited)],
    );
    let rivals = [("tokio-util", tokio_util::run_ready as fn() -> f64), ("futures", futures::select_ready)];
    row("cancel.run_ready", 1.00, 31, ours::run_ready, &rivals);
    let rivals = [("tokio-util", tokio_util::run_pending as fn() -> f64), ("futures", futures::select_pending)];
    row("cancel.run_pending", 1.00, 31, ours::run_pending, &rivals);
    row("cancel.timeout_ready", 1.00, 31, ours::timeout_ready, &[("tokio", tokio::timeout_ready)]);
    row("cancel.timeout_ready_in_scope", 1.00, 31, ours::timeout_ready_in_scope, &[("tokio", tokio::timeout_ready)]);
    row("cancel.timeout_pending", 0.60, 31, ours::timeout_pending, &[("tokio", tokio::timeout_pending)]);
    row(
        "cancel.timeout_pending_in_scope",
        0.60,
        31,
        ours::timeout_pending_in_scope,
        &[("tokio", tokio::timeout_pending)],
    );
}

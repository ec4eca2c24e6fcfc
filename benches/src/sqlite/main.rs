//! Tasks in SQLite: `wakeful::docket` on its `SqliteStore`, beside the floor. `cargo bench --features sqlite --bench sqlite` runs the
//! rows, as the other benchmarks do.
//!
//! The floor is one bare transaction: a row is put into a table without an index, on a connection with the same settings. The
//! figure of ours is a task's, from being added to its end; how many transactions that takes is printed below each row, and a ratio
//! of as many is the least that it can be. All is on one thread, the store's calls are made in place, and figures are CPU time, but
//! for those on a disk.
//!
//! On a disk the flush is what costs, and the target is a third over three of them. In memory the floor is next to nothing, beside
//! some eight statements that each transition takes, over nine indexes; the targets there say what is held now.
//!
//! - `sqlite_memory`: a task is added, claimed and finished, one after the other, on a database in memory.
//! - `sqlite_file`: the same in a file, which is flushed to the disk with each transaction. Wall time.
//! - `sqlite_run`: two thousand tasks are added, and run by a worker.
//! - `sqlite_future`: a hundred thousand tasks are added, a thousand at a time, due over the next hundred milliseconds, and run as they
//!   fall due, on a clock that is set by hand to each millisecond.
//! - `sqlite_limits`: ten thousand tasks of as many users, at most one of a user at the same time.
//! - `sqlite_strikes`: as `sqlite_run`, where a thousand users are struck, none of whom has a task.

mod floor;
#[path = "../harness.rs"]
#[expect(dead_code, reason = "there are no rows of several threads")]
mod harness;
mod ours;

use harness::{Bench, Row, Target};

/// Tasks of one round, or transactions.
const TASKS: u64 = 2_000;
/// The same, where a disk is waited for.
const FLUSHED: u64 = 100;
/// Tasks that are due later, and how many are added at once.
const FUTURE: u64 = 100_000;
const BATCH: u64 = 1_000;
/// Users who have limits.
const USERS: u64 = 10_000;
/// Users who are struck.
const STRUCK: u64 = 1_000;

fn main() {
    let mut bench = Bench::from_arguments();
    bench.print_versions(&["rusqlite"]);
    let mut row = |name, rounds, target, ours, floor| {
        let rivals = &[("one transaction", floor)];
        bench.row(&Row { name, unit: "ns", rounds, target: Target::Ratio(target), ours, rivals });
        ours::print_transactions();
    };
    row("docket.sqlite_memory", 9, 25.00, ours::memory, floor::memory);
    row("docket.sqlite_file", 9, 4.00, ours::file, floor::file);
    row("docket.sqlite_run", 9, 25.00, ours::run, floor::memory);
    row("docket.sqlite_future", 3, 40.00, ours::future, floor::memory);
    row("docket.sqlite_limits", 3, 30.00, ours::limits, floor::memory);
    row("docket.sqlite_strikes", 9, 25.00, ours::strikes, floor::memory);
    bench.print_summary();
}

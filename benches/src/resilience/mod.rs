//! Calls that may fail: `wakeful::resilience` beside backon, failsafe and recloser.
//!
//! - `retry.succeeds`: retry, with a schedule that doubles, something that is ready and well at once, and poll it once.
//! - `breaker.closed`: call something that is ready and well through a closed breaker, and poll it once; on one thread (CPU), and
//!   on two that share the breaker (wall time of one operation on a thread). Ours takes the failure rate of the last hundred
//!   calls, and so does recloser; failsafe counts failures in a row, which is less, since its rates read the clock at each call.
//! - `breaker.closed_time`: the same with the rate over a window of ten seconds, beside failsafe's success rate over one.
//! - `breaker.open`: be refused by a breaker that is open.

mod backon;
mod failsafe;
mod ours;
mod recloser;

use crate::harness::{Bench, Row, Target};

/// Operations of one round, on each thread.
const OPERATIONS: usize = 50_000;

pub fn run(bench: &mut Bench) {
    let mut row = |name, target, ours, rivals: &[_]| {
        bench.row(&Row { name, unit: "ns", rounds: 31, target: Target::Ratio(target), ours, rivals });
    };
    row("retry.succeeds", 1.00, ours::retry_succeeds, &[("backon", backon::retry_succeeds)]);
    row("breaker.closed", 0.80, ours::closed, &[("failsafe", failsafe::closed), ("recloser", recloser::closed)]);
    row(
        "breaker.closed_2_threads",
        1.00,
        ours::closed_two_threads,
        &[("failsafe", failsafe::closed_two_threads), ("recloser", recloser::closed_two_threads)],
    );
    row("breaker.closed_time", 1.00, ours::closed_time, &[("failsafe", failsafe::closed_time)]);
    row("breaker.open", 1.00, ours::open, &[("failsafe", failsafe::open), ("recloser", recloser::open)]);
}

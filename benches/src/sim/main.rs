//! The simulator: `wakeful::sim` beside tokio's paused clock, madsim, shuttle and bach. `cargo bench --features sim --bench sim`
//! runs the rows, as the other benchmarks do.
//!
//! tokio has one order of polls, bach too unless tasks ask for another; the others choose each task at random. Ours always
//! keeps what a replay and a report need: the trace's hash, who waits for what, what was chosen.
//!
//! - `poll`: 32 tasks that each yield 2,000 times, in one run; the cost of one poll.
//! - `sleep`: 100 tasks that each sleep 200 times, for 1–100 ms in random order; the cost of one sleep, in which time moves.
//! - `schedule`: a root that joins three workers, each of which reads a counter, yields, yields and writes it, in one run
//!   after another, each in a world of its own; the cost of one run. Ours under the strategies and checks that tests have
//!   by default: one run in 16 is made twice. tokio also with one runtime for all runs.
//! - `memory`: bytes on the heap for each of 100,000 tasks that wait for a sleep. Ours keeps a task's name, where it was made,
//!   its place among the others, and what it waits for since when.
//!
//! shuttle has neither sleeps nor room for so many tasks. madsim needs `RUSTFLAGS="--cfg madsim"` for all crates; without it
//! the rows go without madsim.

mod bach;
#[path = "../harness.rs"]
#[expect(dead_code, reason = "the simulator has no rows of several threads")]
mod harness;
mod madsim;
mod ours;
mod shuttle;
mod tokio;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use harness::{Bench, Row, Target};
use wakeful::sim::Rng;

/// Tasks that yield.
const YIELDERS: usize = 32;
/// How often each does.
const YIELDS: usize = 2_000;
/// Tasks that sleep.
const SLEEPERS: usize = 100;
/// How often each does.
const SLEEPS: usize = 200;
/// Runs of the three workers in a round.
const SCHEDULES: usize = 2_000;
/// Tasks that are there at once.
const CROWD: usize = 100_000;
/// How long each of those sleeps.
const AHEAD: Duration = Duration::from_secs(3600);

/// How long each sleeper sleeps, one time after another.
fn naps() -> Vec<Vec<Duration>> {
    let mut rng = Rng::new(1);
    let mut nap = |_| Duration::from_micros(1_000 + rng.below(99_000) as u64);
    (0..SLEEPERS).map(|_| (0..SLEEPS).map(&mut nap).collect()).collect()
}

/// A read-yield-yield-write worker; `yield_now` is its runtime's.
async fn worker<Y: Future<Output = ()>>(count: Arc<AtomicUsize>, yield_now: impl Fn() -> Y) {
    let seen = count.load(Ordering::Relaxed);
    yield_now().await;
    yield_now().await;
    count.store(seen + 1, Ordering::Relaxed);
}

fn main() {
    let bench = &mut Bench::from_arguments();
    bench.print_versions(&["bach", "madsim", "shuttle", "tokio"]);
    if !cfg!(madsim) {
        println!("without madsim: that needs RUSTFLAGS=\"--cfg madsim\" for all crates");
    }
    bench.row(&Row {
        name: "sim.poll",
        unit: "ns",
        rounds: 15,
        target: Target::Ratio(1.20),
        ours: ours::poll,
        rivals: &[
            &[("tokio", tokio::poll as fn() -> f64), ("bach", bach::poll), ("shuttle", shuttle::poll)],
            madsim::POLL,
        ]
        .concat(),
    });
    bench.row(&Row {
        name: "sim.sleep",
        unit: "ns",
        rounds: 15,
        target: Target::Ratio(0.30),
        ours: ours::sleep,
        rivals: &[&[("tokio", tokio::sleep as fn() -> f64), ("bach", bach::sleep)], madsim::SLEEP].concat(),
    });
    bench.row(&Row {
        name: "sim.schedule",
        unit: "ns",
        rounds: 15,
        target: Target::AtMost(6_000.0),
        ours: ours::schedule,
        rivals: &[
            &[
                ("tokio", tokio::schedule as fn() -> f64),
                ("tokio, one runtime", tokio::schedule_reused),
                ("bach", bach::schedule),
                ("shuttle", shuttle::schedule),
            ],
            madsim::SCHEDULE,
        ]
        .concat(),
    });
    bench.row(&Row {
        name: "sim.memory",
        unit: " B",
        rounds: 3,
        target: Target::AtMost(768.0),
        ours: ours::memory,
        rivals: &[&[("tokio", tokio::memory as fn() -> f64), ("bach", bach::memory)], madsim::MEMORY].concat(),
    });
    bench.print_summary();
}

//! Timers: `wakeful::time` beside tokio's, async-io's and futures-timer's.
//!
//! One sleep of 30 s stands during every workload that measures CPU, as some timer does in a running program, so that
//! no contender has to wake its driver for each sleep of 60 s that the workload registers. Sleeps are polled with a
//! waker that does nothing, unless something else is said.
//!
//! - `create_drop`: create a sleep of 60 s, pin it on the stack, poll it once, drop it.
//! - `reset_later`: one pending sleep, moved again and again to an instant later than its last.
//! - `reset_random`: one pending sleep, moved again and again to an instant 1–100 s ahead, in random order.
//! - `fire`: create 100,000 (or 1,000,000) sleeps that are due over half a second (a second) in random order, poll each
//!   once with a waker that counts, wait until all were woken, poll each again and see it ready, drop them. The cost of
//!   all this for one sleep.
//! - `memory`: bytes of a pending sleep where 10,000 are pending: its own and what it has on the heap.
//! - `now`: a reading of the clock, beside that of the standard library. `now_counter`: of `CounterClock`, beside quanta's.
//! - `counter_drift`: how far `CounterClock` is off the standard library's clock after a second, in parts per million. All
//!   rounds share the calibration of the process, as all clocks of a program do.
//! - `lateness`: sleeps of 2–12 ms, one after another on a thread that does nothing else; the median of the time from
//!   the instant asked for to the next line of code. With 1 ms slack as in the default clock beside tokio, whose timer
//!   counts whole milliseconds; without slack beside async-io.

mod async_io;
mod futures_timer;
pub mod ours;
mod quanta;
mod std;
pub mod tokio;

use ::std::time::Duration;

use crate::harness::{Bench, Row, Target};

/// How far ahead the sleeps that never fire are.
pub const AHEAD: Duration = Duration::from_secs(60);
/// How far ahead the standing sleep is.
const STANDING: Duration = Duration::from_secs(30);
/// Operations of one round.
const OPERATIONS: usize = 50_000;

pub fn run(bench: &mut Bench) {
    bench.row(&Row {
        name: "time.now",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(1.15),
        ours: ours::now,
        rivals: &[("std", std::now)],
    });
    bench.row(&Row {
        name: "time.now_counter",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(1.15),
        ours: ours::now_counter,
        rivals: &[("quanta", quanta::now)],
    });
    bench.row(&Row {
        name: "time.counter_drift",
        unit: " ppm",
        rounds: 3,
        target: Target::AtMost(50.0),
        ours: ours::counter_drift,
        rivals: &[("quanta", quanta::drift)],
    });
    bench.row(&Row {
        name: "time.create_drop",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(0.70),
        ours: ours::create_drop,
        rivals: &[
            ("tokio", tokio::create_drop),
            ("async-io", async_io::create_drop),
            ("futures-timer", futures_timer::create_drop),
        ],
    });
    bench.row(&Row {
        name: "time.reset_later",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(0.90),
        ours: ours::reset_later,
        rivals: &[
            ("tokio", tokio::reset_later),
            ("async-io", async_io::reset_later),
            ("futures-timer", futures_timer::reset_later),
        ],
    });
    bench.row(&Row {
        name: "time.reset_random",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(0.50),
        ours: ours::reset_random,
        rivals: &[
            ("tokio", tokio::reset_random),
            ("async-io", async_io::reset_random),
            ("futures-timer", futures_timer::reset_random),
        ],
    });
    bench.row(&Row {
        name: "time.fire_100k",
        unit: "ns",
        rounds: 9,
        target: Target::Ratio(1.05),
        ours: ours::fire_100k,
        rivals: &[
            ("tokio", tokio::fire_100k),
            ("async-io", async_io::fire_100k),
            ("futures-timer", futures_timer::fire_100k),
        ],
    });
    bench.row(&Row {
        name: "time.fire_1m",
        unit: "ns",
        rounds: 9,
        target: Target::Ratio(1.05),
        ours: ours::fire_1m,
        rivals: &[("tokio", tokio::fire_1m), ("async-io", async_io::fire_1m)],
    });
    bench.row(&Row {
        name: "time.memory",
        unit: "B",
        rounds: 3,
        target: Target::AtMost(80.0),
        ours: ours::memory,
        rivals: &[("tokio", tokio::memory), ("async-io", async_io::memory), ("futures-timer", futures_timer::memory)],
    });
    bench.row(&Row {
        name: "time.lateness_p50",
        unit: "us",
        rounds: 9,
        target: Target::Ratio(0.60),
        ours: ours::lateness,
        rivals: &[("tokio", tokio::lateness)],
    });
    bench.row(&Row {
        name: "time.lateness_p50_no_slack",
        unit: "us",
        rounds: 9,
        target: Target::AtMost(150.0),
        ours: ours::lateness_no_slack,
        rivals: &[("async-io", async_io::lateness)],
    });
}

/// The deadlines of `fire`, from now: over half a second after 0.1 s, or over one second after 2 s.
fn deadlines(count: usize) -> Vec<Duration> {
    let (first, last) = if count <= 100_000 { (100, 600) } else { (2_000, 3_000) };
    crate::support::durations(count, Duration::from_millis(first), Duration::from_millis(last))
}

/// The deadlines of `reset_random`, from now; a power of two of them.
fn random_deadlines() -> Vec<Duration> {
    crate::support::durations(4_096, Duration::from_secs(1), Duration::from_secs(100))
}

/// How long the sleeps of `lateness` are.
fn naps() -> Vec<Duration> {
    crate::support::durations(100, Duration::from_millis(2), Duration::from_millis(12))
}

/// How far `elapsed` is off the standard library's clock after a second, in parts per million.
fn drift(elapsed: impl Fn() -> Duration) -> f64 {
    let (start, first) = (::std::time::Instant::now(), elapsed());
    ::std::thread::sleep(Duration::from_secs(1));
    let (ours, theirs) = (elapsed() - first, start.elapsed());
    (ours.as_secs_f64() / theirs.as_secs_f64() - 1.0).abs() * 1e6
}

/// The median of `lateness`, in microseconds.
fn median_us(mut lateness: Vec<f64>) -> f64 {
    lateness.sort_by(f64::total_cmp);
    crate::harness::quantile(&lateness, 0.5)
}

//! Limits of rates: `wakeful::limit` beside governor's, leaky-bucket's, ratelimit's, throttled's and async-rate-limiter's, and
//! beside a semaphore of tokio's that a task refills.
//!
//! Two clocks are told apart, since reading one is most of what an attempt costs: the operating system's, by which all can be
//! asked, and a counter of the processor, which governor takes by default.
//!
//! - `allowed`, `allowed_counter`: an attempt where there are permits. Not compared with ratelimit, which loses part of its rate
//!   (see `rate_error`), nor with leaky-bucket and async-rate-limiter, which let more than their burst through (see
//!   `after_idling`); the two also read no clock as long as they have something in stock, as they have here.
//! - `denied`, `denied_counter`: an attempt where there are none for an hour. async-rate-limiter can't be told so.
//! - `two_threads`, `two_threads_counter`: an attempt where there are permits, while another thread makes such attempts too.
//! - `keyed_1`, `keyed_1k`, `keyed_1m`: an attempt where there are permits, for one of so many keys, numbers of eight bytes that are
//!   there already and stay, a permit taking a second, in an order that looks random; by the counter, which is the fastest that
//!   governor can be set up with, and for it with either of its stores, and the hasher that it takes by itself. `keyed_bytes`: what
//!   each of a million takes on the heap.
//! - `keyed_1_foldhash`, `keyed_1k_foldhash`, `keyed_1m_foldhash`: the same where governor is given the hasher that ours has by
//!   itself. The target of the rows before was set beside what governor is by itself; here it is to be no slower.
//! - `rate_error`: how far off a rate is in virtual time, in parts per million, by a caller who asks again and again: for one
//!   permit a second each 1.9 µs, and for 7·10⁸ and 10⁹ a second each nanosecond. Only those take part whose clock can be given.
//! - `queue`: 1,000 tasks on one thread of tokio wait for 2,000 a second: the time until the last one is served, in per cent of
//!   the ideal; how often each is polled; how many pairs are served in another order than they came in, in per cent (50 is
//!   random). `queue_half`: every other one is dropped when all wait.
//! - `after_idling`: how many of forty have a permit at once after a pause of a quarter of a second, at 100 a second with a burst
//!   of ten.
//! - `granted`: how much of what is configured is granted, in per cent, to one loop of 1,000 a second, to one of 50,000, and to
//!   a hundred loops of 5,000 together, for 0.6 s on one thread of tokio or smol. Of smol, leaky-bucket and
//!   async-rate-limiter don't know.

mod async_rate_limiter;
mod governor;
mod leaky_bucket;
mod ours;
mod ratelimit;
mod semaphore;
mod throttled;
mod workloads;

use std::time::Duration;

use crate::harness::{Bench, Contender, Row, Target};

/// Operations of one round.
const OPERATIONS: usize = 50_000;
/// The burst where errors of the rate are looked at.
const STOCK: u32 = 1_000;
/// How many wait together.
const WAITERS: usize = 1_000;
/// The permits a second that they wait for.
const PER_SECOND: u32 = 2_000;
/// How long the pause before a burst is, at [`SLOW`] a second.
const IDLE: Duration = Duration::from_millis(250);
/// Permits a second where the burst is looked at.
const SLOW: u32 = 100;
/// The burst that is looked at.
const BURST: u32 = 10;
/// What counts as at once: less than one permit takes.
const AT_ONCE: Duration = Duration::from_millis(6);

pub fn run(bench: &mut Bench) {
    attempts(bench);
    attempts_by_counter(bench);
    keys(bench);
    rates(bench);
    queues(bench);
    bench.row_beside(
        &Row {
            name: "limit.after_idling",
            unit: " permits",
            rounds: 3,
            target: Target::AtMost(f64::from(BURST)),
            ours: ours::after_idling,
            rivals: &[("governor", governor::after_idling), ("leaky-bucket", leaky_bucket::after_idling)],
        },
        &[
            ("leaky-bucket, unfair", leaky_bucket::unfair_after_idling),
            ("async-rate-limiter", async_rate_limiter::after_idling),
        ],
    );
    granted(bench);
}

fn attempts(bench: &mut Bench) {
    bench.row_beside(
        &Row {
            name: "limit.allowed",
            unit: "ns",
            rounds: 31,
            target: Target::Ratio(1.05),
            ours: ours::allowed,
            rivals: &[("governor", governor::allowed), ("throttled", throttled::allowed)],
        },
        &[
            ("ratelimit", ratelimit::allowed),
            ("leaky-bucket", leaky_bucket::allowed),
            ("async-rate-limiter", async_rate_limiter::allowed),
        ],
    );
    bench.row(&Row {
        name: "limit.denied",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(1.05),
        ours: ours::denied,
        rivals: &[
            ("governor", governor::denied),
            ("throttled", throttled::denied),
            ("ratelimit", ratelimit::denied),
            ("leaky-bucket", leaky_bucket::denied),
        ],
    });
    bench.row_beside(
        &Row {
            name: "limit.two_threads",
            unit: "ns",
            rounds: 31,
            target: Target::Ratio(1.05),
            ours: ours::two_threads,
            rivals: &[("governor", governor::two_threads), ("throttled", throttled::two_threads)],
        },
        &[
            ("ratelimit", ratelimit::two_threads),
            ("leaky-bucket", leaky_bucket::two_threads),
            ("async-rate-limiter", async_rate_limiter::two_threads),
        ],
    );
}

fn attempts_by_counter(bench: &mut Bench) {
    let mut row = |name, ours, governor| {
        let (unit, rounds, target) = ("ns", 31, Target::Ratio(1.05));
        bench.row(&Row { name, unit, rounds, target, ours, rivals: &[("governor", governor)] });
    };
    row("limit.allowed_counter", ours::allowed_counter, governor::allowed_counter);
    row("limit.denied_counter", ours::denied_counter, governor::denied_counter);
    row("limit.two_threads_counter", ours::two_threads_counter, governor::two_threads_counter);
}

fn keys(bench: &mut Bench) {
    /// The same contenders for each number of keys.
    macro_rules! rivals {
        ($workload:ident) => {
            &[
                ("governor, dashmap", governor::keyed::$workload::<governor::keyed::Dash>),
                ("governor, hashmap", governor::keyed::$workload::<governor::keyed::Hash>),
                ("throttled", throttled::$workload),
            ]
        };
    }
    macro_rules! with_foldhash {
        ($workload:ident) => {
            &[
                ("governor, dashmap and foldhash", governor::keyed::$workload::<governor::keyed::DashFold>),
                ("governor, hashmap and foldhash", governor::keyed::$workload::<governor::keyed::HashFold>),
            ]
        };
    }
    let mut row = |name, rounds, most, ours, rivals: &[Contender<'_>]| {
        bench.row(&Row { name, unit: "ns", rounds, target: Target::Ratio(most), ours, rivals });
    };
    row("limit.keyed_1", 31, 0.85, ours::keyed_1, rivals!(keyed_1));
    row("limit.keyed_1k", 31, 0.85, ours::keyed_1k, rivals!(keyed_1k));
    row("limit.keyed_1m", 9, 0.85, ours::keyed_1m, rivals!(keyed_1m));
    row("limit.keyed_1_foldhash", 31, 1.00, ours::keyed_1, with_foldhash!(keyed_1));
    row("limit.keyed_1k_foldhash", 31, 1.00, ours::keyed_1k, with_foldhash!(keyed_1k));
    row("limit.keyed_1m_foldhash", 9, 1.00, ours::keyed_1m, with_foldhash!(keyed_1m));
    bench.row(&Row {
        name: "limit.keyed_bytes",
        unit: " B",
        rounds: 1,
        target: Target::AtMost(56.0),
        ours: ours::keyed_bytes,
        rivals: rivals!(keyed_bytes),
    });
}

fn rates(bench: &mut Bench) {
    let mut row = |name, ours, governor, ratelimit| {
        let row = Row {
            name,
            unit: " ppm",
            rounds: 1,
            target: Target::AtMost(10.0),
            ours,
            rivals: &[("governor", governor), ("ratelimit", ratelimit)],
        };
        bench.row(&row);
    };
    row("limit.rate_error_1", ours::rate_error_1, governor::rate_error_1, ratelimit::rate_error_1);
    row("limit.rate_error_700m", ours::rate_error_700m, governor::rate_error_700m, ratelimit::rate_error_700m);
    row("limit.rate_error_1g", ours::rate_error_1g, governor::rate_error_1g, ratelimit::rate_error_1g);
}

fn queues(bench: &mut Bench) {
    /// The same rows for all, and for those who are left when half are dropped.
    macro_rules! rivals {
        ($function:ident) => {
            &[
                ("governor", governor::$function),
                ("leaky-bucket", leaky_bucket::$function),
                ("async-rate-limiter", async_rate_limiter::$function),
                ("tokio, refilled", semaphore::$function),
            ]
        };
    }
    let mut row = |name, unit, limit, ours, rivals: &[Contender<'_>]| {
        bench.row(&Row { name, unit, rounds: 3, target: Target::AtMost(limit), ours, rivals });
    };
    row("limit.queue_time", " %", 100.5, ours::queue_time, rivals!(queue_time));
    row("limit.queue_polls", " polls", 2.05, ours::queue_polls, rivals!(queue_polls));
    row("limit.queue_disorder", " %", 0.0, ours::queue_disorder, rivals!(queue_disorder));
    row("limit.queue_half_time", " %", 102.0, ours::queue_half_time, rivals!(queue_half_time));
}

fn granted(bench: &mut Bench) {
    let mut row = |name, ours, rivals: &[Contender<'_>]| {
        bench.row(&Row { name, unit: " %", rounds: 3, target: Target::Between(99.0, 100.5), ours, rivals });
    };
    macro_rules! on_tokio {
        ($ours:ident, $function:ident) => {
            row(
                concat!("limit.", stringify!($ours)),
                ours::$ours,
                &[
                    ("governor", governor::$ours),
                    ("leaky-bucket", leaky_bucket::$function),
                    ("async-rate-limiter", async_rate_limiter::$function),
                    ("tokio, refilled", semaphore::$function),
                ],
            )
        };
    }
    on_tokio!(granted_1000_tokio, granted_1000);
    on_tokio!(granted_50000_tokio, granted_50000);
    on_tokio!(granted_100_loops_tokio, granted_100_loops);
    row("limit.granted_1000_smol", ours::granted_1000_smol, &[("governor", governor::granted_1000_smol)]);
    row("limit.granted_50000_smol", ours::granted_50000_smol, &[("governor", governor::granted_50000_smol)]);
    let governor = governor::granted_100_loops_smol;
    row("limit.granted_100_loops_smol", ours::granted_100_loops_smol, &[("governor", governor)]);
}

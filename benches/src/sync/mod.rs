//! Synchronisation: `wakeful::sync` beside tokio's, async-lock's, event-listener's, maitake-sync's, futures-intrusive's and
//! asyncband's.
//!
//! Everything runs on one thread; futures are polled with a waker that does nothing, unless something else is said.
//!
//! - `semaphore_pair`: acquire one of two permits by a future that is ready at its first poll, and give it back.
//! - `semaphore_contended`: eight tasks want two permits, each holds one while the others have a turn, and wants another.
//!   The cost of one such turn. Not compared with those that let newcomers overtake.
//! - `semaphore_share`: in the same, the fewest turns that one of the tasks had by the most that one had.
//! - `semaphore_hog`: a task holds the only permit, gives it back and wants it again, over and over, while another waits
//!   for it: how many turns it has before that one has the first. It gives up at 1,000.
//! - `event_cycle`: one waits for an event (where there is only that, for a signal to all), it is set, the one goes on, and
//!   it is reset.
//! - `notify_idle`: a signal for one, where nobody waits.
//! - `wake_10000`: 10,000 wait for an event, which is set: the cost of this for each, up to the last wake-up.
//! - `oneshot`: make a channel for one value, wait for it, send it, and receive it. Ours waits through the lock through which all
//!   of the kit waits, three times in this; the others have one word of states for two parties, with a way of waiting of its
//!   own. To be ahead here would take a second such way, in `unsafe` code: not built for this row.
//! - `watch`: one waits for a newer value, it is sent, and the one has seen it.
//! - `barrier`: one arrives at a barrier for two and waits, the other arrives, and both go on.

mod async_lock;
mod asyncband;
mod event_listener;
mod futures_intrusive;
mod maitake_sync;
mod ours;
mod tokio;
mod workloads;

use crate::harness::{Bench, Row, Target};

/// Operations of one round.
const OPERATIONS: usize = 50_000;
/// Tasks that want the same permits.
const TASKS: usize = 8;
/// Waiters that are woken together.
const WAITERS: usize = 10_000;
/// So many turns, and a hog ends by itself.
const HOG_GIVES_UP: usize = 1_000;

pub fn run(bench: &mut Bench) {
    bench.row(&Row {
        name: "sync.semaphore_pair",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(0.60),
        ours: ours::semaphore_pair,
        rivals: &[
            ("tokio", tokio::semaphore_pair),
            ("async-lock", async_lock::semaphore_pair),
            ("maitake-sync", maitake_sync::semaphore_pair),
            ("futures-intrusive", futures_intrusive::semaphore_pair),
            ("asyncband", asyncband::semaphore_pair),
        ],
    });
    bench.row_beside(
        &Row {
            name: "sync.semaphore_contended",
            unit: "ns",
            rounds: 31,
            target: Target::Ratio(0.90),
            ours: ours::semaphore_contended,
            rivals: &[
                ("tokio", tokio::semaphore_contended),
                ("maitake-sync", maitake_sync::semaphore_contended),
                ("futures-intrusive", futures_intrusive::semaphore_contended),
                ("asyncband", asyncband::semaphore_contended),
            ],
        },
        &[
            ("async-lock", async_lock::semaphore_contended),
            ("futures-intrusive, unfair", futures_intrusive::unfair_semaphore_contended),
        ],
    );
    bench.row_beside(
        &Row {
            name: "sync.semaphore_share",
            unit: " %",
            rounds: 5,
            target: Target::AtLeast(95.0),
            ours: ours::semaphore_share,
            rivals: &[
                ("tokio", tokio::semaphore_share),
                ("maitake-sync", maitake_sync::semaphore_share),
                ("futures-intrusive", futures_intrusive::semaphore_share),
                ("asyncband", asyncband::semaphore_share),
            ],
        },
        &[
            ("async-lock", async_lock::semaphore_share),
            ("futures-intrusive, unfair", futures_intrusive::unfair_semaphore_share),
        ],
    );
    bench.row_beside(
        &Row {
            name: "sync.semaphore_hog",
            unit: " turns",
            rounds: 5,
            target: Target::AtMost(1.0),
            ours: ours::semaphore_hog,
            rivals: &[
                ("tokio", tokio::semaphore_hog),
                ("maitake-sync", maitake_sync::semaphore_hog),
                ("futures-intrusive", futures_intrusive::semaphore_hog),
                ("asyncband", asyncband::semaphore_hog),
            ],
        },
        &[
            ("async-lock", async_lock::semaphore_hog),
            ("futures-intrusive, unfair", futures_intrusive::unfair_semaphore_hog),
        ],
    );
    bench.row(&Row {
        name: "sync.event_cycle",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(0.55),
        ours: ours::event_cycle,
        rivals: &[
            ("tokio", tokio::event_cycle),
            ("event-listener", event_listener::event_cycle),
            ("maitake-sync", maitake_sync::event_cycle),
            ("futures-intrusive", futures_intrusive::event_cycle),
            ("asyncband", asyncband::event_cycle),
        ],
    });
    bench.row(&Row {
        name: "sync.notify_idle",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(1.00),
        ours: ours::notify_idle,
        rivals: &[
            ("tokio", tokio::notify_idle),
            ("event-listener", event_listener::notify_idle),
            ("maitake-sync", maitake_sync::notify_idle),
        ],
    });
    bench.row(&Row {
        name: "sync.wake_10000",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(1.20),
        ours: ours::wake_10000,
        rivals: &[
            ("tokio", tokio::wake_10000),
            ("event-listener", event_listener::wake_10000),
            ("maitake-sync", maitake_sync::wake_10000),
            ("futures-intrusive", futures_intrusive::wake_10000),
            ("asyncband", asyncband::wake_10000),
        ],
    });
    bench.row(&Row {
        name: "sync.oneshot",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(1.00),
        ours: ours::oneshot,
        rivals: &[("tokio", tokio::oneshot), ("asyncband", asyncband::oneshot)],
    });
    bench.row(&Row {
        name: "sync.watch",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(1.00),
        ours: ours::watch,
        rivals: &[("tokio", tokio::watch), ("asyncband", asyncband::watch)],
    });
    bench.row(&Row {
        name: "sync.barrier",
        unit: "ns",
        rounds: 31,
        target: Target::Ratio(1.00),
        ours: ours::barrier,
        rivals: &[("tokio", tokio::barrier), ("async-lock", async_lock::barrier), ("asyncband", asyncband::barrier)],
    });
}

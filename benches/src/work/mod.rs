//! Many items, 50 at a time: `wakeful::work` beside futures' `buffer_unordered` and `for_each_concurrent`, futures-buffered,
//! futures-concurrency, tokio's `JoinSet` with a semaphore, and workers on an async-channel.
//!
//! Everywhere a body is called with each of a million numbers, and what it returns is summed up. The figure is the cost of an
//! item: CPU time on one thread. Ours keeps count of every item by outcome, guards each body against panics, and would hand
//! the item back; the rivals do none of that.
//!
//! - `ready`: the body is ready at once.
//! - `pending`: it is pending once, and wakes itself.
//! - `drive_ready`, `drive_pending`: the same, with the results as a stream, as they come; `drive_ordered_ready`,
//!   `drive_ordered_pending`: in the order of the items. The rivals are the streams among them.
//! - `spawned_ready`, `spawned_pending`: the same on tokio with two worker threads, by workers that are tasks. Wall time.
//! - `spawned_alone_ready`, `spawned_alone_pending`: the same on tokio with the current thread alone. CPU time.
//! - `pool_ready`, `pool_pending`: as `spawned_alone`, but each item is submitted for itself to 50 workers, and its own result
//!   awaited; beside workers on an async-channel who answer by tokio's one-shot.
//! - `memory`, `drive_memory`, `drive_ordered_memory`: the most bytes in use at any time, over those before, with 100,000 items that are pending once: the run itself,
//!   and what it has on the heap.

mod async_channel;
mod futures;
mod futures_buffered;
mod futures_concurrency;
mod ours;
mod tokio;

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::harness::{Bench, Contender, Row, Target, cpu_ns, heap_bytes, wall_ns};
use crate::support::block_on;
use ::tokio::runtime::Builder;

/// Items of one round.
const ITEMS: u64 = 1_000_000;

/// Items of a round that looks at the memory.
const FEWER: u64 = 100_000;

/// Items that are worked on at once.
const WIDTH: usize = 50;

/// Gives its number once it has been pending as often as it is to.
pub struct Step {
    number: u64,
    pending: bool,
}

pub fn ready(number: u64) -> Step {
    Step { number, pending: false }
}

pub fn pending(number: u64) -> Step {
    Step { number, pending: true }
}

impl Future for Step {
    type Output = u64;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        if std::mem::replace(&mut self.pending, false) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.number)
    }
}

thread_local! {
    /// The most bytes that were in use.
    static HIGHEST: Cell<usize> = const { Cell::new(0) };
}

/// As [`pending`], and notes what is in use now and then.
fn watched(number: u64) -> Step {
    if number % 64 == 0 {
        HIGHEST.set(HIGHEST.get().max(heap_bytes()));
    }
    pending(number)
}

/// What a contender is: it calls the body with each number below `items`, and gives the sum of what that returns.
macro_rules! contender {
    ($sum:path) => {
        pub fn ready() -> f64 {
            $crate::work::cost($sum($crate::work::ITEMS, $crate::work::ready))
        }

        pub fn pending() -> f64 {
            $crate::work::cost($sum($crate::work::ITEMS, $crate::work::pending))
        }

        pub fn memory() -> f64 {
            $crate::work::memory(|| $sum($crate::work::FEWER, $crate::work::watched))
        }
    };
}
use contender;

/// CPU nanoseconds of an item.
fn cost(sum: impl Future<Output = u64>) -> f64 {
    cpu_ns(ITEMS as usize, || check(block_on(sum), ITEMS))
}

/// What a contender is whose workers are tasks: it works as others do, on a runtime of one thread and of two more.
macro_rules! spawned {
    ($sum:path) => {
        pub mod spawned {
            pub fn ready() -> f64 {
                $crate::work::wall_on_two_threads($sum($crate::work::ITEMS, $crate::work::ready))
            }

            pub fn pending() -> f64 {
                $crate::work::wall_on_two_threads($sum($crate::work::ITEMS, $crate::work::pending))
            }

            pub fn alone_ready() -> f64 {
                $crate::work::cost_alone($sum($crate::work::ITEMS, $crate::work::ready))
            }

            pub fn alone_pending() -> f64 {
                $crate::work::cost_alone($sum($crate::work::ITEMS, $crate::work::pending))
            }
        }
    };
}
use spawned;

/// Wall nanoseconds of an item on a runtime with two worker threads.
fn wall_on_two_threads(sum: impl Future<Output = u64> + Send + 'static) -> f64 {
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    // A task of its own, so that it runs on one of the two.
    wall_ns(ITEMS as usize, || check(runtime.block_on(runtime.spawn(sum)).expect("no panic"), ITEMS))
}

/// CPU nanoseconds of an item on a runtime of this thread.
fn cost_alone(sum: impl Future<Output = u64>) -> f64 {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    cpu_ns(ITEMS as usize, || check(runtime.block_on(sum), ITEMS))
}

/// Adds a number that a body gave.
fn add(sum: &Cell<u64>, number: u64) {
    sum.set(sum.get() + number);
}

/// That all of them have come.
fn check(sum: u64, items: u64) {
    assert_eq!(sum, items * (items - 1) / 2);
}

/// The most bytes that a run took.
fn memory<F: Future<Output = u64>>(make: impl FnOnce() -> F) -> f64 {
    let before = heap_bytes();
    HIGHEST.set(before);
    let run = make();
    let size = size_of_val(&run);
    check(block_on(run), FEWER);
    (size + HIGHEST.get() - before) as f64
}

pub fn run(bench: &mut Bench) {
    let mut row = |name, unit, target, ours, rivals: &[Contender<'_>]| {
        bench.row(&Row { name, unit, rounds: 7, target, ours, rivals });
    };
    row(
        "work.ready",
        "ns",
        Target::Ratio(0.60),
        ours::ready,
        &[
            ("futures-buffered", futures_buffered::ready),
            ("buffer_unordered", futures::buffered::ready),
            ("for_each_concurrent", futures::for_each::ready),
            ("futures-concurrency", futures_concurrency::ready),
            ("async-channel", async_channel::ready),
            ("JoinSet+Semaphore", tokio::spawned::alone_ready),
        ],
    );
    row(
        "work.pending",
        "ns",
        Target::Ratio(0.85),
        ours::pending,
        &[
            ("futures-buffered", futures_buffered::pending),
            ("buffer_unordered", futures::buffered::pending),
            ("for_each_concurrent", futures::for_each::pending),
            ("futures-concurrency", futures_concurrency::pending),
            ("async-channel", async_channel::pending),
            ("JoinSet+Semaphore", tokio::spawned::alone_pending),
        ],
    );
    let streams = [
        (
            "work.drive_ready",
            ours::as_they_end::ready as fn() -> f64,
            futures_buffered::ready as fn() -> f64,
            futures::buffered::ready as fn() -> f64,
        ),
        ("work.drive_pending", ours::as_they_end::pending, futures_buffered::pending, futures::buffered::pending),
        ("work.drive_ordered_ready", ours::in_order::ready, futures_buffered::ordered::ready, futures::ordered::ready),
        (
            "work.drive_ordered_pending",
            ours::in_order::pending,
            futures_buffered::ordered::pending,
            futures::ordered::pending,
        ),
    ];
    for (name, ours, buffered, futures) in streams {
        row(name, "ns", Target::Ratio(1.0), ours, &[("futures-buffered", buffered), ("futures", futures)]);
    }
    let memories = [
        (
            "work.drive_memory",
            ours::as_they_end::memory as fn() -> f64,
            futures_buffered::memory as fn() -> f64,
            futures::buffered::memory as fn() -> f64,
        ),
        (
            "work.drive_ordered_memory",
            ours::in_order::memory,
            futures_buffered::ordered::memory,
            futures::ordered::memory,
        ),
    ];
    for (name, ours, buffered, futures) in memories {
        let rivals: &[Contender<'_>] = &[("futures-buffered", buffered), ("futures", futures)];
        row(name, "bytes", Target::AtMost(32_768.0), ours, rivals);
    }
    row(
        "work.memory",
        "bytes",
        Target::AtMost(8192.0),
        ours::memory,
        &[
            ("futures-buffered", futures_buffered::memory),
            ("buffer_unordered", futures::buffered::memory),
            ("for_each_concurrent", futures::for_each::memory),
            ("futures-concurrency", futures_concurrency::memory),
            ("async-channel", async_channel::memory),
        ],
    );
    for (name, target, ours, channel, set) in [
        (
            "work.spawned_ready",
            0.5,
            ours::spawned::ready as fn() -> f64,
            async_channel::spawned::ready as fn() -> f64,
            tokio::spawned::ready as fn() -> f64,
        ),
        ("work.spawned_pending", 0.5, ours::spawned::pending, async_channel::spawned::pending, tokio::spawned::pending),
        (
            "work.spawned_alone_ready",
            0.5,
            ours::spawned::alone_ready,
            async_channel::spawned::alone_ready,
            tokio::spawned::alone_ready,
        ),
        (
            "work.spawned_alone_pending",
            1.1,
            ours::spawned::alone_pending,
            async_channel::spawned::alone_pending,
            tokio::spawned::alone_pending,
        ),
    ] {
        row(name, "ns", Target::Ratio(target), ours, &[("async-channel", channel), ("JoinSet+Semaphore", set)]);
    }
    row(
        "work.pool_ready",
        "ns",
        Target::Ratio(1.0),
        ours::pool_ready,
        &[("async-channel+oneshot", async_channel::pool_ready)],
    );
    row(
        "work.pool_pending",
        "ns",
        Target::Ratio(1.0),
        ours::pool_pending,
        &[("async-channel+oneshot", async_channel::pool_pending)],
    );
}

//! Many tasks and futures at once: `wakeful::task` beside tokio's `JoinSet`, smol's task handles, futures' `FuturesUnordered`
//! and futures-buffered.
//!
//! Everywhere 10,000 children each return a number, having been pending once, and all numbers are summed up. The figure is
//! the cost of a child, with its start and its end.
//!
//! - `spawned_tokio`, `spawned_tokio_2_threads`: as tasks of tokio, on one thread (CPU) and on two (wall). Ours is a group, whose
//!   handles are awaited in order; tokio's is a `JoinSet`, joined in any order.
//!   A `JoinSet` keeps a panic from siblings, as a group does. It has no scopes, names, counts or policies, and when it is
//!   dropped, it aborts its tasks and waits for none. Beside them, and not compared: tasks that nobody has a handle to, which add
//!   to a counter; a group on tokio can cost no less.
//! - `spawned_tokio_dressed`, `spawned_tokio_2_threads_dressed`: the same beside a `JoinSet` each of whose tasks has a child of a
//!   `CancellationToken` and is counted by a `TaskTracker`: what comes nearest to a group without one.
//! - `spawned_smol`: as tasks of smol's executor on one thread; the rival awaits the handles, and has no group. Its tasks have
//!   their results beside their futures, where a group's lie apart, as it knows of its executor only that it takes futures;
//!   a panic of one is not caught, and ends the thread that polls it.
//! - `in_place`: futures of one type inside one task. Ours is a `FutureSet`.
//! - `in_place_boxed`: futures of any type, each in a box. Ours is a `FutureSet` of them.
//! - `in_place_group`: children of any type in a local group, whose body has the handles and awaits them, beside a
//!   `FuturesUnordered` of boxed futures, which has no policies, names, scopes, handles or panics that are caught.

mod futures;
mod futures_buffered;
mod ours;
mod smol;
mod tokio;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::harness::{Bench, Row, Target};

/// Children of one round.
const CHILDREN: usize = 10_000;

/// Gives its number at the second poll.
struct Once(Option<usize>, bool);

fn once(n: usize) -> Once {
    Once(Some(n), false)
}

impl Future for Once {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        if std::mem::replace(&mut self.1, true) {
            return Poll::Ready(self.0.take().expect("polled after it was ready"));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// That all of them have come.
fn check(sum: usize) {
    assert_eq!(sum, CHILDREN * (CHILDREN - 1) / 2);
}

pub fn run(bench: &mut Bench) {
    let mut row = |name, target, ours, rivals: &[_], aside: &[_]| {
        let row = Row { name, unit: "ns", rounds: 21, target: Target::Ratio(target), ours, rivals };
        bench.row_beside(&row, aside);
    };
    row(
        "task.spawned_tokio",
        0.80,
        ours::spawned_tokio,
        &[("tokio", tokio::spawned)],
        &[("bare tasks", tokio::bare_tasks)],
    );
    row(
        "task.spawned_tokio_2_threads",
        0.80,
        ours::spawned_tokio_two_threads,
        &[("tokio", tokio::spawned_two_threads)],
        &[("bare tasks", tokio::bare_tasks_two_threads)],
    );
    row("task.spawned_tokio_dressed", 0.80, ours::spawned_tokio, &[("tokio", tokio::spawned_dressed)], &[]);
    row(
        "task.spawned_tokio_2_threads_dressed",
        0.80,
        ours::spawned_tokio_two_threads,
        &[("tokio", tokio::spawned_dressed_two_threads)],
        &[],
    );
    row("task.spawned_smol", 1.00, ours::spawned_smol, &[("smol", smol::spawned)], &[]);
    let rivals = [("futures-buffered", futures_buffered::in_place as fn() -> f64), ("futures", futures::in_place)];
    row("task.in_place", 1.00, ours::in_place, &rivals, &[]);
    let rivals = [("futures", futures::in_place_boxed as fn() -> f64)];
    row("task.in_place_boxed", 0.60, ours::in_place_boxed, &rivals, &[]);
    row("task.in_place_group", 0.60, ours::in_place_group, &rivals, &[]);
}

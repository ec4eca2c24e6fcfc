//! Tasks that are added and run by a worker: `wakeful::docket`, in memory, beside apalis' memory storage.
//!
//! All is on one thread, a task is a number, and the figure is its CPU time from being added to its end. Ours writes down arguments
//! and results as JSON, knows tasks by key, leases them, and remembers their ends for an hour; apalis sends values through a channel, and
//! the delay queue forgets what it has given: with neither can anybody look at a task, wait for its result, or have it run again
//! if its worker is lost.
//!
//! - `add_run`: ten thousand tasks are added, and then run by a worker of each kit.
//! - `future`: a hundred thousand tasks are added, due over the next hundred milliseconds; they are run as they fall due. Ours is on a
//!   clock that is set by hand to each millisecond. apalis' memory storage knows no later: the rival is what one writes with tokio-util's
//!   `DelayQueue` and a map of keys.
//! - `limits`: fifty thousand tasks of ten thousand users, those of a user one after another, each pending once, at most one of a user at
//!   the same time. With apalis the task takes a permit of its user's semaphore.
//! - `strikes`: as `add_run`, where a thousand users are struck, none of whom has a task. With apalis the task looks into a set.

mod apalis;
mod delay_queue;
mod ours;

use crate::harness::{Bench, Row, Target, cpu_ns};
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

/// Tasks of one round.
const TASKS: u64 = 10_000;

/// Tasks that are due later.
const FUTURE: u64 = 100_000;
/// After which time the last of them is due.
const SPAN: Duration = Duration::from_millis(100);

/// Users who have limits, and the tasks of each.
const USERS: u64 = 10_000;
const EACH: u64 = 5;

/// Users who are struck.
const STRUCK: u64 = 1_000;

/// When a future task is due: all of them in no order.
fn due(task: u64) -> Duration {
    let span = SPAN.as_micros() as u64;
    Duration::from_micros(task.wrapping_mul(48_271) % span)
}

/// Is pending once, and wakes itself.
fn pending_once() -> impl Future<Output = ()> {
    let mut pending = true;
    poll_fn(move |cx| {
        if std::mem::replace(&mut pending, false) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
}

/// CPU nanoseconds of a task, where so many are run.
fn cost(tasks: u64, run: impl FnOnce() -> u64) -> f64 {
    cpu_ns(tasks as usize, || assert_eq!(run(), tasks * (tasks - 1) / 2, "each runs once"))
}

pub fn run(bench: &mut Bench) {
    let mut row = |name, ours, rivals: &[_]| {
        bench.row(&Row { name, unit: "ns", rounds: 7, target: Target::Ratio(1.00), ours, rivals });
    };
    row("docket.add_run", ours::add_run, &[("apalis", apalis::add_run)]);
    row("docket.future", ours::future, &[("delay queue", delay_queue::future)]);
    row("docket.limits", ours::limits, &[("apalis", apalis::limits)]);
    row("docket.strikes", ours::strikes, &[("apalis", apalis::strikes)]);
}

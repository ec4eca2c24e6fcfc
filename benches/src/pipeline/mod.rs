//! Items through stages, and many streams as one: `wakeful::flow` beside chains of futures' `buffered` and `buffer_unordered`, and its
//! `SelectAll`.
//!
//! - `ready`, `pending`: each of a million numbers goes through three stages, each of which works on 16 at once: bodies that are
//!   ready at once; and such as are pending once, and wake themselves. The figure is the cost of an item for all three: CPU time
//!   on one thread. Ours has bounded queues, keeps count of every item by stage and outcome, and guards each body against panics.
//! - `ordered`: as `pending`, with results in the order of the source.
//! - `merge_ready`: a thousand streams that always have something; the cost of an item.
//! - `merge_pending`: a thousand streams, each of which is pending once before each item, and wakes itself.

mod futures;
mod ours;

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::harness::{Bench, Row, Target, cpu_ns};
use crate::support::block_on;
use crate::work::{Step, pending, ready};
use futures_util::Stream;

/// Items of one round.
const ITEMS: u64 = 1_000_000;

/// Items that a stage works on at once.
const WIDTH: usize = 16;

/// Streams that are merged.
const SOURCES: u64 = 1_000;

/// A thousand numbers, before each of which it may be pending once.
struct Source {
    next: u64,
    end: u64,
    waits: bool,
    pending: bool,
}

impl Source {
    fn some(waits: bool) -> impl Iterator<Item = Self> {
        let each = ITEMS / SOURCES;
        (0..SOURCES).map(move |n| Self { next: n * each, end: (n + 1) * each, waits, pending: waits })
    }
}

impl Stream for Source {
    type Item = u64;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.next == self.end {
            return Poll::Ready(None);
        }
        if std::mem::replace(&mut self.pending, false) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.pending = self.waits;
        self.next += 1;
        Poll::Ready(Some(self.next - 1))
    }
}

/// CPU nanoseconds of an item.
fn cost(sum: impl Future<Output = u64>) -> f64 {
    cpu_ns(ITEMS as usize, || assert_eq!(block_on(sum), ITEMS * (ITEMS - 1) / 2))
}

/// Adds a number up.
fn add(sum: &Cell<u64>, number: u64) {
    sum.set(sum.get() + number);
}

pub fn run(bench: &mut Bench) {
    let mut row = |name, ours, rivals: &[_]| {
        bench.row(&Row { name, unit: "ns", rounds: 7, target: Target::Ratio(1.00), ours, rivals });
    };
    row("flow.pipeline_ready", ours::ready, &[("buffer_unordered", futures::ready)]);
    row("flow.pipeline_pending", ours::pending, &[("buffer_unordered", futures::pending)]);
    row("flow.pipeline_ordered", ours::ordered, &[("buffered", futures::ordered)]);
    row("flow.merge_ready", ours::merge_ready, &[("select_all", futures::merge_ready)]);
    row("flow.merge_pending", ours::merge_pending, &[("select_all", futures::merge_pending)]);
}

//! Looking on: `wakeful::observe` beside tokio-metrics. `cargo bench --features observe --bench observe` runs the rows, as the
//! other benchmarks do.
//!
//! Both measure busy, idle and scheduled time by the clock of the operating system, which both read twice for a poll and once for
//! a wake-up. Ours also keeps histograms of polls and delays, and what a dump tells: in what state each future is since
//! when, and what it waits for. tokio-metrics keeps sums alone; that is what the targets above 1 allow for.
//!
//! - `poll`: one future that wakes itself and is polled again; the cost of a wake-up and a poll.
//! - `task`: a future that is ready at its first poll is made, watched, polled and dropped.

#[path = "../harness.rs"]
#[expect(dead_code, reason = "there are no rows of several threads")]
mod harness;
mod ours;
mod tokio_metrics;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use harness::{Bench, Row, Target};

/// Polls, or futures, of one round.
const OPERATIONS: usize = 50_000;

/// Wakes itself so often, and is ready then.
struct Yields(usize);

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Polls `future` to its end with a waker that does nothing.
fn drive(future: impl Future<Output = ()>) {
    let mut future = std::pin::pin!(future);
    while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {}
}

fn main() {
    let mut bench = Bench::from_arguments();
    bench.print_versions(&["tokio-metrics"]);
    let mut row = |name, target, ours, rival| {
        let rivals = &[("tokio-metrics", rival)];
        bench.row(&Row { name, unit: "ns", rounds: 31, target: Target::Ratio(target), ours, rivals });
    };
    row("observe.poll", 1.20, ours::poll, tokio_metrics::poll);
    row("observe.task", 1.55, ours::task, tokio_metrics::task);
    bench.print_summary();
}

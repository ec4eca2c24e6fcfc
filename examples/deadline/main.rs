//! Work against a deadline, in virtual time, so that every number is the same each time: what is done, what is not, and when.
//!
//! ```text
//! cargo run --example deadline
//! ```

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::queue;
use wakeful::sim::{self, Sim};
use wakeful::work::{Collect, Count, Lease, Report, Work, work};

/// A line of the table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) count: Count,
    pub(crate) not_started: usize,
    pub(crate) elapsed: Duration,
}

fn main() -> io::Result<()> {
    run(&mut io::stdout())
}

/// The whole example.
pub(crate) fn run(out: &mut impl Write) -> io::Result<()> {
    for Row { what, count, not_started, elapsed } in rows() {
        writeln!(out, "{what}: {count}, {not_started} not started, after {elapsed:?}")?;
    }
    let (order, left) = urgent_first();
    writeln!(out, "the most urgent first: {}; {left} not started", order.join(", "))
}

fn workers(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("not zero")
}

/// Waits as long as its item says.
async fn task(item: Lease<Duration>) -> Result<(), ()> {
    wakeful::sleep(*item).await;
    Ok(())
}

pub(crate) fn rows() -> Vec<Row> {
    sim::run(|sim| async move {
        let (second, millis) = (Duration::from_secs(1), Duration::from_millis);
        let tenths = || work(vec![millis(100); 20]);
        // Every fourth takes two seconds.
        let mixed = || work((0..20).map(|n| if n % 4 == 3 { millis(2_000) } else { millis(100) }).collect::<Vec<_>>());
        vec![
            row(&sim, "one after another", tenths().deadline_after(second)).await,
            row(&sim, "one after another, for a little less", tenths().deadline_after(millis(950))).await,
            row(&sim, "and those that have begun may end", tenths().deadline_after(millis(950)).grace(millis(100)))
                .await,
            row(&sim, "and none begins that can't end", tenths().deadline_after(millis(950)).min_time(millis(100)))
                .await,
            row(&sim, "four at a time", tenths().deadline_after(millis(450)).workers(workers(4))).await,
            row(&sim, "some take too long", mixed().deadline_after(3 * second)).await,
            row(&sim, "some take too long, and are cut", mixed().deadline_after(3 * second).item_timeout(millis(200)))
                .await,
            row(&sim, "as many as it takes", tenths().deadline_after(millis(500)).workers_to_meet(workers(16))).await,
        ]
    })
}

async fn row(sim: &Sim, what: &'static str, set: Work<impl wakeful::work::Source<Item = Duration>>) -> Row {
    let report = set.run(&Scope::new(sim.time()), task, Count::new()).await;
    let elapsed = report.elapsed();
    let Report { count, not_started, .. } = report;
    Row { what, count, not_started: not_started.expect("it is known how many there are"), elapsed }
}

/// Jobs of different urgency, of which there are more than there is time for, and one that comes later. The smallest rank goes first.
pub(crate) fn urgent_first() -> (Vec<&'static str>, usize) {
    sim::run(|sim| async move {
        let (scope, time, second) = (Scope::new(sim.time()), sim.time(), Duration::from_secs(1));
        let (tx, rx) = queue::priority(workers(10));
        for job in [(3, "letters"), (1, "fire"), (2, "tea"), (1, "flood"), (3, "filing")] {
            tx.try_send(job).expect("there is room");
        }
        sim.spawn("late", async move {
            time.sleep(second).await;
            tx.send((1, "burglar")).await.expect("somebody works");
        });
        let body = |job: Lease<(u32, &'static str)>| async move {
            wakeful::sleep(2 * second).await;
            Ok::<_, ()>(job.1)
        };
        let mut all = Collect::new();
        let report = work(rx).deadline_after(10 * second).run(&scope, body, &mut all).await;
        (all.into_results(), report.rest.len())
    })
}

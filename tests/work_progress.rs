//! Batch work that says how far it has come.

use std::num::NonZeroU64;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim;
use wakeful::work::{Collect, Count, Lease, Progress, Progressing, work};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Takes 10 ms; every fifth fails.
async fn body(item: Lease<u64>) -> Result<u64, ()> {
    wakeful::sleep(ms(10)).await;
    if *item % 5 == 4 { Err(()) } else { Ok(*item) }
}

#[test]
fn it_is_told_after_each_item_or_so_many_or_a_period_and_at_the_end() {
    sim::check(|sim| async move {
        let (scope, three) = (Scope::new(sim.time()), NonZeroU64::new(3).unwrap());
        for (every, period, expected) in [
            (None, None, (1..=10).collect::<Vec<_>>()),
            (Some(three), None, vec![3, 6, 9, 10]),
            (None, Some(ms(40)), vec![4, 8, 10]),
            (Some(three), Some(ms(40)), vec![3, 6, 9, 10]),
            (Some(three), Some(ms(20)), vec![2, 4, 6, 8, 10]),
            (None, Some(Duration::ZERO), (1..=10).collect()),
            (None, Some(Duration::MAX), vec![10]),
        ] {
            let mut told = Vec::new();
            let mut sink = Progressing::new(&sim.time(), Collect::new(), |progress: &Progress| {
                assert_eq!(progress.elapsed, ms(10 * progress.count.total()));
                assert_eq!(progress.remaining, Some(10 - progress.count.total()));
                told.push(progress.count.total());
            })
            .total(10);
            if let Some(every) = every {
                sink = sink.every(every);
            }
            if let Some(period) = period {
                sink = sink.every_period(period);
            }
            let report = work(0..10).run(&scope, body, &mut sink).await;
            assert_eq!(sink.progress().count, report.count);
            assert_eq!((sink.into_sink().as_slice().len(), told), (10, expected), "{every:?} {period:?}");
        }
    });
}

#[test]
fn the_time_left_is_told_by_the_mean_so_far() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let mut lines = Vec::new();
        let sink = Progressing::new(&sim.time(), Count::new(), |progress: &Progress| {
            lines.push((progress.to_string(), progress.time_left()));
        });
        assert_eq!(sink.progress().time_left(), None);
        // More end than were said to come.
        let sink = sink.total(4).every(NonZeroU64::new(2).unwrap());
        work(0..5).run(&scope, body, sink).await;
        let line = |done: u32, left: u32, at: u32| {
            format!(
                "{done} done, 0 failed, 0 panicked, 0 timed out, 0 cancelled, 0 skipped, {left} to go after 0.0{at}s"
            )
        };
        assert_eq!(lines, [(line(2, 2, 20), Some(ms(20))), (line(4, 0, 40), Some(ms(0)))]);
    });
}

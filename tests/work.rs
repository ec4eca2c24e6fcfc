//! Batch work: exact instants, every item accounted for.

use core::num::NonZeroUsize;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim;
use wakeful::time::Time;
use wakeful::work::{Collect, Count, Ended, ItemOutcome, Lease, Stop, work};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// A body that takes as long as its item says.
fn takes(time: &Time) -> impl Fn(Lease<Duration>) -> core::pin::Pin<Box<dyn Future<Output = Result<(), ()>> + Send>> {
    let time = time.clone();
    move |item| {
        let sleep = time.sleep(*item);
        Box::pin(async move {
            let _item = item;
            sleep.await;
            Ok(())
        })
    }
}

#[test]
fn twenty_tasks_one_after_another_against_a_deadline() {
    sim::check(|sim| async move {
        let time = sim.time();
        for (deadline, min, done, cancelled, left, end) in [
            (ms(1000), ms(10), 10, 0, 10, ms(1000)),
            (ms(999), ms(10), 9, 1, 10, ms(999)),
            (ms(950), ms(100), 9, 0, 11, ms(900)),
        ] {
            let scope = Scope::new(time.clone());
            let report = work(vec![ms(100); 20])
                .deadline_after(deadline)
                .min_time(min)
                .run(&scope, takes(&time), Count::new())
                .await;
            assert_eq!((report.count.done, report.count.cancelled), (done, cancelled), "{report}");
            assert_eq!(report.pulled(), done + cancelled);
            assert_eq!(report.not_started, Some(left));
            assert_eq!(report.rest.len(), left);
            assert_eq!(report.elapsed(), end);
            assert_eq!(report.stop, Stop::OutOfTime);
        }
    });
}

#[test]
fn a_closure_is_a_sink() {
    sim::check(|sim| async move {
        let time = sim.time();
        let scope = Scope::new(time.clone());
        let mut seen = Vec::new();
        let sink = |ended: Ended<Duration, (), ()>| seen.push((ended.index, ended.worker, ended.outcome));
        work([ms(10), ms(5)]).workers(n(2)).run(&scope, takes(&time), sink).await;
        assert_eq!(seen, [(1, Some(1), ItemOutcome::Done(())), (0, Some(0), ItemOutcome::Done(()))]);
        let mut all = Collect::new();
        work([ms(10), ms(5)]).workers(n(2)).run(&scope, takes(&time), &mut all).await;
        assert_eq!(all.as_slice().len(), 2);
    });
}

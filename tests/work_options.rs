//! Batch work: what a run is told, to the nanosecond.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::time::Duration;
use wakeful::cancel::{Reason, Scope};
use wakeful::sim;
use wakeful::sync::watch;
use wakeful::work::{Collect, Count, Ended, ItemOutcome, Lease, OnError, Stop, work};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// Sleeps as many milliseconds as its item says; then an odd one fails, and 13 panics.
async fn body(item: Lease<u64>) -> Result<(), u64> {
    wakeful::sleep(ms(*item)).await;
    assert_ne!(*item, 13, "unlucky");
    if *item % 2 == 1 { Err(*item) } else { Ok(()) }
}

#[test]
fn the_first_error_stops_what_it_is_to_stop() {
    sim::check(|sim| async move {
        // Two workers; the third item fails at 15 ms, while the fourth runs.
        for (on_error, done, cancelled, left, end, stop) in [
            (OnError::Collect, 5, 0, 0, 50, Stop::Exhausted),
            (OnError::StopStarting, 3, 0, 2, 30, Stop::Failed { index: 2 }),
            (OnError::CancelRest, 2, 1, 2, 15, Stop::Failed { index: 2 }),
        ] {
            let scope = Scope::new(sim.time());
            let set = work([10, 10, 5, 20, 20, 20]).workers(n(2)).on_error(on_error);
            let report = set.run(&scope, body, Count::new()).await;
            let count = report.count;
            assert_eq!(
                (count.done, count.failed, count.cancelled, report.not_started),
                (done, 1, cancelled, Some(left))
            );
            assert_eq!((report.elapsed(), &report.stop), (ms(end), &stop), "{on_error:?}");
            assert!(!scope.cancel_called(), "the caller's scope is not concerned");
        }
        assert_eq!(Stop::Failed { index: 2 }.to_string(), "item 2 failed");
    });
}

#[test]
fn a_panic_and_a_timeout_are_errors_and_a_cancelled_item_is_none() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let set = || work([10, 13, 20, 20]).workers(n(2)).on_error(OnError::CancelRest);
        let report = set().run(&scope, body, Count::new()).await;
        assert_eq!((report.count.done, report.count.panicked, report.count.cancelled), (1, 1, 1));
        assert_eq!((&report.stop, report.elapsed()), (&Stop::Failed { index: 1 }, ms(13)));
        let report = set().item_timeout(ms(12)).run(&scope, body, Count::new()).await;
        assert_eq!((report.count.timed_out, report.count.cancelled), (1, 1));
        assert_eq!((&report.stop, report.elapsed(), report.not_started), (&Stop::Failed { index: 1 }, ms(12), Some(1)));
        let report = set().deadline_after(ms(12)).run(&scope, body, Count::new()).await;
        assert_eq!((report.count.done, report.count.cancelled, report.stop), (1, 2, Stop::OutOfTime));
    });
}

#[test]
fn of_several_errors_at_one_instant_the_first_is_named_and_each_is_told() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let mut all = Collect::new();
        let set = work([11, 11, 11, 20]).workers(n(4)).on_error(OnError::CancelRest);
        let report = set.run(&scope, body, &mut all).await;
        assert_eq!((report.count.failed, report.count.cancelled, report.elapsed()), (3, 1, ms(11)));
        let first = all.as_slice()[0].index;
        assert_eq!(report.stop, Stop::Failed { index: first });
    });
}

#[test]
fn workers_follow_what_is_said_from_that_instant_on() {
    sim::check(|sim| async move {
        let (scope, time) = (Scope::new(sim.time()), sim.time());
        let (width, says) = watch::channel(n(3));
        let resizer = sim.spawn("resizer", async move {
            for to in [1, 4] {
                time.sleep(ms(25)).await;
                width.send(n(to)).unwrap();
            }
        });
        let starts = RefCell::new(Vec::new());
        let body = |_: Lease<u64>| {
            starts.borrow_mut().push(scope.now().as_nanos() / 1_000_000);
            async {
                wakeful::sleep(ms(10)).await;
                Ok::<_, ()>(())
            }
        };
        // One worker is set, to no effect.
        let report = work(0..16).workers(n(1)).workers_follow(says).run(&scope, body, Count::new()).await;
        resizer.await;
        let expected = [0, 0, 0, 10, 10, 10, 20, 20, 20, 30, 40, 50, 50, 50, 50, 60];
        assert_eq!((starts.take(), report.elapsed()), (expected.to_vec(), ms(70)));
        assert_eq!((report.count.done, report.per_worker.len()), (16, 4));
    });
}

#[test]
fn a_grace_is_for_what_runs_at_the_runs_own_deadline_and_for_that_alone() {
    sim::check(|sim| async move {
        for (grace, own, (done, cancelled), end) in [
            (ms(0), None, (2, 1), ms(25)),
            (ms(4), None, (2, 1), ms(29)),
            (ms(5), None, (3, 0), ms(30)),
            (Duration::MAX, None, (3, 0), ms(30)),
            // The scope's own deadline is where it is.
            (ms(50), Some(ms(22)), (2, 1), ms(22)),
            (ms(50), Some(ms(27)), (2, 1), ms(27)),
        ] {
            let scope = Scope::new(sim.time());
            if let Some(own) = own {
                scope.set_deadline(sim.now() + own);
            }
            let set = work([10; 9]).deadline_after(ms(25)).grace(grace);
            let report = set.run(&scope, body, Count::new()).await;
            assert_eq!((report.count.done, report.count.cancelled), (done, cancelled), "{grace:?} {report}");
            assert_eq!((report.elapsed(), report.stop, report.not_started), (end, Stop::OutOfTime, Some(6)));
        }
    });
}

#[test]
fn a_run_that_waits_for_its_source_ends_when_nothing_may_start_any_more() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let (_tx, rx) = wakeful::queue::bounded::<u64>(n(1));
        let report = work(rx).deadline_after(ms(25)).grace(ms(100)).run(&scope, body, Count::new()).await;
        assert_eq!((report.elapsed(), report.stop), (ms(25), Stop::OutOfTime), "there is nothing to be graceful for");
    });
}

#[test]
fn nothing_is_started_for_which_the_time_that_others_took_is_not_left() {
    sim::check(|sim| async move {
        for (percent, after, deadline, done, cancelled) in [
            // Nine take 10 ms and one 40, which is 130 together: half of them are done within 10, all within 40. The buckets
            // end at 10.5 ms and at 41.9.
            (50, 10, ms(190), 15, 0),
            (100, 10, ms(190), 12, 0),
            (255, 10, ms(190), 12, 0),
            // Not enough have ended to say anything.
            (100, 100, ms(195), 16, 1),
        ] {
            let scope = Scope::new(sim.time());
            let items = [10, 10, 10, 10, 40, 10, 10, 10, 10, 10].into_iter().chain(core::iter::repeat_n(10, 20));
            let set = work(items).deadline_after(deadline).min_time_observed(percent, after);
            let body = |item: Lease<u64>| async move {
                wakeful::sleep(ms(*item)).await;
                Ok::<_, ()>(())
            };
            let report = set.run(&scope, body, Count::new()).await;
            let got = (report.count.done, report.count.cancelled);
            assert_eq!(got, (done, cancelled), "{percent} % after {after}: {report}");
            assert_eq!(report.stop, Stop::OutOfTime);
        }
    });
}

#[test]
fn as_many_workers_as_it_takes_and_no_more() {
    sim::check(|sim| async move {
        for (items, most, deadline, workers) in [(100, 50, ms(300), 4), (100, 3, ms(300), 3), (100, 50, ms(5000), 1)] {
            let scope = Scope::new(sim.time());
            let set = work(vec![10; items]).deadline_after(deadline).workers_to_meet(n(most));
            let report = set.run(&scope, body, Count::new()).await;
            assert_eq!(report.per_worker.len(), workers, "{report}");
            assert_eq!(report.is_complete(), most > 3, "{report}");
        }
        // No deadline to be met: as many as were set.
        let scope = Scope::new(sim.time());
        let report = work([10; 6]).workers(n(2)).workers_to_meet(n(6)).run(&scope, body, Count::new()).await;
        assert_eq!((report.elapsed(), report.per_worker), (ms(30), vec![3, 3]));
    });
}

#[test]
fn an_outcome_knows_whether_it_is_an_error() {
    type Outcome = ItemOutcome<u8, (), ()>;
    let errors = [
        Outcome::Failed { error: (), item: None },
        Outcome::Panicked { message: String::new(), item: None },
        Outcome::TimedOut { item: None },
    ];
    let others = [Outcome::Done(()), Outcome::Cancelled { item: None }, Outcome::Skipped { item: 1 }];
    assert!(errors.iter().all(ItemOutcome::is_error) && !others.iter().any(ItemOutcome::is_error));
    let _: fn(Ended<u8, (), ()>) -> Outcome = |ended| ended.outcome;
}

#[test]
fn j_in_a_scope_that_winds_down_nothing_is_pulled_and_what_runs_has_the_grace() {
    sim::check(|sim| async move {
        for (spawned, grace, done, cancelled, end) in
            [(false, 100, 6, 0, 20), (false, 2, 3, 3, 17), (true, 100, 6, 0, 20), (true, 2, 3, 3, 17)]
        {
            let (scope, start) = (Scope::new(sim.time()), sim.now());
            sim.spawn("ender", {
                let (scope, sleep) = (scope.clone(), sim.time().sleep(ms(15)));
                async move {
                    sleep.await;
                    assert!(scope.cancel_with_grace(Reason::shutdown(), ms(grace)));
                }
            });
            let set = work(vec![10; 10]).workers(n(3));
            let report = match spawned {
                false => set.run(&scope, body, Count::new()).await,
                true => set.run_on(sim.spawner(), &scope, body, Count::new()).await.0,
            };
            assert_eq!((report.count.done, report.count.cancelled, report.not_started), (done, cancelled, Some(4)));
            assert_eq!((report.stop, sim.now() - start), (Stop::Draining(Reason::shutdown()), ms(end)));
        }
        // One that waits for its source is told; one that begins later pulls nothing.
        let (scope, (_tx, rx)) = (Scope::new(sim.time()), wakeful::queue::bounded::<u64>(n(1)));
        sim.spawn("ender", {
            let scope = scope.clone();
            async move { assert!(scope.cancel_with_grace("enough", ms(50))) }
        });
        let report = work(rx).run(&scope, body, Count::new()).await;
        assert_eq!((report.elapsed(), &report.stop), (ms(0), &Stop::Draining("enough".into())));
        let report = work([1, 2]).run(&scope, body, Count::new()).await;
        assert_eq!((report.stop, report.not_started), (Stop::Draining("enough".into()), Some(2)));
    });
}

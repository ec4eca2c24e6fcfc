//! Batch work: exact instants, every item accounted for.

use futures::StreamExt;
use futures::future::{Either, select};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{pending, poll_fn, ready};
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wakeful::cancel::{Reason, Scope};
use wakeful::limit::{Limiter, Quota};
use wakeful::queue;
use wakeful::sim::{self, Builder, Rng, Sim};
use wakeful::spawn::block_on;
use wakeful::sync::watch;
use wakeful::time::{Instant, ManualClock, Time};
use wakeful::work::{Collect, Count, Ended, ItemOutcome, Lease, OnError, Sink, Stop, work};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

type Boxed = Pin<Box<dyn Future<Output = Result<(), ()>> + Send>>;

/// A body that takes as long as its item says.
fn takes(time: &Time) -> impl Fn(Lease<Duration>) -> Boxed + use<> {
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
            (ms(1000), ms(100), 10, 0, 10, ms(1000)),
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

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn source_body_and_sink_may_borrow_and_the_run_is_send() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let words = ["a".to_owned(), "bc".to_owned()];
        let (lengths, mut ended) = (Mutex::new(Vec::new()), 0);
        let run = work(&words).run(
            &scope,
            |word| {
                let lengths = &lengths;
                async move {
                    wakeful::sleep(ms(1)).await;
                    lengths.lock().unwrap().push(word.len());
                    Ok::<_, ()>(())
                }
            },
            |_: Ended<_, _, _>| ended += 1,
        );
        let report = assert_send(run).await;
        assert_eq!((report.count.done, ended), (2, 2));
        assert_eq!(*lengths.lock().unwrap(), [1, 2]);
    });
}

#[test]
fn fifty_tasks_on_four_workers() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let report = work(vec![ms(50); 50]).workers(n(4)).run(&scope, takes(&sim.time()), Count::new()).await;
        assert_eq!(report.count.done, 50);
        assert_eq!(report.elapsed(), ms(650));
        assert_eq!(report.per_worker, [13, 13, 12, 12]);
        assert_eq!((report.stop.clone(), report.not_started), (Stop::Exhausted, Some(0)));
        assert!(report.is_complete());
    });
}

#[test]
fn a_thousand_tasks_through_a_queue_of_a_hundred() {
    Builder::new().runs(8).check(|sim| async move {
        let (tx, rx) = queue::bounded(n(100));
        let highest = std::sync::Arc::new(AtomicUsize::new(0));
        let high = highest.clone();
        sim.spawn("producer", async move {
            for _ in 0..1000 {
                tx.send(ms(1000)).await.unwrap();
                high.fetch_max(tx.len(), Ordering::Relaxed);
            }
        });
        let scope = Scope::new(sim.time());
        let report = work(rx).workers(n(50)).run(&scope, takes(&sim.time()), Count::new()).await;
        assert_eq!(report.count.done, 1000);
        assert_eq!(report.elapsed(), ms(20_000));
        assert!(report.rest.is_drained());
        assert_eq!(highest.load(Ordering::Relaxed), 100);
    });
}

#[test]
fn three_workers_on_a_closed_queue() {
    sim::check(|sim| async move {
        let (tx, rx) = queue::bounded(n(5));
        for _ in 0..5 {
            tx.try_send(ms(10)).unwrap();
        }
        tx.close();
        let scope = Scope::new(sim.time());
        let report = work(rx).workers(n(3)).run(&scope, takes(&sim.time()), Count::new()).await;
        assert_eq!(report.per_worker, [2, 2, 1]);
        assert_eq!(report.elapsed(), ms(20));
    });
}

/// What the item says, and how it ends.
#[derive(Clone, Debug, PartialEq)]
enum Job {
    Normal(u64),
    Failing,
    Panicking,
}

async fn job(time: Time, job: Lease<Job>) -> Result<u64, &'static str> {
    match *job {
        Job::Normal(s) => {
            time.sleep(ms(1000 * s)).await;
            Ok(s)
        }
        Job::Failing => Err("failed"),
        Job::Panicking => panic!("panicked"),
    }
}

#[test]
fn four_tasks_end_in_four_places() {
    let run = |sim: Sim| async move {
        let scope = Scope::new(sim.time());
        let jobs = [Job::Normal(1), Job::Normal(1000), Job::Failing, Job::Panicking];
        let mut all = Collect::new();
        let report =
            work(jobs).item_timeout(ms(10_000)).run(&scope, |lease| job(scope.time().clone(), lease), &mut all).await;
        assert_eq!(
            report.to_string(),
            "1 done, 1 failed, 1 panicked, 1 timed out, 0 cancelled, 0 skipped, \
             0 not started in 11.000000000s (the source is exhausted)"
        );
        assert_eq!(
            all.into_outcomes(),
            [
                ItemOutcome::Done(1),
                ItemOutcome::TimedOut { item: Some(Job::Normal(1000)) },
                ItemOutcome::Failed { error: "failed", item: Some(Job::Failing) },
                ItemOutcome::Panicked { message: "panicked".into(), item: Some(Job::Panicking) },
            ]
        );
    };
    Builder::new().runs(8).check(run);
}

fn below(rng: &mut Rng, n: usize) -> u64 {
    rng.below(n) as u64
}

/// A world in which much happens: a producer, workers, a rate, errors, panics, timeouts, deadlines, a cancel, bodies that
/// take their item. Every item that was made is accounted for.
async fn much(sim: Sim) -> String {
    let mut rng = sim.rng();
    let (items, workers) = (below(&mut rng, 60), 1 + below(&mut rng, 8) as usize);
    let (tx, rx) = queue::bounded(n(1 + below(&mut rng, 5) as usize));
    let sending = sim.clone();
    let producer = sim.spawn("producer", async move {
        let mut rng = sending.rng();
        for item in 0..items {
            if below(&mut rng, 3) == 0 {
                sending.time().sleep(ms(below(&mut rng, 20))).await;
            }
            if tx.send(item).await.is_err() {
                return item;
            }
        }
        items
    });
    let scope = Scope::new(sim.time());
    let (cancelled, time, when) = (scope.clone(), sim.time(), below(&mut rng, 400));
    sim.spawn("canceller", async move {
        time.sleep(ms(when)).await;
        if when % 3 == 0 {
            cancelled.cancel("by chance");
        }
    });
    let mut setup = work(rx).workers(n(workers)).min_time(ms(50 * below(&mut rng, 2)));
    if below(&mut rng, 2) == 0 {
        setup = setup.item_timeout(ms(below(&mut rng, 30)));
    }
    if below(&mut rng, 2) == 0 {
        setup = setup.deadline_after(ms(below(&mut rng, 300)));
    }
    if below(&mut rng, 2) == 0 {
        setup = setup.rate(&Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(200).unwrap())));
    }
    if below(&mut rng, 4) == 0 {
        setup = setup.on_error([OnError::StopStarting, OnError::CancelRest][below(&mut rng, 2) as usize]);
    }
    if below(&mut rng, 3) == 0 {
        setup = setup.grace(ms(below(&mut rng, 30))).min_time_observed(80, 3);
    }
    let mut most = workers;
    if below(&mut rng, 3) == 0 {
        let widths = [0; 3].map(|_| 1 + below(&mut rng, 8) as usize);
        most = widths.into_iter().max().unwrap();
        let (width, says) = watch::channel(n(widths[0]));
        setup = setup.workers_follow(says);
        let time = sim.time();
        sim.spawn("resizer", async move {
            for to in &widths[1..] {
                time.sleep(ms(40)).await;
                width.send(n(*to)).ok();
            }
        });
    } else if below(&mut rng, 3) == 0 {
        most = 8;
        setup = setup.workers_to_meet(n(8)).workers(n(workers));
    }
    let (taken, time) = (RefCell::new(BTreeSet::new()), sim.time());
    let mut all = Collect::new();
    let chance = RefCell::new(rng);
    let report = setup
        .run(
            &scope,
            |lease: Lease<u64>| {
                let draws = [0; 4].map(|_: u64| below(&mut chance.borrow_mut(), 1000));
                let (time, taken) = (time.clone(), &taken);
                async move {
                    let item = *lease;
                    let _held = if draws[0] < 300 {
                        taken.borrow_mut().insert(lease.take());
                        None
                    } else {
                        Some(lease)
                    };
                    if draws[1] < 700 {
                        time.sleep(ms(draws[1] / 20)).await;
                    }
                    match draws[2] {
                        0..100 => panic!("item {item}"),
                        100..300 => Err(item),
                        _ => Ok(item),
                    }
                }
            },
            &mut all,
        )
        .await;
    let mut left = report.rest.shutdown().len() as u64;
    let sent = producer.await;
    left += report.rest.shutdown().len() as u64;
    assert_eq!(report.pulled() + left, sent, "{report}");
    sim.time().sleep(ms(400)).await;

    let mut count = Count::new();
    let mut seen = BTreeSet::new();
    for ended in all.as_slice() {
        assert!(seen.insert(ended.index), "told once");
        count.accept(ended.clone());
        let out = taken.borrow().contains(&ended.index);
        match &ended.outcome {
            ItemOutcome::Done(item) => assert_eq!(*item, ended.index),
            ItemOutcome::Skipped { item } => assert_eq!(*item, ended.index),
            other => assert_eq!(other.clone().into_item(), Some(ended.index).filter(|_| !out), "{other:?}"),
        }
    }
    assert_eq!(count, report.count);
    assert_eq!(seen, (0..report.pulled()).collect());
    let given: u64 = report.per_worker.iter().sum();
    assert_eq!(given + count.skipped, report.pulled());
    assert!(report.per_worker.len() <= most.max(workers));
    format!("{report} {report:?} {all:?}")
}

#[test]
fn every_item_is_in_exactly_one_place() {
    let summary = Builder::new().runs(2000).repeat_every(50).check(|sim| async move {
        much(sim).await;
    });
    assert!(2 * summary.traces > summary.runs as usize);
}

#[test]
fn the_same_seed_gives_the_same_report_to_the_byte() {
    let run = |seed| Builder::new().seed(seed).run(much).unwrap();
    let reports: Vec<_> = (0..20).map(run).collect();
    assert_eq!(reports, (0..20).map(run).collect::<Vec<_>>());
    let hashes: BTreeSet<u64> = reports.iter().map(|report| report.hash).collect();
    assert!(hashes.len() > 1);
}

#[test]
fn a_permit_is_taken_before_each_item_and_none_in_vain() {
    sim::check(|sim| async move {
        let time = sim.time();
        let ten = Quota::per_second(NonZeroU32::new(10).unwrap());
        let starts = RefCell::new(Vec::new());
        let body = |_: Lease<i32>| {
            starts.borrow_mut().push(time.now().as_nanos() / 1_000_000);
            ready(Ok::<_, ()>(()))
        };
        let scope = Scope::new(time.clone());
        let report = work(0..5).workers(n(3)).rate(&Limiter::new(&time, ten)).run(&scope, body, Count::new()).await;
        assert_eq!(starts.take(), [0, 100, 200, 300, 400]);
        assert_eq!((report.count.done, report.elapsed()), (5, ms(400)), "no permit is waited for at the end");

        // The permit of t + 300 ms would come too late: the run ends when that is clear, not at its deadline.
        let set = work(0..5).rate(&Limiter::new(&time, ten)).deadline_after(ms(300));
        let report = set.run(&scope, body, Count::new()).await;
        assert_eq!((report.count.done, report.elapsed(), report.not_started), (3, ms(200), Some(2)));
        assert_eq!((report.stop, report.rest), (Stop::OutOfTime, 3..5));
    });
}

#[test]
fn a_permit_is_waited_for_until_the_last_instant_at_which_an_item_may_start() {
    sim::check(|sim| async move {
        let ten = Quota::per_second(NonZeroU32::new(10).unwrap());
        let nano = Duration::from_nanos(1);
        let body = |_: Lease<i32>| ready(Ok::<_, ()>(()));
        for (least, deadline, done) in [
            (ms(100), ms(300), 3),
            (ms(100), ms(300) - nano, 2),
            (Duration::ZERO, ms(200) + nano, 3),
            (Duration::ZERO, ms(200), 2),
        ] {
            let (scope, limiter) = (Scope::new(sim.time()), Limiter::new(&sim.time(), ten));
            let set = work(0..5).rate(&limiter).min_time(least).deadline_after(deadline);
            let report = set.run(&scope, body, Count::new()).await;
            assert_eq!((report.count.done, report.stop), (done, Stop::OutOfTime), "{least:?} of {deadline:?}");
        }
    });
}

#[test]
fn a_permit_is_asked_for_anew_when_the_deadline_moves() {
    sim::check(|sim| async move {
        let (time, scope) = (sim.time(), Scope::new(sim.time()));
        let limiter = Limiter::new(&time, Quota::per_second(NonZeroU32::new(10).unwrap()));
        let (handle, t) = (scope.clone(), time.clone());
        sim.spawn("mover", async move {
            t.sleep(ms(20)).await;
            handle.set_deadline(t.now() + ms(30));
        });
        let body = |_: Lease<i32>| ready(Ok::<_, ()>(()));
        let report = work(0..5).rate(&limiter).run(&scope, body, Count::new()).await;
        assert_eq!((report.count.done, report.elapsed(), report.stop), (1, ms(20), Stop::OutOfTime));
    });
}

#[test]
fn timeouts_and_deadlines_to_the_nanosecond() {
    sim::check(|sim| async move {
        let time = sim.time();
        // (takes, timeout, deadline) give (done, timed out, cancelled) at an instant.
        for (takes_ms, timeout, deadline, expected) in [
            (100, ms(100), ms(1000), ((1, 0, 0), ms(100))),
            (100, ms(100) - Duration::from_nanos(1), ms(1000), ((0, 1, 0), ms(100) - Duration::from_nanos(1))),
            (100, ms(1000), ms(99), ((0, 0, 1), ms(99))),
            (100, ms(1000), ms(100), ((1, 0, 0), ms(100))),
            (100, ms(50), ms(50), ((0, 1, 0), ms(50))),
            (100, Duration::ZERO, ms(50), ((0, 1, 0), ms(0))),
            (0, Duration::ZERO, ms(50), ((1, 0, 0), ms(0))),
            (100, Duration::MAX, Duration::MAX, ((1, 0, 0), ms(100))),
        ] {
            let scope = Scope::new(time.clone());
            let set = work([ms(takes_ms)]).item_timeout(timeout).deadline_after(deadline);
            let report = set.run(&scope, takes(&time), Count::new()).await;
            let count = report.count;
            assert_eq!(((count.done, count.timed_out, count.cancelled), report.elapsed()), expected, "{report}");
            assert_eq!(report.stop, Stop::Exhausted);
        }
    });
}

#[test]
fn items_without_any_time_are_cut_short_one_after_another_at_one_instant() {
    sim::check(|sim| async move {
        for workers in [1, 2] {
            let scope = Scope::new(sim.time());
            let body = |_: Lease<u32>| pending::<Result<(), ()>>();
            let set = work(0..5).workers(n(workers)).item_timeout(Duration::ZERO);
            let report = set.run(&scope, body, Count::new()).await;
            assert_eq!((report.count.timed_out, report.elapsed()), (5, Duration::ZERO), "{workers} workers");
        }
    });
}

#[test]
fn nothing_starts_too_late_or_in_a_cancelled_scope() {
    sim::check(|sim| async move {
        sim.advance(ms(10)).await;
        let scope = Scope::new(sim.time());
        let never = |_: Lease<i32>| -> std::future::Pending<Result<(), ()>> { unreachable!() };
        for at in [Instant::EPOCH, sim.now()] {
            let report = work(0..3).deadline_at(at).run(&scope, never, Count::new()).await;
            assert_eq!((report.pulled(), report.not_started, &report.stop), (0, Some(3), &Stop::OutOfTime));
            assert_eq!(report.elapsed(), ms(0));
        }
        let report = work(0..0).run(&scope, never, Count::new()).await;
        assert_eq!((report.pulled(), report.not_started, &report.stop), (0, Some(0), &Stop::Exhausted));
        assert!(report.is_complete() && report.per_worker.len() <= 1);

        let late = scope.child_at(sim.now());
        let report = work(0..3).run(&late, never, Count::new()).await;
        assert_eq!(report.stop, Stop::OutOfTime);
        scope.cancel("enough");
        let report = work(0..3).run(&scope.child(), never, Count::new()).await;
        assert_eq!((report.pulled(), report.rest), (0, 0..3));
        assert_eq!(report.stop, Stop::Cancelled(Reason::from("enough")));
    });
    assert!(NonZeroUsize::try_from(0).is_err(), "no workers is a value that can't be made");
}

#[test]
fn a_scope_that_ends_around_the_run_leaves_its_report() {
    sim::check(|sim| async move {
        let time = sim.time();
        let scope = Scope::new(time.clone());
        let body = takes(&time);
        let report = scope
            .move_on_after(ms(250), async |s| work(vec![ms(100); 5]).run(s, &body, Count::new()).await)
            .await
            .done()
            .unwrap();
        assert_eq!((report.count.done, report.count.cancelled, report.not_started), (2, 1, Some(2)));
        assert_eq!((report.elapsed(), report.stop), (ms(250), Stop::OutOfTime));

        let child = scope.child();
        let (handle, t) = (child.clone(), time.clone());
        sim.spawn("canceller", async move {
            t.sleep(ms(150)).await;
            handle.cancel("enough");
        });
        let outcome = child.run(work(vec![ms(100); 5]).run(&child, &body, Count::new())).await;
        let report = outcome.done().unwrap();
        assert_eq!((report.count.done, report.count.cancelled, report.not_started), (1, 1, Some(3)));
        assert_eq!((report.elapsed(), report.stop), (ms(150), Stop::Cancelled(Reason::from("enough"))));
    });
}

#[test]
fn a_deadline_may_move_while_the_run_goes_on() {
    sim::check(|sim| async move {
        let time = sim.time();
        for (set_at, to, done, end) in [(50, 350, 3, 350), (50, 120, 1, 120), (220, 240, 2, 240), (50, 1000, 10, 1000)]
        {
            let scope = Scope::new(time.clone());
            let (handle, t, started) = (scope.clone(), time.clone(), time.now());
            scope.set_deadline(started + ms(250));
            sim.spawn("mover", async move {
                t.sleep(ms(set_at)).await;
                handle.set_deadline(started + ms(to));
            });
            let report = work(vec![ms(100); 20]).run(&scope, takes(&time), Count::new()).await;
            assert_eq!((report.count.done, report.elapsed()), (done, ms(end)), "{set_at} {to}: {report}");
        }
    });
}

#[test]
fn what_is_nested_in_a_body_is_dropped_with_it() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let went_on = Cell::new(false);
        let body = |_: Lease<i32>| async {
            let _ = wakeful::move_on_after(ms(500), pending::<()>()).await;
            went_on.set(true);
            Ok::<_, ()>(())
        };
        let report = work(0..1).deadline_after(ms(100)).run(&scope, body, Count::new()).await;
        assert_eq!((report.count.cancelled, report.elapsed()), (1, ms(100)));
        assert!(!went_on.get(), "the outermost cancelled scope wins");
    });
}

/// A future whose drop panics, ready or not.
struct Bomb(bool);

impl Future for Bomb {
    type Output = Result<(), ()>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if self.0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_panic_anywhere_in_a_body_is_its_own_outcome() {
    let say = |outcome: &ItemOutcome<i32, (), ()>| match outcome {
        ItemOutcome::Panicked { message, item } => format!("{message} {item:?}"),
        other => format!("{other:?}"),
    };
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let mut all = Collect::new();
        let made = |item: Lease<i32>| -> std::future::Ready<Result<(), ()>> {
            match *item {
                0 => panic!("made"),
                1 => std::panic::panic_any(17),
                _ => ready(Ok(())),
            }
        };
        work(0..3).run(&scope, made, &mut all).await;
        let said: Vec<_> = all.into_outcomes().iter().map(say).collect();
        assert_eq!(said, ["made Some(0)", "a panic without a text Some(1)", "Done(())"]);

        let mut all = Collect::new();
        let dropped = |item: Lease<i32>| Bomb(item.take() == 0);
        let report = work(0..3).workers(n(3)).deadline_after(ms(5)).run(&scope, dropped, &mut all).await;
        assert_eq!((report.count.panicked, report.elapsed()), (3, ms(5)));
        assert!(all.into_outcomes().iter().all(|outcome| say(outcome) == "dropped None"));
    });
}

#[test]
fn a_run_dropped_half_way_drops_its_bodies_and_their_items() {
    let scope = Scope::new(ManualClock::new().time());
    let item = Rc::new(());
    let items = vec![item.clone(), item.clone(), item.clone()];
    {
        let body = |lease: Lease<Rc<()>>| async move {
            let _bomb = Bomb(false);
            let _lease = lease;
            pending::<Result<(), ()>>().await
        };
        let mut run = pin!(work(items).workers(n(2)).run(&scope, body, Count::new()));
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(Rc::strong_count(&item), 4);
    }
    assert_eq!(Rc::strong_count(&item), 1);
}

#[test]
fn a_panic_of_the_sink_goes_through_and_leaves_nothing_behind() {
    let scope = Scope::new(ManualClock::new().time());
    let item = Rc::new(());
    let items = [(true, item.clone()), (false, item.clone()), (true, item.clone())];
    let body = |lease: Lease<(bool, Rc<()>)>| async move { if lease.0 { pending().await } else { Ok::<(), ()>(()) } };
    let sink = |_: Ended<_, (), ()>| panic!("sink");
    let run = work(items).workers(n(2)).run(&scope, body, sink);
    let panic = catch_unwind(AssertUnwindSafe(|| block_on(run))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"sink"));
    assert_eq!(Rc::strong_count(&item), 1);
}

#[test]
fn a_lease_that_outlives_its_body_brings_nothing_back() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let (kept, mut all) = (RefCell::new(Vec::new()), Collect::new());
        let body = |lease: Lease<i32>| {
            let even = *lease % 2 == 0;
            let mut kept = kept.borrow_mut();
            if even {
                kept.push(lease)
            } else {
                kept.clear()
            }
            ready(Err::<(), _>(even))
        };
        work(0..4).run(&scope, body, &mut all).await;
        let expected = [None, Some(1), None, Some(3)].map(|item| ItemOutcome::Failed { error: item.is_none(), item });
        assert_eq!(all.into_outcomes(), expected);
    });
}

#[test]
fn a_wake_up_polls_the_one_worker_that_it_is_for() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let polls = Cell::new(0);
        let body = |item: Lease<u64>| {
            let mut sleep = Box::pin(sim.time().sleep(ms(*item)));
            let polls = &polls;
            poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                sleep.as_mut().poll(cx).map(Ok::<_, ()>)
            })
        };
        let report = work(1..=200).workers(n(200)).run(&scope, body, Count::new()).await;
        assert_eq!((report.count.done, report.elapsed()), (200, ms(200)));
        assert_eq!(polls.get(), 400, "two for each item");
    });
}

#[test]
fn many_that_are_woken_at_once_are_all_polled() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let report = work(vec![ms(10); 1000]).workers(n(500)).run(&scope, takes(&sim.time()), Count::new()).await;
        assert_eq!((report.count.done, report.elapsed()), (1000, ms(20)));
    });
}

#[test]
fn bodies_that_wake_themselves_starve_neither_others_nor_the_source() {
    let scope = Scope::new(ManualClock::new().time());
    let twice = Cell::new(0);
    let body = |_: Lease<i32>| {
        let (twice, mut polls) = (&twice, 0);
        poll_fn(move |cx| {
            polls += 1;
            twice.set(twice.get() + i32::from(polls == 2));
            cx.waker().wake_by_ref();
            // All go on until the last item has been started and everybody was polled a second time.
            if twice.get() == 500 { Poll::Ready(Ok::<_, ()>(())) } else { Poll::Pending }
        })
    };
    let mut run = pin!(work(0..500).workers(n(500)).run(&scope, body, Count::new()));
    let mut cx = Context::from_waker(Waker::noop());
    let report = (0..100).find_map(|_| match run.as_mut().poll(&mut cx) {
        Poll::Ready(report) => Some(report),
        Poll::Pending => None,
    });
    assert_eq!(report.unwrap().count.done, 500);
}

#[test]
fn a_source_that_is_always_ready_lets_others_have_a_turn() {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time());
    let (done, mut turns) = (Cell::new(0u32), Vec::new());
    let body = |_: Lease<u32>| {
        done.set(done.get() + 1);
        ready(Ok::<_, ()>(()))
    };
    let mut run = pin!(work(0..10_000).workers(n(4)).run(&scope, body, Count::new()));
    let sibling = poll_fn(|cx| {
        turns.push(done.get());
        match run.as_mut().poll(cx) {
            Poll::Ready(report) => Poll::Ready(report),
            Poll::Pending => Poll::Pending,
        }
    });
    assert_eq!(block_on(sibling).count.done, 10_000);
    let most = turns.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(turns.len() > 70 && most <= 128, "{} turns, {most} items in one", turns.len());
}

#[test]
fn a_source_that_wakes_itself_until_others_had_a_turn_is_given_one() {
    sim::check(|sim| async move {
        // So do streams of tokio's that have used up their budget.
        let (turn, scope) = (Rc::new(Cell::new(false)), Scope::new(sim.time()));
        let had = turn.clone();
        let stream = futures::stream::poll_fn(move |cx| {
            if had.replace(false) {
                return Poll::Ready(Some(()));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let run = work(stream.take(3)).run(&scope, |_: Lease<()>| ready(Ok::<_, ()>(())), Count::new());
        let others = async {
            loop {
                turn.set(true);
                sim.yield_now().await;
            }
        };
        let Either::Left((report, _)) = select(pin!(run), pin!(others)).await;
        assert_eq!(report.count.done, 3);
    });
}

#[test]
fn a_body_that_always_wakes_itself_lets_others_have_a_turn() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let stop = std::sync::Arc::new(AtomicUsize::new(0));
        let seen = stop.clone();
        sim.spawn("sibling", async move { seen.store(1, Ordering::Relaxed) });
        let body = |_: Lease<i32>| {
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if stop.load(Ordering::Relaxed) == 1 { Poll::Ready(Ok::<_, ()>(())) } else { Poll::Pending }
            })
        };
        assert_eq!(work(0..3).workers(n(2)).run(&scope, body, Count::new()).await.count.done, 3);
    });
}

#[test]
fn an_item_that_was_pulled_too_late_is_skipped_and_given_back() {
    let clock = ManualClock::new();
    let scope = Scope::new(clock.time());
    let slow = (0..5).inspect(|_| clock.advance(ms(40)));
    let mut all = Collect::new();
    let body = |_: Lease<i32>| ready(Ok::<_, ()>(()));
    let report = block_on(work(slow).deadline_after(ms(100)).run(&scope, body, &mut all));
    assert_eq!((report.count.done, report.count.skipped, report.not_started), (2, 1, Some(2)));
    assert_eq!(all.into_outcomes()[2], ItemOutcome::Skipped { item: 2 });
}

/// A stream that is ready every other time.
struct Hesitant(std::ops::Range<i32>, bool);

impl futures_core::Stream for Hesitant {
    type Item = i32;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<i32>> {
        self.1 = !self.1;
        if self.1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.0.next())
    }
}

#[test]
fn a_stream_is_a_source_and_comes_back() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let body = |item: Lease<i32>| {
            if *item == 4 {
                scope.cancel("four");
            }
            ready(Ok::<_, ()>(()))
        };
        let report = work(Hesitant(0..10, false)).workers(n(3)).run(&scope, body, Count::new()).await;
        assert_eq!((report.count.done, report.not_started), (5, None));
        assert_eq!(report.rest.0, 5..10);
        let report = work(report.rest).run(&Scope::new(sim.time()), |_| ready(Err::<(), _>(())), Count::new()).await;
        assert_eq!((report.count.failed, report.not_started), (5, Some(0)));
    });
}

#[test]
fn a_body_that_is_ready_unasked_counts_before_it_is_cut_short() {
    sim::check(|sim| async move {
        let (time, scope) = (sim.time(), Scope::new(sim.time()));
        let end = |at: u64| move |now: Instant| now >= Instant::from_nanos(at * 1_000_000);
        let body = |item: Lease<u64>| {
            let (time, is_over) = (time.clone(), end(*item));
            // It registers nothing: nobody wakes it.
            poll_fn(move |_| if is_over(time.now()) { Poll::Ready(Ok::<_, ()>(())) } else { Poll::Pending })
        };
        let set = work([30, 50, 31, 51]).workers(n(2)).item_timeout(ms(30));
        let report = set.deadline_after(ms(50)).run(&scope, body, Count::new()).await;
        assert_eq!((report.count.done, report.count.timed_out, report.count.cancelled), (2, 1, 1), "{report}");
    });
}

#[test]
fn wake_ups_come_from_other_threads() {
    let scope = Scope::new(ManualClock::new().time());
    let (tx, rx) = std::sync::mpsc::channel::<(tokio::sync::oneshot::Sender<u64>, u64)>();
    let answering = std::thread::spawn(move || rx.iter().for_each(|(reply, item)| reply.send(item).unwrap()));
    let mut all = Collect::new();
    let body = |item: Lease<u64>| {
        let (reply, answer) = tokio::sync::oneshot::channel();
        tx.send((reply, *item)).unwrap();
        async move { answer.await.map(|answer| answer + *item) }
    };
    let report = block_on(work(0..5000).workers(n(100)).run(&scope, body, &mut all));
    assert_eq!(report.count.done, 5000);
    assert_eq!(all.into_results(), (0..5000).map(|item| 2 * item).collect::<Vec<u64>>());
    drop(tx);
    answering.join().unwrap();
}

#[test]
fn a_body_that_is_done_in_the_poll_after_a_cancel_makes_room_for_nothing() {
    sim::check(|sim| async move {
        for workers in [1, 2] {
            let (scope, begun) = (Scope::new(sim.time()), sim.now());
            let set = work(vec![ms(10); 10]).workers(n(workers));
            let mut run = pin!(set.run(&scope, takes(&sim.time()), Count::new()));
            let report = poll_fn(|cx| {
                if sim.now() >= begun + ms(10) {
                    scope.cancel("when the bodies are done");
                }
                run.as_mut().poll(cx)
            });
            let report = report.await;
            assert_eq!((report.count.done, report.pulled()), (workers as u64, workers as u64), "{report}");
            assert_eq!(report.stop, Stop::Cancelled("when the bodies are done".into()));
        }
    });
}

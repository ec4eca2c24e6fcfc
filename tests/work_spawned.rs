//! Batch work whose workers are tasks of their own.

use std::collections::BTreeSet;
use std::future::{pending, ready};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use wakeful::cancel::{Reason, Scope};
use wakeful::limit::{Limiter, Quota};
use wakeful::queue;
use wakeful::sim::{self, Builder, Rng, Sim};
use wakeful::spawn::{Spawn, Task};
use wakeful::sync::watch;
use wakeful::time::{Instant, ManualClock};
use wakeful::work::{Collect, Count, Ended, ItemOutcome, Lease, OnError, Sink, Source, Stop, work};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn n(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

/// Sleeps as many milliseconds as its item says; then an odd one fails, and 13 panics.
async fn body(item: Lease<u64>) -> Result<u64, u64> {
    wakeful::sleep(ms(*item)).await;
    assert_ne!(*item, 13, "unlucky");
    if *item % 2 == 1 { Err(*item) } else { Ok(*item) }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn the_report_is_that_of_a_run_in_place() {
    sim::check(|sim| async move {
        for (workers, timeout, deadline, min) in [
            (4, ms(1000), ms(1000), ms(0)),
            (4, ms(1000), ms(100), ms(0)),
            (3, ms(15), ms(95), ms(20)),
            (1, ms(1000), ms(95), ms(0)),
            (7, ms(1000), Duration::ZERO, ms(0)),
        ] {
            let scope = Scope::new(sim.time());
            let items = (0..30).map(|n| [10, 20, 14, 11][n % 4]).collect::<Vec<u64>>();
            let set =
                || work(items.clone()).workers(n(workers)).item_timeout(timeout).min_time(min).deadline_after(deadline);
            let mut here = Collect::new();
            let in_place = set().run(&scope, body, &mut here).await;
            let (spawned, there) = assert_send(set().run_on(sim.spawner(), &scope, body, Collect::new())).await;
            assert_eq!((spawned.count, spawned.not_started), (in_place.count, in_place.not_started), "{in_place}");
            assert_eq!((spawned.elapsed(), &spawned.stop), (in_place.elapsed(), &in_place.stop));
            assert_eq!(spawned.rest.as_slice(), in_place.rest.as_slice());
            assert_eq!(spawned.per_worker.iter().sum::<u64>(), in_place.pulled());
            assert_eq!(there.into_outcomes(), here.into_outcomes());
        }
    });
}

#[test]
fn a_scope_that_is_cancelled_ends_the_run_with_its_report() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let (stop, time) = (scope.clone(), sim.time());
        let canceller = sim.spawn("canceller", async move {
            time.sleep(ms(15)).await;
            stop.cancel("enough");
        });
        let run = work(vec![10; 20]).workers(n(3)).run_on(sim.spawner(), &scope, body, Count::new());
        let (report, count) = scope.run(run).await.done().expect("the report comes first");
        assert_eq!((report.count.done, report.count.cancelled, report.not_started), (3, 3, Some(14)));
        assert_eq!((report.elapsed(), &report.stop), (ms(15), &Stop::Cancelled(Reason::from("enough"))));
        assert_eq!(count, report.count);
        canceller.await;
        let (report, _) = work(vec![10; 3]).run_on(sim.spawner(), &scope, body, Count::new()).await;
        assert_eq!((report.pulled(), report.stop), (0, Stop::Cancelled(Reason::from("enough"))));
    });
}

#[test]
fn who_waits_in_line_for_the_source_is_called_when_it_is_put_back() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let (tx, rx) = queue::bounded(n(3));
        let time = sim.time();
        let producer = sim.spawn("producer", async move {
            time.sleep(ms(5)).await;
            (0..3).for_each(|_| tx.try_send(10).unwrap());
        });
        let (report, _) = work(rx).workers(n(3)).run_on(sim.spawner(), &scope, body, Count::new()).await;
        producer.await;
        assert_eq!((report.count.done, report.elapsed()), (3, ms(15)));
        assert_eq!(report.per_worker, [1, 1, 1]);
    });
}

#[test]
fn an_error_stops_all_workers_as_it_was_said() {
    sim::check(|sim| async move {
        for (on_error, done, cancelled, left, end) in
            [(OnError::StopStarting, 3, 0, 2, 30), (OnError::CancelRest, 2, 1, 2, 15)]
        {
            let scope = Scope::new(sim.time());
            let set = work([10, 10, 5, 20, 20, 20]).workers(n(2)).on_error(on_error);
            let (report, _) = set.run_on(sim.spawner(), &scope, body, Count::new()).await;
            let count = report.count;
            assert_eq!(
                (count.done, count.failed, count.cancelled, report.not_started),
                (done, 1, cancelled, Some(left))
            );
            assert_eq!((report.elapsed(), &report.stop), (ms(end), &Stop::Failed { index: 2 }), "{on_error:?}");
            assert!(!scope.cancel_called());
        }
    });
}

#[test]
fn an_error_stops_a_worker_that_waits_for_the_source_too() {
    sim::check(|sim| async move {
        let (tx, rx) = queue::unbounded();
        tx.try_send(5).unwrap();
        let set = work(rx.clone()).workers(n(2)).on_error(OnError::StopStarting);
        let (scope, time) = (Scope::new(sim.time()), sim.time());
        let later = sim.spawn("later", async move {
            time.sleep(ms(20)).await;
            tx.send(10).await.unwrap();
        });
        let (report, _) = set.run_on(sim.spawner(), &scope, body, Count::new()).await;
        assert_eq!((report.count.failed, report.pulled(), report.elapsed()), (1, 1, ms(5)));
        assert_eq!(report.stop, Stop::Failed { index: 0 });
        later.await;
        assert_eq!(rx.try_recv(), Ok(10), "it is not started, and still there");
    });
}

#[test]
fn an_empty_source_is_the_better_reason_whoever_has_it() {
    /// Has nothing, and does not say so.
    struct Hangs;
    impl Source for Hangs {
        type Item = u64;
        type Rest = ();
        fn poll_pull(&mut self, _: &mut Context<'_>) -> Poll<Option<u64>> {
            Poll::Pending
        }
        fn remaining(&self) -> Option<usize> {
            Some(0)
        }
        fn into_rest(self) {}
    }
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let set = || work(Hangs).workers(n(3)).deadline_after(ms(10));
        let in_place = set().run(&scope, body, Count::new()).await;
        let (spawned, _) = set().run_on(sim.spawner(), &scope, body, Count::new()).await;
        assert_eq!((in_place.stop, in_place.not_started), (Stop::Exhausted, Some(0)));
        assert_eq!((spawned.stop, spawned.not_started), (Stop::Exhausted, Some(0)));
    });
}

#[test]
fn an_error_is_named_though_the_source_is_exhausted() {
    sim::check(|sim| async move {
        for on_error in [OnError::StopStarting, OnError::CancelRest] {
            let scope = Scope::new(sim.time());
            let set = || work([2, 4, 5, 20]).workers(n(4)).on_error(on_error);
            let in_place = set().run(&scope, body, Count::new()).await;
            let (spawned, _) = set().run_on(sim.spawner(), &scope, body, Count::new()).await;
            assert_eq!((spawned.stop, spawned.count), (Stop::Failed { index: 2 }, in_place.count));
            assert_eq!(in_place.stop, Stop::Failed { index: 2 }, "K8");
        }
    });
}

#[test]
fn a_permit_is_taken_for_each_item_and_none_in_vain() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let limiter = Limiter::new(&sim.time(), Quota::per_second(std::num::NonZeroU32::new(10).unwrap()));
        let set = work(vec![10; 5]).workers(n(3)).rate(&limiter);
        let (report, _) = set.run_on(sim.spawner(), &scope, body, Count::new()).await;
        assert_eq!((report.count.done, report.elapsed()), (5, ms(410)));
        assert_eq!(report.stop, Stop::Exhausted);
    });
}

type Boxed = Pin<Box<dyn Future<Output = Result<u64, u64>> + Send>>;

/// When bodies were started, in milliseconds.
#[derive(Clone, Default)]
struct Starts(Arc<Mutex<Vec<u64>>>);

impl Starts {
    fn body(&self) -> impl Fn(Lease<u64>) -> Boxed + Send + Sync + 'static {
        let starts = self.clone();
        move |item| {
            starts.0.lock().unwrap().push(wakeful::now().as_nanos() / 1_000_000);
            Box::pin(body(item))
        }
    }

    fn seen(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn more_workers_come_at_once_and_those_who_are_too_many_leave_with_their_item() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let (width, says) = watch::channel(n(1));
        let time = sim.time();
        let resizer = sim.spawn("resizer", async move {
            for (at, workers) in [(15, 3), (33, 1), (55, 2)] {
                time.sleep_until(Instant::from_nanos(at * 1_000_000)).await;
                width.send(n(workers)).unwrap();
            }
        });
        let starts = Starts::default();
        let set = work(vec![10; 15]).workers_follow(says);
        let (report, _) = set.run_on(sim.spawner(), &scope, starts.body(), Count::new()).await;
        resizer.await;
        assert_eq!(starts.seen(), [0, 10, 15, 15, 20, 25, 25, 30, 40, 50, 55, 60, 65, 70, 75], "{report}");
        assert_eq!(report.count.done, 15);
    });
}

#[test]
fn workers_who_wait_leave_when_there_are_to_be_fewer() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let ((width, says), (tx, rx)) = (watch::channel(n(3)), queue::bounded(n(9)));
        // How many were spawned, and how many have left.
        let (time, seen) = (sim.time(), Arc::new(Mutex::new((0, 0))));
        let spawner = {
            let (spawner, seen) = (sim.spawner(), seen.clone());
            move |task: Task| {
                seen.lock().unwrap().0 += 1;
                let seen = seen.clone();
                spawner.spawn(Task::new(async move {
                    task.await;
                    seen.lock().unwrap().1 += 1;
                }));
            }
        };
        let sees = seen.clone();
        let resizer = sim.spawn("resizer", async move {
            time.sleep(ms(5)).await;
            width.send(n(1)).unwrap();
            time.sleep(ms(5)).await;
            assert_eq!(*sees.lock().unwrap(), (3, 2));
            (0..4).for_each(|_| tx.try_send(10).unwrap());
            time.sleep(ms(12)).await;
            // Nobody says anything any more: it stays as it is.
            width.send(n(2)).unwrap();
        });
        let starts = Starts::default();
        let run = work(rx).workers_follow(says).run_on(spawner, &scope, starts.body(), Count::new());
        let (report, _) = run.await;
        resizer.await;
        assert_eq!((report.count.done, report.elapsed(), *seen.lock().unwrap()), (4, ms(40), (4, 4)), "{report}");
        assert_eq!(starts.seen(), [10, 20, 22, 30]);
    });
}

#[test]
fn who_waits_with_the_source_leaves_when_another_one_is_busy_and_one_is_to_be() {
    sim::check(|sim| async move {
        let scope = Scope::new(sim.time());
        let ((width, says), (tx, rx)) = (watch::channel(n(2)), queue::bounded(n(9)));
        tx.try_send(40).unwrap();
        let time = sim.time();
        let resizer = sim.spawn("resizer", async move {
            time.sleep(ms(5)).await;
            width.send(n(1)).unwrap();
            time.sleep(ms(5)).await;
            tx.try_send(10).unwrap();
        });
        let starts = Starts::default();
        let (report, _) =
            work(rx).workers_follow(says).run_on(sim.spawner(), &scope, starts.body(), Count::new()).await;
        resizer.await;
        assert_eq!((report.count.done, report.elapsed(), starts.seen()), (2, ms(50), vec![0, 40]), "{report}");
    });
}

#[test]
fn as_many_tasks_are_spawned_as_it_takes_and_no_more() {
    sim::check(|sim| async move {
        for (items, most, deadline, workers) in [(100, 50, ms(300), 4), (100, 3, ms(300), 3), (100, 50, ms(5000), 1)] {
            let scope = Scope::new(sim.time());
            let set = work(vec![10; items]).deadline_after(deadline).workers_to_meet(n(most));
            let (report, _) = set.run_on(sim.spawner(), &scope, body, Count::new()).await;
            assert_eq!(report.per_worker.len(), workers, "{report}");
            assert_eq!(report.is_complete(), most > 3, "{report}");
        }
        // No deadline to be met: as many as were set.
        let scope = Scope::new(sim.time());
        let set = work([10; 6]).workers(n(2)).workers_to_meet(n(6));
        let (report, _) = set.run_on(sim.spawner(), &scope, body, Count::new()).await;
        assert_eq!((report.elapsed(), report.per_worker), (ms(30), vec![3, 3]));
    });
}

/// Tasks that were spawned and are nobody's yet.
type Tasks = Arc<Mutex<Vec<Pin<Box<Task>>>>>;

fn kept(tasks: &Tasks) -> impl Fn(Task) + Send + 'static + use<> {
    let tasks = tasks.clone();
    move |task| tasks.lock().unwrap().push(Box::pin(task))
}

#[test]
fn an_executor_that_drops_its_tasks_loses_no_item() {
    let scope = Scope::new(ManualClock::new().time());
    let cx = &mut Context::from_waker(Waker::noop());
    let hangs = |_: Lease<u64>| pending::<Result<(), ()>>();
    // At once.
    let mut run = pin!(work(0..5).workers(n(3)).run_on(|task: Task| drop(task), &scope, hangs, Count::new()));
    let Poll::Ready((report, _)) = run.as_mut().poll(cx) else { panic!("nobody is there") };
    assert_eq!((report.pulled(), report.not_started, &report.stop), (0, Some(5), &Stop::Lost));
    assert_eq!(report.stop.to_string(), "all workers were lost");
    // With an item each.
    let tasks = Tasks::default();
    let mut run = pin!(work(0..5).workers(n(3)).run_on(kept(&tasks), &scope, hangs, Collect::new()));
    assert!(run.as_mut().poll(cx).is_pending());
    tasks.lock().unwrap().iter_mut().for_each(|task| assert!(task.as_mut().poll(cx).is_pending()));
    tasks.lock().unwrap().clear();
    let Poll::Ready((report, all)) = run.as_mut().poll(cx) else { panic!("nobody is left") };
    assert_eq!((report.count.cancelled, report.rest, report.stop), (3, 3..5, Stop::Lost));
    assert_eq!(all.into_outcomes(), [const { ItemOutcome::<u64, (), ()>::Cancelled { item: None } }; 3]);
}

/// Has nothing yet, and panics when it is asked how much that is, once it is told to.
struct Unsure(Arc<AtomicBool>);

impl Source for Unsure {
    type Item = u64;
    type Rest = ();

    fn poll_pull(&mut self, _: &mut Context<'_>) -> Poll<Option<u64>> {
        Poll::Pending
    }

    fn remaining(&self) -> Option<usize> {
        assert!(!self.0.load(Ordering::Relaxed), "unsure");
        None
    }

    fn into_rest(self) {}
}

#[test]
fn a_source_is_not_asked_what_is_left_by_a_task_that_is_dropped() {
    let scope = Scope::new(ManualClock::new().time());
    let cx = &mut Context::from_waker(Waker::noop());
    let (tasks, panics) = (Tasks::default(), Arc::new(AtomicBool::new(false)));
    let set = work(Unsure(panics.clone())).workers_to_meet(n(3)).deadline_after(ms(100));
    let mut run = pin!(set.run_on(kept(&tasks), &scope, body, Count::new()));
    assert!(run.as_mut().poll(cx).is_pending());
    tasks.lock().unwrap().iter_mut().for_each(|task| assert!(task.as_mut().poll(cx).is_pending()));
    panics.store(true, Ordering::Relaxed);
    tasks.lock().unwrap().clear();
    panics.store(false, Ordering::Relaxed);
    let Poll::Ready((report, _)) = run.as_mut().poll(cx) else { panic!("nobody is left") };
    assert_eq!((report.pulled(), report.stop), (0, Stop::Lost));
}

/// A waker that panics.
struct Bad;

impl Wake for Bad {
    fn wake(self: Arc<Self>) {
        resume_unwind(Box::new("a bad waker"));
    }
}

#[test]
fn the_panic_of_a_waker_does_not_leave_the_drop_of_a_task() {
    let scope = Scope::new(ManualClock::new().time());
    let tasks = Tasks::default();
    let mut run = pin!(work(0..5).workers(n(3)).run_on(kept(&tasks), &scope, body, Count::new()));
    assert!(run.as_mut().poll(&mut Context::from_waker(&Arc::new(Bad).into())).is_pending());
    tasks.lock().unwrap().clear();
    let Poll::Ready((report, _)) = run.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("all are gone")
    };
    assert_eq!((report.not_started, report.stop), (Some(5), Stop::Lost));
}

/// An item whose drop may panic.
struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "a bomb");
    }
}

#[test]
fn what_a_sink_that_panicked_was_not_told_is_dropped_without_a_second_panic() {
    let scope = Scope::new(ManualClock::new().time());
    let cx = &mut Context::from_waker(Waker::noop());
    let tasks = Tasks::default();
    let others = tasks.clone();
    // While the first is telling it something, the second finds it taken and leaves the bomb there.
    let sink = move |ended: Ended<Bomb, (), ()>| {
        let mut other = others.lock().unwrap().pop().expect("it is told once");
        assert!(other.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_ne!(ended.index, 0, "sink");
    };
    let fails = |_: Lease<Bomb>| ready(Err::<(), ()>(()));
    let source = [Bomb(false), Bomb(true)].into_iter();
    let mut run = pin!(work(source).workers(n(2)).run_on(kept(&tasks), &scope, fails, sink));
    assert!(run.as_mut().poll(cx).is_pending());
    let mut first = tasks.lock().unwrap().remove(0);
    assert!(first.as_mut().poll(cx).is_ready());
    let panic = catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(cx).is_ready())).unwrap_err();
    assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains("sink")), "the first panic goes through");
}

/// Counts its wakes.
struct Calls(AtomicU32);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_was_called_to_the_source_and_is_dropped_calls_the_next() {
    let scope = Scope::new(ManualClock::new().time());
    let noop = &mut Context::from_waker(Waker::noop());
    let calls = [(); 3].map(|()| Arc::new(Calls(AtomicU32::new(0))));
    let (tx, rx) = queue::bounded(n(3));
    let hangs = |_: Lease<u64>| pending::<Result<(), ()>>();
    let tasks = Tasks::default();
    let mut run = pin!(work(rx).workers(n(3)).run_on(kept(&tasks), &scope, hangs, Count::new()));
    assert!(run.as_mut().poll(noop).is_pending());
    let mut tasks: Vec<_> = std::mem::take(&mut *tasks.lock().unwrap());
    // The first has the source, the others stand in line for it.
    for (task, calls) in tasks.iter_mut().zip(&calls) {
        assert!(task.as_mut().poll(&mut Context::from_waker(&calls.clone().into())).is_pending());
    }
    let called = || [0, 1, 2].map(|worker: usize| calls[worker].0.swap(0, Ordering::Relaxed) > 0);
    called();
    tx.try_send(1).unwrap();
    assert_eq!(called(), [true, false, false]);
    assert!(tasks[0].as_mut().poll(&mut Context::from_waker(&calls[0].clone().into())).is_pending());
    let [_, second, third] = called();
    assert!(second && !third, "the first has put it back");
    drop(tasks.remove(1));
    assert_eq!(called(), [false, false, true]);
}

#[test]
fn workers_of_a_run_that_was_dropped_end_at_their_next_poll() {
    let scope = Scope::new(ManualClock::new().time());
    let cx = &mut Context::from_waker(Waker::noop());
    let (tasks, held) = (Tasks::default(), Arc::new(()));
    {
        let hangs = |_: Lease<Arc<()>>| pending::<Result<(), ()>>();
        let items = vec![held.clone(), held.clone(), held.clone()];
        let mut run = pin!(work(items).workers(n(2)).run_on(kept(&tasks), &scope, hangs, Count::new()));
        assert!(run.as_mut().poll(cx).is_pending());
        tasks.lock().unwrap().iter_mut().for_each(|task| assert!(task.as_mut().poll(cx).is_pending()));
    }
    tasks.lock().unwrap().iter_mut().for_each(|task| assert!(task.as_mut().poll(cx).is_ready()));
    tasks.lock().unwrap().clear();
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(!scope.cancel_called());
}

#[test]
fn panics_of_source_and_sink_go_through_when_everybody_is_gone() {
    let panics = |what: &'static str| {
        let held = Arc::new(());
        let inner = held.clone();
        let run = move |sim: Sim| async move {
            let scope = Scope::new(sim.time());
            let source =
                (0..9).map(move |n| if what == "source" && n == 5 { panic!("source") } else { (n, inner.clone()) });
            let body = |item: Lease<(u64, Arc<()>)>| async move {
                wakeful::sleep(ms(item.0)).await;
                Ok::<_, ()>(())
            };
            let sink = move |ended: Ended<_, (), ()>| assert!(what != "sink" || ended.index != 3, "sink");
            let _report = work(source).workers(n(2)).run_on(sim.spawner(), &scope, body, sink).await;
        };
        let thrown = catch_unwind(AssertUnwindSafe(|| Builder::new().run(run).map(|_| ())));
        assert_eq!(Arc::strong_count(&held), 1, "nothing is left");
        match thrown {
            Ok(Err(failure)) => failure.to_string(),
            Ok(Ok(())) => panic!("{what} goes through"),
            Err(panic) => panic.downcast_ref::<&str>().map_or_else(String::new, |text| (*text).to_owned()),
        }
    };
    for what in ["source", "sink"] {
        assert!(panics(what).contains(what));
    }
}

fn below(rng: &mut Rng, n: usize) -> u64 {
    rng.below(n) as u64
}

/// A world in which much happens, as in `work.rs`, and tasks are spawned. Every item is accounted for.
async fn much(sim: Sim) {
    let mut rng = sim.rng();
    let (items, workers) = (below(&mut rng, 40), 1 + below(&mut rng, 6) as usize);
    let (tx, rx) = queue::bounded(n(1 + below(&mut rng, 4) as usize));
    let (time, pause) = (sim.time(), below(&mut rng, 12));
    let producer = sim.spawn("producer", async move {
        for item in 0..items {
            if item % 3 == 0 {
                time.sleep(ms(pause)).await;
            }
            if tx.send(item).await.is_err() {
                return item;
            }
        }
        items
    });
    let scope = Scope::new(sim.time());
    let (stop, time, when) = (scope.clone(), sim.time(), below(&mut rng, 300));
    let canceller = sim.spawn("canceller", async move {
        time.sleep(ms(when)).await;
        if when % 3 == 0 {
            stop.cancel("by chance");
        }
    });
    let (width, says) = watch::channel(n(workers));
    let sizes = [0; 3].map(|_: u64| (below(&mut rng, 60), n(1 + below(&mut rng, 6) as usize)));
    let time = sim.time();
    let most = sizes.iter().fold(workers, |most, (_, size)| most.max(size.get()));
    let resizer = sim.spawn("resizer", async move {
        for (pause, size) in sizes {
            time.sleep(ms(pause)).await;
            // The run may be over.
            let _ = width.send(size);
        }
    });
    let mut set = work(rx).workers(n(workers)).min_time(ms(20 * below(&mut rng, 2)));
    if below(&mut rng, 2) == 0 {
        set = set.item_timeout(ms(below(&mut rng, 30)));
    }
    if below(&mut rng, 2) == 0 {
        set = set.deadline_after(ms(below(&mut rng, 200))).grace(ms(below(&mut rng, 20)));
    }
    if below(&mut rng, 3) == 0 {
        set = set.on_error([OnError::StopStarting, OnError::CancelRest][below(&mut rng, 2) as usize]);
    }
    if below(&mut rng, 3) == 0 {
        set = set.rate(&Limiter::new(&sim.time(), Quota::per_second(std::num::NonZeroU32::new(200).unwrap())));
    }
    let most = match below(&mut rng, 3) {
        0 => {
            set = set.workers_follow(says);
            most
        }
        1 => {
            set = set.workers_to_meet(n(6));
            workers.max(6)
        }
        _ => workers,
    };
    let draws = Mutex::new(rng);
    let body = move |lease: Lease<u64>| {
        let draws = [0; 3].map(|_: u64| below(&mut draws.lock().unwrap(), 1000));
        async move {
            let item = *lease;
            if draws[0] < 300 {
                lease.take();
            }
            if draws[1] < 700 {
                wakeful::sleep(ms(draws[1] / 20)).await;
            }
            match draws[2] {
                0..100 => panic!("item {item}"),
                100..300 => Err(item),
                _ => Ok(item),
            }
        }
    };
    let (report, all) = set.run_on(sim.spawner(), &scope, body, Collect::new()).await;
    let mut left = report.rest.shutdown().len() as u64;
    let sent = producer.await;
    left += report.rest.shutdown().len() as u64;
    canceller.await;
    resizer.await;
    assert_eq!(report.pulled() + left, sent, "{report}");
    let (mut count, mut seen) = (Count::new(), BTreeSet::new());
    for ended in all.into_vec() {
        assert!(seen.insert(ended.index), "told once");
        assert!(ended.worker.is_none_or(|worker| worker < most));
        if let ItemOutcome::Done(item) = ended.outcome {
            assert_eq!(item, ended.index);
        }
        count.accept(ended);
    }
    assert_eq!((count, seen), (report.count, (0..report.pulled()).collect()));
    assert_eq!(report.per_worker.iter().sum::<u64>() + report.count.skipped, report.pulled());
}

#[test]
fn every_item_is_in_exactly_one_place() {
    let summary = Builder::new().runs(2000).repeat_every(50).check(much);
    assert!(2 * summary.traces > summary.runs as usize);
}

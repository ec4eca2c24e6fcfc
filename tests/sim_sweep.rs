//! Cancellation sweeps: a future is dropped after each of its polls in turn, and what breaks by that is found and named.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeful::queue::{self, Receiver};
use wakeful::sim::{Builder, Coverage, FailureKind, Kind, Sim, Strategy};

const SECOND: Duration = Duration::from_secs(1);

/// Yields so often, and counts.
async fn yields(sim: Sim, times: usize, count: Arc<AtomicUsize>) {
    for _ in 0..times {
        sim.yield_now().await;
        count.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_future_is_dropped_once_at_every_poll_and_in_between() {
    let seen = Mutex::new(Vec::new());
    let body = async |sim: Sim| {
        let count = Arc::new(AtomicUsize::new(0));
        let done = sim.cancel_at_each(yields(sim.clone(), 2, count.clone())).await;
        seen.lock().unwrap().push((done.is_some(), count.load(Relaxed)));
    };
    let summary = Builder::new().runs(1).repeat_every(0).probe_every(0).explore(body).unwrap();
    // Three polls, of which two are pending: before the first, right after and in place of the next for each of these.
    assert_eq!((summary.runs, summary.cancel_points), (1, 5));
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen, [(true, 2), (false, 0), (false, 0), (false, 0), (false, 1), (false, 1)]);
}

#[test]
fn what_was_woken_may_have_been_granted_something_when_it_is_dropped() {
    let seen = Mutex::new(Vec::new());
    let body = async |sim: Sim| {
        let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
        let sender = sim.clone();
        let sent = sim.spawn("sender", async move {
            sender.yield_now().await;
            tx.send(7).await
        });
        let got = sim.cancel_at_each(rx.recv()).await;
        sent.await.unwrap();
        seen.lock().unwrap().push((got.map(Result::unwrap), rx.try_recv().ok()));
    };
    let summary = Builder::new().bytes([]).explore(body).unwrap();
    assert_eq!(summary.cancel_points, 0, "bytes say themselves what is dropped");
    let summary = Builder::new().runs(20).explore(body).unwrap();
    assert!(summary.cancel_points >= 40, "{summary:?}");
    for (got, left) in seen.into_inner().unwrap() {
        assert!((got, left) == (Some(7), None) || (got, left) == (None, Some(7)), "{got:?} {left:?}");
    }
}

/// Takes an item and then waits before it hands it out: dropped while it waits, it loses the item.
async fn careless(sim: Sim, rx: &Receiver<u32>) -> u32 {
    let item = rx.recv().await.unwrap();
    sim.time().sleep(SECOND).await;
    item
}

/// The same the other way round.
async fn careful(sim: Sim, rx: &Receiver<u32>) -> u32 {
    sim.time().sleep(SECOND).await;
    rx.recv().await.unwrap()
}

async fn nothing_is_lost(sim: Sim, take: impl AsyncFnOnce(Sim, &Receiver<u32>) -> u32) {
    let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    let sent = sim.spawn("sender", async move { tx.send(7).await });
    let taken = sim.cancel_at_each(take(sim.clone(), &rx)).await;
    sent.await.unwrap();
    assert_eq!(taken.or_else(|| rx.try_recv().ok()), Some(7), "the item is lost");
}

#[test]
fn a_receive_that_loses_its_item_is_found_and_the_poll_is_named() {
    let body = async |sim: Sim| nothing_is_lost(sim, careless).await;
    assert!(Builder::new().run(body).is_ok(), "undisturbed it works");
    for strategy in [Strategy::Random, Strategy::Portfolio, Strategy::Walk] {
        let failure = Builder::new().strategy(strategy).explore(body).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Panic, "{failure}");
        let dropped = failure.dropped().unwrap();
        // It sleeps after its first poll or its second, as it found the item there or had to wait.
        assert!(dropped.after && (1..=2).contains(&dropped.polls) && dropped.name.is_empty(), "{failure}");
        let made = dropped.made.unwrap();
        let said = format!("\nwhat was made at {made} was dropped right after poll {}\n", dropped.polls);
        assert!(made.file().ends_with("tests/sim_sweep.rs") && failure.to_string().contains(&said), "{failure}");
        let again = Builder::new().replay(failure.replay()).unwrap().run(body).unwrap_err();
        assert_eq!(
            (again.hash(), again.message(), again.dropped()),
            (failure.hash(), failure.message(), Some(dropped))
        );
    }
    let summary = Builder::new().explore(async |sim: Sim| nothing_is_lost(sim, careful).await).unwrap();
    assert!(summary.cancel_points >= 3 * 64, "{summary:?}");
}

#[test]
fn the_line_of_a_sweep_names_the_chance_that_was_taken() {
    let body = async |sim: Sim| nothing_is_lost(sim, careless).await;
    let failure = Builder::new().strategy(Strategy::Random).shrink(0).explore(body).unwrap_err();
    let line = failure.replay();
    assert!(line.starts_with("WAKEFUL_SIM=seed:0,cancel:"), "{line}");
    let again = Builder::new().replay(line).unwrap();
    assert_eq!(again.run(body).unwrap_err(), failure);
    assert_eq!(again.runs(1).shrink(0).explore(body).unwrap_err(), failure, "and nothing is swept again");
    let small = Builder::new().strategy(Strategy::Random).explore(body).unwrap_err();
    let shrunk = small.shrunk();
    assert!(shrunk.is_none_or(|shrunk| shrunk.to == 1 && shrunk.found == line), "{small}");
}

#[test]
fn which_chance_was_taken_is_part_of_the_course_though_nothing_else_shows_it() {
    let body = async |sim: Sim| {
        sim.cancel_at_each(async {}).await;
        sim.cancel_at_each(async {}).await;
    };
    let course = |line: &str| {
        let report = Builder::new().replay(line).unwrap().run(body).unwrap();
        (report.steps, report.hash)
    };
    let [none, first, second] = ["seed:1", "seed:1,cancel:1", "seed:1,cancel:2"].map(course);
    assert_eq!((none.0, first.0, second.0), (1, 1, 1));
    assert!(none.1 != first.1 && first.1 != second.1 && none.1 != second.1);
}

#[test]
fn a_failure_that_no_cancel_brought_about_is_freed_of_it() {
    let body = async |sim: Sim| {
        let count = Arc::new(AtomicUsize::new(0));
        let racers = ["left", "right"].map(|name| {
            let (sim, count) = (sim.clone(), count.clone());
            sim.clone().spawn(name, async move {
                let read = count.load(Relaxed);
                sim.yield_now().await;
                count.store(read + 1, Relaxed);
            })
        });
        sim.cancel_at_each(yields(sim.clone(), 4, Arc::default())).await;
        for racer in racers {
            racer.await;
        }
        assert_eq!(count.load(Relaxed), 2, "an update is lost");
    };
    let mut freed = 0;
    for seed in 0..20 {
        let failure = Builder::new().seed(seed).strategy(Strategy::Random).explore(body).unwrap_err();
        let line = failure.shrunk().map_or(failure.replay(), |shrunk| &shrunk.found);
        let found = Builder::new().replay(line).unwrap().run(body).unwrap_err();
        assert!(failure.message().contains("an update is lost"), "{failure}");
        freed += usize::from(found.dropped().is_some() && failure.dropped().is_none());
    }
    assert!(freed > 0);
}

/// A lock whose waiters stay in the row when they are dropped: a grant to one of those is lost.
#[derive(Clone, Default)]
struct Lock(Arc<Mutex<Row>>);

#[derive(Default)]
struct Row {
    held: bool,
    waiters: VecDeque<(usize, Waker)>,
    granted: Option<usize>,
}

impl Lock {
    async fn locked(&self, id: usize) {
        poll_fn(|cx| {
            let mut row = self.0.lock().unwrap();
            if row.granted == Some(id) {
                row.granted = None;
                return Poll::Ready(());
            }
            if !row.held {
                row.held = true;
                return Poll::Ready(());
            }
            row.waiters.retain(|waiter| waiter.0 != id);
            row.waiters.push_back((id, cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn unlock(&self) {
        let mut row = self.0.lock().unwrap();
        let Some((id, waker)) = row.waiters.pop_front() else {
            row.held = false;
            return;
        };
        row.granted = Some(id);
        waker.wake();
    }
}

async fn workers(sim: Sim, lock: Lock) {
    let tasks = [(1, "first"), (2, "second"), (3, "third")].map(|(id, name)| {
        let (sim, lock) = (sim.clone(), lock.clone());
        sim.clone().spawn(name, async move {
            lock.locked(id).await;
            if name == "first" {
                sim.yield_now().await;
            }
            lock.unlock();
        })
    });
    for task in tasks {
        task.outcome().await;
    }
}

#[test]
fn a_named_task_is_swept_and_the_others_go_on() {
    let body = async |sim: Sim| workers(sim, Lock::default()).await;
    assert_eq!(Builder::new().explore(body).unwrap().cancel_points, 0);
    let failure = Builder::new().sweep("second").explore(body).unwrap_err();
    let dropped = failure.dropped().unwrap();
    assert_eq!((failure.kind(), &*dropped.name, dropped.polls), (FailureKind::Deadlock, "second", 1));
    assert!(failure.to_string().contains("\n`second` was dropped "), "{failure}");
    let replay = Builder::new().sweep("second").replay(failure.replay()).unwrap();
    assert_eq!(replay.run(body).unwrap_err().hash(), failure.hash());
}

#[test]
fn a_task_that_was_dropped_has_no_output_and_says_so() {
    let body = async |sim: Sim| {
        let inner = sim.clone();
        let task = sim.spawn("swept", async move { inner.yield_now().await });
        let dropped = sim.cancel_at_each(pending::<()>());
        drop(dropped);
        task.outcome().await
    };
    let run = |n| Builder::new().sweep("swept").replay(&format!("seed:1,cancel:{n}")).unwrap().run(body).unwrap();
    let outputs: Vec<_> = (1..=4).map(|n| run(n).output).collect();
    assert_eq!(outputs, [None, None, None, Some(())]);
    assert_eq!((run(0).output, run(0).cancel_points, run(2).cancel_points), (Some(()), 3, 2));

    let failure = Builder::new().sweep("swept").explore(async |sim: Sim| sim.spawn("swept", async {}).await);
    let failure = failure.unwrap_err();
    assert!(failure.message().contains("the task was dropped before it was done"), "{failure}");
}

#[test]
fn an_exhaustive_search_drops_at_every_chance_of_every_schedule_once() {
    let dropped = Mutex::new(Vec::new());
    let body = async |sim: Sim| {
        let both = [1, 2].map(|times| sim.cancel_at_each(yields(sim.clone(), times, Arc::default())));
        let mut done = Vec::new();
        for one in both {
            done.push(one.await.is_some());
        }
        dropped.lock().unwrap().push(done);
    };
    let search = Builder::new().strategy(Strategy::Exhaustive).runs(100).repeat_every(0);
    let summary = search.explore(body).unwrap();
    // Three chances for the first and five for the second, and one run in which none is taken.
    assert_eq!((summary.runs, summary.coverage), (9, Coverage::Complete));
    let dropped = dropped.into_inner().unwrap();
    let count = |done: [bool; 2]| dropped.iter().filter(|other| **other == done).count();
    assert_eq!([count([true, true]), count([false, true]), count([true, false])], [1, 3, 5]);
}

#[test]
fn an_oracle_is_asked_until_something_is_dropped() {
    let body = async |sim: Sim| sim.cancel_at_each(yields(sim.clone(), 3, Arc::default())).await.is_some();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let oracle = move |kind, n| {
        assert_eq!((kind, n), (Kind::Cancel, 2));
        usize::from(count.fetch_add(1, Relaxed) == 3)
    };
    let report = Builder::new().run_with(oracle, body).unwrap();
    assert_eq!((report.output, asked.load(Relaxed), &*report.replay), (false, 4, "WAKEFUL_SIM=bytes:00000001"));
    assert_eq!(Builder::new().replay(&report.replay).unwrap().run(body).unwrap(), report);
}

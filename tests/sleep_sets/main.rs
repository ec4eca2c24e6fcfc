//! The search with sleep sets: numbers that are known, and the outcomes of the plain search.

mod programs;
mod rooms;
mod sync;
mod touches;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use wakeful::sim::{Builder, Coverage, FailureKind, Sim, Strategy, Summary, Tracked};
use wakeful::spawn::{Spawn, Task};

fn search(strategy: Strategy) -> Builder {
    Builder::new().strategy(strategy).runs(1_000_000)
}

/// All outcomes that a search finds, and what it says of itself.
fn outcomes<O: Ord + Send>(strategy: Strategy, body: impl AsyncFn(Sim) -> O + Sync) -> (BTreeSet<O>, Summary) {
    let seen = Mutex::new(BTreeSet::new());
    let summary = search(strategy).repeat_every(1_000).explore(async |sim: Sim| {
        let outcome = body(sim.clone()).await;
        // A run that is cut does not come to this, since somebody is ready still, and sleeps.
        sim.idle().await;
        seen.lock().unwrap().insert(outcome);
    });
    (seen.into_inner().unwrap(), summary.unwrap())
}

/// Searches with sleep sets, checks that the plain search finds the same outcomes, and gives the numbers of runs of both.
#[track_caller]
fn as_the_plain_search<O: Ord + Send + std::fmt::Debug>(body: impl AsyncFn(Sim) -> O + Sync) -> (u32, u32) {
    let (all, plain) = outcomes(Strategy::Exhaustive, &body);
    assert_eq!(plain.coverage, Coverage::Complete);
    let (found, fewer) = outcomes(Strategy::SleepSets, &body);
    assert_eq!((found, fewer.coverage), (all, Coverage::Tracked));
    assert!(fewer.runs + fewer.cut <= plain.runs, "{fewer}, of {plain}");
    (fewer.runs, plain.runs)
}

/// Lets the other tasks be polled before each of `turns` steps but the first.
async fn steps(sim: &Sim, turns: usize, mut step: impl FnMut(usize)) {
    for turn in 0..turns {
        if turn > 0 {
            sim.yield_now().await;
        }
        step(turn);
    }
}

/// A task in the background that counts its polls, and its waker; it has been polled once.
async fn woken_task(sim: &Sim) -> (Waker, Tracked<u32>) {
    let (polls, place) = (Tracked::new(0), Arc::new(Mutex::new(None)));
    let (count, keep) = (polls.clone(), place.clone());
    sim.tracked().spawn_background("woken", async move {
        poll_fn(|cx| {
            keep.lock().unwrap().get_or_insert_with(|| cx.waker().clone());
            count.write(|count| *count += 1);
            Poll::<()>::Pending
        })
        .await;
    });
    sim.idle().await;
    let waker = place.lock().unwrap().clone();
    (waker.unwrap(), polls)
}

/// Racers that read a counter in their last poll but one, and write it greater by one in their last; gives what it is at
/// the end.
async fn racers(sim: Sim, tasks: usize, polls: usize) -> usize {
    let count = Tracked::new(0);
    for _ in 0..tasks {
        let (task, count) = (sim.clone(), count.clone());
        sim.tracked().spawn("racer", async move {
            let mut seen = 0;
            steps(&task, polls, |turn| match polls - turn {
                2 => seen = count.get(),
                1 => count.set(seen + 1),
                _ => {}
            })
            .await;
        });
    }
    sim.idle().await;
    count.get()
}

#[test]
fn racy_counters_have_as_many_runs_as_orders_of_their_accesses() {
    for (tasks, polls, runs, cut) in [(2, 2, 4, 0), (2, 5, 4, 3), (3, 2, 36, 0), (3, 4, 36, 26)] {
        let (counts, summary) = outcomes(Strategy::SleepSets, async |sim| racers(sim, tasks, polls).await);
        assert_eq!((summary.runs, summary.cut, summary.coverage), (runs, cut, Coverage::Tracked), "{tasks} of {polls}");
        assert_eq!(summary.traces, runs as usize);
        assert_eq!(counts, (1..=tasks).collect());
    }
    assert_eq!(as_the_plain_search(async |sim| racers(sim, 2, 5).await), (4, 252));
    assert_eq!(as_the_plain_search(async |sim| racers(sim, 3, 3).await), (36, 1_680));
}

#[test]
fn tasks_that_have_nothing_to_do_with_each_other_have_one_run() {
    for (tasks, polls) in [(2, 1), (2, 5), (3, 4), (4, 3)] {
        let (_, summary) = outcomes(Strategy::SleepSets, async |sim| {
            for _ in 0..tasks {
                let (task, own) = (sim.clone(), Tracked::new(0));
                sim.tracked().spawn("on its own", async move { steps(&task, polls, |turn| own.set(turn)).await });
            }
            sim.idle().await;
        });
        assert_eq!((summary.runs, summary.coverage), (1, Coverage::Tracked));
    }
}

#[test]
fn readers_commute_and_a_writer_does_not() {
    let body = async |sim: Sim, writers: usize| {
        let cell = Tracked::new(0);
        for task in 0..3 {
            let cell = cell.clone();
            sim.tracked().spawn("task", async move { if task < writers { cell.set(task) } else { cell.read(|_| ()) } });
        }
        sim.idle().await;
    };
    for (writers, runs) in [(0, 1), (1, 4), (2, 6), (3, 6)] {
        let (_, summary) = outcomes(Strategy::SleepSets, async |sim| body(sim, writers).await);
        assert_eq!(summary.runs, runs, "{writers} writers");
    }
}

#[test]
fn tasks_that_promised_nothing_are_all_taken_to_share() {
    let body = async |sim: Sim| {
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            let (task, count) = (sim.clone(), count.clone());
            sim.spawn("untracked", async move {
                let mut seen = 0;
                steps(&task, 3, |turn| match turn {
                    0 => seen = count.load(Relaxed),
                    _ => count.store(seen + 1, Relaxed),
                })
                .await;
            });
        }
        sim.idle().await;
        count.load(Relaxed)
    };
    let (all, plain) = outcomes(Strategy::Exhaustive, body);
    let (found, summary) = outcomes(Strategy::SleepSets, body);
    assert_eq!((found, summary.runs, summary.cut), (all, plain.runs, 0));
    assert_eq!(summary.coverage, Coverage::Complete, "nothing was promised, so nothing hangs on a promise");
}

#[test]
fn a_task_sleeps_for_all_values_that_it_may_choose() {
    // Only with one of two values it has to do with the other task.
    let (few, all) = as_the_plain_search(async |sim| {
        let (cell, task) = (Tracked::new(0), sim.clone());
        let place = cell.clone();
        sim.tracked().spawn("writer", async move { place.set(1) });
        let seen = sim.tracked().spawn("chooser", async move { (task.choose(2) == 1).then(|| cell.get()) });
        seen.await
    });
    assert!(few < all, "{few} of {all}");
    as_the_plain_search(async |sim| {
        let (waker, polls) = woken_task(&sim).await;
        waker.wake_by_ref();
        let task = sim.clone();
        sim.tracked().spawn("chooser", async move { (task.choose(2) == 1).then(|| waker.wake()) });
        sim.idle().await;
        polls.get()
    });
}

/// Panics if it is dropped at this stage.
struct Fragile {
    stage: usize,
    at: usize,
}

impl Drop for Fragile {
    fn drop(&mut self) {
        assert_ne!(self.stage, self.at, "dropped at a bad stage");
    }
}

#[test]
fn a_run_may_end_at_each_stage_of_a_task_in_the_background() {
    // Either the root is alone in the foreground, or it starts a task there that it does not wait for.
    for alone in [true, false] {
        for bad in 1..3 {
            let body = async |sim: Sim| {
                let (task, tracked) = (sim.clone(), sim.tracked());
                tracked.spawn_background("background", async move {
                    let mut fragile = Fragile { stage: 0, at: bad };
                    for stage in 1..3 {
                        fragile.stage = stage;
                        task.yield_now().await;
                    }
                    std::future::pending::<()>().await;
                });
                match alone {
                    true => sim.yield_now().await,
                    false => drop(tracked.spawn("foreground", async {})),
                }
            };
            for strategy in [Strategy::Exhaustive, Strategy::SleepSets] {
                let failure = search(strategy).explore(body).unwrap_err();
                assert!(failure.message().contains("bad stage"), "{failure}");
            }
        }
    }
}

#[test]
fn code_under_test_starts_tracked_tasks_by_a_spawner() {
    fn start(spawner: &impl Spawn, cells: &[Tracked<u8>]) {
        for cell in cells {
            let cell = cell.clone();
            spawner.spawn(Task::new(async move { cell.set(1) }));
        }
    }
    for (tracked, runs) in [(true, 1), (false, 6)] {
        let (_, summary) = outcomes(Strategy::SleepSets, async |sim| {
            let spawner = if tracked { sim.tracked().spawner() } else { sim.spawner() };
            start(&spawner, &[Tracked::new(0), Tracked::new(0), Tracked::new(0)]);
            sim.idle().await;
        });
        assert_eq!((summary.runs, summary.cut), (runs, if tracked { summary.cut } else { 0 }));
    }
}

#[test]
fn a_spinning_task_does_not_keep_the_search_from_coming_to_an_end_of_a_run() {
    let summary = search(Strategy::SleepSets).runs(50).max_steps(1_000).explore(async |sim: Sim| {
        let flag = Tracked::new(false);
        let (task, seen) = (sim.clone(), flag.clone());
        sim.tracked().spawn("spinner", async move {
            while !seen.get() {
                task.yield_now().await;
            }
        });
        sim.tracked().spawn("setter", async move { flag.set(true) });
        sim.idle().await;
    });
    assert_eq!(summary.unwrap().coverage, Coverage::Sample);
}

#[test]
fn a_failure_is_found_shrunk_and_replayed() {
    let body = async |sim: Sim| assert_eq!(racers(sim, 2, 5).await, 2, "an update was lost");
    let failure = search(Strategy::SleepSets).explore(body).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Panic);
    let again = Builder::new().replay(failure.replay()).unwrap().run(body).unwrap_err();
    assert_eq!((again.message(), again.hash(), again.replay()), (failure.message(), failure.hash(), failure.replay()));
    assert_eq!(failure.shrunk().map(|shrunk| shrunk.to), Some(0), "it fails where all take turns: {failure}");
}

#[test]
fn what_a_cut_run_drops_may_panic() {
    struct Complete(bool);
    impl Drop for Complete {
        fn drop(&mut self) {
            assert!(self.0, "dropped half-way");
        }
    }
    let (_, summary) = outcomes(Strategy::SleepSets, async |sim| {
        for _ in 0..3 {
            let task = sim.clone();
            sim.tracked().spawn("on its own", async move {
                let mut complete = Complete(false);
                task.yield_now().await;
                complete.0 = true;
            });
        }
        sim.idle().await;
    });
    assert!(summary.runs == 1 && summary.cut > 0, "{summary}");
}

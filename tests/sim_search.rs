//! The exhaustive search: numbers of schedules that are known, and what it finds.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use wakeful::sim::{Builder, Coverage, FailureKind, Sim, Strategy};

fn search(runs: u32) -> Builder {
    Builder::new().strategy(Strategy::Exhaustive).runs(runs)
}

/// Tasks of some polls each that have nothing to do with each other; gives the order of their polls.
async fn independent(sim: Sim, tasks: usize, polls: usize) -> Vec<usize> {
    let order = Arc::new(Mutex::new(Vec::new()));
    for n in 0..tasks {
        let (task, order) = (sim.clone(), order.clone());
        sim.spawn("independent", async move {
            for turn in 0..polls {
                if turn > 0 {
                    task.yield_now().await;
                }
                order.lock().unwrap().push(n);
            }
        });
    }
    // The root waits for this and not for the tasks, so that it is never among those to choose from.
    sim.idle().await;
    let order = order.lock().unwrap();
    order.clone()
}

#[test]
fn every_schedule_comes_once() {
    for (tasks, polls, schedules) in [(2, 1, 2), (3, 1, 6), (2, 5, 252), (3, 4, 34_650)] {
        let orders = Mutex::new(BTreeSet::new());
        let body = async |sim: Sim| {
            let order = independent(sim, tasks, polls).await;
            assert_eq!(order.len(), tasks * polls);
            assert!(orders.lock().unwrap().insert(order), "twice");
        };
        let summary = search(100_000).repeat_every(0).explore(body).unwrap();
        assert_eq!(
            (summary.runs, summary.traces, summary.coverage),
            (schedules, schedules as usize, Coverage::Complete)
        );
        assert_eq!(orders.lock().unwrap().len(), schedules as usize);
    }
}

#[test]
fn a_search_that_is_cut_short_is_not_complete() {
    let body = async |sim: Sim| drop(independent(sim, 2, 5).await);
    for (runs, coverage) in
        [(1, Coverage::Sample), (251, Coverage::Sample), (252, Coverage::Complete), (253, Coverage::Complete)]
    {
        let summary = search(runs).explore(body).unwrap();
        assert_eq!((summary.runs, summary.coverage), (runs.min(252), coverage));
    }
    let random = Builder::new().runs(5_000).repeat_every(0).strategy(Strategy::Random).explore(body).unwrap();
    assert_eq!((random.traces, random.coverage), (252, Coverage::Sample), "it does not know that these are all");
    let summary = search(10).explore(async |_| ()).unwrap();
    assert_eq!((summary.runs, summary.coverage), (1, Coverage::Complete));
}

/// Two tasks that read a counter, yield, and write it back greater by one, twice; gives what it is at the end.
async fn racy_counter(sim: Sim) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let (task, count) = (sim.clone(), count.clone());
        sim.spawn("racer", async move {
            for _ in 0..2 {
                let read = count.load(Relaxed);
                task.yield_now().await;
                count.store(read + 1, Relaxed);
            }
        });
    }
    sim.idle().await;
    count.load(Relaxed)
}

#[test]
fn every_outcome_of_a_race_is_seen() {
    let outcomes = Mutex::new(BTreeSet::new());
    let body = async |sim: Sim| {
        let count = racy_counter(sim).await;
        outcomes.lock().unwrap().insert(count);
    };
    let summary = search(1_000).repeat_every(0).explore(body).unwrap();
    // Two tasks of three polls each.
    assert_eq!((summary.runs, summary.coverage), (20, Coverage::Complete));
    assert_eq!(*outcomes.lock().unwrap(), BTreeSet::from([2, 3, 4]));
}

#[test]
fn a_failure_of_one_schedule_is_found_and_replayed() {
    let body = async |sim: Sim| {
        let order = independent(sim, 2, 5).await;
        assert_ne!(order, [0, 1, 1, 1, 0, 1, 1, 0, 0, 0], "this one");
    };
    let failure = search(1_000).explore(body).unwrap_err();
    assert!(failure.message().contains("this one") && failure.replay().contains("WAKEFUL_SIM=bytes:"), "{failure}");
    let again = Builder::new().replay(failure.replay()).unwrap().run(body).unwrap_err();
    assert_eq!((again.message(), again.hash(), again.replay()), (failure.message(), failure.hash(), failure.replay()));

    let early = async |sim: Sim| {
        let order = independent(sim, 2, 5).await;
        assert_ne!(order[..2], [1, 0], "the second began");
    };
    let failure = search(1_000).explore(early).unwrap_err();
    assert_eq!((failure.replay(), failure.shrunk()), ("WAKEFUL_SIM=bytes:01", None), "it has one point as found");
}

#[test]
fn a_single_run_lets_all_take_turns() {
    let report = search(9).run(|sim| independent(sim, 2, 3)).unwrap();
    assert_eq!((report.output, &*report.replay), (vec![0, 1, 0, 1, 0, 1], "WAKEFUL_SIM=bytes:"));
}

#[test]
fn values_are_searched_too() {
    let seen = Mutex::new(Vec::new());
    let body = async |sim: Sim| {
        let first = sim.choose(3);
        seen.lock().unwrap().push((first, if first == 1 { sim.choose(2) } else { 9 }));
    };
    let summary = search(100).repeat_every(0).explore(body).unwrap();
    assert_eq!((summary.runs, summary.coverage), (4, Coverage::Complete));
    assert_eq!(*seen.lock().unwrap(), [(0, 9), (1, 0), (1, 1), (2, 9)]);
}

#[test]
fn a_run_that_is_not_reproducible_ends_the_search() {
    for grow in [true, false] {
        let runs = AtomicU64::new(0);
        let failure = search(100).repeat_every(0).explore(async |sim: Sim| {
            let run = runs.fetch_add(1, Relaxed);
            // Either the first choice is among more than it was, or there is none any more.
            if grow || run == 0 {
                sim.choose(3 + run as usize);
            }
        });
        let failure = failure.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Nondeterminism);
        assert_eq!(runs.load(Relaxed), 2);
    }
}

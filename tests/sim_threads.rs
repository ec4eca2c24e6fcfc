//! Exploring on several threads: what is found is what one thread finds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;
use wakeful::sim::{Builder, Coverage, FailureKind, Sim, Strategy};

/// Tasks whose polls come in an order that tells most schedules apart.
async fn crowd(sim: Sim) {
    let tasks = [3, 5, 4].map(|polls| {
        let task = sim.clone();
        sim.spawn("one of a crowd", async move {
            for _ in 0..polls {
                task.yield_now().await;
            }
        })
    });
    for task in tasks {
        task.await;
    }
}

#[test]
fn the_summary_does_not_depend_on_the_number_of_threads() {
    for strategy in [Strategy::Portfolio, Strategy::Random, Strategy::Walk, Strategy::Pct(3)] {
        for runs in [1, 2, 100, 1_000] {
            let builder = Builder::new().strategy(strategy).runs(runs).seed(5);
            let one = builder.explore(crowd).unwrap();
            assert_eq!((one.runs, one.coverage), (runs, Coverage::Sample));
            for threads in [2, 5] {
                assert_eq!(builder.clone().threads(threads).explore(crowd).unwrap(), one);
            }
        }
    }
}

#[test]
fn runs_are_made_on_as_many_threads_as_are_asked_for() {
    let on = |threads| {
        let (seen, all) = (Mutex::new(Vec::new()), Barrier::new(threads));
        let builder = Builder::new().runs(4_096).repeat_every(0).threads(threads);
        let summary = builder.explore(async |sim: Sim| {
            let here = thread::current().id();
            // In the last round, who comes first waits for the others, so that nobody does all the work.
            let first = sim.seed() >= 2_048 && !seen.lock().unwrap().contains(&here);
            if first {
                seen.lock().unwrap().push(here);
                all.wait();
            }
        });
        assert_eq!(summary.unwrap().runs, 4_096);
        assert!(seen.lock().unwrap().contains(&thread::current().id()), "the caller's thread works too");
        seen.into_inner().unwrap().len()
    };
    assert_eq!((on(1), on(3)), (1, 3));
}

#[test]
fn no_more_threads_are_started_than_find_something_to_do() {
    let builder = Builder::new().runs(3).threads(usize::MAX);
    assert_eq!(builder.explore(crowd).unwrap().runs, 3);
}

/// Fails in the runs of these seeds.
async fn unlucky(sim: Sim, bad: &[u64]) {
    let seed = sim.seed();
    crowd(sim).await;
    assert!(!bad.contains(&seed), "seed {seed} is bad");
}

#[test]
fn of_several_failures_that_of_the_earliest_run_is_reported() {
    for bad in [&[700, 701, 702, 999][..], &[0, 1, 2], &[63, 31, 32]] {
        let earliest = *bad.iter().min().unwrap();
        let builder = Builder::new().runs(1_000);
        let one = builder.explore(async |sim: Sim| unlucky(sim, bad).await).unwrap_err();
        assert!(one.message().contains(&format!("seed {earliest} is bad")), "{one}");
        for threads in [2, 4] {
            let failure =
                builder.clone().threads(threads).explore(async |sim: Sim| unlucky(sim, bad).await).unwrap_err();
            assert_eq!(failure, one);
            assert_eq!((failure.replay(), failure.shrunk()), (one.replay(), one.shrunk()));
        }
    }
}

#[test]
fn a_failure_of_few_schedules_is_the_same_on_several_threads() {
    let body = async |sim: Sim| {
        let order = Arc::new(Mutex::new(String::new()));
        let tasks = ["a", "b", "c"].map(|name| {
            let (task, order) = (sim.clone(), order.clone());
            sim.spawn(name, async move {
                for _ in 0..3 {
                    order.lock().unwrap().push_str(name);
                    task.yield_now().await;
                }
            })
        });
        for task in tasks {
            task.await;
        }
        assert_ne!(*order.lock().unwrap(), "abbaccbca", "this one");
    };
    let builder = Builder::new().strategy(Strategy::Random).runs(100_000).repeat_every(0);
    let one = builder.explore(body).unwrap_err();
    assert_eq!(one.kind(), FailureKind::Panic);
    assert_eq!(builder.threads(3).explore(body).unwrap_err(), one);
}

#[test]
fn sweeps_and_marks_are_counted_alike() {
    let body = async |sim: Sim| {
        wakeful::sometimes!(sim.choose(3) == 1);
        let swept = sim.cancel_at_each(crowd(sim.clone()));
        swept.await;
        sim.idle().await;
    };
    let builder = Builder::new().runs(60).allow_leaks(true);
    let one = builder.explore(body).unwrap();
    assert!(one.cancel_points > 60 && one.marks.len() == 1, "{one:?}");
    assert_eq!(builder.threads(2).explore(body).unwrap(), one);
}

#[test]
fn a_run_that_is_not_reproducible_is_reported() {
    let count = AtomicUsize::new(0);
    let body = async |sim: Sim| {
        if count.fetch_add(1, Ordering::Relaxed) % 2 == 0 {
            sim.yield_now().await;
        }
    };
    let failure = Builder::new().threads(2).repeat_every(1).explore(body).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Nondeterminism);
}

#[test]
fn a_budget_of_polls_ends_after_the_run_that_reaches_it() {
    let builder = Builder::new().runs(10_000).strategy(Strategy::Random);
    let sums = (0..200).scan(0, |sum, seed| {
        *sum += builder.clone().seed(seed).run(crowd).unwrap().steps;
        Some(*sum)
    });
    let sums: Vec<u64> = sums.collect();
    for budget in [0, 1, sums[0], sums[0] + 1, 1_000, sums[100] - 1, sums[100]] {
        let runs = 1 + sums.iter().filter(|sum| **sum < budget).count();
        for threads in [1, 2] {
            let summary = builder.clone().poll_budget(budget).threads(threads).explore(crowd).unwrap();
            assert_eq!(summary.runs as usize, runs, "{budget} polls");
        }
    }
}

#[test]
fn a_budget_of_time_ends_the_runs() {
    let builder = Builder::new().runs(u32::MAX).time_budget(Duration::from_millis(20));
    for threads in [1, 2] {
        let summary = builder.clone().threads(threads).explore(crowd).unwrap();
        assert!((1..u32::MAX).contains(&summary.runs));
    }
    let none = Builder::new().runs(u32::MAX).time_budget(Duration::ZERO).explore(crowd).unwrap();
    assert_eq!(none.runs, 1, "one is made in any case");
}

#[test]
fn budgets_hold_for_searches_too() {
    let search = Builder::new().strategy(Strategy::Exhaustive).runs(u32::MAX);
    let some = search.clone().poll_budget(1_000).explore(crowd).unwrap();
    assert!(some.runs > 1 && some.coverage == Coverage::Sample);
    let polls_of_one = 1_000 / u64::from(some.runs);
    assert!((10..30).contains(&polls_of_one));
    let none = search.time_budget(Duration::ZERO).explore(crowd).unwrap();
    assert_eq!((none.runs, none.coverage), (1, Coverage::Sample));
}

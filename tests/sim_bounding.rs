//! Pre-emption bounding: numbers that are known from counting, and what it finds.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use wakeful::sim::{Builder, Coverage, FailureKind, Sim, Strategy};

fn bounded(most: u32) -> Builder {
    Builder::new().strategy(Strategy::Preemptions(most)).runs(100_000)
}

/// Tasks of some polls each, in whatever order; gives the order.
async fn polls(sim: Sim, tasks: usize, polls: usize) -> Vec<usize> {
    let order = Arc::new(Mutex::new(Vec::new()));
    for n in 0..tasks {
        let (task, order) = (sim.clone(), order.clone());
        sim.spawn("task", async move {
            for turn in 0..polls {
                if turn > 0 {
                    task.yield_now().await;
                }
                order.lock().unwrap().push(n);
            }
        });
    }
    sim.idle().await;
    let order = order.lock().unwrap();
    order.clone()
}

/// How often a task was left that was not done.
fn preemptions(order: &[usize], polls: usize) -> u32 {
    let left = |at: usize| order[at - 1] != order[at] && order[at..].contains(&order[at - 1]);
    assert!(order.iter().all(|n| order.iter().filter(|other| *other == n).count() == polls));
    (1..order.len()).map(|at| u32::from(left(at))).sum()
}

fn choose(n: u32, k: u32) -> u32 {
    (0..k).fold(1, |product, i| product * (n - i) / (i + 1))
}

#[test]
fn each_bound_has_all_schedules_with_so_few_pre_emptions() {
    // Two tasks of n polls in b blocks make b - 2 pre-emptions: the switch from a task that is done is none. The polls of
    // each are cut into its blocks in as many ways as there are places for the cuts.
    let blocks = |n: u32, b: u32| 2 * choose(n - 1, b.div_ceil(2) - 1) * choose(n - 1, b / 2 - 1);
    for most in 0..=9 {
        let orders = Mutex::new(BTreeSet::new());
        let summary = bounded(most).explore(async |sim: Sim| {
            let order = polls(sim, 2, 5).await;
            assert!(preemptions(&order, 5) <= most);
            orders.lock().unwrap().insert(order);
        });
        let summary = summary.unwrap();
        let expected: u32 = (2..=most.min(8) + 2).map(|b| blocks(5, b)).sum();
        assert_eq!((summary.runs, orders.lock().unwrap().len()), (expected, expected as usize), "at most {most}");
        let coverage = if most < 8 { Coverage::Preemptions(most) } else { Coverage::Complete };
        assert_eq!(summary.coverage, coverage);
    }
}

#[test]
fn without_a_limit_it_is_the_plain_search_in_another_order() {
    let (seen, fresh) = (Mutex::new(BTreeSet::new()), Mutex::new(Vec::new()));
    let summary = bounded(u32::MAX).repeat_every(0).explore(async |sim: Sim| {
        let order = polls(sim, 3, 3).await;
        let count = preemptions(&order, 3);
        if seen.lock().unwrap().insert(order) {
            fresh.lock().unwrap().push(count);
        }
    });
    let summary = summary.unwrap();
    assert_eq!((summary.runs, summary.traces, summary.coverage), (1_680, 1_680, Coverage::Complete));
    let fresh = fresh.lock().unwrap();
    assert!(fresh.len() == 1_680 && fresh.is_sorted(), "those with fewer come first");
}

#[test]
fn a_bug_of_one_pre_emption_is_found_in_the_second_round() {
    let body = async |sim: Sim| {
        let order = polls(sim, 3, 4).await;
        assert!(!order.starts_with(&[0, 0, 1]), "this one");
    };
    assert!(bounded(0).explore(body).is_ok());
    let failure = bounded(1).explore(body).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Panic);
    let again = Builder::new().replay(failure.replay()).unwrap().run(body).unwrap_err();
    assert_eq!((again.message(), again.hash()), (failure.message(), failure.hash()));
}

#[test]
fn a_task_that_spins_is_left_for_another() {
    let summary = bounded(1).explore(async |sim: Sim| {
        let flag = Arc::new(Mutex::new(false));
        let (seen, task) = (flag.clone(), sim.clone());
        sim.spawn("spinner", async move {
            while !*seen.lock().unwrap() {
                task.yield_now().await;
            }
        });
        sim.spawn("setter", async move { *flag.lock().unwrap() = true });
        sim.idle().await;
    });
    let summary = summary.unwrap();
    // The setter first; when the spinner has had its 64 turns; earlier, as a pre-emption.
    assert_eq!((summary.runs, summary.coverage), (1 + 1 + 63, Coverage::Preemptions(1)));
}

#[test]
fn values_cost_nothing() {
    let summary = bounded(0).explore(async |sim: Sim| assert!(sim.choose(3) + sim.choose(2) < 4)).unwrap();
    assert_eq!((summary.runs, summary.coverage), (6, Coverage::Complete));
}

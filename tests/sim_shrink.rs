//! Failures that many runs find are made small, stay the same failures, and replay.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeful::sim::{Builder, Failure, FailureKind, Sim, Strategy};

const FOR_EVER: Duration = Duration::MAX;

/// Eight tasks of twelve polls. Whether the sixth was ever three polls ahead of the first: that takes three points, and
/// does not happen where all take turns.
async fn was_far_ahead(sim: &Sim) -> bool {
    let (polls, far): (Arc<[AtomicUsize; 8]>, _) = (Arc::default(), Arc::new(AtomicBool::new(false)));
    let tasks = [0, 1, 2, 3, 4, 5, 6, 7].map(|n| {
        let (sim, polls, far) = (sim.clone(), polls.clone(), far.clone());
        sim.clone().spawn(format!("number {n}"), async move {
            for _ in 0..12 {
                polls[n].fetch_add(1, Relaxed);
                if polls[5].load(Relaxed) >= polls[0].load(Relaxed) + 3 {
                    far.store(true, Relaxed);
                }
                sim.yield_now().await;
            }
        })
    });
    for task in tasks {
        task.await;
    }
    far.load(Relaxed)
}

async fn far_ahead(sim: Sim) {
    assert!(!was_far_ahead(&sim).await, "the sixth was far ahead");
}

/// What the line of a failure replays must be that failure.
fn replays<Fut: Future<Output = ()>>(failure: &Failure, body: impl Fn(Sim) -> Fut + Sync) {
    let again = Builder::new().replay(failure.replay()).unwrap().run(body).unwrap_err();
    assert_eq!((again.kind(), again.message(), again.hash()), (failure.kind(), failure.message(), failure.hash()));
    assert_eq!((again.tasks(), again.replay(), again.shrunk()), (failure.tasks(), failure.replay(), None));
}

/// The failure in which `failure` was found.
fn found<Fut: Future<Output = ()>>(failure: &Failure, body: impl Fn(Sim) -> Fut + Sync) -> Failure {
    let line = failure.shrunk().map_or(failure.replay(), |shrunk| &shrunk.found);
    Builder::new().replay(line).unwrap().run(body).unwrap_err()
}

#[test]
fn a_schedule_of_many_points_shrinks_to_a_few() {
    for strategy in [Strategy::Random, Strategy::Walk, Strategy::Portfolio] {
        for seed in [0, 1_000, 2_000] {
            let builder = Builder::new().seed(seed).runs(1_000).strategy(strategy);
            let failure = builder.explore(far_ahead).unwrap_err();
            let shrunk = failure.shrunk().unwrap_or_else(|| panic!("{strategy:?}: {failure}"));

            assert!(shrunk.from >= 74 && shrunk.to <= 3 && shrunk.runs < 60, "{strategy:?}: {failure}");
            assert_eq!(failure.message(), "`root` panicked: the sixth was far ahead");
            assert_eq!(failure.message(), found(&failure, far_ahead).message());
            replays(&failure, far_ahead);
            let (from, to, runs) = (shrunk.from, shrunk.to, shrunk.runs);
            let note = format!("\nshrunk from {from} points to {to} in {runs} runs; found with {}\n", shrunk.found);
            assert!(failure.to_string().contains(&note), "{failure}");
            assert!(failure.to_string().ends_with(&format!("\nreplay with {}", failure.replay())), "{failure}");
        }
    }
}

#[test]
fn check_prints_the_line_of_the_small_failure() {
    let failure = Builder::new().explore(far_ahead).unwrap_err();
    let panic = std::panic::catch_unwind(|| Builder::new().check(far_ahead)).unwrap_err();
    assert_eq!(*panic.downcast_ref::<String>().unwrap(), failure.to_string());
}

/// Panics with one message if the sixth was ever far ahead, else with another.
async fn two_messages(sim: Sim) {
    let said = if was_far_ahead(&sim).await { "it was" } else { "it was not" };
    panic!("{said}\nfar");
}

/// The same in two places.
async fn two_places(sim: Sim) {
    if was_far_ahead(&sim).await {
        panic!("somewhere\nfar");
    }
    panic!("somewhere\nnear");
}

/// The same in two tasks.
async fn two_tasks(sim: Sim) {
    let name = if was_far_ahead(&sim).await { "far" } else { "near" };
    sim.spawn(name, async { panic!("somewhere") }).await
}

/// The same with two tasks left over.
async fn two_left_over(sim: Sim) {
    let name = if was_far_ahead(&sim).await { "far" } else { "near" };
    sim.clone().spawn(name, async move { sim.advance(FOR_EVER).await });
}

/// The same in two kinds of failure.
async fn two_kinds(sim: Sim) {
    match was_far_ahead(&sim).await {
        true => drop(sim.clone().spawn("far", async move { sim.advance(FOR_EVER).await })),
        false => sim.advance(FOR_EVER).await,
    }
}

#[test]
fn a_failure_stays_of_its_sort_while_it_shrinks() {
    fn stays<Fut: Future<Output = ()>>(body: impl Fn(Sim) -> Fut + Sync) {
        let far = |failure: &Failure| match failure.kind() {
            FailureKind::Leak => failure.tasks()[0].name == "far",
            _ => failure.message().contains("far") && !failure.message().contains("not"),
        };
        let mut counts = [0, 0];
        for seed in 0..60 {
            let random = Builder::new().seed(seed).strategy(Strategy::Random);
            let failure = random.explore(&body).unwrap_err();
            let first = found(&failure, &body);
            assert_eq!((failure.kind(), far(&failure)), (first.kind(), far(&first)), "{failure}\n{first}");
            replays(&failure, &body);
            let shrunk = failure.shrunk().unwrap();
            counts[usize::from(far(&first))] += 1;
            assert!(if far(&first) { (2..=3).contains(&shrunk.to) } else { shrunk.to == 0 }, "{failure}");
        }
        assert!(counts.iter().all(|&count| count > 3), "{counts:?}");
    }
    stays(two_messages);
    stays(two_places);
    stays(two_tasks);
    stays(two_left_over);
    stays(two_kinds);
}

/// A lock for tasks, as small as it gets.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, VecDeque<Waker>)>>);

impl Gate {
    async fn lock(&self) {
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if state.0 {
                state.1.push_back(cx.waker().clone());
                return Poll::Pending;
            }
            state.0 = true;
            Poll::Ready(())
        })
        .await;
    }

    fn unlock(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 = false;
        state.1.pop_front().into_iter().for_each(Waker::wake);
    }
}

/// Two tasks take two locks in opposite orders, but if all take turns the first is done before the other begins.
async fn lock_order(sim: Sim) {
    let (left, right) = (Gate::default(), Gate::default());
    let start = |name: &'static str, delay, first: Gate, second: Gate| {
        let task = sim.clone();
        sim.spawn(name, async move {
            for _ in 0..delay {
                task.yield_now().await;
            }
            first.lock().await;
            task.yield_now().await;
            second.lock().await;
            second.unlock();
            first.unlock();
        })
    };
    let (early, late) = (start("early", 0, left.clone(), right.clone()), start("late", 4, right, left));
    was_far_ahead(&sim).await;
    early.await;
    late.await;
}

#[test]
fn a_deadlock_keeps_its_tasks() {
    for strategy in [Strategy::Random, Strategy::Portfolio] {
        let failure = Builder::new().runs(1_000).strategy(strategy).explore(lock_order).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Deadlock);
        let names: Vec<&str> = failure.tasks().iter().map(|task| task.name.as_str()).collect();
        assert_eq!(names, ["root", "early", "late"]);
        assert!(failure.shrunk().unwrap().to <= 4, "{failure}");
        replays(&failure, lock_order);
    }
}

#[test]
fn values_are_taken_away_last_and_only_those_that_do_not_matter() {
    let body = async |sim: Sim| {
        let tasks = [0, 1].map(|_| {
            let sim = sim.clone();
            sim.clone().spawn("chooser", async move {
                let mut chosen = [0; 3];
                for value in &mut chosen {
                    *value = sim.choose(10);
                    sim.yield_now().await;
                }
                chosen
            })
        });
        let mut chosen = Vec::new();
        for task in tasks {
            chosen.extend(task.await);
        }
        assert!(chosen[4] < 5, "too large\n{chosen:?}");
    };
    for seed in 0..10 {
        let failure = Builder::new().seed(seed).explore(body).unwrap_err();
        let shrunk = failure.shrunk().unwrap();
        assert_eq!(shrunk.to, 1, "{failure}");
        let value = found(&failure, body).message().split(", ").nth(4).unwrap().to_string();
        assert!(failure.message().ends_with(&format!("[0, 0, 0, 0, {value}, 0]")), "{failure}");
        replays(&failure, body);
    }
}

#[test]
fn the_budget_is_kept() {
    let made = AtomicUsize::new(0);
    let body = async |sim: Sim| {
        made.fetch_add(1, Relaxed);
        far_ahead(sim).await;
    };
    let builder = Builder::new().seed(3).strategy(Strategy::Random);
    let plain = builder.clone().shrink(0).explore(body).unwrap_err();
    assert!(plain.shrunk().is_none() && plain.replay().starts_with("WAKEFUL_SIM=seed:"), "{plain}");
    let without = made.swap(0, Relaxed);
    for runs in [1, 2, 5, 10, 20] {
        let failure = builder.clone().shrink(runs).explore(body).unwrap_err();
        assert!(made.swap(0, Relaxed) <= without + runs as usize);
        assert!(failure.shrunk().is_none_or(|shrunk| shrunk.runs <= runs && shrunk.found == plain.replay()));
        replays(&failure, far_ahead);
    }
    // A run as long as the polls that may be spent is not repeated.
    let long = async |sim: Sim| loop {
        made.fetch_add(1, Relaxed);
        sim.yield_now().await;
    };
    let builder = builder.max_steps(Builder::SHRINK_POLLS + 1).repeat_every(0);
    let failure = builder.explore(long).unwrap_err();
    assert_eq!((failure.kind(), failure.shrunk()), (FailureKind::StepLimit, None));
    assert_eq!(made.load(Relaxed) as u64, Builder::SHRINK_POLLS + 1);
}

#[test]
fn bytes_and_replays_are_left_as_they_are() {
    let random = Builder::new().strategy(Strategy::Random).shrink(0).explore(far_ahead).unwrap_err();
    let again = Builder::new().replay(random.replay()).unwrap().runs(1).shrink(0).explore(far_ahead).unwrap_err();
    assert_eq!(again, random);
    let small = Builder::new().explore(far_ahead).unwrap_err();
    let bytes = Builder::new().replay(small.replay()).unwrap().explore(far_ahead).unwrap_err();
    assert_eq!((bytes.replay(), bytes.shrunk()), (small.replay(), None));
}

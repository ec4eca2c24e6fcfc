//! Marks in code that has no handle to the simulator, faults, and what must hold after them.

use std::cell::Cell;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use wakeful::sim::{self, Builder, Coverage, Failure, FailureKind, Faults, Kind, MarkKind, Sim, Strategy};
use wakeful::{always, buggify, reachable, sometimes};

const ONE: NonZeroU8 = NonZeroU8::MIN;

/// What the line of a failure replays must be that failure.
fn replays<Fut: Future<Output = ()>>(builder: &Builder, failure: &Failure, body: impl Fn(Sim) -> Fut) {
    let again = builder.clone().replay(failure.replay()).unwrap().run(body).unwrap_err();
    assert_eq!((again.kind(), again.message(), again.hash()), (failure.kind(), failure.message(), failure.hash()));
    assert_eq!(again.place(), failure.place());
}

/// Two tasks that each read a counter, yield, and write it back greater by one. It never shrinks, it seems.
async fn racy(sim: Sim) {
    let count = Arc::new(AtomicU32::new(0));
    let tasks = ["left", "right"].map(|name| {
        let (sim, count) = (sim.clone(), count.clone());
        sim.clone().spawn(name, async move {
            for _ in 0..3 {
                let seen = count.load(Relaxed);
                sim.yield_now().await;
                let before = count.swap(seen + 1, Relaxed);
                always!(before <= seen, "{before} was written in between");
            }
        })
    });
    for task in tasks {
        task.await;
    }
}

#[test]
fn what_always_holds_fails_the_run_by_name_and_place() {
    let failure = Builder::new().explore(racy).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Violation);
    assert!(failure.message().starts_with("`before <= seen` does not hold at tests/sim_faults.rs:"), "{failure}");
    assert!(failure.message().ends_with(" was written in between"), "{failure}");
    assert_eq!(failure.place().unwrap().file(), "tests/sim_faults.rs");
    assert!(["left", "right"].contains(&&*failure.tasks()[0].name) && failure.tasks().len() == 1, "{failure}");
    assert!(failure.shrunk().unwrap().to <= 2, "{failure}");
    replays(&Builder::new(), &failure, racy);
}

#[test]
fn code_that_catches_panics_cannot_hide_what_does_not_hold() {
    let swallowing = async |_: Sim| {
        let caught = std::panic::catch_unwind(|| {
            always!(1 + 1 == 3);
            panic!("another thing");
        });
        assert!(caught.is_err());
    };
    let failure = Builder::new().run(swallowing).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Violation);
    // The first thing that went wrong is the one reported, also if there is a panic in the same poll.
    let both = async |_: Sim| {
        always!(false, "first");
        always!(false, "second");
        panic!("third");
    };
    let failure = Builder::new().run(both).map(|_: sim::Report<()>| ()).unwrap_err();
    assert!(failure.to_string().contains("violation at 0.000000000s after 1 polls: `false` does not hold at "));
    assert!(failure.message().ends_with(": first"), "{failure}");
    /// Breaks a promise as it is dropped.
    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            always!(false, "at the end");
        }
    }
    let late = async |sim: Sim| {
        sim.spawn_background("late", async {
            let _late = Late;
            std::future::pending::<()>().await;
        });
        sim.idle().await;
    };
    assert_eq!(Builder::new().run(late).unwrap_err().kind(), FailureKind::Violation);
    // What is said is formatted outside the simulator's lock.
    struct Asks<'a>(&'a Sim);
    impl std::fmt::Display for Asks<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{}", self.0.random() / u64::MAX)
        }
    }
    let asks = Builder::new().run(async |sim: Sim| always!(false, "{}", Asks(&sim))).unwrap_err();
    assert!(asks.message().ends_with(": 0"), "{asks}");
}

#[test]
fn marks_cost_and_do_nothing_outside_a_run() {
    let evaluated = Cell::new(0);
    let count = || {
        evaluated.set(evaluated.get() + 1);
        false
    };
    always!(count());
    sometimes!(count());
    reachable!("nowhere");
    assert!(!buggify!());
    sim::run(async |_| {});
    always!(count(), "after a run, too");
    assert_eq!(evaluated.get(), 0);
    // A thread that is not the run's is outside it.
    sim::run(async |_| {
        let other = std::thread::spawn(|| {
            always!(false);
            buggify!()
        });
        assert!(!other.join().unwrap());
    });
}

#[test]
fn what_is_never_true_in_any_run_fails_with_its_place() {
    let never = async |sim: Sim| {
        let chosen = sim.choose(4);
        sometimes!(chosen == 3, "three");
        sometimes!(chosen == 4, "four");
    };
    let failure = Builder::new().explore(never).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NeverHit);
    let said = failure.to_string();
    assert!(said.starts_with("never hit in 64 runs: `four` at tests/sim_faults.rs:"), "{said}");
    assert!(said.ends_with(", evaluated 64 times and never true\ntry more runs with WAKEFUL_SIM_RUNS=640"), "{said}");
    // One run is not all runs, nor is what a fuzzer drives.
    Builder::new().run(never).unwrap();
    Builder::new().bytes([1]).explore(never).unwrap();
    let searched = Builder::new().strategy(Strategy::Exhaustive).explore(never).unwrap_err();
    assert!(searched.to_string().contains("in 4 runs: `four`"), "{searched}");
    // What is never evaluated is not known.
    Builder::new().check(async |sim| {
        if sim.seed() == u64::MAX {
            sometimes!(false);
        }
    });
}

#[test]
fn what_must_be_hit_is_reported_if_it_is_not() {
    let body = async |sim: Sim| {
        if sim.choose(2) == 1 {
            reachable!("one");
        }
        sometimes!(sim.choose(2) == 1, "heads");
        if sim.choose(2) == 7 {
            reachable!("seven");
        }
        let _ = buggify!("trouble");
    };
    let summary = Builder::new().must_hit(&["one", "heads"]).explore(body).unwrap();
    let hit: Vec<_> = summary.marks.iter().map(|mark| (mark.kind, mark.text, mark.reached, mark.hit)).collect();
    let [one, heads, trouble] = &hit[..] else { panic!("{hit:?}") };
    assert!(one.0 == MarkKind::Reachable && one.2 == one.3 && (20..44).contains(&one.2), "{one:?}");
    assert!(heads.0 == MarkKind::Sometimes && heads.2 == 64 && (20..44).contains(&heads.3), "{heads:?}");
    assert_eq!(*trouble, (MarkKind::Buggify, "trouble", 64, 0));

    let said = |texts| Builder::new().must_hit(texts).explore(body).unwrap_err().to_string();
    assert!(said(&["one", "seven"]).contains("`seven`, the text of no mark that was reached"));
    assert!(said(&["trouble"]).contains("`trouble` at tests/sim_faults.rs:"), "{}", said(&["trouble"]));
    Builder::new().must_hit(&["trouble"]).faults(Faults::new()).explore(body).unwrap();
}

/// A hundred chances in two places, and how many were taken.
fn taken() -> [usize; 2] {
    let mut taken = [0; 2];
    for _ in 0..100 {
        taken[0] += usize::from(buggify!("first"));
        taken[1] += usize::from(buggify!("second"));
    }
    taken
}

#[test]
fn places_are_enabled_by_run_and_fire_by_chance() {
    let body = async |_: Sim| taken();
    assert_eq!(Builder::new().run(body).unwrap().output, [0, 0], "no faults unless asked for");
    let faults = Builder::new().faults(Faults::new());
    let runs: Vec<[usize; 2]> = (0..400).map(|seed| faults.clone().seed(seed).run(body).unwrap().output).collect();
    let enabled: Vec<usize> = runs.iter().flatten().copied().filter(|&taken| taken > 0).collect();
    assert!((150..250).contains(&enabled.len()), "one in four of 800: {}", enabled.len());
    let mean = enabled.iter().sum::<usize>() / enabled.len();
    assert!((20..30).contains(&mean), "one in four of 100: {mean}");
    assert!(runs.iter().any(|taken| taken[0] > 0 && taken[1] == 0), "each place by itself");
    let all = Builder::new().faults(Faults::new().enabled_one_in(ONE).fires_one_in(ONE)).run(body).unwrap();
    assert_eq!((all.output, all.draws), ([100, 100], 0), "what is certain is not chosen");
    let few = Builder::new().faults(Faults::new().enabled_one_in(ONE).fires_one_in(NonZeroU8::MAX));
    let few: usize = (0..100).flat_map(|seed| few.clone().seed(seed).run(body).unwrap().output).sum();
    assert!((40..120).contains(&few), "one in 255 of 20,000: {few}");
}

#[test]
fn faults_replay_from_seeds_and_bytes_and_none_come_of_zeros() {
    let body = async |_: Sim| taken();
    let faults = Builder::new().faults(Faults::new());
    assert_eq!(faults.clone().bytes([]).run(body).unwrap().output, [0, 0]);
    assert_eq!(faults.clone().bytes([1, 1]).run(body).unwrap().output, [1, 0]);
    let mut asked = 0;
    let oracle = move |kind: Kind, n: usize| {
        assert_eq!((kind, n), (Kind::Fault, 4));
        asked += 1;
        usize::from(asked % 3 == 1)
    };
    let first = faults.run_with(oracle, body).unwrap();
    assert!(first.output[0] > 0, "{first}");
    assert_eq!(faults.clone().replay(&first.replay).unwrap().run(body).unwrap(), first);
}

#[test]
fn a_search_takes_each_fault_once_and_not_n_times() {
    let search = Builder::new().strategy(Strategy::Exhaustive).faults(Faults::new());
    let outcomes = std::sync::Mutex::new(Vec::new());
    let body = async |_: Sim| {
        let seen = [buggify!("first"), buggify!("second")];
        outcomes.lock().unwrap().push(seen);
    };
    // A place is not enabled; it is, and does not fire; it is, and fires.
    let summary = search.repeat_every(0).explore(body).unwrap();
    assert_eq!((summary.runs, summary.coverage), (9, Coverage::Complete));
    assert_eq!(outcomes.lock().unwrap().iter().filter(|seen| **seen == [true, true]).count(), 1);
}

#[test]
fn sleep_sets_keep_every_outcome_of_faults_that_tasks_share() {
    let outcomes = |strategy| {
        let seen = std::sync::Mutex::new(std::collections::BTreeSet::new());
        let search = Builder::new().strategy(strategy).runs(10_000).repeat_every(0);
        let body = async |sim: Sim| {
            let tasks = [0, 1].map(|n| sim.tracked().spawn(format!("{n}"), async { buggify!("shared") }));
            sim.idle().await;
            let mut fired = Vec::new();
            for task in tasks {
                fired.push(task.await);
            }
            seen.lock().unwrap().insert(fired);
        };
        let summary = search.faults(Faults::new().stop_after(2)).explore(body).unwrap();
        assert_ne!(summary.coverage, Coverage::Sample);
        seen.into_inner().unwrap()
    };
    let all = outcomes(Strategy::Exhaustive);
    assert!(all.len() > 2, "the second poll comes too late for a fault: {all:?}");
    assert_eq!(outcomes(Strategy::SleepSets), all);
}

/// A client that sends three requests, each of which may be lost, and gives up after four attempts.
async fn client(sim: Sim) {
    let attempts = AtomicUsize::new(0);
    for _ in 0..3 {
        for attempt in 1.. {
            attempts.fetch_add(1, Relaxed);
            assert!(attempt <= 4, "a request was given up");
            sim.time().sleep(Duration::from_millis(10)).await;
            let slow = buggify!("a slow answer");
            if slow {
                sim.time().sleep(Duration::from_millis(90)).await;
            }
            if !buggify!("a lost request") {
                break;
            }
        }
    }
}

#[test]
fn a_failure_is_freed_of_the_faults_that_it_does_not_need() {
    let often = Faults::new().enabled_one_in(ONE).fires_one_in(NonZeroU8::new(2).unwrap());
    let builder = Builder::new().faults(often).runs(1_000);
    let failure = builder.explore(client).unwrap_err();
    let shrunk = failure.shrunk().unwrap();
    assert_eq!((failure.kind(), shrunk.to), (FailureKind::Panic, 4), "{failure}");
    assert!(shrunk.from > 4 && failure.time().as_nanos() <= 60_000_000, "no answer is slow: {failure}");
    assert!(failure.message().ends_with(" was given up"), "{failure}");
    replays(&builder, &failure, client);
    // Who fails in any case is freed of all.
    let failure = builder.explore(async |sim| {
        sim.yield_now().await;
        assert!(taken()[0] > 1_000);
    });
    assert_eq!(failure.unwrap_err().shrunk().unwrap().to, 0);
}

#[test]
fn a_fault_is_of_the_task_that_meets_it_in_whichever_order_they_come() {
    let body = async |sim: Sim| {
        let tasks = ["a", "b", "c"].map(|name| {
            let meets = async move { assert!(!(buggify!("it fails") && name == "b"), "{name}") };
            sim.spawn(name, meets)
        });
        for task in tasks {
            task.await;
        }
    };
    let faults = Faults::new().enabled_one_in(ONE).fires_one_in(NonZeroU8::new(2).unwrap());
    let mut shrunk = 0;
    for seed in 0..20 {
        let failure = Builder::new().seed(seed).faults(faults).explore(body).unwrap_err();
        let points = failure.shrunk().map(|shrunk| (shrunk.from, shrunk.to));
        assert!(
            points.is_none_or(|(_, to)| to == 1),
            "the fault alone, without the order in which it was found: {failure}"
        );
        shrunk += u32::from(points.is_some_and(|(from, _)| from > 2));
    }
    assert!(shrunk > 5, "{shrunk}");
}

/// A caller that never gives up, but whom one fault may make wait for ever.
async fn forgetful(sim: Sim) {
    let time = sim.time();
    let mut lost = false;
    for _ in 0..20 {
        time.sleep(Duration::from_millis(10)).await;
        lost |= buggify!("the answer is lost");
    }
    loop {
        if !lost {
            break;
        }
        time.sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_run_must_end_soon_after_faults_have_stopped() {
    let faults = Faults::new().stop_after(30);
    let by_polls = Builder::new().faults(faults.finish_within(50, Duration::MAX));
    let failure = by_polls.explore(forgetful).unwrap_err();
    assert_eq!((failure.kind(), failure.steps()), (FailureKind::Liveness, 80));
    let said = "faults stopped after 30 polls, and 50 polls later the run is not over";
    assert_eq!(failure.message(), said);
    assert_eq!(failure.shrunk().unwrap().to, 2, "{failure}");
    replays(&by_polls, &failure, forgetful);

    let by_time = Builder::new().faults(faults.finish_within(u64::MAX, Duration::from_secs(1)));
    let failure = by_time.explore(forgetful).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Liveness);
    assert!(failure.message().starts_with("faults stopped at 0.290000000s, and 1s later"), "{failure}");
    assert_eq!(failure.time().as_nanos(), 1_300_000_000, "the first instant that is too late");
    replays(&by_time, &failure, forgetful);

    // Without faults, and if they stop at once, all is well.
    Builder::new().check(forgetful);
    Builder::new().faults(Faults::new().stop_after(0).finish_within(50, Duration::from_secs(1))).check(forgetful);
    Builder::new().max_steps(60).check(forgetful);
}

#[test]
fn faults_stop_when_they_are_told_to() {
    let body = async |sim: Sim| {
        let before = taken();
        sim.time().sleep(Duration::from_secs(5)).await;
        sim.stop_faults();
        let after = taken();
        sim.time().sleep(Duration::from_secs(2)).await;
        (before, after)
    };
    let faults = Faults::new().enabled_one_in(ONE).fires_one_in(ONE);
    let builder = Builder::new().faults(faults.finish_within(10, Duration::from_secs(2)));
    assert_eq!(builder.run(body).unwrap().output, ([100, 100], [0, 0]));
    let late = Builder::new().faults(faults.finish_within(10, Duration::from_nanos(1_999_999_999)));
    let failure = late.run(body).unwrap_err();
    assert!(failure.message().starts_with("faults stopped at 5.000000000s"), "{failure}");
    let slow = Builder::new().faults(faults.finish_within(0, Duration::from_secs(2)));
    assert_eq!(slow.run(body).unwrap_err().kind(), FailureKind::Liveness);
}

#[test]
fn a_run_within_a_run_has_marks_and_faults_of_its_own() {
    let outer = Builder::new().faults(Faults::new().enabled_one_in(ONE).fires_one_in(ONE));
    let report = outer.run(async |_| {
        let inner = Builder::new().run(async |_| taken()).unwrap();
        let failed = Builder::new().run(async |_| always!(false)).unwrap_err();
        assert_eq!(failed.kind(), FailureKind::Violation);
        (inner.output, inner.marks.len(), taken())
    });
    let report = report.unwrap();
    assert_eq!(report.output, ([0, 0], 2, [100, 100]));
    assert_eq!(report.marks.len(), 2);
}

//! The strategies of the simulator: what each finds, with counts that are known from theory.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use wakeful::sim::{Builder, Kind, Oracle, Pct, Random, ReadyView, Sim, Strategy, Walk};

/// Two tasks that act once a round, and a root that opens the next round when both have.
#[derive(Default)]
struct Rounds {
    round: usize,
    acted: usize,
    order: String,
    actors: Vec<Waker>,
    root: Option<Waker>,
}

/// Whether the two tasks acted in the orders ab, ba, ab and so on: a bug of depth `rounds`, since priorities decide all
/// rounds alike and each turn takes a change. There is one choice a round, between the two.
async fn alternate(sim: Sim, rounds: usize) -> bool {
    let shared = Arc::new(Mutex::new(Rounds::default()));
    let tasks = ["a", "b"].map(|name| {
        let shared = shared.clone();
        sim.spawn(name, async move {
            for round in 0..rounds {
                poll_fn(|cx| {
                    let mut state = shared.lock().unwrap();
                    if state.round == round {
                        return Poll::Ready(());
                    }
                    state.actors.push(cx.waker().clone());
                    Poll::Pending
                })
                .await;
                let mut state = shared.lock().unwrap();
                state.order.push_str(name);
                state.acted += 1;
                if state.acted == 2 {
                    state.root.take().unwrap().wake();
                }
            }
        })
    });
    for round in 1..=rounds {
        poll_fn(|cx| {
            let mut state = shared.lock().unwrap();
            if state.acted == 2 {
                return Poll::Ready(());
            }
            state.root = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        let mut state = shared.lock().unwrap();
        (state.acted, state.round) = (0, round);
        state.actors.drain(..).for_each(Waker::wake);
    }
    for task in tasks {
        task.await;
    }
    let order = &shared.lock().unwrap().order;
    *order == "abba".repeat(rounds)[..2 * rounds]
}

/// How many of `runs` runs find the bug of depth `rounds`.
fn found(runs: u64, rounds: usize, depth: u8, horizon: u64) -> usize {
    let runs = (0..runs).map(|seed| {
        let builder = Builder::new().seed(seed).strategy(Strategy::Pct(depth)).horizon(horizon);
        let report = builder.run(|sim| alternate(sim, rounds)).unwrap();
        assert_eq!(report.choices, rounds as u64);
        report.output
    });
    runs.filter(|&found| found).count()
}

#[test]
fn pct_finds_bugs_of_its_depth_within_the_bound_and_deeper_ones_never() {
    for (depth, runs) in [(1, 200), (2, 400), (3, 1_000), (4, 4_000)] {
        let (tasks, choices) = (3, u64::from(depth));
        let bound = runs as usize / (tasks * choices.pow(u32::from(depth) - 1) as usize);
        let found_by = |by, horizon| found(runs, depth.into(), by, horizon);
        let count = found_by(depth, choices);
        assert!(count >= bound, "depth {depth}: {count} of {runs}, at least {bound} were promised");
        for horizon in [choices, choices + 5] {
            assert_eq!(if depth > 1 { found_by(depth - 1, horizon) } else { 0 }, 0, "depth {depth} by one less");
        }
    }
}

/// Two tasks of five polls each; gives the order of the polls.
async fn two_of_five(sim: Sim) -> String {
    let order = Arc::new(Mutex::new(String::new()));
    let tasks = ["a", "b"].map(|name| {
        let (sim, order) = (sim.clone(), order.clone());
        sim.clone().spawn(name, async move {
            for turn in 0..5 {
                if turn > 0 {
                    sim.yield_now().await;
                }
                order.lock().unwrap().push_str(name);
            }
        })
    });
    for task in tasks {
        task.await;
    }
    let order = order.lock().unwrap();
    order.clone()
}

/// How often each schedule came, of 40 times as many runs as there are schedules.
fn spread<O: Oracle + Send + 'static>(oracle: impl Fn(u64) -> O) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for seed in 0..252 * 40 {
        let order = Builder::new().run_with(oracle(seed), two_of_five).unwrap().output;
        *counts.entry(order).or_default() += 1;
    }
    counts
}

#[test]
fn a_walk_with_true_estimates_takes_all_schedules_alike() {
    let walk = spread(|seed| Walk::new(seed).expecting(5));
    assert_eq!(walk.len(), 252);
    // The expected square deviation of a uniform choice is 251 counts' worth, give or take 22.
    let square = |counts: &BTreeMap<String, u32>| {
        counts.values().map(|&count| (f64::from(count) - 40.0).powi(2) / 40.0).sum::<f64>()
    };
    assert!(square(&walk) < 251.0 + 3.0 * 22.4, "{}", square(&walk));
    let random = spread(Random::new);
    assert!(square(&random) > 2_000.0, "{}", square(&random));
    assert!(random["aaaaabbbbb"] > 250, "one in 32: {}", random["aaaaabbbbb"]);
    let guessed = spread(Walk::new);
    assert!(guessed.len() > 200, "{}", guessed.len());
}

#[test]
fn each_strategy_replays_from_its_line() {
    let run = |builder: Builder| builder.run(two_of_five).unwrap();
    for (strategy, lines) in [
        (Strategy::Random, ["seed:4", "seed:5", "seed:6", "seed:7"]),
        (Strategy::Walk, ["walk:4", "walk:5", "walk:6", "walk:7"]),
        (Strategy::Pct(3), ["pct3:4", "pct3:5", "pct3:6", "pct3:7"]),
        (Strategy::Portfolio, ["seed:4,fresh", "pct2:5,fresh", "walk:6,fresh", "pct3:7,fresh"]),
    ] {
        for (seed, line) in (4..).zip(lines) {
            let first = run(Builder::new().seed(seed).strategy(strategy));
            assert_eq!(first.replay, format!("WAKEFUL_SIM={line}"));
            assert_eq!(run(Builder::new().replay(line).unwrap()), first);
        }
    }
    let first = run(Builder::new().seed(9).strategy(Strategy::Pct(4)).horizon(11));
    assert_eq!(first.replay, "WAKEFUL_SIM=pct4/11:9");
    assert_eq!(run(Builder::new().replay(&first.replay).unwrap()), first);
    assert_eq!(run(Builder::new().seed(5)).replay, "WAKEFUL_SIM=seed:5", "one run is random by default");
}

#[test]
fn many_runs_spread_pct_over_the_choices_of_those_before() {
    // Fails in the first run of PCT of depth 3, which is the fourth of the portfolio; each run has five choices.
    let runs = Mutex::new(0);
    let failure = Builder::new().repeat_every(0).probe_every(0).explore(async |sim: Sim| {
        *runs.lock().unwrap() += 1;
        alternate(sim, 5).await;
        assert_ne!(*runs.lock().unwrap(), 4);
    });
    let failure = failure.unwrap_err();
    assert_eq!(failure.replay(), "WAKEFUL_SIM=pct3/5:3");
}

#[test]
fn a_task_that_spins_does_not_starve_the_one_it_waits_for() {
    for seed in 0..100 {
        let report = Builder::new().replay(&format!("pct2:{seed}")).unwrap().run(async |sim: Sim| {
            let flag = Arc::new(AtomicBool::new(false));
            let (seen, spinner) = (flag.clone(), sim.clone());
            let spin = sim.spawn("spinner", async move {
                while !seen.load(Ordering::Relaxed) {
                    spinner.yield_now().await;
                }
            });
            let other = sim.clone();
            sim.spawn("setter", async move {
                other.yield_now().await;
                flag.store(true, Ordering::Relaxed);
            });
            spin.await;
        });
        assert!(report.unwrap().steps < 20);
    }
}

#[test]
fn tasks_that_wake_each_other_do_not_starve_the_one_they_wait_for() {
    /// Waits to be woken by the other of two, after waking it, until the flag is set.
    async fn bounce(wakers: Arc<Mutex<[Option<Waker>; 2]>>, me: usize, flag: Arc<AtomicBool>) {
        poll_fn(|cx| {
            let mut wakers = wakers.lock().unwrap();
            wakers[me] = Some(cx.waker().clone());
            if let Some(other) = wakers[1 - me].take() {
                other.wake();
            }
            if flag.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
    let mut longest = 0;
    for seed in 0..100 {
        let builder = Builder::new().seed(seed).strategy(Strategy::Pct(1)).horizon(50);
        let report = builder.run(async |sim: Sim| {
            let (wakers, flag) = (Arc::default(), Arc::new(AtomicBool::new(false)));
            let bounce = |me| bounce(Arc::clone(&wakers), me, flag.clone());
            let (ping, pong) = (sim.spawn("ping", bounce(0)), sim.spawn("pong", bounce(1)));
            let set = flag.clone();
            sim.spawn("setter", async move { set.store(true, Ordering::Relaxed) });
            ping.await;
            pong.await;
        });
        longest = longest.max(report.unwrap().steps);
    }
    let patience = 50 * Pct::PATIENCE;
    assert!((patience..patience + 100).contains(&longest), "{longest}");
}

/// Looks at what it is shown, and chooses the first.
struct Looker(Arc<Mutex<Vec<String>>>);

impl Oracle for Looker {
    fn choose(&mut self, _: Kind, _: usize) -> usize {
        0
    }

    fn choose_task(&mut self, ready: &ReadyView<'_>) -> usize {
        let said = ready.tasks().map(|task| format!("{}{}", task.polls, if task.woke_itself { "!" } else { "" }));
        self.0.lock().unwrap().push(format!("{} of {}", said.collect::<Vec<_>>().join(" "), ready.count()));
        assert!(ready.tasks().all(|task| !task.woke_itself || (task.key, task.polls) == ready.last()));
        0
    }
}

#[test]
fn an_oracle_sees_who_is_ready_in_the_order_of_its_answers() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let order = Builder::new().run_with(Looker(seen.clone()), two_of_five).unwrap().output;
    assert_eq!(order, "ababababab");
    let seen = seen.lock().unwrap();
    // First the two alone, then in turns, the one polled last at the end; at last the root, which the first woke.
    assert_eq!(seen[..4], ["0 0 of 2", "0 1! of 2", "1 1! of 2", "1 2! of 2"]);
    assert_eq!(seen[seen.len() - 1], "4 1 of 2");
}

//! Time obeys: it moves by itself or not, in the order of timers, and each node has its own.

use std::future::poll_fn;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::sim::{self, Builder, FailureKind, Node, Rng, Sim, Strategy};
use wakeful::spawn::{Spawn, Task};
use wakeful::time::{Instant, Wall};

const SECOND: Duration = Duration::from_secs(1);
const MILLION: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

fn at(seconds: f64) -> Instant {
    Instant::from_nanos((seconds * 1e9) as u64)
}

/// Waits for ever, with a waker that somebody could wake.
async fn stuck() {
    let mut kept = None;
    poll_fn(|cx| {
        kept = Some(cx.waker().clone());
        Poll::Pending
    })
    .await
}

/// What happened, with the virtual time.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(u64, String)>>>);

impl Log {
    fn add(&self, sim: &Sim, what: impl Into<String>) {
        self.0.lock().unwrap().push((sim.now().as_nanos(), what.into()));
    }

    fn take(&self) -> Vec<(u64, String)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Tasks that sleep, give up sleeping, start others and yield, at random, on two nodes that are wrong and on none.
fn crowd(sim: &Sim, log: &Log, seed: u64) {
    let mut rng = Rng::new(seed);
    let nodes = ["fast", "late"].map(|name| sim.node(name));
    nodes[0].set_rate(1_000_000 + rng.below(500_000) as u32, MILLION);
    nodes[0].set_grain(Duration::from_nanos(1 + rng.below(2_000) as u64));
    nodes[1].set_late(Duration::from_nanos(rng.below(3_000) as u64 * (seed % 3)));
    for n in 0..6 {
        let (sim, log, mut rng) = (sim.clone(), log.clone(), Rng::new(rng.next_u64()));
        let time = [sim.time(), nodes[0].time(), nodes[1].time()][n % 3].clone();
        sim.clone().spawn_background(format!("{n}"), async move {
            for step in 0.. {
                let nanos = Duration::from_nanos((rng.next_u64() >> 50) + 1);
                match rng.below(4) {
                    0 => {
                        let scope = Scope::new(sim.time());
                        let _ = scope.move_on_after(nanos / 2, async |_| time.sleep(nanos).await).await;
                    }
                    1 => {
                        let (sim, log, time) = (sim.clone(), log.clone(), time.clone());
                        sim.clone().spawn_background("child", async move {
                            time.sleep(nanos).await;
                            log.add(&sim, format!("child of {n}"));
                        });
                    }
                    2 => sim.yield_now().await,
                    _ => {}
                }
                time.sleep(nanos).await;
                log.add(&sim, format!("{n} in step {step}"));
            }
        });
    }
}

#[test]
fn an_advance_equals_any_sum_of_its_parts() {
    for seed in 0..150 {
        let run = |parts: &[u64]| {
            let log = Log::default();
            let builder = Builder::new().seed(seed).strategy(Strategy::Random).autojump(seed % 2 == 0);
            let report = builder.run(async |sim: Sim| {
                crowd(&sim, &log, seed);
                for &part in parts {
                    let end = sim.now() + Duration::from_nanos(part);
                    sim.advance(Duration::from_nanos(part)).await;
                    assert_eq!(sim.now(), end);
                    let late = sim.next_timer().is_some_and(|next| next <= end);
                    assert!(!late || seed % 3 != 0, "all have rung that were due");
                }
            });
            report.unwrap();
            log.take()
        };
        const WHOLE: u64 = 100_000;
        let whole = run(&[WHOLE]);
        assert!(whole.len() > 20 && whole.is_sorted_by_key(|event| event.0), "{}", whole.len());
        let mut rng = Rng::new(seed);
        for _ in 0..4 {
            let (mut parts, mut left) = (Vec::new(), WHOLE);
            while left > 0 {
                let part = (rng.next_u64() >> (48 + rng.below(16))).min(left);
                parts.push(part);
                left -= part;
            }
            assert_eq!(run(&parts), whole, "seed {seed}, in {} parts", parts.len());
        }
    }
}

#[test]
fn time_that_does_not_move_by_itself_moves_by_advance_and_jump() {
    let by_hand = Builder::new().autojump(false);
    by_hand.check(async |sim| {
        let time = sim.time();
        let task = sim.spawn("sleeper", async move {
            time.sleep(SECOND * 2).await;
            time.sleep(SECOND * 2).await;
            time.now()
        });
        sim.advance(SECOND).await;
        assert_eq!((sim.now(), sim.next_timer()), (at(1.0), Some(at(2.0))));
        sim.advance(SECOND * 2).await;
        assert_eq!((sim.now(), sim.next_timer()), (at(3.0), Some(at(4.0))));
        sim.jump(SECOND * 3).await;
        assert_eq!((sim.now(), sim.next_timer()), (at(6.0), None));
        assert_eq!(task.await, at(6.0));
    });
}

#[test]
fn nobody_can_go_on_without_time_is_said_with_the_next_timer() {
    let body = async |sim: Sim| {
        let (time, node) = (sim.time(), sim.node("slow"));
        node.set_rate(500_000, MILLION);
        let task = sim.spawn("sleeper", async move { time.sleep(SECOND * 7).await });
        let slow = node.time();
        node.spawn("on a slow node", async move { slow.sleep(SECOND * 3).await }).await;
        task.await;
    };
    let failure = Builder::new().autojump(false).run(body).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Standstill);
    assert_eq!(
        failure.message(),
        "nobody is ready, and time does not move by itself; the next timer rings at 6.000000000s"
    );
    let said = failure.to_string();
    assert!(said.contains("\n  slow: on a slow node [1]: waits for sleep until 3.000000000s, since "), "{said}");
    // Whoever waits for nothing at all is in a deadlock all the same.
    let failure = Builder::new().autojump(false).run(async |_| stuck().await).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    Builder::new().check(body);
}

#[test]
fn the_next_timer_is_exact_though_others_were_cancelled() {
    sim::check(|sim| async move {
        let time = sim.time();
        let give_up = |nanos| {
            let time = time.clone();
            sim.spawn_background("gives up", async move {
                let scope = Scope::new(time.clone());
                let _ = scope.move_on_after(Duration::from_nanos(1), async |_| time.sleep_until(at(nanos)).await).await;
            });
        };
        give_up(70.0);
        give_up(70.000_000_001);
        let sleeper = time.clone();
        sim.spawn_background("stays", async move { sleeper.sleep_until(at(70.000_000_005)).await });
        sim.advance(SECOND).await;
        assert_eq!(sim.next_timer(), Some(at(70.000_000_005)));
    });
}

#[test]
fn timers_of_a_node_ring_when_its_clock_says_so() {
    sim::check(|sim| async move {
        let node = sim.node("a");
        let sleep = |seconds| {
            let (node, time) = (node.clone(), node.time());
            node.clone().spawn("sleeper", async move {
                time.sleep(SECOND * seconds).await;
                node.now()
            })
        };
        // At a rate of 3/2 sixty seconds are forty.
        node.set_rate(3, NonZeroU32::new(2).unwrap());
        assert_eq!(sleep(60).await, at(60.0));
        assert_eq!(sim.now(), at(40.0));
        // A leap makes it due at once.
        let waits = sleep(60);
        sim.idle().await;
        node.jump(SECOND * 100);
        assert!(!waits.is_finished());
        sim.idle().await;
        assert!(waits.is_finished());
        assert_eq!((waits.await, sim.now()), (at(160.0), at(40.0)));
        // Who fell back takes that much longer.
        let waits = sleep(6);
        sim.advance(SECOND * 2).await;
        node.jump_back(SECOND * 3);
        assert_eq!(node.now(), at(160.0));
        assert_eq!((waits.await, sim.now()), (at(166.0), at(46.0)));
        // The timer queue keeps to the furthest instant that it has rung for: what lies before that has been reached.
        node.jump_back(SECOND * 3);
        assert_eq!(sleep(2).await, at(163.0));
        assert_eq!((sleep(6).await, sim.now()), (at(169.0), at(50.0)));
        // A clock that stands still rings never, until it goes on.
        node.set_rate(0, MILLION);
        let waits = sleep(1);
        sim.advance(SECOND * 10).await;
        assert_eq!((node.now(), sim.next_timer(), waits.is_finished()), (at(169.0), None, false));
        node.set_rate(1, NonZeroU32::MIN);
        assert_eq!((waits.await, sim.now()), (at(170.0), at(61.0)));
    });
}

#[test]
fn a_coarse_clock_reads_ticks_and_rings_at_them() {
    sim::check(|sim| async move {
        let node = sim.node("coarse");
        node.set_grain(Duration::from_millis(10));
        sim.advance(Duration::from_millis(14)).await;
        assert_eq!(node.now(), at(0.010));
        // One millisecond from what it reads is due at the next tick.
        node.time().sleep(Duration::from_millis(1)).await;
        assert_eq!((node.now(), sim.now()), (at(0.020), at(0.020)));
        node.time().sleep(Duration::from_millis(10)).await;
        assert_eq!(sim.now(), at(0.030));
        node.set_grain(Duration::ZERO);
        node.time().sleep(Duration::from_nanos(1)).await;
        assert_eq!(sim.now().as_nanos(), 30_000_001);
    });
}

/// Sleeps ten times on a node whose timers may be late, and says when it woke.
async fn late(sim: Sim) -> Vec<u64> {
    let node = sim.node("late");
    node.set_late(Duration::from_millis(5));
    let mut woke = Vec::new();
    for n in 0..10 {
        node.time().sleep_until(at(f64::from(n))).await;
        woke.push(node.now().as_nanos() % 1_000_000_000);
    }
    woke
}

#[test]
fn timers_are_late_by_choice_and_only_as_long_as_faults_last() {
    let mut seen = [0, 0];
    for seed in 0..50 {
        for late in Builder::new().seed(seed).run(late).unwrap().output {
            assert!(late == 0 || late == 5_000_000, "{late}");
            seen[usize::from(late > 0)] += 1;
        }
    }
    assert!(seen.iter().all(|&count| count > 150), "{seen:?}");
    assert_eq!(Builder::new().bytes([]).run(late).unwrap().output, [0; 10], "not one is late that need not be");
    let stopped = Builder::new().faults(sim::Faults::new().stop_after(3));
    assert!((0..20).all(|seed| stopped.clone().seed(seed).run(late).unwrap().output[4..] == [0; 6]));
    // Of a failure that one late timer brings about, one is left.
    let failure = Builder::new().explore(async |sim| assert_eq!(late(sim).await[4], 0, "the fifth is late"));
    let failure = failure.unwrap_err();
    assert_eq!(failure.shrunk().unwrap().to, 1, "{failure}");
}

#[test]
fn calendars_of_nodes_move_with_their_clocks_and_are_set_apart() {
    let builder = Builder::new().wall(SECOND * 1_000);
    builder.check(async |sim| {
        sim.advance(SECOND * 5).await;
        let (one, two) = (sim.node("one"), sim.node("two"));
        let read = |node: &Node| node.wall().unix().as_millis();
        assert_eq!((read(&one), read(&two)), (1_005_000, 1_005_000));
        two.set_rate(2, NonZeroU32::MIN);
        two.set_wall(SECOND * 77);
        sim.advance(SECOND).await;
        assert_eq!((read(&one), read(&two)), (1_006_000, 79_000));
        two.jump_back(SECOND * 3);
        one.jump(SECOND * 4);
        assert_eq!((read(&one), read(&two)), (1_010_000, 76_000));
        assert_eq!(sim.wall().unix(), SECOND * 1_006);
        one.set_wall(SECOND);
        one.jump_back(SECOND * 2);
        assert_eq!(one.wall().unix(), Duration::ZERO, "not before the Unix epoch");
    });
}

#[test]
fn tasks_of_a_node_and_their_children_are_reported_with_it() {
    let failure = Builder::new().run(async |sim: Sim| {
        let node = sim.node("left");
        let (inner, other) = (sim.clone(), sim.node("right"));
        node.spawn("parent", async move {
            inner.spawn("child", stuck());
            other.spawner().spawn(Task::new(stuck()).named("stranger"));
            stuck().await;
        });
        sim.spawn("on none", stuck());
        sim.idle().await;
    });
    let failure = failure.unwrap_err();
    let nodes: Vec<_> = failure.tasks().iter().map(|task| (&*task.name, &*task.node)).collect();
    let expected = [("child", "left"), ("stranger", "right"), ("parent", "left"), ("on none", "")];
    assert_eq!(nodes, expected, "{failure}");
    assert!(failure.to_string().contains("\n  left: child [0.0]: waits for"), "{failure}");
}

#[test]
fn two_nodes_disagree_and_the_course_of_a_run_with_them_is_reproducible() {
    let body = async |sim: Sim| {
        let log = Log::default();
        crowd(&sim, &log, sim.seed());
        sim.advance(Duration::from_micros(50)).await;
        log.take()
    };
    for seed in 0..30 {
        let run = || Builder::new().seed(seed).run(body).unwrap();
        assert_eq!(run(), run());
    }
    // What a clock does is part of the trace, though nobody is polled otherwise.
    let run = |back| Builder::new().run(async move |sim: Sim| sim.node("a").jump(SECOND * back)).unwrap().hash;
    assert_ne!(run(1), run(2));
}

#[test]
fn a_sleep_by_another_clock_is_named_in_the_deadlock_that_it_makes() {
    let stray = |sim: Sim| async move {
        let stray = sim.spawn("stray", async { wakeful::sleep(Duration::from_secs(3_600)).await });
        stray.await;
    };
    let failure = Builder::new().run(stray).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    assert!(failure.message().contains("the sleep of `stray` has no timer here: by another clock"), "{failure}");

    let no_sleep = Builder::new().run(|_| stuck()).unwrap_err();
    let endless = Builder::new().run(|sim| async move { sim.time().sleep(Duration::MAX).await }).unwrap_err();
    for failure in [no_sleep, endless] {
        assert!(!failure.message().contains("has no timer here"), "{failure}");
    }
}

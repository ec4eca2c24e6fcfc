//! The simulator: runs are reproducible, failures are found, named and replayed, time obeys.

use futures::channel::oneshot;
use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeful::block_on;
use wakeful::sim::{self, Builder, Bytes, FailureKind, Kind, Report, Sim, Strategy, TaskState};
use wakeful::spawn::{Spawn, Task};
use wakeful::sync::Event;
use wakeful::time::{Instant, Wall};

const SECOND: Duration = Duration::from_secs(1);

/// What happened, in order, with the time.
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

/// Waits for ever. Its waker is kept, but by nobody who would use it.
async fn stuck() {
    let mut kept = None;
    poll_fn(|cx| {
        kept = Some(cx.waker().clone());
        Poll::Pending
    })
    .await
}

/// A lock for tasks, as small as it gets.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, VecDeque<Waker>)>>);

struct Pass(Gate);

impl Gate {
    async fn lock(&self) -> Pass {
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
        Pass(self.clone())
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.0.lock().unwrap();
            state.0 = false;
            state.1.pop_front()
        };
        next.into_iter().for_each(Waker::wake);
    }
}

/// Three workers that take turns; gives the order in which they worked.
async fn workers(sim: Sim) -> String {
    let order = Arc::new(Mutex::new(String::new()));
    let tasks: Vec<_> = ['a', 'b', 'c']
        .map(|name| {
            let (sim, order) = (sim.clone(), order.clone());
            sim.clone().spawn(name.to_string(), async move {
                for _ in 0..4 {
                    order.lock().unwrap().push(name);
                    sim.yield_now().await;
                }
            })
        })
        .into();
    for task in tasks {
        task.await;
    }
    let order = order.lock().unwrap();
    order.clone()
}

/// Two tasks that take two locks in opposite orders.
async fn lock_order(sim: Sim) {
    let (left, right) = (Gate::default(), Gate::default());
    let start = |name: &'static str, first: Gate, second: Gate| {
        let other = sim.clone();
        sim.spawn(name, async move {
            let _first = first.lock().await;
            other.yield_now().await;
            let _second = second.lock().await;
        })
    };
    let one = start("left first", left.clone(), right.clone());
    let two = start("right first", right, left);
    one.await;
    two.await;
}

fn panic_message(body: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn the_same_seed_gives_the_same_report_to_the_byte() {
    for seed in 0..20 {
        let run = || Builder::new().seed(seed).run(workers).unwrap();
        let (first, again) = (run(), run());
        assert_eq!(first, again);
        assert_eq!(format!("{first:?} {first}"), format!("{again:?} {again}"));
        assert_eq!(first.replay, format!("WAKEFUL_SIM=seed:{seed}"));
    }
    let failure = || Builder::new().bytes([]).max_steps(5).run(workers).unwrap_err();
    assert_eq!(failure().to_string(), failure().to_string());
    assert_eq!(failure(), failure());
}

#[test]
fn two_seeds_take_two_courses() {
    let reports: Vec<Report<String>> = (0..50).map(|seed| Builder::new().seed(seed).run(workers).unwrap()).collect();
    let hashes: BTreeSet<u64> = reports.iter().map(|report| report.hash).collect();
    let orders: BTreeSet<&str> = reports.iter().map(|report| report.output.as_str()).collect();
    assert!(hashes.len() > 45, "{}", hashes.len());
    assert!(orders.len() > 45, "{}", orders.len());
    assert!(orders.iter().all(|order| order.len() == 12));
}

#[test]
fn a_future_that_is_watched_says_what_it_waits_for_as_it_would_without() {
    async fn stuck(sim: Sim, is_watched: bool) {
        let (_tx, rx) = wakeful::queue::unbounded::<()>();
        if is_watched {
            let monitor = wakeful::observe::TaskMonitor::new(&sim.time(), "recv");
            let _ = monitor.watch(rx.recv()).await;
        } else {
            let _ = rx.recv().await;
        }
    }
    let [watched, bare] = [true, false].map(|on| Builder::new().explore(move |sim| stuck(sim, on)).unwrap_err());
    assert_eq!(watched.tasks()[0].waits, bare.tasks()[0].waits);
    assert_eq!(bare.tasks()[0].waits[0].what, "queue recv");
}

#[test]
fn a_lock_order_deadlock_is_found_named_and_replayed() {
    let found = Builder::new().explore(lock_order).unwrap_err();
    assert_eq!(found.kind(), FailureKind::Deadlock);
    let names: Vec<&str> = found.tasks().iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["root", "left first", "right first"]);
    assert!(found.tasks().iter().all(|task| task.state == TaskState::Waiting));
    assert_eq!(found.tasks()[0].waits[0].what, "the end of a task");

    let again = Builder::new().replay(found.replay()).unwrap().run(lock_order).unwrap_err();
    assert_eq!((again.hash(), again.message(), again.tasks()), (found.hash(), found.message(), found.tasks()));
    assert_eq!(again.replay(), found.replay());

    let said = panic_message(|| sim::check(lock_order));
    assert_eq!(said, found.to_string());
    assert!(said.starts_with("deadlock at 0.000000000s"), "{said}");
    assert!(said.contains("\n  root: waits for the end of `left first`, #1 made at tests/sim.rs:"), "{said}");
    assert!(said.contains("\n  left first [0]: waits for"), "{said}");
    assert!(said.contains("\n  right first [1]: waits for"), "{said}");
    assert!(said.lines().last().unwrap().starts_with("replay with WAKEFUL_SIM="), "{said}");
}

#[test]
fn a_record_of_any_oracle_replays_as_bytes() {
    let mut n = 0;
    let oracle = move |_: Kind, among: usize| {
        n += 1;
        (n * 7) % among
    };
    let first = Builder::new().seed(3).run_with(oracle, workers).unwrap();
    assert!(first.replay.starts_with("WAKEFUL_SIM=seed:3,bytes:"), "{}", first.replay);
    let again = Builder::new().replay(&first.replay).unwrap().run(workers).unwrap();
    assert_eq!(first, again);

    let body = async |sim: Sim| [2, 256, 257, 70_000, 1 << 33].map(|n| sim.choose(n));
    let first = Builder::new().run_with(|_: Kind, n| n - 1, body).unwrap();
    assert_eq!(first.output, [1, 255, 256, 69_999, (1 << 33) - 1]);
    let again = Builder::new().replay(&first.replay).unwrap().run(body).unwrap();
    assert_eq!(first, again);
}

#[test]
fn the_same_bytes_give_the_same_run_and_none_let_all_take_turns() {
    let run = |bytes: &[u8]| Builder::new().bytes(bytes).run(workers).unwrap();
    assert_eq!(run(&[1, 2, 3, 4]), run(&[1, 2, 3, 4]));
    assert_ne!(run(&[1, 2, 3, 4]).output, run(&[2, 2, 1]).output);
    assert_eq!(run(&[]).output, "abcabcabcabc");
    assert_eq!(run(&[0, 0]).output, run(&[]).output);
    let report = Builder::new().run_with(Bytes::new([1, 2]), workers).unwrap();
    assert_eq!(report.hash, run(&[1, 2]).hash);
}

#[test]
fn the_hash_covers_who_is_ready() {
    /// The same polls in the same order; the task is woken in the root's second poll or in its third.
    async fn body(sim: Sim, early: bool) {
        let waker = Arc::new(Mutex::new(None));
        let kept = waker.clone();
        let task = sim.spawn(
            "woken",
            poll_fn(move |cx| match kept.lock().unwrap().replace(cx.waker().clone()) {
                None => Poll::Pending,
                Some(_) => Poll::Ready(()),
            }),
        );
        sim.idle().await;
        for now in [early, !early] {
            if now {
                let woken: Option<Waker> = waker.lock().unwrap().clone();
                woken.unwrap().wake();
            }
            sim.yield_now().await;
        }
        task.await;
    }
    // Wherever both are ready, the root is chosen.
    let run = |early| Builder::new().bytes([1; 9]).run(|sim| body(sim, early)).unwrap();
    let (early, late) = (run(true), run(false));
    assert_eq!((early.steps, early.end), (late.steps, late.end));
    assert_ne!(early.hash, late.hash);
}

#[test]
fn large_choices_take_as_many_bytes_as_they_need() {
    let bytes = [9, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 1];
    let report = Builder::new().bytes(bytes).run(async |sim: Sim| {
        [sim.choose(1), sim.choose(256), sim.choose(257 * 200), sim.choose(1 << 32), sim.choose(2), sim.choose(7)]
    });
    assert_eq!(report.unwrap().output, [0, 9, 0x1234, 0x1234_5678, 1, 0]);
    for (n, width) in [(2, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 4), (1 << 32, 4), ((1 << 32) + 1, 8)] {
        let mut bytes = vec![0; width];
        bytes.push(99);
        let report = Builder::new().bytes(bytes).run(async |sim: Sim| [sim.choose(n), sim.choose(100), sim.choose(n)]);
        assert_eq!(report.unwrap().output, [0, 99, 0], "below {n}");
    }
}

#[test]
fn a_live_lock_ends_at_the_step_limit() {
    let spin = async |sim: Sim| loop {
        sim.yield_now().await;
    };
    let failure = Builder::new().max_steps(1_000).run::<_, _>(spin).map(|_: Report<()>| ()).unwrap_err();
    assert_eq!((failure.kind(), failure.steps()), (FailureKind::StepLimit, 1_000));
    assert!(failure.to_string().contains("\n  root: ready"), "{failure}");
    let failure = Builder::new().run(spin).map(|_: Report<()>| ()).unwrap_err();
    assert_eq!(failure.steps(), 1_000_000);
}

#[test]
fn tasks_left_over_are_named() {
    let body = async |sim: Sim| {
        let time = sim.time();
        sim.spawn("done", async {});
        sim.spawn("sleeper", async move { time.sleep(SECOND).await });
        sim.spawner().spawn(Task::new(stuck()));
        sim.spawn_background("heart", pending::<()>());
    };
    let failure = Builder::new().run(body).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Leak);
    let said = failure.to_string();
    assert!(said.contains("2 tasks are left over"), "{said}");
    assert!(said.contains("\n  sleeper [1]: waits for sleep until 1.000000000s, since 0.000000000s, poll "), "{said}");
    assert!(said.contains("\n  task made at tests/sim.rs:"), "{said}");
    assert!(!said.contains("heart") && !said.contains("done ["), "{said}");
    let report = Builder::new().allow_leaks(true).run(body).unwrap();
    assert_eq!(report.end, Instant::EPOCH);
}

#[test]
fn a_panic_is_a_failure_with_the_name_of_its_task() {
    let failure = Builder::new().seed(5).run(async |sim: Sim| {
        let time = sim.time();
        let task = sim.spawn("bad", async move {
            time.sleep(SECOND).await;
            panic!("seven is {}", 8);
        });
        task.await
    });
    let failure = failure.map(|_| ()).unwrap_err();
    assert_eq!((failure.kind(), failure.time()), (FailureKind::Panic, Instant::EPOCH + SECOND));
    assert_eq!(failure.message(), "`bad` panicked: seven is 8");
    assert_eq!(failure.tasks()[0].name, "bad");
    let said = panic_message(|| sim::run(async |_| assert_eq!(1, 2, "sums")));
    assert!(said.contains("`root` panicked: assertion") && said.ends_with("WAKEFUL_SIM=seed:0"), "{said}");
}

#[test]
fn a_panic_of_a_drop_is_a_failure_too() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    for wait in [true, false] {
        let failure = Builder::new().run(async move |sim: Sim| {
            sim.spawn_background("bomb", async move {
                let bomb = Bomb;
                if wait {
                    pending::<()>().await;
                }
                drop(bomb);
            });
            sim.idle().await;
        });
        assert_eq!(failure.unwrap_err().message(), "`bomb` panicked: dropped");
    }
}

#[test]
fn what_is_left_over_is_dropped_children_first_in_order() {
    struct Note(&'static str, Log, Sim);
    impl Drop for Note {
        fn drop(&mut self) {
            self.1.add(&self.2, self.0);
            self.2.spawn("too late", pending::<()>());
        }
    }
    let log = Log::default();
    let notes = log.clone();
    let body = async move |sim: Sim| {
        let note = |name| Note(name, notes.clone(), sim.clone());
        let (first, child, second, root) = (note("first"), note("child"), note("second"), note("root"));
        let inner = sim.clone();
        sim.spawn("first", async move {
            inner.spawn("child", async move {
                let _note = child;
                stuck().await;
            });
            let _note = first;
            stuck().await;
        });
        sim.spawn("second", async move {
            let _note = second;
            stuck().await;
        });
        let _note = root;
        stuck().await;
    };
    assert_eq!(Builder::new().run(body).unwrap_err().kind(), FailureKind::Deadlock);
    let order: Vec<String> = log.take().into_iter().map(|(_, name)| name).collect();
    assert_eq!(order, ["child", "first", "second", "root"]);
}

#[test]
fn a_jump_wakes_all_that_are_due_at_one_instant() {
    sim::check(|sim| async move {
        let log = Log::default();
        let tasks = [5, 3, 9].map(|n| {
            let (sim, log) = (sim.clone(), log.clone());
            sim.clone().spawn(format!("{n}"), async move {
                sim.time().sleep(SECOND * n).await;
                log.add(&sim, "");
            })
        });
        sim.jump(SECOND * 6).await;
        assert_eq!(log.take(), vec![(6_000_000_000, String::new()); 2]);
        sim.advance(SECOND * 6).await;
        assert_eq!(log.take(), vec![(9_000_000_000, String::new())]);
        assert!(tasks.iter().all(|task| task.is_finished()));
        assert_eq!(sim.now(), Instant::EPOCH + SECOND * 12);
    });
}

#[test]
fn idle_comes_when_nobody_else_is_ready_and_before_time_moves() {
    sim::check(|sim| async move {
        let done = Arc::new(AtomicUsize::new(0));
        for n in 0..5 {
            let (sim, done, time) = (sim.clone(), done.clone(), sim.time());
            sim.clone().spawn_background("worker", async move {
                for _ in 0..n {
                    sim.yield_now().await;
                }
                done.fetch_add(1, Ordering::Relaxed);
                time.sleep(SECOND).await;
                done.fetch_add(100, Ordering::Relaxed);
            });
        }
        let other = sim.clone();
        let together = sim.spawn("idle too", async move { other.idle().await });
        sim.idle().await;
        assert_eq!(done.load(Ordering::Relaxed), 5);
        assert_eq!(sim.now(), Instant::EPOCH);
        together.await;
        sim.advance(Duration::ZERO).await;
        assert_eq!((done.load(Ordering::Relaxed), sim.now()), (5, Instant::EPOCH));
        drop(sim.idle());
    });
}

#[test]
fn background_tasks_and_their_children_do_not_keep_the_world_alive() {
    let report = Builder::new().run(async |sim: Sim| {
        let inner = sim.clone();
        sim.spawn_background("spinner", async move {
            inner.spawn("child", pending::<()>());
            loop {
                inner.yield_now().await;
            }
        });
        for _ in 0..10 {
            sim.yield_now().await;
        }
    });
    assert!(report.unwrap().steps < 100);
    let stuck = Builder::new().run(async |sim: Sim| {
        sim.spawn_background("pump", pending::<()>());
        stuck().await;
    });
    let stuck = stuck.unwrap_err().to_string();
    assert!(stuck.starts_with("deadlock") && stuck.contains("pump [0], in the background: waits"), "{stuck}");
}

#[test]
fn random_streams_depend_on_seed_and_path_alone() {
    /// What each of four tasks draws, and how the tasks' polls were ordered.
    async fn draws(sim: Sim) -> (Vec<[u64; 3]>, Vec<usize>) {
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let (sim, order) = (sim.clone(), order.clone());
                sim.clone().spawn("drawer", async move {
                    let mut drawn = [0; 3];
                    for place in &mut drawn {
                        *place = sim.random();
                        order.lock().unwrap().push(n);
                        sim.yield_now().await;
                    }
                    drawn
                })
            })
            .collect();
        let mut drawn = Vec::new();
        for task in tasks {
            drawn.push(task.await);
        }
        let order = order.lock().unwrap().clone();
        (drawn, order)
    }
    let run = |seed, bytes: &[u8]| Builder::new().seed(seed).bytes(bytes).run(draws).unwrap().output;
    let (plain, mixed) = (run(1, &[]), run(1, &[3, 1, 2, 2, 1, 3, 1]));
    assert_ne!(plain.1, mixed.1);
    assert_eq!(plain.0, mixed.0);
    assert_ne!(run(2, &[]).0, plain.0);
    let all: BTreeSet<u64> = plain.0.iter().flatten().copied().collect();
    assert_eq!(all.len(), 12);
}

#[test]
fn what_a_global_decides_is_caught_by_repeating() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let failure = Builder::new().explore(async |sim: Sim| {
        for _ in 0..=RUNS.fetch_add(1, Ordering::Relaxed) {
            sim.yield_now().await;
        }
    });
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Nondeterminism);
    assert!(failure.message().contains("first 2 polls") && failure.message().contains("then 3 polls"), "{failure}");

    static ODD: AtomicU64 = AtomicU64::new(0);
    let failure = Builder::new().explore(async |_| assert!(ODD.fetch_add(1, Ordering::Relaxed) == 0, "not the first"));
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Nondeterminism);
    assert!(failure.message().contains("not the first"), "{failure}");

    static ONCE: AtomicU64 = AtomicU64::new(0);
    let failure = Builder::new().explore(async |_| assert!(ONCE.fetch_add(1, Ordering::Relaxed) != 0, "the first"));
    let failure = failure.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Nondeterminism);
    assert!(
        failure.message().contains("first panic after 1 polls (`root` panicked: the first), then 1 polls"),
        "{failure}"
    );
}

#[test]
fn explore_counts_runs_and_courses() {
    let random = Builder::new().strategy(Strategy::Random);
    let summary = random.runs(40).explore(async |sim: Sim| drop(workers(sim).await)).unwrap();
    assert_eq!(summary.runs, 40);
    assert!(summary.traces > 35, "{summary:?}");
    let summary = Builder::new().explore(async |sim: Sim| sim.yield_now().await).unwrap();
    assert_eq!((summary.runs, summary.traces), (64, 1));
    let summary = Builder::new().bytes([1]).explore(async |_| ()).unwrap();
    assert_eq!(summary.runs, 1);
}

#[test]
fn a_hundred_thousand_timers_ring_in_order() {
    let report = Builder::new().run(async |sim: Sim| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut rng = sim.rng();
        for n in 0..100_000_u32 {
            let at = Instant::from_nanos(rng.next_u64() >> (20 + n % 40));
            let (sim, order) = (sim.clone(), order.clone());
            sim.clone().spawn("sleeper", async move {
                sim.time().sleep_until(at).await;
                assert_eq!(sim.now(), at);
                order.lock().unwrap().push(at);
            });
        }
        sim.advance(Duration::MAX / 2 - SECOND).await;
    });
    // The advance has no end, which is never: nobody is left but the root.
    let failure = report.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    assert_eq!(failure.tasks().len(), 1);
}

#[test]
fn a_cancelled_timer_does_not_move_time() {
    sim::check(|sim| async move {
        let time = sim.time();
        for n in 1..50_u32 {
            let late = sim.spawn("late", {
                let time = time.clone();
                async move { time.sleep(SECOND * 100).await }
            });
            for early in 1..n {
                let mut sleep = Box::pin(time.sleep(SECOND * early));
                let pending = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await;
                assert!(pending);
            }
            let start = sim.now();
            late.await;
            assert_eq!(sim.now() - start, SECOND * 100);
        }
    });
    let failure = Builder::new().run(async |sim: Sim| {
        let time = sim.time();
        time.sleep(SECOND).await;
        let (mut sleep, mut advance) = (Box::pin(time.sleep(SECOND)), sim.advance(SECOND * 2));
        poll_fn(|cx| {
            assert!(sleep.as_mut().poll(cx).is_pending() && Pin::new(&mut advance).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop((sleep, advance));
        stuck().await;
    });
    let failure = failure.unwrap_err();
    assert_eq!((failure.kind(), failure.time()), (FailureKind::Deadlock, Instant::EPOCH + SECOND));
}

#[test]
fn a_task_that_was_not_polled_waits_for_nothing() {
    let failure = Builder::new().max_steps(3).run(async |sim: Sim| {
        let mut sleep = Box::pin(sim.time().sleep(SECOND));
        let first = sim.spawn(
            "first",
            poll_fn(move |cx| {
                assert!(sleep.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            }),
        );
        first.await;
        // It takes over the number of the first, but not what that one noted.
        sim.spawn("second", async {}).await;
    });
    let failure = failure.unwrap_err();
    assert_eq!((failure.kind(), failure.tasks()[1].name.as_str()), (FailureKind::StepLimit, "second"));
    assert_eq!((failure.tasks()[1].state, failure.tasks()[1].waits.len()), (TaskState::Ready, 0));
}

#[test]
fn the_calendar_moves_with_time_from_where_it_is_set() {
    let year = SECOND * 31_536_000;
    let report = Builder::new().wall(year).run(async |sim: Sim| {
        let wall = sim.wall();
        assert_eq!(wall.unix(), year);
        sim.time().sleep(SECOND).await;
        assert_eq!(wall.unix(), year + SECOND);
        sim.set_wall(SECOND * 5);
        assert_eq!(wall.unix(), SECOND * 5);
        sim.advance(SECOND).await;
        sim.now()
    });
    assert_eq!(report.unwrap().output, Instant::EPOCH + SECOND * 2);
}

#[test]
fn the_root_needs_neither_send_nor_static() {
    let count = Cell::new(0);
    let shared = Rc::new(5);
    let got = sim::run(|sim| {
        let (count, shared) = (&count, shared.clone());
        async move {
            sim.yield_now().await;
            count.set(count.get() + 1);
            shared
        }
    });
    assert_eq!((count.get(), *got), (1, 5));
}

#[test]
fn wakers_and_handles_that_outlive_their_run_do_no_harm() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = kept.clone();
    let sim = sim::run(async move |sim: Sim| {
        for _ in 0..3 {
            let keep = keep.clone();
            sim.spawn("short", async move {
                let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                keep.lock().unwrap().push(waker);
            })
            .await;
        }
        // The number is used again: these wake nobody.
        keep.lock().unwrap().iter().for_each(Waker::wake_by_ref);
        let polls = Arc::new(AtomicUsize::new(0));
        let count = polls.clone();
        sim.spawn_background(
            "new tenant",
            poll_fn(move |_| -> Poll<()> {
                count.fetch_add(1, Ordering::Relaxed);
                Poll::Pending
            }),
        );
        sim.idle().await;
        keep.lock().unwrap().iter().for_each(Waker::wake_by_ref);
        sim.idle().await;
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        sim
    });
    kept.lock().unwrap().drain(..).for_each(Waker::wake);
    let held = Arc::new(());
    let inside = held.clone();
    sim.spawn("too late", async move { drop(inside) });
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(sim.now(), Instant::EPOCH);
}

#[test]
fn a_run_within_a_run_is_a_world_of_its_own() {
    sim::check(|sim| async move {
        sim.time().sleep(SECOND).await;
        let inner = sim::run(async |sim: Sim| {
            sim.time().sleep(SECOND * 5).await;
            sim.now()
        });
        assert_eq!(inner, Instant::EPOCH + SECOND * 5);
        assert_eq!(sim.now(), Instant::EPOCH + SECOND);
    });
}

#[test]
fn what_is_made_after_a_run_within_a_run_is_numbered_on() {
    let failure = Builder::new().run(|_| async move {
        let one = Event::new();
        sim::run(|_| async move { drop(Event::new()) });
        let two = Event::new();
        two.wait().await;
        drop(one);
    });
    let said = failure.unwrap_err().to_string();
    assert!(said.contains("#2 made at tests/sim.rs:"), "{said}");
}

#[test]
fn who_would_block_the_thread_of_a_run_for_ever_fails_instead() {
    let body = |sim: Sim| async move {
        let time = sim.time();
        block_on(async move { time.sleep(Duration::from_secs(1)).await });
    };
    let failure = Builder::new().run(body).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Panic);
    assert!(failure.message().contains("`block_on` would wait for ever"), "{failure}");
    // What is ready blocks nothing, and what another thread does may be waited for in a run that may wait for it.
    assert_eq!(sim::run(|_| async { block_on(async { 1 }) }), 1);
    let open = Builder::new().foreign_wakes(Duration::from_secs(60));
    let answer = open.run(|_| async {
        let (tx, rx) = oneshot::channel();
        std::thread::spawn(move || tx.send(2));
        block_on(rx)
    });
    assert_eq!(answer.unwrap().output, Ok(2));
}

#[test]
fn a_chain_of_tasks_may_be_long() {
    fn next(sim: Sim, left: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            if left > 0 {
                let spawner = sim.spawner();
                spawner.spawn(Task::new(async move { next(sim, left - 1).await }));
            }
        })
    }
    let report = Builder::new().run(async |sim: Sim| {
        next(sim.clone(), 20_000).await;
        sim.idle().await;
    });
    assert!(report.unwrap().steps >= 20_000);
}

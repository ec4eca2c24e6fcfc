//! Wakers: a task that nobody can wake any more is reported at once; tasks are polled for nothing; each poll has a waker of
//! its own.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeful::sim::trace::{Cause, What};
use wakeful::sim::{Builder, FailureKind, Kind, Sim, Strategy};
use wakeful::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// Where a task leaves its waker.
type Slot = Arc<Mutex<Option<Waker>>>;

/// Waits until it is polled again, with its waker in `slot`.
async fn once_more(slot: Slot) {
    let mut polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        let old = slot.lock().unwrap().replace(cx.waker().clone());
        drop(old);
        Poll::Pending
    })
    .await;
}

/// Starts a task that goes on in a second, when it does this with what it finds in `slot`.
fn in_a_second(sim: &Sim, slot: &Slot, act: impl FnOnce(Waker) + Send + 'static) {
    let (time, slot) = (sim.time(), slot.clone());
    sim.spawn("other", async move {
        time.sleep(SECOND).await;
        let waker = slot.lock().unwrap().take();
        act(waker.expect("it waits"));
    });
}

#[test]
fn a_task_that_registers_no_waker_is_reported_at_its_first_poll() {
    let body = async |sim: Sim| {
        let task = sim.spawn("forgetful", pending::<()>());
        sim.time().sleep(SECOND * 3600).await;
        task.await;
    };
    let failure = Builder::new().explore(body).unwrap_err();
    assert_eq!((failure.kind(), failure.time(), failure.tasks().len()), (FailureKind::NoWaker, Instant::EPOCH, 1));
    let said = "no waker at 0.000000000s after 2 polls: `forgetful` is pending and no waker of it is left: its last poll \
                left none behind\n  forgetful [0]: waits for something that is not the kit's, since 0.000000000s, poll 2\n";
    assert!(failure.to_string().starts_with(said), "{failure}");
    assert_eq!(Builder::new().replay(failure.replay()).unwrap().run(body).unwrap_err().hash(), failure.hash());
    let root = Builder::new().run(|_| pending::<()>()).unwrap_err();
    assert_eq!((root.kind(), root.tasks()[0].name.as_str()), (FailureKind::NoWaker, "root"));
}

#[test]
fn a_waker_that_another_task_drops_strands_its_owner_there_and_then() {
    let failure = Builder::new().run(async |sim: Sim| {
        let slot = Slot::default();
        in_a_second(&sim, &slot, drop);
        sim.spawn("stranded", once_more(slot));
        sim.time().sleep(SECOND * 3600).await;
    });
    let failure = failure.unwrap_err();
    assert_eq!((failure.kind(), failure.time()), (FailureKind::NoWaker, Instant::EPOCH + SECOND));
    assert!(failure.message().ends_with("the last one was dropped in or after a poll of `other`"), "{failure}");
    assert_eq!(failure.tasks()[0].name, "stranded");
}

#[test]
fn a_task_with_a_waker_left_is_not_stranded() {
    let act = [
        |waker: Waker| waker.wake(),
        |waker: Waker| {
            waker.wake_by_ref();
            drop(waker);
        },
        |waker: Waker| {
            let other = waker.clone();
            drop(waker);
            other.wake();
        },
        |waker: Waker| std::thread::spawn(move || waker.wake()).join().unwrap(),
    ];
    for act in act {
        let body = async |sim: Sim| {
            let slot = Slot::default();
            in_a_second(&sim, &slot, act);
            // Two such waits, and a poll that wakes itself and keeps nothing.
            let (again, task) = (slot.clone(), sim.clone());
            let waits = sim.spawn("waits", async move {
                once_more(slot.clone()).await;
                task.yield_now().await;
                in_a_second(&task, &slot, act);
                once_more(slot).await;
            });
            waits.await;
            assert!(again.lock().unwrap().is_none());
            assert_eq!(sim.now(), Instant::EPOCH + SECOND * 2);
        };
        assert!(Builder::new().spurious(0).foreign_wakes(SECOND * 600).explore(body).is_ok());
    }
}

#[test]
fn background_tasks_and_leaks_that_are_allowed_may_be_stranded_but_not_the_root() {
    let body = async |sim: Sim, background: bool| {
        let slot = Slot::default();
        in_a_second(&sim, &slot, drop);
        match background {
            true => drop(sim.spawn_background("stranded", once_more(slot))),
            false => drop(sim.spawn("stranded", once_more(slot))),
        }
        sim.spawn_background("idler", pending::<()>());
        sim.advance(SECOND * 2).await;
    };
    assert!(Builder::new().run(|sim| body(sim, true)).is_ok());
    assert!(Builder::new().allow_leaks(true).run(|sim| body(sim, false)).is_ok());
    assert_eq!(Builder::new().run(|sim| body(sim, false)).unwrap_err().kind(), FailureKind::NoWaker);
    let root = Builder::new().allow_leaks(true).run(|_| pending::<()>()).unwrap_err();
    assert_eq!(root.kind(), FailureKind::NoWaker);
}

/// Sleeps for a second. `trusting`: takes being polled for being woken.
async fn sleep(sim: Sim, trusting: bool) {
    let mut sleep = Box::pin(sim.time().sleep(SECOND));
    let mut polled = false;
    poll_fn(|cx| match trusting && std::mem::replace(&mut polled, true) {
        true => Poll::Ready(()),
        false => sleep.as_mut().poll(cx),
    })
    .await;
}

/// Two sleepers, of whom one may be trusting.
async fn two_sleepers(sim: Sim, trusting: bool) {
    let other = sim.spawn("other", sleep(sim.clone(), false));
    let start = sim.now();
    sim.spawn("sleeper", sleep(sim.clone(), trusting)).await;
    assert_eq!(sim.now(), start + SECOND, "it slept a second");
    other.await;
}

#[test]
fn a_future_that_takes_being_polled_for_being_woken_is_found_by_default() {
    let bug = async |sim: Sim| two_sleepers(sim, true).await;
    // The first run finds it as a probe does; those after it, as it shows.
    let probed = Builder::new().explore(bug).unwrap_err();
    assert!(probed.kind() == FailureKind::LostWakeup && probed.message().ends_with("for being woken"), "{probed}");
    let failure = Builder::new().probe_every(0).explore(bug).unwrap_err();
    assert!(failure.message().contains("it slept a second"), "{failure}");
    assert!(failure.replay().ends_with(",spurious:8"), "{failure}");
    assert!(failure.shrunk().unwrap().to <= 2, "{failure}");
    assert_eq!(Builder::new().replay(failure.replay()).unwrap().run(bug).unwrap_err().hash(), failure.hash());
    let found = &failure.shrunk().unwrap().found;
    let again = Builder::new().replay(found).unwrap().run(bug).unwrap_err();
    assert_eq!((again.message(), again.replay()), (failure.message(), &**found));

    assert!(Builder::new().spurious(0).runs(500).explore(bug).is_ok(), "without being polled for nothing it works");
    assert!(Builder::new().spurious(2).runs(500).explore(async |sim| two_sleepers(sim, false).await).is_ok());
}

#[test]
fn what_needs_no_twist_is_replayed_without() {
    let body = async |sim: Sim| {
        sim.yield_now().await;
        panic!("in any case");
    };
    for seed in 0..16 {
        let failure = Builder::new().seed(seed).explore(body).unwrap_err();
        assert!(!failure.replay().contains("spurious") && !failure.replay().contains("fresh"), "{failure}");
    }
}

#[test]
fn an_oracle_that_always_wakes_for_nothing_does_not_keep_a_run_from_going_on() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let oracle = move |kind, n| {
        if kind == Kind::Spurious {
            seen.lock().unwrap().push(n);
        }
        usize::from(kind == Kind::Spurious)
    };
    let body = async |sim: Sim| two_sleepers(sim, false).await;
    let builder = Builder::new().spurious(4);
    let report = builder.clone().run_with(oracle, body).unwrap();
    assert!(report.steps < 30, "{report}");
    let asked = asked.lock().unwrap();
    // Whether one of the root and the sleepers is, and where several wait, which.
    assert!(asked.contains(&4) && asked.contains(&2) && asked.iter().all(|n| (2..=4).contains(n)), "{asked:?}");
    assert_eq!(builder.replay(&report.replay).unwrap().run(body).unwrap(), report);
}

#[test]
fn a_recording_tells_who_was_woken_for_nothing() {
    let body = async |sim: Sim| two_sleepers(sim, false).await;
    let report = Builder::new().spurious(2).seed(3).trace(1_000).run(body).unwrap();
    let nothing = |event: &&wakeful::sim::trace::Event| matches!(event.what, What::Woken { by: Cause::Nothing, .. });
    let count = report.trace.unwrap().events().iter().filter(nothing).count();
    assert!(count > 0, "nobody");
}

/// Waits until `ready`, and registers the waker of its first poll only, if it is `first`, or that of each.
fn registers(slot: Slot, ready: Arc<AtomicUsize>, first: bool) -> impl Future<Output = ()> + Send {
    let mut registered = false;
    poll_fn(move |cx| {
        if ready.load(Relaxed) > 0 {
            return Poll::Ready(());
        }
        if !(std::mem::replace(&mut registered, true) && first) {
            drop(slot.lock().unwrap().replace(cx.waker().clone()));
        }
        Poll::Pending
    })
}

/// A task that is polled twice before what it waits for comes, since it waits for something else too.
async fn polled_twice(sim: Sim, first: bool) {
    let (slot, ready) = (Slot::default(), Arc::new(AtomicUsize::new(0)));
    let (waits, mut sleep) = (registers(slot.clone(), ready.clone(), first), Box::pin(sim.time().sleep(SECOND)));
    let mut waits = Box::pin(waits);
    let task = sim.spawn(
        "waits",
        poll_fn(move |cx| {
            let slept = sleep.as_mut().poll(cx).is_ready();
            match Pin::new(&mut waits).poll(cx) {
                Poll::Ready(()) => Poll::Ready(slept),
                Poll::Pending => Poll::Pending,
            }
        }),
    );
    sim.time().sleep(SECOND * 2).await;
    ready.store(1, Relaxed);
    if let Some(waker) = slot.lock().unwrap().take() {
        waker.wake();
    }
    assert!(task.await, "it was polled when it had slept");
}

#[test]
fn a_future_that_keeps_its_first_waker_is_found_by_default() {
    let bug = async |sim: Sim| polled_twice(sim, true).await;
    let failure = Builder::new().explore(bug).unwrap_err();
    assert_eq!((failure.kind(), failure.time()), (FailureKind::StaleWaker, Instant::EPOCH + SECOND), "{failure}");
    assert_eq!(failure.message(), "`waits` kept the waker of its poll 1, and left none behind in poll 2");
    let [site] = failure.waker_sites() else { panic!("{failure}") };
    assert!(site.poll == 1 && site.calls[0].contains("tests/sim_wakers.rs:"), "{failure}");
    assert!(failure.replay().ends_with(",fresh") && !failure.replay().contains("spurious"), "{failure}");
    assert_eq!(Builder::new().replay(failure.replay()).unwrap().run(bug).unwrap_err().hash(), failure.hash());
    assert!(Builder::new().fresh_wakers(false).explore(bug).is_ok(), "while all wakers are alike it works");
    assert!(Builder::new().fresh_wakers(true).runs(500).explore(async |sim| polled_twice(sim, false).await).is_ok());
}

#[test]
fn only_the_waker_of_the_last_poll_counts_where_each_has_its_own() {
    let body = async |sim: Sim, fresh: bool| {
        let (polls, kept) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::<Waker>::new())));
        let (count, wakers) = (polls.clone(), kept.clone());
        sim.spawn_background(
            "keeper",
            poll_fn(move |cx| -> Poll<()> {
                count.fetch_add(1, Relaxed);
                let mut wakers = wakers.lock().unwrap();
                assert!(wakers.iter().all(|waker| waker.will_wake(cx.waker()) != fresh));
                wakers.push(cx.waker().clone());
                Poll::Pending
            }),
        );
        let wake = |n: usize| {
            let wakers = kept.lock().unwrap();
            wakers[n.min(wakers.len() - 1)].wake_by_ref();
        };
        let mut seen = Vec::new();
        sim.idle().await;
        for n in [0, 0, 1, 1, 2] {
            wake(n);
            sim.idle().await;
            seen.push(polls.load(Relaxed));
        }
        seen
    };
    let run = |fresh| Builder::new().fresh_wakers(fresh).run(|sim| body(sim, fresh)).unwrap().output;
    assert_eq!((run(true), run(false)), (vec![2, 2, 3, 3, 4], vec![2, 3, 4, 5, 6]));
}

#[test]
fn the_portfolio_has_fresh_wakers_in_every_second_round_and_is_spurious_in_every_fourth() {
    let line = |seed| {
        let builder = Builder::new().seed(seed).strategy(Strategy::Portfolio);
        builder.run(async |sim: Sim| sim.yield_now().await).unwrap().replay
    };
    for seed in 0..64 {
        let (line, round) = (line(seed), seed / 4 % 4);
        assert_eq!(line.contains(",fresh"), round % 2 == 1, "{line}");
        assert_eq!(line.contains(",spurious:8"), round == 3, "{line}");
    }
    let plain = Builder::new().seed(13).run(async |sim: Sim| sim.yield_now().await).unwrap();
    assert_eq!(plain.replay, "WAKEFUL_SIM=seed:13", "a single run has none, unless it is asked for");
}

#[test]
fn a_waker_looks_like_its_clones() {
    wakeful::sim::run(|sim| async move {
        let task = sim.spawn("task", poll_fn(|cx| Poll::Ready(cx.waker().will_wake(&cx.waker().clone()))));
        assert!(task.await, "else what happens would depend on how the crate was compiled");
    });
}

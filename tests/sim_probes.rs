//! Lost wake-ups are proven: whoever waits is polled once more, and could have gone on.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeful::cancel::Scope;
use wakeful::queue;
use wakeful::sim::{Builder, FailureKind, Faults, Sim, Strategy};
use wakeful::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// A flag for which many may wait; `all`: setting it wakes all of them, or else only the one who came last.
#[derive(Clone)]
struct Flag {
    all: bool,
    state: Arc<Mutex<(bool, Vec<Waker>)>>,
}

impl Flag {
    fn new(all: bool) -> Self {
        Self { all, state: Arc::default() }
    }

    async fn is_set(&self) {
        poll_fn(|cx| {
            let mut state = self.state.lock().unwrap();
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn set(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 = true;
        // One who is polled twice leaves two wakers here.
        let last = state.1.last().cloned();
        let wakes = |waker: &Waker| self.all || last.as_ref().is_some_and(|last| waker.will_wake(last));
        state.1.iter().filter(|waker| wakes(waker)).for_each(Waker::wake_by_ref);
    }
}

/// Two tasks wait for the flag, or for so long, and the root for both.
async fn two_wait(sim: Sim, all: bool, patience: Option<Duration>) {
    let flag = Flag::new(all);
    let tasks = ["first", "second"].map(|name| {
        let (flag, time) = (flag.clone(), sim.time());
        sim.spawn(name, async move {
            match patience {
                None => flag.is_set().await,
                Some(patience) => {
                    let scope = Scope::new(time);
                    let _ = scope.move_on_after(patience, async |_| flag.is_set().await).await;
                }
            }
        })
    });
    sim.idle().await;
    flag.set();
    for task in tasks {
        task.await;
    }
}

#[test]
fn a_deadlock_that_a_wake_up_would_have_prevented_is_a_lost_wake_up() {
    let bug = async |sim: Sim| two_wait(sim, false, None).await;
    for strategy in [Strategy::Random, Strategy::Portfolio, Strategy::Exhaustive] {
        let failure = Builder::new().strategy(strategy).explore(bug).unwrap_err();
        assert_eq!((failure.kind(), failure.time()), (FailureKind::LostWakeup, Instant::EPOCH), "{failure}");
        let name = &failure.tasks()[0].name;
        let said = format!("polled once more, `{name}` goes on, but nobody has woken it");
        assert!(failure.message().starts_with(&said) && failure.tasks().len() == 1, "{failure}");
        assert!(failure.to_string().starts_with("lost wake-up at 0.000000000s after "), "{failure}");
        let again = Builder::new().replay(failure.replay()).unwrap().run(bug).unwrap_err();
        assert_eq!((again.hash(), again.steps(), again.kind()), (failure.hash(), failure.steps(), failure.kind()));
        assert_eq!((again.tasks(), again.replay()), (failure.tasks(), failure.replay()));
    }
    let single = Builder::new().run(bug).unwrap_err();
    // The root, the two, the root, the one that is woken: what was tried after that is not counted.
    assert_eq!((single.kind(), single.steps()), (FailureKind::LostWakeup, 5), "{single}");
    assert!(Builder::new().runs(500).explore(async |sim: Sim| two_wait(sim, true, None).await).is_ok());
}

#[test]
fn a_leak_that_a_wake_up_would_have_prevented_is_a_lost_wake_up() {
    let body = async |sim: Sim, all: bool| {
        let flag = Flag::new(all);
        for name in ["first", "second"] {
            let flag = flag.clone();
            sim.spawn(name, async move { flag.is_set().await });
        }
        sim.idle().await;
        flag.set();
    };
    let failure = Builder::new().explore(async |sim: Sim| body(sim, false).await).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::LostWakeup, "{failure}");
    assert!(Builder::new().explore(async |sim: Sim| body(sim, true).await).is_ok());
}

/// Two tasks that wait for each other's queue.
async fn embrace(sim: Sim) {
    let (left, from_left) = queue::bounded::<()>(std::num::NonZeroUsize::MIN);
    let (right, from_right) = queue::bounded::<()>(std::num::NonZeroUsize::MIN);
    let one = sim.spawn("one", async move {
        from_left.recv().await.unwrap();
        right.send(()).await.unwrap();
    });
    let two = sim.spawn("two", async move {
        from_right.recv().await.unwrap();
        left.send(()).await.unwrap();
    });
    one.await;
    two.await;
}

#[test]
fn a_deadlock_in_which_nobody_could_go_on_stays_one() {
    for builder in [Builder::new(), Builder::new().probe(true), Builder::new().fresh_wakers(true)] {
        let failure = builder.explore(embrace).unwrap_err();
        assert_eq!((failure.kind(), failure.tasks().len()), (FailureKind::Deadlock, 3), "{failure}");
    }
    // Whatever a task does when it is polled once more, it does not hide what was found.
    let failure = Builder::new().run(async |sim: Sim| {
        let mut kept = Vec::new();
        let touchy = poll_fn(move |cx| {
            assert!(kept.is_empty(), "polled again");
            kept.push(cx.waker().clone());
            Poll::<()>::Pending
        });
        sim.spawn("touchy", touchy).await;
    });
    assert_eq!(failure.unwrap_err().kind(), FailureKind::Deadlock);
}

#[test]
fn one_who_goes_on_and_waits_again_is_proven_by_what_it_lets_others_do() {
    /// A mailbox that forgets to wake its owner.
    #[derive(Default)]
    struct Mail {
        letters: VecDeque<u32>,
        owner: Option<Waker>,
    }
    let body = async |sim: Sim, wakes: bool| {
        let mail = Arc::new(Mutex::new(Mail::default()));
        let (tx, answers) = queue::bounded(std::num::NonZeroUsize::MIN);
        let inbox = mail.clone();
        sim.spawn_background("clerk", async move {
            loop {
                let letter = poll_fn(|cx| {
                    let mut mail = inbox.lock().unwrap();
                    mail.owner = Some(cx.waker().clone());
                    mail.letters.pop_front().map_or(Poll::Pending, Poll::Ready)
                });
                let letter: u32 = letter.await;
                tx.send(letter).await.unwrap();
            }
        });
        sim.idle().await;
        mail.lock().unwrap().letters.push_back(7);
        if wakes {
            mail.lock().unwrap().owner.clone().unwrap().wake();
        }
        assert_eq!(answers.recv().await, Ok(7));
    };
    let failure = Builder::new().spurious(0).explore(async |sim: Sim| body(sim, false).await).unwrap_err();
    assert_eq!((failure.kind(), failure.tasks()[0].name.as_str()), (FailureKind::LostWakeup, "clerk"), "{failure}");
    assert!(Builder::new().explore(async |sim: Sim| body(sim, true).await).is_ok());
}

#[test]
fn a_lost_wake_up_that_a_timeout_hides_is_found_by_probing_before_time_moves() {
    let bug = async |sim: Sim| two_wait(sim, false, Some(SECOND)).await;
    assert!(Builder::new().probe_every(0).explore(bug).is_ok(), "it goes on in the end");
    let failure = Builder::new().explore(bug).unwrap_err();
    assert_eq!((failure.kind(), failure.time()), (FailureKind::LostWakeup, Instant::EPOCH), "{failure}");
    assert!(failure.replay().ends_with(",probe"), "{failure}");
    let again = Builder::new().replay(failure.replay()).unwrap().run(bug).unwrap_err();
    assert_eq!((again.hash(), again.message()), (failure.hash(), failure.message()));
    let twin = async |sim: Sim| two_wait(sim, true, Some(SECOND)).await;
    assert!(Builder::new().probe(true).runs(500).explore(twin).is_ok());
}

#[test]
fn probing_polls_each_who_waits_once_before_each_move_of_time() {
    let polls = async |sim: Sim| {
        let count = Arc::new(Mutex::new(Vec::new()));
        let (seen, time, inner) = (count.clone(), sim.time(), sim.clone());
        let mut wait = Box::pin(async move { time.sleep(SECOND * 3).await });
        let task = sim.spawn(
            "counts",
            poll_fn(move |cx| {
                seen.lock().unwrap().push(inner.now().as_nanos() / 1_000_000_000);
                wait.as_mut().poll(cx)
            }),
        );
        sim.time().sleep(SECOND).await;
        sim.time().sleep(SECOND).await;
        task.await;
        std::mem::take(&mut *count.lock().unwrap())
    };
    assert_eq!(Builder::new().run(polls).unwrap().output, [0, 3]);
    assert_eq!(Builder::new().probe(true).run(polls).unwrap().output, [0, 0, 1, 2, 3]);
}

#[test]
fn who_counts_polls_can_have_none_that_nobody_asked_for() {
    // Has slept when it is polled for the second time.
    let counts = async |sim: Sim| {
        let (mut polls, mut sleep) = (0, Box::pin(sim.time().sleep(SECOND)));
        poll_fn(move |cx| {
            polls += 1;
            let slept = sleep.as_mut().poll(cx);
            assert_eq!(slept.is_ready(), polls == 2);
            slept
        })
        .await;
    };
    let exact = Builder::new().spurious(0).runs(2 * Builder::PROBE_EVERY);
    assert!(exact.clone().explore(counts).is_ok());
    assert!(exact.probe_every(1).explore(counts).unwrap_err().replay().ends_with(",probe"), "unless somebody asks");
    assert!(Builder::new().runs(1).explore(counts).is_err(), "by default the first run is made again with probes");
}

#[test]
fn a_waker_of_an_earlier_poll_that_was_used_is_told_from_none() {
    // Keeps the waker of its first poll, and lets its sleep keep that of the last.
    let body = async |sim: Sim| {
        let (slot, mut long) = (Arc::new(Mutex::new((false, None::<Waker>))), Box::pin(sim.time().sleep(SECOND * 9)));
        let mut short = Box::pin(sim.time().sleep(SECOND));
        let waits = slot.clone();
        let task = sim.spawn(
            "waits",
            poll_fn(move |cx| {
                let (_, _) = (short.as_mut().poll(cx).is_ready(), long.as_mut().poll(cx).is_ready());
                let mut slot = waits.lock().unwrap();
                slot.1.get_or_insert_with(|| cx.waker().clone());
                if slot.0 { Poll::Ready(()) } else { Poll::Pending }
            }),
        );
        sim.time().sleep(SECOND * 2).await;
        slot.lock().unwrap().0 = true;
        let waker = slot.lock().unwrap().1.clone();
        waker.unwrap().wake();
        task.await;
    };
    assert!(Builder::new().fresh_wakers(false).spurious(0).explore(body).is_ok());
    let failure = Builder::new().fresh_wakers(true).probe(true).run(body).unwrap_err();
    assert_eq!((failure.kind(), failure.time()), (FailureKind::StaleWaker, Instant::EPOCH + SECOND * 2), "{failure}");
}

#[test]
fn the_waker_of_a_task_that_is_gone_is_none_of_the_one_in_its_place() {
    let body = async |sim: Sim| {
        let (slot, done) = (Arc::new(Mutex::new(None::<Waker>)), Arc::new(AtomicBool::new(false)));
        let theirs = slot.clone();
        let gone = poll_fn(move |cx| {
            *theirs.lock().unwrap() = Some(cx.waker().clone());
            Poll::Ready(())
        });
        sim.spawn("gone", gone).await;
        let (mut late, seen) = (Box::pin(sim.time().sleep(SECOND * 9)), done.clone());
        let waits = poll_fn(move |cx| match seen.load(Relaxed) {
            true => Poll::Ready(()),
            false => late.as_mut().poll(cx),
        });
        let task = sim.spawn("in its place", waits);
        sim.idle().await;
        done.store(true, Relaxed);
        slot.lock().unwrap().take().unwrap().wake();
        sim.time().sleep(SECOND).await;
        task.await;
    };
    let failure = Builder::new().fresh_wakers(true).probe(true).run(body).unwrap_err();
    assert_eq!((failure.kind(), &*failure.tasks()[0].name), (FailureKind::LostWakeup, "in its place"), "{failure}");
}

#[test]
fn tasks_that_never_go_on_are_no_lost_wake_ups() {
    let body = async |sim: Sim| {
        sim.spawn_background("idler", pending::<()>());
        let mut kept = Vec::new();
        let stuck = poll_fn(move |cx| {
            kept.push(cx.waker().clone());
            Poll::<()>::Pending
        });
        sim.spawn_background("stuck", stuck);
        sim.time().sleep(SECOND).await;
    };
    assert!(Builder::new().probe(true).explore(body).is_ok());
}

#[test]
fn nothing_is_dropped_and_nothing_goes_wrong_in_a_probe() {
    let body = async |sim: Sim| {
        let mut sleep = Box::pin(sim.time().sleep(SECOND));
        let fails = poll_fn(move |cx| match sleep.as_mut().poll(cx) {
            Poll::Pending if wakeful::buggify!("it fails") => Poll::Ready(Err(())),
            poll => poll.map(Ok),
        });
        let failed = sim.spawn("fails", fails).await;
        assert!(failed.is_ok() || sim.now() == Instant::EPOCH);
        sim.cancel_at_each(sim.time().sleep(SECOND)).await;
    };
    let one = std::num::NonZeroU8::MIN.saturating_add(1);
    let faults = Faults::new().enabled_one_in(one).fires_one_in(one);
    let probing = Builder::new().probe(true).spurious(0).faults(faults);
    assert!(probing.runs(500).explore(body).is_ok());
}

/// The line of this file at which `text` stands.
fn line_of(text: &str) -> usize {
    1 + include_str!("sim_probes.rs").lines().position(|line| line.contains(text)).expect("it is there")
}

#[test]
fn a_report_tells_where_the_waker_was_left() {
    let bug = async |sim: Sim| two_wait(sim, false, None).await;
    let failure = Builder::new().explore(bug).unwrap_err();
    let [site] = failure.waker_sites() else { panic!("{failure}") };
    let (name, line) = (&failure.tasks()[0].name, line_of("state.1.push(cx.waker().clone());"));
    assert_eq!((&site.task, site.poll), (name, 1), "{failure}");
    assert!(site.calls[0].contains(&format!("tests/sim_probes.rs:{line}:")), "{failure}");
    assert!(site.calls.len() > 1 && site.calls[1].contains("tests/sim_probes.rs:"), "{failure}");
    let said = format!("\n  {name}: its waker of poll 1 was last cloned by\n    {}\n", site.calls[0]);
    assert!(failure.to_string().contains(&said), "{failure}");
    let single = Builder::new().run(bug).unwrap_err();
    assert_eq!(single.waker_sites(), [], "a single run can't be made again for that");

    // Whoever waits for something of the kit's is told by that.
    assert_eq!(Builder::new().explore(embrace).unwrap_err().waker_sites(), []);
    let stuck = async |_: Sim| {
        let mut kept = Vec::new();
        poll_fn(|cx| {
            kept.push(Waker::clone(cx.waker()));
            Poll::<()>::Pending
        })
        .await;
    };
    let failure = Builder::new().explore(stuck).unwrap_err();
    let [site] = failure.waker_sites() else { panic!("{failure}") };
    assert_eq!((failure.kind(), site.task.as_str(), site.poll), (FailureKind::Deadlock, "root", 1));
    assert!(site.calls[0].contains(&format!(":{}:", line_of("Waker::clone(cx.waker())"))), "{failure}");
}

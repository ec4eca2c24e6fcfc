//! The simulator shows what went on: dumps of all tasks, and recordings.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeful::queue;
use wakeful::sim::trace::{Cause, Trace, What};
use wakeful::sim::{self, Builder, FailureKind, Sim, TaskState};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_dump_tells_each_task_by_name_state_wait_and_since_when() {
    sim::run(|sim| async move {
        let (tx, rx) = queue::bounded::<u8>(NonZeroUsize::MIN);
        let time = sim.time();
        let reader = sim.spawn("reader", async move { rx.recv().await });
        sim.spawn_background("heart", async move {
            loop {
                time.sleep(3 * SECOND).await;
            }
        });
        sim.advance(SECOND).await;
        tx.try_send(1).unwrap();
        drop(sim.spawn("", async {}));

        let dump = sim.dump();
        assert_eq!(dump.now.at, sim.now());
        let [root, reader_info, heart, new] = &dump.tasks[..] else { panic!("{dump}") };
        assert_eq!((root.name.as_str(), root.state, root.since), ("root", TaskState::Running, dump.now));
        assert_eq!((reader_info.state, reader_info.since), (TaskState::Ready, dump.now), "it was woken just now");
        assert_eq!((heart.state, heart.background, heart.polls), (TaskState::Waiting, true, 1));
        assert_eq!((heart.since.at.as_nanos(), heart.waits[0].what), (0, "sleep"));
        assert!((2..=3).contains(&heart.since.poll), "{heart}");
        assert_eq!((new.state, new.polls, new.label().contains("sim_trace.rs:")), (TaskState::Ready, 0, true));

        assert_eq!(reader.await, Ok(1));
        let text = sim.dump().to_string();
        assert!(text.starts_with("3 tasks at 1.000000000s, poll "), "{text}");
        assert!(
            text.contains("\n  heart [1], in the background: waits for sleep until 3.000000000s, since 0.0"),
            "{text}"
        );
    });
}

#[test]
fn a_wait_on_a_primitive_is_told_by_its_number_and_place() {
    sim::run(|sim| async move {
        let (tx, rx) = queue::bounded::<u8>(NonZeroUsize::MIN);
        let _reader = sim.spawn_background("reader", async move { rx.recv().await });
        sim.idle().await;
        let reader = &sim.dump().tasks[1];
        let (number, made) = reader.waits[0].id.unwrap();
        assert_eq!((reader.waits[0].what, number), ("queue recv", 1));
        assert!(made.file().ends_with("sim_trace.rs"), "{made}");
        drop(tx);
    });
}

#[test]
fn a_panic_reports_the_task_as_running_and_a_deadlock_since_when_all_wait() {
    let failure = Builder::new().run(|sim| async move { sim.spawn("bad", async { panic!("no") }).await });
    let failure: sim::Failure = failure.map(|report| report.output).unwrap_err();
    let bad = &failure.tasks()[0];
    assert_eq!((bad.state, bad.since.poll, bad.polls), (TaskState::Running, 2, 1));
    assert!(failure.to_string().contains("\n  bad [0]: runs, in poll 2\n"), "{failure}");

    let stuck = Builder::new().run(|sim| async move {
        sim.time().sleep(SECOND).await;
        sim.advance(Duration::MAX).await;
    });
    let stuck = stuck.unwrap_err();
    assert_eq!(stuck.kind(), FailureKind::Deadlock);
    let root = &stuck.tasks()[0];
    assert_eq!((root.since.at.as_nanos(), root.since.poll), (1_000_000_000, 2));
    assert!(stuck.to_string().contains(", since 1.000000000s, poll 2\n"), "{stuck}");
}

/// Two workers that sleep, draw, send, and wait for each other.
async fn busy(sim: Sim) {
    let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    let (time, other) = (sim.time(), sim.clone());
    let sender = sim.spawn("sender", async move {
        for n in 0..3 {
            time.sleep(SECOND).await;
            tx.send(n + other.choose(2)).await.unwrap();
        }
    });
    let receiver = sim.spawn("receiver", async move { while rx.recv().await.is_ok() {} });
    sim.note("both are there");
    sender.await;
    receiver.await;
    sim.jump(SECOND).await;
}

fn traced(events: usize) -> Trace {
    Builder::new().seed(5).trace(events).run(busy).unwrap().trace.unwrap()
}

/// Who woke the task of this name, each time.
fn causes(trace: &Trace, name: &str) -> Vec<Cause> {
    let woken = |what: &What| match *what {
        What::Woken { task, by } if trace.tasks()[task].name == name => Some(by),
        _ => None,
    };
    trace.events().iter().filter_map(|event| woken(&event.what)).collect()
}

#[test]
fn a_run_that_is_recorded_takes_the_course_of_one_that_is_not() {
    for seed in 0..20 {
        let plain = Builder::new().seed(seed).run(busy).unwrap();
        let mut recorded = Builder::new().seed(seed).trace(50).run(busy).unwrap();
        assert!(plain.trace.is_none() && recorded.trace.take().is_some());
        assert_eq!(plain, recorded);
    }
    let fails = |sim: Sim| async move { sim.spawn("bad", async { panic!("no") }).await };
    let plain = Builder::new().run(fails).map(|report: sim::Report<()>| report.output).unwrap_err();
    let recorded = Builder::new().trace(50).run(fails).map(|report| report.output).unwrap_err();
    assert_eq!((plain.hash(), plain.replay()), (recorded.hash(), recorded.replay()));
    let trace = recorded.trace().unwrap();
    assert_eq!(trace.failure(), Some((FailureKind::Panic, plain.message())));
    assert_eq!(trace.events().last().unwrap().what, What::Panicked { task: 1 });
    assert_eq!((trace.end().poll, trace.replay()), (2, plain.replay()));
}

#[test]
fn what_happens_between_begin_and_end_of_a_poll_is_of_that_poll() {
    let trace = traced(Trace::EVENTS);
    assert_eq!(trace.dropped(), 0);
    let (mut running, mut at, mut polls, mut notes) = (None, 0, 0, 0);
    for event in trace.events() {
        match event.what {
            What::Polled { task, among } => {
                assert_eq!(running.replace(task), None);
                polls += 1;
                assert!((1..=3).contains(&among));
            }
            What::Pending { task, .. } | What::Done { task } => assert_eq!(running.take(), Some(task)),
            What::Started { by, .. } => assert_eq!(by, running),
            What::Woken { by: Cause::Task(by), .. } => assert_eq!(Some(by), running),
            What::Chose { task, chosen, n } => assert!(running == Some(task) && chosen < n),
            What::Noted { task, .. } => {
                assert_eq!((task, running), (Some(0), Some(0)));
                notes += 1;
            }
            What::Moved { from } => {
                assert!(from.as_nanos() == at && event.now.at > from);
                at = event.now.at.as_nanos();
            }
            _ => {}
        }
        assert_eq!(event.now.poll, polls);
        assert_eq!(event.now.at.as_nanos(), at);
    }
    assert_eq!((trace.end().poll, trace.end().at.as_nanos(), notes), (polls, 4_000_000_000, 1));
}

#[test]
fn a_recording_tells_who_woke_whom() {
    let trace = traced(Trace::EVENTS);
    assert!(causes(&trace, "sender").iter().filter(|&&by| by == Cause::Timer).count() == 3);
    assert!(causes(&trace, "receiver").iter().all(|&by| by == Cause::Task(1)));
    let root = causes(&trace, "root");
    assert!(root.starts_with(&[Cause::Task(1)]) && root.ends_with(&[Cause::Lull, Cause::Lull]), "{root:?}");

    let slept = Builder::new().trace(100).run(|sim| async move {
        let time = sim.time();
        let sleeper = sim.spawn("sleeper", async move { time.sleep(SECOND).await });
        sim.jump(2 * SECOND).await;
        sleeper.await;
    });
    assert_eq!(causes(&slept.unwrap().trace.unwrap(), "sleeper"), [Cause::Timer], "in the midst of a jump");

    let foreign = Builder::new().trace(100).foreign_wakes(60 * SECOND).run(|sim| async move {
        let slot = Arc::new(Mutex::new(None::<Waker>));
        let theirs = slot.clone();
        let waits = sim.spawn(
            "waits",
            poll_fn(move |cx| match theirs.lock().unwrap().replace(cx.waker().clone()) {
                None => Poll::Pending,
                Some(_) => Poll::Ready(()),
            }),
        );
        sim.idle().await;
        let waker = slot.lock().unwrap().clone().unwrap();
        std::thread::spawn(move || waker.wake()).join().unwrap();
        waits.await;
    });
    assert_eq!(causes(&foreign.unwrap().trace.unwrap(), "waits"), [Cause::Outside]);
}

#[test]
fn the_oldest_events_are_dropped_and_tasks_go_with_their_last() {
    let all = traced(Trace::EVENTS);
    for kept in [1, 2, 10, 30] {
        let some = traced(kept);
        assert_eq!((some.events().len(), some.dropped()), (kept, (all.events().len() - kept) as u64));
        let names = |trace: &Trace, n: usize| {
            let at = trace.events().len() - n;
            trace.events()[at..].iter().map(|event| (event.now, format!("{:?}", event.what).len())).collect::<Vec<_>>()
        };
        assert_eq!(names(&some, kept), names(&all, kept));
    }
    let many = Builder::new().trace(50).run(|sim| async move {
        for n in 0..1_000 {
            sim.spawn(n.to_string(), async {}).await;
        }
        sim.note("a".repeat(1_000));
    });
    let trace = many.unwrap().trace.unwrap();
    assert!(trace.tasks().len() < 20, "{}", trace.tasks().len());
    let names: Vec<&str> = trace.tasks().iter().map(|task| task.name.as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("root", "999"));
    let note = trace.events().iter().find_map(|event| match &event.what {
        What::Noted { text, .. } => Some(text.len()),
        _ => None,
    });
    assert_eq!(note, Some(Trace::NOTE + "...".len()));
}

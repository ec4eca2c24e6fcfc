//! The simulator shows what went on: dumps of all tasks.

use std::num::NonZeroUsize;
use std::time::Duration;
use wakeful::queue;
use wakeful::sim::{self, Builder, FailureKind, TaskState};

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
        std::future::pending::<()>().await;
    });
    let stuck = stuck.unwrap_err();
    assert_eq!(stuck.kind(), FailureKind::Deadlock);
    let root = &stuck.tasks()[0];
    assert_eq!((root.since.at.as_nanos(), root.since.poll), (1_000_000_000, 2));
    assert!(stuck.to_string().contains(", since 1.000000000s, poll 2\n"), "{stuck}");
}

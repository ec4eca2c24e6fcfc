//! Wakers: a task that nobody can wake any more is reported at once.

use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use wakeful::sim::{Builder, FailureKind, Sim};
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
        assert!(Builder::new().explore(body).is_ok());
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

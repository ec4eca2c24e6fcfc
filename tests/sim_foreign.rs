//! Threads that are not the run's wake tasks: an error, or allowed, and then waited for.

use futures::channel::oneshot;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;
use wakeful::sim::{Builder, FailureKind, Sim};
use wakeful::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// Longer than any test takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until somebody wakes it by the waker that it leaves in `slot`.
async fn woken(slot: &Mutex<Option<Waker>>) {
    poll_fn(|cx| match slot.lock().unwrap().replace(cx.waker().clone()) {
        None => Poll::Pending,
        Some(_) => Poll::Ready(()),
    })
    .await;
}

/// A task is woken by another thread, which is done before the task's poll is.
async fn joined(sim: Sim) {
    let mut first = true;
    poll_fn(|cx| {
        if !std::mem::replace(&mut first, false) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        thread::spawn(move || waker.wake()).join().unwrap();
        Poll::Pending
    })
    .await;
    sim.yield_now().await;
}

#[test]
fn that_another_thread_wakes_a_task_is_an_error_unless_allowed() {
    let failure = Builder::new().explore(joined).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::ForeignWake);
    let said = "`root` was woken by another thread, which `Builder::foreign_wakes` may allow";
    assert_eq!((failure.message(), failure.tasks()[0].name.as_str()), (said, "root"));
    Builder::new().foreign_wakes(PATIENCE).check(joined);
    // One that is done is woken in vain, by whomever.
    Builder::new().check(async |sim| {
        let slot = Arc::new(Mutex::new(None));
        let theirs = slot.clone();
        let leave = poll_fn(move |cx| Poll::Ready(theirs.lock().unwrap().replace(cx.waker().clone())));
        let task = sim.spawn("done", leave);
        task.await;
        let waker: Waker = slot.lock().unwrap().take().unwrap();
        thread::spawn(move || waker.wake()).join().unwrap();
    });
}

#[test]
fn a_run_waits_for_other_threads_where_nothing_else_is_left() {
    Builder::new().foreign_wakes(PATIENCE).check(async |_| {
        let (ask, asked) = mpsc::channel::<oneshot::Sender<u32>>();
        let server = thread::spawn(move || {
            for (number, reply) in asked.iter().enumerate() {
                reply.send(number as u32).unwrap();
            }
        });
        for n in 0..5 {
            let (reply, answer) = oneshot::channel();
            ask.send(reply).unwrap();
            assert_eq!(answer.await, Ok(n));
        }
        drop(ask);
        server.join().unwrap();
    });
}

/// Five threads race to wake five tasks, each of which then sleeps for a second.
async fn racing(sim: Sim) -> Vec<usize> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let tasks = [0, 1, 2, 3, 4].map(|n| {
        let (tx, rx) = oneshot::channel();
        let (hold, order, time) = (sim.hold(), order.clone(), sim.time());
        thread::spawn(move || {
            tx.send(n).unwrap();
            drop(hold);
        });
        sim.spawn(format!("{n}"), async move {
            let number = rx.await.unwrap();
            order.lock().unwrap().push(number);
            time.sleep(SECOND).await;
        })
    });
    for task in tasks {
        task.await;
    }
    Arc::try_unwrap(order).unwrap().into_inner().unwrap()
}

#[test]
fn what_is_held_is_waited_for_before_time_moves() {
    let patient = Builder::new().foreign_wakes(PATIENCE);
    for seed in 0..50 {
        let report = patient.clone().seed(seed).run(racing).unwrap();
        // Nobody slept before the last of the threads was done.
        assert_eq!((report.output.len(), report.end), (5, Instant::EPOCH + SECOND));
    }
    patient.check(async |sim| {
        let (tx, rx) = oneshot::channel();
        let hold = sim.hold();
        thread::spawn(move || {
            tx.send(()).unwrap();
            drop(hold);
        });
        let time = sim.time();
        let timer = sim.spawn_background("timer", async move { time.sleep(SECOND).await });
        rx.await.unwrap();
        assert_eq!((sim.now(), timer.is_finished()), (Instant::EPOCH, false));
    });
}

#[test]
fn patience_has_an_end() {
    let short = Builder::new().foreign_wakes(Duration::from_millis(1));
    let slot = Arc::new(Mutex::new(None));
    let kept = slot.clone();
    let failure = short.run(async move |_| woken(&kept).await).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    assert!(failure.message().ends_with("no other thread woke anybody within 1ms"), "{failure}");
    let failure = short.run(async |sim: Sim| {
        let hold = sim.hold();
        sim.time().sleep(SECOND).await;
        drop(hold);
    });
    let failure = failure.unwrap_err();
    assert!(failure.message().ends_with("of what other threads hold, 1 is not given back within 1ms"), "{failure}");
    assert_eq!((failure.kind(), failure.time()), (FailureKind::Deadlock, Instant::EPOCH));
    // Whose wakers are all gone can't be woken by anybody: that is said at once.
    let failure = Builder::new().foreign_wakes(PATIENCE).run(async |_| std::future::pending::<()>().await).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NoWaker);
}

#[test]
fn a_hold_without_leave_is_refused() {
    let failure = Builder::new().run(async |sim: Sim| drop(sim.hold())).unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Panic);
    assert!(failure.message().contains("see `Builder::foreign_wakes`"), "{failure}");
    // One that outlives its run does no harm.
    let kept = Arc::new(Mutex::new(None));
    let theirs = kept.clone();
    let patient = Builder::new().foreign_wakes(PATIENCE);
    patient.run(async move |sim: Sim| *theirs.lock().unwrap() = Some(sim.hold())).unwrap();
    drop(kept.lock().unwrap().take());
}

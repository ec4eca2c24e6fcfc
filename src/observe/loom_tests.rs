//! Wake-ups and dumps from other threads, in every interleaving: none is lost, and all that is counted is counted once.

use super::*;
use crate::sys::model::{Task, model, spawn};
use crate::sys::{Arc, Lock};
use crate::time::ManualClock;
use core::future::poll_fn;
use core::task::{Poll, Waker};

/// Something for which one future waits: whether it is open, and who is woken when it is.
#[derive(Clone)]
struct Gate(Arc<Lock<(bool, Option<Arc<Waker>>)>>);

impl Gate {
    fn new() -> Self {
        Self(Arc::new(Lock::new((false, None))))
    }

    async fn pass(self) {
        poll_fn(|cx| {
            let waker = Arc::new(cx.waker().clone());
            let (is_open, old) = self.0.with(|(is_open, place)| (*is_open, place.replace(waker)));
            drop(old);
            if is_open { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn open(&self) {
        let waker = self.0.with(|(is_open, place)| {
            *is_open = true;
            place.clone()
        });
        if let Some(waker) = waker {
            waker.wake_by_ref();
        }
    }
}

#[test]
fn loom_a_wake_up_reaches_the_task_that_polls_last() {
    model(|| {
        let (monitor, gate) = (TaskMonitor::new(&ManualClock::new().time(), "gate"), Gate::new());
        // The second poll has another waker.
        let mut task = Task::new(monitor.watch(gate.clone().pass())).waiting();
        let opens = spawn(move || gate.open());
        let first = task.poll();
        opens.join().unwrap();
        task.finish(first);
        let timings = monitor.timings();
        assert_eq!((timings.done, timings.dropped, timings.live()), (1, 0, 0));
    });
}

#[test]
fn loom_who_is_dropped_while_it_is_woken_and_dumped_is_counted_once() {
    model(|| {
        let (monitor, gate) = (TaskMonitor::new(&ManualClock::new().time(), "gate"), Gate::new());
        let task = Task::new(monitor.watch(gate.clone().pass())).waiting();
        let looked = monitor.clone();
        let opens = spawn(move || {
            gate.open();
            looked.dump().tasks.len()
        });
        drop(task);
        assert!(opens.join().unwrap() <= 1);
        let timings = monitor.timings();
        assert_eq!((timings.done, timings.dropped, timings.live()), (0, 1, 0));
    });
}

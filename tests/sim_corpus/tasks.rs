//! Tasks that are forgotten, started twice, or in each other's way.

use crate::{Bug, ms};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use wakeful::sim::{FailureKind, Sim};

pub(crate) const BUGS: &[&Bug] = &[
    &Bug {
        name: "live-lock: both give way, both try again",
        kinds: &[FailureKind::StepLimit],
        runs: 5,
        points: 0,
        settings: |builder| builder.max_steps(3_000),
        body: |sim, fixed| Box::pin(both_give_way(sim, fixed)),
    },
    &Bug {
        name: "waits for tasks that have not begun",
        kinds: &[FailureKind::Panic],
        runs: 20,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(not_begun(sim, fixed)),
    },
    &Bug {
        name: "task left behind by an early return",
        kinds: &[FailureKind::Leak],
        runs: 20,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(left_behind(sim, fixed)),
    },
    &Bug {
        name: "started again before the last one is gone",
        kinds: &[FailureKind::Panic],
        runs: 20,
        points: 3,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(started_again(sim, fixed)),
    },
];

/// Two tasks that need two things each, and give the first back if the second is taken. The twin waits for a random time
/// before it tries again.
async fn both_give_way(sim: Sim, fixed: bool) {
    let things = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
    let tasks = [[0, 1], [1, 0]].map(|[first, second]| {
        let (things, task) = (things.clone(), sim.clone());
        sim.spawn(format!("needs {first} and {second}"), async move {
            let (time, taken) = (task.time(), |n: usize| things[n].swap(true, SeqCst));
            loop {
                if !taken(first) {
                    time.sleep(ms(1)).await;
                    let done = !taken(second);
                    time.sleep(ms(1)).await;
                    things[first].store(false, SeqCst);
                    if done {
                        things[second].store(false, SeqCst);
                        return;
                    }
                }
                let pause = if fixed { task.random() % 16 } else { 5 };
                time.sleep(ms(1 + pause)).await;
            }
        })
    });
    for task in tasks {
        task.await;
    }
}

/// Counts tasks, and lets one wait until there are none. Each is counted when it begins; in the twin, before.
#[derive(Default)]
struct Count {
    tasks: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Count {
    fn done(&self) {
        self.tasks.fetch_sub(1, SeqCst);
        let waker = self.waker.lock().unwrap().take();
        waker.into_iter().for_each(Waker::wake);
    }

    async fn none_left(&self) {
        poll_fn(|cx| {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            if self.tasks.load(SeqCst) == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await
    }
}

async fn not_begun(sim: Sim, fixed: bool) {
    let (count, written) = (Arc::new(Count::default()), Arc::new(AtomicUsize::new(0)));
    for name in ["one", "two"] {
        let (count, written, task) = (count.clone(), written.clone(), sim.clone());
        if fixed {
            count.tasks.fetch_add(1, SeqCst);
        }
        sim.spawn(name, async move {
            if !fixed {
                count.tasks.fetch_add(1, SeqCst);
            }
            task.yield_now().await;
            written.fetch_add(1, SeqCst);
            count.done();
        });
    }
    sim.yield_now().await;
    count.none_left().await;
    assert_eq!(written.load(SeqCst), 2, "all is written at the end");
}

/// Two lookups at once, of which the first answer is taken. The other is not waited for; in the twin it is.
async fn left_behind(sim: Sim, fixed: bool) {
    let lookups = ["near", "far"].map(|name| {
        let task = sim.clone();
        sim.spawn(name, async move {
            task.time().sleep(ms(1 + task.choose(2) as u64)).await;
            name
        })
    });
    let [near, far] = lookups;
    let first = futures::future::select(near, far).await;
    let (_, other) = first.factor_first();
    if fixed {
        other.await;
    }
}

/// A worker that is stopped and started again when its settings change, and that must not run twice. Stopping it is a
/// request; the twin waits until it is gone.
async fn started_again(sim: Sim, fixed: bool) {
    let running = Arc::new(AtomicUsize::new(0));
    let start = || {
        let (running, stop, task) = (running.clone(), Arc::new(AtomicBool::new(false)), sim.clone());
        let asked = stop.clone();
        let worker = sim.spawn("worker", async move {
            assert_eq!(running.fetch_add(1, SeqCst), 0, "another one is running");
            while !asked.load(SeqCst) {
                task.yield_now().await;
                task.time().sleep(ms(1)).await;
            }
            running.fetch_sub(1, SeqCst);
        });
        (stop, worker)
    };
    let (stop, worker) = start();
    sim.time().sleep(ms(5)).await;
    stop.store(true, SeqCst);
    if fixed {
        worker.await;
    }
    let (stop, worker) = start();
    sim.time().sleep(ms(5)).await;
    stop.store(true, SeqCst);
    worker.await;
}

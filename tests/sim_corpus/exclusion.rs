//! Locks, permits, slots and barriers that do not exclude, or exclude for ever.

use crate::{Bug, ms};
use futures::lock::Mutex as AsyncMutex;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use wakeful::always;
use wakeful::cancel::Scope;
use wakeful::queue;
use wakeful::sim::{FailureKind, Sim};

pub(crate) const BUGS: &[&Bug] = &[
    &Bug {
        name: "lock order",
        kinds: &[FailureKind::Deadlock],
        runs: 20,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(lock_order(sim, fixed)),
    },
    &Bug {
        name: "guard dropped at once, and await behind it",
        kinds: &[FailureKind::Violation],
        runs: 10,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(dropped_guard(sim, fixed)),
    },
    &Bug {
        name: "leaked permit of a task that was cut short",
        kinds: &[FailureKind::Deadlock],
        runs: 10,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(leaked_permit(sim, fixed)),
    },
    &Bug {
        name: "semaphore where small requests overtake",
        kinds: &[FailureKind::Panic],
        runs: 10,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(starvation(sim, fixed)),
    },
    &Bug {
        name: "barrier that mixes up its rounds",
        kinds: &[FailureKind::Deadlock],
        runs: 30,
        points: 1,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(mixed_rounds(sim, fixed)),
    },
    &Bug {
        name: "slot freed twice, and somebody else's by then",
        kinds: &[FailureKind::Violation],
        runs: 60,
        points: 2,
        settings: |builder| builder,
        body: |sim, fixed| Box::pin(reused_slot(sim, fixed)),
    },
];

/// Two tasks that take two locks; in the twin, in the same order.
async fn lock_order(sim: Sim, fixed: bool) {
    let (left, right) = (Arc::new(AsyncMutex::new(())), Arc::new(AsyncMutex::new(())));
    let pairs = [("one", left.clone(), right.clone()), ("two", right.clone(), left.clone())];
    let tasks = pairs.map(|(name, first, second)| {
        let (first, second) = if fixed { (left.clone(), right.clone()) } else { (first, second) };
        sim.spawn(name, async move {
            let _first = first.lock().await;
            // Until here and no further it gets alone.
            let _second = second.lock().await;
        })
    });
    for _ in 0..3 {
        let _left = left.lock().await;
        sim.yield_now().await;
    }
    for task in tasks {
        task.await;
    }
}

/// Work that must be done by one at a time. `let _` drops the guard where it stands; `let _guard`, as in the twin, at the
/// end.
async fn dropped_guard(sim: Sim, fixed: bool) {
    let (lock, inside) = (Arc::new(AsyncMutex::new(())), Arc::new(AtomicUsize::new(0)));
    let tasks = ["one", "two"].map(|name| {
        let (lock, inside, task) = (lock.clone(), inside.clone(), sim.clone());
        sim.spawn(name, async move {
            let guard = lock.lock().await;
            let _guard = fixed.then_some(guard);
            let before = inside.fetch_add(1, SeqCst);
            always!(before == 0, "{} others are inside", before);
            task.yield_now().await;
            inside.fetch_sub(1, SeqCst);
        })
    });
    for task in tasks {
        task.await;
    }
}

/// A permit is taken, work is done within a deadline, the permit is given back: by the one who did the work, or, in the
/// twin, by a guard.
async fn leaked_permit(sim: Sim, fixed: bool) {
    struct Guard(Option<queue::Sender<()>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.take().map(|permits| permits.try_send(()));
        }
    }
    let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    tx.try_send(()).unwrap();
    let tasks = [9, 10].map(|time_needed| {
        let (tx, rx, sim) = (tx.clone(), rx.clone(), sim.clone());
        sim.clone().spawn(format!("needs {time_needed} ms"), async move {
            let scope = Scope::new(sim.time());
            let work = scope.move_on_after(ms(20), async |_| {
                rx.recv().await.unwrap();
                let guard = Guard(fixed.then(|| tx.clone()));
                sim.time().sleep(ms(time_needed)).await;
                // It has to be written down, too.
                sim.time().sleep(ms(1)).await;
                if !fixed {
                    tx.try_send(()).unwrap();
                }
                drop(guard);
            });
            drop(work.await);
        })
    });
    for task in tasks {
        task.await;
    }
    rx.recv().await.unwrap();
}

/// Permits that go to whoever comes when they are free. The twin, tokio's semaphore, serves in order.
#[derive(Default)]
struct Barging {
    taken: Mutex<usize>,
    waiting: Mutex<Vec<Waker>>,
}

impl Barging {
    async fn acquire(&self, permits: usize) {
        poll_fn(|cx| {
            let mut taken = self.taken.lock().unwrap();
            if *taken + permits > 2 {
                self.waiting.lock().unwrap().push(cx.waker().clone());
                return Poll::Pending;
            }
            *taken += permits;
            Poll::Ready(())
        })
        .await
    }

    fn release(&self, permits: usize) {
        *self.taken.lock().unwrap() -= permits;
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
        waiting.into_iter().for_each(Waker::wake);
    }
}

async fn starvation(sim: Sim, fixed: bool) {
    let (barging, fair) = (Arc::new(Barging::default()), Arc::new(tokio::sync::Semaphore::new(2)));
    let (turns, asks) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(usize::MAX)));
    for name in ["small one", "small two"] {
        let (barging, fair, turns, task) = (barging.clone(), fair.clone(), turns.clone(), sim.clone());
        sim.spawn(name, async move {
            for _ in 0..20 {
                if fixed {
                    let _permit = fair.acquire().await.unwrap();
                    task.yield_now().await;
                } else {
                    barging.acquire(1).await;
                    task.yield_now().await;
                    barging.release(1);
                }
                turns.fetch_add(1, SeqCst);
            }
        });
    }
    sim.yield_now().await;
    asks.store(turns.load(SeqCst), SeqCst);
    if fixed {
        drop(fair.acquire_many(2).await.unwrap());
    } else {
        barging.acquire(2).await;
        barging.release(2);
    }
    let overtaken = turns.load(SeqCst) - asks.load(SeqCst);
    assert!(overtaken <= 12, "many have come later and gone earlier");
}

/// A barrier for two, which counts who has arrived. Who waits goes on when the count is back at nought; in the twin, when
/// the round is another one.
#[derive(Default)]
struct Barrier {
    arrived: usize,
    round: u32,
    waiting: Vec<Waker>,
}

async fn meet(barrier: &Mutex<Barrier>, fixed: bool) {
    let round = {
        let mut barrier = barrier.lock().unwrap();
        barrier.arrived += 1;
        if barrier.arrived == 2 {
            barrier.arrived = 0;
            barrier.round += 1;
            let waiting = std::mem::take(&mut barrier.waiting);
            drop(barrier);
            waiting.into_iter().for_each(Waker::wake);
            return;
        }
        barrier.round
    };
    poll_fn(|cx| {
        let mut barrier = barrier.lock().unwrap();
        if if fixed { barrier.round != round } else { barrier.arrived == 0 } {
            return Poll::Ready(());
        }
        barrier.waiting.push(cx.waker().clone());
        Poll::Pending
    })
    .await
}

async fn mixed_rounds(sim: Sim, fixed: bool) {
    let barrier: Arc<Mutex<Barrier>> = Arc::default();
    let tasks = ["one", "two"].map(|name| {
        let (barrier, task) = (barrier.clone(), sim.clone());
        sim.spawn(name, async move {
            for _ in 0..3 {
                meet(&barrier, fixed).await;
                task.yield_now().await;
            }
        })
    });
    for task in tasks {
        task.await;
    }
}

/// Slots that are handed out by number. In the twin a slot is freed only by the one whom it was handed to.
#[derive(Default)]
struct Slots(Mutex<Vec<Option<&'static str>>>);

impl Slots {
    fn take(&self, owner: &'static str) -> usize {
        let mut slots = self.0.lock().unwrap();
        let free = slots.iter().position(Option::is_none).unwrap_or(slots.len());
        if free == slots.len() {
            slots.push(None);
        }
        slots[free] = Some(owner);
        free
    }

    fn free(&self, slot: usize, owner: &'static str, fixed: bool) {
        let mut slots = self.0.lock().unwrap();
        if !fixed || slots[slot] == Some(owner) {
            slots[slot] = None;
        }
    }
}

async fn reused_slot(sim: Sim, fixed: bool) {
    let slots = Arc::new(Slots::default());
    let (theirs, time) = (slots.clone(), sim.time());
    let first = theirs.take("first");
    let frees_twice = sim.spawn("first", async move {
        // Its connection breaks, and the slot is freed; then it notices the end, and frees it again.
        time.sleep(ms(1)).await;
        theirs.free(first, "first", fixed);
        time.sleep(ms(1)).await;
        theirs.free(first, "first", fixed);
    });
    let (theirs, task) = (slots.clone(), sim.clone());
    let second = sim.spawn("second", async move {
        task.time().sleep(ms(1 + task.choose(3) as u64)).await;
        let mine = theirs.take("second");
        task.yield_now().await;
        always!(theirs.0.lock().unwrap()[mine] == Some("second"), "slot {mine} is another's");
        theirs.free(mine, "second", fixed);
    });
    frees_twice.await;
    second.await;
}

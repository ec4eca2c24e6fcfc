//! What the primitives of the room `sync` say of what polls touch, most of which they do without their lock.

use super::as_the_plain_search;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use wakeful::sim::Sim;
use wakeful::sync::{Barrier, CapacityLimiter, Condition, Event, Latch, Notify, Semaphore, WaitGroup, oneshot, watch};

/// Says in which order it was asked.
#[derive(Clone, Default)]
struct Turns(Arc<AtomicUsize>);

impl Turns {
    fn next(&self) -> usize {
        self.0.fetch_add(1, Relaxed)
    }
}

#[test]
fn a_semaphore_shows_all_outcomes_of_the_plain_search() {
    let (few, all) = as_the_plain_search(async |sim: Sim| {
        let (semaphore, other) = (Semaphore::new(1), Semaphore::new(1));
        let waits = {
            let semaphore = semaphore.clone();
            sim.tracked().spawn("waits", async move { semaphore.acquire().await.is_ok() })
        };
        let tries = {
            let semaphore = semaphore.clone();
            sim.tracked().spawn("tries", async move { semaphore.try_acquire_many(2).is_ok() })
        };
        let adds = {
            let semaphore = semaphore.clone();
            sim.tracked().spawn("adds", async move {
                semaphore.add_permits(1);
                semaphore.forget_permits(2)
            })
        };
        let apart = sim.tracked().spawn("apart", async move { other.try_acquire().is_ok() });
        let closes = sim.tracked().spawn("closes", async move {
            semaphore.close();
            semaphore.available()
        });
        (waits.await, tries.await, adds.await, apart.await, closes.await)
    });
    assert!(few < all, "{few} of {all}");
}

/// Does something that may succeed, has others take a turn, and undoes it.
async fn hold<T>(sim: Sim, take: impl FnOnce() -> Option<T>) -> bool {
    let held = take();
    sim.yield_now().await;
    held.is_some()
}

#[test]
fn what_is_taken_without_the_lock_is_missed_by_others() {
    as_the_plain_search(async |sim: Sim| {
        let semaphore = Semaphore::new(1);
        let holders = [(), ()].map(|()| {
            let (semaphore, task) = (semaphore.clone(), sim.clone());
            let take = move || semaphore.try_acquire().ok().map(|permit| permit.into_owned());
            sim.tracked().spawn("holds", async move { hold(task, take).await })
        });
        let [one, two] = holders;
        (one.await, two.await)
    });
    as_the_plain_search(async |sim: Sim| {
        let notify = Notify::new();
        notify.notify_one();
        let takers = [(), ()].map(|()| {
            let notify = notify.clone();
            sim.tracked().spawn("takes", async move {
                let mut notified = std::pin::pin!(notify.notified());
                futures::poll!(notified.as_mut()).is_ready()
            })
        });
        let [one, two] = takers;
        (one.await, two.await)
    });
    as_the_plain_search(async |sim: Sim| {
        let group = WaitGroup::new();
        let adds = {
            let (group, task) = (group.clone(), sim.clone());
            sim.tracked().spawn("adds", async move { hold(task, || Some(group.add())).await })
        };
        let looks = [(), ()].map(|()| {
            let group = group.clone();
            sim.tracked().spawn("looks", async move { group.count() })
        });
        let [one, two] = looks;
        (adds.await, one.await, two.await)
    });
}

#[test]
fn what_is_changed_without_the_lock_is_seen_by_who_looks() {
    as_the_plain_search(async |sim: Sim| {
        let latch = Latch::new(3);
        let counts = latch.clone();
        let counts = sim.tracked().spawn("counts", async move { counts.count_down() });
        let looks = sim.tracked().spawn("looks", async move { latch.count() });
        counts.await;
        looks.await
    });
    as_the_plain_search(async |sim: Sim| {
        let notify = Notify::new();
        let tells = notify.clone();
        let tells = sim.tracked().spawn("tells", async move { tells.notify_one() });
        let looks = sim.tracked().spawn("looks", async move {
            let mut notified = std::pin::pin!(notify.notified());
            futures::poll!(notified.as_mut()).is_ready()
        });
        tells.await;
        looks.await
    });
    as_the_plain_search(async |sim: Sim| {
        let (tx, rx) = watch::channel(0);
        let subscribes = {
            let (tx, task) = (tx.clone(), sim.clone());
            sim.tracked().spawn("subscribes", async move { hold(task, || Some(tx.subscribe())).await })
        };
        let leaves = sim.tracked().spawn("leaves", async move { drop(rx) });
        let sends = sim.tracked().spawn("sends", async move { (tx.receivers(), tx.send(1).is_ok()) });
        leaves.await;
        (subscribes.await, sends.await)
    });
    as_the_plain_search(async |sim: Sim| {
        let (tx, rx) = watch::channel(0);
        let task = sim.clone();
        let clones = sim.tracked().spawn("clones", async move { hold(task, || Some(rx.clone())).await });
        let looks = sim.tracked().spawn("looks", async move { tx.receivers() });
        (clones.await, looks.await)
    });
}

#[test]
fn a_limiter_of_capacity_shows_all_outcomes_of_the_plain_search() {
    as_the_plain_search(async |sim: Sim| {
        let limiter = CapacityLimiter::new(1);
        let borrows = [1, 1, 2].map(|who| {
            let limiter = limiter.clone();
            sim.tracked().spawn("borrows", async move { limiter.acquire(who).await.is_ok() })
        });
        let looks = sim.tracked().spawn("looks", async move { limiter.waiting() });
        let [one, again, two] = borrows;
        (one.await, again.await, two.await, looks.await)
    });
}

#[test]
fn an_event_shows_all_outcomes_of_the_plain_search() {
    as_the_plain_search(async |sim: Sim| {
        let event = Event::new();
        let waits = {
            let (event, task) = (event.clone(), sim.clone());
            sim.tracked().spawn("waits", async move {
                event.wait().await;
                task.yield_now().await;
                event.is_set()
            })
        };
        let resets = {
            let event = event.clone();
            sim.tracked().spawn("resets", async move { event.reset() })
        };
        let sets = {
            let event = event.clone();
            sim.tracked().spawn("sets", async move { event.set() })
        };
        sets.await;
        let reset = resets.await;
        // For one who comes after a set that was reset.
        sim.idle().await;
        event.set();
        (waits.await, reset)
    });
}

#[test]
fn a_signal_shows_all_outcomes_of_the_plain_search() {
    as_the_plain_search(async |sim: Sim| {
        let (notify, turns) = (Notify::new(), Turns::default());
        let waits = [(), ()].map(|()| {
            let (notify, turns) = (notify.clone(), turns.clone());
            sim.tracked().spawn("waits", async move {
                notify.notified().await;
                turns.next()
            })
        });
        let one = {
            let notify = notify.clone();
            sim.tracked().spawn("one", async move { notify.notify_one() })
        };
        let all = {
            let (notify, task) = (notify.clone(), sim.clone());
            sim.tracked().spawn("all", async move {
                notify.notify_all();
                task.idle().await;
                notify.notify_one();
                task.idle().await;
                notify.notify_one();
            })
        };
        one.await;
        all.await;
        let [first, second] = waits;
        (first.await, second.await)
    });
}

#[test]
fn a_latch_a_group_and_a_barrier_show_all_outcomes_of_the_plain_search() {
    as_the_plain_search(async |sim: Sim| {
        let (latch, group) = (Latch::new(2), WaitGroup::new());
        let counts = [(), ()].map(|()| {
            let (latch, guard) = (latch.clone(), group.add());
            sim.tracked().spawn("counts", async move {
                latch.count_down();
                drop(guard);
                latch.count()
            })
        });
        let looks = sim.tracked().spawn("looks", async move {
            latch.wait().await;
            group.count()
        });
        let [one, two] = counts;
        (looks.await, one.await, two.await)
    });
    as_the_plain_search(async |sim: Sim| {
        let barrier = Barrier::new(NonZeroUsize::new(2).unwrap());
        let arrive = [(), ()].map(|()| {
            let barrier = barrier.clone();
            sim.tracked().spawn("arrives", async move { barrier.wait().await.is_leader() })
        });
        let looks = sim.tracked().spawn("looks", async move { barrier.arrived() });
        let [one, two] = arrive;
        (one.await, two.await, looks.await)
    });
}

#[test]
fn a_condition_shows_all_outcomes_of_the_plain_search() {
    as_the_plain_search(async |sim: Sim| {
        let (mutex, condition, turns) = (Semaphore::new(1), Condition::new(), Turns::default());
        let waits = {
            let (mutex, condition, turns) = (mutex.clone(), condition.clone(), turns.clone());
            sim.tracked().spawn("waits", async move {
                let permit = mutex.acquire().await.unwrap();
                let _permit = condition.wait(permit, || mutex.acquire()).await;
                turns.next()
            })
        };
        let tells = sim.tracked().spawn("tells", {
            let (condition, task) = (condition.clone(), sim.clone());
            async move {
                condition.notify_one();
                task.idle().await;
                condition.notify_all();
                turns.next()
            }
        });
        (waits.await, tells.await)
    });
}

#[test]
fn one_value_and_a_watched_one_show_all_outcomes_of_the_plain_search() {
    as_the_plain_search(async |sim: Sim| {
        let (tx, mut rx) = oneshot::channel();
        let sends = sim.tracked().spawn("sends", async move { tx.is_closed() || tx.send(1).is_err() });
        let receives = sim.tracked().spawn("receives", async move { rx.try_recv().ok() });
        (sends.await, receives.await)
    });
    as_the_plain_search(async |sim: Sim| {
        let (tx, mut rx) = watch::channel(0);
        let looks = {
            let rx = rx.clone();
            sim.tracked().spawn("looks", async move { *rx.latest() })
        };
        let sends = [1, 2].map(|n| {
            let tx = tx.clone();
            sim.tracked().spawn("sends", async move { tx.send(n).is_ok() })
        });
        drop(tx);
        let watches = sim.tracked().spawn("watches", async move {
            let mut seen = Vec::new();
            while let Ok(value) = rx.changed().await {
                seen.push(*value);
            }
            seen
        });
        let [one, two] = sends;
        (looks.await, one.await, two.await, watches.await)
    });
}

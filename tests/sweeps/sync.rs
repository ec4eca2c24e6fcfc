//! Synchronisation: a turn that is given up passes on, and nobody is left behind.

use async_lock::Mutex;
use std::num::NonZeroUsize;
use std::sync::Arc;
use wakeful::sim::{JoinHandle, Sim};
use wakeful::sync::{Barrier, CapacityLimiter, Condition, Event, Latch, Notify, Semaphore, WaitGroup, oneshot, watch};

crate::sweeps! {
    "sync::Acquire" => acquire,
    "sync::AcquireToken" => acquire_token,
    "sync::Wait" => wait,
    "sync::Notified" => notified,
    "sync::BarrierWait" => barrier_wait,
    "sync::ConditionWait" => condition_wait,
    "sync::Condition::wait_while" => wait_while,
    "sync::Recv" => recv,
    "sync::Closed" => closed,
    "sync::Changed" => changed,
    "sync::Receiver::wait_for" => wait_for,
}

/// Gives others so many turns.
async fn yield_often(sim: &Sim, turns: usize) {
    for _ in 0..turns {
        sim.yield_now().await;
    }
}

async fn acquire(sim: Sim) {
    let semaphore = Semaphore::new(2);
    let others = [1, 2, 2].map(|permits| {
        let (semaphore, task) = (semaphore.clone(), sim.clone());
        sim.spawn("holder", async move {
            let permit = semaphore.acquire_many(permits).await.unwrap();
            task.yield_now().await;
            assert_eq!(permit.count(), permits);
        })
    });
    sim.yield_now().await;
    if let Some(permit) = sim.cancel_at_each(semaphore.acquire_many(2)).await {
        assert_eq!((permit.unwrap().count(), semaphore.available()), (2, 0));
    }
    for other in others {
        other.await;
    }
    assert_eq!((semaphore.available(), semaphore.total()), (2, 2));
}

async fn acquire_token(sim: Sim) {
    let limiter = CapacityLimiter::new(1);
    let others = [1, 2].map(|who| {
        let (limiter, task) = (limiter.clone(), sim.clone());
        sim.spawn("borrower", async move {
            let _token = limiter.acquire(who).await.unwrap();
            assert_eq!(limiter.holders(), [who]);
            task.yield_now().await;
        })
    });
    sim.yield_now().await;
    if let Some(token) = sim.cancel_at_each(limiter.acquire(0)).await {
        assert_eq!((*token.unwrap().borrower(), limiter.holders()), (0, vec![0]));
    }
    assert!(!limiter.holders().contains(&0) && !limiter.waiters().contains(&0));
    for other in others {
        other.await;
    }
    drop(limiter.acquire(0).await.unwrap());
    assert_eq!((limiter.borrowed(), limiter.waiting()), (0, 0));
}

async fn wait(sim: Sim) {
    let (event, latch, group) = (Event::new(), Latch::new(1), WaitGroup::new());
    let others: Vec<JoinHandle<()>> = (0..2)
        .map(|_| {
            let (event, latch, group) = (event.clone(), latch.clone(), group.clone());
            sim.spawn("waits", async move {
                event.wait().await;
                latch.wait().await;
                group.wait().await;
            })
        })
        .collect();
    let (task, guard) = (sim.clone(), group.add());
    let (sets, opens) = (event.clone(), latch.clone());
    sim.spawn("lets go", async move {
        yield_often(&task, 2).await;
        sets.set();
        task.yield_now().await;
        opens.count_down();
        task.yield_now().await;
        drop(guard);
    });
    let wait = match sim.choose(3) {
        0 => event.wait(),
        1 => latch.wait(),
        _ => group.wait(),
    };
    let _ = sim.cancel_at_each(wait).await;
    for other in others {
        other.await;
    }
    assert!(event.is_set() && latch.is_open() && group.count() == 0);
}

/// Each letter is taken, though there is only one who takes them.
async fn notified(sim: Sim) {
    let (mail, arrived) = (Arc::new(std::sync::Mutex::new(0)), Notify::new());
    let reader = {
        let (mail, arrived) = (mail.clone(), arrived.clone());
        sim.spawn("reader", async move {
            let mut read = 0;
            while read < 3 {
                read += std::mem::take(&mut *mail.lock().unwrap());
                if read < 3 {
                    arrived.notified().await;
                }
            }
        })
    };
    let (task, signals) = (sim.clone(), arrived.clone());
    sim.spawn("writer", async move {
        for _ in 0..3 {
            yield_often(&task, 2).await;
            *mail.lock().unwrap() += 1;
            signals.notify_one();
        }
    });
    if sim.cancel_at_each(arrived.notified()).await.is_some() {
        arrived.notify_one();
    }
    reader.await;
}

async fn barrier_wait(sim: Sim) {
    let barrier = Barrier::new(NonZeroUsize::new(2).unwrap());
    let (task, other) = (sim.clone(), barrier.clone());
    let other = sim.spawn("other", async move {
        yield_often(&task, 2).await;
        other.wait().await.is_leader()
    });
    let arrived = sim.cancel_at_each(barrier.wait()).await;
    sim.idle().await;
    if !other.is_finished() {
        assert!(arrived.is_none(), "the other waits because this one was withdrawn");
        assert!(barrier.wait().await.is_leader());
        assert!(!other.await);
    } else if let Some(result) = arrived {
        assert_ne!(result.is_leader(), other.await);
    } else {
        assert!(other.await, "dropped when it had been let go");
    }
    assert_eq!(barrier.arrived(), 0);
}

/// Waits under a mutex until something is ready.
fn waiter(sim: &Sim, ready: &Arc<Mutex<bool>>, condition: &Condition) -> JoinHandle<()> {
    let (ready, condition) = (ready.clone(), condition.clone());
    sim.spawn("waiter", async move {
        let mut guard = ready.lock().await;
        while !*guard {
            guard = condition.wait(guard, || ready.lock()).await;
        }
    })
}

/// Makes it ready, and tells one.
fn notifier(sim: &Sim, ready: &Arc<Mutex<bool>>, condition: &Condition) {
    let (ready, condition, task) = (ready.clone(), condition.clone(), sim.clone());
    sim.spawn("notifier", async move {
        yield_often(&task, 3).await;
        let mut guard = ready.lock().await;
        *guard = true;
        condition.notify_one();
        task.yield_now().await;
    });
}

async fn condition_wait(sim: Sim) {
    let (ready, condition) = (Arc::new(Mutex::new(false)), Condition::new());
    let other = waiter(&sim, &ready, &condition);
    notifier(&sim, &ready, &condition);
    let guard = ready.lock().await;
    if !*guard {
        let waited = sim.cancel_at_each(condition.wait(guard, || ready.lock())).await;
        if waited.is_some_and(|guard| *guard) {
            condition.notify_one();
        }
    } else {
        drop(guard);
    }
    other.await;
    assert!(*ready.lock().await);
}

async fn wait_while(sim: Sim) {
    let (ready, condition) = (Arc::new(Mutex::new(false)), Condition::new());
    let other = waiter(&sim, &ready, &condition);
    notifier(&sim, &ready, &condition);
    let guard = ready.lock().await;
    let waited = sim.cancel_at_each(condition.wait_while(guard, |ready| !**ready, || ready.lock())).await;
    if let Some(guard) = waited {
        assert!(*guard);
        condition.notify_one();
    }
    other.await;
    assert!(*ready.lock().await);
}

async fn recv(sim: Sim) {
    let (tx, mut rx) = oneshot::channel();
    let task = sim.clone();
    sim.spawn("sender", async move {
        yield_often(&task, 3).await;
        tx.send(7).unwrap();
    });
    let first = sim.cancel_at_each(rx.recv()).await;
    match first {
        Some(received) => assert_eq!(received, Ok(7)),
        None => assert_eq!(rx.recv().await, Ok(7)),
    }
}

async fn closed(sim: Sim) {
    let (mut one, rx) = oneshot::channel::<u8>();
    let (many, watches) = watch::channel(0);
    let (task, other) = (sim.clone(), many.clone());
    sim.spawn("looks away", async move {
        yield_often(&task, 3).await;
        drop((rx, watches));
    });
    let other = sim.spawn("sender", async move { other.closed().await });
    if sim.choose(2) == 0 {
        let _ = sim.cancel_at_each(one.closed()).await;
    } else {
        let _ = sim.cancel_at_each(many.closed()).await;
    }
    one.closed().await;
    many.closed().await;
    other.await;
    assert!(one.is_closed() && many.is_closed());
}

/// Sends the numbers from 1 to 3.
fn counts(sim: &Sim, tx: watch::Sender<u32>) {
    let task = sim.clone();
    sim.spawn("sender", async move {
        for n in 1..4 {
            yield_often(&task, 2).await;
            tx.replace(n);
        }
    });
}

async fn changed(sim: Sim) {
    let (tx, mut rx) = watch::channel(0);
    counts(&sim, tx);
    let mut seen = vec![0];
    seen.extend(sim.cancel_at_each(rx.changed()).await.map(|value| *value.unwrap()));
    while let Ok(value) = rx.changed().await {
        seen.push(*value);
    }
    assert!(seen.is_sorted_by(|a, b| a < b) && seen.ends_with(&[3]), "{seen:?}");
}

async fn wait_for(sim: Sim) {
    let (tx, mut rx) = watch::channel(0);
    counts(&sim, tx);
    if let Some(value) = sim.cancel_at_each(rx.wait_for(|n| *n >= 2)).await {
        assert!(*value.unwrap() >= 2);
    }
    assert_eq!(*rx.wait_for(|n| *n == 3).await.unwrap(), 3);
    assert!(rx.wait_for(|n| *n > 3).await.is_err());
}

//! Synchronisation between tasks, alone and together with the mutexes that users are sent to.

use crate::support::{Counter, Cx, LONG, Log, Spawner, again, ms};
use futures::StreamExt;
use futures::future::join_all;
use std::future::Future;
use std::num::NonZeroUsize;
use std::ops::DerefMut;
use std::sync::Arc;
use wakeful::sync::{
    AcquireError, Barrier, CapacityLimiter, Condition, DoubleBorrow, Event, Latch, Notify, Semaphore, WaitGroup,
    oneshot, watch,
};

pub(crate) async fn a_semaphore_lets_only_so_many_in(cx: Cx<impl Spawner>) {
    let (semaphore, inside) = (Semaphore::new(2), Counter::new());
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let (semaphore, inside, time) = (semaphore.clone(), inside.clone(), cx.time.clone());
            cx.spawn("holder", async move {
                let _permit = semaphore.acquire().await.unwrap();
                inside.add();
                assert!(semaphore.available() < 2);
                time.sleep(ms(2)).await;
            })
        })
        .collect();
    join_all(tasks).await;
    assert_eq!((inside.count(), semaphore.available()), (6, 2));
    cx.assert_at(6);
}

pub(crate) async fn permits_come_in_the_order_in_which_they_were_asked_for(cx: Cx<impl Spawner>) {
    let (semaphore, log) = (Semaphore::new(3), Log::new());
    let held = semaphore.acquire_many(3).await.unwrap();
    let mut tasks = Vec::new();
    for (id, permits) in [(0, 3), (1, 1), (2, 2)] {
        let (semaphore, log) = (semaphore.clone(), log.clone());
        let asked = Event::new();
        let asks = asked.clone();
        tasks.push(cx.spawn("waiter", async move {
            let mut acquire = std::pin::pin!(semaphore.acquire_many(permits));
            assert!(futures::poll!(acquire.as_mut()).is_pending());
            asks.set();
            let _permit = acquire.await.unwrap();
            log.add(id);
            again().await;
        }));
        asked.wait().await;
    }
    assert!(semaphore.try_acquire().is_err());
    drop(held);
    join_all(tasks).await;
    // The last two are let in together, after the first.
    assert_eq!(log.entries()[0], 0);
}

pub(crate) async fn a_semaphore_that_shrinks_below_what_is_out_lets_in_as_many_as_it_has_then(cx: Cx<impl Spawner>) {
    let (semaphore, inside) = (Semaphore::new(3), Counter::new());
    let held = semaphore.acquire_many(3).await.unwrap();
    semaphore.set_total(1);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (semaphore, inside) = (semaphore.clone(), inside.clone());
            cx.spawn("holder", async move {
                let _permit = semaphore.acquire().await.unwrap();
                inside.add();
                again().await;
                assert!(semaphore.try_acquire().is_err(), "there is one permit, and it is out");
            })
        })
        .collect();
    again().await;
    drop(held);
    join_all(tasks).await;
    assert_eq!((inside.count(), semaphore.available(), semaphore.total()), (4, 1, 1));
    semaphore.set_total(3);
    assert_eq!(semaphore.acquire_many(3).await.unwrap().count(), 3);
}

pub(crate) async fn closing_a_semaphore_turns_away_who_waits(cx: Cx<impl Spawner>) {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire().await.unwrap();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let semaphore = semaphore.clone();
            cx.spawn("waiter", async move { semaphore.acquire().await.map(|permit| permit.count()) })
        })
        .collect();
    cx.sleep(2).await;
    semaphore.close();
    assert_eq!(join_all(tasks).await, [Err(AcquireError); 3]);
    drop(held);
    assert_eq!(semaphore.available(), 1);
}

pub(crate) async fn a_wait_for_a_permit_that_is_cut_short_takes_none(cx: Cx<impl Spawner>) {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire().await.unwrap();
    let scope = cx.scope();
    let cut = scope.move_on_after(ms(2), async |_| semaphore.acquire().await.map(|permit| permit.count())).await;
    assert!(cut.is_cancelled());
    drop(held);
    assert_eq!(semaphore.available(), 1);
    assert!(semaphore.try_acquire().is_ok());
}

pub(crate) async fn a_limiter_knows_who_holds_what(cx: Cx<impl Spawner>) {
    let limiter = CapacityLimiter::new(2);
    let tasks: Vec<_> = (0..6)
        .map(|id| {
            let (limiter, time) = (limiter.clone(), cx.time.clone());
            cx.spawn("borrower", async move {
                let token = limiter.acquire(id).await.unwrap();
                assert!(limiter.holders().contains(&id) && limiter.borrowed() <= 2);
                assert_eq!(limiter.acquire(id).await.unwrap_err(), DoubleBorrow(id));
                time.sleep(ms(2)).await;
                drop(token);
            })
        })
        .collect();
    join_all(tasks).await;
    assert_eq!((limiter.borrowed(), limiter.waiting()), (0, 0));
    cx.assert_at(6);
}

pub(crate) async fn an_event_lets_all_tasks_go(cx: Cx<impl Spawner>) {
    let (event, count) = (Event::new(), Counter::new());
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (event, count) = (event.clone(), count.clone());
            cx.spawn("waiter", async move {
                event.wait().await;
                count.add();
            })
        })
        .collect();
    cx.sleep(2).await;
    assert_eq!(count.count(), 0);
    event.set();
    join_all(tasks).await;
    assert_eq!(count.count(), 50);
    event.wait().await;
}

pub(crate) async fn signals_for_one_reach_as_many_as_there_are(cx: Cx<impl Spawner>) {
    let (notify, ready) = (Notify::new(), Latch::new(4));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (notify, ready) = (notify.clone(), ready.clone());
            cx.spawn("waiter", async move {
                let mut notified = std::pin::pin!(notify.notified());
                assert!(!notified.as_mut().enable());
                ready.count_down();
                notified.await;
            })
        })
        .collect();
    ready.wait().await;
    (0..4).for_each(|_| notify.notify_one());
    join_all(tasks).await;
    assert!(cx.scope().move_on_after(ms(2), async |_| notify.notified().await).await.is_cancelled(), "none was kept");
}

pub(crate) async fn tasks_meet_at_a_barrier_round_after_round(cx: Cx<impl Spawner>) {
    const ROUNDS: usize = 5;
    let (barrier, group) = (Barrier::new(NonZeroUsize::new(3).unwrap()), WaitGroup::new());
    let (leaders, turns) = (Counter::new(), Counter::new());
    for _ in 0..3 {
        let (barrier, guard, leaders, turns) = (barrier.clone(), group.add(), leaders.clone(), turns.clone());
        cx.spawn("worker", async move {
            let _guard = guard;
            for round in 0..ROUNDS {
                turns.add();
                if barrier.wait().await.is_leader() {
                    leaders.add();
                }
                assert!(turns.count() >= 3 * (round + 1));
            }
        });
    }
    group.wait().await;
    assert_eq!((leaders.count(), turns.count()), (ROUNDS, 3 * ROUNDS));
}

pub(crate) async fn an_arrival_that_is_cut_short_is_withdrawn(cx: Cx<impl Spawner>) {
    let barrier = Barrier::new(NonZeroUsize::new(2).unwrap());
    assert!(cx.scope().move_on_after(ms(2), async |_| barrier.wait().await).await.is_cancelled());
    let other = barrier.clone();
    let other = cx.spawn("other", async move { other.wait().await.is_leader() });
    cx.sleep(2).await;
    let leads = barrier.wait().await.is_leader();
    assert_ne!(leads, other.await);
}

pub(crate) async fn a_watcher_sees_the_latest_value(cx: Cx<impl Spawner>) {
    let (tx, mut rx) = watch::channel(0);
    let (asks, answer) = oneshot::channel();
    let sender = cx.spawn("sender", async move {
        for n in 1..=20 {
            tx.send(n).unwrap();
            again().await;
        }
        asks.send("done").unwrap();
    });
    let streamed = cx.spawn("streamed", rx.clone().into_stream().map(|value| *value).collect::<Vec<_>>());
    let mut last = 0;
    while let Ok(value) = rx.changed().await {
        assert!(*value > last);
        last = *value;
    }
    assert_eq!(last, 20);
    sender.await;
    let streamed = streamed.await;
    assert!(streamed.is_sorted_by(|a, b| a < b) && streamed.ends_with(&[20]), "{streamed:?}");
    let mut answer = answer;
    assert_eq!(answer.recv().await, Ok("done"));
}

/// Waits under a mutex until a number is reached, gives up on it once, and holds no lock then; the number is counted up by
/// other tasks under the same mutex.
async fn waits_with<M, G, L>(cx: Cx<impl Spawner>, mutex: M, lock: fn(&M) -> L)
where
    M: Clone + Send + Sync + 'static,
    G: DerefMut<Target = i32> + Send,
    L: Future<Output = G> + Send + 'static,
{
    let (changed, scope) = (Condition::new(), cx.scope());
    let cut = scope.move_on_after(ms(2), async |_| {
        let guard = lock(&mutex).await;
        changed.wait(guard, || lock(&mutex)).await;
    });
    assert!(cut.await.is_cancelled());
    *lock(&mutex).await += 1;
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let (mutex, changed) = (mutex.clone(), changed.clone());
            cx.spawn("counts", async move {
                *lock(&mutex).await += 1;
                changed.notify_one();
            })
        })
        .collect();
    let guard = lock(&mutex).await;
    let guard = changed.wait_while(guard, |n| **n < 4, || lock(&mutex)).await;
    assert_eq!(*guard, 4);
    drop(guard);
    join_all(tasks).await;
}

pub(crate) async fn a_condition_works_with_the_mutex_of_async_lock(cx: Cx<impl Spawner>) {
    let mutex = Arc::new(async_lock::Mutex::new(0));
    waits_with(cx, mutex, |mutex| mutex.lock_arc()).await;
}

pub(crate) async fn a_condition_works_with_the_mutex_of_tokio(cx: Cx<impl Spawner>) {
    let mutex = Arc::new(tokio::sync::Mutex::new(0));
    waits_with(cx, mutex, |mutex| mutex.clone().lock_owned()).await;
}

pub(crate) async fn a_condition_works_with_the_mutex_of_futures(cx: Cx<impl Spawner>) {
    let mutex = Arc::new(futures::lock::Mutex::new(0));
    waits_with(cx, mutex, |mutex| mutex.clone().lock_owned()).await;
}

pub(crate) async fn a_foreign_mutex_is_free_after_a_wait_for_it_was_cut_short(cx: Cx<impl Spawner>) {
    let mutex = Arc::new(async_lock::Mutex::new(0));
    let guard = mutex.lock().await;
    let waits = mutex.clone();
    let scope = cx.scope();
    let cut = scope.fail_after(ms(2), async |_| *waits.lock().await += 1).await;
    assert!(cut.is_err());
    let next = mutex.clone();
    let next = cx.spawn("next", async move { *next.lock().await += 10 });
    cx.sleep(1).await;
    drop(guard);
    next.await;
    // Inside a scope that is not cut short it is as anywhere.
    let scope = cx.scope();
    let seen = scope.fail_after(LONG, async |s| {
        let guard = mutex.lock().await;
        s.sleep(ms(1)).await;
        *guard
    });
    assert_eq!(seen.await.unwrap(), 10);
}

pub(crate) async fn a_foreign_read_write_lock_is_free_after_a_cancelled_writer(cx: Cx<impl Spawner>) {
    let lock = Arc::new(async_lock::RwLock::new(0));
    let reader = lock.read().await;
    let scope = cx.scope();
    assert!(scope.move_on_after(ms(2), async |_| *lock.write().await += 1).await.is_cancelled());
    assert_eq!(*lock.read().await, 0, "no writer is waited for any more");
    drop(reader);
    *lock.write().await += 2;
    assert_eq!(*lock.read().await, 2);
}

pub(crate) async fn a_foreign_once_cell_is_filled_by_the_next_after_a_cancelled_one(cx: Cx<impl Spawner>) {
    let cell = Arc::new(async_lock::OnceCell::new());
    let scope = cx.scope();
    let slow = async {
        cx.sleep(1000).await;
        1
    };
    assert!(scope.move_on_after(ms(2), async |_| *cell.get_or_init(|| slow).await).await.is_cancelled());
    assert_eq!(*cell.get_or_init(|| async { 2 }).await, 2);
}

pub(crate) async fn a_foreign_event_is_waited_for_in_a_scope(cx: Cx<impl Spawner>) {
    let event = Arc::new(event_listener::Event::new());
    let scope = cx.scope();
    assert!(scope.move_on_after(ms(2), async |_| event.listen().await).await.is_cancelled());
    assert_eq!(event.total_listeners(), 0, "the wait that was cut short is gone");
    let tells = event.clone();
    let listener = event.listen();
    let other = cx.spawn("tells", async move { tells.notify(1) });
    scope.fail_after(LONG, async |_| listener.await).await.unwrap();
    other.await;
}

pub(crate) async fn a_foreign_channel_loses_nothing_to_a_receive_that_is_cut_short(cx: Cx<impl Spawner>) {
    let (tx, rx) = async_channel::bounded(1);
    let scope = cx.scope();
    let sender = {
        let time = cx.time.clone();
        cx.spawn("sender", async move {
            for n in 0..10 {
                time.sleep(ms(3)).await;
                tx.send(n).await.unwrap();
            }
        })
    };
    let mut got = Vec::new();
    loop {
        match scope.move_on_after(ms(2), async |_| rx.recv().await).await.done() {
            Some(Ok(n)) => got.push(n),
            Some(Err(async_channel::RecvError)) => break,
            None => {}
        }
    }
    assert!(got.into_iter().eq(0..10));
    sender.await;
}

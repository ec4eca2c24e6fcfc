//! Sleeping until an instant.

use crate::support::{Counter, Cx, LONG, Log, Spawner, again, ms, poll, waker};
use std::pin::pin;
use std::task::Poll;

pub(crate) async fn a_sleep_is_never_early(cx: Cx<impl Spawner>) {
    for millis in [1, 3, 7] {
        let before = cx.time.now();
        cx.sleep(millis).await;
        assert!(cx.time.now() - before >= ms(millis));
    }
    cx.assert_at(11);
}

pub(crate) async fn a_sleep_of_zero_is_ready_at_once(cx: Cx<impl Spawner>) {
    let waker = Counter::new().waker();
    assert!(poll(pin!(cx.sleep(0)), &waker).is_ready());
    assert!(poll(pin!(cx.time.sleep_until(cx.start)), &waker).is_ready());
    assert_eq!(cx.time.pending(), 0);
}

pub(crate) async fn sleeps_that_are_due_together_end_in_the_order_of_their_first_polls(cx: Cx<impl Spawner>) {
    let log = Log::new();
    let mut sleeps: Vec<_> = (0..20).map(|_| Box::pin(cx.time.sleep_until(cx.at(4)))).collect();
    for (n, sleep) in sleeps.iter_mut().enumerate() {
        let log = log.clone();
        assert!(poll(sleep.as_mut(), &waker(move || log.add(n))).is_pending() || cx.time.now() >= cx.at(4));
    }
    cx.sleep(5).await;
    cx.assert_at(5);
    assert!(log.entries().is_sorted());
    assert!(sleeps.iter().all(|sleep| sleep.is_elapsed()));
}

pub(crate) async fn the_earlier_deadline_comes_first_whoever_registered_first(cx: Cx<impl Spawner>) {
    let log = Log::new();
    let mut sleeps: Vec<_> = [9, 3, 6].into_iter().map(|n| (n, Box::pin(cx.time.sleep(LONG)))).collect();
    for (n, sleep) in &mut sleeps {
        let (log, n) = (log.clone(), *n);
        assert!(poll(sleep.as_mut(), &waker(move || log.add(n))).is_pending());
    }
    for (n, sleep) in &mut sleeps {
        sleep.as_mut().reset(cx.at(*n));
    }
    let all_in_time = cx.time.now() < cx.at(3);
    cx.sleep(10).await;
    if all_in_time {
        assert_eq!(log.entries(), [3, 6, 9]);
    }
    assert_eq!(log.entries().len(), 3);
}

pub(crate) async fn a_sleep_that_is_reset_earlier_ends_then(cx: Cx<impl Spawner>) {
    let mut sleep = Box::pin(cx.time.sleep(LONG));
    assert_eq!(poll(sleep.as_mut(), &Counter::new().waker()), Poll::Pending);
    sleep.as_mut().reset(cx.at(3));
    sleep.as_mut().await;
    cx.assert_at(3);

    let mut sleep = Box::pin(cx.time.sleep(LONG));
    let count = Counter::new();
    assert_eq!(poll(sleep.as_mut(), &count.waker()), Poll::Pending);
    sleep.as_mut().reset(cx.at(5));
    cx.sleep(6).await;
    assert_eq!(count.count(), 1, "woken without another poll");
}

pub(crate) async fn a_sleep_that_is_reset_later_ends_then(cx: Cx<impl Spawner>) {
    let mut sleep = Box::pin(cx.time.sleep_until(cx.at(3)));
    let _ = poll(sleep.as_mut(), &Counter::new().waker());
    sleep.as_mut().reset(cx.at(8));
    sleep.as_mut().await;
    cx.assert_at(8);
    assert_eq!(cx.time.pending(), 0);
}

pub(crate) async fn a_sleep_that_has_ended_can_be_reset(cx: Cx<impl Spawner>) {
    let mut sleep = Box::pin(cx.sleep(2));
    sleep.as_mut().await;
    assert!(sleep.is_elapsed());
    sleep.as_mut().await;
    cx.assert_at(2);
    sleep.as_mut().reset(cx.at(5));
    assert!(!sleep.is_elapsed());
    sleep.as_mut().await;
    cx.assert_at(5);
}

pub(crate) async fn a_dropped_sleep_leaves_the_queue_and_drops_its_waker(cx: Cx<impl Spawner>) {
    let count = Counter::new();
    let guard = count.on_drop();
    let waker = waker(move || {
        let _ = &guard;
    });
    let mut sleep = Box::pin(cx.time.sleep(LONG));
    assert!(poll(sleep.as_mut(), &waker).is_pending());
    drop(waker);
    assert_eq!((cx.time.pending(), count.count()), (1, 0), "the sleep keeps it");
    drop(sleep);
    assert_eq!((cx.time.pending(), count.count()), (0, 1));
}

pub(crate) async fn the_last_waker_is_the_one_that_is_woken(cx: Cx<impl Spawner>) {
    let (first, second) = (Counter::new(), Counter::new());
    let mut sleep = Box::pin(cx.time.sleep(LONG));
    assert!(poll(sleep.as_mut(), &first.waker()).is_pending());
    assert!(poll(sleep.as_mut(), &second.waker()).is_pending());
    sleep.as_mut().reset(cx.at(2));
    cx.sleep(3).await;
    again().await;
    assert_eq!((first.count(), second.count()), (0, 1));
}

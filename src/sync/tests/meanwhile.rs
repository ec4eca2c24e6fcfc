//! What comes while a future is being polled.

use super::*;
use crate::sync::{Barrier, CapacityLimiter, Condition, Event, Latch, Notify, Semaphore, WaitGroup, oneshot, watch};
use core::num::NonZeroUsize;

/// What a future comes to that waits, and is let go while it is polled again.
#[track_caller]
fn waiting<F: Future>(future: F, let_go: impl Fn() + Send + Sync + 'static) -> F::Output {
    let mut task = Task::waiting(future);
    let polled = task.poll_meanwhile(let_go);
    assert_eq!(task.wakes(), 1, "it was in line");
    match polled {
        Ready(output) => output,
        Pending => panic!("left waiting"),
    }
}

/// What a future comes to for which that is done for which it would have to wait, while it is polled for the first time.
#[track_caller]
fn coming<F: Future>(future: F, let_go: impl Fn() + Send + Sync + 'static) -> F::Output {
    match Task::new(future).poll_meanwhile(let_go) {
        Ready(output) => output,
        Pending => panic!("left waiting"),
    }
}

#[test]
fn permits_and_tokens_that_come_while_one_is_polled_are_theirs() {
    let semaphore = Semaphore::new(0);
    let adds = || {
        let semaphore = semaphore.clone();
        move || semaphore.add_permits(2)
    };
    waiting(semaphore.acquire_many(2), adds()).unwrap().forget();
    coming(semaphore.acquire_many(2), adds()).unwrap().forget();
    let closes = semaphore.clone();
    assert!(waiting(semaphore.acquire(), move || closes.close()).is_err());
    assert_eq!((semaphore.available(), semaphore.waiting()), (0, 0));
    let limiter = CapacityLimiter::new(0);
    let grows = || {
        let limiter = limiter.clone();
        move || limiter.set_total(1)
    };
    drop(waiting(limiter.acquire(1), grows()).unwrap());
    limiter.set_total(0);
    drop(coming(limiter.acquire(1), grows()).unwrap());
    assert_eq!((limiter.borrowed(), limiter.waiting()), (0, 0));
}

#[test]
fn gates_that_open_while_one_is_polled_are_open() {
    let event = Event::new();
    let sets = || {
        let event = event.clone();
        move || event.set()
    };
    waiting(event.wait(), sets());
    event.reset();
    coming(event.wait(), sets());
    event.reset();
    let passes = event.clone();
    let sets_and_resets = move || {
        passes.set();
        passes.reset();
    };
    waiting(event.wait(), sets_and_resets);
    let latch = Latch::new(1);
    let opens = latch.clone();
    coming(latch.wait(), move || opens.count_down());
    let group = WaitGroup::new();
    let guard = crate::sys::Lock::new(Some(group.add()));
    waiting(group.wait(), move || drop(guard.with(Option::take)));
}

#[test]
fn signals_that_come_while_one_is_polled_are_heard_and_not_kept() {
    let (notify, condition) = (Notify::new(), Condition::new());
    let (one, all) = (notify.clone(), notify.clone());
    waiting(notify.notified(), move || one.notify_one());
    assert!(waits(notify.notified()), "it was taken");
    waiting(notify.notified(), move || all.notify_all());
    let (one, all) = (notify.clone(), notify.clone());
    coming(notify.notified(), move || one.notify_one());
    assert!(waits(notify.notified()), "it was taken");
    coming(notify.notified(), move || all.notify_all());
    assert!(waits(notify.notified()));
    let notifies = condition.clone();
    waiting(condition.wait((), || core::future::ready(())), move || notifies.notify_one());
}

#[test]
fn an_arrival_while_one_is_polled_completes_the_round() {
    let barrier = Barrier::new(NonZeroUsize::new(2).unwrap());
    let arrives = || {
        let barrier = barrier.clone();
        move || assert!(Task::new(barrier.wait()).poll().is_ready())
    };
    assert!(!waiting(barrier.wait(), arrives()).is_leader());
    let other = crate::sys::Lock::new(None);
    let leaked: &'static Barrier = Box::leak(Box::new(barrier.clone()));
    let comes_first = move || {
        let first = Task::waiting(leaked.wait());
        other.with(|other| *other = Some(first));
    };
    assert!(coming(barrier.wait(), comes_first).is_leader());
    assert_eq!(barrier.arrived(), 0);
}

#[test]
fn values_that_are_sent_while_one_is_polled_are_received() {
    let sends = |tx| {
        let tx = crate::sys::Lock::new(Some(tx));
        move || {
            if let Some(tx) = tx.with(Option::take) {
                oneshot::Sender::send(tx, 7).unwrap();
            }
        }
    };
    let (tx, mut rx) = oneshot::channel();
    assert_eq!(waiting(rx.recv(), sends(tx)), Ok(7));
    let (tx, mut rx) = oneshot::channel();
    assert_eq!(coming(rx.recv(), sends(tx)), Ok(7));
    let (tx, mut rx) = watch::channel(0);
    let tx = Arc::new(tx);
    for n in 1..3 {
        let sends = tx.clone();
        let sends = move || sends.send(n).unwrap();
        let seen = if n == 1 { waiting(rx.changed(), sends) } else { coming(rx.changed(), sends) };
        assert_eq!(*seen.unwrap(), n);
    }
    let looks_away = crate::sys::Lock::new(Some(rx));
    waiting(tx.closed(), move || drop(looks_away.with(Option::take)));
}

use super::*;
use crate::sync::{oneshot, watch};
use core::cell::Cell;
use oneshot::TryRecvError;

/// Enters a channel when it is dropped.
struct Enters(Box<dyn Fn() + Send + Sync>);

impl Drop for Enters {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn one_value_is_sent_and_received_once() {
    let (tx, mut rx) = oneshot::channel();
    let waits = Task::waiting(rx.recv());
    tx.send(1).unwrap();
    assert_eq!(waits.woken(), Ok(1));
    assert_eq!(now(rx.recv()), Err(oneshot::RecvError));
    assert_eq!(rx.try_recv(), Err(TryRecvError::from(oneshot::RecvError)));
}

#[test]
fn a_receive_that_is_dropped_loses_nothing() {
    let (tx, mut rx) = oneshot::channel();
    let waits = Task::waiting(rx.recv());
    tx.send(1).unwrap();
    assert_eq!(waits.wakes(), 1);
    drop(waits);
    assert_eq!(now(rx.recv()), Ok(1));
}

#[test]
fn a_sender_that_is_dropped_ends_the_wait() {
    let (tx, mut rx) = oneshot::channel::<u8>();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let waits = Task::waiting(rx.recv());
    drop(tx);
    assert_eq!(waits.woken(), Err(oneshot::RecvError));
}

#[test]
fn a_receiver_that_is_dropped_gives_the_value_back_and_wakes_the_sender() {
    let (mut tx, mut rx) = oneshot::channel();
    let waits = Task::waiting(tx.closed());
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    drop(Task::waiting(rx.recv()));
    drop(rx);
    waits.woken();
    assert!(tx.is_closed());
    assert_eq!(tx.send(5).unwrap_err().into_inner(), 5);
}

#[test]
fn a_closed_receiver_receives_what_was_sent_before() {
    let (tx, mut rx) = oneshot::channel();
    tx.send(1).unwrap();
    rx.close();
    assert_eq!(now(rx.recv()), Ok(1));
    let (tx, mut rx) = oneshot::channel();
    rx.close();
    assert_eq!(tx.send(1), Err(oneshot::SendError(1)));
    assert_eq!(now(rx.recv()), Err(oneshot::RecvError));
}

#[test]
fn of_a_receiver_s_wakers_the_last_is_woken_and_none_is_kept() {
    let (tx, mut rx) = oneshot::channel();
    let wakers = [counter(), counter()];
    let mut recv = Box::pin(rx.recv());
    for (_, waker) in wakers.iter().chain(&wakers[1..]) {
        assert!(recv.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    tx.send(1).unwrap();
    let wakes = wakers.map(|(wakes, waker)| {
        drop(waker);
        assert_eq!(Arc::strong_count(&wakes), 1);
        wakes.load(Ordering::Relaxed)
    });
    assert_eq!((wakes, now(recv)), ([0, 1], Ok(1)));
}

#[test]
fn what_waits_that_were_leaked_have_left_goes_with_the_channel() {
    for sender_first in [true, false] {
        let (mut tx, mut rx) = oneshot::channel::<u8>();
        let [receives, sends] = [counter(), counter()];
        let mut recv = Box::pin(rx.recv());
        assert!(recv.as_mut().poll(&mut Context::from_waker(&receives.1)).is_pending());
        core::mem::forget(recv);
        let mut closed = Box::pin(tx.closed());
        assert!(closed.as_mut().poll(&mut Context::from_waker(&sends.1)).is_pending());
        core::mem::forget(closed);
        match sender_first {
            true => drop((tx, rx)),
            false => drop((rx, tx)),
        }
        for (wakes, waker) in [receives, sends] {
            drop(waker);
            assert_eq!(Arc::strong_count(&wakes), 1);
        }
    }
}

#[cfg(all(test, feature = "std"))]
#[test]
fn a_waker_whose_drop_panics_keeps_nobody_from_being_told() {
    let (mut tx, mut rx) = oneshot::channel::<u8>();
    let waits = Task::waiting(rx.recv());
    let mut closed = Box::pin(tx.closed());
    let gone = AtomicUsize::new(0);
    // The clone that was made for the wait is the last.
    let waker = hooked(move |act| {
        if act == Act::Drop && gone.fetch_add(1, Ordering::Relaxed) == 1 {
            panic!("a waker whose drop panics");
        }
    });
    assert!(closed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    core::mem::forget(closed);
    drop(tx);
    assert_eq!(waits.woken(), Err(oneshot::RecvError));
}

#[test]
fn a_value_nobody_received_is_dropped_outside_the_lock() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (tx, rx) = oneshot::channel();
    let counts = dropped.clone();
    let value = Enters(Box::new(move || {
        counts.fetch_add(1, Ordering::Relaxed);
    }));
    assert!(tx.send(value).is_ok());
    drop(rx);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn the_latest_value_is_seen_and_those_between_are_not() {
    let (tx, mut rx) = watch::channel(0);
    assert!(!rx.has_changed());
    let waits = Task::waiting(rx.changed());
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    assert_eq!(waits.wakes(), 1);
    assert_eq!(*waits.woken().unwrap(), 2);
    assert!(!rx.has_changed() && waits_on(&mut rx));
    assert_eq!((*rx.latest(), *tx.latest()), (2, 2));
}

fn waits_on(rx: &mut watch::Receiver<i32>) -> bool {
    waits(rx.changed())
}

#[test]
fn each_receiver_remembers_what_it_has_seen() {
    let (tx, mut rx) = watch::channel(0);
    tx.send(1).unwrap();
    let mut clone = rx.clone();
    let mut late = tx.subscribe();
    assert_eq!(*rx.see(), 1);
    assert!(!rx.has_changed() && clone.has_changed() && !late.has_changed());
    assert_eq!(*now(clone.changed()).unwrap(), 1);
    assert!(waits_on(&mut late));
    assert_eq!(tx.receivers(), 3);
}

#[test]
fn a_wait_that_is_dropped_after_it_was_told_sees_nothing() {
    let (tx, mut rx) = watch::channel(0);
    let waits = Task::waiting(rx.changed());
    tx.send(1).unwrap();
    assert_eq!(waits.wakes(), 1);
    drop(waits);
    assert_eq!(*now(rx.changed()).unwrap(), 1);
}

#[test]
fn the_last_sender_gone_ends_the_waits_after_the_latest_value() {
    let (tx, mut rx) = watch::channel(0);
    let mut other = rx.clone();
    let waits = Task::waiting(other.changed());
    let second = tx.clone();
    assert!(tx.same(&second));
    drop(tx);
    assert_eq!(waits.wakes(), 0);
    second.send(1).unwrap();
    drop(second);
    assert_eq!(*waits.woken().unwrap(), 1);
    assert_eq!(*now(rx.changed()).unwrap(), 1);
    assert_eq!(now(rx.changed()).unwrap_err(), watch::RecvError);
    assert_eq!(*rx.latest(), 1);
}

#[test]
fn the_last_receiver_gone_wakes_the_sender_which_may_have_others() {
    let (tx, rx) = watch::channel(0);
    let second = rx.clone();
    assert!(rx.same(&second));
    let closed = Task::waiting(tx.closed());
    drop(rx);
    assert_eq!(closed.wakes(), 0);
    drop(second);
    closed.woken();
    assert!(tx.is_closed());
    assert_eq!(tx.send(1).unwrap_err().into_inner(), 1);
    assert_eq!(*tx.replace(2), 0);
    let rx = tx.subscribe();
    assert!(!tx.is_closed() && !rx.has_changed());
    tx.send(3).unwrap();
    assert_eq!(*rx.latest(), 3);
}

#[test]
fn all_who_waited_when_the_last_receiver_was_gone_go_on_though_another_comes_and_nobody_who_came_later() {
    let (tx, rx) = watch::channel(0);
    let tx: &'static watch::Sender<u8> = Box::leak(Box::new(tx));
    let late = Arc::new(crate::sys::Lock::new(None));
    let comes = {
        let late = late.clone();
        move || {
            let rx = tx.subscribe();
            let waits = Task::waiting(tx.closed());
            late.with(|late| *late = Some((rx, waits)));
        }
    };
    let mut first = Box::pin(tx.closed());
    assert!(poll_with(first.as_mut(), comes).is_pending());
    let rest: Vec<_> = (0..100).map(|_| Task::waiting(tx.closed())).collect();
    drop(rx);
    rest.into_iter().for_each(Task::woken);
    let (rx, waits) = late.with(Option::take).expect("the first was woken");
    assert_eq!((tx.receivers(), waits.wakes()), (1, 0));
    drop(rx);
    waits.woken();
}

#[test]
fn a_change_of_the_latest_value_loses_no_other() {
    let (tx, rx) = watch::channel(1);
    let (other, calls) = (tx.clone(), Cell::new(0));
    let before = tx.update(|n| {
        if calls.replace(calls.get() + 1) == 0 {
            other.send(10).unwrap();
        }
        Some(n + 1)
    });
    assert_eq!((before.as_deref(), *rx.latest(), calls.get()), (Some(&10), 11, 2));
    assert!(tx.update(|_| None).is_none());
}

#[test]
fn waiting_for_a_value_looks_at_the_latest_first() {
    let (tx, mut rx) = watch::channel(5);
    assert_eq!(*now(rx.wait_for(|n| *n == 5)).unwrap(), 5);
    let mut large = Task::waiting(rx.wait_for(|n| *n > 10));
    tx.send(7).unwrap();
    assert!(large.poll().is_pending());
    tx.send(11).unwrap();
    assert_eq!(*large.woken().unwrap(), 11);
    drop(tx);
    assert_eq!(now(rx.wait_for(|n| *n > 20)).unwrap_err(), watch::RecvError);
    assert_eq!(*now(rx.wait_for(|n| *n > 10)).unwrap(), 11);
}

#[test]
fn a_snapshot_outlives_the_value_s_time_and_gives_it_away() {
    let (tx, rx) = watch::channel("old");
    let old = rx.latest();
    assert!(old.same(&rx.latest()));
    let old = old.try_into_inner().unwrap_err();
    drop(tx.replace("new"));
    assert!(!old.same(&rx.latest()));
    assert_eq!(old.as_ref(), &"old");
    assert_eq!(old.try_into_inner().ok(), Some("old"));
}

#[test]
fn values_are_dropped_outside_the_lock_and_wakers_may_enter() {
    let (tx, mut rx) = watch::channel(None);
    let (enters, sends) = (rx.clone(), tx.clone());
    tx.replace(Some(Enters(Box::new(move || drop(enters.latest())))));
    rx.see();
    let mut waits = Box::pin(rx.changed());
    assert!(poll_with(waits.as_mut(), move || drop(sends.replace(None))).is_pending());
    assert!(tx.send(None).is_ok());
    assert!(poll_with(waits.as_mut(), || {}).is_ready());
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_a_value() {
    let (tx, rx) = watch::channel(0);
    let receivers: Vec<_> = (0..101).map(|_| Cell::new(Some(rx.clone()))).collect();
    let next = Cell::new(0);
    let wait = || {
        let mut rx = receivers[next.replace(next.get() + 1)].take().unwrap();
        async move { rx.changed().await.map(|value| *value) }
    };
    assert!(a_waker_that_panics_leaves_nobody_asleep(wait, || tx.send(1).unwrap()));
}

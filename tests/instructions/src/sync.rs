//! Primitives of which nobody else makes use at that moment.

use crate::TIMES;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wakeful::sync::{Event, Notify, Semaphore, oneshot};

/// A permit is acquired by a future that is ready at its first poll, and given back.
#[inline(never)]
pub fn semaphore_pair() {
    let semaphore = Semaphore::new(2);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        let Poll::Ready(Ok(permit)) = pin!(semaphore.acquire()).poll(&mut cx) else { panic!("there are permits") };
        drop(permit);
    }
}

/// A permit is taken without waiting, and given back.
#[inline(never)]
pub fn semaphore_try_pair() {
    let semaphore = Semaphore::new(2);
    for _ in 0..TIMES {
        drop(black_box(semaphore.try_acquire().unwrap()));
    }
}

/// A permit is given back to one who waits for it, and who gives it back.
#[inline(never)]
pub fn semaphore_hand_over() {
    let semaphore = Semaphore::new(1);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        let held = semaphore.try_acquire().unwrap();
        let mut acquire = pin!(semaphore.acquire());
        assert!(acquire.as_mut().poll(&mut cx).is_pending());
        drop(black_box(held));
        assert!(matches!(black_box(acquire.poll(&mut cx)), Poll::Ready(Ok(_))));
    }
}

/// One waits, the event is set, it goes on, and the event is reset.
#[inline(never)]
pub fn event_cycle() {
    let event = Event::new();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        let mut wait = pin!(event.wait());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        event.set();
        assert!(wait.as_mut().poll(&mut cx).is_ready());
        event.reset();
    }
}

/// Nobody waits.
#[inline(never)]
pub fn notify_one_idle() {
    let notify = Notify::new();
    for _ in 0..TIMES {
        black_box(&notify).notify_one();
    }
}

/// One waits, is notified, and goes on.
#[inline(never)]
pub fn notify_cycle() {
    let notify = Notify::new();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        let mut notified = pin!(notify.notified());
        assert!(notified.as_mut().poll(&mut cx).is_pending());
        notify.notify_one();
        assert!(notified.as_mut().poll(&mut cx).is_ready());
    }
}

/// A channel is made, one waits, the value is sent and received, and both ends go.
#[inline(never)]
pub fn one_value() {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..TIMES {
        let (tx, mut rx) = oneshot::channel();
        let mut recv = pin!(rx.recv());
        assert!(recv.as_mut().poll(&mut cx).is_pending());
        tx.send(black_box(1)).unwrap();
        assert!(recv.poll(&mut cx).is_ready());
    }
}

//! Queues of which nobody else makes use at that moment.

use crate::TIMES;
use std::future::Future;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use wakeful::queue::{self, Lane};

const CAPACITY: NonZeroUsize = NonZeroUsize::new(128).unwrap();

/// An item is sent and received, both without waiting.
#[inline(never)]
pub fn try_pair() {
    let (tx, rx) = queue::bounded(CAPACITY);
    for n in 0..TIMES {
        tx.try_send(black_box(n)).unwrap();
        black_box(rx.try_recv().unwrap());
    }
}

/// There is no room.
#[inline(never)]
pub fn try_send_full() {
    let (tx, _rx) = queue::bounded(NonZeroUsize::MIN);
    tx.try_send(0).unwrap();
    for n in 0..TIMES {
        black_box(tx.try_send(black_box(n)).unwrap_err());
    }
}

/// There is no item.
#[inline(never)]
pub fn try_recv_empty() {
    let (_tx, rx) = queue::bounded::<usize>(CAPACITY);
    for _ in 0..TIMES {
        black_box(rx.try_recv().unwrap_err());
    }
}

/// An item is sent and received by futures that are ready at their first poll.
#[inline(never)]
pub fn async_pair() {
    let (tx, rx) = queue::bounded(CAPACITY);
    let mut cx = Context::from_waker(Waker::noop());
    for n in 0..TIMES {
        assert!(matches!(pin!(tx.send(black_box(n))).poll(&mut cx), Poll::Ready(Ok(()))));
        assert!(matches!(black_box(pin!(rx.recv()).poll(&mut cx)), Poll::Ready(Ok(_))));
    }
}

/// A receive waits, a send wakes it, and it takes the item.
#[inline(never)]
pub fn block_wake_recv() {
    let (tx, rx) = queue::bounded(CAPACITY);
    let mut cx = Context::from_waker(Waker::noop());
    for n in 0..TIMES {
        let mut recv = pin!(rx.recv());
        assert!(recv.as_mut().poll(&mut cx).is_pending());
        tx.try_send(black_box(n)).unwrap();
        assert!(matches!(black_box(recv.poll(&mut cx)), Poll::Ready(Ok(_))));
    }
}

/// A producer and a consumer take turns at capacity 1: each item is waited for by both.
#[inline(never)]
pub fn hand_over() {
    let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
    let mut cx = Context::from_waker(Waker::noop());
    let mut produce = pin!(async {
        for n in 0..TIMES {
            tx.send(black_box(n)).await.unwrap();
        }
    });
    let mut consume = pin!(async {
        for _ in 0..TIMES {
            black_box(rx.recv().await.unwrap());
        }
    });
    while consume.as_mut().poll(&mut cx).is_pending() {
        let _ = produce.as_mut().poll(&mut cx);
    }
}

/// An item is sent and received where 64 that are less urgent stay, seven times of eight; else one like them.
#[inline(never)]
pub fn priority_pair() {
    let (tx, rx) = queue::priority(queue::UNBOUNDED);
    for n in 0..TIMES + 64 {
        tx.try_send((if n < 64 { 7 } else { n % 8 }, black_box(n))).unwrap();
        if n >= 64 {
            black_box(rx.try_recv().unwrap());
        }
    }
}

/// The same, of eight lanes.
#[inline(never)]
pub fn lanes_pair() {
    let (tx, rx) = queue::lanes::<(Lane<8>, usize), 8>(queue::UNBOUNDED);
    for n in 0..TIMES + 64 {
        let lane = Lane::new(if n < 64 { 7 } else { n % 8 }).unwrap();
        tx.try_send((lane, black_box(n))).unwrap();
        if n >= 64 {
            black_box(rx.try_recv().unwrap());
        }
    }
}

/// A send waits, a receive takes its value and wakes it.
#[inline(never)]
pub fn meet() {
    let (tx, rx) = queue::rendezvous();
    let mut cx = Context::from_waker(Waker::noop());
    for n in 0..TIMES {
        let mut send = pin!(tx.send(black_box(n)));
        assert!(send.as_mut().poll(&mut cx).is_pending());
        black_box(rx.try_recv().unwrap());
        assert!(matches!(send.poll(&mut cx), Poll::Ready(Ok(()))));
    }
}

/// A send waits, and is dropped.
#[inline(never)]
pub fn drop_waiting() {
    let (tx, _rx) = queue::bounded(NonZeroUsize::MIN);
    tx.try_send(0).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    for n in 0..TIMES {
        assert!(pin!(tx.send(black_box(n))).poll(&mut cx).is_pending());
    }
}

/// A hundred items are sent and received at once.
#[inline(never)]
pub fn batch() {
    const BATCH: usize = 100;
    let (tx, rx) = queue::bounded(CAPACITY);
    let (mut sends, mut receives) = ((0..BATCH).collect(), Vec::new());
    for _ in 0..TIMES {
        assert_eq!(tx.try_send_many(&mut sends), Ok(BATCH));
        assert_eq!(rx.try_recv_many(&mut receives, BATCH), Ok(BATCH));
        sends.extend(receives.drain(..));
    }
}

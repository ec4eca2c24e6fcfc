//! asyncband: `Semaphore`, `ManualResetEvent`, `Barrier`, `oneshot` and `watch`.

use std::pin::pin;

use ::asyncband::barrier::Barrier;
use ::asyncband::event::ManualResetEvent;
use ::asyncband::semaphore::Semaphore;
use ::asyncband::{oneshot, watch};

use super::workloads;
use crate::support::poll_once;

pub fn semaphore_pair() -> f64 {
    let semaphore = Semaphore::new(2);
    workloads::pair(|| semaphore.acquire(1))
}

pub fn semaphore_contended() -> f64 {
    let semaphore = Semaphore::new(2);
    workloads::contended(|| semaphore.acquire(1))
}

pub fn semaphore_share() -> f64 {
    let semaphore = Semaphore::new(2);
    workloads::share(|| semaphore.acquire(1))
}

pub fn semaphore_hog() -> f64 {
    let semaphore = Semaphore::new(1);
    workloads::hog(|| semaphore.acquire(1))
}

pub fn event_cycle() -> f64 {
    let event = ManualResetEvent::new();
    workloads::cycle(
        || {
            event.reset();
            event.wait()
        },
        || event.set(),
    )
}

pub fn wake_10000() -> f64 {
    let event = ManualResetEvent::new();
    workloads::wake_many(|| event.wait(), || event.set())
}

pub fn oneshot() -> f64 {
    workloads::repeat(|| {
        let (tx, rx) = oneshot::channel();
        let mut recv = pin!(rx.into_future());
        assert!(poll_once(recv.as_mut()).is_pending());
        tx.send(1).expect("there is a receiver");
        assert!(poll_once(recv).is_ready());
    })
}

pub fn watch() -> f64 {
    let (tx, mut rx) = watch::channel(0);
    workloads::repeat(|| {
        let mut recv = pin!(rx.recv());
        assert!(poll_once(recv.as_mut()).is_pending());
        tx.send(1).expect("there is a receiver");
        assert!(poll_once(recv).is_ready());
    })
}

pub fn barrier() -> f64 {
    let barrier = Barrier::new(2);
    workloads::meet(|| barrier.wait())
}

//! tokio: `Semaphore` and `Notify`, which are futures like any outside its runtime too.

use std::pin::pin;

use ::tokio::sync::{Barrier, Notify, Semaphore, oneshot, watch};

use super::workloads;
use crate::support::poll_once;

pub fn semaphore_pair() -> f64 {
    let semaphore = Semaphore::new(2);
    workloads::pair(|| semaphore.acquire())
}

pub fn semaphore_contended() -> f64 {
    let semaphore = Semaphore::new(2);
    workloads::contended(|| semaphore.acquire())
}

pub fn semaphore_share() -> f64 {
    let semaphore = Semaphore::new(2);
    workloads::share(|| semaphore.acquire())
}

pub fn semaphore_hog() -> f64 {
    let semaphore = Semaphore::new(1);
    workloads::hog(|| semaphore.acquire())
}

pub fn event_cycle() -> f64 {
    let notify = Notify::new();
    workloads::cycle(|| notify.notified(), || notify.notify_waiters())
}

pub fn notify_idle() -> f64 {
    let notify = Notify::new();
    workloads::idle(|| notify.notify_one())
}

pub fn wake_10000() -> f64 {
    let notify = Notify::new();
    workloads::wake_many(|| notify.notified(), || notify.notify_waiters())
}

pub fn oneshot() -> f64 {
    workloads::repeat(|| {
        let (tx, rx) = oneshot::channel();
        let mut rx = pin!(rx);
        assert!(poll_once(rx.as_mut()).is_pending());
        tx.send(1).expect("there is a receiver");
        assert!(poll_once(rx).is_ready());
    })
}

pub fn watch() -> f64 {
    let (tx, mut rx) = watch::channel(0);
    workloads::repeat(|| {
        let mut changed = pin!(async {
            rx.changed().await.expect("there is a sender");
            *rx.borrow_and_update()
        });
        assert!(poll_once(changed.as_mut()).is_pending());
        tx.send(1).expect("there is a receiver");
        assert!(poll_once(changed).is_ready());
    })
}

pub fn barrier() -> f64 {
    let barrier = Barrier::new(2);
    workloads::meet(|| barrier.wait())
}

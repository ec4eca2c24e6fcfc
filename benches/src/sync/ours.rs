//! wakeful.

use std::num::NonZeroUsize;
use std::pin::pin;

use ::wakeful::sync::{Barrier, Event, Notify, Semaphore, oneshot, watch};

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
    let event = Event::new();
    workloads::cycle(
        || {
            event.reset();
            event.wait()
        },
        || event.set(),
    )
}

pub fn notify_idle() -> f64 {
    let notify = Notify::new();
    workloads::idle(|| notify.notify_one())
}

pub fn wake_10000() -> f64 {
    let event = Event::new();
    workloads::wake_many(|| event.wait(), || event.set())
}

pub fn oneshot() -> f64 {
    workloads::repeat(|| {
        let (tx, mut rx) = oneshot::channel();
        let mut recv = pin!(rx.recv());
        assert!(poll_once(recv.as_mut()).is_pending());
        tx.send(1).expect("there is a receiver");
        assert!(poll_once(recv).is_ready());
    })
}

pub fn watch() -> f64 {
    let (tx, mut rx) = watch::channel(0);
    workloads::repeat(|| {
        let mut changed = pin!(rx.changed());
        assert!(poll_once(changed.as_mut()).is_pending());
        tx.send(1).expect("there is a receiver");
        assert!(poll_once(changed).is_ready());
    })
}

pub fn barrier() -> f64 {
    let barrier = Barrier::new(NonZeroUsize::new(2).expect("two"));
    workloads::meet(|| barrier.wait())
}

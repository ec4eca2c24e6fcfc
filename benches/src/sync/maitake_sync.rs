//! maitake-sync: `Semaphore` and `WaitQueue`.

use ::maitake_sync::{Semaphore, WaitQueue};

use super::workloads;

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
    let queue = WaitQueue::new();
    workloads::cycle(|| queue.wait(), || queue.wake_all())
}

pub fn notify_idle() -> f64 {
    let queue = WaitQueue::new();
    workloads::idle(|| queue.wake())
}

pub fn wake_10000() -> f64 {
    let queue = WaitQueue::new();
    workloads::wake_many(|| queue.wait(), || queue.wake_all())
}

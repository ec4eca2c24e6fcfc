//! tokio: `Semaphore` and `Notify`, which are futures like any outside its runtime too.

use ::tokio::sync::{Notify, Semaphore};

use super::workloads;

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

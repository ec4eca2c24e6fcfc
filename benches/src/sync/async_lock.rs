//! async-lock: `Semaphore`, which lets newcomers overtake, and `Barrier`.

use ::async_lock::{Barrier, Semaphore};

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

pub fn barrier() -> f64 {
    let barrier = Barrier::new(2);
    workloads::meet(|| barrier.wait())
}

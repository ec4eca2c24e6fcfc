//! asyncband: `Semaphore` and `ManualResetEvent`.

use ::asyncband::event::ManualResetEvent;
use ::asyncband::semaphore::Semaphore;

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

//! Handles may be used in a closure whose panics are caught: no panic leaves what they share half-changed.

use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};
use wakeful::cancel::{KeepOpen, Scope};
use wakeful::flow::topic::{Subscriber, Topic};
use wakeful::limit::{Composite, Concurrency, KeyedLimiter, Limiter};
use wakeful::queue::{self, Receiver, Sender};
use wakeful::resilience::{Bulkhead, CircuitBreaker, RetryBudget};
use wakeful::spawn::Panic;
use wakeful::sync::{Barrier, CapacityLimiter, Condition, Event, Latch, Notify, Semaphore, WaitGroup, oneshot, watch};
use wakeful::task::{GroupError, Handle, Registry, TaskGroup};
use wakeful::time::{Interval, ManualClock, Sleep, Time};
use wakeful::work::WorkerPool;

fn is_safe<T: UnwindSafe + RefUnwindSafe>() {}

#[test]
fn handles_are_unwind_safe() {
    is_safe::<(Time, ManualClock, Sleep, Interval)>();
    is_safe::<(Scope, KeepOpen, Panic)>();
    is_safe::<(Barrier, CapacityLimiter<u8>, Condition, Event, Latch, Notify, Semaphore, WaitGroup)>();
    is_safe::<(oneshot::Sender<u8>, oneshot::Receiver<u8>, watch::Sender<u8>, watch::Receiver<u8>)>();
    is_safe::<(Sender<u8>, Receiver<u8>)>();
    is_safe::<(Limiter, KeyedLimiter<u8>)>();
    is_safe::<(Bulkhead, CircuitBreaker)>();
    is_safe::<(TaskGroup<u8>, Handle<u8, u8>, GroupError<u8>)>();
    is_safe::<(Topic<u8>, Subscriber<u8>)>();
    is_safe::<(Concurrency, Composite, RetryBudget, WorkerPool<u8, u8, u8>, Registry)>();
}

#[test]
fn a_queue_goes_on_after_a_panic_beside_it() {
    let (tx, rx) = queue::unbounded();
    let sent = catch_unwind(|| {
        tx.try_send(1).unwrap();
        panic!("after sending");
    });
    assert!(sent.is_err() && tx.try_send(2).is_ok());
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(1), Ok(2)));
}

//! The numbers of what the kit has.

use super::metrics::{Measure, Metric, Value};
use super::{StallMonitor, TaskMonitor};
use crate::limit::{Algorithm, Concurrency, Control, Limiter};
use crate::queue::{Kind, Receiver, Sender, WeakReceiver, WeakSender};
use crate::resilience::{BreakerState, Bulkhead, CircuitBreaker, RetryBudget};
use crate::sync::{CapacityLimiter, Semaphore};
use crate::task::{GroupCount, TaskGroup};
use crate::work::{Count, Manage, PeriodicControl, Progress, ResourcePool, WorkerPool};
use alloc::boxed::Box;

/// The numbers of a type: `Gauge queue_len: expression, …`.
macro_rules! measured {
    ($([$($generics:tt)*] $of:ty, |$this:ident| { $($kind:ident $name:ident: $value:expr,)* })*) => {$(
        impl<$($generics)*> Measure for $of {
            fn measure(&self, tell: &mut dyn FnMut(Metric)) {
                let $this = self;
                $(tell(Metric::new(stringify!($name), Value::$kind($value)));)*
            }
        }
    )*};
}

measured! {
    [] Semaphore, |it| {
        Gauge semaphore_available: it.available() as u64,
        Gauge semaphore_total: it.total() as u64,
    }
    [K] CapacityLimiter<K>, |it| {
        Gauge capacity_borrowed: it.borrowed() as u64,
        Gauge capacity_waiting: it.waiting() as u64,
        Gauge capacity_total: it.total() as u64,
    }
    [A: Algorithm] Limiter<A>, |it| {
        Gauge limiter_available: it.available().into(),
    }
    [C: Control] Concurrency<C>, |it| {
        Gauge concurrency_in_flight: it.in_flight().into(),
        Gauge concurrency_limit: it.limit().into(),
    }
    [] Bulkhead, |it| {
        Gauge bulkhead_in_flight: it.in_flight().into(),
        Gauge bulkhead_waiting: it.waiting().into(),
    }
    [] RetryBudget, |it| {
        Gauge retry_budget_tokens: it.tokens().into(),
    }
    [] GroupCount, |it| {
        Count group_done: it.done,
        Count group_failed: it.failed,
        Count group_panicked: it.panicked,
        Count group_cancelled: it.cancelled,
        Count group_lost: it.lost,
    }
    [] Count, |it| {
        Count work_done: it.done,
        Count work_failed: it.failed,
        Count work_panicked: it.panicked,
        Count work_timed_out: it.timed_out,
        Count work_cancelled: it.cancelled,
        Count work_skipped: it.skipped,
    }
}

/// A queue's, by whichever handle.
fn of_queue(len: usize, capacity: usize, unfinished: usize, tell: &mut dyn FnMut(Metric)) {
    tell(Metric::new("queue_len", Value::Gauge(len as u64)));
    tell(Metric::new("queue_unfinished", Value::Gauge(unfinished as u64)));
    // One that has no bound has none to tell.
    if capacity != usize::MAX {
        tell(Metric::new("queue_capacity", Value::Gauge(capacity as u64)));
    }
}

impl<T, K: Kind<T>> Measure for Sender<T, K> {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        of_queue(self.len(), self.capacity(), self.unfinished(), tell);
    }
}

impl<T, K: Kind<T>> Measure for Receiver<T, K> {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        of_queue(self.len(), self.capacity(), self.unfinished(), tell);
    }
}

/// Of a queue whose senders are gone, nothing is told.
impl<T, K: Kind<T>> Measure for WeakSender<T, K> {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        if let Some(sender) = self.upgrade() {
            sender.measure(tell);
        }
    }
}

/// Of a queue whose receivers are gone, nothing is told.
impl<T, K: Kind<T>> Measure for WeakReceiver<T, K> {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        if let Some(receiver) = self.upgrade() {
            receiver.measure(tell);
        }
    }
}

/// Its state is 0 while it is closed, 1 while half open, and 2 while open.
impl Measure for CircuitBreaker {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        let (state, counts) = (self.state(), self.counts());
        let state = match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open { .. } => 2,
        };
        tell(Metric::new("breaker_state", Value::Gauge(state)));
        // Those of its window, which leave it again.
        tell(Metric::new("breaker_calls", Value::Gauge(counts.calls.into())));
        tell(Metric::new("breaker_failures", Value::Gauge(counts.failures.into())));
        tell(Metric::new("breaker_slow", Value::Gauge(counts.slow.into())));
    }
}

impl<E> Measure for TaskGroup<E> {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        tell(Metric::new("group_children", Value::Gauge(self.len() as u64)));
        self.count().measure(tell);
    }
}

impl Measure for Progress {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        self.count.measure(tell);
        if let Some(remaining) = self.remaining {
            tell(Metric::new("work_remaining", Value::Gauge(remaining)));
        }
        tell(Metric::new("work_elapsed", Value::Time(self.elapsed)));
    }
}

impl<T, O, E> Measure for WorkerPool<T, O, E> {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        tell(Metric::new("work_queued", Value::Gauge(self.queued() as u64)));
        tell(Metric::new("work_running", Value::Gauge(self.running() as u64)));
        tell(Metric::new("work_workers", Value::Gauge(self.workers().get() as u64)));
        self.count().measure(tell);
    }
}

impl Measure for PeriodicControl {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        let count = self.count();
        tell(Metric::new("periodic_done", Value::Count(count.done)));
        tell(Metric::new("periodic_failed", Value::Count(count.failed)));
        tell(Metric::new("periodic_panicked", Value::Count(count.panicked)));
        tell(Metric::new("periodic_timed_out", Value::Count(count.timed_out)));
        tell(Metric::new("periodic_cancelled", Value::Count(count.cancelled)));
    }
}

impl<M: Manage> Measure for ResourcePool<M> {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        let (status, count) = (self.status(), self.count());
        tell(Metric::new("resource_size", Value::Gauge(status.size as u64)));
        tell(Metric::new("resource_idle", Value::Gauge(status.idle as u64)));
        tell(Metric::new("resource_in_use", Value::Gauge(status.in_use as u64)));
        tell(Metric::new("resource_waiting", Value::Gauge(status.waiting as u64)));
        tell(Metric::new("resource_max_size", Value::Gauge(status.max_size as u64)));
        tell(Metric::new("resource_created", Value::Count(count.created)));
        tell(Metric::new("resource_not_created", Value::Count(count.not_created)));
        tell(Metric::new("resource_reused", Value::Count(count.reused)));
        tell(Metric::new("resource_invalid", Value::Count(count.invalid)));
        tell(Metric::new("resource_expired", Value::Count(count.expired)));
        tell(Metric::new("resource_broken", Value::Count(count.broken)));
        tell(Metric::new("resource_detached", Value::Count(count.detached)));
        tell(Metric::new("resource_timed_out", Value::Count(count.timed_out)));
    }
}

impl Measure for TaskMonitor {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        let timings = self.timings();
        tell(Metric::new("tasks_live", Value::Gauge(timings.live())));
        tell(Metric::new("tasks_started", Value::Count(timings.started)));
        tell(Metric::new("tasks_done", Value::Count(timings.done)));
        tell(Metric::new("tasks_dropped", Value::Count(timings.dropped)));
        let timing = timings.timing;
        tell(Metric::new("tasks_slow_polls", Value::Count(timing.slow_polls)));
        tell(Metric::new("tasks_start_delay", Value::Time(timing.start_delay)));
        tell(Metric::new("tasks_busy", Value::Time(timing.busy)));
        tell(Metric::new("tasks_idle", Value::Time(timing.idle)));
        tell(Metric::new("tasks_scheduled", Value::Time(timing.scheduled)));
        tell(Metric::new("tasks_poll", Value::Histogram(Box::new(self.poll_times()))));
        tell(Metric::new("tasks_delay", Value::Histogram(Box::new(self.delays()))));
    }
}

impl Measure for StallMonitor {
    fn measure(&self, tell: &mut dyn FnMut(Metric)) {
        let stats = self.stats();
        tell(Metric::new("executor_late", Value::Histogram(Box::new(self.lateness()))));
        tell(Metric::new("executor_stalls", Value::Count(stats.stalls)));
        tell(Metric::new("executor_stalled", Value::Time(stats.stalled)));
    }
}

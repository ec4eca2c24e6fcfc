//! A consumer on another thread than the run's: neither waits for what is there.

use super::hub::{Hub, Results, Teller, Throttled};
use crate::cancel::Scope;
use crate::sys::Arc;
use crate::sys::model::{Task, model, spawn};
use crate::time::{Clock, Instant, Time};
use crate::work::outcome::{Ended, ItemOutcome, Sink};
use crate::work::source::{IntoSource, Source};
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;

/// A clock that stands still: nothing here waits for time.
struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::EPOCH
    }

    fn arm(&self, _: Instant) {}
}

fn hub(is_ordered: bool, is_shared: bool) -> Arc<Hub<u8, u8, ()>> {
    Arc::new(Hub::new(Scope::new(Time::new(Still)), 1, is_ordered, is_shared))
}

fn put(hub: &Arc<Hub<u8, u8, ()>>, index: u64) {
    Teller::new(hub.clone()).accept(Ended::new(index, None, ItemOutcome::Done(7)));
}

#[test]
fn loom_who_awaits_a_result_is_told_of_it_and_of_the_end() {
    model(|| {
        let hub = hub(true, true);
        let mut results = Results::new(hub.clone());
        let mut task = Task::new(async move { (results.next().await.map(|ended| ended.index), results.next().await) });
        let run = spawn(move || {
            put(&hub, 0);
            hub.over();
        });
        let first = task.poll();
        run.join().unwrap();
        assert_eq!(task.finish(first), (Some(0), None));
    });
}

#[test]
fn loom_what_was_fetched_and_not_taken_is_handed_back_in_order() {
    for is_ordered in [false, true] {
        model(move || {
            let hub = hub(is_ordered, false);
            let mut teller = Teller::new(hub.clone());
            let mut tell = move |index| {
                teller.accept(Ended::new(index, None, ItemOutcome::Done(7)));
                if index > 0 {
                    teller.settle();
                }
            };
            (0..2).for_each(&mut tell);
            let mut results = Results::new(hub.clone());
            let consumer = spawn(move || {
                let taken = Task::new(async move { results.next().await.map(|ended| ended.index) }).poll();
                assert_eq!(taken, Poll::Ready(Some(0)));
            });
            tell(2);
            consumer.join().unwrap();
            let left: Vec<_> = hub.empty().iter().map(|ended| ended.index).collect();
            assert_eq!(left, [1, 2]);
        });
    }
}

#[test]
fn loom_who_waits_for_room_is_told_when_a_result_is_taken() {
    model(|| {
        let hub = hub(false, true);
        put(&hub, 0);
        let mut source = Throttled { source: IntoSource::into_source([1_u8]), hub: hub.clone() };
        let mut pull = Task::new(async move { poll_fn(|cx| source.poll_pull(cx)).await });
        let consumer = spawn(move || {
            let mut results = Results::new(hub);
            let taken = Task::new(async move { (results.next().await.is_some(), results) }).poll();
            assert!(taken.is_ready());
        });
        let first = pull.poll();
        consumer.join().unwrap();
        assert_eq!(pull.finish(first), Some(1));
    });
}

//! Calls that have turns, and streams of which several are polled as one, in every order of threads.

use super::{Debounce, FlowExt, Skipped, merge};
use crate::sys::model::{Task, model, spawn};
use crate::sys::{Arc, Told};
use crate::time::ManualClock;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use futures_core::Stream;

fn call(debounce: &Debounce) -> Task<Result<(), Skipped>> {
    let debounce = debounce.clone();
    Task::new(async move { debounce.call(async || ()).await })
}

fn debounce() -> (ManualClock, Debounce) {
    let clock = ManualClock::new();
    let debounce = Debounce::new(&clock.time(), Duration::from_nanos(100));
    (clock, debounce)
}

#[test]
fn loom_a_call_is_flushed_or_superseded_and_told_so() {
    model(|| {
        let (clock, debounce) = debounce();
        let mut first = call(&debounce).waiting();
        let other = spawn({
            let mut second = call(&debounce);
            move || (second.poll(), second)
        });
        assert!(debounce.flush());
        let (begun, mut second) = other.join().unwrap();
        // One of the two waited, and was let go; whichever is left is run by the clock.
        assert!(first.woken());
        let fate = first.poll();
        assert!(fate.is_ready());
        clock.advance(Duration::from_nanos(100));
        assert!(begun == Poll::Ready(Ok(())) || second.poll().is_ready());
        assert_eq!((clock.time().pending(), debounce.is_pending()), (0, false));
    });
}

#[test]
fn loom_a_call_whose_time_has_come_runs_though_another_comes_or_it_is_cancelled() {
    model(|| {
        let (clock, debounce) = debounce();
        let mut first = call(&debounce).waiting();
        clock.advance(Duration::from_nanos(100));
        let other = spawn({
            let mut second = call(&debounce);
            move || {
                assert!(second.poll().is_pending());
                second
            }
        });
        assert_eq!(first.poll(), Poll::Ready(Ok(())));
        let mut second = other.join().unwrap();
        assert!(debounce.cancel());
        assert_eq!(second.poll(), Poll::Ready(Err(Skipped::Cancelled)));
        drop(second);
        assert_eq!(clock.time().pending(), 0);
    });
}

/// What another thread gives.
struct Gate(Told<(Option<u8>, bool, Option<Waker>)>);

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self(Told::new((None, false, None))))
    }

    /// Gives an item, and then the end.
    fn give(&self, item: u8) {
        self.0.with(|(given, ..)| *given = Some(item));
        self.wake();
        self.0.with(|(_, is_over, _)| *is_over = true);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.0.with(|(.., waiting)| waiting.take()) {
            waker.wake();
        }
    }
}

struct Given(Arc<Gate>);

impl Stream for Given {
    type Item = u8;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u8>> {
        let waker = cx.waker().clone();
        let (polled, _old) = self.0.0.with(|(given, is_over, waiting)| match (given.take(), *is_over) {
            (None, false) => (Poll::Pending, waiting.replace(waker)),
            (item, _) => (Poll::Ready(item), Some(waker)),
        });
        polled
    }
}

/// All items of a stream, in some order.
fn all(mut stream: impl Stream<Item = u8> + Unpin + Send + 'static) -> Task<Vec<u8>> {
    Task::new(async move {
        let mut all = Vec::new();
        while let Some(item) = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
            all.push(item);
        }
        all.sort_unstable();
        all
    })
}

#[test]
fn loom_merged_streams_are_polled_when_one_of_them_was_woken() {
    model(|| {
        let gates = [Gate::new(), Gate::new()];
        let mut task = all(merge(gates.clone().map(Given)));
        let [one, other] = gates;
        let giving = spawn(move || one.give(1));
        let first = task.poll();
        other.give(2);
        giving.join().unwrap();
        assert_eq!(task.finish(first), [1, 2]);
    });
}

#[test]
fn loom_a_partitioned_stream_is_polled_when_a_body_was_woken_or_the_stream() {
    model(|| {
        let (source, gate) = (Gate::new(), Gate::new());
        let body = {
            let gate = gate.clone();
            move |n: u8| {
                let mut given = Given(gate.clone());
                async move { n + poll_fn(|cx| Pin::new(&mut given).poll_next(cx)).await.unwrap_or(0) }
            }
        };
        let mut task = all(Box::pin(Given(source.clone()).partition_by(NonZeroUsize::MIN, |n| *n, body)));
        let giving = spawn(move || gate.give(1));
        let first = task.poll();
        source.give(2);
        giving.join().unwrap();
        assert_eq!(task.finish(first), [3]);
    });
}

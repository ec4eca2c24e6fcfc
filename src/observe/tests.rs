//! Timings by a clock that stands still unless it is moved: every number is exact.

use super::*;
use crate::time::{Instant, ManualClock};
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::string::{String, ToString};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::vec::Vec;

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn at(millis: u64) -> Instant {
    Instant::EPOCH + ms(millis)
}

pub(super) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A future that takes `busy` for each of its polls, keeps its waker in `place` and is ready at the last one.
pub(super) fn steps<'a>(
    clock: &'a ManualClock,
    busy: &'a [u64],
    place: &'a Mutex<Option<Waker>>,
) -> impl Future<Output = &'static str> + 'a {
    let mut left = busy.iter();
    poll_fn(move |cx| {
        clock.advance(ms(*left.next().expect("it is not polled once more")));
        *place.lock().unwrap() = Some(cx.waker().clone());
        if left.len() == 0 { Poll::Ready("done") } else { Poll::Pending }
    })
}

pub(super) fn wake(place: &Mutex<Option<Waker>>) {
    let waker = place.lock().unwrap().take();
    waker.expect("it has been polled").wake();
}

#[test]
fn each_nanosecond_is_in_one_of_four_places() {
    let (clock, place) = (ManualClock::new(), Mutex::new(None));
    let monitor = TaskMonitor::new(&clock.time(), "steps");
    clock.advance(ms(1_000));
    let mut timed = pin!(monitor.watch(steps(&clock, &[10, 20, 40], &place)));
    clock.advance(ms(1));
    assert!(poll_once(timed.as_mut()).is_pending());
    clock.advance(ms(100));
    wake(&place);
    clock.advance(ms(3));
    assert!(poll_once(timed.as_mut()).is_pending());
    clock.advance(ms(200));
    wake(&place);
    clock.advance(ms(5));
    assert_eq!(poll_once(timed.as_mut()), Poll::Ready("done"));

    let timing = timed.timing();
    assert_eq!((timing.polls, timing.wakes, timing.slow_polls), (3, 2, 0));
    assert_eq!((timing.start_delay, timing.busy, timing.idle, timing.scheduled), (ms(1), ms(70), ms(300), ms(8)));
    assert_eq!((timing.longest_poll, timing.longest_delay), (ms(40), ms(5)));
    assert_eq!(timing.total(), clock.time().now() - at(1_000));
    assert_eq!((timing.mean_poll(), timing.mean_delay()), (Some(ms(70) / 3), Some(ms(4))));
    assert_eq!(monitor.timings(), Timings { started: 1, done: 1, dropped: 0, timing });
    assert_eq!((monitor.poll_times().len(), monitor.poll_times().sum()), (3, ms(70)));
    assert_eq!((monitor.delays().len(), monitor.delays().max()), (2, Some(ms(5))));
}

#[test]
fn only_the_first_of_several_wake_ups_counts() {
    let (clock, place) = (ManualClock::new(), Mutex::new(None));
    let monitor = TaskMonitor::new(&clock.time(), "steps");
    let mut timed = pin!(monitor.watch(steps(&clock, &[0, 0], &place)));
    assert!(poll_once(timed.as_mut()).is_pending());
    let waker = place.lock().unwrap().clone().unwrap();
    for _ in 0..3 {
        clock.advance(ms(10));
        waker.wake_by_ref();
    }
    assert!(poll_once(timed.as_mut()).is_ready());
    let timing = timed.timing();
    assert_eq!((timing.wakes, timing.idle, timing.scheduled), (1, ms(10), ms(20)));
}

#[test]
fn one_that_is_woken_while_it_is_polled_is_scheduled_from_the_end_of_that_poll() {
    let clock = ManualClock::new();
    let monitor = TaskMonitor::new(&clock.time(), "yields");
    let mut first = true;
    let mut timed = pin!(monitor.watch(poll_fn(|cx| {
        if !core::mem::take(&mut first) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        clock.advance(ms(7));
        Poll::Pending
    })));
    assert!(poll_once(timed.as_mut()).is_pending());
    clock.advance(ms(2));
    assert!(poll_once(timed.as_mut()).is_ready());
    let timing = timed.timing();
    assert_eq!((timing.busy, timing.idle, timing.scheduled), (ms(7), ms(0), ms(2)));
}

#[test]
fn one_that_is_polled_without_having_been_woken_was_idle() {
    let (clock, place) = (ManualClock::new(), Mutex::new(None));
    let monitor = TaskMonitor::new(&clock.time(), "steps");
    let mut timed = pin!(monitor.watch(steps(&clock, &[0, 0], &place)));
    assert!(poll_once(timed.as_mut()).is_pending());
    clock.advance(ms(9));
    assert!(poll_once(timed.as_mut()).is_ready());
    let timing = timed.timing();
    assert_eq!((timing.wakes, timing.idle, timing.scheduled), (0, ms(9), ms(0)));
    assert!(monitor.delays().is_empty());
}

type Told = Arc<Mutex<Vec<(String, u64, Duration, Instant)>>>;

/// A monitor with a threshold of 5 ms, and what it reports.
fn strict(clock: &ManualClock) -> (TaskMonitor, Told) {
    let told = Told::default();
    let tell = told.clone();
    let monitor = TaskMonitor::reporting(&clock.time(), "strict", ms(5), move |slow| {
        assert_eq!(slow.place.file(), file!());
        tell.lock().unwrap().push((slow.name.to_string(), slow.poll, slow.took, slow.began));
    });
    (monitor, told)
}

#[test]
fn polls_that_take_longer_than_the_threshold_are_reported_by_name_and_place() {
    let (clock, place) = (ManualClock::new(), Mutex::new(None));
    let (monitor, told) = strict(&clock);
    let line = line!() + 1;
    let mut timed = pin!(monitor.watch_named("parser", steps(&clock, &[5, 6, 4], &place)));
    while poll_once(timed.as_mut()).is_pending() {}
    assert_eq!(*told.lock().unwrap(), [("parser".into(), 2, ms(6), at(5))]);
    assert_eq!(monitor.timings().timing.slow_polls, 1);

    let mut timed = pin!(monitor.watch(steps(&clock, &[8], &place)));
    assert_eq!(monitor.dump().tasks[0].place.line(), line + 5);
    assert!(poll_once(timed.as_mut()).is_ready());
    assert_eq!(told.lock().unwrap()[1..], [("strict".into(), 1, ms(8), at(15))]);
}

#[test]
fn a_poll_that_panics_is_counted_and_its_future_counts_as_dropped() {
    let clock = ManualClock::new();
    let (monitor, told) = strict(&clock);
    let mut timed = Box::pin(monitor.watch(async {
        clock.advance(ms(50));
        panic!("on purpose");
    }));
    let caught = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| poll_once(timed.as_mut())));
    assert!(caught.is_err());
    assert_eq!((timed.timing().polls, timed.timing().busy), (1, ms(50)));
    assert!(told.lock().unwrap().is_empty());
    drop(timed);
    let timings = monitor.timings();
    assert_eq!((timings.started, timings.done, timings.dropped, timings.live()), (1, 0, 1, 0));
    assert_eq!((timings.timing.polls, timings.timing.slow_polls), (1, 1));
}

#[test]
fn every_future_is_live_done_or_dropped() {
    let (clock, places) = (ManualClock::new(), [const { Mutex::new(None) }; 3]);
    let monitor = TaskMonitor::new(&clock.time(), "steps");
    let mut three: Vec<_> = places.iter().map(|place| Box::pin(monitor.watch(steps(&clock, &[1, 2], place)))).collect();
    assert_eq!(monitor.timings().live(), 3);
    assert!(poll_once(three[0].as_mut()).is_pending());
    assert!(poll_once(three[0].as_mut()).is_ready());
    assert!(poll_once(three[1].as_mut()).is_pending());
    let timings = monitor.timings();
    assert_eq!((timings.started, timings.done, timings.dropped, timings.live()), (3, 1, 0, 2));
    assert_eq!((timings.timing.polls, timings.timing.busy), (3, ms(4)));
    three.clear();
    let timings = monitor.timings();
    assert_eq!((timings.started, timings.done, timings.dropped, timings.live()), (3, 1, 2, 0));
    // Their places are taken again.
    let again = monitor.watch(steps(&clock, &[1], &places[0]));
    assert_eq!(monitor.dump().tasks.len(), 1);
    drop(again);
}

/// Counts how often it wakes, and lets its count be seen.
struct Counter(AtomicUsize);
impl std::task::Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn wake_ups_go_to_the_task_of_the_last_poll_and_to_nobody_when_it_is_over() {
    let (clock, place) = (ManualClock::new(), Mutex::new(None));
    let monitor = TaskMonitor::new(&clock.time(), "steps");
    let [one, two] = [(); 2].map(|()| Arc::new(Counter(AtomicUsize::new(0))));
    let count = |counter: &Arc<Counter>| counter.0.load(Ordering::Relaxed);
    let mut timed = Box::pin(monitor.watch(steps(&clock, &[0, 0, 0], &place)));
    let mut poll = |task: &Arc<Counter>| {
        let waker = Waker::from(task.clone());
        timed.as_mut().poll(&mut Context::from_waker(&waker))
    };
    assert!(poll(&one).is_pending());
    wake(&place);
    assert_eq!((count(&one), count(&two)), (1, 0));
    assert!(poll(&two).is_pending());
    wake(&place);
    assert_eq!((count(&one), count(&two)), (1, 1));
    assert!(poll(&two).is_ready());
    wake(&place);
    assert_eq!((count(&one), count(&two)), (1, 1));
    assert_eq!((Arc::strong_count(&one), Arc::strong_count(&two)), (1, 1), "what is over keeps no waker");
}

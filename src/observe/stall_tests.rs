//! Stalls by a clock that moves while nobody polls.

use super::StallMonitor;
use crate::time::{Instant, ManualClock};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::sync::{Arc, Mutex};
use std::vec::Vec;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Instant {
    Instant::EPOCH + ms(millis)
}

type Told = Arc<Mutex<Vec<(Instant, Duration)>>>;

/// A monitor of 1.0 s and 0.1 s, and what it reports.
fn monitor(clock: &ManualClock) -> (StallMonitor, Told) {
    let told = Told::default();
    let tell = told.clone();
    let report = move |stall: &super::Stall| tell.lock().unwrap().push((stall.due, stall.late));
    (StallMonitor::new(&clock.time(), ms(1_000), ms(100), report), told)
}

fn poll<F: Future>(run: &mut Pin<Box<F>>) {
    assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// Ten seconds on an executor that polls every 10 ms, but for one block of 0.3 s from `from` on.
fn with_a_block_of_300_ms(from: u64) -> (Vec<(Instant, Duration)>, StallMonitor) {
    let clock = ManualClock::new();
    let (monitor, told) = monitor(&clock);
    let handle = monitor.clone();
    let mut run = Box::pin(async move { handle.run().await });
    poll(&mut run);
    while clock.time().now() < at(10_000) {
        let block = clock.time().now() == at(from);
        clock.advance(ms(if block { 300 } else { 10 }));
        poll(&mut run);
    }
    let told = told.lock().unwrap().clone();
    (told, monitor)
}

#[test]
fn one_block_is_one_event_of_the_time_for_which_it_made_the_monitor_late() {
    let (told, monitor) = with_a_block_of_300_ms(1_000 - 10);
    assert_eq!(told, [(at(1_000), ms(290))]);
    let stats = monitor.stats();
    assert_eq!((stats.intervals, stats.stalls, stats.stalled, stats.longest), (9, 1, ms(290), ms(290)));
    assert_eq!((monitor.lateness().len(), monitor.lateness().sum()), (9, ms(290)));

    assert_eq!(with_a_block_of_300_ms(3_900).0, [(at(4_000), ms(200))]);
}

#[test]
fn a_block_that_begins_when_the_monitor_is_due_is_seen_whole() {
    let clock = ManualClock::new();
    let (monitor, told) = monitor(&clock);
    let mut run = Box::pin(monitor.run());
    poll(&mut run);
    // Somebody else is polled first at that instant, and takes 0.3 s.
    clock.advance(ms(1_000));
    clock.advance(ms(300));
    poll(&mut run);
    clock.advance(ms(1_000));
    poll(&mut run);
    assert_eq!(*told.lock().unwrap(), [(at(1_000), ms(300))]);
    assert_eq!(monitor.stats().intervals, 2);
}

#[test]
fn what_is_late_by_the_threshold_or_less_or_between_two_looks_is_no_stall() {
    assert!(with_a_block_of_300_ms(3_800).0.is_empty(), "0.1 s too late");
    assert!(with_a_block_of_300_ms(3_790).0.is_empty(), "0.09 s too late");
    assert!(with_a_block_of_300_ms(3_300).0.is_empty(), "between two looks");
    assert_eq!(with_a_block_of_300_ms(3_810).0, [(at(4_000), ms(110))]);
}

#[test]
fn a_stall_of_many_intervals_is_one_event() {
    let clock = ManualClock::new();
    let (monitor, told) = monitor(&clock);
    let mut run = Box::pin(monitor.run());
    poll(&mut run);
    clock.jump_to(at(60_000));
    poll(&mut run);
    poll(&mut run);
    clock.advance(ms(1_000));
    poll(&mut run);
    assert_eq!(*told.lock().unwrap(), [(at(1_000), ms(59_000))]);
}

#[test]
fn the_time_of_all_stalls_is_added_up_and_the_longest_is_kept() {
    let clock = ManualClock::new();
    let (monitor, told) = monitor(&clock);
    let mut run = Box::pin(monitor.run());
    poll(&mut run);
    for late in [300, 150, 100] {
        clock.advance(ms(1_000 + late));
        poll(&mut run);
    }
    assert_eq!(*told.lock().unwrap(), [(at(1_000), ms(300)), (at(2_300), ms(150))]);
    let stats = monitor.stats();
    assert_eq!((stats.intervals, stats.stalls, stats.stalled, stats.longest), (3, 2, ms(450), ms(300)));
}

#[test]
fn others_see_that_it_is_late_while_the_executor_hangs() {
    let clock = ManualClock::new();
    let (monitor, told) = monitor(&clock);
    assert_eq!(monitor.late(), ms(0), "nobody is watched");
    let (mut one, mut two) = (Box::pin(monitor.run()), Box::pin(monitor.run()));
    poll(&mut one);
    clock.advance(ms(500));
    poll(&mut two);
    clock.advance(ms(2_000));
    assert_eq!(monitor.late(), ms(1_500));
    poll(&mut one);
    assert_eq!(monitor.late(), ms(1_000));
    drop(two);
    assert_eq!(monitor.late(), ms(0), "who is gone is not late");
    clock.advance(ms(1_700));
    assert_eq!(monitor.late(), ms(700));
    assert_eq!(told.lock().unwrap().len(), 1);
}

#[test]
fn runs_that_are_over_leave_nothing_behind() {
    let (monitor, _) = monitor(&ManualClock::new());
    for _ in 0..100 {
        let (mut one, mut two) = (Box::pin(monitor.run()), Box::pin(monitor.run()));
        poll(&mut one);
        poll(&mut two);
    }
    assert_eq!(monitor.0.state.read(|state| state.due.len()), 2);
}

#[test]
#[should_panic(expected = "the interval of a stall monitor is zero")]
fn an_interval_of_zero_is_refused() {
    StallMonitor::new(&ManualClock::new().time(), ms(0), ms(1), |_| {});
}

//! What a dump says. With `std` only: without it all threads share one place for what futures wait for, and tests run on several.

use super::tests::{at, ms, poll_once, steps, wake};
use super::*;
use crate::time::ManualClock;
use core::future::{Future, poll_fn};
use core::pin::pin;
use std::string::ToString;
use std::sync::Mutex;
use std::vec::Vec;

#[test]
fn a_dump_says_in_which_state_each_future_is_and_since_when() {
    let (clock, place) = (ManualClock::new(), Mutex::new(None));
    let monitor = TaskMonitor::new(&clock.time(), "steps");
    let state = || {
        let dump = monitor.dump();
        assert_eq!(dump.now, clock.time().now());
        (dump.tasks[0].state, dump.tasks[0].since, dump.tasks[0].polls)
    };
    let mut seen = Vec::new();
    let inner = steps(&clock, &[10, 20], &place);
    let mut inner = pin!(inner);
    let mut timed = pin!(monitor.watch_named(
        "mine",
        poll_fn(|cx| {
            seen.push(state());
            inner.as_mut().poll(cx)
        })
    ));
    clock.advance(ms(1));
    assert_eq!(state(), (TaskState::Ready, at(0), 0));
    assert!(poll_once(timed.as_mut()).is_pending());
    clock.advance(ms(1));
    assert_eq!(state(), (TaskState::Waiting, at(11), 1));
    let line = monitor.dump().to_string();
    assert!(line.starts_with("1 task at 0.012000000s\n  mine, made at src/observe"), "{line}");
    assert!(line.ends_with(": waits for something that is not the kit's, since 0.011000000s, polled 1 time"), "{line}");
    wake(&place);
    clock.advance(ms(1));
    assert_eq!(state(), (TaskState::Ready, at(12), 1));
    assert!(poll_once(timed.as_mut()).is_ready());
    assert!(monitor.dump().tasks.is_empty());
    assert_eq!(seen, [(TaskState::Running, at(1), 0), (TaskState::Running, at(13), 1)]);
}

#[test]
fn a_dump_says_what_each_future_waits_for_and_where_that_was_made() {
    let clock = ManualClock::new();
    let monitor = TaskMonitor::new(&clock.time(), "waits");
    let line = line!() + 1;
    let (tx, _rx) = crate::queue::bounded(core::num::NonZeroUsize::MIN);
    tx.try_send(1).unwrap();
    let mut sends = pin!(monitor.watch(tx.send(2)));
    let mut sleeps = pin!(monitor.watch(clock.time().sleep(ms(3))));
    assert!(poll_once(sends.as_mut()).is_pending());
    assert!(poll_once(sleeps.as_mut()).is_pending());
    let dump = monitor.dump();
    let waits: Vec<_> = dump.tasks.iter().map(|task| &task.waits[..]).collect();
    let [[send], [sleep]] = waits[..] else { panic!("one each: {dump}") };
    let made = send.made.unwrap();
    assert_eq!((send.what, made.file(), made.line()), ("queue send", file!(), line));
    assert_eq!(send.to_string(), std::format!("queue send made at {made}"));
    assert_eq!(sleep.to_string(), "sleep until 0.003000000s");

    // One that is ready waits for nothing.
    clock.advance(ms(3));
    assert_eq!((monitor.dump().tasks[1].state, &monitor.dump().tasks[1].waits[..]), (TaskState::Ready, &[][..]));
}

#[test]
fn what_is_watched_within_what_is_watched_waits_for_both() {
    let clock = ManualClock::new();
    let (outer, inner) = (TaskMonitor::new(&clock.time(), "outer"), TaskMonitor::new(&clock.time(), "inner"));
    let mut both = pin!(outer.watch(inner.watch(clock.time().sleep(ms(3)))));
    assert!(poll_once(both.as_mut()).is_pending());
    assert_eq!(inner.dump().tasks[0].waits, outer.dump().tasks[0].waits);
    assert_eq!(outer.dump().tasks[0].waits.len(), 1);
    clock.advance(ms(3));
    assert!(poll_once(both.as_mut()).is_ready());
}

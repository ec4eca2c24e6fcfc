//! Calls that have turns, in every order of threads.

use super::{Debounce, Skipped};
use crate::sys::model::{Task, model, spawn};
use crate::time::ManualClock;
use core::time::Duration;

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
        assert!(begun == core::task::Poll::Ready(Ok(())) || second.poll().is_ready());
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
        assert_eq!(first.poll(), core::task::Poll::Ready(Ok(())));
        let mut second = other.join().unwrap();
        assert!(debounce.cancel());
        assert_eq!(second.poll(), core::task::Poll::Ready(Err(Skipped::Cancelled)));
        drop(second);
        assert_eq!(clock.time().pending(), 0);
    });
}

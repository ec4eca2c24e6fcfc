//! Sleeps that never end, by a clock whose reading costs nothing.

use crate::TIMES;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use wakeful::time::{Clock, Instant, Time};

struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant::EPOCH
    }

    fn arm(&self, _: Instant) {}
}

/// The time of a clock that stands still, which costs nothing to read or to arm.
pub fn still() -> Time {
    Time::new(Still)
}

/// A sleep is made, polled once and dropped.
#[inline(never)]
pub fn sleep_pending() {
    let time = still();
    let mut cx = Context::from_waker(Waker::noop());
    for n in 0..TIMES as u64 {
        let sleep = pin!(time.sleep(black_box(Duration::from_nanos(60_000_000_000 + n))));
        assert!(sleep.poll(&mut cx).is_pending());
    }
}

/// A sleep that waits is moved to a later instant.
#[inline(never)]
pub fn reset_later() {
    let time = still();
    let mut cx = Context::from_waker(Waker::noop());
    let mut sleep = pin!(time.sleep(Duration::from_secs(60)));
    assert!(sleep.as_mut().poll(&mut cx).is_pending());
    for n in 0..TIMES as u64 {
        sleep.as_mut().reset(black_box(Instant::from_nanos(60_000_000_000 + n * 1_000)));
    }
}

/// A sleep that waits is moved to another instant, of 1 to 100 s ahead.
#[inline(never)]
pub fn reset_random() {
    let time = still();
    let mut cx = Context::from_waker(Waker::noop());
    let mut sleep = pin!(time.sleep(Duration::from_secs(60)));
    assert!(sleep.as_mut().poll(&mut cx).is_pending());
    let mut at = 1;
    for _ in 0..TIMES {
        at = at * 48_271 % 2_147_483_647;
        sleep.as_mut().reset(black_box(Instant::from_nanos(1_000_000_000 + at * 46)));
    }
}

mod clocks;
mod intervals;
mod model;

use super::*;
use crate::sys::waker::hooked::{Act, hooked};
use crate::sys::{Arc, Lock};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::Future;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::task::{Context, Waker};
use core::time::Duration;
use std::panic::catch_unwind;

type Pinned = Pin<Box<Sleep>>;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

fn sleep(time: &Time, nanos: u64) -> Pinned {
    Box::pin(time.sleep_until(at(nanos)))
}

fn poll_with(sleep: &mut Pinned, waker: &Waker) -> bool {
    sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
}

fn poll(sleep: &mut Pinned) -> bool {
    poll_with(sleep, Waker::noop())
}

/// Who was woken at which reading of the clock, in order.
#[derive(Clone)]
struct Log(Arc<Lock<Vec<(u64, usize)>>>, Time);

impl Log {
    fn new(time: &Time) -> Self {
        Self(Arc::new(Lock::new(Vec::new())), time.clone())
    }

    fn waker(&self, number: usize) -> Waker {
        let Self(log, time) = self.clone();
        on_wake(move || {
            let now = time.now().as_nanos();
            log.with(|log| log.push((now, number)));
        })
    }

    fn take(&self) -> Vec<(u64, usize)> {
        self.0.with(core::mem::take)
    }
}

fn on_wake(f: impl Fn() + Send + Sync + 'static) -> Waker {
    hooked(move |act| {
        if act == Act::Wake {
            f();
        }
    })
}

#[test]
fn a_sleep_is_small() {
    assert!(size_of::<Sleep>() <= 80, "{} bytes", size_of::<Sleep>());
}

#[test]
fn sleeps_that_are_due_together_are_woken_in_order_of_deadline_then_first_poll() {
    let clock = ManualClock::new();
    let (time, log) = (clock.time(), Log::new(&clock.time()));
    let deadlines = [500, 70, 500, 4_000_000, 70, 69];
    let mut sleeps: Vec<Pinned> = deadlines.iter().map(|&at| sleep(&time, at)).collect();
    for n in [2, 1, 0, 3, 4, 5] {
        assert!(!poll_with(&mut sleeps[n], &log.waker(n)));
    }
    assert_eq!((time.next(), time.pending()), (at(69), 6));
    clock.jump_to(at(u64::MAX / 2));
    let order: Vec<usize> = log.take().into_iter().map(|(_, n)| n).collect();
    assert_eq!(order, [5, 1, 4, 2, 0, 3]);
    assert!(sleeps.iter().all(|sleep| sleep.is_elapsed()));
    assert_eq!((time.next(), time.pending()), (Instant::NEVER, 0));
}

#[test]
fn a_sleep_that_has_nothing_to_wait_for_is_ready_at_its_first_poll() {
    let clock = ManualClock::at(at(1_000));
    let time = clock.time();
    let mut zero = Box::pin(time.sleep(Duration::ZERO));
    assert_eq!(zero.deadline(), at(1_000));
    assert!(poll(&mut zero) && poll(&mut zero), "and stays ready");
    assert!(poll(&mut sleep(&time, 0)));
    assert!(!poll(&mut sleep(&time, 1_001)));
    assert_eq!(time.pending(), 0, "dropped");
}

#[test]
fn a_sleep_that_was_reached_since_it_was_made_is_ready_at_its_first_poll() {
    let clock = ManualClock::new();
    let mut late = sleep(&clock.time(), 10);
    clock.advance_to(at(10));
    assert!(poll(&mut late));
}

#[test]
fn one_that_was_never_polled_or_waits_for_ever_does_not_touch_the_queue() {
    let clock = ManualClock::new();
    let time = clock.time();
    let _idle = sleep(&time, 5);
    let mut never = Box::pin(time.sleep(Duration::MAX));
    assert_eq!(never.deadline(), Instant::NEVER);
    assert!(!poll(&mut never));
    assert_eq!((time.pending(), time.next()), (0, Instant::NEVER));
    clock.advance(Duration::MAX);
    assert_eq!(time.now(), Instant::NEVER);
    assert!(!poll(&mut never), "not even at the end of time");
}

#[test]
fn deadlines_at_the_end_of_the_range_are_kept() {
    let clock = ManualClock::new();
    let (time, log) = (clock.time(), Log::new(&clock.time()));
    let deadlines = [u64::MAX - 1, 1 << 63, (1 << 63) - 1, u64::MAX - 2, 1 << 60];
    let mut sleeps: Vec<Pinned> = deadlines.iter().map(|&at| sleep(&time, at)).collect();
    for (n, sleep) in sleeps.iter_mut().enumerate() {
        assert!(!poll_with(sleep, &log.waker(n)));
    }
    clock.advance_to(at((1 << 60) - 1));
    assert_eq!(log.take(), []);
    clock.advance_to(at(u64::MAX - 1));
    let order = [4, 2, 1, 3, 0].map(|n| (deadlines[n], n));
    assert_eq!(log.take(), order);
}

#[test]
fn a_sleep_may_be_reset_in_every_state() {
    let clock = ManualClock::at(at(1_000));
    let (time, log) = (clock.time(), Log::new(&clock.time()));
    let mut one = sleep(&time, 2_000);
    // Before its first poll.
    one.as_mut().reset(at(3_000));
    assert_eq!(time.pending(), 0);
    assert!(!poll_with(&mut one, &log.waker(1)));
    // Earlier and later, while it waits: it is woken without being polled again.
    one.as_mut().reset(at(1_500));
    one.as_mut().reset(at(1_700));
    clock.advance_to(at(1_600));
    assert_eq!(log.take(), []);
    clock.advance_to(at(1_800));
    assert_eq!(log.take(), [(1_700, 1)]);
    // After it was woken and before it was polled.
    assert!(one.is_elapsed());
    one.as_mut().reset(at(1_900));
    assert!(!one.is_elapsed() && !poll_with(&mut one, &log.waker(1)));
    // Into the past, while it waits.
    one.as_mut().reset(at(5));
    assert_eq!(log.take(), [(1_800, 1)]);
    assert!(poll(&mut one));
    // After completion.
    one.as_mut().reset(at(1_850));
    assert_eq!(time.pending(), 0, "from its next poll on");
    assert!(!poll_with(&mut one, &log.waker(1)));
    // To never, and back.
    one.as_mut().reset(Instant::NEVER);
    assert_eq!((time.pending(), time.next()), (0, Instant::NEVER));
    clock.advance_to(at(9_000));
    assert!(!poll_with(&mut one, &log.waker(1)));
    one.as_mut().reset(at(10_000));
    assert!(!poll_with(&mut one, &log.waker(1)));
    clock.advance_to(at(10_000));
    assert_eq!(log.take(), [(10_000, 1)]);
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let clock = ManualClock::new();
    let (time, log) = (clock.time(), Log::new(&clock.time()));
    let mut one = sleep(&time, 10);
    let (first, second) = (log.waker(1), log.waker(2));
    assert!(!poll_with(&mut one, &first) && !poll_with(&mut one, &first) && !poll_with(&mut one, &second));
    clock.advance_to(at(10));
    assert_eq!(log.take(), [(10, 2)]);
}

#[test]
fn a_waker_may_drop_a_hundred_sibling_sleeps() {
    let clock = ManualClock::new();
    let (time, log) = (clock.time(), Log::new(&clock.time()));
    let siblings: Arc<Lock<Vec<Pinned>>> = Arc::new(Lock::new(Vec::new()));
    let mut first = sleep(&time, 100);
    let waker = {
        let siblings = siblings.clone();
        on_wake(move || drop(siblings.with(core::mem::take)))
    };
    assert!(!poll_with(&mut first, &waker));
    for n in 0..100 {
        // Some due at once, some later, near and far.
        let mut sibling = sleep(&time, [100, 101, 5_000, 1 << 40][n % 4]);
        assert!(!poll_with(&mut sibling, &log.waker(n)));
        siblings.with(|siblings| siblings.push(sibling));
    }
    let mut last = sleep(&time, 200);
    assert!(!poll_with(&mut last, &log.waker(999)));
    assert_eq!(time.pending(), 102);
    clock.advance_to(at(1 << 41));
    // The first batch had left the lock with the wakers of the 25 that were due with the first.
    let woken = log.take();
    assert_eq!(woken.len(), 26);
    assert!(woken[..25].iter().all(|&(at, n)| at == 100 && n % 4 == 0));
    assert_eq!(woken[25], (200, 999));
    assert_eq!((time.pending(), time.next()), (0, Instant::NEVER));
}

#[test]
fn a_waker_may_register_move_and_turn() {
    let clock = ManualClock::new();
    let (time, log) = (clock.time(), Log::new(&clock.time()));
    let moved = Arc::new(Lock::new(Some(sleep(&time, 900))));
    let made = Arc::new(Lock::new(None));
    let mut first = sleep(&time, 10);
    let waker = {
        let (time, log, moved, made) = (time.clone(), log.clone(), moved.clone(), made.clone());
        on_wake(move || {
            let mut one = moved.with(Option::take).expect("woken once");
            one.as_mut().reset(at(20));
            moved.with(|moved| *moved = Some(one));
            let mut other = sleep(&time, 15);
            assert!(!poll_with(&mut other, &log.waker(2)));
            assert!(poll(&mut sleep(&time, 10)), "what is due is ready within a turn too");
            assert_eq!(time.turn(), at(15));
            made.with(|made| *made = Some(other));
        })
    };
    let mut one = moved.with(Option::take).expect("made above");
    assert!(!poll_with(&mut one, &log.waker(1)));
    moved.with(|moved| *moved = Some(one));
    assert!(!poll_with(&mut first, &waker));
    clock.advance_to(at(30));
    assert_eq!(log.take(), [(15, 2), (20, 1)]);
}

#[test]
fn a_waker_that_panics_loses_nobody_elses_wake_up() {
    let clock = ManualClock::new();
    let (time, log) = (clock.time(), Log::new(&clock.time()));
    let mut sleeps: Vec<Pinned> = (0..80).map(|n| sleep(&time, 10 + n / 40)).collect();
    for (n, sleep) in sleeps.iter_mut().enumerate() {
        let waker = if n == 3 { on_wake(|| panic!("a waker that panics")) } else { log.waker(n) };
        assert!(!poll_with(sleep, &waker));
    }
    assert!(catch_unwind(AssertUnwindSafe(|| clock.advance_to(at(100)))).is_err());
    assert_eq!(log.take().len(), 31, "the rest of its batch was woken");
    assert_eq!(time.next(), at(10), "what was due and not fired stays due");
    clock.advance_to(at(100));
    assert_eq!(log.take().len(), 48);
    assert!(sleeps.iter().all(|sleep| sleep.is_elapsed()));
}

#[test]
fn a_million_sleeps_are_registered_and_fired() {
    const COUNT: usize = 1_000_000;
    const HOUR: u64 = 3_600_000_000_000;
    let clock = ManualClock::new();
    let time = clock.time();
    let mut random = crate::sys::model::Random(1);
    let mut sleeps: Vec<Pinned> = (0..COUNT).map(|_| sleep(&time, 1 + random.next() % HOUR)).collect();
    assert!(sleeps.iter_mut().all(|sleep| !poll(sleep)));
    assert_eq!(time.pending(), COUNT);
    clock.jump_to(at(HOUR));
    assert_eq!((time.pending(), time.next()), (0, Instant::NEVER));
    assert!(sleeps.iter().all(|sleep| sleep.is_elapsed()));
}

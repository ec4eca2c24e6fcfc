//! The one timer, set by whoever changes the line, in every order of threads.

mod composite;
mod concurrency;
mod keyed;

use super::*;
use crate::sys::Arc;
use crate::sys::model::{Task, model, spawn};
use crate::time::{Instant, ManualClock};
use core::num::NonZeroU32;
use core::time::Duration;

type Wait = Task<Result<(), AcquireError>>;

fn one(limiter: &Limiter) -> Wait {
    some(limiter, 1)
}

fn some(limiter: &Limiter, permits: u32) -> Wait {
    let limiter = limiter.clone();
    Task::new(async move { limiter.acquire(permits).await })
}

/// One permit each 100 ns, the first of which is gone.
fn limiter() -> (ManualClock, Limiter) {
    let clock = ManualClock::new();
    let quota = Quota::new(NonZeroU32::MIN, Duration::from_nanos(100)).unwrap().credit(Duration::from_nanos(1000));
    let limiter = Limiter::new(&clock.time(), quota);
    limiter.try_acquire(1).unwrap();
    (clock, limiter)
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

#[test]
fn loom_a_wait_that_races_with_the_clock_is_granted_or_has_the_timer_set() {
    model(|| {
        let (clock, limiter) = limiter();
        let mut task = one(&limiter);
        let driver = spawn({
            let clock = clock.clone();
            move || clock.jump_to(at(100))
        });
        let first = task.poll();
        driver.join().unwrap();
        if first.is_pending() && !task.woken() {
            // It read the clock in time, but the driver had looked at the queue before the timer was set.
            assert_eq!(clock.time().next(), at(100));
            clock.jump_to(at(100));
            assert!(task.woken());
        }
        assert!(first.is_ready() || task.poll().is_ready());
        assert_eq!((clock.time().pending(), Arc::strong_count(&limiter.gate)), (0, 1));
    });
}

#[test]
fn loom_a_first_one_that_leaves_as_the_timer_rings_leaves_the_next_its_turn() {
    model(|| {
        let (clock, limiter) = limiter();
        let first = one(&limiter).waiting();
        let mut second = one(&limiter).waiting();
        let driver = spawn({
            let clock = clock.clone();
            move || clock.jump_to(at(100))
        });
        drop(first);
        driver.join().unwrap();
        if !second.woken() {
            assert_eq!(clock.time().next(), at(100));
            clock.jump_to(at(100));
        }
        assert!(second.woken() && second.poll().is_ready());
        assert_eq!(clock.time().pending(), 0);
    });
}

#[test]
fn loom_two_that_leave_and_one_that_comes_agree_on_the_timer() {
    model(|| {
        let (clock, limiter) = limiter();
        let first = one(&limiter).waiting();
        let second = one(&limiter).waiting();
        let mut third = one(&limiter);
        let leaver = spawn(move || drop(first));
        let other = spawn(move || drop(second));
        assert!(third.poll().is_pending());
        leaver.join().unwrap();
        other.join().unwrap();
        assert_eq!((clock.time().next(), clock.time().pending()), (at(100), 1));
        clock.jump_to(at(100));
        assert!(third.woken() && third.poll().is_ready());
    });
}

#[test]
fn loom_a_large_one_that_leaves_lets_the_timer_ring_earlier_for_a_small_one() {
    model(|| {
        let clock = ManualClock::new();
        let quota = Quota::new(NonZeroU32::MIN, Duration::from_nanos(100)).unwrap();
        let limiter = Limiter::new(&clock.time(), quota.burst(NonZeroU32::new(2).unwrap()));
        limiter.try_acquire(2).unwrap();
        let large = some(&limiter, 2).waiting();
        assert_eq!(clock.time().next(), at(200));
        let mut small = one(&limiter);
        let leaver = spawn(move || drop(large));
        assert!(small.poll().is_pending());
        leaver.join().unwrap();
        assert_eq!((clock.time().next(), clock.time().pending()), (at(100), 1));
        clock.jump_to(at(100));
        assert!(small.woken() && small.poll().is_ready());
    });
}

/// Two at once, one more each 100 ns.
fn two() -> (ManualClock, Limiter) {
    let clock = ManualClock::new();
    let quota = Quota::new(NonZeroU32::MIN, Duration::from_nanos(100)).unwrap();
    let limiter = Limiter::new(&clock.time(), quota.burst(NonZeroU32::new(2).unwrap()));
    (clock, limiter)
}

#[test]
fn loom_attempts_by_the_word_have_no_more_between_them_than_there_is() {
    model(|| {
        let (_clock, limiter) = two();
        let other = spawn({
            let limiter = limiter.clone();
            move || u32::from(limiter.try_acquire(1).is_ok()) + u32::from(limiter.try_acquire(1).is_ok())
        });
        let granted = u32::from(limiter.try_acquire(1).is_ok()) + u32::from(limiter.try_acquire(1).is_ok());
        assert_eq!(granted + other.join().unwrap(), 2);
        assert_eq!(limiter.try_acquire(1), Err(TryAcquireError::NotYet { earliest: at(100) }));
    });
}

#[test]
fn loom_an_attempt_that_races_with_a_wait_leaves_it_its_turn() {
    model(|| {
        let (clock, limiter) = two();
        limiter.try_acquire(1).unwrap();
        let mut task = one(&limiter);
        let other = spawn({
            let limiter = limiter.clone();
            move || limiter.try_acquire(1)
        });
        let first = task.poll();
        let attempt = other.join().unwrap();
        assert_ne!(attempt.is_ok(), first.is_ready(), "one of them has the one that there is");
        if first.is_pending() {
            assert_eq!((clock.time().next(), clock.time().pending()), (at(100), 1));
            clock.jump_to(at(100));
            assert!(task.woken() && task.poll().is_ready());
        }
        let second = if first.is_pending() { 200 } else { 100 };
        assert_eq!(limiter.try_acquire(1), Err(TryAcquireError::NotYet { earliest: at(second) }));
    });
}

#[test]
fn loom_what_is_given_back_during_an_attempt_is_there_for_it_or_for_the_next() {
    model(|| {
        let (_clock, limiter) = two();
        let held = limiter.clone();
        let reserved = held.try_reserve(2).unwrap();
        let other = spawn({
            let limiter = limiter.clone();
            move || limiter.try_acquire(1).is_ok()
        });
        drop(reserved);
        let left = if other.join().unwrap() { 1 } else { 2 };
        assert_eq!(limiter.available(), left);
    });
}

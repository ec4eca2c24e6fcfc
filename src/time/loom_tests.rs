//! The alarm's contract (see [`Clock`]): no timer is left without an alarm, whoever registers, moves, drops and turns
//! at once.

use super::*;
use crate::sys::atomic::{GuardedU32, Ordering};
use crate::sys::model::{model, spawn};
use crate::sys::waker::hooked::counter;
use crate::sys::{Arc, Lock};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};

type Pinned = Pin<Box<Sleep>>;

/// A driver that keeps the minimum of what it was given, as [`Clock`] asks; its clock is set before the race.
#[derive(Clone)]
struct Driver {
    now: Arc<GuardedU32>,
    least: Arc<Lock<u64>>,
}

impl Clock for Driver {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.now.load(Ordering::Relaxed).into())
    }

    fn arm(&self, at: Instant) {
        self.least.with(|least| *least = at.as_nanos().min(*least));
    }
}

impl Driver {
    /// A driver whose clock stands at its epoch, and its time.
    fn new() -> (Self, Time) {
        let driver = Self { now: Arc::new(GuardedU32::new(0)), least: Arc::new(Lock::new(u64::MAX)) };
        (driver.clone(), Time::new(driver))
    }

    fn set(&self, now: u32) {
        self.now.store(now, Ordering::Relaxed);
    }

    /// What a driver does on ringing: forget, turn, arm.
    fn ring(&self, time: &Time) {
        self.least.with(|least| *least = u64::MAX);
        let next = time.turn();
        self.arm(next);
    }

    /// Nothing that waits is left without an alarm.
    fn check(&self, first: Option<u64>) {
        let least = self.least.with(|least| *least);
        assert!(first.is_none_or(|first| least <= first), "{first:?} has no alarm: {least}");
    }
}

fn sleep(time: &Time, at: u64) -> Pinned {
    Box::pin(time.sleep_until(Instant::from_nanos(at)))
}

fn poll(sleep: &mut Pinned, waker: &Waker) -> bool {
    sleep.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
}

/// Registers a sleep until each of `deadlines` on a thread of its own, while the driver rings at `now` with a sleep that
/// waits until `first`.
fn register_while_ringing(now: u32, first: u64, deadlines: &'static [u64]) {
    model(move || {
        let (driver, time) = Driver::new();
        let (count, waker) = counter();
        let mut sleeps = Vec::from([(sleep(&time, first), count)]);
        assert!(!poll(&mut sleeps[0].0, &waker));
        driver.set(now);
        let others = deadlines.iter().map(|&at| {
            let time = time.clone();
            spawn(move || {
                let (count, waker) = counter();
                let mut other = sleep(&time, at);
                if poll(&mut other, &waker) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                (other, count)
            })
        });
        let others: Vec<_> = others.collect();
        driver.ring(&time);
        sleeps.extend(others.into_iter().map(|other| other.join().unwrap()));
        let mut earliest = None;
        for (sleep, count) in &sleeps {
            let at = sleep.deadline().as_nanos();
            let told = count.load(Ordering::Relaxed);
            assert_eq!(told > 0, sleep.is_elapsed(), "ready, or woken");
            if told > 0 {
                assert!(at <= u64::from(now), "never early");
            } else {
                earliest = Some(earliest.map_or(at, |first| at.min(first)));
            }
        }
        assert!(sleeps[0].0.is_elapsed() == (first <= u64::from(now)));
        driver.check(earliest);
    });
}

#[test]
fn loom_a_later_sleep_registered_while_the_driver_rings_has_an_alarm() {
    register_while_ringing(10, 10, &[20]);
}

#[test]
fn loom_an_earlier_sleep_registered_while_the_driver_rings_too_early_has_an_alarm() {
    register_while_ringing(5, 10, &[7]);
    register_while_ringing(5, 10, &[12]);
}

#[test]
fn loom_two_sleeps_registered_while_the_driver_rings_have_an_alarm() {
    register_while_ringing(10, 10, &[30, 20]);
}

#[test]
fn loom_a_past_sleep_registered_while_the_driver_rings_is_fired_or_has_an_alarm() {
    register_while_ringing(10, 20, &[8, 30]);
}

#[test]
fn loom_two_turns_at_once_leave_nobody_without_an_alarm() {
    model(|| {
        let (driver, time) = Driver::new();
        driver.set(10);
        let (count, waker) = counter();
        let mut later = sleep(&time, 30);
        assert!(!poll(&mut later, Waker::noop()));
        let other = spawn({
            let (driver, time) = (driver.clone(), time.clone());
            move || driver.ring(&time)
        });
        let mut sooner = sleep(&time, 20);
        assert!(!poll(&mut sooner, &waker));
        driver.ring(&time);
        other.join().unwrap();
        driver.check(Some(20));
        assert_eq!(count.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn loom_a_sleep_that_is_moved_while_the_driver_rings_is_woken_or_has_an_alarm() {
    for (from, to) in [(10, 20), (20, 15), (20, 10)] {
        model(move || {
            let (driver, time) = Driver::new();
            let (count, waker) = counter();
            let mut moved = sleep(&time, from);
            assert!(!poll(&mut moved, &waker));
            driver.set(10);
            let other = spawn({
                let (driver, time) = (driver.clone(), time.clone());
                move || driver.ring(&time)
            });
            moved.as_mut().reset(Instant::from_nanos(to));
            other.join().unwrap();
            match (moved.is_elapsed(), time.pending()) {
                (true, 0) => assert!(to <= 10 && count.load(Ordering::Relaxed) == 1),
                (false, 1) => driver.check(Some(to)),
                (false, 0) => assert_eq!(count.load(Ordering::Relaxed), 1, "fired before it was moved"),
                state => panic!("{state:?}"),
            }
        });
    }
}

#[test]
fn loom_a_sleep_that_is_dropped_while_the_driver_rings_takes_nobody_along() {
    model(|| {
        let (driver, time) = Driver::new();
        driver.set(10);
        let (count, waker) = counter();
        let mut dropped = sleep(&time, 15);
        let mut stays = sleep(&time, 15);
        assert!(!poll(&mut dropped, Waker::noop()) && !poll(&mut stays, &waker));
        let other = spawn({
            let (driver, time) = (driver.clone(), time.clone());
            move || driver.ring(&time)
        });
        drop(dropped);
        other.join().unwrap();
        assert_eq!((time.pending(), count.load(Ordering::Relaxed)), (1, 0));
        driver.check(Some(15));
    });
}

#[test]
fn loom_a_sleep_registered_while_a_past_one_is_fired_has_an_alarm() {
    model(|| {
        let (driver, time) = Driver::new();
        driver.set(10);
        let other = spawn({
            let time = time.clone();
            move || assert!(poll(&mut sleep(&time, 8), Waker::noop()))
        });
        let mut later = sleep(&time, 30);
        assert!(!poll(&mut later, Waker::noop()));
        other.join().unwrap();
        driver.check(Some(30));
    });
}

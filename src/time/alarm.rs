//! An alarm that is a thread, for the clocks of machines with an operating system.

use super::instant::nanos;
use super::wheel::Wheel;
use super::{Clock, Instant, Time};
use crate::sys::kept::Lead;
use crate::sys::thread::{Bell, catch, start as start_thread};
use crate::sys::{Arc, OnceArc, Reading};
use core::time::Duration;

/// A thread that turns the timer queue of a clock, started when it is first needed; it ends when the clock is gone.
pub(super) struct Alarm(Arc<Driver>);

/// What a clock shares with its thread.
struct Driver {
    bell: Bell,
    wheel: OnceArc<Lead<Wheel>>,
}

/// The time of a clock that `clock` makes around its alarm, which rings up to `slack` late; it is read by `reading`.
pub(super) fn start<C: Clock>(slack: Duration, reading: Reading, clock: impl FnOnce(Alarm) -> C) -> Time {
    let driver = Arc::new(Driver { bell: Bell::new(nanos(slack)), wheel: OnceArc::new() });
    let time = Time::read_by(reading, clock(Alarm(driver.clone())));
    driver.wheel.get_or_init(|| Arc::new(time.wheel().lead()));
    time
}

impl Alarm {
    /// As [`Clock::arm`]; `now` reads the clock, in nanoseconds.
    ///
    /// # Panics
    /// If the operating system has no thread to give.
    pub(super) fn arm(&self, at: Instant, now: impl Fn() -> u64 + Send + 'static) {
        if self.0.bell.set(at.as_nanos()) {
            let driver = self.0.clone();
            if !start_thread("wakeful-clock", move || driver.run(now)) {
                self.0.bell.unset();
                panic!("the system gave no thread for the clock's alarm");
            }
        }
    }
}

impl Driver {
    fn run(&self, now: impl Fn() -> u64) {
        while self.bell.wait(&now) {
            let Some(wheel) = self.wheel.get().and_then(Lead::follow) else { return };
            let time = Time::of(wheel);
            // A waker that panics must not take everybody's alarm away: what is still due is fired in the next round.
            let next = catch(|| time.turn()).unwrap_or(Instant::EPOCH);
            self.bell.set(next.as_nanos());
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.bell.close();
    }
}

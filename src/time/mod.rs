//! Time: instants, clocks, the timer queue, sleeping, intervals.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | sleep, on a machine with an operating system | [`Time::system`], [`Time::sleep`] |
//! | read the clock a million times a second | `CounterClock`, with the feature `counter-clock` |
//! | do something every so often | [`Time::interval`] |
//! | move time by hand in a test | [`ManualClock`] |
//! | have time jump by itself in a test | `sim`, with the feature of that name |
//! | let the time of a runtime drive yours, its paused clock too | [`pump`] |
//! | drive the queue from a tick interrupt | your own [`Clock`] |
//! | know the date | [`Wall`] |
//!
//! A [`Clock`] is moved into [`Time::new`] once, so no two timer queues share an alarm. Everything else takes the cheap,
//! cloneable [`Time`]; no type of the kit carries the type of its clock.
//!
//! # How it works
//!
//! The timer queue is a hierarchical wheel with a tick of one nanosecond, whose entries live in the sleeping futures.
//! Registering, moving and cancelling are O(1). It fires in order of (deadline, registration), never early. The
//! invariants T1–T6 stand in `wheel.rs`, the contract of the alarm at [`Clock`].

pub(crate) mod buckets;
mod clock;
mod handle;
mod instant;
mod interval;
mod manual;
mod pump;
mod sleep;
mod wheel;

pub use clock::{Clock, Wall};
pub use handle::Time;
pub use instant::Instant;
pub use interval::{Interval, MissedTick, Tick};
pub use manual::ManualClock;
pub use pump::{Pump, pump};
pub use sleep::Sleep;

pub(crate) use instant::nanos;

crate::sys::with_system_clock! {
    mod alarm;
    mod system;
    pub use system::{SystemClock, SystemWall};
}

crate::sys::with_counter_clock! {
    mod counter;
    pub use counter::CounterClock;
}

#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

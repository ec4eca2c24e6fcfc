//! The platform: the only home of configuration switches.
//!
//! | part | what it hides |
//! |---|---|
//! | [`cell`] | a cell whose accesses loom checks, and what tells it of others |
//! | [`atomic`] | `core`'s atomics, `portable-atomic`, or loom's |
//! | [`arena`] | places in which many values lie pinned in few allocations |
//! | [`arc`] | a reference count that also exists without compare-and-swap |
//! | [`lock`] | a word to park on, a critical section, a spinlock, or loom's mutex, behind one method |
//! | `word` | the lock of hosts with threads |
//! | `attic` | what a thread keeps for later |
//! | [`handover`] | a place that values come back to, without a lock |
//! | `here` | which place this thread watches |
//! | [`joint`] | a future and what others share with it, in one place |
//! | [`pair`] | the two ends of one value that is sent once, in one allocation, without a lock |
//! | [`post`] | a value that is sent once, from one to another, without a lock |
//! | [`kept`] | a reference count that need not be kept for what is there for ever |
//! | `label` | what reports call a future |
//! | [`relay`] | a value that goes from hand to hand, without a lock |
//! | [`row`] | places for values that come and go, several in an allocation |
//! | [`shell`] | a value of which several have a share at once |
//! | [`once`] | a slot that is filled at most once, from any thread, without a lock |
//! | `trail` | which calls led to a place in the code |
//! | [`waker`] | a `Waker` made of an `Arc`, on targets that have no `alloc::task::Wake` |
//! | `reading` | clocks of the machine that are read without a detour |
//! | `monotonic` | the operating system's clock |
//! | [`stamp`] | a 64-bit number, atomic where a word has 64 bits |
//! | [`slot`] | the ambient slot of a thread, and what is being polled on its stack |
//! | `spot` | a place for a value that several parties reach in turn |
//! | `file` | the file that the environment names for recordings |
//! | `hush` | panics that are expected, kept off the terminal |
//! | `serial` | numbers in the order of making |
//! | [`mix`] | numbers that look random, and hashes |
//! | `stage` | what is simulated on a thread, for code without a handle |
//! | `marks` | the macros that mark places in code, and what they do where there is no simulator |
//! | [`Told`] | a value behind the lock, each use of which is told to those who look on |
//! | [`thread`] | parking, the alarm thread, panic capture |
//! | [`trace`] | spans and events for `tracing`: compiled to nothing without it |
//! | [`probe`] | the hook for those who look on: compiled to nothing unless somebody can |
//!
//! No other room names a feature, a target or a synchronisation primitive; `tests/house_rules.rs` checks it.

pub(crate) mod arc;
pub(crate) mod arena;
pub(crate) mod atomic;
#[cfg(feature = "sim")]
pub(crate) mod attic;
pub(crate) mod cell;
#[cfg(feature = "sim")]
pub(crate) mod file;
pub(crate) mod handover;
pub(crate) mod here;
#[cfg(feature = "sim")]
pub(crate) mod hush;
pub(crate) mod joint;
pub(crate) mod kept;
mod label;
pub(crate) mod lock;
pub(crate) mod marks;
pub(crate) mod mix;
#[cfg(test)]
pub(crate) mod model;
pub(crate) mod once;
pub(crate) mod pair;
pub(crate) mod post;
pub(crate) mod probe;
mod reading;
pub(crate) mod relay;
pub(crate) mod row;
#[cfg(feature = "docket")]
pub(crate) mod runs;
mod serial;
pub(crate) mod shell;
pub(crate) mod slot;
mod spot;
#[cfg(feature = "sim")]
pub(crate) mod stage;
pub(crate) mod stamp;
pub(crate) mod thread;
#[cfg(feature = "docket")]
pub(crate) mod ticks;
mod told;
pub(crate) mod trace;
#[cfg(feature = "sim")]
pub(crate) mod trail;
pub(crate) mod waker;
#[cfg(any(all(wakeful_loom, test), all(not(wakeful_loom), feature = "std", not(feature = "critical-section"))))]
mod word;

pub(crate) use arc::{Arc, Weak};
pub(crate) use lock::Lock;
pub(crate) use once::OnceArc;
pub(crate) use reading::{Counter, Reading};
pub(crate) use serial::serial;
pub(crate) use stamp::Stamp;
pub(crate) use told::Told;

/// Bits of a deadline that one level of the timer wheel sorts by: 64 slots a level, 16 where memory is scarce,
/// as in loom's models.
#[cfg(all(target_pointer_width = "64", not(wakeful_loom)))]
pub(crate) const WHEEL_BITS: u32 = 6;
/// Bits of a deadline that one level of the timer wheel sorts by: 64 slots a level, 16 where memory is scarce,
/// as in loom's models.
#[cfg(not(all(target_pointer_width = "64", not(wakeful_loom))))]
pub(crate) const WHEEL_BITS: u32 = 4;

/// Into how many parts what many threads use is split: a power of two. Few in loom's models, and where memory is scarce.
#[cfg(all(target_pointer_width = "64", not(wakeful_loom)))]
pub(crate) const SHARDS: usize = 64;
/// Into how many parts what many threads use is split: a power of two. Few in loom's models, and where memory is scarce.
#[cfg(not(all(target_pointer_width = "64", not(wakeful_loom))))]
pub(crate) const SHARDS: usize = 2;

/// Keeps its items where there is a standard library.
#[cfg(feature = "std")]
macro_rules! with_std {
    ($($item:item)*) => { $($item)* };
}
/// Keeps its items where there is a standard library.
#[cfg(not(feature = "std"))]
macro_rules! with_std {
    ($($item:item)*) => {};
}
pub(crate) use with_std;

/// Keeps its items where there is SQLite.
#[cfg(feature = "sqlite")]
macro_rules! with_sqlite {
    ($($item:item)*) => { $($item)* };
}
/// Keeps its items where there is SQLite.
#[cfg(all(feature = "docket", not(feature = "sqlite")))]
macro_rules! with_sqlite {
    ($($item:item)*) => {};
}
#[cfg(feature = "docket")]
pub(crate) use with_sqlite;

/// Keeps its items where there is the simulator.
#[cfg(feature = "sim")]
macro_rules! with_sim {
    ($($item:item)*) => { $($item)* };
}
/// Keeps its items where there is the simulator.
#[cfg(not(feature = "sim"))]
macro_rules! with_sim {
    ($($item:item)*) => {};
}
pub(crate) use with_sim;

/// Keeps its items where there are cron expressions.
#[cfg(feature = "cron")]
macro_rules! with_cron {
    ($($item:item)*) => { $($item)* };
}
/// Keeps its items where there are cron expressions.
#[cfg(all(feature = "docket", not(feature = "cron")))]
macro_rules! with_cron {
    ($($item:item)*) => {};
}
#[cfg(feature = "docket")]
pub(crate) use with_cron;

/// Keeps its items where the standard library has a clock and threads that work.
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
macro_rules! with_system_clock {
    ($($item:item)*) => { $($item)* };
}
/// Keeps its items where the standard library has a clock and threads that work.
#[cfg(not(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown")))))]
macro_rules! with_system_clock {
    ($($item:item)*) => {};
}
pub(crate) use with_system_clock;
with_system_clock! {
    mod monotonic;
    pub(crate) use monotonic::Monotonic;
}

/// Keeps its items where the system's clock has a counter of the processor beside it.
#[cfg(all(feature = "counter-clock", not(all(target_family = "wasm", target_os = "unknown"))))]
macro_rules! with_counter_clock {
    ($($item:item)*) => { $($item)* };
}
/// Keeps its items where the system's clock has a counter of the processor beside it.
#[cfg(not(all(feature = "counter-clock", not(all(target_family = "wasm", target_os = "unknown")))))]
macro_rules! with_counter_clock {
    ($($item:item)*) => {};
}
pub(crate) use with_counter_clock;

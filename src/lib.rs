//! A runtime-agnostic concurrency kit.
#![no_std]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod limit;
pub mod queue;
pub mod spawn;
mod sys;
pub mod time;
mod wait;

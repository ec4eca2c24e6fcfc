//! A runtime-agnostic concurrency kit.
#![no_std]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod spawn;
mod sys;
pub mod time;
mod wait;

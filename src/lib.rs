//! A runtime-agnostic concurrency kit.
#![no_std]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod cancel;
pub mod spawn;
#[cfg(feature = "sim")]
pub mod sim;
mod sys;
pub mod time;
mod wait;

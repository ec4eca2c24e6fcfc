//! A runtime-agnostic concurrency kit.
#![no_std]
#![cfg_attr(
    not(feature = "std"),
    allow(
        dead_code,
        reason = "the ambient scope and the system clock, which need std, are the only users of some parts"
    )
)]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod cancel;
pub mod limit;
pub mod queue;
#[cfg(feature = "sim")]
pub mod sim;
pub mod spawn;
mod sys;
pub mod time;
mod wait;
pub mod work;

pub use spawn::block_on_with;
sys::with_std! {
    pub use spawn::block_on;
}
sys::with_system_clock! {
    pub use cancel::{effective_deadline, fail_after, fail_at, move_on_after, move_on_at, now, sleep, sleep_until};
}

//! Starting tasks, on whatever runtime the caller has.
//!
//! | runtime | its one line |
//! |---|---|
//! | tokio | `\|t: Task\| { tokio::spawn(t); }` |
//! | smol | `\|t: Task\| smol::spawn(t).detach()` |
//! | async-std | `\|t: Task\| { async_std::task::spawn(t); }` |
//! | the simulator | `sim.spawner()` |
//!
//! Work that need not run in parallel needs no spawner at all. Work that blocks goes to a thread, by [`Offload`], which is
//! told how in one line too.
//!
//! [`block_on`] runs one future on the calling thread; [`block_on_with`] does so where there are no threads to park. A
//! [`Panic`] is one that was caught in somebody's code.

mod block_on;
mod offload;
mod panic;
mod task;

pub use block_on::block_on_with;
pub use offload::{Job, Offload};
pub use panic::Panic;
pub use task::{Spawn, Task};

crate::sys::with_std! {
    pub use block_on::block_on;
}

//! Work that blocks, in a run.

use super::handle::Sim;
use super::supply::Spawner;
use crate::spawn::{Job, Offload, Spawn, Task};
use crate::time::Time;
use alloc::borrow::ToOwned;
use core::fmt;
use core::time::Duration;

/// Runs work that blocks inline, each piece at the end of the virtual time that it is said to cost; made by
/// [`Sim::offloader`].
#[derive(Clone)]
pub struct Offloader {
    spawner: Spawner,
    time: Time,
    cost: Duration,
}

impl Offload for Offloader {
    fn offload(&self, job: Job) {
        let (sleep, name) = (self.time.sleep(self.cost), job.name().to_owned());
        let task = Task::new(async move {
            sleep.await;
            job.run();
        });
        self.spawner.spawn(task.named(name));
    }
}

impl fmt::Debug for Offloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offloader").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Sim {
    /// What has work done that blocks, to be given to the code under test. Each piece takes `cost` of virtual time, and then
    /// runs at once, on this thread: so it must not wait for what tasks of the run do.
    ///
    /// Pieces that nobody waits for may be under way when the root is done.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::offload;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, disk) = (Scope::new(sim.time()), sim.offloader(Duration::from_millis(8)));
    ///     let read = offload(&scope, &disk, "read", || "what is in the file");
    ///     assert_eq!(read.await.unwrap(), "what is in the file");
    ///     assert_eq!(sim.now().as_nanos(), 8_000_000);
    /// });
    /// ```
    pub fn offloader(&self, cost: Duration) -> Offloader {
        Offloader { spawner: self.background_spawner(), time: self.time(), cost }
    }
}

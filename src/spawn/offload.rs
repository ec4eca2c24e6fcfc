//! Work that blocks, on its way to a thread.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;

/// Has work done that blocks, on some thread other than the caller's. Every `Fn(Job)` does.
///
/// | runtime | its one line |
/// |---|---|
/// | tokio | `\|job: Job\| { tokio::task::spawn_blocking(\|\| job.run()); }` |
/// | the `blocking` crate, under any other | `\|job: Job\| blocking::unblock(\|\| job.run()).detach()` |
/// | plain threads | `\|job: Job\| { std::thread::spawn(\|\| job.run()); }` |
/// | the simulator | `sim.offloader(cost)` |
///
/// To be taken by code that blocks, so that its caller chooses the threads. Who waits for the result is
/// [`offload`](crate::task::offload()).
pub trait Offload {
    /// Has `job` run soon. Dropping it instead tells whoever waits that it will not be done.
    fn offload(&self, job: Job);
}

impl<F: Fn(Job)> Offload for F {
    fn offload(&self, job: Job) {
        self(job);
    }
}

/// A piece of work that blocks, with a name for reports.
#[must_use = "a job is done when it is run"]
pub struct Job {
    name: Cow<'static, str>,
    work: Box<dyn FnOnce() + Send>,
}

impl Job {
    /// A job that does `work`. The name may be empty.
    pub fn new(name: impl Into<Cow<'static, str>>, work: impl FnOnce() + Send + 'static) -> Self {
        Self { name: name.into(), work: Box::new(work) }
    }

    /// Its name; empty if it has none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does it, on this thread.
    pub fn run(self) {
        (self.work)();
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("name", &self.name).finish_non_exhaustive()
    }
}

//! Cleanup that survives whatever drops a future.

use crate::spawn::{Spawn, Task};
use core::fmt;

/// Starts `task` when what is returned is dropped, unless it is [disarmed](Deferred::disarm) before.
///
/// For cleanup that waits, and must happen although somebody drops the future that it belongs to: a `select!`, an abort, a
/// [run](super::Run) whose scope was cancelled. A [shield](super::Scope::shield) holds none of these but the last up; a task
/// of its own is not reached by any of them. It is in no scope, and nobody waits for it, so it bounds itself. While a whole
/// runtime ends, a task that is started then may never be polled: nothing that awaits survives that.
///
/// # Panics
/// Not this, but `spawner` may, when the task is started: tokio's does where there is no runtime. In a destructor that runs
/// because of another panic, a second one ends the process.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::{Scope, defer};
/// use wakeful::spawn::Task;
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let (done, time, second) = (std::sync::Arc::new(std::sync::Mutex::new(None)), sim.time(), Duration::from_secs(1));
///     let noted = done.clone();
///     let unlock = Task::new(async move {
///         time.sleep(2 * second).await; // asks a server to forget about us
///         *noted.lock().unwrap() = Some(time.now().as_nanos());
///     });
///     let outcome = scope.move_on_after(second, async |s| {
///         let _unlock = defer(sim.spawner(), unlock.named("unlock"));
///         s.sleep(9 * second).await;
///     });
///     assert!(outcome.await.is_cancelled());
///     assert_eq!(sim.now().as_nanos(), 1_000_000_000, "nobody waits for it");
///     scope.sleep(5 * second).await;
///     assert_eq!(*done.lock().unwrap(), Some(3_000_000_000));
/// });
/// ```
pub fn defer<S: Spawn>(spawner: S, task: Task) -> Deferred<S> {
    Deferred(Some((spawner, task)))
}

/// A task that is started when this is dropped; made by [`defer`].
#[must_use = "the task is started as soon as this is dropped"]
pub struct Deferred<S: Spawn>(Option<(S, Task)>);

impl<S: Spawn> Deferred<S> {
    /// Gives the task back: it is not started by this any more.
    pub fn disarm(mut self) -> Task {
        let Some((_, task)) = self.0.take() else { unreachable!("it is there until this is dropped") };
        task
    }

    /// Starts the task now.
    pub fn start(self) {}
}

impl<S: Spawn> Drop for Deferred<S> {
    fn drop(&mut self) {
        if let Some((spawner, task)) = self.0.take() {
            spawner.spawn(task);
        }
    }
}

impl<S: Spawn> fmt::Debug for Deferred<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deferred").field(&self.0.as_ref().map(|(_, task)| task)).finish()
    }
}

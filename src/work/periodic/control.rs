//! What a run shares with those who stop and watch it.

use super::report::PeriodicCount;
use crate::sync::{Event, Notify, Wait};
use crate::sys::{Arc, Told};
use core::fmt;

struct Shared {
    stop: Event,
    trigger: Notify,
    ended: Event,
    count: Told<PeriodicCount>,
}

/// Stops a [periodic](super::periodic()) run, hurries it, and watches it; made by [`Periodic::control`](super::Periodic::control).
/// Clones control the same run.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::work::periodic;
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, hour) = (Scope::new(sim.time()), Duration::from_secs(3_600));
///     let sweep = periodic(hour, |_| async { Ok::<_, ()>(()) }).first_after(hour);
///     let control = sweep.control();
///     let task = sim.spawn("sweep", async move { sweep.run(&scope).await });
///     sim.time().sleep(Duration::from_secs(60)).await;
///     control.trigger(); // an hour is too long to wait just now
///     sim.idle().await;
///     assert_eq!(control.count().done, 1);
///     control.stop();
///     assert_eq!(task.await.count.done, 1);
///     assert!(control.is_ended());
/// });
/// ```
#[derive(Clone)]
pub struct PeriodicControl(Arc<Shared>);

impl PeriodicControl {
    /// Asks the run to end: no iteration begins any more, and one that runs comes to its end. A stop before the run makes it
    /// end at once. To wait for it, await [`ended`](Self::ended).
    pub fn stop(&self) {
        self.0.stop.set();
    }

    /// Lets an iteration begin now or, if one runs, after that. Several are one. The schedule stays as it is.
    pub fn trigger(&self) {
        self.0.trigger.notify_one();
    }

    /// Waits until the run has ended, or was dropped: no iteration runs, and none will.
    pub fn ended(&self) -> Wait<'_> {
        self.0.ended.wait()
    }

    /// Whether the run has ended, or was dropped.
    pub fn is_ended(&self) -> bool {
        self.0.ended.is_set()
    }

    /// How the iterations so far ended.
    pub fn count(&self) -> PeriodicCount {
        self.0.count.read(|count| *count)
    }
}

impl fmt::Debug for PeriodicControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeriodicControl").field("ended", &self.is_ended()).field("count", &self.count()).finish()
    }
}

/// The run's end of it. Dropped, the run has ended.
pub(super) struct Ending(PeriodicControl);

impl Ending {
    #[track_caller]
    pub(super) fn new() -> Self {
        let (stop, trigger, ended) = (Event::new(), Notify::new(), Event::new());
        Self(PeriodicControl(Arc::new(Shared { stop, trigger, ended, count: Told::new(PeriodicCount::new()) })))
    }

    pub(super) fn control(&self) -> PeriodicControl {
        self.0.clone()
    }

    pub(super) fn count(&self) -> PeriodicCount {
        self.0.count()
    }

    /// What asks the run to end, and what asks it for an iteration.
    pub(super) fn signals(&self) -> (&Event, &Notify) {
        (&self.0.0.stop, &self.0.0.trigger)
    }

    /// An iteration begins.
    pub(super) fn begin(&self) -> Running<'_> {
        Running(&self.0.0, |count| &mut count.cancelled)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.0.ended.set();
    }
}

type Place = fn(&mut PeriodicCount) -> &mut u64;

/// An iteration that runs. It is counted when this is dropped: as cancelled, unless its end was seen.
pub(super) struct Running<'a>(&'a Shared, Place);

impl Running<'_> {
    pub(super) fn ended(mut self, place: Place) {
        self.1 = place;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.count.with(|count| *self.1(count) += 1);
    }
}

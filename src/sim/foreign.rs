//! Wake-ups from other threads: an error, or waited for.
//!
//! What other threads do takes real time, and when they wake somebody is chance. So their wake-ups are kept until nobody is
//! ready, and if [holds](Hold) say that there are more to come, until there are none: then they are let in together, which
//! leaves less to chance.

use super::handle::Sim;
use super::report::FailureKind;
use super::trace::Phase;
use super::verdict::Verdict;
use super::world::{Core, World};
use crate::sys::Arc;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// What is known of other threads.
pub(super) struct Foreign {
    /// How long they may keep the run waiting; `None`: they may wake nobody.
    patience: Option<Duration>,
    /// Whom they woke.
    wakes: Vec<(u32, u32)>,
    holds: usize,
}

impl Foreign {
    pub(super) fn new(patience: Option<Duration>) -> Self {
        Self { patience, wakes: Vec::new(), holds: 0 }
    }

    /// Whether any wake-up has not been let in yet.
    pub(super) fn has_wakes(&self) -> bool {
        !self.wakes.is_empty()
    }

    /// Whether a wake-up of this tenant of a number has not been let in yet.
    pub(super) fn woke(&self, number: u32, tenant: u32) -> bool {
        self.wakes.contains(&(number, tenant))
    }
}

/// Says that another thread is at work for a run, and will wake somebody; made by [`Sim::hold`].
///
/// While there is one, and nobody is ready, the run waits in real time, and virtual time stands still. Give it to the
/// thread, which drops it when it has woken whom it had to wake.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use futures::channel::oneshot;
/// use wakeful::sim::Builder;
///
/// let patient = Builder::new().foreign_wakes(Duration::from_secs(60));
/// patient.check(|sim| async move {
///     let (tx, rx) = oneshot::channel();
///     let hold = sim.hold();
///     std::thread::spawn(move || {
///         tx.send(6 * 7).unwrap();
///         drop(hold);
///     });
///     assert_eq!(rx.await, Ok(42));
///     assert_eq!(sim.now().as_nanos(), 0);
/// });
/// ```
#[must_use = "it holds nothing once it is dropped"]
pub struct Hold(Arc<World>);

impl Sim {
    /// Lets the run wait, in real time, for another thread until what this gives is dropped.
    ///
    /// # Panics
    /// If [`Builder::foreign_wakes`](super::Builder::foreign_wakes) does not allow other threads to wake anybody.
    #[track_caller]
    pub fn hold(&self) -> Hold {
        let allowed = self.world().core.with(|core| {
            core.foreign.holds += 1;
            core.foreign.patience.is_some()
        });
        let hold = Hold(self.world().clone());
        assert!(allowed, "the run waits for no thread: see `Builder::foreign_wakes`");
        hold
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.core.with(|core| core.foreign.holds -= 1);
        self.0.home.unpark();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

impl World {
    /// Wakes a task on behalf of another thread.
    #[cold]
    pub(super) fn wake_from_elsewhere(&self, number: u32, tenant: u32) {
        self.core.with(|core| {
            if core.closed || !core.lives_as(number, tenant) {
                return;
            }
            match core.foreign.patience {
                Some(_) => core.foreign.wakes.push((number, tenant)),
                None => core.intruded(number),
            }
        });
        self.home.unpark();
    }

    /// Lets wake-ups of other threads in, when nobody is ready. Where they are still at work it waits for them: until all
    /// holds are gone, or, at the last, for any wake-up. False: nothing has changed by it.
    pub(super) fn let_in(&self, at_last: bool) -> bool {
        let Some(patience) = self.core.with(|core| core.foreign.patience) else { return false };
        let is_done =
            || self.core.with(|Core { foreign, .. }| foreign.holds == 0 && !(at_last && foreign.wakes.is_empty()));
        if !is_done() && !self.home.park_until(is_done, patience) {
            self.core.with(|core| core.waited_in_vain(patience));
            return true;
        }
        self.core.with(|core| {
            let wakes = core::mem::take(&mut core.foreign.wakes);
            core.enter(Phase::Outside);
            wakes.iter().for_each(|&(number, tenant)| core.wake(number, tenant));
            !wakes.is_empty()
        })
    }
}

impl Core {
    fn intruded(&mut self, number: u32) {
        if self.verdict.is_none() {
            let task = self.describe(number);
            let message =
                format!("`{}` was woken by another thread, which `Builder::foreign_wakes` may allow", task.label());
            let verdict =
                Verdict { kind: FailureKind::ForeignWake, message, place: None, task: Some(task), waker_of: None };
            self.verdict = Some(Box::new(verdict));
        }
    }

    fn waited_in_vain(&mut self, patience: Duration) {
        let message = match self.foreign.holds {
            0 => format!("nobody is ready, no timer is left, and no other thread woke anybody within {patience:?}"),
            holds => format!(
                "nobody is ready, and of what other threads hold, {holds} is not given back within {patience:?}"
            ),
        };
        let verdict = Verdict { kind: FailureKind::Deadlock, message, place: None, task: None, waker_of: None };
        self.verdict.get_or_insert_with(|| Box::new(verdict));
    }
}

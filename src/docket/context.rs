//! What a run is given.

use super::{AddError, Claimed, Docket, Generation, Renewal, Renewed, StoreError, Task, When};
use crate::cancel::Scope;
use crate::sys::ticks::Ticks;
use crate::sys::{Arc, Told};
use alloc::vec;
use core::any::Any;
use core::fmt;
use core::time::Duration;
use serde::Serialize;
use serde_json::Value;

/// What a run knows, and what it can do about itself. Clones are of the same run.
///
/// It is displayed as what a line in a log should say of a run: task, key, worker and attempt.
///
/// # Examples
/// ```
/// use wakeful::cancel::Scope;
/// use wakeful::docket::{Cx, Docket, Policy, Registry};
///
/// wakeful::sim::run(|sim| async move {
///     let run = async |(): (), cx: Cx| Ok::<_, String>(format!("{cx}: sent"));
///     let docket = Docket::new(&sim.time(), Registry::new().closure("mail", Policy::new(), run).unwrap());
///     let mail = docket.raw("mail", ()).unwrap().key("7").send().await.unwrap().handle;
///     docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
///     assert_eq!(mail.result().await.unwrap(), "task=mail key=7 worker=w attempt=1: sent");
/// });
/// ```
#[derive(Clone)]
pub struct Cx(Arc<Inner>);

struct Inner {
    docket: Docket,
    scope: Scope,
    worker: Arc<str>,
    lease: Duration,
    claimed: Claimed,
    next: Told<Next>,
}

/// What comes after a run under its key.
#[derive(Clone, Debug, Default)]
pub(super) enum Next {
    /// What the policy says.
    #[default]
    Policy,
    /// Nothing.
    Nothing,
    /// Another run, with these arguments or the same; at the next of these ticks, if there are some.
    Again(Option<Value>, When, Option<Ticks>),
}

impl Cx {
    pub(super) fn new(docket: &Docket, scope: Scope, worker: &Arc<str>, lease: Duration, claimed: Claimed) -> Self {
        let next = Told::new(Next::Policy);
        Self(Arc::new(Inner { docket: docket.clone(), scope, worker: worker.clone(), lease, claimed, next }))
    }

    pub(super) fn claimed(&self) -> &Claimed {
        &self.0.claimed
    }

    /// The scope of this attempt, whose deadline is the task's timeout. If it is cancelled the run ends as
    /// [cancelled](super::Ending::Cancelled), and is its last one.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// The docket, for tasks that add others.
    pub fn docket(&self) -> &Docket {
        &self.0.docket
    }

    /// The task's name.
    pub fn name(&self) -> &str {
        &self.0.claimed.name
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.0.claimed.key
    }

    /// Which row of the key.
    pub fn generation(&self) -> Generation {
        self.0.claimed.generation
    }

    /// Which worker.
    pub fn worker(&self) -> &str {
        &self.0.worker
    }

    /// Which attempt, from 1: one more after each error.
    pub fn attempt(&self) -> u32 {
        self.0.claimed.attempt
    }

    /// The Unix time that it was added for: the tick, of what repeats at those of a cron expression.
    pub fn planned(&self) -> Option<Duration> {
        self.0.claimed.planned
    }

    /// How often this attempt was claimed, from 1: more than once if a run was lost.
    pub fn delivery(&self) -> u32 {
        self.0.claimed.delivery
    }

    /// What the [registry](super::Registry::provide) shares, by its type.
    pub fn get<D: Any>(&self) -> Option<&D> {
        self.0.docket.registry().get()
    }

    /// Has the timeout end so long from now.
    pub fn extend(&self, timeout: Duration) {
        self.0.scope.set_deadline(self.0.scope.now() + timeout);
    }

    /// Writes down how far it is, for [`Handle::row`](super::Handle::row) and snapshots. False: the lease is lost, and another
    /// worker has the task by now.
    ///
    /// # Cancel safety
    /// It may be written down or not.
    ///
    /// # Errors
    /// If the store can't.
    pub async fn progress(&self, progress: impl Into<Value>) -> Result<bool, StoreError> {
        let claimed = &self.0.claimed;
        let runs = vec![(claimed.key.clone(), claimed.fence, Some(progress.into()))];
        let renewed = self.0.docket.store().renew(&Renewal { lease: self.0.lease, runs }).await?;
        Ok(renewed.first() != Some(&Renewed::Lost))
    }

    /// Runs once more under this key, with the same fields, however this run ends, unless it is cancelled; instead of what the
    /// policy says. At a date only if the store has a wall clock: where it has none, the worker can't write the end of the run
    /// down, and ends with that error.
    pub fn again(&self, due: When) {
        self.set_next(Next::Again(None, due, None));
    }

    /// The same with other fields.
    ///
    /// # Errors
    /// If they can't be written down.
    pub fn again_with<T: Task>(&self, task: &T, due: When) -> Result<(), AddError> {
        self.again_raw(task, due)
    }

    /// The same for tasks that are closures.
    ///
    /// # Errors
    /// If they can't be written down.
    pub fn again_raw(&self, args: impl Serialize, due: When) -> Result<(), AddError> {
        let add = self.0.docket.raw(self.name(), args)?;
        let args = add.entry().args.clone();
        self.set_next(Next::Again(Some(args), due, None));
        Ok(())
    }

    /// Is the last run, though the policy repeats it.
    pub fn last(&self) {
        self.set_next(Next::Nothing);
    }

    pub(super) fn set_next(&self, next: Next) {
        let before = self.0.next.with(|place| core::mem::replace(place, next));
        drop(before);
    }

    pub(super) fn next(&self) -> Next {
        self.0.next.read(Next::clone)
    }
}

impl fmt::Display for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, key, worker) = (self.name(), self.key(), self.worker());
        write!(f, "task={name} key={key} worker={worker} attempt={}", self.attempt())
    }
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claimed = &self.0.claimed;
        f.debug_struct("Cx").field("name", &claimed.name).field("key", &claimed.key).finish_non_exhaustive()
    }
}

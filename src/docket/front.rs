//! The docket itself: tasks are added here.

use super::registry::{Kind, Registry};
use super::{
    AddError, Answer, Cancelled, Existing, Generation, Handle, MemoryStore, Put, Settle, Snapshot, Store, Strike,
    StrikeId, Task, When, Worker,
};
use crate::sys::Arc;
use crate::time::Time;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use serde_json::Value;

/// Tasks that are added, and worked on by [`Worker`]s. Clones are the same docket.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::docket::{Cx, Docket, Policy, Registry};
///
/// wakeful::sim::run(|sim| async move {
///     let registry = Registry::new()
///         .closure("add", Policy::new(), async |(a, b): (u32, u32), _: Cx| Ok::<_, String>(a + b))
///         .unwrap();
///     let docket = Docket::new(&sim.time(), registry);
///     let added = docket.raw("add", (2, 3)).unwrap().key("sum").after(Duration::from_secs(60)).send().await.unwrap();
///     docket.worker("w1").until_finished(&Scope::new(sim.time())).await.unwrap();
///     assert_eq!(added.handle.result().await.unwrap(), 5);
///     assert_eq!(sim.now().as_nanos(), 60_000_000_000);
/// });
/// ```
#[derive(Clone)]
pub struct Docket(Arc<Core>);

struct Core {
    time: Time,
    store: Box<dyn Store>,
    registry: Registry,
}

impl Docket {
    /// One in memory.
    pub fn new(time: &Time, registry: Registry) -> Self {
        Self::on(MemoryStore::new(time), time, registry)
    }

    /// One whose tasks are in `store`. Workers measure timeouts and leases by `time`.
    pub fn on(store: impl Store, time: &Time, registry: Registry) -> Self {
        Self(Arc::new(Core { time: time.clone(), store: Box::new(store), registry }))
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    /// The tasks that it knows.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(super) fn time(&self) -> &Time {
        &self.0.time
    }

    /// Begins to add a task; [`Add::send`] does it.
    ///
    /// # Errors
    /// If no task of that name is registered, a limit names a field that it doesn't have, or the fields can't be written down.
    pub fn add<T: Task>(&self, task: &T) -> Result<Add<T::Output>, AddError> {
        self.build(T::NAME, serde_json::to_value(task))
    }

    /// The same by name: for closures, and for fields that come from elsewhere. The handle gives its result as a [`Value`].
    ///
    /// # Errors
    /// As [`add`](Self::add), and if the task can't read the fields.
    pub fn raw(&self, name: &str, args: impl serde::Serialize) -> Result<Add<Value>, AddError> {
        self.build(name, serde_json::to_value(args))
    }

    fn build<O>(&self, name: &str, args: Result<Value, serde_json::Error>) -> Result<Add<O>, AddError> {
        use alloc::string::ToString;
        let kind = self.kind(name)?;
        let args = args.map_err(|error| AddError::Args { name: name.to_owned(), why: error.to_string() })?;
        Ok(Add { docket: self.clone(), entry: kind.entry(name, args)?, output: PhantomData })
    }

    fn kind(&self, name: &str) -> Result<&Kind, AddError> {
        self.0.registry.kind(name).ok_or_else(|| AddError::Unknown { name: name.to_owned() })
    }

    /// A worker of this name. Several may work on one docket.
    pub fn worker(&self, name: &str) -> Worker {
        Worker::new(self.clone(), name)
    }

    /// Ends what is queued under this key; what runs is told that it has `grace` left.
    ///
    /// # Errors
    /// If the store can't.
    pub fn cancel(&self, key: &str, grace: Duration) -> Answer<'_, Cancelled> {
        self.store().cancel(key, grace)
    }

    /// Moves what is queued under this key; false if nothing is.
    ///
    /// # Errors
    /// If the store can't.
    pub fn reschedule(&self, key: &str, due: When) -> Answer<'_, bool> {
        self.store().reschedule(key, due)
    }

    /// Ends all that is queued, and says how much. What runs goes on, strikes stay.
    ///
    /// # Errors
    /// If the store can't.
    pub fn clear(&self) -> Answer<'_, usize> {
        self.store().clear()
    }

    /// Keeps tasks from being added and run.
    ///
    /// # Errors
    /// If the store can't.
    pub fn strike(&self, strike: Strike) -> Answer<'_, StrikeId> {
        self.store().strike(strike)
    }

    /// Takes a strike back; false if it isn't there.
    ///
    /// # Errors
    /// If the store can't.
    pub fn restore(&self, strike: StrikeId) -> Answer<'_, bool> {
        self.store().restore(strike)
    }

    /// All there is: rows, gates, strikes.
    ///
    /// # Errors
    /// If the store can't.
    pub fn snapshot(&self) -> Answer<'_, Snapshot> {
        self.store().scan()
    }

    pub(super) fn handle<O>(&self, key: String, generation: Generation) -> Handle<O> {
        Handle::new(self.clone(), key, generation)
    }
}

impl fmt::Debug for Docket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Docket").field("tasks", &self.0.registry).finish_non_exhaustive()
    }
}

/// A task that is about to be added.
#[must_use = "nothing is added before it is sent"]
#[derive(Clone, Debug)]
pub struct Add<O> {
    docket: Docket,
    entry: super::Entry,
    output: PhantomData<fn() -> O>,
}

impl<O> Add<O> {
    /// Under a key, which has one row at a time. Without one the store makes up a new one.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.entry.key = key.into();
        self
    }

    /// Due after this time.
    pub fn after(mut self, after: Duration) -> Self {
        self.entry.due = When::In(after);
        self
    }

    /// Due at this Unix time.
    pub fn at(mut self, unix: Duration) -> Self {
        self.entry.due = When::At(unix);
        self
    }

    /// With another priority than the task's, for this one: what follows when it repeats has the task's.
    pub fn priority(mut self, priority: i32) -> Self {
        self.entry.priority = priority;
        self
    }

    /// Takes the place of what is queued under the key, and follows what runs.
    pub fn replace(mut self) -> Self {
        self.entry.existing = Existing::Replace;
        self
    }

    /// Takes the place of what is queued under the key, if that is of this generation.
    pub fn replace_if(mut self, generation: Generation) -> Self {
        self.entry.existing = Existing::ReplaceIf(generation);
        self
    }

    /// Runs once more after what runs under the key.
    pub fn follow(mut self) -> Self {
        self.entry.existing = Existing::Follow;
        self
    }

    /// Is put off with each add of the same key, until none has come for `quiet`; no longer than `at_most` after the first.
    pub fn settle(mut self, quiet: Duration, at_most: Duration) -> Self {
        self.entry.settle = Some(Settle { quiet, at_most });
        self
    }

    pub(super) fn entry(&self) -> &super::Entry {
        &self.entry
    }

    /// Adds it.
    ///
    /// # Cancel safety
    /// It may be added or not. Under a key another try finds it, if it was.
    ///
    /// # Errors
    /// If it is struck, or the store can't. A key that is taken is no error: [`Added::put`] tells, and the handle is that of the
    /// row that was there.
    pub async fn send(self) -> Result<Added<O>, AddError> {
        let (name, key) = (self.entry.name.clone(), self.entry.key.clone());
        let put = self.docket.store().put(self.entry).await.map_err(AddError::Store)?;
        let generation = match put {
            Put::Added(generation) | Put::Replaced(generation) | Put::Following(generation) => generation,
            Put::Exists { generation, .. } => generation,
            Put::Gone => return Err(AddError::Gone { key }),
            Put::Struck(strike) => return Err(AddError::Struck { name, strike }),
        };
        let key = if key.is_empty() { generation.key_of(&name) } else { key };
        Ok(Added { put, handle: self.docket.handle(key, generation) })
    }
}

/// What was added, or was there.
#[derive(Clone, Debug)]
pub struct Added<O> {
    /// What became of it.
    pub put: Put,
    /// The row that is there now.
    pub handle: Handle<O>,
}

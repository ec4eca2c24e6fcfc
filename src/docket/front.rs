//! The docket itself: tasks are added here.

use super::handle::Key;
use super::registry::{Kind, Registry};
use super::{
    AddError, Answer, Cancelled, Event, Existing, GateUse, Generation, Handle, MemoryStore, Put, Settle, Snapshot,
    Store, StoreError, Strike, StrikeId, Task, When, Worker,
};
use crate::flow::topic::{Slow, Subscriber, Topic};
use crate::sys::Arc;
use crate::sys::once::OnceArc;
use crate::sys::ticks::Ticks;
use crate::time::Time;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroUsize;
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
    /// Made for the first who listens.
    events: OnceArc<Topic<Event>>,
}

impl Docket {
    /// One in memory.
    pub fn new(time: &Time, registry: Registry) -> Self {
        Self::on(MemoryStore::new(time), time, registry)
    }

    /// One whose tasks are in `store`. Workers measure timeouts and leases by `time`.
    pub fn on(store: impl Store, time: &Time, registry: Registry) -> Self {
        let events = OnceArc::new();
        Self(Arc::new(Core { time: time.clone(), store: Box::new(store), registry, events }))
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

    /// What becomes of tasks from now on, as it happens: what the workers over this docket and its clones do, what ends in the store
    /// without a run (as struck, dropped, dead, replaced, cancelled), and what is refused because it is struck. A
    /// [stream](Subscriber::into_stream) too.
    ///
    /// No worker waits for whoever listens: of more than [`EVENTS`](Self::EVENTS) that were not read the oldest are missed, and how
    /// many is [told](crate::flow::topic::RecvError). Other processes are not heard, and of a store what it [tells](Store::listen).
    ///
    /// # Examples
    /// ```
    /// use wakeful::cancel::Scope;
    /// use wakeful::docket::{Docket, Ending, EventKind, Registry, Trace};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let docket = Docket::new(&sim.time(), Registry::new().builtins().unwrap());
    ///     let mut events = docket.events();
    ///     docket.add(&Trace::with("hello")).unwrap().key("k").send().await.unwrap();
    ///     docket.worker("w").until_finished(&Scope::new(sim.time())).await.unwrap();
    ///     let (begun, ended) = (events.recv().await.unwrap(), events.recv().await.unwrap());
    ///     assert_eq!((begun.key.as_str(), begun.worker.as_str(), begun.kind), ("k", "w", EventKind::Begun));
    ///     assert_eq!(ended.kind, EventKind::Ended(Ending::Done("hello".into())));
    /// });
    /// ```
    pub fn events(&self) -> Subscriber<Event> {
        let made = Arc::new(Topic::new(Self::EVENTS));
        let topic = self.0.events.get_or_init(|| made.clone());
        let events = topic.subscribe(Slow::DropOldest);
        if Arc::ptr_eq(&topic, &made) {
            let core = Arc::downgrade(&self.0);
            self.store().listen(Box::new(move |event| {
                let core = core.upgrade().map(Self);
                core.inspect(|docket| docket.tell(event)).is_some()
            }));
        }
        events
    }

    /// How many events are kept for whoever listens, and is slow.
    pub const EVENTS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

    /// Where events go, if somebody listens.
    pub(super) fn topic(&self) -> Option<&Topic<Event>> {
        self.0.events.get().filter(|topic| topic.subscribers() > 0)
    }

    pub(super) fn tell(&self, event: &Event) {
        if let Some(topic) = self.topic() {
            // There is room: who is slow misses the oldest ones.
            let _ = topic.try_publish(event.clone());
        }
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
        let settle = kind.policy.settle;
        let tick = kind.ticks.clone().filter(|_| settle.is_none());
        let mut entry = kind.entry(name, args)?;
        entry.settle = settle;
        Ok(Add { docket: self.clone(), name: kind.name.clone(), entry, tick, output: PhantomData })
    }

    /// Adds many at once: with a store that can, in one transition. With what became of each, in order: from the one on at which
    /// the store fails, none is added.
    ///
    /// # Cancel safety
    /// Any of the first ones may be added, and the others not. Under a key another try finds it, if it was.
    ///
    /// # Examples
    /// ```
    /// use wakeful::docket::{Docket, Fail, Registry};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let docket = Docket::new(&sim.time(), Registry::new().builtins().unwrap());
    ///     let add = |n: u32| docket.add(&Fail::with(n.to_string())).unwrap().key(n.to_string());
    ///     let added = docket.add_all([1, 2, 3].map(add)).await;
    ///     let keys: Vec<_> = added.iter().map(|added| added.as_ref().unwrap().handle.key()).collect();
    ///     assert_eq!(keys, ["1", "2", "3"]);
    /// });
    /// ```
    pub async fn add_all<O>(&self, adds: impl IntoIterator<Item = Add<O>>) -> Vec<Result<Added<O>, AddError>> {
        let (mut all, mut entries) = (Vec::new(), Vec::new());
        for add in adds {
            all.push(add.prepared().await.map(|(name, entry)| {
                let key = entry.key.clone();
                entries.push(entry);
                (name, key)
            }));
        }
        let (puts, failed) = match self.store().put_all(entries).await {
            Ok(done) => done,
            Err(error) => (Vec::new(), Some(error)),
        };
        let failed = failed.unwrap_or_else(|| StoreError::Failed("it did not say what became of it".into()));
        let mut puts = puts.into_iter();
        let mut outcome = |(name, key)| match puts.next() {
            Some(put) => self.clone().added(name, key, put),
            None => Err(AddError::Store(failed.clone())),
        };
        all.into_iter().map(|added| added.and_then(&mut outcome)).collect()
    }

    fn added<O>(self, name: Arc<str>, key: String, put: Put) -> Result<Added<O>, AddError> {
        let generation = match put {
            Put::Added(generation) | Put::Replaced(generation) | Put::Following(generation) => generation,
            Put::Exists { generation, .. } => generation,
            Put::Gone => return Err(AddError::Gone { key }),
            Put::Struck(strike) => {
                self.tell(&Event::refused(&name, &key, strike));
                return Err(AddError::Struck { name: name.as_ref().into(), strike });
            }
        };
        let key = if key.is_empty() { Key::made_up(name) } else { Key::Given(key) };
        Ok(Added { put, handle: Handle::new(self, key, generation) })
    }

    /// How the limits are used that a task with these fields is under, in the order of its policy.
    ///
    /// # Cancel safety
    /// It only looks.
    ///
    /// # Errors
    /// As [`add`](Self::add), and if the store can't.
    ///
    /// # Examples
    /// ```
    /// use wakeful::docket::{Cx, Docket, Limit, Policy, Registry};
    ///
    /// const POLICY: Policy = Policy::new().limits(&[Limit::at_most(2).per("user")]);
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let run = async |_: serde_json::Value, _: Cx| Ok::<_, String>(());
    ///     let docket = Docket::new(&sim.time(), Registry::new().closure("mail", POLICY, run).unwrap());
    ///     let usage = docket.gate_usage("mail", serde_json::json!({ "user": 7 })).await.unwrap();
    ///     assert_eq!((usage[0].held, usage[0].waiting), (0, 0));
    /// });
    /// ```
    pub async fn gate_usage(&self, name: &str, args: impl serde::Serialize) -> Result<Vec<GateUse>, AddError> {
        let gates = self.raw(name, args)?.entry.gates;
        let mut used = self.snapshot().await.map_err(AddError::Store)?.gates;
        let usage = |gate: super::Gate| match used.iter().position(|used| used.name == gate.name) {
            Some(at) => used.swap_remove(at),
            None => GateUse { name: gate.name, held: 0, waiting: 0 },
        };
        Ok(gates.into_iter().map(usage).collect())
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
    name: Arc<str>,
    entry: super::Entry,
    /// It is due at the next of these.
    pub(super) tick: Option<Ticks>,
    output: PhantomData<fn() -> O>,
}

impl<O> Add<O> {
    /// Under a key, which has one row at a time. Without one the store makes up a new one.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.entry.key = key.into();
        self
    }

    /// Due after this time.
    pub fn after(self, after: Duration) -> Self {
        self.due(When::In(after))
    }

    /// Due at this Unix time.
    pub fn at(self, unix: Duration) -> Self {
        self.due(When::At(unix))
    }

    fn due(mut self, due: When) -> Self {
        (self.entry.due, self.tick) = (due, None);
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

    /// Is put off with each add of the same key, until none has come for `quiet`; no longer than `at_most` after the first. What else
    /// is said of when it is due, or of what is queued, before or after this, does not count.
    pub fn settle(mut self, quiet: Duration, at_most: Duration) -> Self {
        (self.entry.settle, self.tick) = (Some(Settle { quiet, at_most }), None);
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
        let (docket, name, entry) = match self.tick {
            // As it is: nothing is moved about for the sake of those that have one.
            None => (self.docket, self.name, self.entry),
            Some(_) => {
                let docket = self.docket.clone();
                let (name, entry) = self.prepared().await?;
                (docket, name, entry)
            }
        };
        let key = entry.key.clone();
        let put = docket.store().put(entry).await.map_err(AddError::Store)?;
        docket.added(name, key, put)
    }

    /// What is put, and the task's name.
    async fn prepared(mut self) -> Result<(Arc<str>, super::Entry), AddError> {
        if let Some(ticks) = self.tick {
            let now = self.docket.store().unix().await.map_err(AddError::Store)?;
            let tick = ticks.after(now).ok_or_else(|| AddError::NoTick { name: self.entry.name.clone() })?;
            self.entry.due = When::At(tick);
        }
        Ok((self.name, self.entry))
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

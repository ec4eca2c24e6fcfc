//! The group itself, as its body and its children see it.

use super::child::{Child, Record};
use super::handle::Handle;
use super::life::{Plain, Returned};
use super::outcome::{GroupCount, SpawnError};
use super::quiesced::Quiesced;
use super::start::{Start, Starting, handshake};
use super::state::{Core, Place, Side};
use crate::cancel::{Reason, Scope};
use crate::spawn::Task;
use crate::sys::Arc;
use crate::sys::joint::{Label, Room, join};
use crate::sys::probe::Id;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use core::fmt;
use core::future::Future;
use core::panic::Location;

/// A group of tasks: what its body gets, to spawn children with. Cheap to clone, so that children may spawn siblings.
///
/// Made by [`group`](super::group()) and [`run`](super::GroupBuilder::run).
///
/// # Examples
/// Children that spawn siblings:
/// ```
/// use wakeful::cancel::Scope;
/// use wakeful::task::{TaskGroup, group};
///
/// fn visit(g: &TaskGroup<()>, page: u32) {
///     let inner = g.clone();
///     let child = async move {
///         for link in [2 * page, 2 * page + 1].into_iter().filter(|&link| link < 100) {
///             visit(&inner, link);
///         }
///         Ok(())
///     };
///     g.spawn("page", child).unwrap();
/// }
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let report = group(sim.spawner()).report(&scope, async |g| Ok(visit(&g, 1))).await;
///     assert_eq!(report.count.done, 99);
/// });
/// ```
pub struct TaskGroup<E>(Arc<Core<E>>);

impl<E> TaskGroup<E> {
    pub(super) fn new(core: Arc<Core<E>>) -> Self {
        Self(core)
    }

    /// The group's scope, which its body and its main children run in.
    pub fn scope(&self) -> &Scope {
        &self.0.shared.scope
    }

    /// Cancels the group: its body, its main children, and when these are gone, those in the background. False: it was
    /// cancelled before.
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        self.scope().cancel(reason)
    }

    /// The group's name; empty if it has none.
    pub fn name(&self) -> &str {
        &self.0.shared.name
    }

    /// How many children there are: spawned, and not gone.
    pub fn len(&self) -> usize {
        self.0.with(|held| held.state.alive.iter().sum())
    }

    /// Whether there are no children.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the group is over: it takes no more children.
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// How children ended so far.
    pub fn count(&self) -> GroupCount {
        self.0.with(|held| held.state.tally.count)
    }

    /// Who is there: how many children of each name. After the group's future was dropped: what outlives it.
    pub fn live(&self) -> BTreeMap<Cow<'static, str>, usize> {
        self.0.with(|held| held.state.names.live().map(|(name, count)| (name.clone(), count)).collect())
    }

    /// Waits until the group is over: its body has ended or was dropped, every child is gone, and nobody waits for one to
    /// start.
    ///
    /// For others than its body and children, which would wait for themselves: to see the end of a group whose future was
    /// dropped. A child whose task was leaked is never gone; so bound the wait.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::group;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let mut kept = None;
    ///     let dropped = scope.move_on_after(Duration::from_secs(1), async |s| {
    ///         group::<()>(sim.spawner())
    ///             .run(s, async |g| {
    ///                 kept = Some(g.clone());
    ///                 drop(g.spawn("endless", std::future::pending::<Result<(), _>>()).unwrap());
    ///                 std::future::pending::<Result<(), _>>().await
    ///             })
    ///             .await
    ///     });
    ///     assert!(dropped.await.is_cancelled());
    ///     let kept = kept.unwrap();
    ///     kept.quiesced().await;
    ///     assert_eq!(kept.count().cancelled, 1);
    /// });
    /// ```
    pub fn quiesced(&self) -> Quiesced<E> {
        Quiesced::new(self.0.clone())
    }

    /// Whether `self` and `other` are handles to the same group.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<E: Send + 'static> TaskGroup<E> {
    /// Spawns a child: `future` runs as a task of its own, and the group waits for it. The name is for reports, and may be
    /// empty.
    ///
    /// In a group that has been cancelled, the child is not begun, and ends as cancelled.
    ///
    /// # Errors
    /// With the future, if the group is over, or [winds down](Scope::cancel_with_grace).
    ///
    /// # Panics
    /// If the spawner does. The child is lost then.
    ///
    /// # Examples
    /// ```
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::group;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let outcome = group::<&str>(sim.spawner())
    ///         .run(&scope, async |g| {
    ///             let handle = g.spawn("adder", async { Ok(1 + 1) }).unwrap();
    ///             let failing = g.spawn("fails", async { Err::<(), _>("no luck") }).unwrap();
    ///             assert_eq!((handle.await, failing.name()), (Ok(2), "fails"));
    ///             std::future::pending().await
    ///         })
    ///         .await;
    ///     let error: wakeful::task::GroupError<&str> = outcome.map(|()| ()).unwrap_err();
    ///     assert_eq!(error.to_string(), "`fails`: no luck");
    /// });
    /// ```
    #[track_caller]
    pub fn spawn<T, F>(&self, name: impl Into<Cow<'static, str>>, future: F) -> Result<Handle<T, E>, SpawnError<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.admit(name.into(), Side::Main, future)
    }

    /// Spawns a child that the group does not wait for: when the body and the main children are gone, it is cancelled, and
    /// the group waits until it is gone too. For what serves the others: a heartbeat, a log that is written behind.
    ///
    /// Its scope does not lie inside the group's: it goes on while the others are being cancelled.
    ///
    /// # Errors
    /// With the future, if the group is over, or [winds down](Scope::cancel_with_grace).
    ///
    /// # Panics
    /// If the spawner does. The child is lost then.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::group;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, time) = (Scope::new(sim.time()), sim.time());
    ///     let report = group::<()>(sim.spawner())
    ///         .report(&scope, async |g| {
    ///             let mut beats = time.interval(Duration::from_millis(100));
    ///             let heart = async move {
    ///                 loop {
    ///                     beats.tick().await;
    ///                 }
    ///             };
    ///             g.spawn_background("heart", heart).unwrap();
    ///             Ok(time.sleep(Duration::from_secs(1)).await)
    ///         })
    ///         .await;
    ///     assert_eq!((report.count.cancelled, report.cancelled), (1, None));
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_background<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: F,
    ) -> Result<Handle<(), E>, SpawnError<F>>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        self.admit(name.into(), Side::Background, future)
    }

    /// Spawns a child that says when it has started; awaiting the result waits for that, and gives the child's handle and
    /// what it has started with.
    ///
    /// The child calls `make`, and runs the future that it makes. What fails before the child has started is an error of the
    /// start, and not of the group.
    ///
    /// # Errors
    /// With `make`, if the group is over, or [winds down](Scope::cancel_with_grace).
    ///
    /// # Panics
    /// If the spawner does. The child is lost then.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::{StartError, Starting, group};
    /// use wakeful::time::Time;
    ///
    /// async fn serve(time: Time, port: u16, starting: Starting<u16, &str>) -> Result<(), &str> {
    ///     time.sleep(Duration::from_secs(1)).await;
    ///     if port < 1024 {
    ///         return Err("not allowed");
    ///     }
    ///     starting.started(port).ok();
    ///     std::future::pending().await
    /// }
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, time) = (Scope::new(sim.time()), sim.time());
    ///     let outcome = group::<&str>(sim.spawner())
    ///         .run(&scope, async |g| {
    ///             let start = |port| {
    ///                 let time = time.clone();
    ///                 g.start("server", move |starting| serve(time, port, starting)).unwrap()
    ///             };
    ///             assert!(matches!(start(80).await, Err(StartError::Failed("not allowed"))));
    ///             let (server, port) = start(8080).await.unwrap();
    ///             assert_eq!((port, sim.now().as_nanos()), (8080, 2_000_000_000));
    ///             Ok(server.cancel("enough"))
    ///         })
    ///         .await;
    ///     assert!(outcome.unwrap());
    /// });
    /// ```
    #[track_caller]
    pub fn start<V, T, F, M>(
        &self,
        name: impl Into<Cow<'static, str>>,
        make: M,
    ) -> Result<Start<V, T, E>, SpawnError<M>>
    where
        M: FnOnce(Starting<V, E>) -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        V: Send + 'static,
    {
        let label = Label { name: name.into(), made: Location::caller() };
        match self.0.admit(&label, Side::Main, true) {
            Err(refusal) => Err(SpawnError::new(make, refusal)),
            Ok((place, room)) => {
                let (body, waiting) = handshake(make);
                let (handle, task) = self.prepare(place, room, label, body);
                // Before the spawner is called: should it panic, nobody waits for the start any more.
                let start = Start::new(waiting, handle, Id::new());
                self.0.shared.spawner.spawn(task);
                Ok(start)
            }
        }
    }

    #[track_caller]
    fn admit<T, F>(&self, name: Cow<'static, str>, side: Side, future: F) -> Result<Handle<T, E>, SpawnError<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let label = Label { name, made: Location::caller() };
        match self.0.admit(&label, side, false) {
            Err(refusal) => Err(SpawnError::new(future, refusal)),
            Ok((place, room)) => {
                let (handle, task) = self.prepare(place, room, label, Plain::new(future));
                self.0.shared.spawner.spawn(task);
                Ok(handle)
            }
        }
    }

    /// The task of a child that has been let in.
    #[track_caller]
    fn prepare<T, F>(
        &self,
        place: Place,
        room: Room<Record<E>, Child<F, T, E>>,
        label: Label,
        body: F,
    ) -> (Handle<T, E>, Task)
    where
        F: Future<Output = Returned<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let (runner, record) = join(room, Record::new(self.0.clone(), place, label), Child::new(body));
        (Handle::new(record, Id::new()), Task::of(runner.into_task()))
    }
}

impl<E> Clone for TaskGroup<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("name", &self.name())
            .field("alive", &self.len())
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

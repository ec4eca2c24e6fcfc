//! Opening a local group, and the group as its body and its children see it.

use super::child::{Child, Record};
use super::handle::LocalHandle;
use super::kinds::{Kind, MaySend, StaysHere};
use super::run::{LocalReport, LocalRun};
use super::start::LocalStart;
use crate::cancel::{Reason, Scope};
use crate::sys::joint::{Joint, Label, Runner, join};
use crate::sys::probe::Id;
use crate::sys::row::Rows;
use crate::sys::{Arc, Told};
use crate::task::life::{Plain, Returned};
use crate::task::names::Names;
use crate::task::outcome::{GroupCount, Refusal, SpawnError};
use crate::task::start::{Starting, handshake};
use crate::task::tally::{Policy, Tally};
use crate::time::Instant;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::panic::Location;
use core::task::Waker;
use core::time::Duration;

/// Sets up a group whose children run in the task that runs the group: they need no spawner, may borrow what outlives the
/// group, and are dropped with it, so that nothing is ever left behind.
///
/// For work that waits rather than computes: the children take turns on one thread. Where they should run in parallel, or go
/// on while the task is kept busy, there is [`group`](crate::task::group()). For many futures of one type a
/// [`FutureSet`](crate::task::FutureSet) takes no allocation each.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::task::local_group;
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, time) = (Scope::new(sim.time()), sim.time());
///     let words = vec![String::from("cancel"), String::from("scope")];
///     let length = local_group::<String>()
///         .run(&scope, async |g| {
///             let mut handles = Vec::new();
///             for word in &words {
///                 let child = async {
///                     time.sleep(Duration::from_secs(1)).await;
///                     Ok(word.len())
///                 };
///                 handles.push(g.spawn("counts", child).unwrap());
///             }
///             let mut sum = 0;
///             for handle in handles {
///                 sum += handle.await.map_err(|error| error.to_string())?;
///             }
///             Ok(sum)
///         })
///         .await;
///     assert_eq!(length.unwrap(), words.concat().len());
///     assert_eq!(sim.now().as_nanos(), 1_000_000_000);
/// });
/// ```
#[track_caller]
pub fn local_group<'env, E>() -> LocalGroupBuilder<'env, E> {
    LocalGroupBuilder {
        policy: Policy::FailFast,
        name: Cow::Borrowed(""),
        at: Instant::NEVER,
        after: Duration::MAX,
        id: Id::new(),
        kind: PhantomData,
    }
}

/// A local group that is being set up; made by [`local_group`].
#[must_use = "a group does nothing unless it is run"]
pub struct LocalGroupBuilder<'env, E, K: Kind = MaySend> {
    policy: Policy,
    name: Cow<'static, str>,
    at: Instant,
    after: Duration,
    id: Id,
    kind: PhantomData<fn(&'env K, E)>,
}

impl<'env, E, K: Kind> LocalGroupBuilder<'env, E, K> {
    /// When children are cancelled; [`Policy::FailFast`] by default.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Gives the group a name, for reports.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Ends the group at `at`: body and children are cut short then.
    pub fn deadline_at(mut self, at: Instant) -> Self {
        self.at = at;
        self
    }

    /// As [`deadline_at`](Self::deadline_at), with `duration` counted from the first poll of the run.
    pub fn deadline_after(mut self, duration: Duration) -> Self {
        self.after = duration;
        self
    }

    /// Lets children be futures that are not `Send`. The group then stays on the thread where it is.
    ///
    /// # Examples
    /// ```
    /// use std::cell::Cell;
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::local_group;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let sum = wakeful::block_on(async {
    ///         let sum = Cell::new(0);
    ///         let run = local_group::<()>().not_send().run(&scope, async |g| {
    ///             for n in 1..=3 {
    ///                 let sum = &sum;
    ///                 g.spawn("adds", async move { Ok(sum.set(sum.get() + n)) }).unwrap();
    ///             }
    ///             Ok(())
    ///         });
    ///         run.await.unwrap();
    ///         sum.get()
    ///     });
    ///     assert_eq!(sum, 6);
    /// });
    /// ```
    pub fn not_send(self) -> LocalGroupBuilder<'env, E, StaysHere> {
        let Self { policy, name, at, after, id, .. } = self;
        LocalGroupBuilder { policy, name, at, after, id, kind: PhantomData }
    }

    /// Runs `body` in a group inside `scope`, waits for all children to be gone, and gives the body's result.
    ///
    /// The closure is called at once, with the group; what it returns is polled when this is, and the children beside it.
    pub fn run<R, F>(self, scope: &Scope, body: impl FnOnce(LocalGroup<'env, E, K>) -> F) -> LocalRun<'env, F, R, E, K>
    where
        F: Future<Output = Result<R, E>>,
    {
        LocalRun::new(self.report(scope, body))
    }

    /// As [`run`](Self::run), but gives all that there is to be known: every failure, panics among them, what was cancelled,
    /// and how many children ended in which way.
    pub fn report<R, F>(
        self,
        scope: &Scope,
        body: impl FnOnce(LocalGroup<'env, E, K>) -> F,
    ) -> LocalReport<'env, F, R, E, K>
    where
        F: Future<Output = Result<R, E>>,
    {
        let Self { policy, name, at, after, id, .. } = self;
        let scope = scope.child_at(at);
        LocalReport::new(Tally::new(policy), name, scope, after, id, body)
    }
}

impl<E, K: Kind> fmt::Debug for LocalGroupBuilder<'_, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalGroupBuilder")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// What the members of a group share.
pub(super) struct Shared<'env, E, K: Kind> {
    pub(super) name: Cow<'static, str>,
    /// The group's own scope: that of its body.
    pub(super) scope: Scope,
    /// That of its children, inside the other.
    pub(super) inner: Scope,
    pub(super) state: Told<State<'env, E, K>>,
    /// Lets the group look at those who were spawned.
    pub(super) control: Waker,
    pub(super) id: Id,
}

pub(super) struct State<'env, E, K: Kind> {
    pub(super) tally: Tally<E>,
    names: Names,
    /// Where children lie.
    rows: Rows,
    /// Spawned, and not gone.
    pub(super) alive: usize,
    /// Handshakes that somebody waits for.
    pub(super) starting: usize,
    /// Spawned, and not yet taken in by whoever polls them.
    pub(super) incoming: Vec<Newcomer<'env, E, K>>,
    /// Everybody is gone, or the group was dropped.
    pub(super) over: bool,
}

/// A child with the number of its name.
pub(super) type Newcomer<'env, E, K> = (u32, <K as Kind>::Kid<'env, E>);

impl<'env, E, K: Kind> State<'env, E, K> {
    pub(super) fn new(tally: Tally<E>) -> Self {
        Self {
            tally,
            names: Names::default(),
            rows: Rows::new(),
            alive: 0,
            starting: 0,
            incoming: Vec::new(),
            over: false,
        }
    }

    /// Counts a child in, and gives the number of its name.
    fn enter(&mut self, label: &Label) -> u32 {
        self.alive += 1;
        self.names.enter(label)
    }

    /// Counts a child out.
    pub(super) fn leave(&mut self, name: u32) {
        self.alive -= 1;
        self.names.leave(name);
    }
}

/// A group of children that run in the group's own task: what its body gets, to spawn children with. Cheap to clone, so that
/// children may spawn siblings.
///
/// Made by [`local_group`] and [`run`](LocalGroupBuilder::run). `'env` is what children may borrow for: what outlives the run.
///
/// It promises what a [`TaskGroup`](crate::task::TaskGroup) does, and more: when its future is dropped, its children are gone.
///
/// # Fairness
/// A wake-up of a child polls that child alone, in turn with the others; after two rounds, or 128 polls, the task lets others
/// have a turn.
pub struct LocalGroup<'env, E, K: Kind = MaySend>(pub(super) Arc<Shared<'env, E, K>>);

impl<'env, E, K: Kind> LocalGroup<'env, E, K> {
    /// The group's scope, which its body and its children run in.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// Cancels the group: its body and its children. False: it was cancelled before.
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        self.scope().cancel(reason)
    }

    /// The group's name; empty if it has none.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How many children there are: spawned, and not gone.
    pub fn len(&self) -> usize {
        self.0.state.read(|state| state.alive)
    }

    /// Whether there are no children.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the group is over: it takes no more children.
    pub fn is_over(&self) -> bool {
        self.0.state.read(|state| state.over)
    }

    /// How children ended so far.
    pub fn count(&self) -> GroupCount {
        self.0.state.read(|state| state.tally.count)
    }

    /// Who is there: how many children of each name.
    pub fn live(&self) -> BTreeMap<Cow<'static, str>, usize> {
        self.0.state.read(|state| state.names.live().map(|(name, count)| (name.clone(), count)).collect())
    }

    /// Whether `self` and `other` are handles to the same group.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Lets a child in, of whose body, and what is kept beside it, `given` is the stuff.
    #[track_caller]
    fn admit<G, F, T, R>(
        &self,
        name: Cow<'static, str>,
        given: G,
        starting: bool,
        prepare: impl FnOnce(G) -> (F, R),
        erase: impl FnOnce(Runner<Joint<Record<T>, Child<F, T, E>>>) -> K::Kid<'env, E>,
    ) -> Result<(LocalHandle<T>, R), SpawnError<G>>
    where
        F: Future<Output = Returned<T, E>>,
    {
        let shared = &*self.0;
        // Rule j. In a scope that is cancelled already, the child is not begun.
        let drains = shared.scope.is_draining() && !shared.scope.is_cancelled();
        let label = Label { name, made: Location::caller() };
        let mut parts = Some((given, shared.inner.child(), label));
        let admitted = shared.state.with(|state| {
            if state.over || drains {
                return Err(if state.over { Refusal::Over } else { Refusal::Draining });
            }
            let (given, scope, label) = parts.take().expect("taken once");
            let number = state.enter(&label);
            state.starting += usize::from(starting);
            let (body, beside) = prepare(given);
            let (runner, record) = join(state.rows.take(), Record::new(scope, label), Child::new(body));
            state.incoming.push((number, erase(runner)));
            Ok((record, beside, state.incoming.len() == 1))
        });
        match admitted {
            Ok((record, beside, is_first)) => {
                if is_first {
                    shared.control.wake_by_ref();
                }
                Ok((LocalHandle::new(record, Id::new()), beside))
            }
            Err(refusal) => {
                let (given, ..) = parts.expect("not taken");
                Err(SpawnError::new(given, refusal))
            }
        }
    }
}

impl<'env, E> LocalGroup<'env, E, MaySend> {
    /// Spawns a child: `future` is polled beside the body, whenever the group is, and the group waits for it. The name is
    /// for reports, and may be empty.
    ///
    /// In a group that has been cancelled, the child is not begun, and ends as cancelled.
    ///
    /// # Errors
    /// With the future, if the group is over, or [winds down](Scope::cancel_with_grace).
    ///
    /// # Examples
    /// Children that spawn siblings:
    /// ```
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::{LocalGroup, local_group};
    ///
    /// fn visit<'env>(g: &LocalGroup<'env, ()>, links: &'env [Vec<usize>], page: usize) {
    ///     let inner = g.clone();
    ///     let child = async move {
    ///         for &link in &links[page] {
    ///             visit(&inner, links, link);
    ///         }
    ///         Ok(())
    ///     };
    ///     g.spawn("page", child).unwrap();
    /// }
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, links) = (Scope::new(sim.time()), [vec![1, 2], vec![3], vec![], vec![]]);
    ///     let report = local_group().report(&scope, async |g| Ok(visit(&g, &links, 0))).await;
    ///     assert_eq!(report.count.done, 4);
    /// });
    /// ```
    #[track_caller]
    pub fn spawn<T, F>(&self, name: impl Into<Cow<'static, str>>, future: F) -> Result<LocalHandle<T>, SpawnError<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'env,
        T: Send + 'env,
        E: Send + 'env,
    {
        let prepare = |future| (Plain::new(future), ());
        let admitted = self.admit(name.into(), future, false, prepare, |child| child.into_sendable());
        admitted.map(|(handle, ())| handle)
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
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::{Starting, local_group};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, time, ports) = (Scope::new(sim.time()), sim.time(), [8080, 8081]);
    ///     let run = local_group::<()>().run(&scope, async |g| {
    ///         let serve = |starting: Starting<_, ()>| async {
    ///             time.sleep(Duration::from_secs(1)).await;
    ///             starting.started(&ports[1]).ok();
    ///             std::future::pending().await
    ///         };
    ///         let (server, port) = g.start::<_, (), _, _>("server", serve).unwrap().await.unwrap();
    ///         assert_eq!((*port, sim.now().as_nanos()), (8081, 1_000_000_000));
    ///         Ok(server.cancel("enough"))
    ///     });
    ///     assert!(run.await.unwrap());
    /// });
    /// ```
    #[track_caller]
    pub fn start<V, T, F, M>(
        &self,
        name: impl Into<Cow<'static, str>>,
        make: M,
    ) -> Result<LocalStart<'env, V, T, E, MaySend>, SpawnError<M>>
    where
        M: FnOnce(Starting<V, E>) -> F + Send + 'env,
        F: Future<Output = Result<T, E>> + Send + 'env,
        T: Send + 'env,
        V: Send + 'env,
        E: Send + 'env,
    {
        let admitted = self.admit(name.into(), make, true, handshake, |child| child.into_sendable());
        admitted.map(|(handle, waiting)| LocalStart::new(waiting, handle, self.0.clone(), Id::new()))
    }
}

impl<'env, E> LocalGroup<'env, E, StaysHere> {
    /// Spawns a child: `future` is polled beside the body, whenever the group is, and the group waits for it. The name is
    /// for reports, and may be empty.
    ///
    /// In a group that has been cancelled, the child is not begun, and ends as cancelled.
    ///
    /// # Errors
    /// With the future, if the group is over, or [winds down](Scope::cancel_with_grace).
    #[track_caller]
    pub fn spawn<T, F>(&self, name: impl Into<Cow<'static, str>>, future: F) -> Result<LocalHandle<T>, SpawnError<F>>
    where
        F: Future<Output = Result<T, E>> + 'env,
        T: 'env,
        E: 'env,
    {
        let prepare = |future| (Plain::new(future), ());
        let admitted = self.admit(name.into(), future, false, prepare, |child| child.into_staying());
        admitted.map(|(handle, ())| handle)
    }

    /// Spawns a child that says when it has started; awaiting the result waits for that, and gives the child's handle and
    /// what it has started with.
    ///
    /// The child calls `make`, and runs the future that it makes. What fails before the child has started is an error of the
    /// start, and not of the group.
    ///
    /// # Errors
    /// With `make`, if the group is over, or [winds down](Scope::cancel_with_grace).
    #[track_caller]
    pub fn start<V, T, F, M>(
        &self,
        name: impl Into<Cow<'static, str>>,
        make: M,
    ) -> Result<LocalStart<'env, V, T, E, StaysHere>, SpawnError<M>>
    where
        M: FnOnce(Starting<V, E>) -> F + 'env,
        F: Future<Output = Result<T, E>> + 'env,
        T: 'env,
        V: 'env,
        E: 'env,
    {
        let admitted = self.admit(name.into(), make, true, handshake, |child| child.into_staying());
        admitted.map(|(handle, waiting)| LocalStart::new(waiting, handle, self.0.clone(), Id::new()))
    }
}

impl<E, K: Kind> Clone for LocalGroup<'_, E, K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E, K: Kind> fmt::Debug for LocalGroup<'_, E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalGroup")
            .field("name", &self.name())
            .field("alive", &self.len())
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

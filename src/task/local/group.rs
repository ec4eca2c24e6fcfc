//! A local group as its body and its children see it.

use super::child::{Child, Record};
use super::handle::LocalHandle;
use super::kinds::{Kind, MaySend, StaysHere};
use super::start::LocalStart;
use super::state::Shared;
use crate::cancel::{Reason, Scope};
use crate::sys::Arc;
use crate::sys::joint::{Label, RunnerOf, join};
use crate::sys::probe::Id;
use crate::task::life::{Plain, Returned};
use crate::task::outcome::{GroupCount, Refusal, SpawnError};
use crate::task::start::{Starting, handshake};
use crate::task::state::Side;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use core::fmt;
use core::future::Future;
use core::panic::Location;

/// A group of children that run in the group's own task: what its body gets, to spawn children with. Cheap to clone, so that
/// children may spawn siblings.
///
/// Made by [`local_group`](super::local_group) and [`run`](super::LocalGroupBuilder::run). `'env` is what children may borrow for: what
/// outlives the run.
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
        self.0.state.read(|state| state.alive + state.serving)
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

    /// Lets a child in, of whose body, and what is kept beside it, `given` is the stuff; `finish` has what the caller gets.
    #[track_caller]
    fn admit<G, F, T, R, O>(
        &self,
        name: Cow<'static, str>,
        given: G,
        (side, starting): (Side, bool),
        prepare: impl FnOnce(G) -> (F, R),
        erase: impl FnOnce(RunnerOf<Record, Child<F, T, E>>) -> K::Kid<'env, E>,
        finish: impl FnOnce(LocalHandle<T>, R) -> O,
    ) -> Result<O, SpawnError<G>>
    where
        F: Future<Output = Returned<T, E>>,
    {
        let shared = &*self.0;
        // Rule j. In a scope that is cancelled already, the child is not begun.
        let drains = shared.scope.is_draining() && !shared.scope.is_cancelled();
        let made = Location::caller();
        let back = (side == Side::Background).then(|| shared.back());
        let mut parts = Some((given, name));
        let admitted = shared.state.with(|state| {
            if state.over || drains {
                return Err(if state.over { Refusal::Over } else { Refusal::Draining });
            }
            let (given, name) = parts.take().expect("taken once");
            let label = Label { name, made };
            let nest = back.as_ref().unwrap_or(&shared.inner).clone();
            let place = state.enter(&label, side);
            state.starting += usize::from(starting);
            let (body, beside) = prepare(given);
            let (runner, record) = join(state.rows.take(), Record::new(nest, label), Child::new(body));
            state.incoming.push((place, erase(runner)));
            Ok((record, beside, state.incoming.len() == 1))
        });
        match admitted {
            Ok((record, beside, is_first)) => {
                // Before the waker is called, which may panic.
                let finished = finish(LocalHandle::new(record, Id::new()), beside);
                if is_first {
                    shared.control.wake_by_ref();
                }
                Ok(finished)
            }
            Err(refusal) => {
                let (given, _) = parts.expect("not taken");
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
        self.admit(
            name.into(),
            future,
            (Side::Main, false),
            prepare,
            |child| child.into_sendable(),
            |handle, ()| handle,
        )
    }

    /// Spawns a child that the group does not wait for: when the body and the others are gone, it is cancelled, and the group
    /// waits until it is gone too. For what serves the others: a heartbeat, a log that is written behind.
    ///
    /// Its scope stands apart from the group's: it goes on while the others are being cancelled.
    /// When a scope around the group is cancelled, this child is cancelled last, too; what it shields, or cleans up, it does before
    /// that scope moves on. A group that is kept, and not polled when it is woken, is not waited for.
    ///
    /// # Errors
    /// With the future, if the group is over, or [winds down](Scope::cancel_with_grace).
    #[track_caller]
    pub fn spawn_background<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: F,
    ) -> Result<LocalHandle<()>, SpawnError<F>>
    where
        F: Future<Output = Result<(), E>> + Send + 'env,
        E: Send + 'env,
    {
        let prepare = |future| (Plain::new(future), ());
        self.admit(
            name.into(),
            future,
            (Side::Background, false),
            prepare,
            |child| child.into_sendable(),
            |handle, ()| handle,
        )
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
        let finish = |handle, waiting| LocalStart::new(waiting, handle, self.0.clone(), Id::new());
        self.admit(name.into(), make, (Side::Main, true), handshake, |child| child.into_sendable(), finish)
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
        self.admit(name.into(), future, (Side::Main, false), prepare, |child| child.into_staying(), |handle, ()| handle)
    }

    /// Spawns a child that the group does not wait for: when the body and the others are gone, it is cancelled, and the group
    /// waits until it is gone too. For what serves the others: a heartbeat, a log that is written behind.
    ///
    /// Its scope stands apart from the group's: it goes on while the others are being cancelled.
    /// When a scope around the group is cancelled, this child is cancelled last, too; what it shields, or cleans up, it does before
    /// that scope moves on. A group that is kept, and not polled when it is woken, is not waited for.
    ///
    /// # Errors
    /// With the future, if the group is over, or [winds down](Scope::cancel_with_grace).
    ///
    /// # Examples
    /// ```
    /// use core::cell::Cell;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::local_group;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, time, beats) = (Scope::new(sim.time()), sim.time(), Cell::new(0));
    ///     let report = local_group::<()>()
    ///         .not_send()
    ///         .report(&scope, async |g| {
    ///             let heart = async {
    ///                 loop {
    ///                     time.sleep(Duration::from_millis(100)).await;
    ///                     beats.set(beats.get() + 1);
    ///                 }
    ///             };
    ///             g.spawn_background("heart", heart).unwrap();
    ///             Ok(time.sleep(Duration::from_millis(950)).await)
    ///         })
    ///         .await;
    ///     assert_eq!((report.count.cancelled, report.cancelled, beats.get()), (1, None, 9));
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_background<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: F,
    ) -> Result<LocalHandle<()>, SpawnError<F>>
    where
        F: Future<Output = Result<(), E>> + 'env,
        E: 'env,
    {
        let prepare = |future| (Plain::new(future), ());
        self.admit(
            name.into(),
            future,
            (Side::Background, false),
            prepare,
            |child| child.into_staying(),
            |handle, ()| handle,
        )
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
        let finish = |handle, waiting| LocalStart::new(waiting, handle, self.0.clone(), Id::new());
        self.admit(name.into(), make, (Side::Main, true), handshake, |child| child.into_staying(), finish)
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

//! Opening a local group.

use super::group::LocalGroup;
use super::kinds::{Kind, MaySend, StaysHere};
use super::run::{LocalReport, LocalRun};
use crate::cancel::Scope;
use crate::sys::probe::Id;
use crate::task::tally::{Policy, Tally};
use crate::time::Instant;
use alloc::borrow::Cow;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
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

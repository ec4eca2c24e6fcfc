//! Opening a group, its body, and its end.

use super::guarded::Guarded;
use super::outcome::{Cause, GroupError, GroupReport};
use super::quiesced::Quiesced;
use super::spawned::TaskGroup;
use super::state::Core;
use super::tally::{Policy, Verdict};
use crate::cancel::{Outcome, OwnedRun, Reason, Scope, Stay};
use crate::spawn::Spawn;
use crate::sys::probe::Id;
use crate::sys::thread::contain;
use crate::sys::trace::Span;
use crate::sys::{Arc, trace};
use crate::time::Instant;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use pin_project_lite::pin_project;

/// Sets up a group whose children are tasks that `spawner` starts.
///
/// `E` is the error that its body and its children may return. To be [run](GroupBuilder::run).
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
/// use wakeful::task::group;
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, time) = (Scope::new(sim.time()), sim.time());
///     let sum = group::<String>(sim.spawner())
///         .run(&scope, async |g| {
///             let mut handles = Vec::new();
///             for n in 1..=3u64 {
///                 let sleep = time.sleep(Duration::from_secs(n));
///                 let child = async move {
///                     sleep.await;
///                     Ok(n)
///                 };
///                 handles.push(g.spawn("worker", child).unwrap());
///             }
///             let mut sum = 0;
///             for handle in handles {
///                 sum += handle.await.map_err(|error| error.to_string())?;
///             }
///             Ok(sum)
///         })
///         .await;
///     assert_eq!(sum.unwrap(), 6);
///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
/// });
/// ```
#[track_caller]
pub fn group<E>(spawner: impl Spawn + Send + Sync + 'static) -> GroupBuilder<E> {
    GroupBuilder {
        spawner: Box::new(spawner),
        policy: Policy::FailFast,
        name: Cow::Borrowed(""),
        at: Instant::NEVER,
        after: Duration::MAX,
        id: Id::new(),
        errors: PhantomData,
    }
}

/// A group that is being set up; made by [`group`].
#[must_use = "a group does nothing unless it is run"]
pub struct GroupBuilder<E> {
    spawner: Box<dyn Spawn + Send + Sync>,
    policy: Policy,
    name: Cow<'static, str>,
    at: Instant,
    after: Duration,
    id: Id,
    errors: PhantomData<fn(E)>,
}

impl<E> GroupBuilder<E> {
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

    /// Ends the group at `at`: body and children are cut short then, and the group still waits for them to be gone.
    pub fn deadline_at(mut self, at: Instant) -> Self {
        self.at = at;
        self
    }

    /// As [`deadline_at`](Self::deadline_at), with `duration` counted from the first poll of the run.
    pub fn deadline_after(mut self, duration: Duration) -> Self {
        self.after = duration;
        self
    }

    /// Runs `body` in a group inside `scope`, waits for all children to be gone, and gives the body's result.
    ///
    /// The closure is called at once, with the group; what it returns is polled when this is. `async |g| …` and
    /// `|g| async move { … }` both do.
    pub fn run<R, F>(self, scope: &Scope, body: impl FnOnce(TaskGroup<E>) -> F) -> RunGroup<F, R, E>
    where
        F: Future<Output = Result<R, E>>,
    {
        RunGroup { inner: self.report(scope, body) }
    }

    /// As [`run`](Self::run), but gives all that there is to be known: every failure, panics among them, what was cancelled,
    /// and how many children ended in which way.
    ///
    /// # Examples
    /// ```
    /// use wakeful::cancel::Scope;
    /// use wakeful::task::{Cause, Policy, group};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let report = group::<&str>(sim.spawner())
    ///         .policy(Policy::Supervise)
    ///         .report(&scope, async |g| {
    ///             g.spawn("good", async { Ok(1) }).unwrap();
    ///             g.spawn("bad", async { if true { panic!("oh no") } else { Ok(2) } }).unwrap();
    ///             Ok("the body's result")
    ///         })
    ///         .await;
    ///     assert_eq!(report.output, Some("the body's result"));
    ///     assert_eq!((report.count.done, report.count.panicked), (1, 1));
    ///     let failure = &report.failures[0];
    ///     assert_eq!(failure.name(), Some("bad"));
    ///     assert!(matches!(failure.cause(), Cause::Panic(panic) if panic.message() == "oh no"));
    /// });
    /// ```
    pub fn report<R, F>(self, scope: &Scope, body: impl FnOnce(TaskGroup<E>) -> F) -> ReportGroup<F, R, E>
    where
        F: Future<Output = Result<R, E>>,
    {
        let Self { spawner, policy, name, at, after, id, .. } = self;
        let core = Core::open(spawner, name, policy, scope.child_at(at), id);
        let quiesced = Quiesced::new(core.clone());
        // Before the closure is called: should it panic, whom it has spawned is cancelled with this.
        let mut report =
            ReportGroup { core, after: Some(after), run: None, quiesced, stage: Stage::Body, span: Span::new() };
        let core = report.core.clone();
        let body = Body { body: Guarded::new(body(TaskGroup::new(core.clone()))), core: core.clone() };
        report.run = Some(OwnedRun::new(core.shared.scope.clone(), body));
        report
    }
}

impl<E> fmt::Debug for GroupBuilder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupBuilder").field("name", &self.name).field("policy", &self.policy).finish_non_exhaustive()
    }
}

pin_project! {
    /// Runs a group; made by [`GroupBuilder::run`].
    ///
    /// # Errors
    /// [`GroupError::Failed`] if the body or children failed; under which [`Policy`] what counts, its table says.
    /// [`GroupError::Cancelled`] if none did, and something was cut short because the group's scope was cancelled. In the
    /// body of a scope that is cancelled, the group is cut short with the body, unless something had failed.
    ///
    /// # Panics
    /// If the body or a child panicked: when all are gone, with the first panic. To have panics as values, use
    /// [`GroupBuilder::report`]. And if it is polled after it was ready.
    ///
    /// # Cancel safety
    /// Dropping it cancels the children at once, and drops the body. They end when they are next polled, for which they are
    /// woken; [`TaskGroup::quiesced`] waits for that.
    #[must_use = "a group does nothing unless it is awaited"]
    pub struct RunGroup<F, R, E>
    where
        F: Future<Output = Result<R, E>>,
    {
        #[pin]
        inner: ReportGroup<F, R, E>,
    }
}

impl<F: Future<Output = Result<R, E>>, R, E> Future for RunGroup<F, R, E> {
    type Output = Result<R, GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map(GroupReport::raise)
    }
}

impl<F: Future<Output = Result<R, E>>, R, E> fmt::Debug for RunGroup<F, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunGroup").field("name", &self.inner.core.shared.name).finish_non_exhaustive()
    }
}

pin_project! {
    /// Runs a group and reports on it; made by [`GroupBuilder::report`].
    ///
    /// # Panics
    /// If it is polled after it was ready.
    ///
    /// # Cancel safety
    /// As that of [`RunGroup`].
    #[must_use = "a group does nothing unless it is awaited"]
    pub struct ReportGroup<F, R, E>
    where
        F: Future<Output = Result<R, E>>,
    {
        core: Arc<Core<E>>,
        // Until the first poll.
        after: Option<Duration>,
        #[pin]
        run: Option<OwnedRun<Body<F, E>>>,
        #[pin]
        quiesced: Quiesced<E>,
        stage: Stage<R, E>,
        span: Span,
    }

    impl<F, R, E> PinnedDrop for ReportGroup<F, R, E>
    where
        F: Future<Output = Result<R, E>>,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if matches!(this.stage, Stage::Body | Stage::Children { .. }) {
                // Before the body is dropped.
                this.core.keep_open();
                // A drop may be part of an unwinding, which a second panic would turn into the end of the process.
                contain(|| {
                    this.core.shared.scope.cancel(Reason::owner_dropped());
                });
                contain(|| this.run.set(None));
                // Not over before (T1).
                contain(|| this.core.body_gone(|_| Verdict::GoOn));
            }
        }
    }
}

/// What is waited for.
enum Stage<R, E> {
    Body,
    Children {
        output: Option<R>,
        cut: bool,
    },
    /// That the scope around it drops this.
    Leaving {
        report: GroupReport<R, E>,
        stay: Stay,
    },
    Over,
}

impl<F: Future<Output = Result<R, E>>, R, E> Future for ReportGroup<F, R, E> {
    type Output = GroupReport<R, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (core, scope) = (&*this.core, &this.core.shared.scope);
        if let Some(after) = this.after.take().filter(|after| *after != Duration::MAX) {
            scope.set_deadline(scope.deadline().min(scope.now() + after));
        }
        loop {
            match this.stage {
                Stage::Body => {
                    let run = this.run.as_mut().as_pin_mut().expect("there until the body has ended");
                    let outcome = {
                        let _entered = this.span.group(&core.shared.name);
                        let outcome = ready!(run.poll(cx));
                        this.run.set(None);
                        outcome
                    };
                    let cut = outcome.is_cancelled();
                    let (output, failed) = match outcome {
                        Outcome::Done(Ok(Ok(output))) => (Some(output), None),
                        Outcome::Done(Ok(Err(error))) => (None, Some(Cause::Error(error))),
                        Outcome::Done(Err(panic)) => (None, Some(Cause::Panic(panic))),
                        Outcome::Cancelled(_) => (None, None),
                    };
                    *this.stage = Stage::Children { output, cut };
                    core.body_gone(|tally| failed.map_or(Verdict::GoOn, |cause| tally.body_failed(cause)));
                }
                Stage::Children { output, cut } => {
                    ready!(this.quiesced.as_mut().poll(cx));
                    let sums = core.with(|held| held.state.tally.close());
                    let report = GroupReport::new(output.take(), sums, *cut, scope);
                    trace::group_ended(&core.shared.name, report.failures.len(), report.cancelled.is_some());
                    *this.stage = Stage::Leaving { report, stay: Stay::new() };
                }
                Stage::Leaving { report, stay } => {
                    // Rule e: it is for the scope around to say so, if its body is what this is part of.
                    if report.is_cut_from_above() && stay.stays(scope, cx) {
                        return Poll::Pending;
                    }
                    let Stage::Leaving { report, .. } = core::mem::replace(this.stage, Stage::Over) else {
                        unreachable!("matched above")
                    };
                    return Poll::Ready(report);
                }
                Stage::Over => panic!("a group was polled after it was over"),
            }
        }
    }
}

impl<F: Future<Output = Result<R, E>>, R, E> fmt::Debug for ReportGroup<F, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportGroup").field("name", &self.core.shared.name).finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of a group, polled and dropped in a panic guard.
    struct Body<F, E> {
        #[pin]
        body: Guarded<F>,
        core: Arc<Core<E>>,
    }

    impl<F, E> PinnedDrop for Body<F, E> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Err(panic) = this.body.clear() {
                this.core.body_panicked(panic);
            }
        }
    }
}

impl<F: Future, E> Future for Body<F, E> {
    type Output = <Guarded<F> as Future>::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().body.poll(cx)
    }
}

//! What becomes of a child, and of a group.

use super::tally::Sums;
use crate::cancel::{Cancelled, Scope};
use crate::spawn::Panic;
use crate::sys::joint::Label;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::panic::Location;

/// How far a child has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// It has not ended, or has not begun.
    Running,
    /// It returned `Ok`.
    Done,
    /// It returned an error, which the group has.
    Failed,
    /// It panicked, and the group has the panic.
    Panicked,
    /// It was cut short, or never begun.
    Cancelled,
    /// Its task was dropped before it had ended, as an executor does that shuts down.
    Lost,
}

/// Why there is no result of a child; from its [`Handle`](super::Handle).
///
/// The error or the panic itself goes to the group, which keeps them all. A child whose errors are for the holder of its
/// handle returns them as values: `Ok(result)`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildError {
    /// It returned an error.
    Failed,
    /// It panicked.
    Panicked,
    /// It was cut short, or never begun.
    Cancelled(Cancelled),
    /// Its task was dropped before it had ended.
    Lost,
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed => f.write_str("the child failed, and its group has the error"),
            Self::Panicked => f.write_str("the child panicked, and its group has the panic"),
            Self::Cancelled(cancelled) => write!(f, "the child was {cancelled}"),
            Self::Lost => f.write_str("the child's task was dropped before it had ended"),
        }
    }
}

impl core::error::Error for ChildError {}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause<E> {
    /// An error was returned.
    Error(E),
    /// There was a panic.
    Panic(Panic),
    /// The task was dropped before it had ended, as an executor does that shuts down.
    Lost,
}

impl<E: fmt::Display> fmt::Display for Cause<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panic(panic) => write!(f, "panicked: {panic}"),
            Self::Lost => f.write_str("its task was dropped before it had ended"),
        }
    }
}

/// One failure in a group: of a child, or of the group's body.
#[derive(Debug)]
pub struct Failure<E> {
    /// None: the body.
    child: Option<Label>,
    cause: Cause<E>,
}

impl<E> Failure<E> {
    pub(super) fn new(child: Option<Label>, cause: Cause<E>) -> Self {
        Self { child, cause }
    }

    /// The child's name, empty if it has none; nothing if it was the body that failed.
    pub fn name(&self) -> Option<&str> {
        self.child.as_ref().map(|label| &*label.name)
    }

    /// The place where the child was spawned; nothing if it was the body that failed.
    pub fn made(&self) -> Option<&'static Location<'static>> {
        self.child.as_ref().map(|label| label.made)
    }

    /// What went wrong.
    pub fn cause(&self) -> &Cause<E> {
        &self.cause
    }

    /// What went wrong, to keep.
    pub fn into_cause(self) -> Cause<E> {
        self.cause
    }

    /// The error, if one was returned.
    pub fn error(&self) -> Option<&E> {
        match &self.cause {
            Cause::Error(error) => Some(error),
            _ => None,
        }
    }

    pub(super) fn is_panic(&self) -> bool {
        matches!(self.cause, Cause::Panic(_))
    }

    /// Panic outranks error outranks lost.
    fn rank(&self) -> u8 {
        match self.cause {
            Cause::Panic(_) => 0,
            Cause::Error(_) => 1,
            Cause::Lost => 2,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.child {
            None => f.write_str("the body")?,
            Some(label) if label.name.is_empty() => write!(f, "a child {label}")?,
            Some(label) => label.fmt(f)?,
        }
        write!(f, ": {}", self.cause)
    }
}

/// All that failed in a group: there is a first one at least.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failures<E> {
    /// The first panic; if there was none, the first error; if there was none, the first task that was lost.
    pub first: Failure<E>,
    /// The others, in the order in which they happened.
    pub rest: Vec<Failure<E>>,
}

impl<E> Failures<E> {
    /// None: there is none.
    pub(super) fn new(mut all: Vec<Failure<E>>) -> Option<Self> {
        let (first, _) = all.iter().enumerate().min_by_key(|(_, failure)| failure.rank())?;
        let first = all.remove(first);
        Some(Self { first, rest: all })
    }

    /// The first one, then the others.
    pub fn iter(&self) -> impl Iterator<Item = &Failure<E>> {
        core::iter::once(&self.first).chain(&self.rest)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        1 + self.rest.len()
    }
}

/// Why a group has no result.
///
/// Children that were cancelled are not mentioned: they are not why. The errors of a group that was itself a child of
/// another one keep their shape, as the error that this child returned.
///
/// # Examples
/// ```
/// use wakeful::cancel::Scope;
/// use wakeful::task::{Cause, GroupError, Policy, group};
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let outcome = group(sim.spawner())
///         .policy(Policy::Supervise)
///         .run(&scope, async |g| {
///             g.spawn("disk", async { Err::<(), _>("full") }).unwrap();
///             g.spawn("net", async { Err::<(), _>("unplugged") }).unwrap();
///             Ok(())
///         })
///         .await;
///     let Err(GroupError::Failed(failures)) = outcome else { unreachable!() };
///     assert_eq!(failures.count(), 2);
///     assert!(matches!(failures.first.cause(), Cause::Error("full" | "unplugged")));
/// });
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupError<E> {
    /// The body or children failed.
    Failed(Box<Failures<E>>),
    /// Nothing failed, but the group's scope was cancelled and something was cut short.
    Cancelled(Cancelled),
}

impl<E> GroupError<E> {
    /// The first failure, unless it was a cancelling.
    pub fn first(&self) -> Option<&Failure<E>> {
        match self {
            Self::Failed(failures) => Some(&failures.first),
            Self::Cancelled(_) => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(cancelled) => write!(f, "the group was {cancelled}"),
            Self::Failed(failures) => {
                failures.first.fmt(f)?;
                failures.rest.iter().try_for_each(|failure| write!(f, "; {failure}"))
            }
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(failures) => failures.first.error().map(|error| error as _),
            Self::Cancelled(cancelled) => Some(cancelled),
        }
    }
}

/// How many children of a group ended in which way: each in exactly one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct GroupCount {
    /// Children that returned `Ok`.
    pub done: u64,
    /// Children that returned an error.
    pub failed: u64,
    /// Children that panicked.
    pub panicked: u64,
    /// Children that were cut short, or never begun.
    pub cancelled: u64,
    /// Children whose task was dropped before they had ended.
    pub lost: u64,
}

impl GroupCount {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.done + self.failed + self.panicked + self.cancelled + self.lost
    }
}

impl fmt::Display for GroupCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, failed, panicked, cancelled, lost } = self;
        write!(f, "{done} done, {failed} failed, {panicked} panicked, {cancelled} cancelled, {lost} lost")
    }
}

/// What came of a group, whole.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "failures and panics of children are in the report"]
pub struct GroupReport<R, E> {
    /// What the body returned with `Ok`; nothing if it failed, panicked or was cut short.
    pub output: Option<R>,
    /// Errors, panics and losses, of children and of the body, in the order in which they happened.
    pub failures: Vec<Failure<E>>,
    /// Why the body or children were cut short, if it was the group's scope that was cancelled.
    pub cancelled: Option<Cancelled>,
    /// How the children ended.
    pub count: GroupCount,
    /// Under [`Policy::FirstDone`](super::Policy::FirstDone) and [`Policy::FirstOk`](super::Policy::FirstOk): a child has
    /// returned `Ok` in time.
    pub(super) won: bool,
}

impl<R, E> GroupReport<R, E> {
    /// `cut`: the body was cut short, by `scope`.
    pub(super) fn new(output: Option<R>, sums: Sums<E>, cut: bool, scope: &Scope) -> Self {
        let Sums { failures, count, cut: children, won } = sums;
        let cancelled = if cut || children { scope.cause() } else { None };
        Self { output, failures, cancelled, count, won }
    }

    /// The body's result, or why there is none. Panics are failures like others here.
    ///
    /// Where the policy was to end with a first child, and that one returned `Ok`, what became of the others does not count.
    ///
    /// # Errors
    /// If the body or a child failed, or was cut short because the group's scope was cancelled.
    pub fn into_result(self) -> Result<R, GroupError<E>> {
        let Self { output, failures, cancelled, won, .. } = self;
        let failures = match output {
            Some(output) if won => return Ok(output),
            _ => Failures::new(failures),
        };
        match (failures, cancelled, output) {
            (Some(failures), ..) => Err(GroupError::Failed(Box::new(failures))),
            (None, Some(cancelled), _) => Err(GroupError::Cancelled(cancelled)),
            (None, None, Some(output)) => Ok(output),
            (None, None, None) => unreachable!("a body without a result failed or was cancelled"),
        }
    }

    /// Whether all there is to say is that a scope around the group was cancelled.
    pub(super) fn is_cut_from_above(&self) -> bool {
        let won = self.won && self.output.is_some();
        let from_above = self.cancelled.as_ref().is_some_and(|cancelled| !cancelled.is_own());
        from_above && self.failures.is_empty() && !won
    }

    /// As [`into_result`](Self::into_result), but if there was a panic, goes on with the first.
    ///
    /// # Panics
    /// With the first panic of the body or a child.
    pub(super) fn raise(mut self) -> Result<R, GroupError<E>> {
        if let Some(at) = self.failures.iter().position(Failure::is_panic) {
            if let Cause::Panic(panic) = self.failures.swap_remove(at).cause {
                panic.resume();
            }
        }
        self.into_result()
    }
}

/// Why a group takes no more children, or a [phase](super::Phase) nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// It is over.
    Over,
    /// Its scope winds down: see [`Scope::cancel_with_grace`](crate::cancel::Scope::cancel_with_grace).
    Draining,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Over => "the group is over, and takes no more children",
            Self::Draining => "the group or phase winds down, and takes nobody in",
        })
    }
}

impl core::error::Error for Refusal {}

/// `?` in a function that returns a [`Refusal`] drops what was to be spawned. So does `.map_err(Refusal::from)?` where the error is
/// boxed, which one with a future in it can't be.
impl<F> From<SpawnError<F>> for Refusal {
    fn from(error: SpawnError<F>) -> Self {
        error.refusal
    }
}

/// The error of spawning into a group that takes no more children, or of being tracked by a [phase](super::Phase) that takes
/// nobody in; it gives back what was to be spawned.
///
/// # Examples
/// ```
/// use std::error::Error;
/// use wakeful::cancel::Scope;
/// use wakeful::task::{Refusal, local_group};
///
/// type AnyError = Box<dyn Error + Send + Sync>;
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let run = local_group::<AnyError>().run(&scope, async |g| {
///         g.spawn("early", async { Ok(()) }).map_err(Refusal::from)?;
///         scope.cancel_with_grace("closing time", core::time::Duration::MAX);
///         g.spawn("late", async { Ok(()) }).map_err(Refusal::from)?;
///         unreachable!("a group that winds down takes no more children")
///     });
///     let failed: Result<(), _> = run.await;
///     assert!(failed.unwrap_err().to_string().contains("winds down"));
/// });
/// ```
pub struct SpawnError<F> {
    future: F,
    refusal: Refusal,
}

impl<F> SpawnError<F> {
    pub(super) fn new(future: F, refusal: Refusal) -> Self {
        Self { future, refusal }
    }

    /// Why.
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// What was to be spawned.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnError").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}

impl<F> core::error::Error for SpawnError<F> {}

/// Why a child that was to [start](super::TaskGroup::start) has not.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError<E> {
    /// It failed before it had started: the error is here, and not in the group.
    Failed(E),
    /// It panicked before it had started. The group has the panic.
    Panicked,
    /// It gave its [`Starting`](super::Starting) up, or ended, without having started. It has been cancelled, and is gone.
    Unstarted,
    /// It was cancelled before it had started.
    Cancelled(Cancelled),
    /// Its task was dropped before it had started.
    Lost,
}

impl<E: fmt::Display> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "failed before it had started: {error}"),
            Self::Panicked => f.write_str("panicked before it had started"),
            Self::Unstarted => f.write_str("ended without having said that it had started"),
            Self::Cancelled(cancelled) => write!(f, "{cancelled} before it had started"),
            Self::Lost => f.write_str("its task was dropped before it had started"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for StartError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Cancelled(cancelled) => Some(cancelled),
            _ => None,
        }
    }
}

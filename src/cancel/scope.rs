//! The scope itself.
#![expect(unsafe_code, reason = "a scope inside a timeout's future refers to the scope around it")]

use super::inline::{Inline, Parent};
use super::outcome::{Cancelled, Deadline};
use super::reach::Way;
use super::reason::Reason;
use super::run::Run;
use super::sweep::sweep;
use super::tree::{self, Branch, CANCELLED, Up};
use super::view::{View, expire};
use super::watch::UntilCancelled;
use crate::sys::Arc;
use crate::sys::slot::{self, Host, Mark};
use crate::time::{Instant, Sleep, Time};
use core::fmt;
use core::future::Future;
use core::time::Duration;

/// A cancel scope: a deadline, a flag, and everything that runs inside.
///
/// Cloning it gives another handle to the same scope. Dropping a handle cancels nothing. Handles may be kept and used
/// anywhere; a scope lives as long as a handle, a descendant or a run of it.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::Scope;
///
/// wakeful::sim::run(|sim| async move {
///     let scope = Scope::new(sim.time());
///     let answer = scope
///         .move_on_after(Duration::from_secs(1), async |s| {
///             s.sleep(Duration::from_secs(5)).await;
///             "never said"
///         })
///         .await;
///     assert_eq!(answer.done(), None);
///     assert_eq!(scope.now().as_nanos(), 1_000_000_000);
/// });
/// ```
pub struct Scope(Repr);

enum Repr {
    Shared(Arc<Branch>),
    Inline(Inline),
}

impl Scope {
    /// A scope of its own, without a parent or a deadline. `time` is what all scopes inside it count in.
    pub fn new(time: Time) -> Self {
        Self(Repr::Shared(tree::branch(Up::Root(time), Instant::NEVER, None, Mark::new())))
    }

    /// A scope inside this one, with no deadline of its own.
    ///
    /// Allocates once, when it is first cloned, waited on, or made a parent; one that is not costs a count of its parent.
    /// To bound a single body, [`move_on_after`](Self::move_on_after) and its kin need no allocation at all.
    pub fn child(&self) -> Self {
        self.child_at(Instant::NEVER)
    }

    /// A scope inside this one that ends at `at`.
    pub fn child_at(&self, at: Instant) -> Self {
        Self(Repr::Inline(Inline::loose(self.branch(), at)))
    }

    /// A scope inside this one that ends `duration` from this call.
    pub fn child_after(&self, duration: Duration) -> Self {
        self.child_at(self.now() + duration)
    }

    /// The scope around this one.
    pub fn parent(&self) -> Option<Self> {
        let branch = match &self.0 {
            Repr::Shared(branch) => branch.shared.parent()?.clone(),
            Repr::Inline(inline) => match &inline.parent {
                Parent::Borrowed(parent) => parent.branch(),
                Parent::Owned(branch) => branch.clone(),
                Parent::Time(_) => return None,
            },
        };
        Some(Self(Repr::Shared(branch)))
    }

    /// The time that this scope counts in.
    #[inline]
    pub fn time(&self) -> &Time {
        self.view().time()
    }

    /// The present instant.
    pub fn now(&self) -> Instant {
        self.time().now()
    }

    /// Waits for `duration`. Being cancelled drops it with the body that it is part of.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.time().sleep(duration)
    }

    /// Waits until `at`. Being cancelled drops it with the body that it is part of.
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        self.time().sleep_until(at)
    }

    /// Cancels the scope and all that is inside it. False: it was cancelled before, and its first reason stays.
    ///
    /// Bodies are dropped where they are polled: in this task when it next waits, in others when they are next polled, for
    /// which they are woken before this returns.
    ///
    /// # Examples
    /// ```
    /// use wakeful::cancel::{Outcome, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let requests = Scope::new(sim.time());
    ///     let one = requests.child();
    ///     let task = sim.spawn("request", async move { one.run(std::future::pending::<()>()).await });
    ///     sim.idle().await;
    ///     assert!(requests.cancel("shutting down"));
    ///     assert!(!requests.cancel("too late: the first reason stays"));
    ///     let Outcome::Cancelled(cancelled) = task.await else { unreachable!() };
    ///     assert_eq!(cancelled.to_string(), "cancelled from outside: shutting down");
    /// });
    /// ```
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        tree::cancel(&self.branch(), reason.into(), self.now())
    }

    /// Whether this scope itself was cancelled, by [`cancel`](Self::cancel) or by its own deadline. Reads a flag, never the
    /// clock, and does not say that a body was cut short: that is [`Outcome::Cancelled`](super::Outcome::Cancelled).
    pub fn cancel_called(&self) -> bool {
        self.view().is_flagged()
    }

    /// Whether this scope or one around it is cancelled. Reads flags, one a level, never the clock.
    ///
    /// What a [shield](Self::shield) hides does not count, nor does a [grace](Self::cancel_with_grace) that has not ended.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.view().any(CANCELLED)
    }

    /// Why this scope itself was cancelled; none if it was not.
    pub fn reason(&self) -> Option<Reason> {
        self.view().reason()
    }

    /// Why this scope is cancelled, by itself or from around it; none if [it is not](Self::is_cancelled). The same that a
    /// body which is cut short now gets for its [outcome](super::Outcome).
    ///
    /// # Examples
    /// Cleaning up as the reason asks for:
    /// ```
    /// use wakeful::cancel::{Reason, ReasonKind, Scope};
    ///
    /// struct Session(Scope, std::sync::Arc<std::sync::Mutex<Option<ReasonKind>>>);
    /// impl Drop for Session {
    ///     fn drop(&mut self) {
    ///         *self.1.lock().unwrap() = self.0.cause().map(|cause| cause.reason().kind());
    ///     }
    /// }
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (scope, seen) = (Scope::new(sim.time()), std::sync::Arc::default());
    ///     let session = Session(scope.child(), std::sync::Arc::clone(&seen));
    ///     let body = async move {
    ///         session.0.parent().unwrap().cancel(Reason::shutdown());
    ///         std::future::pending::<()>().await;
    ///     };
    ///     assert!(scope.run(body).await.is_cancelled());
    ///     assert_eq!(*seen.lock().unwrap(), Some(ReasonKind::Shutdown));
    /// });
    /// ```
    pub fn cause(&self) -> Option<Cancelled> {
        self.outermost()
    }

    /// Looks whether to go on, with the clock: for computations that do not wait.
    ///
    /// # Errors
    /// When this scope or one around it is cancelled or past its deadline; the outermost such scope gives the reason.
    ///
    /// # Examples
    /// ```
    /// use wakeful::cancel::{Cancelled, Scope};
    ///
    /// fn sum(scope: &Scope, numbers: &[u64]) -> Result<u64, Cancelled> {
    ///     let mut sum = 0;
    ///     for some in numbers.chunks(1_000) {
    ///         scope.check()?;
    ///         sum += some.iter().sum::<u64>();
    ///     }
    ///     Ok(sum)
    /// }
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time()).child_at(sim.now());
    ///     assert!(!scope.is_cancelled(), "flags are all that this reads, and nobody has looked at the clock");
    ///     assert!(sum(&scope, &[1, 2, 3]).is_err());
    ///     assert!(scope.is_cancelled());
    /// });
    /// ```
    pub fn check(&self) -> Result<(), Cancelled> {
        let end = self.view().plain();
        if end.is_some_and(Instant::is_never) {
            return Ok(());
        }
        // Where there are flags on the way, but no deadline, the clock has nothing to say.
        let now = if end.is_none() && self.reach().is_never() { Instant::EPOCH } else { self.now() };
        if end.is_some_and(|end| end > now) { Ok(()) } else { self.settle(now) }
    }

    /// As [`check`](Self::check), with a reading of the clock.
    #[inline]
    pub(super) fn check_at(&self, now: Instant) -> Result<(), Cancelled> {
        match self.view().plain() {
            Some(end) if end > now || end.is_never() => Ok(()),
            _ => self.settle(now),
        }
    }

    /// Cancels, of this scope and those around it, all whose end has been reached at `now`, and says whether this one is.
    #[cold]
    fn settle(&self, now: Instant) -> Result<(), Cancelled> {
        let mut over = false;
        let mut way = Way::DIRECT;
        for view in self.view().path() {
            let flags = view.flags();
            let (flagged, ends) = (flags & CANCELLED != 0, view.ends(flags));
            // Never is not reached, also by a clock at the end of time.
            let late = ends <= now && !ends.is_never();
            if late && !flagged {
                expire(view);
            }
            if way.is_direct() {
                over |= flagged || late;
            } else if late && way.reached(ends) <= now {
                self.uncover_up_to(view);
                over = true;
            }
            way = view.way(flags, way);
        }
        if over { self.outermost().map_or(Ok(()), Err) } else { Ok(()) }
    }

    /// Takes away the shields that a cancellation of `end` has passed on its way here.
    #[cold]
    fn uncover_up_to(&self, end: View<'_>) {
        for view in self.view().path().take_while(|view| !view.same(end)) {
            if let View::Shared(branch) = view {
                tree::uncover(branch);
            }
        }
    }

    /// When this scope is, or was, cancelled: by itself, or from around it and through shields.
    pub(super) fn reach(&self) -> Instant {
        if let Some(end) = self.view().plain() {
            return end;
        }
        let (mut earliest, mut way) = (Instant::NEVER, Way::DIRECT);
        for view in self.view().path() {
            let flags = view.flags();
            earliest = earliest.min(way.reached(view.ends(flags)));
            way = view.way(flags, way);
        }
        earliest
    }

    /// The scope's own deadline; never, if it has none.
    pub fn deadline(&self) -> Instant {
        self.view().deadline()
    }

    /// Moves the scope's own deadline, earlier or later. Moving it later never un-cancels.
    ///
    /// # Examples
    /// Time that is granted anew with each sign of life:
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let patience = Duration::from_secs(1);
    ///     let outcome = scope.move_on_after(patience, async |s| {
    ///         for pause in [400, 800, 1200] {
    ///             s.sleep(Duration::from_millis(pause)).await;
    ///             s.set_deadline(s.now() + patience);
    ///         }
    ///     }).await;
    ///     assert!(outcome.is_cancelled());
    ///     assert_eq!(scope.now().as_nanos(), 2_200_000_000);
    /// });
    /// ```
    pub fn set_deadline(&self, at: Instant) {
        tree::set_deadline(&self.branch(), at);
    }

    /// How much time is left here: the earliest deadline of this scope and those around it.
    ///
    /// A deadline that has been reached, but by nobody noticed, is still given as `At`. During a
    /// [grace](Self::cancel_with_grace) its end counts as a deadline. Inside a [shield](Self::shield) what comes from further
    /// out counts as late as the shield lets it through.
    pub fn effective_deadline(&self) -> Deadline {
        if self.is_cancelled() { Deadline::Cancelled } else { self.reach().into() }
    }

    /// Waits until this scope or one around it is cancelled or past its deadline, and gives the reason.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time()).child_after(Duration::from_secs(9));
    ///     let reason = scope.cancelled().await;
    ///     assert!(reason.is_timeout());
    ///     assert_eq!(sim.now().as_nanos(), 9_000_000_000);
    /// });
    /// ```
    pub fn cancelled(&self) -> UntilCancelled {
        UntilCancelled::new(self.clone())
    }

    /// Runs `body` in this scope until it is done or the scope is cancelled.
    ///
    /// The same scope may run several bodies: one after another, in several tasks, or one inside another, where the outer run
    /// is the one that ends. A run that is dropped or done cancels nothing.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::{Outcome, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time()).child_after(Duration::from_secs(2));
    ///     assert_eq!(scope.run(async { 1 }).await, Outcome::Done(1));
    ///     assert!(scope.run(scope.sleep(Duration::from_secs(3))).await.is_cancelled());
    ///     assert!(scope.run(async { 2 }).await.is_cancelled(), "nothing begins in a scope whose time is up");
    /// });
    /// ```
    pub fn run<F: Future>(&self, body: F) -> Run<'_, F> {
        Run::new(self, body)
    }

    /// Whether `self` and `other` are handles to the same scope.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.branch(), &other.branch())
    }

    #[inline]
    pub(super) fn view(&self) -> View<'_> {
        match &self.0 {
            Repr::Shared(branch) => View::Shared(branch),
            Repr::Inline(inline) => match inline.node() {
                Some(branch) => View::Shared(branch),
                None => View::Inline(inline),
            },
        }
    }

    /// The scope as a node of the tree; an inline one becomes one now, and those around it with it.
    pub(super) fn branch(&self) -> Arc<Branch> {
        match &self.0 {
            Repr::Shared(branch) => branch.clone(),
            Repr::Inline(inline) => inline.branch(),
        }
    }

    /// The innermost node at or above this scope.
    ///
    /// # Panics
    /// If there is none; the caller has seen one.
    pub(super) fn nearest_branch(&self) -> Arc<Branch> {
        let mut at = self;
        loop {
            if let Some(branch) = at.ready_branch() {
                return branch;
            }
            match at.inline().map(|inline| &inline.parent) {
                Some(Parent::Borrowed(parent)) => at = parent,
                Some(Parent::Owned(branch)) => return branch.clone(),
                Some(Parent::Time(_)) | None => unreachable!("no node at or above this scope"),
            }
        }
    }

    pub(super) fn ready_branch(&self) -> Option<Arc<Branch>> {
        match &self.0 {
            Repr::Shared(branch) => Some(branch.clone()),
            Repr::Inline(inline) => inline.ready_branch(),
        }
    }

    /// The inline scope that this is, shared or not.
    pub(super) fn inline(&self) -> Option<&Inline> {
        match &self.0 {
            Repr::Shared(_) => None,
            Repr::Inline(inline) => Some(inline),
        }
    }

    /// The scope around this one, if this one refers to it.
    pub(super) fn borrowed_parent(&self) -> Option<&Self> {
        match self.inline().map(|inline| &inline.parent) {
            Some(Parent::Borrowed(parent)) => Some(parent),
            _ => None,
        }
    }

    /// The handle to a node.
    pub(super) fn of(branch: Arc<Branch>) -> Self {
        Self(Repr::Shared(branch))
    }

    /// An inline scope below an owned parent, or on its own.
    #[inline]
    pub(super) fn below(parent: Result<Arc<Branch>, &'static Time>, deadline: Instant) -> Self {
        let parent = match parent {
            Ok(branch) => Parent::Owned(branch),
            Err(time) => Parent::Time(time),
        };
        Self::inline_in(parent, deadline)
    }

    /// An inline scope below a borrowed parent.
    ///
    /// # Safety
    /// The scope is dropped before the borrow of `parent` ends, and is handed to others by shared reference only.
    pub(super) unsafe fn inside(parent: &Scope, deadline: Instant) -> Self {
        // SAFETY: by the contract above the reference is not used after its borrow. What a shared reference to the new
        // scope gives away (handles, branches) owns its parents and does not hold this reference.
        let parent = unsafe { &*core::ptr::from_ref(parent) };
        Self::inline_in(Parent::Borrowed(parent), deadline)
    }

    #[inline]
    fn inline_in(parent: Parent, deadline: Instant) -> Self {
        Self(Repr::Inline(Inline::new(parent, deadline)))
    }

    /// What the outermost cancelled scope says, this one included.
    pub(super) fn outermost(&self) -> Option<Cancelled> {
        let mut found = None;
        for (level, view) in self.view().up().enumerate() {
            if view.is_flagged() {
                found = Some((level, view));
            }
        }
        let (level, view) = found?;
        Some(Cancelled { reason: view.reason()?, own: level == 0 })
    }
}

slot::ambient!(CURRENT: Scope);

impl Host for Scope {
    fn slot() -> &'static slot::Key<Self> {
        &CURRENT
    }

    fn left(&self) {
        sweep(&self.branch());
    }

    fn marks(&self) -> [Option<&Mark>; 2] {
        match &self.0 {
            Repr::Shared(branch) => [Some(&branch.shared.mark), None],
            Repr::Inline(inline) => [Some(inline.mark()), inline.node().map(|branch| &branch.shared.mark)],
        }
    }
}

impl Clone for Scope {
    fn clone(&self) -> Self {
        Self(Repr::Shared(self.branch()))
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("effective_deadline", &self.effective_deadline())
            .field("reason", &self.reason())
            .finish_non_exhaustive()
    }
}

//! The scope itself.
#![expect(unsafe_code, reason = "a scope inside a timeout's future refers to the scope around it")]

use super::inline::{Inline, Parent};
use super::outcome::Cancelled;
use super::reason::Reason;
use super::run::Run;
use super::sweep::sweep;
use super::tree::{self, Branch, CANCELLED, Up};
use super::view::View;
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
    /// A scope of its own, without a parent or a deadline: the root of a program, or of one part that nothing around it is
    /// to cancel. `time` is what all scopes inside it count in.
    pub fn new(time: Time) -> Self {
        Self(Repr::Shared(tree::branch(Up::Root(time), Instant::NEVER, None, Mark::new())))
    }

    /// A scope inside this one, with no deadline of its own: a handle by which a part of the work can be cancelled alone.
    ///
    /// Allocates once, when it is first cloned, waited on, or made a parent; one that is not costs a count of its parent.
    /// To bound a single body, [`move_on_after`](Self::move_on_after) and its kin need no allocation at all.
    ///
    /// # Examples
    /// ```
    /// use wakeful::cancel::{ReasonKind, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let server = Scope::new(sim.time());
    ///     let (one, other) = (server.child(), server.child());
    ///     one.cancel("the client hung up");
    ///     assert!(one.is_cancelled() && !other.is_cancelled() && !server.is_cancelled());
    ///     server.cancel("closed");
    ///     assert_eq!(other.cause().unwrap().kind(), ReasonKind::Parent);
    /// });
    /// ```
    pub fn child(&self) -> Self {
        self.child_at(Instant::NEVER)
    }

    /// As [`child`](Self::child), a node from the beginning: one that many scopes will lie in.
    pub(crate) fn child_node(&self) -> Self {
        Self::of(tree::branch(Up::Under(self.branch()), Instant::NEVER, None, Mark::new()))
    }

    /// A new scope inside this one that nothing reaches from here: what lies inside it goes on, whatever is cancelled around it.
    /// What is left behind there is waited for here all the same.
    pub(crate) fn child_apart(&self) -> Self {
        Self::of(tree::apart(self.branch()))
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
    /// is the one that ends. A scope is never used up: there is no error of entering it twice. A run that is dropped or done
    /// cancels nothing.
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

    /// Whether others may have a handle to it, or refer to it.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.view(), View::Shared(_))
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

    /// The time that it counts in and its deadline, if it lies in no other scope, and is no node.
    #[inline]
    pub(super) fn alone(&self) -> Option<(&Time, Instant)> {
        match self.view() {
            View::Inline(inline) => inline.alone(),
            View::Shared(_) => None,
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

    /// This inline scope, as one that anybody may have a reference to.
    fn loosened(self) -> Self {
        match self.0 {
            Repr::Inline(inline) => Self(Repr::Inline(inline.loosened())),
            shared @ Repr::Shared(_) => Self(shared),
        }
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

/// A scope inside one that lies in what it keeps: many children of one scope need no count each of its node.
pub(crate) struct Nested<T> {
    // Dropped first.
    scope: Scope,
    owner: Arc<T>,
}

impl<T> Nested<T> {
    /// A scope inside the one that `around` finds in `owner`.
    #[inline]
    pub(crate) fn new(owner: Arc<T>, around: impl FnOnce(&T) -> &Scope) -> Self {
        // SAFETY: what `around` gives is borrowed from `owner`, which is kept, and dropped after the scope. Of that, shared
        // references are all that others get.
        let scope = unsafe { Scope::inside(around(&owner), Instant::NEVER) }.loosened();
        Self { scope, owner }
    }

    #[inline]
    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    #[inline]
    pub(crate) fn owner(&self) -> &Arc<T> {
        &self.owner
    }
}

slot::ambient!(CURRENT: Scope);

impl Host for Scope {
    fn slot() -> &'static slot::Key<Self> {
        &CURRENT
    }

    #[cold]
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

//! The scope itself.
#![expect(unsafe_code, reason = "a scope inside a timeout's future refers to the scope around it")]

use super::outcome::{Cancelled, Deadline, Reason};
use super::run::Run;
use super::tree::{self, Branch, Mark, Up};
use super::watch::UntilCancelled;
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::{Arc, OnceArc};
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

/// A scope inside the future that runs it. Its deadline does not change, and nobody but its own run can end it: whoever
/// wants more [shares](Scope::branch) it.
pub(super) struct Inline {
    parent: Parent,
    deadline: Instant,
    expired: AtomicBool,
    mark: Mark,
    shared: OnceArc<Branch>,
}

enum Parent {
    /// In truth borrowed for as long as the future lives that holds the scope; see [`Scope::inside`].
    Borrowed(&'static Scope),
    Owned(Arc<Branch>),
    Time(Time),
}

/// A scope as the walk towards the root sees it.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Shared(&'a Branch),
    Inline(&'a Inline),
}

impl<'a> View<'a> {
    pub(super) fn parent(self) -> Option<View<'a>> {
        match self {
            Self::Shared(branch) => branch.shared.parent().map(|parent| View::Shared(parent)),
            Self::Inline(inline) => match &inline.parent {
                Parent::Borrowed(scope) => Some(scope.view()),
                Parent::Owned(branch) => Some(View::Shared(branch)),
                Parent::Time(_) => None,
            },
        }
    }

    /// From this scope up to the root.
    #[inline]
    pub(super) fn up(self) -> impl Iterator<Item = View<'a>> {
        core::iter::successors(Some(self), |view| view.parent())
    }

    /// Whether the scope can't leave the body of its parent's run.
    pub(super) fn is_fixed(self) -> bool {
        self.borrowed_parent().is_some()
    }

    /// The scope around this one, if this one can't leave the body of its run.
    pub(super) fn borrowed_parent(self) -> Option<&'a Scope> {
        match self {
            Self::Inline(Inline { parent: Parent::Borrowed(scope), .. }) => Some(scope),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn is_flagged(self) -> bool {
        match self {
            Self::Shared(branch) => branch.shared.is_cancelled(),
            // Acquire: partner of the releasing store in `expire`.
            Self::Inline(inline) => inline.expired.load(Ordering::Acquire),
        }
    }

    pub(super) fn deadline(self) -> Instant {
        match self {
            Self::Shared(branch) => tree::deadline(branch),
            Self::Inline(inline) => inline.deadline,
        }
    }

    #[inline]
    pub(super) fn mark(self) -> &'a Mark {
        match self {
            Self::Shared(branch) => &branch.shared.mark,
            Self::Inline(inline) => &inline.mark,
        }
    }

    fn reason(self) -> Option<Reason> {
        match self {
            Self::Shared(branch) => tree::reason(branch),
            Self::Inline(inline) => self.is_flagged().then(|| Reason::deadline(inline.deadline)),
        }
    }

    fn time(self) -> &'a Time {
        let mut view = self;
        loop {
            match view {
                Self::Shared(branch) => match branch.shared.time() {
                    Ok(time) => return time,
                    Err(parent) => view = View::Shared(parent),
                },
                Self::Inline(inline) => match &inline.parent {
                    Parent::Time(time) => return time,
                    Parent::Owned(branch) => view = View::Shared(branch),
                    Parent::Borrowed(scope) => view = scope.view(),
                },
            }
        }
    }
}

impl Scope {
    /// A scope of its own, without a parent or a deadline.
    pub fn new(time: Time) -> Self {
        Self(Repr::Shared(tree::branch(Up::Root(time), Instant::NEVER, None, Mark::new())))
    }

    /// A scope inside this one, with no deadline of its own.
    pub fn child(&self) -> Self {
        self.child_at(Instant::NEVER)
    }

    /// A scope inside this one that ends at `at`.
    pub fn child_at(&self, at: Instant) -> Self {
        Self(Repr::Shared(tree::branch(Up::Under(self.branch()), at, None, Mark::new())))
    }

    /// A scope inside this one that ends `duration` from this call.
    pub fn child_after(&self, duration: Duration) -> Self {
        self.child_at(self.now() + duration)
    }

    /// The scope around this one.
    pub fn parent(&self) -> Option<Self> {
        self.branch().shared.parent().map(|parent| Self(Repr::Shared(parent.clone())))
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
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        tree::cancel(&self.branch(), reason.into())
    }

    /// Whether this scope itself was cancelled, by [`cancel`](Self::cancel) or by its own deadline.
    pub fn cancel_called(&self) -> bool {
        self.view().is_flagged()
    }

    /// Whether this scope or one around it is cancelled. Reads flags, one a level, never the clock.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.view().up().any(View::is_flagged)
    }

    /// Why this scope itself was cancelled; none if it was not.
    pub fn reason(&self) -> Option<Reason> {
        self.view().reason()
    }

    /// Looks whether to go on, with the clock: for computations that do not wait.
    ///
    /// # Errors
    /// When this scope or one around it is cancelled or past its deadline; the outermost such scope gives the reason.
    pub fn check(&self) -> Result<(), Cancelled> {
        let now = match self.view().up().any(|view| !view.deadline().is_never()) {
            true => self.now(),
            false => Instant::EPOCH,
        };
        self.check_at(now)
    }

    /// As [`check`](Self::check), with a reading of the clock.
    #[inline]
    pub(super) fn check_at(&self, now: Instant) -> Result<(), Cancelled> {
        let mut over = false;
        for view in self.view().up() {
            over |= view.is_flagged();
            if view.deadline() <= now {
                expire(view);
                over = true;
            }
        }
        if over { self.outermost().map_or(Ok(()), Err) } else { Ok(()) }
    }

    /// The scope's own deadline; never, if it has none.
    pub fn deadline(&self) -> Instant {
        self.view().deadline()
    }

    /// Moves the scope's own deadline, earlier or later. Moving it later never un-cancels.
    pub fn set_deadline(&self, at: Instant) {
        tree::set_deadline(&self.branch(), at);
    }

    /// How much time is left here: the earliest deadline of this scope and those around it.
    ///
    /// A deadline that has been reached, but by nobody noticed, is still given as `At`.
    pub fn effective_deadline(&self) -> Deadline {
        let mut earliest = Instant::NEVER;
        for view in self.view().up() {
            if view.is_flagged() {
                return Deadline::Cancelled;
            }
            earliest = earliest.min(view.deadline());
        }
        earliest.into()
    }

    /// Waits until this scope or one around it is cancelled or past its deadline, and gives the reason.
    pub fn cancelled(&self) -> UntilCancelled {
        UntilCancelled::new(self.clone())
    }

    /// Runs `body` in this scope until it is done or the scope is cancelled.
    ///
    /// The same scope may run several bodies, one after another or in several tasks.
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
            Repr::Inline(inline) => match inline.shared.get() {
                Some(branch) => View::Shared(branch),
                None => View::Inline(inline),
            },
        }
    }

    /// The scope as a node of the tree; an inline one becomes one now, and those around it with it.
    pub(super) fn branch(&self) -> Arc<Branch> {
        // From the outermost that is no node yet inwards: in a loop, as they may be many.
        loop {
            let mut at = self;
            loop {
                let inline = match &at.0 {
                    Repr::Shared(branch) => return branch.clone(),
                    Repr::Inline(inline) => inline,
                };
                let up = match &inline.parent {
                    Parent::Borrowed(parent) => match parent.ready_branch() {
                        Some(branch) => Up::Under(branch),
                        None => {
                            at = parent;
                            continue;
                        }
                    },
                    Parent::Owned(branch) => Up::Under(branch.clone()),
                    Parent::Time(time) => Up::Root(time.clone()),
                };
                let branch = inline.shared.get_or_init(|| {
                    let reason = View::Inline(inline).reason();
                    tree::branch(up, inline.deadline, reason, inline.mark.copy())
                });
                if core::ptr::eq(at, self) {
                    return branch;
                }
                break;
            }
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

    fn ready_branch(&self) -> Option<Arc<Branch>> {
        match &self.0 {
            Repr::Shared(branch) => Some(branch.clone()),
            Repr::Inline(inline) => {
                inline.shared.get().map(|_| inline.shared.get_or_init(|| unreachable!("it is filled")))
            }
        }
    }

    /// The inline scope that this is, shared or not.
    pub(super) fn inline(&self) -> Option<&Inline> {
        match &self.0 {
            Repr::Shared(_) => None,
            Repr::Inline(inline) => Some(inline),
        }
    }

    /// An inline scope below an owned parent, or on its own.
    pub(super) fn below(parent: Result<Arc<Branch>, Time>, deadline: Instant) -> Self {
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

    fn inline_in(parent: Parent, deadline: Instant) -> Self {
        Self(Repr::Inline(Inline {
            parent,
            deadline,
            expired: AtomicBool::new(false),
            mark: Mark::new(),
            shared: OnceArc::new(),
        }))
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

impl Inline {
    #[inline]
    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }
}

/// Cancels a scope whose deadline was reached. The first reason stays.
pub(super) fn expire(view: View<'_>) {
    match view {
        View::Shared(branch) => {
            let at = tree::deadline(branch);
            tree::cancel(branch, Reason::deadline(at));
        }
        View::Inline(inline) => {
            // Release: partner of the load in `is_flagged`.
            inline.expired.store(true, Ordering::Release);
            // It may have become a node in between, and was given the flag as it stood.
            if let Some(branch) = inline.shared.get() {
                tree::cancel(branch, Reason::deadline(inline.deadline));
            }
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

//! A scope that is no node of the tree: inside the future that runs it, or in the one handle to it.
//!
//! # Invariants
//!
//! - **I1** Its deadline does not change, and nothing but its deadline cancels it: whoever wants more makes a node of it
//!   first. Once there is a node, the node alone counts.
//! - **I2** Whoever makes a node raises `SHARED` before, and whoever notices the deadline raises `CANCELLED` only while
//!   `SHARED` is not: so the node is made with the flag, or it alone is given it. What was seen cancelled stays so.

use super::reason::Reason;
use super::scope::Scope;
use super::tree::{self, Branch, CANCELLED, Up};
use crate::sys::atomic::{AtomicU8, Ordering};
use crate::sys::probe::{Access, Resource};
use crate::sys::slot::Mark;
use crate::sys::{Arc, OnceArc, trace};
use crate::time::{Instant, Time};

/// In the state: somebody makes, or has made, a node of it.
const SHARED: u8 = 1 << 7;
/// In the state: it is in a handle, which anybody may have a reference to.
const LOOSE: u8 = 1 << 6;

/// A scope that is no node of the tree, unless it has become one.
pub(super) struct Inline {
    pub(super) parent: Parent,
    deadline: Instant,
    state: AtomicU8,
    mark: Mark,
    node: OnceArc<Branch>,
    resource: Resource,
}

pub(super) enum Parent {
    /// In truth borrowed for as long as the future lives that holds the scope; see [`Scope::inside`].
    Borrowed(&'static Scope),
    Owned(Arc<Branch>),
    /// The process's own time.
    Time(&'static Time),
}

impl Inline {
    /// A scope inside the future that runs it.
    #[inline]
    pub(super) fn new(parent: Parent, deadline: Instant) -> Self {
        Self {
            parent,
            deadline,
            state: AtomicU8::new(0),
            mark: Mark::new(),
            node: OnceArc::new(),
            resource: Resource::new(),
        }
    }

    /// A scope in a handle.
    #[inline]
    pub(super) fn loose(parent: Arc<Branch>, deadline: Instant) -> Self {
        Self::new(Parent::Owned(parent), deadline).loosened()
    }

    /// This new scope, in a handle.
    #[inline]
    pub(super) fn loosened(self) -> Self {
        Self { state: AtomicU8::new(LOOSE), ..self }
    }

    /// Whether others than the body of its own run may refer to it.
    #[inline]
    pub(super) fn is_loose(&self) -> bool {
        // Relaxed: it never changes.
        self.state.load(Ordering::Relaxed) & LOOSE != 0
    }

    /// The node that it has become.
    #[inline]
    pub(super) fn node(&self) -> Option<&Branch> {
        self.node.get()
    }

    #[inline]
    pub(super) fn flags(&self) -> u8 {
        self.resource.touch(Access::Read);
        // Acquire: partner of the releasing update in `expire`.
        self.state.load(Ordering::Acquire) & CANCELLED
    }

    #[inline]
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time that it counts in and its deadline, if it lies in no other scope.
    #[inline]
    pub(super) fn alone(&self) -> Option<(&Time, Instant)> {
        match self.parent {
            Parent::Time(time) => Some((time, self.deadline)),
            Parent::Borrowed(_) | Parent::Owned(_) => None,
        }
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        (self.flags() != 0).then(|| Reason::deadline(self.deadline))
    }

    #[inline]
    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Cancels it, its deadline being reached (I2).
    pub(super) fn expire(&self) {
        self.resource.touch(Access::Write);
        // Acquire and release: partner of the exchange in `share`, which comes before or after this one.
        let unshared = |state| (state & SHARED == 0).then_some(state | CANCELLED);
        match self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, unshared) {
            Ok(before) if before & CANCELLED == 0 => trace::scope_cancelled(|| Some(Reason::deadline(self.deadline))),
            Ok(_) => {}
            Err(_) => {
                tree::cancel(&self.branch(), Reason::deadline(self.deadline), self.deadline);
            }
        }
    }

    /// The node that it is or becomes now, and those around it with it.
    pub(super) fn branch(&self) -> Arc<Branch> {
        // From the outermost that is no node yet inwards: in a loop, as they may be many.
        loop {
            let mut at = self;
            let up = loop {
                match &at.parent {
                    Parent::Owned(branch) => break Up::Under(branch.clone()),
                    Parent::Time(time) => break Up::Root(Time::clone(time)),
                    Parent::Borrowed(scope) => match (scope.ready_branch(), scope.inline()) {
                        (Some(branch), _) => break Up::Under(branch),
                        (None, Some(inline)) => at = inline,
                        (None, None) => unreachable!("a scope that is no node is inline"),
                    },
                }
            };
            let branch = at.share(up);
            if core::ptr::eq(at, self) {
                return branch;
            }
        }
    }

    /// The node that it is, if it is one.
    pub(super) fn ready_branch(&self) -> Option<Arc<Branch>> {
        self.node.get().map(|_| self.node.get_or_init(|| unreachable!("it is filled")))
    }

    /// The node, which hangs under `up` if it is made now (I2).
    fn share(&self, up: Up) -> Arc<Branch> {
        self.node.get_or_init(|| {
            self.resource.touch(Access::Write);
            // Acquire and release: partner of the update in `expire`, which comes before or after this one.
            let cancelled = self.state.fetch_or(SHARED, Ordering::AcqRel) & CANCELLED != 0;
            tree::branch(up, self.deadline, cancelled.then(|| Reason::deadline(self.deadline)), self.mark.copy())
        })
    }
}

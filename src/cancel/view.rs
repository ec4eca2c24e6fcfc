//! A scope as the walk towards the root sees it: a node of the tree, or inside a future.

use super::reason::Reason;
use super::scope::Scope;
use super::tree::{self, Branch, Mark, Up};
use crate::sys::atomic::{AtomicBool, Ordering};
use crate::sys::{Arc, OnceArc};
use crate::time::{Instant, Time};

/// A scope inside the future that runs it. Its deadline does not change, and nobody but its own run can end it: whoever
/// wants more [shares](Inline::share) it.
pub(super) struct Inline {
    pub(super) parent: Parent,
    deadline: Instant,
    expired: AtomicBool,
    mark: Mark,
    pub(super) shared: OnceArc<Branch>,
}

pub(super) enum Parent {
    /// In truth borrowed for as long as the future lives that holds the scope; see [`Scope::inside`].
    Borrowed(&'static Scope),
    Owned(Arc<Branch>),
    /// The process's own time.
    Time(&'static Time),
}

/// A scope as the walk towards the root sees it.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Shared(&'a Branch),
    Inline(&'a Inline),
}

impl<'a> View<'a> {
    #[inline]
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
            Self::Shared(branch) => branch.look().is_cancelled(),
            // Acquire: partner of the releasing store in `expire`.
            Self::Inline(inline) => inline.expired.load(Ordering::Acquire),
        }
    }

    #[inline]
    pub(super) fn deadline(self) -> Instant {
        match self {
            Self::Shared(branch) => tree::deadline(branch),
            Self::Inline(inline) => inline.deadline,
        }
    }

    /// Whether the deadline was reached by `now`. Never is not reached, also by a clock at the end of time.
    #[inline]
    pub(super) fn is_late(self, now: Instant) -> bool {
        let deadline = self.deadline();
        deadline <= now && !deadline.is_never()
    }

    #[inline]
    pub(super) fn mark(self) -> &'a Mark {
        match self {
            Self::Shared(branch) => &branch.shared.mark,
            Self::Inline(inline) => &inline.mark,
        }
    }

    pub(super) fn reason(self) -> Option<Reason> {
        match self {
            Self::Shared(branch) => tree::reason(branch),
            Self::Inline(inline) => self.is_flagged().then(|| Reason::deadline(inline.deadline)),
        }
    }

    #[inline]
    pub(super) fn time(self) -> &'a Time {
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

impl Inline {
    #[inline]
    pub(super) fn new(parent: Parent, deadline: Instant) -> Self {
        Self { parent, deadline, expired: AtomicBool::new(false), mark: Mark::new(), shared: OnceArc::new() }
    }

    /// The scope as a node of the tree, which hangs under `up` if it becomes one now.
    pub(super) fn share(&self, up: Up) -> Arc<Branch> {
        self.shared.get_or_init(|| tree::branch(up, self.deadline, View::Inline(self).reason(), self.mark.copy()))
    }

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

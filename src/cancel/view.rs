//! A scope as the walk towards the root sees it: a node of the tree, or inside a future.

use super::inline::{Inline, Parent};
use super::reason::Reason;
use super::scope::Scope;
use super::tree::{self, Branch, CANCELLED};
use crate::sys::slot::Mark;
use crate::time::{Instant, Time};

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

    /// Whether `scope` is this one.
    pub(super) fn is(self, scope: &Scope) -> bool {
        match (self, scope.view()) {
            (Self::Shared(one), View::Shared(other)) => core::ptr::eq(one, other),
            (Self::Inline(one), View::Inline(other)) => core::ptr::eq(one, other),
            _ => false,
        }
    }

    #[inline]
    fn flags(self) -> u8 {
        match self {
            Self::Shared(branch) => branch.look().flags(),
            Self::Inline(inline) => inline.flags(),
        }
    }

    #[inline]
    pub(super) fn is_flagged(self) -> bool {
        self.flags() & CANCELLED != 0
    }

    #[inline]
    pub(super) fn deadline(self) -> Instant {
        match self {
            Self::Shared(branch) => tree::deadline(branch),
            Self::Inline(inline) => inline.deadline(),
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
            Self::Inline(inline) => inline.mark(),
        }
    }

    pub(super) fn reason(self) -> Option<Reason> {
        match self {
            Self::Shared(branch) => tree::reason(branch),
            Self::Inline(inline) => inline.reason(),
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

/// Cancels a scope whose deadline was reached. The first reason stays.
pub(super) fn expire(view: View<'_>) {
    match view {
        View::Shared(branch) => {
            tree::cancel(branch, Reason::deadline(tree::deadline(branch)));
        }
        View::Inline(inline) => inline.expire(),
    }
}

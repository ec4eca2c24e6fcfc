//! A scope as the walk towards the root sees it: a node of the tree, or inside a future.

use super::inline::{Inline, Parent};
use super::reach::Way;
use super::reason::Reason;
use super::scope::Scope;
use super::tree::{self, Branch, CANCELLED, SHIELD};
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
    pub(super) fn path(self) -> impl Iterator<Item = View<'a>> {
        core::iter::successors(Some(self), |view| view.parent())
    }

    /// From this scope up to the root, or to the first shield, which hides what is further out.
    #[inline]
    pub(super) fn up(self) -> impl Iterator<Item = View<'a>> + Clone {
        core::iter::successors(Some(self), |view| if view.flags() & SHIELD != 0 { None } else { view.parent() })
    }

    /// Whether this scope, or one around it that is not hidden, has one of these flags.
    #[inline]
    pub(super) fn any(self, flags: u8) -> bool {
        let mut view = self;
        loop {
            match view {
                Self::Shared(branch) => return tree::any(branch, flags),
                Self::Inline(inline) if inline.flags() & flags != 0 => return true,
                Self::Inline(_) => match view.parent() {
                    Some(parent) => view = parent,
                    None => return false,
                },
            }
        }
    }

    /// The earliest deadline of this scope and those around it, where that is all there is to know: none of them is
    /// cancelled, drains, or hides what is further out.
    #[inline]
    pub(super) fn plain(self) -> Option<Instant> {
        let (mut view, mut earliest) = (self, Instant::NEVER);
        loop {
            match view {
                Self::Shared(branch) => return tree::plain(branch).map(|at| at.min(earliest)),
                Self::Inline(inline) if inline.flags() != 0 => return None,
                Self::Inline(inline) => earliest = earliest.min(inline.deadline()),
            }
            match view.parent() {
                Some(parent) => view = parent,
                None => return Some(earliest),
            }
        }
    }

    /// Whether `scope` is this one.
    pub(super) fn is(self, scope: &Scope) -> bool {
        self.same(scope.view())
    }

    /// Whether `other` is this one.
    pub(super) fn same(self, other: View<'_>) -> bool {
        match (self, other) {
            (Self::Shared(one), View::Shared(other)) => core::ptr::eq(one, other),
            (Self::Inline(one), View::Inline(other)) => core::ptr::eq(one, other),
            _ => false,
        }
    }

    #[inline]
    pub(super) fn flags(self) -> u8 {
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

    /// When the scope, whose flags these are, is or was cancelled by itself: its deadline, the end of its grace, or what came
    /// before these.
    #[inline]
    pub(super) fn ends(self, flags: u8) -> Instant {
        match self {
            Self::Shared(branch) => tree::ends(branch, flags),
            Self::Inline(inline) => inline.deadline(),
        }
    }

    /// The way from one scope further out, if `way` is that from this one, whose flags these are.
    #[inline]
    pub(super) fn way(self, flags: u8, way: Way) -> Way {
        match self {
            Self::Shared(branch) if flags & SHIELD != 0 => tree::cover(branch).map_or(way, |cover| way.through(cover)),
            // What a shield further in holds back, it holds back since this one let it through.
            Self::Shared(branch) if !way.is_direct() => tree::passed(branch, flags).map_or(way, |at| way.since(at)),
            _ => way,
        }
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

/// Cancels a scope whose end was reached. The first reason stays.
pub(super) fn expire(view: View<'_>) {
    match view {
        View::Shared(branch) => {
            tree::cancel(branch, Reason::deadline(tree::deadline(branch)), view.ends(view.flags()));
        }
        View::Inline(inline) => inline.expire(),
    }
}

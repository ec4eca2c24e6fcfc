//! Waiting for a scope to be cancelled: what runs and [`UntilCancelled`] share.

use super::outcome::Cancelled;
use super::reach::Way;
use super::scope::Scope;
use super::sweep::{attach, enter};
use super::tree::{Branch, TreeWaiter};
use super::view::View;
use crate::sys::probe;
use crate::sys::slot::{self, Relied};
use crate::time::{Instant, Sleep, Time};
use crate::wait::Seen;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use pin_project_lite::pin_project;

pin_project! {
    /// A place in the tree and a timer, both taken at the first wait.
    pub(super) struct Watch {
        #[pin]
        waiter: Option<TreeWaiter>,
        #[pin]
        sleep: Option<Sleep>,
        seen: Seen,
        alone: bool,
    }
}

/// Who has to be told, and by when the clock must be looked at.
struct Needs<'a> {
    /// The innermost node at or above the scope, unless the scope is bound to the body of a run on this very stack, which
    /// then sees to it.
    branch: Option<&'a Branch>,
    until: Instant,
    /// Nobody else is relied on.
    alone: bool,
}

impl Watch {
    #[inline]
    pub(super) fn new() -> Self {
        Self { waiter: None, sleep: None, seen: Seen::NONE, alone: false }
    }

    /// Watches `scope`, which the waiting future may own, until its flags may have changed. `Ready`: look at the flags.
    /// `Pending`: the waker is registered, and the flags have not changed since the caller looked, unless a wake-up follows.
    #[inline]
    pub(super) fn poll(self: Pin<&mut Self>, scope: &Scope, owns: bool, cx: &mut Context<'_>) -> Poll<()> {
        if !self.stands(scope, cx.waker()) {
            return match if owns { scope.alone() } else { None } {
                Some((time, until)) => self.sleep_alone(scope, time, until, cx),
                None => self.register(scope, owns, cx),
            };
        }
        // Where there is no timer, nothing can have come of one.
        if self.sleep.is_some() { self.poll_sleep(scope, cx) } else { Poll::Pending }
    }

    /// Registers anew what is not there, or not for this waker.
    fn register(mut self: Pin<&mut Self>, scope: &Scope, owns: bool, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.as_mut().project();
        let before = scope.view().plain();
        let bare = before.and_then(|until| bare_needs(scope, owns, until));
        let needs = bare.unwrap_or_else(|| needs(scope, owns, cx.waker()));
        *this.alone = needs.alone;
        let mut joined = false;
        match needs.branch {
            None => this.waiter.set(None),
            Some(branch) => {
                let right = this.waiter.as_ref().as_pin_ref().is_some_and(|w| core::ptr::eq(&**w.home(), branch));
                if !right {
                    let home = scope.nearest_branch();
                    this.waiter.set(Some(TreeWaiter::new(home, None)));
                }
                let waiter = this.waiter.as_ref().as_pin_ref().expect("set above");
                if !(waiter.is_waiting() && this.seen.is(cx.waker())) {
                    let waker = cx.waker().clone();
                    *this.seen = Seen::of(&waker);
                    let old = waiter.with(|seat| match seat.is_waiting() {
                        true => seat.set_waker(waker),
                        false => {
                            joined = true;
                            enter(seat, waker);
                            None
                        }
                    });
                    drop(old);
                    if joined {
                        attach(waiter.home());
                    }
                }
            }
        }
        set_sleep(this.sleep, || scope.time(), needs.until);
        // What changed before this joined was told to nobody here. Where deadlines are all there is to know, they say so.
        if joined && (before.is_none() || scope.view().plain() != before) {
            *this.alone = false;
            return Poll::Ready(());
        }
        self.poll_sleep(scope, cx)
    }

    /// Registers anew where there is nobody to be told: a scope that the waiting future owns, and nobody has a handle to, lies
    /// in no other one.
    #[inline(never)]
    fn sleep_alone(
        mut self: Pin<&mut Self>,
        scope: &Scope,
        time: &Time,
        until: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let this = self.as_mut().project();
        *this.alone = true;
        set_sleep(this.sleep, || time, until);
        self.poll_sleep(scope, cx)
    }

    /// Whether all is registered as it was left: what has changed since comes with a sweep, which takes the waiter off its
    /// line, if nobody on the stack was relied on, and the scope has become no node meanwhile.
    #[inline]
    fn stands(&self, scope: &Scope, waker: &Waker) -> bool {
        self.alone
            && match (&self.waiter, scope.view()) {
                (Some(waiter), View::Shared(node)) if !core::ptr::eq(&**waiter.home(), node) => false,
                (Some(waiter), _) => waiter.is_waiting() && self.seen.is(waker),
                (None, View::Shared(_)) => false,
                (None, View::Inline(_)) => true,
            }
    }

    fn poll_sleep(self: Pin<&mut Self>, scope: &Scope, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let Some(mut sleep) = this.sleep.as_pin_mut() else { return Poll::Pending };
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // Notes what has been reached; the caller looks at the flags.
        let _ = scope.check_at(scope.now());
        sleep.reset(Instant::NEVER);
        *this.alone = false;
        Poll::Ready(())
    }

    /// Forgets what was registered.
    #[inline]
    pub(super) fn clear(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.waiter.set(None);
        this.sleep.set(None);
    }
}

/// Sees to it that there is a sleep until `until`.
#[inline]
pub(super) fn set_sleep<'t>(mut sleep: Pin<&mut Option<Sleep>>, time: impl FnOnce() -> &'t Time, until: Instant) {
    if until.is_never() {
        return sleep.set(None);
    }
    match sleep.as_mut().as_pin_mut() {
        None => sleep.set(Some(time().sleep_until(until))),
        Some(sleep) if sleep.deadline() != until => sleep.reset(until),
        Some(_) => {}
    }
}

/// What is to be watched over where nobody can be relied on, and a deadline is all that there is to know; none, if there is more
/// to it.
#[inline]
fn bare_needs(scope: &Scope, owns: bool, until: Instant) -> Option<Needs<'_>> {
    if !slot::is_bare::<Scope>() {
        return None;
    }
    let view = scope.view();
    let branch = match view {
        View::Shared(branch) => Some(branch),
        View::Inline(_) if owns => match view.parent() {
            Some(View::Shared(branch)) => Some(branch),
            Some(View::Inline(_)) => return None,
            None => None,
        },
        View::Inline(_) => return None,
    };
    Some(Needs { branch, until, alone: true })
}

/// Walks up to the first run that is polling on this stack with this waker: that one watches over itself and all above it.
///
/// A run that is polling on this stack with another waker may be blocked by an executor inside its body, and one that is
/// polling elsewhere may be blocked too, so neither is relied on. An inline scope on the way then becomes a node, since it
/// may be cancelled meanwhile by whoever has a reference to it. Behind a shield nobody is relied on: what is cancelled
/// further out has to be known here, for its budget, and its runs do not watch what a shield hides. `owns`: the waiting
/// future has the scope inside it, for its body alone.
fn needs<'a>(scope: &'a Scope, mut owns: bool, waker: &Waker) -> Needs<'a> {
    let mut needs = Needs { branch: None, until: Instant::NEVER, alone: false };
    // Whether the waiting future can't be moved out of the bodies on its way, having a reference into each.
    let mut fixed = scope.inline().is_some_and(|inline| !inline.is_loose());
    let mut at = scope;
    let mut view = scope.view();
    let mut way = Way::DIRECT;
    loop {
        let mut relied = Relied::NoPoll;
        if !owns && way.is_direct() {
            relied = slot::rely(view.mark(), waker, !fixed, |scope| view.is(scope));
            if relied == Relied::SameWaker && fixed {
                return needs;
            }
            if matches!(view, View::Inline(_)) {
                at.branch();
                view = at.view();
            }
        }
        if let (None, View::Shared(branch)) = (needs.branch, view) {
            needs.branch = Some(branch);
        }
        if relied == Relied::SameWaker {
            return needs;
        }
        let flags = view.flags();
        needs.until = needs.until.min(way.reached(view.ends(flags)));
        way = view.way(flags, way);
        let parent = at.borrowed_parent();
        fixed &= parent.is_some();
        owns = false;
        match (parent, view.parent()) {
            (Some(parent), _) => (at, view) = (parent, parent.view()),
            (None, Some(parent)) => view = parent,
            (None, None) => {
                needs.alone = true;
                return needs;
            }
        }
    }
}

pin_project! {
    /// Waits until a scope is cancelled or past its deadline; made by [`Scope::cancelled`].
    ///
    /// Gives the reason of the outermost scope concerned. Inside a body of that same scope it is of little use: there
    /// cancelling drops the body, and this with it.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing; the cancelling is not lost, being a state.
    #[must_use = "it waits for nothing unless it is awaited"]
    pub struct UntilCancelled {
        scope: Scope,
        #[pin]
        watch: Watch,
    }
}

impl UntilCancelled {
    pub(super) fn new(scope: Scope) -> Self {
        Self { scope, watch: Watch::new() }
    }

    pub(super) fn poll_inner(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancelled> {
        let mut this = self.project();
        loop {
            if let Some(cancelled) = this.scope.outermost() {
                this.watch.clear();
                return Poll::Ready(cancelled);
            }
            if this.watch.as_mut().poll(this.scope, false, cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Future for UntilCancelled {
    type Output = Cancelled;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancelled> {
        let polled = self.poll_inner(cx);
        if polled.is_pending() {
            probe::waiting("cancelled", None, u64::MAX);
        }
        polled
    }
}

impl fmt::Debug for UntilCancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilCancelled").field("scope", &self.scope).finish()
    }
}

//! Rule e: who ends what along one poll stack, and what a run that is to end still waits for.

use super::deadline::passes;
use super::hold::{self, Kind, Rest, Rested};
use super::outcome::Outcome;
use super::scope::Scope;
use super::tree::{Branch, CANCELLED, HOLDS};
use super::view::View;
use crate::sys::Arc;
use crate::sys::slot;
use crate::time::Instant;
use core::task::{Context, Poll};

/// How often a run leaves it to the run of a cancelled ancestor to drop it. That one does so after the same poll; one that
/// has not after so many polls is blocked by an executor that polls this run from inside it.
const STAYS: u8 = 64;

/// What a run of a cancelled scope keeps between polls.
pub(crate) struct Stay {
    times: u8,
    rest: Rest,
}

impl Stay {
    pub(crate) const fn new() -> Self {
        Self { times: 0, rest: Rest::new() }
    }

    /// Whether the run of a cancelled scope leaves it to the run of an ancestor to drop it.
    ///
    /// While a shield keeps that one from doing so, it is waited for.
    pub(crate) fn stays(&mut self, scope: &Scope, cx: &mut Context<'_>) -> bool {
        loop {
            match polled_by_cancelled(scope) {
                Ancestor::Sheltered(shield) => {
                    if self.rest.poll(shield, cx.waker()) != Rested::Over {
                        return true;
                    }
                }
                Ancestor::Ends if self.times < STAYS => {
                    self.times += 1;
                    // Should the ancestor's run not drop this one, whoever polls it next must come again.
                    cx.waker().wake_by_ref();
                    return true;
                }
                Ancestor::Ends | Ancestor::None => return false,
            }
        }
    }

    /// Whether a run of a cancelled scope keeps its body because of what is inside it.
    pub(super) fn shelters(&mut self, scope: &Scope, run: usize, cx: &mut Context<'_>) -> bool {
        for (kind, node) in hold::of_run(scope.view(), run) {
            let end = match kind {
                Kind::Shield => passes(View::Shared(&node)),
                Kind::Service => Instant::NEVER,
                Kind::Group | Kind::Cleanup => continue,
            };
            // H5. One of a cleanup counts anew when that begins.
            if !end.is_never() && end <= scope.now() {
                continue;
            }
            match self.rest.poll(node.clone(), cx.waker()) {
                Rested::Over => continue,
                // What was polled before the scope was cancelled may have relied on this run to tell it.
                Rested::Began => cx.waker().wake_by_ref(),
                Rested::GoesOn => {}
            }
            if kind == Kind::Service && self.rest.is_in_vain(cx) {
                hold::pass(scope, run, &node);
            } else if !self.rest.is_over_at(end, scope.time(), cx) {
                return true;
            }
        }
        false
    }

    /// Whether a run without a body has to wait for groups that were left behind in it.
    pub(super) fn lingers(&mut self, scope: &Scope, run: usize, cx: &mut Context<'_>) -> bool {
        loop {
            let mut holds = hold::of_run(scope.view(), run);
            let Some((_, node)) = holds.find(|(kind, _)| *kind == Kind::Group) else { return false };
            if self.rest.poll(node, cx.waker()) != Rested::Over {
                return true;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.rest.clear();
    }
}

/// What the run of a cancelled ancestor does that is polling on this stack.
enum Ancestor {
    /// There is none.
    None,
    /// It drops its body after this poll.
    Ends,
    /// It, or one that it leaves that to, waits for this hold.
    Sheltered(Arc<Branch>),
}

/// Looks from the inside outwards for runs of cancelled scopes that poll on this stack, among them another run of the scope
/// itself. Each leaves it to the next to end, but one that has something to do afterwards; and one that is in a group whose
/// background the next has to wait for, which waits for that one in turn.
fn polled_by_cancelled(scope: &Scope) -> Ancestor {
    let (mut cancelled, mut holds) = (0, false);
    for (at, view) in scope.view().up().enumerate() {
        let flags = view.flags();
        // All up to the outermost that is flagged are cancelled, and none beyond it.
        cancelled = if flags & CANCELLED != 0 { at + 1 } else { cancelled };
        holds |= flags & HOLDS != 0;
    }
    let mut found = Ancestor::None;
    let path = scope.view().up().take(cancelled);
    slot::polls_along(
        path,
        View::mark,
        |view, host: &Scope| view.is(host),
        |view, run| {
            // Without holds anywhere the first says all.
            let (mut shelter, mut more) = (None, holds);
            for (kind, node) in holds.then(|| hold::of_run(view, run)).into_iter().flatten() {
                match kind {
                    Kind::Service if leads_through(scope, &node) => return false,
                    Kind::Service | Kind::Shield => shelter = Some(node),
                    Kind::Cleanup => more = false,
                    Kind::Group => {}
                }
            }
            more &= shelter.is_none();
            found = shelter.map_or(Ancestor::Ends, Ancestor::Sheltered);
            more
        },
    );
    found
}

/// Whether `scope` is in the one that `node` hangs on.
fn leads_through(scope: &Scope, node: &Branch) -> bool {
    let group = node.shared.parent().map(|group| View::Shared(group));
    group.is_some_and(|group| scope.view().up().any(|view| view.same(group)))
}

/// Ends a run that may not begin, as rule e has it.
pub(super) async fn refuse<T>(scope: &Scope) -> Outcome<T> {
    let mut stay = Stay::new();
    core::future::poll_fn(|cx| if stay.stays(scope, cx) { Poll::Pending } else { Poll::Ready(cut(scope)) }).await
}

/// Says why a scope is cancelled.
#[cold]
pub(super) fn cut<T>(scope: &Scope) -> Outcome<T> {
    Outcome::Cancelled(scope.outermost().expect("the scope is cancelled"))
}

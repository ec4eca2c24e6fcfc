//! Waking those who wait in a tree, and how they come into its lines; the invariants S1–S3 stand in `tree.rs`.

use super::tree::{Branch, CHILDREN, Tree, WAITERS, link};
use crate::sys::thread::contain;
use crate::sys::{Arc, Weak};
use crate::wait::{Batch, Held, Seat};
use alloc::vec::Vec;
use core::task::Waker;

/// As many children as are taken off a line at once.
const CHILDREN_AT_ONCE: usize = 32;

/// Wakes everybody who waits on this node or below it (S3); should a waker panic, the rest while that unwinds.
pub(super) fn sweep(branch: &Branch) {
    Sweep { top: branch, found: Vec::new(), more: true }.run();
}

/// What a sweep has still to do: its own node first, then the children that it has found.
struct Sweep<'a> {
    top: &'a Branch,
    found: Vec<Weak<Branch>>,
    more: bool,
}

impl Sweep<'_> {
    /// Wakes the waiters of one node and takes the children off its line: as many as are there now. Those in front are
    /// these, and who joins anew while others are woken is not woken again for it.
    fn visit(&mut self, branch: &Branch) {
        let mut left = [usize::MAX; 2];
        while left != [0; 2] {
            let found = &mut self.found;
            found.reserve(CHILDREN_AT_ONCE);
            let most = found.len() + CHILDREN_AT_ONCE;
            branch.wake(|held, batch| {
                left = [0, 1].map(|line| left[line].min(held.state.lengths[line]));
                while left[WAITERS] > 0 && !batch.is_full() {
                    dismiss(held, WAITERS, batch);
                    left[WAITERS] -= 1;
                }
                while left[CHILDREN] > 0 && found.len() < most && !batch.is_full() {
                    found.extend(held.first(CHILDREN).and_then(Option::take));
                    dismiss(held, CHILDREN, batch);
                    left[CHILDREN] -= 1;
                }
            });
        }
    }

    fn run(&mut self) {
        self.visit(self.top);
        while let Some(child) = self.found.pop() {
            let Some(branch) = child.upgrade() else { continue };
            // It stays on the list until it has been visited, for the case that a waker panics.
            self.found.push(child);
            let at = self.found.len() - 1;
            self.visit(&branch);
            self.found.swap_remove(at);
        }
        self.more = false;
    }
}

/// Joins the end of `line`.
#[must_use = "the old waker is to be dropped outside the lock"]
pub(super) fn join(seat: &mut Seat<'_, '_, Tree>, line: usize, waker: Option<Waker>) -> Option<Waker> {
    seat.held.state.lengths[line] += 1;
    seat.join(line, waker)
}

/// Takes the first off `line`.
fn dismiss(held: &mut Held<'_, Tree>, line: usize, batch: &mut Batch) {
    if held.dismiss(line, batch) {
        held.state.lengths[line] -= 1;
    }
}

impl Drop for Sweep<'_> {
    /// A waker has panicked, if there is more to do: further panics end here.
    fn drop(&mut self) {
        while self.more {
            contain(|| self.run());
        }
    }
}

/// Puts the node, and those above it, into their parents' lines (S2).
///
/// It goes up to the root also where it finds links in their lines: whoever put them there may not have come further.
pub(super) fn attach(branch: &Arc<Branch>) {
    let mut at = branch;
    while let Some(link) = link(at) {
        // Acquire: partner of the releasing store in `Seat::join`. A sweep that passed the parent before the link was
        // joined had its flag set before that, which is seen afterwards.
        if !link.is_waiting() {
            let child = Arc::downgrade(at);
            let unused = link.with(|seat| {
                if seat.is_waiting() {
                    return Some(child);
                }
                let unused = seat.slot().replace(child);
                let none = join(seat, CHILDREN, None);
                debug_assert!(none.is_none());
                unused
            });
            drop(unused);
        }
        at = link.get_ref().home();
    }
}

/// Takes the node out of its parent's line, and with it the weak count that the line holds.
pub(super) fn detach(branch: &Arc<Branch>) {
    let Some(link) = link(branch).filter(|link| link.is_waiting()) else { return };
    let mut none = Batch::new();
    let unused = link.with(|seat| {
        let waker = seat.leave(&mut none);
        (seat.slot().take(), waker)
    });
    drop(unused);
}

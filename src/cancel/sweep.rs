//! Waking those who wait in a tree, and how they come into its lines; the invariants S1–S4 stand in `tree.rs`.

use super::tree::{Below, Branch, CHILDREN, Tree, WAITERS, link, take_child};
use crate::sys::Arc;
use crate::sys::thread::contain;
use crate::wait::{Batch, Seat, Standing};
use alloc::vec::Vec;
use core::task::Waker;

/// As many children as are visited at once, under the lock of their parent.
const CHILDREN_AT_ONCE: usize = 32;

/// Wakes everybody who waits on this node or below it (S3); should a waker panic, the rest while that unwinds.
pub(super) fn sweep(branch: &Branch) {
    Sweep { top: branch, left: ALL, deep: Vec::new(), batch: Batch::new() }.run();
}

/// What a sweep has still to do: what is left in the lines of nodes inside its own, the innermost last, then in those of its own.
struct Sweep<'a> {
    top: &'a Branch,
    left: Left,
    deep: Vec<(Arc<Branch>, Left)>,
    /// Of several nodes together.
    batch: Batch,
}

/// How many are to be taken off each line. Those in front are these: who joins anew while others are woken is not woken again
/// for it.
type Left = [usize; 2];

/// Nothing.
const NONE: Left = [0; 2];

/// All that are there.
const ALL: Left = [usize::MAX; 2];

impl Sweep<'_> {
    fn run(&mut self) {
        while !self.is_over() {
            self.step();
        }
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.deep.is_empty() && self.left == NONE && self.batch.is_empty()
    }

    /// Does a part; a waker that panics in it has been taken out before, and is all that is lost.
    #[inline]
    fn step(&mut self) {
        if self.batch.is_full() {
            self.batch.fire();
        }
        if let Some((node, left)) = self.deep.pop() {
            let (left, child) = take(&node, left, &mut self.batch);
            if left != NONE {
                self.deep.push((node, left));
            }
            self.deep.extend(child.map(|child| (child, ALL)));
        } else if self.left != NONE {
            let (left, child) = take(self.top, self.left, &mut self.batch);
            self.left = left;
            self.deep.extend(child.map(|child| (child, ALL)));
        } else {
            self.batch.fire();
        }
    }
}

/// Takes the waiters of a node off their line, then the children off theirs: as many as are there now, and as there is room for
/// in `batch`, and up to the first child that is to be visited by itself, which is next. Gives what is left, and that child.
#[inline]
fn take(node: &Branch, left: Left, batch: &mut Batch) -> (Left, Option<Arc<Branch>>) {
    node.with(|held| {
        let mut left = [0, 1].map(|line| left[line].min(held.state.lengths[line]));
        let there = left;
        while left[WAITERS] > 0 && !batch.is_full() {
            held.dismiss(WAITERS, batch);
            left[WAITERS] -= 1;
        }
        let mut next = None;
        if left[WAITERS] == 0 {
            let rest = left[CHILDREN].saturating_sub(CHILDREN_AT_ONCE);
            while left[CHILDREN] > rest && next.is_none() && !batch.is_full() {
                next = take_child(held, |child| take_leaf(child, batch));
                left[CHILDREN] -= 1;
            }
        }
        for line in [WAITERS, CHILDREN] {
            held.state.lengths[line] -= there[line] - left[line];
        }
        (left, next)
    })
}

/// Takes all off the lines of a node that has no children there, if there is room for them.
#[inline]
fn take_leaf(node: &Branch, batch: &mut Batch) -> bool {
    node.with(|held| {
        if held.state.lengths[CHILDREN] != 0 {
            return false;
        }
        while !batch.is_full() && held.dismiss(WAITERS, batch) {
            held.state.lengths[WAITERS] -= 1;
        }
        held.state.lengths[WAITERS] == 0
    })
}

impl Drop for Sweep<'_> {
    /// A waker has panicked, if there is more to do: further panics end here.
    fn drop(&mut self) {
        while !self.is_over() {
            contain(|| self.run());
        }
    }
}

/// Joins the end of the line of waiters for one who is idle.
#[inline]
pub(super) fn enter(seat: &mut Seat<'_, '_, Tree>, waker: Waker) {
    seat.held.state.lengths[WAITERS] += 1;
    seat.enter(WAITERS, waker);
}

/// Joins the end of `line`.
#[must_use = "the old waker is to be dropped outside the lock"]
pub(super) fn join(seat: &mut Seat<'_, '_, Tree>, line: usize, waker: Option<Waker>) -> Option<Waker> {
    seat.held.state.lengths[line] += 1;
    seat.join(line, waker)
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
            link.with(|seat| {
                if !seat.is_waiting() {
                    *seat.slot() = Some(Below::new(at));
                    let none = join(seat, CHILDREN, None);
                    debug_assert!(none.is_none());
                }
            });
        }
        at = link.get_ref().home();
    }
}

/// Takes the node out of its parent's line, where a sweep might come by a count of it. A sweep that is about to take it out has
/// left it when this returns.
pub(super) fn detach(branch: &Arc<Branch>) {
    let Some(link) = link(branch).filter(|link| link.standing() == Standing::Waiting) else { return };
    let mut none = Batch::new();
    let unused = link.with(|seat| seat.leave(&mut none));
    drop(unused);
}

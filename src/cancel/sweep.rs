//! Waking those who wait in a tree, and how they come into its lines; the invariants S1–S3 stand in `tree.rs`.

use super::tree::{Below, Branch, CHILDREN, Tree, WAITERS, link, take_child};
use crate::sys::Arc;
use crate::sys::thread::contain;
use crate::wait::{Batch, Seat};
use alloc::vec::Vec;
use core::task::Waker;

/// As many children as are taken off a line at once: few enough that what was read of them is at hand still when they are
/// visited.
const CHILDREN_AT_ONCE: usize = 32;

/// Wakes everybody who waits on this node or below it (S3); should a waker panic, the rest while that unwinds.
pub(super) fn sweep(branch: &Branch) {
    Sweep { top: branch, left: [usize::MAX; 2], deep: Vec::new(), found: Vec::new(), batch: Batch::new() }.run();
}

/// What a sweep has still to do: children that it has found, then what is left in the lines of the nodes that they were found
/// in, the innermost first, then what is left in those of its own node.
struct Sweep<'a> {
    top: &'a Branch,
    left: Left,
    deep: Vec<Level>,
    found: Vec<Arc<Branch>>,
    /// Of several nodes together.
    batch: Batch,
}

/// A node inside that of the sweep.
struct Level {
    node: Arc<Branch>,
    left: Left,
    /// How many children of others had been found before its own.
    before: usize,
}

/// How many are to be taken off each line. Those in front are these: who joins anew while others are woken is not woken again
/// for it.
type Left = [usize; 2];

impl Sweep<'_> {
    fn run(&mut self) {
        while !self.is_over() {
            self.step();
        }
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.found.is_empty() && self.deep.is_empty() && self.left == [0; 2] && self.batch.is_empty()
    }

    /// Does a part; a waker that panics in it has been taken out before, and is all that is lost.
    #[inline]
    fn step(&mut self) {
        if self.batch.is_full() {
            self.batch.fire();
        }
        let before = self.deep.last().map_or(0, |level| level.before);
        if self.found.len() > before {
            // Most have nothing below them.
            let deep = self.deep.len();
            while self.found.len() > before && self.deep.len() == deep && !self.batch.is_full() {
                if let Some(node) = self.found.pop() {
                    if !self.take_leaf(&node) {
                        self.enter(node, [usize::MAX; 2]);
                    }
                }
            }
        } else if let Some(level) = self.deep.pop() {
            self.enter(level.node, level.left);
        } else if self.left != [0; 2] {
            self.left = self.take(self.top, self.left);
        } else {
            self.batch.fire();
        }
    }

    /// Takes what it can off the lines of a node, which is come back to if that is not all.
    #[inline]
    fn enter(&mut self, node: Arc<Branch>, left: Left) {
        let before = self.found.len();
        let left = self.take(&node, left);
        if left != [0; 2] {
            self.deep.push(Level { node, left, before });
        }
    }

    /// Takes all off the lines of a node that has no children there, if there is room for them.
    #[inline]
    fn take_leaf(&mut self, node: &Branch) -> bool {
        let batch = &mut self.batch;
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

    /// Takes the waiters of a node off their line, then the children off theirs: as many as are there now, and as there is room
    /// for. Gives what is left.
    #[inline]
    fn take(&mut self, node: &Branch, left: Left) -> Left {
        let (found, batch) = (&mut self.found, &mut self.batch);
        let before = found.len();
        let most = found.capacity().min(before + CHILDREN_AT_ONCE);
        let left = node.with(|held| {
            let mut left = [0, 1].map(|line| left[line].min(held.state.lengths[line]));
            let there = left;
            while left[WAITERS] > 0 && !batch.is_full() {
                held.dismiss(WAITERS, batch);
                left[WAITERS] -= 1;
            }
            while left[WAITERS] == 0 && left[CHILDREN] > 0 && found.len() < most {
                found.extend(take_child(held, batch));
                left[CHILDREN] -= 1;
            }
            for line in [WAITERS, CHILDREN] {
                held.state.lengths[line] -= there[line] - left[line];
            }
            left
        });
        // The first that is found is visited first.
        found[before..].reverse();
        if left[WAITERS] == 0 && left[CHILDREN] > 0 {
            // Not under the lock.
            found.reserve(CHILDREN_AT_ONCE);
        }
        left
    }
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

/// Takes the node out of its parent's line, where a sweep might come by a count of it.
pub(super) fn detach(branch: &Arc<Branch>) {
    let Some(link) = link(branch).filter(|link| link.is_waiting()) else { return };
    let mut none = Batch::new();
    let unused = link.with(|seat| seat.leave(&mut none));
    drop(unused);
}

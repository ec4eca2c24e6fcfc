//! What a poll did, as far as others can tell: what a search needs to know which polls commute.
//!
//! A footprint holds what the kit's primitives and [`Tracked`](super::Tracked) say through
//! [`probe`](crate::sys::probe), and what the simulator sees itself. The rest, state that tasks share by other ways, is
//! unseen: so the poll of a task that has not promised to share nothing in that way is opaque.
//!
//! # Invariants
//!
//! - **F1** If two polls that may come next [conflict](Footprint::conflicts) not, then they lead to the same state in
//!   either order, each ready afterwards as it would have been, and each with the same footprint; provided that tracked
//!   tasks keep their promise.
//! - **F2** Wakes commute with each other (S4), but not with the poll of the task that is woken, which is ready: before it
//!   a wake is void, after it the wake makes it ready again.
//! - **F3** A run ends when the root is done and nobody in the foreground is ready, whoever is ready in the background. So
//!   what may bring that about does not commute with polls in the background.

use crate::sys::probe::{Access, Resource};
use alloc::vec::Vec;

/// What one poll did.
#[derive(Clone, Debug, Default)]
pub(super) struct Footprint {
    /// The key of the task that was polled.
    pub(super) key: u64,
    /// Whether the task shares nothing that can't be seen.
    pub(super) tracked: bool,
    pub(super) background: bool,
    /// Whether the root was done before.
    pub(super) root_was_done: bool,
    /// Whether the root was done by this poll.
    pub(super) ended_root: bool,
    /// Whether it looked at the state of all tasks.
    pub(super) saw_all: bool,
    /// What was touched: sorted, each resource once.
    pub(super) touched: Vec<(Resource, Access)>,
    /// The keys of those that were woken, ready or not: sorted.
    pub(super) woken: Vec<u64>,
}

impl Footprint {
    /// Puts in order what was collected.
    pub(super) fn settle(&mut self) {
        self.saw_all = self.touched.iter().any(|&(resource, _)| resource == Resource::ALL);
        self.touched.sort_unstable_by_key(|&(resource, _)| resource);
        self.touched.dedup_by(|(resource, access), (kept, as_what)| {
            let same = resource == kept;
            if same && access != as_what {
                *as_what = Access::Write;
            }
            same
        });
        self.woken.sort_unstable();
        self.woken.dedup();
    }

    /// Whether it may matter in which order this poll, which was made, and `other`, which was possible then, come.
    pub(super) fn conflicts(&self, other: &Self) -> bool {
        // If this poll ended the root, then the run is over or somebody in the foreground is ready still.
        let ends = self.root_was_done || other.ended_root;
        !(self.tracked || other.tracked)
            || self.saw_all
            || other.saw_all
            || (ends && self.background != other.background)
            || self.woken.binary_search(&other.key).is_ok()
            || other.woken.binary_search(&self.key).is_ok()
            || self.collides(other)
    }

    /// Whether both touch some resource in ways that do not commute.
    fn collides(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.touched.iter(), other.touched.iter());
        let (mut one, mut two) = (ours.next(), theirs.next());
        while let (Some((first, how)), Some((second, as_what))) = (one, two) {
            if first == second && (how != as_what || *how == Access::Write) {
                return true;
            }
            if first <= second {
                one = ours.next();
            }
            if second <= first {
                two = theirs.next();
            }
        }
        false
    }

    /// Adds what another poll of the same task did, from the same state, with other values of what it let choose.
    pub(super) fn unite(&mut self, other: &Self) {
        self.ended_root |= other.ended_root;
        self.touched.extend_from_slice(&other.touched);
        self.woken.extend_from_slice(&other.woken);
        self.settle();
    }
}

/// Is told of each poll, outside the simulator's lock.
pub(super) trait Watcher {
    /// Looks at what a poll did, which may be taken.
    fn polled(&mut self, print: &mut Footprint);
}

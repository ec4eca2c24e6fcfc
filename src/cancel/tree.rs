//! The shared tree of scopes, and the walk up through it.
//!
//! # Invariants
//!
//! - **S1** A node's flag is set under its lock, once, together with its reason, and never cleared.
//! - **S2** Whoever waits on a node stands in that node's line `WAITERS`; the node then stands in its parent's line
//!   `CHILDREN`, and so on up to the root. Whoever joins does so from below upwards, looks at each link on the way, and
//!   looks at the flags afterwards.
//! - **S3** A sweep (after a flag was set, or a deadline moved forward, or a run ended that others relied on) empties both
//!   lines of a node, then those of each child that it found, and wakes all waiters. Those that go on waiting join anew;
//!   who joins a line after the sweep came to it stays there.
//!
//! From S2 and S3: a sweep that begins after a flag was set finds everybody who joined before it came by; who joins
//! later sees the flag, since the lock of each node on the way orders the two.
//!
//! A sweep and a drop are loops, not recursions: a tree may be deeper than a stack.
#![expect(unsafe_code, reason = "a node's link stays in place because nothing moves out of the node's `Arc`")]

use super::reason::Reason;
use super::sweep::{detach, sweep};
use crate::sys::atomic::{AtomicU8, Ordering};
use crate::sys::slot::Mark;
use crate::sys::{Arc, Stamp, Weak};
use crate::time::{Instant, Time};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Waiter};
use core::pin::Pin;

/// Who waits on the node itself.
pub(super) const WAITERS: usize = 0;
/// The children below which somebody waits.
pub(super) const CHILDREN: usize = 1;

/// A flag: the scope is cancelled.
pub(super) const CANCELLED: u8 = 1;
/// A flag: the deadline may be another than never.
const TIMED: u8 = 2;

pub(super) type Branch = Hall<Tree>;
pub(super) type TreeWaiter = Waiter<Tree, Arc<Branch>>;

/// What a node's hall is.
pub(super) struct Tree;

pub(super) struct State {
    reason: Option<Reason>,
    /// How many stand in each line.
    pub(super) lengths: [usize; 2],
}

impl Place for Tree {
    type State = State;
    type Shared = Node;
    /// The child, for an entry in `CHILDREN`.
    type Slot = Option<Weak<Branch>>;
    type Lines = [Line<Self::Slot>; 2];
    const PASSES_ON: bool = false;

    fn left(held: &mut Held<'_, Self>, departure: Departure, _: &mut Self::Slot, _: &mut Batch) {
        if let Departure::Line(line) = departure {
            held.state.lengths[line] -= 1;
        }
    }
}

/// The part of a shared scope that is read without a lock, and written under it.
pub(super) struct Node {
    flags: AtomicU8,
    deadline: Stamp,
    pub(super) mark: Mark,
    /// The root's time.
    time: Option<Time>,
    /// The way to the parent, and the place in its line.
    link: Option<TreeWaiter>,
}

/// Where a new node hangs.
pub(super) enum Up {
    Root(Time),
    Under(Arc<Branch>),
}

pub(super) fn branch(up: Up, deadline: Instant, reason: Option<Reason>, mark: Mark) -> Arc<Branch> {
    let (time, link) = match up {
        Up::Root(time) => (Some(time), None),
        Up::Under(parent) => (None, Some(TreeWaiter::new(parent, None))),
    };
    let cancelled = if reason.is_some() { CANCELLED } else { 0 };
    let timed = if deadline.is_never() { 0 } else { TIMED };
    let node =
        Node { flags: AtomicU8::new(cancelled | timed), deadline: Stamp::new(deadline.as_nanos()), mark, time, link };
    Arc::new(Hall::new(node, State { reason, lengths: [0; 2] }, [const { Line::new() }; 2]))
}

impl Node {
    #[inline]
    pub(super) fn parent(&self) -> Option<&Arc<Branch>> {
        self.link.as_ref().map(|link| link.home())
    }

    /// The root's time, or the parent, which is nearer to it.
    #[inline]
    pub(super) fn time(&self) -> Result<&Time, &Branch> {
        match (&self.time, &self.link) {
            (_, Some(link)) => Err(link.home()),
            (Some(time), None) => Ok(time),
            (None, None) => unreachable!("a node is a root or has a parent"),
        }
    }

    #[inline]
    pub(super) fn flags(&self) -> u8 {
        // Acquire: partner of the releasing store in `raise`; whoever sees a flag sees what was done before.
        self.flags.load(Ordering::Acquire)
    }

    /// Raises flags; under the lock, so that nobody else writes meanwhile.
    fn raise(&self, flags: u8) {
        // Release: partner of the load in `flags`.
        self.flags.store(self.flags.load(Ordering::Relaxed) | flags, Ordering::Release);
    }

    /// Drops the link to the parent. Gives the parent if it will end with what is given.
    fn let_go(&mut self) -> Option<Arc<Branch>> {
        let parent = self.parent().filter(|parent| Arc::strong_count(parent) == 1).cloned();
        self.link = None;
        parent
    }
}

impl Drop for Node {
    /// Takes a chain of parents that hangs on this node alone apart in a loop.
    fn drop(&mut self) {
        let mut next = self.let_go();
        while let Some(mut branch) = next {
            detach(&branch);
            next = Arc::get_mut(&mut branch).and_then(|branch| branch.shared.let_go());
        }
    }
}

/// The node's own deadline.
#[inline]
pub(super) fn deadline(branch: &Branch) -> Instant {
    let node = branch.look();
    match node.flags() & TIMED {
        0 => Instant::NEVER,
        _ => Instant::from_nanos(node.deadline.get()),
    }
}

/// Moves the deadline; wakes those that wait if it comes earlier.
pub(super) fn set_deadline(branch: &Branch, at: Instant) {
    let before = branch.with(|held| {
        let before = held.shared.deadline.get();
        held.shared.deadline.set(at.as_nanos());
        held.shared.raise(TIMED);
        before
    });
    if at.as_nanos() < before {
        sweep(branch);
    }
}

pub(super) fn reason(branch: &Branch) -> Option<Reason> {
    branch.read(|held| held.state.reason.clone())
}

/// Cancels the node. False: it was cancelled before, and its first reason stays.
pub(super) fn cancel(branch: &Branch, reason: Reason) -> bool {
    let mut reason = Some(reason);
    branch.with(|held| {
        if held.state.reason.is_none() {
            held.state.reason = reason.take();
            held.shared.raise(CANCELLED);
        }
    });
    let first = reason.is_none();
    if first {
        sweep(branch);
    }
    first
}

/// A node's link to its parent.
pub(super) fn link(branch: &Arc<Branch>) -> Option<Pin<&TreeWaiter>> {
    let link = branch.shared.link.as_ref()?;
    // SAFETY: a branch is made in its `Arc` and never moved out of it: the one place that has `&mut` to it is `drop`
    // of `Node`, which drops the link where it is.
    Some(unsafe { Pin::new_unchecked(link) })
}

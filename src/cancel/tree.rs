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
use crate::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::{Arc, Weak};
use crate::time::{Instant, Time};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Seat, Waiter};
use alloc::vec::Vec;
use core::pin::Pin;
use core::task::Waker;

/// Who waits on the node itself.
pub(super) const WAITERS: usize = 0;
/// The children below which somebody waits.
const CHILDREN: usize = 1;

pub(super) type Branch = Hall<Tree>;
pub(super) type TreeWaiter = Waiter<Tree, Arc<Branch>>;

/// What a node's hall is.
pub(super) struct Tree;

pub(super) struct State {
    deadline: Instant,
    reason: Option<Reason>,
    /// How many stand in each line.
    lengths: [usize; 2],
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

/// The part of a shared scope that is read without a lock.
pub(super) struct Node {
    cancelled: AtomicBool,
    /// Whether the deadline may be another than never.
    timed: AtomicBool,
    pub(super) mark: Mark,
    /// The root's time.
    time: Option<Time>,
    /// The way to the parent, and the place in its line.
    link: Option<TreeWaiter>,
}

/// On which poll stack the run of a scope is polling its body, with which waker, and whether anybody relies on that.
pub(super) struct Mark {
    stack: AtomicUsize,
    /// The address of the waker's data, and that of its table.
    waker: [AtomicUsize; 2],
    relied: AtomicBool,
}

impl Mark {
    pub(super) fn new() -> Self {
        let waker = [AtomicUsize::new(0), AtomicUsize::new(0)];
        Self { stack: AtomicUsize::new(0), waker, relied: AtomicBool::new(false) }
    }

    /// The same mark for the node that an inline scope becomes.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::new();
        copy.set(self.stack(), self.waker());
        copy
    }

    // Relaxed throughout: the only stack that a reader acts upon is its own, which it wrote itself.
    #[inline]
    pub(super) fn stack(&self) -> usize {
        self.stack.load(Ordering::Relaxed)
    }

    /// Whether a run is polling on `stack`, with `waker`: then whoever is being polled with that waker is woken when the
    /// run is. With another one it may sit behind an executor that does not return to the run.
    pub(super) fn is_polling(&self, stack: usize, waker: &Waker) -> bool {
        self.stack() == stack && self.waker() == address(waker)
    }

    fn waker(&self) -> [usize; 2] {
        [self.waker[0].load(Ordering::Relaxed), self.waker[1].load(Ordering::Relaxed)]
    }

    fn set(&self, stack: usize, waker: [usize; 2]) {
        self.waker[0].store(waker[0], Ordering::Relaxed);
        self.waker[1].store(waker[1], Ordering::Relaxed);
        self.stack.store(stack, Ordering::Relaxed);
    }

    /// A run begins to poll. Gives the stack that was marked.
    pub(super) fn begin(&self, stack: usize, waker: &Waker) -> usize {
        let before = self.stack();
        self.set(stack, address(waker));
        before
    }

    /// A run on `stack` has polled, which was marked with `before` when it began.
    ///
    /// What another thread has marked meanwhile is left alone, and what it had marked before is not put back: that run
    /// may be over. A run of the same scope further out on this stack keeps its mark, but for the waker.
    pub(super) fn end(&self, stack: usize, before: usize) {
        if self.stack() == stack {
            self.set(if before == stack { stack } else { 0 }, [0; 2]);
        }
    }

    /// Notes that a descendant leaves it to this run to watch the clock.
    pub(super) fn rely(&self) {
        if !self.relied.load(Ordering::Relaxed) {
            self.relied.store(true, Ordering::Relaxed);
        }
    }

    /// Whether somebody relied on the run since this was last asked.
    pub(super) fn take_relied(&self) -> bool {
        self.relied.load(Ordering::Relaxed) && {
            self.relied.store(false, Ordering::Relaxed);
            true
        }
    }
}

/// What tells one waker from another.
fn address(waker: &Waker) -> [usize; 2] {
    [waker.data().addr(), core::ptr::from_ref(waker.vtable()).addr()]
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
    let node = Node {
        cancelled: AtomicBool::new(reason.is_some()),
        timed: AtomicBool::new(!deadline.is_never()),
        mark,
        time,
        link,
    };
    Arc::new(Hall::new(node, State { deadline, reason, lengths: [0; 2] }, [const { Line::new() }; 2]))
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
    pub(super) fn is_cancelled(&self) -> bool {
        // Acquire: partner of the releasing store in `cancel`; whoever sees the flag sees what was done before.
        self.cancelled.load(Ordering::Acquire)
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

impl Node {
    /// Drops the link to the parent. Gives the parent if it will end with what is given.
    fn let_go(&mut self) -> Option<Arc<Branch>> {
        let parent = self.parent().filter(|parent| Arc::strong_count(parent) == 1).cloned();
        self.link = None;
        parent
    }
}

/// The node's own deadline.
pub(super) fn deadline(branch: &Branch) -> Instant {
    // Acquire: partner of the releasing store in `set_deadline`.
    match branch.look().timed.load(Ordering::Acquire) {
        true => branch.read(|held| held.state.deadline),
        false => Instant::NEVER,
    }
}

/// Moves the deadline; wakes those that wait if it comes earlier.
pub(super) fn set_deadline(branch: &Branch, at: Instant) {
    let before = branch.with(|held| {
        let before = core::mem::replace(&mut held.state.deadline, at);
        // Release: partner of the load in `deadline`.
        held.shared.timed.store(true, Ordering::Release);
        before
    });
    if at < before {
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
            // Release: partner of the load in `is_cancelled`.
            held.shared.cancelled.store(true, Ordering::Release);
        }
    });
    let first = reason.is_none();
    if first {
        sweep(branch);
    }
    first
}

/// As many children as are taken off a line at once.
const CHILDREN_AT_ONCE: usize = 32;

/// Wakes everybody who waits on this node or below it (S3); should a waker panic, the rest while that unwinds.
pub(super) fn sweep(branch: &Branch) {
    Sweep { top: branch, found: Vec::new() }.run();
}

/// What a sweep has still to do: its own node first, then the children that it has found.
struct Sweep<'a> {
    top: &'a Branch,
    found: Vec<Weak<Branch>>,
}

impl Sweep<'_> {
    /// Wakes the waiters of one node and takes the children off its line: as many as are there now. Those in front are
    /// these, and who joins anew while others are woken is not woken again for it.
    fn visit(&mut self, branch: &Branch) {
        let mut left = branch.with(|held| held.state.lengths);
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
    fn drop(&mut self) {
        self.run();
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

/// A node's link to its parent.
fn link(branch: &Arc<Branch>) -> Option<Pin<&TreeWaiter>> {
    let link = branch.shared.link.as_ref()?;
    // SAFETY: a branch is made in its `Arc` and never moved out of it: the one place that has `&mut` to it is `drop`
    // above, which drops the link where it is.
    Some(unsafe { Pin::new_unchecked(link) })
}

/// Takes the node out of its parent's line, and with it the weak count that the line holds.
fn detach(branch: &Arc<Branch>) {
    let Some(link) = link(branch).filter(|link| link.is_waiting()) else { return };
    let mut none = Batch::new();
    let unused = link.with(|seat| {
        let waker = seat.leave(&mut none);
        (seat.slot().take(), waker)
    });
    drop(unused);
}

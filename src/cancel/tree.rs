//! The shared tree of scopes, and the walk up through it.
//!
//! # Invariants
//!
//! - **S1** A node is cancelled under its lock, once, with its reason and the instant, and stays so. A shield is taken away
//!   under its lock, once, and does not come back.
//! - **S2** Whoever waits on a node stands in that node's line `WAITERS`; the node then stands in its parent's line
//!   `CHILDREN`, and so on up to the root. Whoever joins does so from below upwards, looks at each link on the way, and
//!   looks at the flags afterwards.
//! - **S3** A sweep (after a node was cancelled or begins to drain, a deadline or a budget became less, a shield was taken
//!   away, or a run ended that others relied on) empties both lines of a node, those of each child after that child has begun
//!   to leave its own, and wakes all waiters. Those that go on waiting join anew;
//!   who joins a line after the sweep came to it stays there.
//! - **S4** The lock of a child is taken under that of its parent, by a sweep; never the other way round.
//!
//! From S2 and S3: a sweep that begins after a change finds everybody who joined before it came by; who joins
//! later sees the change, since the lock of each node on the way orders the two.
//!
//! A sweep and a drop are loops, not recursions: a tree may be deeper than a stack.
#![expect(unsafe_code, reason = "a node stays in place in its `Arc`, and is there while it stands in a line")]

use super::hold::{self, Hold};
use super::reach::Cover;
use super::reason::Reason;
use super::sweep::{detach, sweep};
use crate::sys::atomic::{AtomicU8, Ordering};
use crate::sys::cell::Visits;
use crate::sys::slot::Mark;
use crate::sys::{Arc, Stamp, Weak, trace};
use crate::time::{Instant, Time};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Waiter};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr::NonNull;
use core::time::Duration;

/// Who waits on the node itself.
pub(super) const WAITERS: usize = 0;
/// The children below which somebody waits.
pub(super) const CHILDREN: usize = 1;

/// A flag: the scope is cancelled.
pub(super) const CANCELLED: u8 = 1;
/// A flag: it hides what is further out.
pub(super) const SHIELD: u8 = 2;
/// A flag: the grace has begun.
pub(super) const DRAINING: u8 = 4;
/// A flag: the deadline may be another than never.
const TIMED: u8 = 8;
/// A flag: a run of the scope may have to wait for something inside it.
pub(super) const HOLDS: u8 = 16;
/// A flag: it hid what is further out, and it is known until when.
const PASSED: u8 = 32;
/// A flag: no shield inside it concerns those further out.
pub(super) const APART: u8 = 64;

pub(super) type Branch = Hall<Tree>;
pub(super) type TreeWaiter = Waiter<Tree, Arc<Branch>>;

/// What a node's hall is.
pub(super) struct Tree;

pub(super) struct State {
    reason: Option<Reason>,
    /// When it was cancelled.
    since: Instant,
    rare: Option<Box<Rare>>,
    /// How many stand in each line.
    pub(super) lengths: [usize; 2],
}

/// What few nodes have.
#[derive(Default)]
struct Rare {
    grace: Option<Grace>,
    cover: Option<Cover>,
    /// When the shield was taken away: what it had held back came to those further in then, and not before.
    passed: Instant,
    holds: Vec<Hold>,
    /// Of a hold: how often what it stands for was polled.
    polls: usize,
}

/// The time that is left for winding down, and what the scope is cancelled with at its end.
struct Grace {
    reason: Reason,
    end: Instant,
}

impl State {
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(Box::default)
    }

    fn grace(&self) -> Option<&Grace> {
        self.rare.as_ref()?.grace.as_ref()
    }

    /// What runs of the scope wait for.
    pub(super) fn holds(&mut self) -> &mut Vec<Hold> {
        &mut self.rare().holds
    }
}

impl Place for Tree {
    type State = State;
    type Shared = Node;
    /// The child, for an entry in `CHILDREN`.
    type Slot = Option<Below>;
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
    /// By sweeps that have no count of it, the last of which is over when somebody has it alone.
    visits: Visits,
}

/// A node that stands in its parent's line.
///
/// It keeps nothing of the node: as long as it stands there, the node is there, since the last that it does is to leave the line,
/// for which it takes the parent's lock.
pub(super) struct Below(NonNull<Branch>);

// SAFETY: nodes are shared by threads.
unsafe impl Send for Below {}

impl Below {
    #[inline]
    pub(super) fn new(node: &Arc<Branch>) -> Self {
        // SAFETY: it is that of a reference count, and so of something.
        Self(unsafe { NonNull::new_unchecked(Arc::as_ptr(node).cast_mut()) })
    }

    /// The node, which may be about to leave.
    ///
    /// # Safety
    /// The node stands in the line, and the lock of that is held as long as the node is used.
    #[inline]
    unsafe fn node(&self) -> &Branch {
        // SAFETY: what it is in is dropped in order, of which the link is the first, and that waits for the lock. The `&mut self` of
        // that drop may be there at the same time: as with all that is pinned and linked, it does not claim to be the only one, since
        // a node, which has a waiter in it, is not `Unpin`.
        unsafe { self.0.as_ref() }
    }

    /// A count of the node, unless it is about to leave.
    ///
    /// # Safety
    /// The node stands in the line, and the lock of that is held.
    unsafe fn get(&self) -> Option<Arc<Branch>> {
        // SAFETY: by the contract of this method the node has not been freed, so the weak count that all strong ones have together
        // is there still, and stands for one that `into_raw` would have given. It is not given up here.
        let count = ManuallyDrop::new(unsafe { Weak::from_raw(self.0.as_ptr()) });
        count.upgrade()
    }
}

/// Takes the first child off its line, calling `visit` with it under the lock of the line; gives the child if it is to be
/// come back to, unless it is about to leave.
///
/// Whoever joins below the child after the visit finds that it is in no line (S2).
#[inline]
pub(super) fn take_child(held: &mut Held<'_, Tree>, visit: impl FnOnce(&Branch) -> bool) -> Option<Arc<Branch>> {
    held.part(CHILDREN, |child| {
        let child = child.as_ref()?;
        // SAFETY: it is in the line until this is over, and whoever has `held` has the lock.
        let node = unsafe { child.node() };
        let is_over = visit(node);
        node.shared.visits.visit();
        // SAFETY: as above.
        if is_over { None } else { unsafe { child.get() } }
    })?
}

/// Where a new node hangs.
pub(super) enum Up {
    Root(Time),
    Under(Arc<Branch>),
}

/// A new node; one that is cancelled is so since its deadline.
pub(super) fn branch(up: Up, deadline: Instant, reason: Option<Reason>, mark: Mark) -> Arc<Branch> {
    let cancelled = if reason.is_some() { CANCELLED } else { 0 };
    let timed = if deadline.is_never() { 0 } else { TIMED };
    node(up, cancelled | timed, deadline, mark, State { reason, since: deadline, rare: None, lengths: [0; 2] })
}

/// A new node that hides what is further out.
pub(super) fn shield(parent: Arc<Branch>, cover: Cover) -> Arc<Branch> {
    let rare = Some(Box::new(Rare { cover: Some(cover), ..Rare::default() }));
    let state = State { reason: None, since: Instant::NEVER, rare, lengths: [0; 2] };
    node(Up::Under(parent), SHIELD, Instant::NEVER, Mark::new(), state)
}

/// A new node that hides what is further out for good; shields inside it hold nothing there.
pub(super) fn apart(parent: Arc<Branch>) -> Arc<Branch> {
    let branch = shield(parent, Cover::ALWAYS);
    branch.with(|held| held.shared.change(APART, 0));
    branch
}

fn node(up: Up, flags: u8, deadline: Instant, mark: Mark, state: State) -> Arc<Branch> {
    let (time, link) = match up {
        Up::Root(time) => (Some(time), None),
        Up::Under(parent) => (None, Some(TreeWaiter::new(parent, None))),
    };
    let (deadline, visits) = (Stamp::new(deadline.as_nanos()), Visits::new());
    let node = Node { flags: AtomicU8::new(flags), deadline, mark, time, link, visits };
    Arc::new(Hall::new(node, state, [const { Line::new() }; 2]))
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
        // Acquire: partner of the releasing store in `change`; whoever sees a flag sees what was done before.
        self.flags.load(Ordering::Acquire)
    }

    #[inline]
    fn deadline(&self) -> Instant {
        match self.flags() & TIMED {
            0 => Instant::NEVER,
            _ => Instant::from_nanos(self.deadline.get()),
        }
    }

    /// Raises and lowers flags; under the lock, so that nobody else writes meanwhile.
    pub(super) fn change(&self, raise: u8, lower: u8) {
        // Release: partner of the load in `flags`.
        self.flags.store(self.flags.load(Ordering::Relaxed) & !lower | raise, Ordering::Release);
    }

    /// Drops the link to the parent. Gives the parent if it will end with what is given.
    fn let_go(&mut self) -> Option<Arc<Branch>> {
        let parent = self.parent().filter(|parent| Arc::strong_count(parent) == 1).cloned();
        self.link = None;
        self.visits.end();
        parent
    }
}

impl Drop for Node {
    /// Takes a chain of parents that hangs on this node alone apart in a loop.
    fn drop(&mut self) {
        let mut next = self.let_go();
        while let Some(mut branch) = next {
            detach(&branch);
            next = Arc::get_mut(&mut branch).and_then(|branch| {
                // Who is alone with it has to be so before the link goes.
                branch.shared.visits.end();
                branch.shared.let_go()
            });
        }
    }
}

/// The node's own deadline.
#[inline]
pub(super) fn deadline(branch: &Branch) -> Instant {
    branch.look().deadline()
}

/// When the node, whose flags these are, is or was cancelled by itself.
#[inline]
pub(super) fn ends(branch: &Branch, flags: u8) -> Instant {
    match flags & (CANCELLED | DRAINING | TIMED) {
        0 => Instant::NEVER,
        TIMED => Instant::from_nanos(branch.shared.deadline.get()),
        _ => branch.read(|held| match (&held.state.reason, held.state.grace()) {
            (Some(_), _) => held.state.since,
            (None, grace) => grace.map_or(Instant::NEVER, |grace| grace.end).min(held.shared.deadline()),
        }),
    }
}

/// Whether the node, or one around it that is not hidden, has one of these flags.
#[inline]
pub(super) fn any(mut branch: &Branch, flags: u8) -> bool {
    loop {
        let has = branch.look().flags() & (flags | SHIELD);
        if has != 0 {
            return has & flags != 0;
        }
        match branch.shared.parent() {
            Some(parent) => branch = parent,
            None => return false,
        }
    }
}

/// The earliest deadline of the node and those around it; none, if there is more to know.
#[inline]
pub(super) fn plain(mut branch: &Branch) -> Option<Instant> {
    let mut earliest = Instant::NEVER;
    loop {
        match branch.look().flags() & (CANCELLED | SHIELD | DRAINING | TIMED) {
            0 => {}
            TIMED => earliest = earliest.min(Instant::from_nanos(branch.shared.deadline.get())),
            _ => return None,
        }
        match branch.shared.parent() {
            Some(parent) => branch = parent,
            None => return Some(earliest),
        }
    }
}

/// Moves the deadline; wakes those that wait if it comes earlier. A node whose new one has passed is cancelled since now: before
/// that no shield has held anything back.
pub(super) fn set_deadline(branch: &Branch, at: Instant, now: impl FnOnce() -> Instant) {
    let before = branch.with(|held| {
        let before = held.shared.deadline.get();
        held.shared.deadline.set(at.as_nanos());
        held.shared.change(TIMED, 0);
        before
    });
    if at.as_nanos() < before {
        match now() {
            now if at < now => {
                cancel(branch, Reason::deadline(at), now.min(Instant::from_nanos(before)));
            }
            _ => sweep(branch),
        }
    }
}

pub(super) fn reason(branch: &Branch) -> Option<Reason> {
    branch.read(|held| held.state.reason.clone())
}

/// Cancels the node, at the instant `since`. False: it was cancelled before, and its first reason stays; that is the one
/// with which it began to drain, if it did.
pub(super) fn cancel(branch: &Branch, reason: Reason, since: Instant) -> bool {
    let mut unused = Some(reason);
    let first = branch.with(|held| {
        let first = held.state.reason.is_none();
        if first {
            let grace = held.state.rare.as_mut().and_then(|rare| rare.grace.take());
            held.state.reason = grace.map(|grace| grace.reason).or_else(|| unused.take());
            held.state.since = since;
            held.shared.change(CANCELLED, DRAINING);
        }
        first
    });
    if first {
        sweep(branch);
        trace::scope_cancelled(|| self::reason(branch));
    }
    first
}

/// Begins the grace, or shortens it. False: it had begun before, and its reason stays, or the node was cancelled.
pub(super) fn drain(branch: &Branch, reason: Reason, end: Instant) -> bool {
    let mut grace = Some(Grace { reason, end });
    let (first, earlier) = branch.with(|held| {
        if held.state.reason.is_some() {
            return (false, false);
        }
        match &mut held.state.rare().grace {
            Some(begun) => {
                let earlier = end < begun.end;
                begun.end = begun.end.min(end);
                (false, earlier)
            }
            empty => {
                *empty = grace.take();
                held.shared.change(DRAINING, 0);
                (true, true)
            }
        }
    });
    if earlier {
        sweep(branch);
    }
    first
}

/// The reason of the grace that has begun, or of the cancelling.
pub(super) fn drains(branch: &Branch) -> Option<Reason> {
    branch.read(|held| held.state.reason.clone().or_else(|| held.state.grace().map(|grace| grace.reason.clone())))
}

/// What the node hides, and for how long, if it is a shield.
pub(super) fn cover(branch: &Branch) -> Option<Cover> {
    branch.read(|held| held.state.rare.as_ref()?.cover)
}

/// Since when the node, whose flags these are, lets through what it hid before; none, if it never hid anything, or if that
/// makes no difference.
pub(super) fn passed(branch: &Branch, flags: u8) -> Option<Instant> {
    match flags & PASSED {
        0 => None,
        _ => branch.read(|held| held.state.rare.as_ref().map(|rare| rare.passed)),
    }
}

/// Lets a shield count from `now` on, at which nobody is inside yet.
pub(super) fn enter(branch: &Branch, now: Instant) {
    branch.with(|held| {
        if let Some(cover) = held.state.rare.as_mut().and_then(|rare| rare.cover.as_mut()) {
            cover.entered = now;
        }
    });
}

/// Changes a shield's budget, and gives the one before. None: it is no shield.
pub(super) fn set_budget(branch: &Branch, budget: Duration) -> Option<Duration> {
    branch.with(|held| {
        let cover = held.state.rare.as_mut()?.cover.as_mut()?;
        Some(core::mem::replace(&mut cover.budget, budget))
    })
}

/// Takes a shield away: what is further out is not hidden any more, from the given instant on, which is of interest to shields
/// further in only.
pub(super) fn uncover(branch: &Branch, since: Option<Instant>) {
    let covered = branch.with(|held| {
        let covered = held.shared.flags.load(Ordering::Relaxed) & SHIELD != 0;
        match since {
            Some(since) if covered => {
                held.state.rare().passed = since;
                held.shared.change(PASSED, SHIELD);
            }
            _ => held.shared.change(0, SHIELD),
        }
        covered
    });
    if covered {
        hold::lift(branch);
        sweep(branch);
    }
}

/// Counts a poll of what the node stands for.
pub(super) fn count_poll(branch: &Branch) {
    branch.with(|held| {
        let rare = held.state.rare();
        rare.polls = rare.polls.wrapping_add(1);
    });
}

/// How many have been counted.
pub(super) fn polls(branch: &Branch) -> usize {
    branch.read(|held| held.state.rare.as_ref().map_or(0, |rare| rare.polls))
}

/// A node's link to its parent.
pub(super) fn link(branch: &Arc<Branch>) -> Option<Pin<&TreeWaiter>> {
    let link = branch.shared.link.as_ref()?;
    // SAFETY: a branch is made in its `Arc` and never moved out of it: the one place that has `&mut` to it is `drop`
    // of `Node`, which drops the link where it is.
    Some(unsafe { Pin::new_unchecked(link) })
}

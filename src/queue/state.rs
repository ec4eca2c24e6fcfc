//! What the lock guards, and who is granted what.
//!
//! # Invariants
//!
//! - **S1** `limit` is the capacity, or [`MOST`] if that is less, less the slots granted and the permits: there is a slot while
//!   there are fewer items than that. A queue that [meets](Shelf::MEETS) has no slots, and one that is closed has far fewer
//!   than none: as a slot is granted or set aside only while `limit` is above zero, there are [`MOST`] of those at the most,
//!   so that an open queue has no fewer than `-MOST`, and a closed one, to which they come back, no more than
//!   `NEVER_AGAIN + MOST`.
//! - **S2** `claims` is the number of items granted to receivers, less the offers: there is an item while there are more of
//!   them than that. An offer is a sender that waits where sends meet receives. There are fewer items than claims only
//!   after a claimed item was taken out by a shutdown, or its offer is gone: such a claim waits for another item.
//! - **S3** A sender waits only while there is no slot, a receiver only while there is no item, a joiner only while something
//!   is unfinished. Whoever changes that grants one waiter at once, or restores it with [`Held::settle`] before its call ends;
//!   newcomers join the line in between.
//! - **S4** The hints say what newcomers would find as of the last time that the lock was left: [`NONE`] only if there is
//!   nothing for them, [`QUICK`] only if there is and nobody else is concerned, that is, nobody waits in any line, the queue
//!   is open, and it holds no more than its capacity allows. [`LOOK`] is never wrong.

mod moves;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

use super::kind::Kind;
use super::shelf::Shelf;
use crate::sys::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use crate::sys::{Arc, probe};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Waiter};
use core::fmt;
use core::marker::PhantomData;
use core::mem;
use core::task::Waker;

/// The line of those who wait for a slot, or offer a value.
pub(super) const SENDERS: usize = 0;
/// The line of those who wait for an item.
pub(super) const RECEIVERS: usize = 1;
/// The line of those who wait until nothing is unfinished.
pub(super) const JOINERS: usize = 2;

/// Items for which room is allocated in advance.
const RESERVED: usize = 256;
/// The limit of a queue that is closed, to begin with: nothing but slots that come back changes it (S1).
const NEVER_AGAIN: isize = isize::MIN;
/// The most slots that there are, whatever the capacity.
const MOST: isize = isize::MAX / 2;

/// Hint: a newcomer finds nothing.
const NONE: u8 = 0;
/// Hint: a newcomer finds something, and nobody else is concerned.
const QUICK: u8 = 1;
/// Hint: look under the lock.
const LOOK: u8 = 2;

/// A queue: shared by its handles.
pub(super) type Queue<T, K> = Hall<Room<T, K>>;
/// A future's place in one of its lines.
pub(super) type InLine<T, K, H> = Waiter<Room<T, K>, H>;
/// What an item of a queue is ordered by.
pub(super) type Key<T, K> = <<K as Kind<T>>::Shelf as Shelf<T>>::Key;

/// What the lines of a queue are about.
pub(super) struct Room<T, K>(PhantomData<(T, K)>);

/// What is reached without the lock.
///
/// The hints are Relaxed: whoever acts on one takes the lock, or gives up as it might have a moment earlier. A thread never
/// reads a value older than one that it wrote or was told of, since each hint is one variable.
pub(super) struct Shared {
    pub(super) senders: AtomicUsize,
    pub(super) receivers: AtomicUsize,
    /// Of slots.
    slots: AtomicU8,
    /// Of items.
    items: AtomicU8,
    closed: AtomicBool,
    /// The last receiver is gone. Written and read under the lock; here it takes no room.
    deserted: AtomicBool,
    pub(super) id: probe::Id,
}

/// What the lock guards.
pub(super) struct State<T, K: Kind<T>> {
    shelf: K::Shelf,
    limit: isize,
    claims: isize,
    capacity: usize,
    /// Slots held by permits.
    permits: usize,
    /// Items that were received as jobs and are not finished.
    jobs: usize,
}

/// Whom a call has to wake when the lock is free: at most one, as a rule.
#[must_use = "somebody waits for it"]
pub(super) struct Due {
    pub(super) waker: Option<Waker>,
    /// There may be more to grant, or somebody to dismiss.
    pub(super) more: bool,
}

impl Due {
    pub(super) const NOBODY: Self = Self { waker: None, more: false };
    pub(super) const MORE: Self = Self { waker: None, more: true };
}

/// What a call found under the lock.
pub(super) enum Found<R> {
    /// What it wanted.
    Done(R),
    /// That the queue is closed; for receivers, that nothing can come any more.
    Closed,
    /// Nothing yet.
    Nothing,
}

impl<T, K: Kind<T>> Place for Room<T, K> {
    type State = State<T, K>;
    type Shared = Shared;
    type Slot = <K::Shelf as Shelf<T>>::Slot;
    type Lines = [Line<Self::Slot>; 3];
    const PASSES_ON: bool = true;

    fn left(held: &mut Held<'_, Self>, departure: Departure, _: &mut Self::Slot, batch: &mut Batch) {
        match departure {
            Departure::Grant(SENDERS) if !K::Shelf::MEETS => held.state.limit += 1,
            Departure::Grant(RECEIVERS) => held.state.claims -= 1,
            Departure::Line(line) => {
                // An offer less gives nobody anything, nor does a place in line; hints may stay as they are (S4).
                held.state.claims += isize::from(line == SENDERS && K::Shelf::MEETS);
                return;
            }
            // A value that was offered and granted was taken. Joiners want nothing that another could have.
            Departure::Grant(_) => return,
        }
        // One grant at the most comes of this; if more are due, then somebody else is about to make them (S3).
        held.settle(batch);
    }
}

/// An open queue with one sender and one receiver.
#[track_caller]
pub(super) fn queue<T, K: Kind<T>>(capacity: usize) -> Arc<Queue<T, K>> {
    let reserved = if capacity == usize::MAX { 0 } else { capacity.min(RESERVED) };
    let state =
        State { shelf: K::Shelf::new(reserved), limit: slots(capacity), claims: 0, capacity, permits: 0, jobs: 0 };
    let shared = Shared {
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
        slots: AtomicU8::new(if K::Shelf::MEETS { LOOK } else { QUICK }),
        items: AtomicU8::new(NONE),
        closed: AtomicBool::new(false),
        deserted: AtomicBool::new(false),
        id: probe::Id::new(),
    };
    Arc::new(Hall::new(shared, state, [const { Line::new() }; 3]))
}

/// So many slots has an open queue of this capacity.
fn slots(capacity: usize) -> isize {
    isize::try_from(capacity).unwrap_or(MOST).min(MOST)
}

impl Shared {
    /// Whether a newcomer finds a slot, and nobody else is concerned.
    #[inline(always)]
    pub(super) fn has_quick_slot(&self) -> bool {
        self.slots.load(Ordering::Relaxed) == QUICK
    }

    /// Whether a newcomer finds an item, and nobody else is concerned.
    #[inline(always)]
    pub(super) fn has_quick_item(&self) -> bool {
        self.items.load(Ordering::Relaxed) == QUICK
    }

    /// Whether a newcomer finds no slot, and the queue is open.
    #[inline]
    pub(super) fn has_no_slot(&self) -> bool {
        self.slots.load(Ordering::Relaxed) == NONE
    }

    /// Whether a newcomer finds no item, and more may come.
    #[inline]
    pub(super) fn has_no_item(&self) -> bool {
        self.items.load(Ordering::Relaxed) == NONE
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

impl<T, K: Kind<T>> State<T, K> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.shelf.len()
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.limit < NEVER_AGAIN / 2
    }

    /// Whether nothing can come any more (Q6).
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.shelf.len() == 0 && self.permits == 0 && self.is_closed()
    }

    /// How many items are in the queue or were received as jobs and are not finished (Q8).
    #[inline]
    pub(super) fn unfinished(&self) -> usize {
        self.shelf.len() + self.jobs
    }

    /// How many items there are, to be compared with `limit` and `claims`.
    #[inline]
    fn count(&self) -> isize {
        self.shelf.len() as isize
    }

    /// Whether there is a slot (S1).
    #[inline]
    fn has_slot(&self) -> bool {
        self.count() < self.limit
    }

    /// Whether there is an item that nobody claims (S2).
    #[inline]
    fn has_item(&self) -> bool {
        self.count() > self.claims
    }
}

impl<T, K: Kind<T>> Held<'_, Room<T, K>> {
    /// Whether a newcomer may put an item in: there is a slot, or, where sends meet receives, a receiver that waits.
    #[inline]
    pub(super) fn may_send(&self) -> bool {
        if K::Shelf::MEETS {
            !self.state.is_closed() && !self.is_empty(RECEIVERS)
        } else {
            self.state.has_slot() && self.is_empty(SENDERS)
        }
    }

    /// Whether a newcomer finds an item.
    #[inline]
    pub(super) fn may_recv(&self) -> bool {
        self.state.has_item() && self.is_empty(RECEIVERS)
    }

    /// Grants a slot, if there is one and somebody waits for it.
    #[inline]
    fn grant_slot(&mut self) -> Option<Waker> {
        if self.state.has_slot() && !self.is_empty(SENDERS) {
            self.state.limit -= 1;
            return self.hand(SENDERS);
        }
        None
    }

    /// Grants an item, if there is one and somebody waits for it.
    #[inline]
    fn grant_item(&mut self) -> Option<Waker> {
        if self.state.has_item() && !self.is_empty(RECEIVERS) {
            self.state.claims += 1;
            return self.hand(RECEIVERS);
        }
        None
    }

    /// Whether somebody may wait for just this: that nothing is left.
    #[inline]
    fn may_be_over(&self) -> bool {
        self.state.shelf.len() == 0 && (self.state.is_closed() || !self.is_empty(JOINERS))
    }

    /// Lets nothing more in.
    pub(super) fn close(&mut self) {
        self.state.limit = NEVER_AGAIN;
        self.shared.closed.store(true, Ordering::Relaxed);
        self.tell();
    }

    /// Lets nothing more in, and takes all items out, for the caller to drop or keep.
    pub(super) fn shut(&mut self) -> K::Shelf {
        let shelf = mem::replace(&mut self.state.shelf, K::Shelf::new(0));
        self.close();
        shelf
    }

    /// As [`shut`](Self::shut), since the last receiver is gone.
    pub(super) fn desert(&mut self) -> K::Shelf {
        self.shared.deserted.store(true, Ordering::Relaxed);
        self.shut()
    }

    /// Changes the capacity.
    pub(super) fn resize(&mut self, capacity: usize) {
        if !self.state.is_closed() {
            self.state.limit += slots(capacity) - slots(self.state.capacity);
        }
        self.state.capacity = capacity;
        self.tell();
    }

    /// Grants and dismisses whoever need not wait any more (S3), until `batch` is full, and brings the hints up to date.
    /// True: more is left to do.
    #[inline(never)]
    pub(super) fn settle(&mut self, batch: &mut Batch) -> bool {
        let more = self.serve(batch);
        self.tell();
        more
    }

    fn serve(&mut self, batch: &mut Batch) -> bool {
        loop {
            let (senders, receivers) = (!self.is_empty(SENDERS), !self.is_empty(RECEIVERS));
            let (line, granted) = if self.state.has_item() && receivers {
                (RECEIVERS, true)
            } else if self.state.is_closed() && senders {
                (SENDERS, false)
            } else if self.state.has_slot() && senders {
                (SENDERS, true)
            } else if self.state.is_done() && receivers {
                (RECEIVERS, false)
            } else if self.state.unfinished() == 0 && !self.is_empty(JOINERS) {
                (JOINERS, true)
            } else {
                return false;
            };
            if batch.is_full() {
                return true;
            }
            if granted {
                self.grant(line, batch);
                match line {
                    SENDERS => self.state.limit -= 1,
                    RECEIVERS => self.state.claims += 1,
                    _ => {}
                }
            } else {
                self.dismiss(line, batch);
                // An offer is gone with its sender.
                self.state.claims += isize::from(line == SENDERS && K::Shelf::MEETS);
            }
        }
    }

    /// Brings the hints up to date (S4) after somebody has joined `line`, for whom there is nothing.
    #[inline(always)]
    pub(super) fn tell_joined(&self, line: usize) {
        let look = |hint: &AtomicU8| {
            if hint.load(Ordering::Relaxed) == QUICK {
                hint.store(LOOK, Ordering::Relaxed);
            }
        };
        if line != SENDERS {
            look(&self.shared.slots);
        }
        if line != RECEIVERS {
            look(&self.shared.items);
        }
    }

    /// What a hint says of something that is there.
    #[inline]
    fn there(&self) -> u8 {
        let calm = !K::Shelf::MEETS && self.is_empty(SENDERS) && self.is_empty(RECEIVERS) && self.is_empty(JOINERS);
        if calm { QUICK } else { LOOK }
    }

    /// Brings the hints up to date (S4).
    #[inline]
    fn tell(&self) {
        let there = self.there();
        let slots = if self.state.has_slot() {
            there
        } else if self.state.is_closed() || K::Shelf::MEETS {
            LOOK
        } else {
            NONE
        };
        let items = if self.state.has_item() {
            if self.state.count() <= self.state.limit { there } else { LOOK }
        } else if self.state.is_done() {
            LOOK
        } else {
            NONE
        };
        self.shared.slots.store(slots, Ordering::Relaxed);
        self.shared.items.store(items, Ordering::Relaxed);
    }
}

/// What the handles print.
pub(super) fn debug<T, K: Kind<T>>(queue: &Queue<T, K>, mut out: fmt::DebugStruct<'_, '_>) -> fmt::Result {
    let (len, capacity, closed) = queue.read(|held| (held.state.len(), held.state.capacity, held.state.is_closed()));
    out.field("len", &len).field("capacity", &capacity).field("closed", &closed).finish()
}

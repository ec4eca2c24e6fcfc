//! What the lock guards, and who is granted what.
//!
//! # Invariants
//!
//! - **S1** `items + slots + permits <= capacity`, but for a capacity that was made smaller.
//! - **S2** `claims <= items.len()`, but after a shutdown: a claim whose item was handed over waits for another.
//! - **S3** A sender waits only while there is no free slot; a receiver only while there is no unclaimed item. Whoever
//!   changes that restores it with [`Held::settle`] before its call ends; newcomers join the line in between.
//! - **S4** `hint` says what newcomers would find, as of the last time that the lock was left.

use crate::sys::atomic::{AtomicU8, AtomicUsize, Ordering};
use crate::sys::{Arc, probe};
use crate::wait::{Batch, Departure, Hall, Held, Line, Place, Waiter};
use alloc::collections::VecDeque;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroUsize;

/// The line of those who wait for a slot.
pub(super) const SENDERS: usize = 0;
/// The line of those who wait for an item.
pub(super) const RECEIVERS: usize = 1;

/// Hint: the queue is open, and a newcomer finds no slot.
pub(super) const NO_SLOT: u8 = 1;
/// Hint: more may come, and a newcomer finds no item.
pub(super) const NO_ITEM: u8 = 2;
/// Hint: the queue is closed.
const CLOSED: u8 = 4;

/// Items for which room is allocated in advance.
const RESERVED: usize = 256;

/// A queue: shared by its handles.
pub(super) type Queue<T> = Hall<Fifo<T>>;
/// A future's place in one of its lines.
pub(super) type InLine<T, H> = Waiter<Fifo<T>, H>;

/// First in, first out.
pub(super) struct Fifo<T>(PhantomData<T>);

/// What is reached without the lock.
pub(super) struct Shared {
    pub(super) senders: AtomicUsize,
    pub(super) receivers: AtomicUsize,
    hint: AtomicU8,
    pub(super) id: probe::Id,
}

/// What the lock guards.
pub(super) struct State<T> {
    items: VecDeque<T>,
    capacity: usize,
    /// Slots granted to senders that have not been polled since.
    slots: usize,
    /// Slots held by permits.
    pub(super) permits: usize,
    /// Items granted to receivers that have not been polled since.
    claims: usize,
    closed: bool,
    /// The last receiver is gone.
    deserted: bool,
    hint: u8,
}

impl<T> Place for Fifo<T> {
    type State = State<T>;
    type Shared = Shared;
    type Slot = ();
    type Lines = [Line<()>; 2];
    const PASSES_ON: bool = true;

    fn left(held: &mut Held<'_, Self>, departure: Departure, (): &mut (), batch: &mut Batch) {
        match departure {
            Departure::Grant(SENDERS) => held.state.slots -= 1,
            Departure::Grant(_) => held.state.claims -= 1,
            Departure::Line(_) => {}
        }
        // One grant at the most comes of this; if more are due, then somebody else is about to make them (S3).
        held.settle(batch);
    }
}

/// An open queue with one sender and one receiver.
#[track_caller]
pub(super) fn queue<T>(capacity: NonZeroUsize) -> Arc<Queue<T>> {
    let capacity = capacity.get();
    let state = State {
        items: VecDeque::with_capacity(capacity.min(RESERVED)),
        capacity,
        slots: 0,
        permits: 0,
        claims: 0,
        closed: false,
        deserted: false,
        hint: NO_ITEM,
    };
    let shared = Shared {
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
        hint: AtomicU8::new(NO_ITEM),
        id: probe::Id::new(),
    };
    Arc::new(Hall::new(shared, state, [Line::new(), Line::new()]))
}

impl<T> State<T> {
    #[inline]
    fn has_slot(&self) -> bool {
        self.items.len() + self.slots + self.permits < self.capacity
    }

    #[inline]
    fn has_item(&self) -> bool {
        self.items.len() > self.claims
    }

    /// Whether nothing can come any more (Q6).
    #[inline]
    fn is_done(&self) -> bool {
        self.closed && self.items.is_empty() && self.permits == 0
    }
}

impl<T> Held<'_, Fifo<T>> {
    /// Whether a newcomer finds a slot.
    #[inline]
    fn may_send(&self) -> bool {
        self.state.has_slot() && self.is_empty(SENDERS)
    }

    /// Whether a newcomer finds an item.
    #[inline]
    fn may_recv(&self) -> bool {
        self.state.has_item() && self.is_empty(RECEIVERS)
    }

    /// Grants and dismisses whoever need not wait any more (S3), until `batch` is full. True: more is left to do.
    #[inline(always)]
    pub(super) fn settle(&mut self, batch: &mut Batch) -> bool {
        if self.is_empty(RECEIVERS) && self.is_empty(SENDERS) {
            self.tell(self.state.has_slot(), self.state.has_item());
            return false;
        }
        let more = self.serve(batch);
        self.tell(self.may_send(), self.may_recv());
        more
    }

    #[inline(never)]
    fn serve(&mut self, batch: &mut Batch) -> bool {
        while self.state.has_item() && !self.is_empty(RECEIVERS) {
            if batch.is_full() {
                return true;
            }
            self.grant(RECEIVERS, batch);
            self.state.claims += 1;
        }
        while self.state.closed && !self.is_empty(SENDERS) {
            if batch.is_full() {
                return true;
            }
            self.dismiss(SENDERS, batch);
        }
        while self.state.has_slot() && !self.is_empty(SENDERS) {
            if batch.is_full() {
                return true;
            }
            self.grant(SENDERS, batch);
            self.state.slots += 1;
        }
        while self.state.is_done() && !self.is_empty(RECEIVERS) {
            if batch.is_full() {
                return true;
            }
            self.dismiss(RECEIVERS, batch);
        }
        false
    }

    /// Brings the hint up to date (S4) with whether a newcomer finds a slot, and whether it finds an item.
    #[inline(always)]
    fn tell(&mut self, slot: bool, item: bool) {
        let mut hint = 0;
        if self.state.closed {
            hint |= CLOSED;
        } else if !slot {
            hint |= NO_SLOT;
        }
        if !item && !self.state.is_done() {
            hint |= NO_ITEM;
        }
        if hint != self.state.hint {
            self.state.hint = hint;
            // Relaxed: whoever acts on it takes the lock, or gives up as it might have a moment earlier. A thread never
            // reads a value older than one that it wrote or was told of, since they are all of one variable.
            self.shared.hint.store(hint, Ordering::Relaxed);
        }
    }

    /// Fills a slot that is the caller's (S1).
    #[inline]
    pub(super) fn push(&mut self, value: T) {
        self.state.items.push_back(value);
    }
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

/// Whoever asks to send has the value at hand.
pub(super) const BROUGHT: &str = "a value to send";

impl<T> Hall<Fifo<T>> {
    /// Whether `hint` is set: what a newcomer looks for is not there.
    #[inline]
    pub(super) fn hints(&self, hint: u8) -> bool {
        self.look().hint.load(Ordering::Relaxed) & hint != 0
    }

    /// Runs `f` under the lock, then grants what follows from it.
    #[inline]
    fn change<R>(&self, f: impl FnOnce(&mut Held<'_, Fifo<T>>) -> R) -> R {
        let mut batch = Batch::new();
        let (r, more) = self.with(|held| (f(held), held.settle(&mut batch)));
        self.fire(&mut batch, more);
        r
    }

    /// Wakes those in `batch`, and if there are more to come, those too.
    #[inline]
    pub(super) fn fire(&self, batch: &mut Batch, more: bool) {
        if more { self.fire_all(batch) } else { batch.fire() }
    }

    #[cold]
    fn fire_all(&self, batch: &mut Batch) {
        /// Settles the rest, also while the panic of a waker unwinds.
        struct Rest<'a, T>(&'a Queue<T>);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.0.wake_to_end(|held, batch| held.settle(batch));
            }
        }
        let _rest = Rest(self);
        batch.fire();
    }

    /// Sends what is in `value` if a newcomer finds a slot.
    #[inline]
    pub(super) fn try_send(&self, value: &mut Option<T>) -> Found<()> {
        if self.hints(NO_SLOT) {
            return Found::Nothing;
        }
        self.change(|held| take_slot(held, false, |held| held.push(value.take().expect(BROUGHT))))
    }

    /// Sets a slot aside if a newcomer finds one.
    pub(super) fn try_reserve(&self) -> Found<()> {
        if self.hints(NO_SLOT) {
            return Found::Nothing;
        }
        self.change(|held| take_slot(held, false, |held| held.state.permits += 1))
    }

    /// Takes an item if a newcomer finds one.
    #[inline]
    pub(super) fn try_recv(&self) -> Found<T> {
        if self.hints(NO_ITEM) {
            return Found::Nothing;
        }
        self.change(|held| take_item(held, false))
    }

    /// Fills the slot of a permit. The value comes back if no receiver is left.
    pub(super) fn redeem(&self, value: T) -> Result<(), T> {
        self.change(|held| {
            held.state.permits -= 1;
            if held.state.deserted {
                return Err(value);
            }
            held.push(value);
            Ok(())
        })
    }

    /// Gives the slot of a permit back.
    pub(super) fn unreserve(&self) {
        self.change(|held| held.state.permits -= 1);
    }

    pub(super) fn close(&self) {
        self.change(|held| held.state.closed = true);
    }

    /// Closes and takes all items out, for the caller to drop or keep.
    pub(super) fn shutdown(&self) -> VecDeque<T> {
        self.change(|held| {
            held.state.closed = true;
            core::mem::take(&mut held.state.items)
        })
    }

    /// Closes, since the last receiver is gone, and takes all items out, for the caller to drop.
    pub(super) fn desert(&self) -> VecDeque<T> {
        self.change(|held| {
            held.state.closed = true;
            held.state.deserted = true;
            core::mem::take(&mut held.state.items)
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.hints(CLOSED)
    }

    pub(super) fn len(&self) -> usize {
        self.read(|held| held.state.items.len())
    }

    pub(super) fn is_drained(&self) -> bool {
        self.is_closed() && self.read(|held| held.state.is_done())
    }

    pub(super) fn capacity(&self) -> usize {
        self.read(|held| held.state.capacity)
    }

    pub(super) fn set_capacity(&self, capacity: NonZeroUsize) {
        self.change(|held| held.state.capacity = capacity.get());
    }
}

/// Takes an item, if one was granted or a newcomer finds one.
#[inline]
pub(super) fn take_item<T>(held: &mut Held<'_, Fifo<T>>, granted: bool) -> Found<T> {
    if granted {
        held.state.claims -= 1;
    }
    if granted || held.may_recv() {
        // A claim whose item a shutdown handed over finds nothing here (S2).
        if let Some(item) = held.state.items.pop_front() {
            return Found::Done(item);
        }
    }
    if held.state.is_done() { Found::Closed } else { Found::Nothing }
}

/// Has `fill` use a slot, if one was granted or a newcomer finds one.
#[inline]
pub(super) fn take_slot<T>(
    held: &mut Held<'_, Fifo<T>>,
    granted: bool,
    fill: impl FnOnce(&mut Held<'_, Fifo<T>>),
) -> Found<()> {
    if granted {
        held.state.slots -= 1;
    }
    if held.state.closed {
        return Found::Closed;
    }
    if granted || held.may_send() {
        fill(held);
        return Found::Done(());
    }
    Found::Nothing
}

/// What the handles print.
pub(super) fn debug<T>(queue: &Queue<T>, mut out: fmt::DebugStruct<'_, '_>) -> fmt::Result {
    let (len, capacity, closed) = queue.read(|held| (held.state.items.len(), held.state.capacity, held.state.closed));
    out.field("len", &len).field("capacity", &capacity).field("closed", &closed).finish()
}

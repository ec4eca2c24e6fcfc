//! What the handles do with a queue, but for waiting.
//!
//! A call wakes others after it has left the lock. Should one of their wakers panic, the call goes on to wake the rest, and
//! then the panic unwinds through it, unless it would take along what the call is about to hand over: an item, a permit; or
//! the call is a drop, which may be part of another unwinding. Then the panic ends here ([`Hall::wake_quietly`]), once the
//! panic hook has told of it.

use super::error::{TryRecvError, TrySendError};
use super::kind::{Buffered, Kind};
use super::shelf::Shelf;
use super::state::{Due, Found, Key, Queue, Room};
use crate::sys::probe;
use crate::sys::thread::contain;
use crate::wait::Hall;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::num::NonZeroUsize;
use core::task::Waker;

/// Items that are sent under the lock at once.
pub(super) const AT_ONCE: usize = 64;

impl<T, K: Kind<T>> Hall<Room<T, K>> {
    /// Wakes whoever is due.
    #[inline(always)]
    pub(super) fn wake_due(&self, due: Due) {
        if due.more {
            self.wake_more(due.waker);
        } else if let Some(waker) = due.waker {
            wake(waker);
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_more(&self, waker: Option<Waker>) {
        /// Settles while the panic of a waker unwinds.
        struct Rest<'a, T, K: Kind<T>>(&'a Queue<T, K>);
        impl<T, K: Kind<T>> Drop for Rest<'_, T, K> {
            fn drop(&mut self) {
                contain(|| self.0.wake_to_end(|held, batch| held.settle(batch)));
            }
        }
        let rest = Rest(self);
        waker.into_iter().for_each(wake);
        mem::forget(rest);
        self.wake_to_end(|held, batch| held.settle(batch));
    }

    /// Wakes whoever is due, and lets no panic out. Without `std` a panic can't be caught.
    #[inline(always)]
    pub(super) fn wake_quietly(&self, due: Due) {
        if due.more {
            contain(|| self.wake_more(due.waker));
        } else if let Some(waker) = due.waker {
            wake_contained(waker);
        }
    }

    /// Puts an item in if there is a slot for newcomers and nobody else is concerned; else `value` is there still.
    #[inline(always)]
    pub(super) fn push(&self, key: Key<T, K>, value: &mut Option<T>) {
        if self.shared.has_quick_slot() {
            self.try_with(|held| {
                if held.shared.has_quick_slot() {
                    if let Some(value) = value.take() {
                        held.push(key, value);
                    }
                }
            });
        }
    }

    /// Takes an item out if there is one for newcomers and nobody else is concerned.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<T> {
        if !self.shared.has_quick_item() {
            return None;
        }
        self.try_with(|held| if held.shared.has_quick_item() { held.pop() } else { None }).flatten()
    }

    /// Sends `value` if a newcomer finds a slot.
    #[inline(always)]
    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let key = K::Shelf::key(&value);
        let mut value = Some(value);
        self.push(key, &mut value);
        match value {
            None => Ok(()),
            Some(value) if self.look().has_no_slot() => Err(TrySendError::Full(value)),
            Some(value) => self.look_to_send(key, value),
        }
    }

    #[inline(never)]
    fn look_to_send(&self, key: Key<T, K>, value: T) -> Result<(), TrySendError<T>> {
        let (mut value, mut due) = (Some(value), Due::NOBODY);
        let found = self.with(|held| held.put_item(false, key, &mut value, &mut due));
        self.wake_due(due);
        unsent(found, value).map_or(Ok(()), Err)
    }

    /// Takes an item if a newcomer finds one.
    #[inline(always)]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.pop() {
            Some(item) => Ok(item),
            None if self.look().has_no_item() => Err(TryRecvError::Empty),
            None => self.look_to_recv(),
        }
    }

    #[inline(never)]
    fn look_to_recv(&self) -> Result<T, TryRecvError> {
        let mut due = Due::NOBODY;
        let found = self.with(|held| held.take_item(false, &mut due));
        self.wake_quietly(due);
        received(found)
    }

    /// Takes an item as a job if a newcomer finds one.
    pub(super) fn try_recv_job(&self) -> Result<T, TryRecvError> {
        if self.look().has_no_item() {
            return Err(TryRecvError::Empty);
        }
        let mut due = Due::NOBODY;
        let found = self.with(|held| held.take_job(false, &mut due));
        self.wake_quietly(due);
        received(found)
    }

    /// Sets a slot aside if a newcomer finds one.
    pub(super) fn try_reserve(&self) -> Result<(), TrySendError<()>> {
        if self.look().has_no_slot() {
            return Err(TrySendError::Full(()));
        }
        match self.with(|held| held.hold_slot(false)) {
            Found::Done(()) => Ok(()),
            Found::Nothing => Err(TrySendError::Full(())),
            Found::Closed => Err(TrySendError::Closed(())),
        }
    }

    /// Fills the slot of a permit. The value comes back if no receiver is left.
    pub(super) fn redeem(&self, key: Key<T, K>, value: T) -> Result<(), T> {
        let due = self.with(|held| held.fill(key, value))?;
        self.wake_due(due);
        Ok(())
    }

    /// Gives the slot of a permit back.
    pub(super) fn unreserve(&self) {
        let due = self.with(|held| held.waive());
        self.wake_quietly(due);
    }

    /// Ends a job.
    pub(super) fn finish(&self) {
        let due = self.with(|held| held.end_job());
        self.wake_quietly(due);
    }

    /// Sends from the front of `items` as many as newcomers find slots for, and says how many.
    pub(super) fn try_send_many(&self, items: &mut VecDeque<T>) -> Result<usize, TrySendError<()>> {
        let mut sent = 0;
        while !items.is_empty() {
            let keys = Keys::<T, K>::of(items);
            let mut due = Due::NOBODY;
            let found = self.with(|held| held.put_items(false, keys.get(), items, &mut due));
            self.wake_due(due);
            match found {
                Found::Done(count) => sent += count,
                _ if sent > 0 => break,
                Found::Closed => return Err(TrySendError::Closed(())),
                Found::Nothing => return Err(TrySendError::Full(())),
            }
        }
        Ok(sent)
    }

    /// Takes items for newcomers into `buffer`, `limit` at the most, and says how many.
    pub(super) fn try_recv_many(&self, buffer: &mut Vec<T>, limit: usize) -> Result<usize, TryRecvError> {
        let mut taken = 0;
        while taken < limit {
            let left = limit - taken;
            buffer.reserve(self.read(|held| held.state.len()).clamp(1, left));
            let mut due = Due::NOBODY;
            let found = self.with(|held| held.take_items(false, buffer, left, &mut due));
            self.wake_quietly(due);
            match found {
                Found::Done((count, more)) => {
                    taken += count;
                    if !more {
                        break;
                    }
                }
                _ if taken > 0 => break,
                Found::Closed => return Err(TryRecvError::Closed),
                Found::Nothing => return Err(TryRecvError::Empty),
            }
        }
        Ok(taken)
    }

    /// Takes all items that a newcomer finds at this moment.
    pub(super) fn drain(&self) -> Vec<T> {
        let mut items = Vec::new();
        let found = self.read(|held| held.unclaimed());
        // Nothing is no error here.
        let _ = self.try_recv_many(&mut items, found);
        items
    }

    pub(super) fn close(&self) {
        self.with(|held| held.close());
        self.wake_due(Due::MORE);
    }

    /// Closes, since the last sender is gone.
    pub(super) fn abandon(&self) {
        self.with(|held| held.close());
        self.wake_quietly(Due::MORE);
    }

    /// Closes and takes all items out, the next one first.
    pub(super) fn shutdown(&self) -> Vec<T> {
        let shelf = self.with(|held| held.shut());
        self.wake_quietly(Due::MORE);
        shelf.into_vec()
    }

    /// Closes, since the last receiver is gone, and takes all items out, for the caller to drop.
    pub(super) fn desert(&self) -> K::Shelf {
        let shelf = self.with(|held| held.desert());
        self.wake_quietly(Due::MORE);
        shelf
    }

    /// Whether a newcomer finds no item, and more may come.
    pub(super) fn has_no_item(&self) -> bool {
        self.look().has_no_item()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.look().is_closed()
    }

    pub(super) fn len(&self) -> usize {
        self.read(|held| held.state.len())
    }

    pub(super) fn is_drained(&self) -> bool {
        self.is_closed() && self.read(|held| held.state.is_done())
    }

    pub(super) fn unfinished(&self) -> usize {
        self.read(|held| held.state.unfinished())
    }

    pub(super) fn capacity(&self) -> usize {
        self.read(|held| held.state.capacity())
    }
}

impl<T, K: Buffered<T>> Hall<Room<T, K>> {
    /// Sends `value`, in place of an item that is there if newcomers find no slot. That one comes back.
    pub(super) fn force_send(&self, value: T) -> Result<Option<T>, TrySendError<T>> {
        let key = K::Shelf::key(&value);
        let (mut value, mut due) = (Some(value), Due::NOBODY);
        let found = self.with(|held| held.force(key, &mut value, &mut due));
        self.wake_due(due);
        match found {
            Found::Done(()) => Ok(value),
            refused => unsent(refused, value).map_or(Ok(None), Err),
        }
    }

    pub(super) fn set_capacity(&self, capacity: NonZeroUsize) {
        self.with(|held| held.resize(capacity.get()));
        self.wake_due(Due::MORE);
    }
}

#[inline(always)]
fn wake(waker: Waker) {
    probe::firing(&waker);
    waker.wake();
}

#[inline(never)]
fn wake_contained(waker: Waker) {
    contain(|| wake(waker));
}

/// The value that is left if it was not sent.
#[inline(always)]
fn unsent<T>(found: Found<()>, value: Option<T>) -> Option<TrySendError<T>> {
    match found {
        Found::Done(()) => None,
        Found::Closed => value.map(TrySendError::Closed),
        Found::Nothing => value.map(TrySendError::Full),
    }
}

#[inline]
fn received<T>(found: Found<T>) -> Result<T, TryRecvError> {
    match found {
        Found::Done(item) => Ok(item),
        Found::Nothing => Err(TryRecvError::Empty),
        Found::Closed => Err(TryRecvError::Closed),
    }
}

/// The keys of some items, taken before the lock is.
pub(super) struct Keys<T, K: Kind<T>> {
    keys: [Key<T, K>; AT_ONCE],
    len: usize,
}

impl<T, K: Kind<T>> Keys<T, K> {
    /// Those of the first of `items`.
    pub(super) fn of(items: &VecDeque<T>) -> Self {
        let mut keys = [Key::<T, K>::default(); AT_ONCE];
        let mut len = 0;
        for (key, item) in keys.iter_mut().zip(items) {
            *key = K::Shelf::key(item);
            len += 1;
        }
        Self { keys, len }
    }

    pub(super) fn get(&self) -> &[Key<T, K>] {
        &self.keys[..self.len]
    }
}

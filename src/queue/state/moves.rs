//! What is done under the lock: items, slots, permits and jobs change hands.
//!
//! Each of these brings the hints up to date before the lock is left (S4), and grants one waiter what follows from it (S3), or
//! says that there is more to grant. Hints may stay at [`LOOK`](super::LOOK): whoever looks brings them up to date.

use super::super::kind::{Buffered, Kind};
use super::super::shelf::{Buffer, Shelf};
use super::{Due, Found, Key, NONE, QUICK, RECEIVERS, Room, SENDERS};
use crate::sys::atomic::Ordering;
use crate::wait::Held;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

impl<T, K: Kind<T>> Held<'_, Room<T, K>> {
    /// Puts in an item, after [`Shared::has_quick_slot`](super::Shared::has_quick_slot).
    #[inline(always)]
    pub(in crate::queue) fn push(&mut self, key: Key<T, K>, value: T) {
        self.state.shelf.push(key, value);
        self.shared.items.store(QUICK, Ordering::Relaxed);
        if self.state.count() == self.state.limit {
            self.shared.slots.store(NONE, Ordering::Relaxed);
        }
    }

    /// Takes an item out, after [`Shared::has_quick_item`](super::Shared::has_quick_item).
    #[inline(always)]
    pub(in crate::queue) fn pop(&mut self) -> Option<T> {
        let item = self.state.shelf.pop()?;
        self.shared.slots.store(QUICK, Ordering::Relaxed);
        if self.state.count() == self.state.claims {
            self.shared.items.store(NONE, Ordering::Relaxed);
        }
        Some(item)
    }

    /// Takes a claimed item out, if nobody else is concerned: as there are slots for newcomers, nobody waits for what it
    /// leaves, and what hints say stays right.
    #[inline(always)]
    pub(in crate::queue) fn pop_claimed(&mut self) -> Option<T> {
        if !self.shared.has_quick_slot() {
            return None;
        }
        let item = self.state.shelf.pop()?;
        self.state.claims -= 1;
        Some(item)
    }

    /// Takes an item, if one was granted or a newcomer finds one.
    #[inline(always)]
    pub(in crate::queue) fn take_item(&mut self, granted: bool, due: &mut Due) -> Found<T> {
        if granted || self.may_recv() {
            self.state.claims -= isize::from(granted);
            if let Some(item) = self.state.shelf.pop() {
                due.waker = self.grant_slot();
                due.more = self.may_be_over();
                // Of what was granted and passes on its slot, newcomers see nothing; nor of a slot where there were others.
                let unseen = due.waker.is_some() || self.state.count() + 1 < self.state.limit;
                if !(granted && unseen) {
                    self.tell();
                }
                return Found::Done(item);
            }
            if K::Shelf::MEETS {
                if let Some(item) = self.meet(due) {
                    return Found::Done(item);
                }
            }
        }
        if self.state.is_done() { Found::Closed } else { Found::Nothing }
    }

    /// Takes what the first sender in line offers, where sends meet receives.
    fn meet(&mut self, due: &mut Due) -> Option<T> {
        let item = K::Shelf::pick_up(self.first(SENDERS)?)?;
        self.state.claims += 1;
        due.waker = self.hand(SENDERS);
        self.tell();
        Some(item)
    }

    /// As [`take_item`](Self::take_item); what was taken is a job, and so stays unfinished.
    pub(in crate::queue) fn take_job(&mut self, granted: bool, due: &mut Due) -> Found<T> {
        let found = self.take_item(granted, due);
        self.state.jobs += usize::from(matches!(found, Found::Done(_)));
        found
    }

    /// Sends what is in `value`, if a slot was granted or a newcomer finds one.
    #[inline(always)]
    pub(in crate::queue) fn put_item(
        &mut self,
        granted: bool,
        key: Key<T, K>,
        value: &mut Option<T>,
        due: &mut Due,
    ) -> Found<()> {
        // A queue that is closed has no slot (S1), but for one that was granted before.
        if if granted { self.state.is_closed() } else { !self.may_send() } {
            return if self.state.is_closed() { Found::Closed } else { Found::Nothing };
        }
        let Some(value) = value.take() else { return Found::Nothing };
        self.state.limit += isize::from(granted);
        self.state.shelf.push(key, value);
        due.waker = self.grant_item();
        // Of what was granted and goes to somebody who waits, newcomers see nothing; else of the slot alone.
        if due.waker.is_none() {
            self.tell();
        } else if !granted && !K::Shelf::MEETS {
            self.shared.slots.store(if self.state.has_slot() { self.there() } else { NONE }, Ordering::Relaxed);
        }
        Found::Done(())
    }

    /// Offers a value that was laid down, where sends meet receives.
    pub(in crate::queue) fn offer(&mut self, due: &mut Due) {
        self.state.claims -= 1;
        due.waker = self.grant_item();
        self.tell();
    }

    /// Sets a slot aside, if one was granted or a newcomer finds one.
    pub(in crate::queue) fn hold_slot(&mut self, granted: bool) -> Found<()> {
        if self.state.is_closed() {
            return Found::Closed;
        }
        if !granted && !self.may_send() {
            return Found::Nothing;
        }
        self.state.limit -= isize::from(!granted);
        self.state.permits += 1;
        self.tell();
        Found::Done(())
    }

    /// Sends from the front of `items`, one for each key, as many as there are slots for: granted, or found by a newcomer.
    pub(in crate::queue) fn put_items(
        &mut self,
        granted: bool,
        keys: &[Key<T, K>],
        items: &mut VecDeque<T>,
        due: &mut Due,
    ) -> Found<usize> {
        if self.state.is_closed() {
            return Found::Closed;
        }
        self.state.limit += isize::from(granted);
        let room = self.state.limit.saturating_sub(self.state.count()).max(0).unsigned_abs();
        // What was granted is there even if the capacity is smaller now (Q3).
        let found = usize::from(granted).max(if self.is_empty(SENDERS) { room } else { 0 });
        let count = keys.len().min(found);
        for (key, value) in keys.iter().zip(items.drain(..count)) {
            self.state.shelf.push(*key, value);
        }
        self.tell();
        due.more = self.state.has_item() && !self.is_empty(RECEIVERS);
        if count == 0 { Found::Nothing } else { Found::Done(count) }
    }

    /// How many items a newcomer finds.
    pub(in crate::queue) fn unclaimed(&self) -> usize {
        if self.is_empty(RECEIVERS) { (self.state.count() - self.state.claims).max(0).unsigned_abs() } else { 0 }
    }

    /// Takes items into the spare room of `buffer`, which is there for one at least, and `limit` at the most: one that was
    /// granted, and those that a newcomer finds. Says how many, and whether there are more.
    pub(in crate::queue) fn take_items(
        &mut self,
        granted: bool,
        buffer: &mut Vec<T>,
        limit: usize,
        due: &mut Due,
    ) -> Found<(usize, bool)> {
        let found = self.unclaimed() + usize::from(granted);
        let count = found.min(limit).min(buffer.capacity() - buffer.len());
        if count < 2 || K::Shelf::MEETS {
            return match self.take_item(granted, due) {
                Found::Done(item) => {
                    buffer.push(item);
                    Found::Done((1, found > 1))
                }
                Found::Closed => Found::Closed,
                Found::Nothing => Found::Nothing,
            };
        }
        self.state.claims -= isize::from(granted);
        buffer.extend((0..count).map_while(|_| self.state.shelf.pop()));
        self.tell();
        due.more = (self.state.has_slot() && !self.is_empty(SENDERS)) || self.may_be_over();
        Found::Done((count, found > count))
    }

    /// Ends a permit, whose slot is given up.
    pub(in crate::queue) fn waive(&mut self) -> Due {
        self.state.permits -= 1;
        self.state.limit += 1;
        let waker = self.grant_slot();
        self.tell();
        Due { waker, more: self.may_be_over() }
    }

    /// Ends a permit, whose slot is filled. The value comes back if no receiver is left.
    pub(in crate::queue) fn fill(&mut self, key: Key<T, K>, value: T) -> Result<Due, T> {
        self.state.permits -= 1;
        self.state.limit += 1;
        if self.shared.deserted.load(Ordering::Relaxed) {
            return Err(value);
        }
        self.state.shelf.push(key, value);
        let waker = self.grant_item();
        self.tell();
        Ok(Due { waker, more: false })
    }

    /// Ends a job.
    pub(in crate::queue) fn end_job(&mut self) -> Due {
        self.state.jobs -= 1;
        Due { waker: None, more: self.may_be_over() }
    }
}

impl<T, K: Buffered<T>> Held<'_, Room<T, K>> {
    /// Puts an item in: into a slot that a newcomer finds, or in place of one of those that are there, which is left in
    /// `value`.
    pub(in crate::queue) fn force(&mut self, key: Key<T, K>, value: &mut Option<T>, due: &mut Due) -> Found<()> {
        match self.put_item(false, key, value, due) {
            Found::Nothing if self.state.shelf.len() > 0 => {
                *value = value.take().map(|value| self.state.shelf.displace(key, value));
                Found::Done(())
            }
            found => found,
        }
    }
}

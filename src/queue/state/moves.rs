//! What is done under the lock: items, slots, permits and jobs change hands.
//!
//! Each of these brings the hints up to date before the lock is left (S4), and grants one waiter what follows from it (S3), or
//! says that there is more to grant.

use super::super::kind::{Buffered, Kind};
use super::super::shelf::{Buffer, Shelf};
use super::{Due, Found, Key, NONE, QUICK, RECEIVERS, Refused, Room, SENDERS};
use crate::sys::atomic::Ordering;
use crate::wait::Held;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

impl<T, K: Kind<T>> Held<'_, Room<T, K>> {
    /// Puts in an item, after [`Shared::has_quick_slot`].
    #[inline(always)]
    pub(in crate::queue) fn push(&mut self, key: Key<T, K>, value: T) {
        self.state.shelf.push(key, value);
        self.shared.items.store(QUICK, Ordering::Relaxed);
        if self.state.count() == self.state.limit {
            self.shared.slots.store(NONE, Ordering::Relaxed);
        }
    }

    /// Takes an item out, after [`Shared::has_quick_item`].
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
    pub(in crate::queue) fn take_item(&mut self, granted: bool) -> (Found<T>, Due) {
        if granted || self.may_recv() {
            self.state.claims -= isize::from(granted);
            if let Some(item) = self.state.shelf.pop() {
                let waker = self.grant_slot();
                let more = self.may_be_over();
                // An item that was granted leaves the items as they are, and the slots, if they were not used up.
                if !granted || self.state.count() + 1 >= self.state.limit {
                    self.tell();
                }
                return (Found::Done(item), Due { waker, more });
            }
            if K::Shelf::MEETS {
                if let Some((item, due)) = self.meet() {
                    return (Found::Done(item), due);
                }
            }
        }
        let found = if self.state.is_done() { Found::Closed } else { Found::Nothing };
        (found, Due::NOBODY)
    }

    /// Takes what the first sender in line offers, where sends meet receives.
    fn meet(&mut self) -> Option<(T, Due)> {
        let item = K::Shelf::pick_up(self.first(SENDERS)?)?;
        self.state.claims += 1;
        let waker = self.hand(SENDERS);
        self.tell();
        Some((item, Due { waker, more: false }))
    }

    /// As [`take_item`](Self::take_item); what was taken is a job, and so stays unfinished.
    pub(in crate::queue) fn take_job(&mut self, granted: bool) -> (Found<T>, Due) {
        let (found, due) = self.take_item(granted);
        self.state.jobs += usize::from(matches!(found, Found::Done(_)));
        (found, due)
    }

    /// Sends `value`, if a slot was granted or a newcomer finds one.
    #[inline(always)]
    pub(in crate::queue) fn put_item(&mut self, granted: bool, key: Key<T, K>, value: T) -> Result<Due, Refused<T>> {
        // A queue that is closed has no slot (S1), but for one that was granted before.
        if if granted { self.state.closed } else { !self.may_send() } {
            return Err(Refused { value, closed: self.state.closed });
        }
        self.state.limit += isize::from(granted);
        self.state.shelf.push(key, value);
        Ok(self.arrived())
    }

    /// Grants an item that was just put in, if somebody waits for it.
    #[inline]
    fn arrived(&mut self) -> Due {
        let waker = self.grant_item();
        // If it was granted, there are as many items as before for newcomers.
        if waker.is_some() {
            self.tell_slots(self.there())
        } else {
            self.tell()
        }
        Due { waker, more: false }
    }

    /// Offers a value that was laid down, where sends meet receives.
    pub(in crate::queue) fn offer(&mut self) -> Due {
        self.state.claims -= 1;
        let waker = self.grant_item();
        self.tell();
        Due { waker, more: false }
    }

    /// Sets a slot aside, if one was granted or a newcomer finds one.
    pub(in crate::queue) fn hold_slot(&mut self, granted: bool) -> Found<()> {
        if self.state.closed {
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
    ) -> (Found<usize>, Due) {
        if self.state.closed {
            return (Found::Closed, Due::NOBODY);
        }
        self.state.limit += isize::from(granted);
        let found = if self.is_empty(SENDERS) {
            self.state.limit.saturating_sub(self.state.count()).max(0).unsigned_abs()
        } else {
            usize::from(granted)
        };
        let count = keys.len().min(found);
        for (key, value) in keys.iter().zip(items.drain(..count)) {
            self.state.shelf.push(*key, value);
        }
        self.tell();
        let more = self.state.has_item() && !self.is_empty(RECEIVERS);
        (if count == 0 { Found::Nothing } else { Found::Done(count) }, Due { waker: None, more })
    }

    /// Takes items into the spare room of `buffer`, which is there for one at least, and `limit` at the most: one that was
    /// granted, and those that a newcomer finds. Says how many, and whether there are more.
    pub(in crate::queue) fn take_items(
        &mut self,
        granted: bool,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> (Found<(usize, bool)>, Due) {
        let others =
            if self.is_empty(RECEIVERS) { (self.state.count() - self.state.claims).max(0).unsigned_abs() } else { 0 };
        let found = others + usize::from(granted);
        let count = found.min(limit).min(buffer.capacity() - buffer.len());
        if count < 2 || K::Shelf::MEETS {
            let (item, due) = self.take_item(granted);
            let taken = match item {
                Found::Done(item) => {
                    buffer.push(item);
                    Found::Done((1, found > 1))
                }
                Found::Closed => Found::Closed,
                Found::Nothing => Found::Nothing,
            };
            return (taken, due);
        }
        self.state.claims -= isize::from(granted);
        buffer.extend((0..count).map_while(|_| self.state.shelf.pop()));
        self.tell();
        let more = (self.state.has_slot() && !self.is_empty(SENDERS)) || self.may_be_over();
        (Found::Done((count, found > count)), Due { waker: None, more })
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
        if self.state.deserted {
            return Err(value);
        }
        self.state.shelf.push(key, value);
        Ok(self.arrived())
    }

    /// Ends a job.
    pub(in crate::queue) fn end_job(&mut self) -> Due {
        self.state.jobs -= 1;
        Due { waker: None, more: self.may_be_over() }
    }
}

impl<T, K: Buffered<T>> Held<'_, Room<T, K>> {
    /// Puts an item in: into a slot that a newcomer finds, or in place of one of those that are there, which comes back.
    pub(in crate::queue) fn force(&mut self, key: Key<T, K>, value: T) -> Result<(Option<T>, Due), Refused<T>> {
        match self.put_item(false, key, value) {
            Ok(due) => Ok((None, due)),
            Err(Refused { value, closed: false }) if self.state.shelf.len() > 0 => {
                Ok((Some(self.state.shelf.displace(key, value)), Due::NOBODY))
            }
            Err(refused) => Err(refused),
        }
    }
}

//! Many members in one task, each polled when it was woken, and dropped in a guard of its own.

use crate::spawn::Panic;
use crate::sys::arena::{Arena, Occupied};
use crate::sys::thread::{catch, is_panicking};
use crate::sys::waker::TaggedWaker;
use crate::wait::Ready;
use alloc::collections::VecDeque;
use core::ops::Range;
use core::pin::Pin;
use core::task::Waker;

/// How many members are polled in a poll of the task before others have a turn.
pub(super) const BUDGET: u32 = 128;

/// How often one is polled in it that wakes itself.
pub(super) const PASSES: u32 = 2;

pub(super) struct Crew<M> {
    members: Arena<M>,
    ready: Ready,
    /// Those that have yet to be polled for the first time.
    fresh: Fresh,
}

/// Numbers in the order of their coming; those that follow one another are one range.
struct Fresh {
    /// Empty only if the others are none.
    first: Range<usize>,
    others: VecDeque<Range<usize>>,
}

impl Fresh {
    const NONE: Self = Self { first: 0..0, others: VecDeque::new() };

    #[inline]
    fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    #[inline]
    fn push(&mut self, number: usize) {
        let last = self.others.back_mut().unwrap_or(&mut self.first);
        if last.start < last.end && last.end == number {
            last.end += 1;
        } else {
            self.begin(number..number + 1);
        }
    }

    fn begin(&mut self, range: Range<usize>) {
        if self.is_empty() {
            self.first = range;
        } else {
            self.others.push_back(range);
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<usize> {
        let number = self.first.next()?;
        if self.first.is_empty() {
            self.first = self.others.pop_front().unwrap_or(0..0);
        }
        Some(number)
    }
}

impl<M> Crew<M> {
    /// Nobody yet, with room for so many.
    pub(super) fn new(capacity: usize) -> Self {
        Self { members: Arena::new(capacity), ready: Ready::new(), fresh: Fresh::NONE }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whoever is to be polled, beside the members.
    pub(super) fn ready(&mut self) -> &mut Ready {
        &mut self.ready
    }

    /// Takes a member in, to be polled, and gives its number, which is used again when it is gone.
    #[inline]
    pub(super) fn insert(&mut self, member: M) -> usize {
        let number = self.members.insert(member);
        self.ready.reach(number);
        self.fresh.push(number);
        number
    }

    /// Begins a poll of the task.
    #[inline]
    pub(super) fn begin(&mut self, waker: &Waker) {
        self.ready.begin(waker);
    }

    /// Begins a pass over those that are to be polled.
    #[inline]
    pub(super) fn begin_pass(&mut self) {
        self.ready.begin_pass();
    }

    /// The next one of the pass, which may be gone.
    #[inline]
    pub(super) fn next(&mut self) -> Option<usize> {
        self.fresh.pop().or_else(|| self.ready.next())
    }

    /// A member, and the waker to poll it with.
    #[inline]
    pub(super) fn get(&mut self, number: usize) -> Option<(Seat<'_, M>, TaggedWaker<'_>)> {
        let place = self.members.occupied(number)?;
        Some((Seat(place), self.ready.waker(number)))
    }

    /// The numbers that members may have.
    pub(super) fn numbers(&self) -> Range<usize> {
        0..self.members.made()
    }

    /// Ends a poll of the task. False: the poll has to go on.
    #[inline]
    pub(super) fn rest(&self) -> bool {
        self.fresh.is_empty() && self.ready.rest()
    }

    /// Drops all members, and gives the first panic of those who do.
    pub(super) fn clear(&mut self) -> Result<(), Panic> {
        let mut first = Ok(());
        for number in self.numbers() {
            let Some(place) = self.members.occupied(number) else { continue };
            let dropped = Seat(place).leave();
            if first.is_ok() {
                first = dropped;
            }
        }
        self.fresh = Fresh::NONE;
        first
    }
}

/// Where a member sits.
pub(super) struct Seat<'a, M>(Occupied<'a, M>);

impl<M> Seat<'_, M> {
    #[inline]
    pub(super) fn member(&mut self) -> Pin<&mut M> {
        self.0.value()
    }

    /// Drops the member.
    #[inline]
    pub(super) fn leave(self) -> Result<(), Panic> {
        if !core::mem::needs_drop::<M>() {
            self.0.remove();
            return Ok(());
        }
        catch(|| self.0.remove()).map_err(Panic::new)
    }
}

impl<M> Drop for Crew<M> {
    fn drop(&mut self) {
        if self.len() == 0 {
            return;
        }
        if let (Err(panic), false) = (self.clear(), is_panicking()) {
            panic.resume();
        }
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_fresh_come_out_as_they_came() {
        let numbers = [3, 4, 5, 1, 2, 0, 0, 7, 8, 9, 9, 4];
        for taken in 0..numbers.len() {
            let mut fresh = Fresh::NONE;
            let mut out = Vec::new();
            for number in &numbers[..taken] {
                fresh.push(*number);
            }
            out.extend(core::iter::from_fn(|| fresh.pop()).take(taken / 2));
            for number in &numbers[taken..] {
                fresh.push(*number);
            }
            out.extend(core::iter::from_fn(|| fresh.pop()));
            assert_eq!((&*out, fresh.is_empty(), fresh.pop()), (&numbers[..], true, None));
        }
    }
}

//! Many members in one task, each polled when it was woken, and dropped in a guard of its own.

use crate::spawn::Panic;
use crate::sys::arena::{Arena, Occupied};
use crate::sys::thread::{catch, is_panicking};
use crate::sys::waker::TaggedWaker;
use crate::wait::Ready;
use alloc::collections::VecDeque;
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
    fresh: VecDeque<usize>,
}

impl<M> Crew<M> {
    /// Nobody yet, with room for so many.
    pub(super) fn new(capacity: usize) -> Self {
        Self { members: Arena::new(capacity), ready: Ready::new(), fresh: VecDeque::with_capacity(capacity) }
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
        self.fresh.push_back(number);
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
        self.fresh.pop_front().or_else(|| self.ready.next())
    }

    /// A member, and the waker to poll it with.
    #[inline]
    pub(super) fn get(&mut self, number: usize) -> Option<(Seat<'_, M>, TaggedWaker<'_>)> {
        let place = self.members.occupied(number)?;
        Some((Seat(place), self.ready.waker(number)))
    }

    /// The numbers that members may have.
    pub(super) fn numbers(&self) -> core::ops::Range<usize> {
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
        self.fresh.clear();
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

//! Places in which values lie pinned, many in an allocation.
//!
//! # Invariants
//!
//! - **A1** A row is as long from the beginning as it will be, so what lies in it is never moved.
//! - **A2** A value is reached pinned only, and leaves its place by being dropped there.
#![expect(unsafe_code, reason = "what lies in a row is pinned by never being moved")]

use alloc::vec::Vec;
use core::pin::Pin;

/// No place is free.
const NONE: usize = usize::MAX;

/// A place.
enum Slot<T> {
    /// The next free place.
    Free(usize),
    Full(T),
}

/// Values with numbers; the number of one that is gone is used again.
pub(crate) struct Arena<T> {
    /// Each twice as long as the one before it.
    rows: Vec<Vec<Slot<T>>>,
    /// The length of the first row is two to the power of this.
    first: u32,
    /// How many places there will ever be.
    most: usize,
    /// The free place to be taken next.
    free: usize,
    /// Places that were ever taken.
    made: usize,
    len: usize,
}

impl<T> Arena<T> {
    /// Empty, with room for so many in its first row.
    pub(crate) fn new(capacity: usize) -> Self {
        let first = capacity.clamp(8, 1 << 16).next_power_of_two().trailing_zeros();
        Self { rows: Vec::new(), first, most: usize::MAX, free: NONE, made: 0, len: 0 }
    }

    /// Empty, for so many values at most, for which no more room is taken than they need.
    pub(crate) fn bounded(most: usize) -> Self {
        let first = if most == usize::MAX { 0 } else { most.min(64) };
        Self { most, ..Self::new(first) }
    }

    /// How many values there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// One more than the highest number that was ever given.
    #[inline]
    pub(crate) fn made(&self) -> usize {
        self.made
    }

    /// Puts a value in, and gives its number.
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> usize {
        self.len += 1;
        let number = self.free;
        if number != NONE {
            let slot = self.slot(number).expect("it was taken once");
            let Slot::Free(next) = *slot else { unreachable!("it is free") };
            *slot = Slot::Full(value);
            self.free = next;
            return number;
        }
        let number = self.made;
        let (row, _) = self.place(number);
        if row == self.rows.len() {
            assert!(number < self.most, "there is room for so many only");
            if row == 0 {
                // Most arenas have one only.
                self.rows.reserve_exact(1);
            }
            self.rows.push(Vec::with_capacity((1 << (self.first as usize + row)).min(self.most - number)));
        }
        // A1: by `place` the row is not full, unless it is the last one, which is as long as all that there may be.
        debug_assert!(self.rows[row].len() < self.rows[row].capacity());
        self.rows[row].push(Slot::Full(value));
        self.made += 1;
        number
    }

    /// A value, if there is one of this number.
    #[inline]
    pub(crate) fn get(&mut self, number: usize) -> Option<Pin<&mut T>> {
        self.slot(number)?.value()
    }

    /// A place with a value in it, if there is one of this number.
    #[inline]
    pub(crate) fn occupied(&mut self, number: usize) -> Option<Occupied<'_, T>> {
        let (row, at) = self.place(number);
        let Self { rows, free, len, .. } = self;
        let slot = rows.get_mut(row)?.get_mut(at)?;
        matches!(slot, Slot::Full(_)).then_some(Occupied { slot, free, len, number })
    }

    /// Drops a value in its place, if there is one of this number. Should that panic, the place is free all the same.
    pub(crate) fn remove(&mut self, number: usize) {
        if let Some(occupied) = self.occupied(number) {
            occupied.remove();
        }
    }

    #[inline]
    fn slot(&mut self, number: usize) -> Option<&mut Slot<T>> {
        let (row, at) = self.place(number);
        self.rows.get_mut(row)?.get_mut(at)
    }

    /// The row of a number, and where in it.
    #[inline]
    fn place(&self, number: usize) -> (usize, usize) {
        if number >> self.first == 0 {
            return (0, number);
        }
        let from_one = number + (1 << self.first);
        let row = from_one.ilog2() - self.first;
        (row as usize, from_one - (1 << (self.first + row)))
    }
}

/// What lies in it is in allocations of their own.
impl<T> Unpin for Arena<T> {}

impl<T> Slot<T> {
    #[inline]
    fn value(&mut self) -> Option<Pin<&mut T>> {
        match self {
            // SAFETY: A1 and A2: it is never moved, and dropped in its place.
            Self::Full(value) => Some(unsafe { Pin::new_unchecked(value) }),
            Self::Free(_) => None,
        }
    }
}

/// A place with a value in it: found once, for looking at the value and for dropping it.
pub(crate) struct Occupied<'a, T> {
    slot: &'a mut Slot<T>,
    free: &'a mut usize,
    len: &'a mut usize,
    number: usize,
}

impl<T> Occupied<'_, T> {
    #[inline]
    pub(crate) fn value(&mut self) -> Pin<&mut T> {
        let Some(value) = self.slot.value() else { unreachable!("only `remove` empties it") };
        value
    }

    /// Drops the value in its place. Should that panic, the place is free all the same.
    #[inline]
    pub(crate) fn remove(self) {
        /// Counts the value out, also when its drop unwinds.
        struct Gone<'a>(&'a mut usize, &'a mut usize, usize);
        impl Drop for Gone<'_> {
            fn drop(&mut self) {
                *self.0 = self.2;
                *self.1 -= 1;
            }
        }
        let next = *self.free;
        let _gone = Gone(self.free, self.len, self.number);
        *self.slot = Slot::Free(next);
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sys::Arc;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    #[test]
    fn values_stay_where_they_are_and_numbers_are_used_again() {
        let mut arena = Arena::new(0);
        let numbers: Vec<_> = (0..100).map(|n| arena.insert(n)).collect();
        assert_eq!((numbers, arena.len(), arena.made()), ((0..100).collect(), 100, 100));
        let address = |arena: &mut Arena<i32>, n| core::ptr::from_ref(&*arena.get(n).unwrap()).addr();
        let before = address(&mut arena, 7);
        arena.remove(3);
        arena.remove(90);
        arena.remove(90);
        assert!(arena.get(90).is_none() && arena.get(1_000_000).is_none() && arena.len() == 98);
        assert_eq!((arena.insert(-1), arena.insert(-2), arena.insert(-3)), (90, 3, 100));
        let last = (0..1_000).map(|n| arena.insert(n)).last();
        assert_eq!(last, Some(1_100));
        assert_eq!(address(&mut arena, 7), before);
        assert_eq!([90, 3, 7].map(|number| *arena.get(number).unwrap()), [-1, -2, 7]);
    }

    #[test]
    fn one_that_is_bounded_takes_no_more_room_than_it_needs() {
        let mut arena = Arena::bounded(13);
        let numbers: Vec<_> = (0..13).map(|n| arena.insert(n)).collect();
        assert_eq!(numbers, (0..13).collect::<Vec<_>>());
        assert_eq!(arena.rows.iter().map(Vec::capacity).collect::<Vec<_>>(), [13]);
        arena.remove(12);
        assert_eq!(arena.insert(-1), 12);
    }

    #[test]
    fn a_value_that_panics_when_it_is_dropped_is_gone() {
        struct Panics {
            _held: Arc<()>,
        }
        impl Drop for Panics {
            fn drop(&mut self) {
                resume_unwind(alloc::boxed::Box::new("dropped"));
            }
        }
        let held = Arc::new(());
        let mut arena = Arena::new(1);
        let number = arena.insert(Some(Panics { _held: held.clone() }));
        let removed = catch_unwind(AssertUnwindSafe(|| arena.remove(number)));
        assert!(removed.is_err());
        assert!(arena.get(number).is_none() && arena.len() == 0 && Arc::strong_count(&held) == 1);
        assert_eq!(arena.insert(None), number);
    }
}

//! A ring of items with a power of two of places, which are found by a mask.
//!
//! A third of an uncontended send and receive is putting an item in a place and taking it out again. The standard library's
//! `VecDeque` has any number of places and compares where this masks: with it a pair of the two takes eight instructions more,
//! of 81, which `queue.try_pair` of `tests/instructions` counts.
//!
//! # Invariants
//!
//! - **K1** The number of places is zero or a power of two.
//! - **K2** The `len` places from `head` on, the first following the last, hold items, and the others nothing.
#![expect(unsafe_code, reason = "places that hold nothing are not initialised, and a masked index needs no check")]

use alloc::boxed::Box;
use core::fmt;
use core::mem::MaybeUninit;

/// As many places as are made where there were none.
const FIRST: usize = 4;

/// Items in order, put in at the back.
pub(super) struct Ring<T> {
    places: Box<[MaybeUninit<T>]>,
    head: usize,
    len: usize,
}

impl<T> Ring<T> {
    /// An empty ring with places for `room` items at least.
    pub(super) fn new(room: usize) -> Self {
        let places = if room == 0 { 0 } else { room.next_power_of_two() };
        Self { places: Box::new_uninit_slice(places), head: 0, len: 0 }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    fn mask(&self, place: usize) -> usize {
        place & self.places.len().wrapping_sub(1)
    }

    /// Puts an item at the back.
    #[inline(always)]
    pub(super) fn push_back(&mut self, item: T) {
        if self.len == self.places.len() {
            self.grow();
        }
        let at = self.mask(self.head.wrapping_add(self.len));
        // SAFETY: K1: there is a place, since there was one more than there are items, and a masked index is below their number.
        let place = unsafe { self.places.get_unchecked_mut(at) };
        // By K2 nothing is overwritten.
        place.write(item);
        self.len += 1;
    }

    /// Takes the item at the front.
    #[inline(always)]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let at = self.head;
        self.head = self.mask(at + 1);
        self.len -= 1;
        // SAFETY: K2: the place at `at` held an item, and does not any more by the two lines above.
        Some(unsafe { self.read(at) })
    }

    /// Takes the item at the back.
    #[inline(always)]
    pub(super) fn pop_back(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        let at = self.mask(self.head + self.len);
        // SAFETY: K2: the place at `at` held an item, and does not any more since `len` was lowered.
        Some(unsafe { self.read(at) })
    }

    /// # Safety
    /// There is a place at `at`, which holds an item that nobody takes again.
    #[inline(always)]
    unsafe fn read(&self, at: usize) -> T {
        // SAFETY: by the contract above.
        let place = unsafe { self.places.get_unchecked(at) };
        // SAFETY: by the contract above.
        unsafe { place.assume_init_read() }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let mut larger = Self::new((self.places.len() * 2).max(FIRST));
        while let Some(item) = self.pop_front() {
            larger.push_back(item);
        }
        *self = larger;
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        /// Drops the rest if the drop of an item panics.
        struct Rest<'a, T>(&'a mut Ring<T>);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                while self.0.pop_front().is_some() {}
            }
        }
        let rest = Rest(self);
        while rest.0.pop_front().is_some() {}
    }
}

impl<T> fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Arc;
    use crate::sys::model::Random;
    use alloc::collections::VecDeque;
    use alloc::vec::Vec;

    #[test]
    fn a_ring_does_as_a_deque() {
        for seed in 0..200 {
            let mut random = Random(seed);
            let (mut ring, mut deque) = (Ring::new(random.below(6)), VecDeque::new());
            for n in 0..300 {
                match random.below(5) {
                    0 => assert_eq!(ring.pop_front(), deque.pop_front()),
                    1 => assert_eq!(ring.pop_back(), deque.pop_back()),
                    _ if n % 90 > 45 => assert_eq!(ring.pop_front(), deque.pop_front()),
                    _ => {
                        ring.push_back(n);
                        deque.push_back(n);
                    }
                }
                assert_eq!(ring.len(), deque.len());
            }
            assert!(core::iter::from_fn(|| ring.pop_front()).eq(deque));
        }
    }

    #[test]
    fn what_is_left_is_dropped_once() {
        let item = Arc::new(());
        let mut ring = Ring::new(3);
        (0..9).for_each(|_| ring.push_back(item.clone()));
        let taken: Vec<_> = (0..4).map_while(|_| ring.pop_front()).collect();
        ring.push_back(item.clone());
        assert_eq!(Arc::strong_count(&item), 11);
        drop(ring);
        assert_eq!(Arc::strong_count(&item), 5);
        drop(taken);
        assert_eq!(Arc::strong_count(&item), 1);
    }

    #[test]
    fn items_without_a_size_are_counted() {
        let mut ring = Ring::new(0);
        (0..100).for_each(|_| ring.push_back(()));
        assert_eq!((ring.len(), core::iter::from_fn(|| ring.pop_front()).count()), (100, 100));
    }

    #[cfg(all(test, feature = "std"))]
    #[test]
    fn a_drop_that_panics_keeps_no_other_item() {
        struct Bad(#[expect(dead_code, reason = "it counts")] Arc<()>, bool);
        impl Drop for Bad {
            fn drop(&mut self) {
                assert!(!self.1, "bad");
            }
        }
        let count = Arc::new(());
        let mut ring = Ring::new(4);
        (0..5).for_each(|n| ring.push_back(Bad(count.clone(), n == 2)));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(ring))).unwrap_err();
        assert_eq!(Arc::strong_count(&count), 1);
    }
}

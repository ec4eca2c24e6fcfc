//! A place that values come back to, one after another: lending one out and having it back costs one atomic exchange.
//!
//! The [`Owner`] lends a value out with a [`Way`] back; whoever holds the way sends it [`back`](Way::back), with the value
//! or without. Between the two the place belongs to the holder of the way, otherwise to the owner. An owner that does not
//! wait for the way leaves the place, and what comes back after that is dropped by who brings it.
//!
//! # Invariants
//!
//! - **H1** `state` is `OUT` or `LEFT` while a way exists, else `BACK`. One way exists at most: it owns a count of the
//!   place, which lies in the place itself while it is back.
//! - **H2** The contents are reached by the holder of the way until it has exchanged `OUT` for `BACK`; by the owner while the
//!   state is `BACK`; by who finds `LEFT` or, on leaving, `BACK` in an exchange.
#![expect(unsafe_code, reason = "the contents change hands by an atomic exchange")]

use super::Arc;
use super::atomic::{AtomicU8, Ordering};
use super::probe::{Access, Resource};
use core::cell::UnsafeCell;

/// The value, or nothing, is in the place, and the way with it.
const BACK: u8 = 0;
/// The way is out.
const OUT: u8 = 1;
/// The way is out, and the owner does not wait for it.
const LEFT: u8 = 2;

type Contents<T> = Option<(Option<T>, Way<T>)>;

struct Place<T> {
    state: AtomicU8,
    resource: Resource,
    contents: UnsafeCell<Contents<T>>,
}

// SAFETY: by H2 one party at a time reaches the contents, and the exchanges order their accesses, so sharing a place only
// moves values of `T`, and counts of the place, between threads.
unsafe impl<T: Send> Sync for Place<T> {}

impl<T> Place<T> {
    /// # Safety
    /// The caller is the party that H2 names, and remains so for the call.
    #[inline]
    unsafe fn replace(&self, contents: Contents<T>) -> Contents<T> {
        // SAFETY: by the contract above nobody else reaches the contents.
        unsafe { self.contents.get().replace(contents) }
    }
}

/// Lends values out, one at a time.
pub(crate) struct Owner<T> {
    place: Arc<Place<T>>,
    way: Option<Way<T>>,
}

/// The way back.
pub(crate) struct Way<T>(Arc<Place<T>>);

impl<T> Owner<T> {
    pub(crate) fn new() -> Self {
        let place =
            Arc::new(Place { state: AtomicU8::new(OUT), resource: Resource::new(), contents: UnsafeCell::new(None) });
        let way = Some(Way(place.clone()));
        Self { place, way }
    }

    /// The way back for the next value. What was lent before has been [taken back](Self::take_back).
    #[inline]
    pub(crate) fn lend(&mut self) -> Way<T> {
        match self.way.take() {
            Some(way) => way,
            None => {
                *self = Self::new();
                self.lend()
            }
        }
    }

    /// The value that was lent, if the way is back and brought it. If the way is still out, it is not waited for any more.
    #[inline]
    pub(crate) fn take_back(&mut self) -> Option<T> {
        self.place.resource.touch(Access::Write);
        // Acquire: partner of the exchange in `back`.
        if self.place.state.load(Ordering::Acquire) != BACK {
            *self = Self::new();
            return None;
        }
        // SAFETY: the state is `BACK` (H2).
        let contents = unsafe { self.place.replace(None) };
        // Relaxed: the way goes to its next holder together with what was done here.
        self.place.state.store(OUT, Ordering::Relaxed);
        let (value, way) = contents?;
        self.way = Some(way);
        value
    }
}

impl<T> Drop for Owner<T> {
    fn drop(&mut self) {
        self.place.resource.touch(Access::Write);
        // AcqRel: partner of the exchange in `back`.
        if self.way.is_none() && self.place.state.swap(LEFT, Ordering::AcqRel) == BACK {
            // SAFETY: `BACK` was found on leaving (H2).
            drop(unsafe { self.place.replace(None) });
        }
    }
}

impl<T> Way<T> {
    /// Goes back, with the value or without.
    #[inline]
    pub(crate) fn back(self, value: Option<T>) {
        let place = Arc::as_ptr(&self.0);
        // SAFETY: `self` holds a count until it is moved into the place below, and then the place does.
        let place = unsafe { &*place };
        place.resource.touch(Access::Write);
        // SAFETY: the way is held here and `OUT` not exchanged yet (H2).
        let none = unsafe { place.replace(Some((value, self))) };
        debug_assert!(none.is_none());
        // AcqRel: partner of the load in `take_back` and of the exchange in the owner's drop.
        if place.state.swap(BACK, Ordering::AcqRel) == LEFT {
            // SAFETY: `LEFT` was found in an exchange (H2).
            let contents = unsafe { place.replace(None) };
            drop(contents);
        }
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_value_comes_back_or_not_and_the_place_is_used_again() {
        let mut owner = Owner::new();
        let place = Arc::as_ptr(&owner.place);
        for n in 0..5 {
            owner.lend().back(Some(n));
            assert_eq!(owner.take_back(), Some(n));
            owner.lend().back(None);
            assert_eq!(owner.take_back(), None);
        }
        assert!(core::ptr::eq(place, Arc::as_ptr(&owner.place)));
    }

    #[test]
    fn what_comes_back_late_is_dropped_and_not_taken_for_the_next() {
        let value = Arc::new(());
        let mut owner = Owner::new();
        let late = owner.lend();
        assert!(owner.take_back().is_none());
        let next = owner.lend();
        late.back(Some(value.clone()));
        assert_eq!(Arc::strong_count(&value), 1);
        next.back(None);
        assert!(owner.take_back().is_none());
        owner.lend().back(Some(value.clone()));
        drop(owner);
        assert_eq!(Arc::strong_count(&value), 1, "an owner drops what it did not take");
    }

    #[test]
    fn ways_go_back_from_other_threads() {
        let value = Arc::new(());
        let mut ways = Vec::new();
        for n in 0..200 {
            let mut owner = Owner::new();
            let way = owner.lend();
            let brought = value.clone();
            ways.push(std::thread::spawn(move || way.back(Some(brought))));
            match n % 3 {
                0 => drop(owner),
                1 => drop(owner.take_back()),
                _ => drop((owner.take_back(), owner.lend())),
            }
        }
        ways.into_iter().for_each(|way| way.join().unwrap());
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

#[cfg(test)]
mod loom_tests {
    use super::*;
    use crate::sys::model;

    #[test]
    fn the_last_of_owner_and_way_drops_the_value() {
        model::model(|| {
            let value = Arc::new(());
            let mut owner = Owner::new();
            let (way, brought) = (owner.lend(), value.clone());
            let other = model::spawn(move || way.back(Some(brought)));
            if let Some(back) = owner.take_back() {
                drop(back);
            }
            drop(owner);
            other.join().unwrap();
            assert_eq!(Arc::strong_count(&value), 1);
        });
    }
}

//! A place that values come back to, one after another.
//!
//! The [`Owner`] puts a value in its place and lends it out as a [`Way`], through which it is reached. A way that is dropped
//! gives it back, unless it was taken out. An owner that does not wait for the way leaves the place, and what comes back
//! after that is dropped by who brings it.
//!
//! What is lent is one pointer, the place is one allocation that is used again and again, and coming back costs one atomic
//! exchange; not even that, if it happens in a call that the owner [watches](Owner::watch).
//!
//! # Invariants
//!
//! - **H1** `state` is `OUT` or `LEFT` while a way exists, else `EMPTY` or `FULL`. One way exists at most. Whoever of owner and
//!   way finds in an exchange that the other one is gone frees the place; nobody reaches it after its own exchange else.
//! - **H2** There is a value while the state is `OUT`, `LEFT` or `FULL`. It is reached by the holder of the way until it has
//!   made `EMPTY` or `FULL` of the state; by the owner while the state is that; by who frees the place.
//! - **H3** A thread watches a place during a call that has borrowed its owner mutably. So the owner neither leaves nor looks
//!   meanwhile, and is used on that thread before and afterwards.
#![expect(unsafe_code, reason = "a value is reached by one of two parties, which take turns by an atomic exchange")]

use super::atomic::{AtomicU8, Ordering};
use super::cell::{Cell, Visits};
use super::here;
use super::probe::{Access, Resource};
use alloc::boxed::Box;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr::NonNull;

/// The way is back, without the value.
const EMPTY: u8 = 0;
/// The way is back, with the value.
const FULL: u8 = 1;
/// The way is out.
const OUT: u8 = 2;
/// The way is out, and the owner does not wait for it.
const LEFT: u8 = 3;

struct Place<T> {
    state: AtomicU8,
    resource: Resource,
    value: Cell<MaybeUninit<T>>,
    visits: Visits,
}

/// A pointer to a place, which is there for as long as the pointer is used (H1).
struct Shared<T>(NonNull<Place<T>>, PhantomData<T>);

/// Lends values out, one at a time.
pub(crate) struct Owner<T>(Shared<T>);

/// A value that is lent. It is in its place until the way goes back or the value is taken.
pub(crate) struct Way<T>(Shared<T>);

// SAFETY: by H2 one party at a time reaches the value, and the exchanges order their accesses: two threads with one end each
// do no more than move values of `T` from one to the other.
unsafe impl<T: Send> Send for Shared<T> {}

// SAFETY: nothing of an owner is reached by a shared borrow.
unsafe impl<T: Send> Sync for Owner<T> {}

// SAFETY: a shared borrow of a way reads the value, and nothing else.
unsafe impl<T: Send + Sync> Sync for Way<T> {}

impl<T> Shared<T> {
    #[inline]
    fn place(&self) -> &Place<T> {
        // SAFETY: H1: neither end frees the place before both are gone.
        unsafe { self.0.as_ref() }
    }

    /// Where the value is, if there is one.
    #[inline]
    fn value(&self) -> *mut T {
        self.place().value.write().cast()
    }

    #[inline]
    fn addr(&self) -> usize {
        self.0.as_ptr().addr()
    }

    /// Frees the place, and drops the value, if there is one.
    ///
    /// # Safety
    /// The other end is gone, and this one does not reach the place again.
    #[cold]
    unsafe fn free(&self, is_full: bool) {
        // SAFETY: by H2 there is a value if it is full, and who frees the place has it.
        let value = is_full.then(|| unsafe { self.value().read() });
        self.place().visits.end();
        // SAFETY: it was made by `Box::new`, and nobody else reaches it any more.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        drop(value);
    }
}

impl<T> Owner<T> {
    pub(crate) fn new() -> Self {
        let value = Cell::new(MaybeUninit::uninit());
        let place = Place { state: AtomicU8::new(EMPTY), resource: Resource::new(), value, visits: Visits::new() };
        Self(Shared(NonNull::from(Box::leak(Box::new(place))), PhantomData))
    }

    /// Lends `value` out. What was lent before has been [taken back](Self::take_back).
    #[inline]
    pub(crate) fn lend(&mut self, value: T) -> Way<T> {
        let place = self.0.place();
        // Relaxed: this was seen to be `EMPTY` before.
        debug_assert_eq!(place.state.load(Ordering::Relaxed), EMPTY);
        // SAFETY: the state is `EMPTY`, so the owner has the place (H2), and no value is lost.
        unsafe { self.0.value().write(value) };
        // Relaxed: the way goes to its holder together with what was done here.
        place.state.store(OUT, Ordering::Relaxed);
        Way(Shared(self.0.0, PhantomData))
    }

    /// Calls `f`, in which a way that is dropped on this thread comes back at less cost.
    #[inline(always)]
    pub(crate) fn watch<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _watched = here::Watched::new(self.0.addr());
        f()
    }

    /// The value that was lent, if the way is back and brought it. If the way is still out, it is not waited for any more.
    #[inline]
    pub(crate) fn take_back(&mut self) -> Option<T> {
        let place = self.0.place();
        place.resource.touch(Access::Write);
        // Acquire: partner of the exchange in `go_back`.
        let state = place.state.load(Ordering::Acquire);
        if state == FULL {
            // Relaxed: nobody else looks before the next loan.
            place.state.store(EMPTY, Ordering::Relaxed);
            // SAFETY: the state was `FULL`: there is a value, and the owner has it (H2). It is not reached again.
            return Some(unsafe { self.0.value().read() });
        }
        self.not_back(state);
        None
    }

    /// If the way is still out, it is not waited for any more.
    #[cold]
    #[inline(never)]
    fn not_back(&mut self, state: u8) {
        if state != EMPTY {
            *self = Self::new();
        }
    }
}

impl<T> Drop for Owner<T> {
    fn drop(&mut self) {
        let place = self.0.place();
        place.resource.touch(Access::Write);
        place.visits.visit();
        // AcqRel: partner of the exchange in `go_back`.
        let state = place.state.swap(LEFT, Ordering::AcqRel);
        if state != OUT {
            // SAFETY: the way is gone (H1), and this is the owner's last act.
            unsafe { self.0.free(state == FULL) };
        }
    }
}

impl<T> Way<T> {
    #[inline]
    pub(crate) fn value(&self) -> &T {
        // SAFETY: the way is there, so there is a value and this has it (H2), and it is borrowed.
        unsafe { &*self.0.value() }
    }

    #[inline]
    pub(crate) fn value_mut(&mut self) -> &mut T {
        // SAFETY: as above, and it is borrowed mutably.
        unsafe { &mut *self.0.value() }
    }

    /// Keeps the value: the way goes back without it.
    pub(crate) fn take(self) -> T {
        let way = ManuallyDrop::new(self);
        // SAFETY: the way is there, so there is a value and this has it (H2). It is not reached again: the way goes back
        // without it.
        let value = unsafe { way.0.value().read() };
        way.go_back(EMPTY);
        value
    }

    /// Makes `EMPTY` or `FULL` of the state, whichever there is. The last act of a way.
    #[inline]
    fn go_back(&self, state: u8) {
        let place = self.0.place();
        place.resource.touch(Access::Write);
        if here::is_watched(self.0.addr()) {
            // Relaxed: the owner is on this thread, and has not left (H3).
            return place.state.store(state, Ordering::Relaxed);
        }
        place.visits.visit();
        // AcqRel: partner of the load in `take_back` and of the exchange in the owner's drop.
        if place.state.swap(state, Ordering::AcqRel) == LEFT {
            // SAFETY: the owner is gone (H1), and this is the way's last act.
            unsafe { self.0.free(state == FULL) };
        }
    }
}

impl<T> Drop for Way<T> {
    /// Goes back with the value.
    #[inline]
    fn drop(&mut self) {
        self.go_back(FULL);
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use crate::sys::Arc;
    use alloc::vec::Vec;

    #[test]
    fn a_value_comes_back_or_not_and_the_place_is_used_again() {
        let mut owner = Owner::new();
        let place = owner.0.addr();
        for n in 0..5 {
            let mut way = owner.lend(n);
            *way.value_mut() += 1;
            assert_eq!(*way.value(), n + 1);
            drop(way);
            assert_eq!(owner.take_back(), Some(n + 1));
            assert_eq!(owner.lend(n).take(), n);
            assert_eq!(owner.take_back(), None);
        }
        assert_eq!(place, owner.0.addr());
    }

    #[test]
    fn what_comes_back_late_is_dropped_and_not_taken_for_the_next() {
        let value = Arc::new(());
        let mut owner = Owner::new();
        let late = owner.lend(value.clone());
        assert!(owner.take_back().is_none());
        let next = owner.lend(value.clone());
        assert!(Arc::ptr_eq(late.value(), next.value()));
        drop(late);
        assert_eq!(Arc::strong_count(&value), 2);
        drop(next.take());
        assert!(owner.take_back().is_none());
        drop(owner.lend(value.clone()));
        drop(owner);
        assert_eq!(Arc::strong_count(&value), 1, "an owner drops what it did not take");
    }

    #[test]
    fn a_way_comes_back_in_a_watched_call_and_in_one_inside_it() {
        let value = Arc::new(());
        let (mut outer, mut inner) = (Owner::new(), Owner::new());
        let (one, two, three) =
            (outer.lend(value.clone()), inner.lend(value.clone()), Owner::new().lend(value.clone()));
        outer.watch(|| {
            inner.watch(|| drop((one, two)));
            drop(three);
            assert!(inner.take_back().is_some());
        });
        assert!(outer.take_back().is_some());
        assert_eq!(Arc::strong_count(&value), 1, "nobody waited for the third");
        let way = outer.lend(value.clone());
        let thrown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            outer.watch(|| {
                let _way = way;
                std::panic::resume_unwind(Box::new("thrown"));
            });
        }));
        assert!(thrown.is_err() && !here::is_watched(outer.0.addr()));
        assert!(outer.take_back().is_some());
    }

    #[test]
    fn ways_go_back_from_other_threads() {
        let value = Arc::new(());
        let mut ways = Vec::new();
        for n in 0..200 {
            let mut owner = Owner::new();
            let way = owner.lend(value.clone());
            ways.push(std::thread::spawn(move || drop(way)));
            match n % 4 {
                0 => drop(owner),
                1 => drop(owner.take_back()),
                2 => owner.watch(std::thread::yield_now),
                _ => drop((owner.take_back(), owner.lend(value.clone()))),
            }
        }
        ways.into_iter().for_each(|way| way.join().unwrap());
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

#[cfg(test)]
mod loom_tests {
    use super::*;
    use crate::sys::{Arc, model};

    #[test]
    fn the_last_of_owner_and_way_drops_the_value() {
        model::model(|| {
            let value = Arc::new(());
            let mut owner = Owner::new();
            let way = owner.lend(value.clone());
            let other = model::spawn(move || drop(way));
            if let Some(back) = owner.take_back() {
                drop(back);
            }
            drop(owner);
            other.join().unwrap();
            assert_eq!(Arc::strong_count(&value), 1);
        });
    }

    #[test]
    fn a_way_that_goes_back_elsewhere_is_not_taken_for_one_that_does_here() {
        model::model(|| {
            let mut owner = Owner::new();
            let mut way = owner.lend(1);
            let here = Arc::new(AtomicU8::new(0));
            let there = here.clone();
            let other = model::spawn(move || {
                // The exchange alone orders this with what the owner does.
                *way.value_mut() += 1;
                there.store(1, Ordering::Relaxed);
                drop(way);
            });
            // What both threads reach, so that the other one may come within the call, too.
            owner.watch(|| here.load(Ordering::Relaxed));
            if let Some(back) = owner.take_back() {
                assert_eq!(back, 2);
                assert_eq!(owner.lend(back + 1).take(), 3);
                assert_eq!(owner.take_back(), None);
            }
            drop(owner);
            other.join().unwrap();
        });
    }

    #[test]
    fn a_place_that_was_emptied_elsewhere_is_filled_after_that() {
        model::model(|| {
            let mut owner = Owner::new();
            let way = owner.lend(1);
            let other = model::spawn(move || way.take());
            assert_eq!(owner.take_back(), None);
            // In the same place, if the way was back, and in a new one, if it was not.
            let mut next = owner.lend(2);
            *next.value_mut() += 1;
            owner.watch(|| drop(next));
            assert_eq!(owner.take_back(), Some(3));
            drop(owner);
            assert_eq!(other.join().unwrap(), 1);
        });
    }
}

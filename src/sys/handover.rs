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
//! - **H1** `state` is `OUT` or `LEFT` while a way exists, else `BACK`. One way exists at most. It owns a count of the
//!   place, which is the owner's while the state is `BACK`.
//! - **H2** The value is reached by the holder of the way until it has made `BACK` of the state; by the owner while the state
//!   is `BACK`; by who finds `LEFT` or, on leaving, `BACK` in an exchange.
//! - **H3** A thread watches a place during a call that has borrowed its owner mutably. So the owner neither leaves nor looks
//!   meanwhile, and is used on that thread before and afterwards.
#![expect(unsafe_code, reason = "a value is reached by one of two parties, which take turns by an atomic exchange")]

use super::Arc;
use super::atomic::{AtomicU8, Ordering};
use super::here;
use super::probe::{Access, Resource};
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;

/// The way is back, with the value or without.
const BACK: u8 = 0;
/// The way is out.
const OUT: u8 = 1;
/// The way is out, and the owner does not wait for it.
const LEFT: u8 = 2;

struct Place<T> {
    state: AtomicU8,
    resource: Resource,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: by H2 one party at a time reaches the value, and the exchanges order their accesses, so sharing a place only moves
// values of `T` between threads. What is shared of a way is bound by its own `PhantomData`.
unsafe impl<T: Send> Sync for Place<T> {}

/// Lends values out, one at a time.
pub(crate) struct Owner<T>(Arc<Place<T>>);

/// A value that is lent. It is in its place until the way goes back or the value is taken.
pub(crate) struct Way<T>(ManuallyDrop<Arc<Place<T>>>, PhantomData<T>);

impl<T> Owner<T> {
    pub(crate) fn new() -> Self {
        let place =
            Arc::new(Place { state: AtomicU8::new(BACK), resource: Resource::new(), value: UnsafeCell::new(None) });
        // H1: the count of the way.
        let _ = ManuallyDrop::new(place.clone());
        Self(place)
    }

    /// Lends `value` out. What was lent before has been [taken back](Self::take_back).
    #[inline]
    pub(crate) fn lend(&mut self, value: T) -> Way<T> {
        // Relaxed: this was seen to be `BACK` before.
        debug_assert_eq!(self.0.state.load(Ordering::Relaxed), BACK);
        // SAFETY: the state is `BACK` (H2), and the value that was here is taken.
        unsafe { self.0.value.get().write(Some(value)) };
        // Relaxed: the way goes to its holder together with what was done here.
        self.0.state.store(OUT, Ordering::Relaxed);
        // SAFETY: the way's count, which was the owner's while the state was `BACK` (H1), is given away here.
        let place = unsafe { Arc::from_raw(Arc::as_ptr(&self.0)) };
        Way(ManuallyDrop::new(place), PhantomData)
    }

    /// Calls `f`, in which a way that is dropped on this thread comes back at less cost.
    #[inline(always)]
    pub(crate) fn watch<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let _watched = here::Watched::new(Arc::as_ptr(&self.0).addr());
        f()
    }

    /// The value that was lent, if the way is back and brought it. If the way is still out, it is not waited for any more.
    #[inline]
    pub(crate) fn take_back(&mut self) -> Option<T> {
        self.0.resource.touch(Access::Write);
        // Acquire: partner of the exchange in the way's drop.
        if self.0.state.load(Ordering::Acquire) != BACK {
            *self = Self::new();
            return None;
        }
        // SAFETY: the state is `BACK` (H2).
        unsafe { &mut *self.0.value.get() }.take()
    }
}

impl<T> Drop for Owner<T> {
    fn drop(&mut self) {
        self.0.resource.touch(Access::Write);
        // AcqRel: partner of the exchange in the way's drop.
        if self.0.state.swap(LEFT, Ordering::AcqRel) == BACK {
            // SAFETY: `BACK` was found on leaving, so the way's count is the owner's (H1), and goes with its own.
            drop(unsafe { Arc::from_raw(Arc::as_ptr(&self.0)) });
        }
    }
}

impl<T> Way<T> {
    #[inline]
    pub(crate) fn value(&self) -> &T {
        // SAFETY: the way is there (H2), and borrowed.
        unsafe { &*self.0.value.get() }.as_ref().expect("a way holds its value")
    }

    #[inline]
    pub(crate) fn value_mut(&mut self) -> &mut T {
        // SAFETY: the way is there (H2), and borrowed mutably.
        unsafe { &mut *self.0.value.get() }.as_mut().expect("a way holds its value")
    }

    /// Keeps the value: the way goes back without it.
    pub(crate) fn take(self) -> T {
        // SAFETY: the way is there (H2), and nobody has borrowed it.
        unsafe { &mut *self.0.value.get() }.take().expect("a way holds its value")
    }
}

impl<T> Drop for Way<T> {
    /// Goes back, with the value or without.
    #[inline]
    fn drop(&mut self) {
        self.0.resource.touch(Access::Write);
        if here::is_watched(Arc::as_ptr(&self.0).addr()) {
            // Relaxed: the owner is on this thread, and has not left (H3).
            return self.0.state.store(BACK, Ordering::Relaxed);
        }
        // AcqRel: partner of the load in `take_back` and of the exchange in the owner's drop.
        if self.0.state.swap(BACK, Ordering::AcqRel) == LEFT {
            // SAFETY: `LEFT` was found in an exchange, so the count is still the way's, and it is not used again.
            unsafe { ManuallyDrop::drop(&mut self.0) };
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
        let place = Arc::as_ptr(&owner.0);
        for n in 0..5 {
            let mut way = owner.lend(n);
            *way.value_mut() += 1;
            assert_eq!(*way.value(), n + 1);
            drop(way);
            assert_eq!(owner.take_back(), Some(n + 1));
            assert_eq!(owner.lend(n).take(), n);
            assert_eq!(owner.take_back(), None);
        }
        assert!(core::ptr::eq(place, Arc::as_ptr(&owner.0)));
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
                std::panic::resume_unwind(alloc::boxed::Box::new("thrown"));
            });
        }));
        assert!(thrown.is_err() && !here::is_watched(Arc::as_ptr(&outer.0).addr()));
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
    use crate::sys::model;

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
}

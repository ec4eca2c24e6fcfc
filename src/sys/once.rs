//! A slot for an `Arc` that is filled at most once.
#![expect(unsafe_code, reason = "an atomic pointer owns the reference count that was turned into it")]

use super::arc::Arc;
use super::atomic::{AtomicPtr, Ordering};
use core::marker::PhantomData;
use core::ptr;

/// Empty, or an `Arc<T>` that stays for the life of the slot.
///
/// Invariant O1: a non-null pointer came from `Arc::into_raw` and owns one count; it is never replaced.
pub(crate) struct OnceArc<T> {
    ptr: AtomicPtr<T>,
    owns: PhantomData<Arc<T>>,
}

impl<T> OnceArc<T> {
    /// An empty slot.
    pub(crate) fn new() -> Self {
        Self { ptr: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
    }

    /// What the slot holds.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: partner of the releasing exchange in `get_or_init`.
        let ptr = self.ptr.load(Ordering::Acquire);
        // SAFETY: O1: null, or a value that lives at least as long as `self`, since the count is given up in drop only.
        unsafe { ptr.as_ref() }
    }

    /// A new count of what the slot holds, filling it first where it is empty.
    ///
    /// Of two callers that race the first to finish fills the slot, and the other's value is dropped.
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        if self.get().is_none() {
            let fresh = Arc::into_raw(make()).cast_mut();
            // Release: partner of the load in `get`. Acquire: a lost race reads the winner's value below.
            let won = self.ptr.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire);
            if won.is_err() {
                // SAFETY: `fresh` came from `into_raw` above and was not stored.
                drop(unsafe { Arc::from_raw(fresh) });
            }
        }
        let ptr = self.ptr.load(Ordering::Acquire).cast_const();
        // SAFETY: O1, and the slot is full here; the count that is added is the one returned.
        unsafe { Arc::increment_strong_count(ptr) };
        // SAFETY: the count added on the line above is owned by the returned `Arc`.
        unsafe { Arc::from_raw(ptr) }
    }
}

impl<T> Drop for OnceArc<T> {
    fn drop(&mut self) {
        // Acquire: partner of the exchange in `get_or_init`, which may have run on another thread.
        let ptr = self.ptr.load(Ordering::Acquire).cast_const();
        if !ptr.is_null() {
            // SAFETY: O1: the slot's own count, given up once, here.
            drop(unsafe { Arc::from_raw(ptr) });
        }
    }
}

impl<T: core::fmt::Debug> core::fmt::Debug for OnceArc<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    #[test]
    fn filled_once_and_freed() {
        let value = Arc::new(7);
        let slot = OnceArc::new();
        assert!(slot.get().is_none());
        let first = slot.get_or_init(|| value.clone());
        let second = slot.get_or_init(|| unreachable!("the slot is full"));
        assert_eq!((*first, *second, slot.get()), (7, 7, Some(&7)));
        drop((first, second, slot));
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

//! A reference count that need not be kept for what is there for ever.
//!
//! # Invariant
//!
//! - **K1** A flag that is set stays so, and before it is, a count was given to nobody. So from then on the value is there for
//!   ever, whoever counts; and until then all handles count.
#![expect(unsafe_code, reason = "a handle to what is there for ever is copied without a count")]

use super::arc::{Arc, Weak};
use super::atomic::{AtomicBool, Ordering};
use core::mem::ManuallyDrop;
use core::ops::Deref;

/// A value, and whether it is there for ever.
struct Lasting<T> {
    for_ever: AtomicBool,
    value: T,
}

impl<T> Lasting<T> {
    #[inline]
    fn is_for_ever(&self) -> bool {
        // Relaxed: K1 holds whenever it is seen.
        self.for_ever.load(Ordering::Relaxed)
    }
}

/// A handle to a value, which is there as long as the handle.
pub(crate) struct Kept<T>(ManuallyDrop<Arc<Lasting<T>>>);

/// What leads to a value as long as it is there.
pub(crate) struct Lead<T>(Weak<Lasting<T>>);

impl<T> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(ManuallyDrop::new(Arc::new(Lasting { for_ever: AtomicBool::new(false), value })))
    }

    /// From now on the value is there for ever.
    pub(crate) fn keep_for_ever(&self) {
        core::mem::forget(Arc::clone(&self.0));
        // Relaxed: as above.
        self.0.for_ever.store(true, Ordering::Relaxed);
    }

    pub(crate) fn lead(&self) -> Lead<T> {
        Lead(Arc::downgrade(&self.0))
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A handle without a count.
    ///
    /// # Safety
    /// The value is there for ever (K1).
    #[inline]
    unsafe fn copied(counted: &Arc<Lasting<T>>) -> Self {
        // SAFETY: by the contract above. What is copied is not dropped, as the flag stays set.
        Self(ManuallyDrop::new(unsafe { core::ptr::read(counted) }))
    }
}

impl<T> Lead<T> {
    /// The value, if it is still there.
    pub(crate) fn follow(&self) -> Option<Kept<T>> {
        let counted = self.0.upgrade()?;
        if counted.is_for_ever() {
            // SAFETY: that is what the flag says.
            return Some(unsafe { Kept::copied(&counted) });
        }
        Some(Kept(ManuallyDrop::new(counted)))
    }
}

super::with_sim! {
    impl<T> Kept<T> {
        /// The value, for its only handle. One that is there for ever is nobody's.
        pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
            // K1: it has two counts then, of which nobody gives up the one.
            Arc::get_mut(&mut self.0).map(|lasting| &mut lasting.value)
        }
    }
}

impl<T> Clone for Kept<T> {
    #[inline]
    fn clone(&self) -> Self {
        if self.0.is_for_ever() {
            // SAFETY: that is what the flag says.
            return unsafe { Self::copied(&self.0) };
        }
        Self(self.0.clone())
    }
}

impl<T> Drop for Kept<T> {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_for_ever() {
            // SAFETY: it is dropped here only. K1: as the flag is not set, this handle has a count.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.value
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;

    #[test]
    fn handles_count_until_the_value_is_there_for_ever() {
        let alive = Arc::new(());
        let counts = |kept: &Kept<Arc<()>>| Arc::strong_count(&kept.0);
        let first = Kept::new(alive.clone());
        let (second, lead) = (first.clone(), first.lead());
        assert!(first.same(&second) && lead.follow().is_some_and(|third| counts(&third) == 3));
        drop(first);
        assert_eq!((counts(&second), Arc::strong_count(&alive)), (1, 2));
        drop(second);
        assert!(lead.follow().is_none() && Arc::strong_count(&alive) == 1);

        let first = Kept::new(alive.clone());
        let before = first.clone();
        first.keep_for_ever();
        let (after, lead) = (first.clone(), first.lead());
        assert_eq!(counts(&first), 3);
        drop((first, before, after, lead.follow()));
        assert!(lead.follow().is_some_and(|last| counts(&last) == 3) && Arc::strong_count(&alive) == 2);
    }
}

//! A cell whose value is reached by one party at a time, as the owner of the cell sees to.
//!
//! In loom's models each access is checked against those of other threads: one that nothing orders fails the model.
#![cfg_attr(wakeful_loom, expect(unsafe_code, reason = "loom looks at nothing that is shared"))]

#[cfg(not(wakeful_loom))]
use core::cell::UnsafeCell;
#[cfg(wakeful_loom)]
use loom::cell::UnsafeCell;

use core::panic::{RefUnwindSafe, UnwindSafe};

pub(crate) struct Cell<T>(UnsafeCell<T>);

/// Who has it alone is not left by a panic before it is as it should be.
impl<T> UnwindSafe for Cell<T> {}
impl<T> RefUnwindSafe for Cell<T> {}

impl<T> Cell<T> {
    #[inline]
    pub(crate) fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Runs `f` with the place, at which nobody writes meanwhile.
    #[inline(always)]
    pub(crate) fn reading<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        #[cfg(wakeful_loom)]
        return self.0.with(f);
        #[cfg(not(wakeful_loom))]
        f(self.0.get())
    }

    /// Runs `f` with the place, which is nobody else's meanwhile.
    #[inline(always)]
    pub(crate) fn writing<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        #[cfg(wakeful_loom)]
        return self.0.with_mut(f);
        #[cfg(not(wakeful_loom))]
        f(self.0.get())
    }

    /// The place, for a read. Loom checks this moment, so ask anew for each access.
    #[inline]
    pub(crate) fn read(&self) -> *const T {
        self.reading(|place| place)
    }

    /// The place, for a write or an exclusive borrow, as [`read`](Self::read) gives it.
    #[inline]
    pub(crate) fn write(&self) -> *mut T {
        self.writing(|place| place)
    }
}

/// Tells loom of those who come to a place that it does not look into, the last of whom frees it. Nothing elsewhere.
pub(crate) struct Visits(#[cfg(wakeful_loom)] UnsafeCell<()>);

// SAFETY: there is nothing in it.
#[cfg(wakeful_loom)]
unsafe impl Sync for Visits {}

impl Visits {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self(
            #[cfg(wakeful_loom)]
            UnsafeCell::new(()),
        )
    }

    /// Somebody is there. In a model this fails if nothing orders it with the last who comes.
    #[inline(always)]
    pub(crate) fn visit(&self) {
        #[cfg(wakeful_loom)]
        self.0.with(|_| ());
    }

    /// Nobody comes any more.
    #[inline(always)]
    pub(crate) fn end(&self) {
        #[cfg(wakeful_loom)]
        self.0.with_mut(|_| ());
    }
}

//! The one lock of the kit: a value that is reached through a closure, so that nobody holds it across foreign code.
//!
//! Which lock it is: loom's mutex under loom; a critical section with the feature of that name, or where there is
//! neither `std` nor `spin`; a [word](super::word) on which threads park, with `std`; a spinlock by the feature `spin`.
//!
//! The rule of the house (design rule k): a closure given to [`Lock::with`] clones, wakes and drops no waker, calls no
//! spawner and no alarm, and drops no value of the user.
#![cfg_attr(
    all(feature = "spin", not(feature = "std"), not(feature = "critical-section")),
    expect(unsafe_code, reason = "the spinlock hands out its value between a swap and a store")
)]

use core::panic::{RefUnwindSafe, UnwindSafe};

/// A value behind the platform's lock.
pub(crate) struct Lock<T>(raw::Raw<T>);

/// A panic leaves nothing half-changed: whatever may panic is called when the lock has been left, but for `Eq` of a key, which is
/// called before something is changed.
impl<T> UnwindSafe for Lock<T> {}
impl<T> RefUnwindSafe for Lock<T> {}

impl<T> Lock<T> {
    /// Puts `value` behind a lock.
    pub(crate) fn new(value: T) -> Self {
        Self(raw::Raw::new(value))
    }

    /// Runs `f` with the value. `f` must not reach this lock again.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        #[cfg(test)]
        taken::note();
        self.0.with(f)
    }

    /// The value, for one who has the lock alone.
    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// As [`with`](Self::with), unless the lock is taken at this moment.
    #[inline(always)]
    pub(crate) fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        #[cfg(test)]
        taken::note();
        self.0.try_with(f)
    }
}

/// How often a thread has asked for a lock.
#[cfg(test)]
pub(crate) mod taken {
    use core::cell::Cell;

    std::thread_local! {
        static TAKEN: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn note() {
        // A thread whose locals are gone tests nothing any more.
        let _ = TAKEN.try_with(|taken| taken.set(taken.get() + 1));
    }

    /// How many locks `f` takes.
    #[cfg(not(wakeful_loom))]
    pub(crate) fn during(f: impl FnOnce()) -> usize {
        let before = TAKEN.get();
        f();
        TAKEN.get() - before
    }
}

#[cfg(wakeful_loom)]
mod raw {
    pub(crate) struct Raw<T>(loom::sync::Mutex<T>);

    impl<T> Raw<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            f(&mut self.0.lock().unwrap())
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().unwrap()
        }

        pub(crate) fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
            self.0.try_lock().ok().map(|mut value| f(&mut value))
        }
    }
}

#[cfg(all(not(wakeful_loom), any(feature = "critical-section", all(not(feature = "std"), not(feature = "spin")))))]
mod raw {
    use core::cell::RefCell;

    pub(crate) struct Raw<T>(critical_section::Mutex<RefCell<T>>);

    impl<T> Raw<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(critical_section::Mutex::new(RefCell::new(value)))
        }

        #[inline]
        pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            critical_section::with(|cs| f(&mut self.0.borrow_ref_mut(cs)))
        }

        #[inline]
        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().get_mut()
        }

        #[inline]
        pub(crate) fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
            Some(self.with(f))
        }
    }
}

#[cfg(all(not(wakeful_loom), feature = "std", not(feature = "critical-section")))]
mod raw {
    pub(crate) use crate::sys::word::Guarded as Raw;
}

#[cfg(all(not(wakeful_loom), feature = "spin", not(feature = "std"), not(feature = "critical-section")))]
mod raw {
    use crate::sys::atomic::{AtomicBool, Ordering};
    use core::cell::UnsafeCell;

    pub(crate) struct Raw<T> {
        taken: AtomicBool,
        value: UnsafeCell<T>,
    }

    /// Frees the lock, also on unwinding.
    struct Free<'a>(&'a AtomicBool);
    impl Drop for Free<'_> {
        fn drop(&mut self) {
            // Release: partner of the acquiring swap of the next holder.
            self.0.store(false, Ordering::Release);
        }
    }

    // SAFETY: `with` lets one thread at a time reach the value, so sharing the lock only moves access between threads.
    unsafe impl<T: Send> Sync for Raw<T> {}

    impl<T> Raw<T> {
        pub(crate) fn new(value: T) -> Self {
            Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
        }

        #[inline]
        pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            let mut f = Some(f);
            loop {
                if let Some(r) = self.try_with(|value| f.take().expect("called once")(value)) {
                    return r;
                }
                while self.taken.load(Ordering::Relaxed) {
                    core::hint::spin_loop();
                }
            }
        }

        #[inline]
        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.value.get_mut()
        }

        #[inline]
        pub(crate) fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
            // Acquire: partner of the releasing store in `Free`.
            if self.taken.swap(true, Ordering::Acquire) {
                return None;
            }
            let _free = Free(&self.taken);
            // SAFETY: the swap above gave the flag to this call alone, until `_free` is dropped after `f`.
            let value = unsafe { &mut *self.value.get() };
            Some(f(value))
        }
    }
}

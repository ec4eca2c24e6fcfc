//! A 64-bit number that any thread may read, set and exchange: an atomic where a word has 64 bits, behind the lock elsewhere.

#[cfg(target_pointer_width = "64")]
mod imp {
    use crate::sys::atomic::{AtomicUsize, Ordering};

    pub(crate) struct Stamp(AtomicUsize);

    impl Stamp {
        /// Whether it is an atomic word.
        pub(crate) const IS_WORD: bool = true;

        pub(crate) fn new(value: u64) -> Self {
            Self(AtomicUsize::new(value as usize))
        }

        #[inline]
        pub(crate) fn get(&self) -> u64 {
            // Acquire: partner of the store in `set`; who reads a value sees what came before it was set.
            self.0.load(Ordering::Acquire) as u64
        }

        #[inline]
        pub(crate) fn set(&self, value: u64) {
            self.0.store(value as usize, Ordering::Release);
        }

        /// Sets it to `new` if it is `old`; if not, says what it is.
        #[inline]
        pub(crate) fn exchange(&self, old: u64, new: u64) -> Result<(), u64> {
            // Both, as `get` and `set`.
            let done = self.0.compare_exchange(old as usize, new as usize, Ordering::AcqRel, Ordering::Acquire);
            done.map(|_| ()).map_err(|seen| seen as u64)
        }

        /// Sets it, and says what it was.
        #[inline]
        pub(crate) fn swap(&self, value: u64) -> u64 {
            // Both, as `get` and `set`.
            self.0.swap(value as usize, Ordering::AcqRel) as u64
        }
    }
}

#[cfg(not(target_pointer_width = "64"))]
mod imp {
    use crate::sys::Lock;

    pub(crate) struct Stamp(Lock<u64>);

    impl Stamp {
        /// Whether it is an atomic word.
        pub(crate) const IS_WORD: bool = false;

        pub(crate) fn new(value: u64) -> Self {
            Self(Lock::new(value))
        }

        pub(crate) fn get(&self) -> u64 {
            self.0.with(|stamp| *stamp)
        }

        pub(crate) fn set(&self, value: u64) {
            self.0.with(|stamp| *stamp = value);
        }

        /// Sets it to `new` if it is `old`; if not, says what it is.
        pub(crate) fn exchange(&self, old: u64, new: u64) -> Result<(), u64> {
            self.0.with(|stamp| {
                let seen = *stamp;
                if seen == old {
                    *stamp = new
                } else {
                    return Err(seen);
                };
                Ok(())
            })
        }

        /// Sets it, and says what it was.
        pub(crate) fn swap(&self, value: u64) -> u64 {
            self.0.with(|stamp| core::mem::replace(stamp, value))
        }
    }
}

pub(crate) use imp::Stamp;

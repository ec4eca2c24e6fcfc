//! A 64-bit number that any thread may read and set: an atomic where a word has 64 bits, behind the lock elsewhere.

#[cfg(target_pointer_width = "64")]
mod imp {
    use crate::sys::atomic::{AtomicUsize, Ordering};

    pub(crate) struct Stamp(AtomicUsize);

    impl Stamp {
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
    }
}

#[cfg(not(target_pointer_width = "64"))]
mod imp {
    use crate::sys::Lock;

    pub(crate) struct Stamp(Lock<u64>);

    impl Stamp {
        pub(crate) fn new(value: u64) -> Self {
            Self(Lock::new(value))
        }

        pub(crate) fn get(&self) -> u64 {
            self.0.with(|stamp| *stamp)
        }

        pub(crate) fn set(&self, value: u64) {
            self.0.with(|stamp| *stamp = value);
        }
    }
}

pub(crate) use imp::Stamp;

//! The operating system's clock that only goes on.
//!
//! Where a reading is two words, seconds and nanoseconds, they are turned into one at once. The standard library, which keeps
//! them apart and makes a third pair of two, takes an eighth longer than the reading itself takes (`time.now`), and a
//! timeout reads the clock each time.

/// The clock, since an epoch of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Monotonic {
    epoch: imp::Reading,
}

impl Monotonic {
    /// Its epoch is now.
    pub(crate) fn new() -> Self {
        Self { epoch: imp::Reading::now() }
    }

    /// Nanoseconds since the epoch. There are 584 years of them. By a call, so that who may have to read another clock pays
    /// nothing for this one.
    #[inline(never)]
    pub(crate) fn nanos(self) -> u64 {
        imp::Reading::now().since(self.epoch)
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64", not(miri)))]
mod imp {
    #![expect(unsafe_code, reason = "the clock is read by a function of the C library")]

    /// What POSIX calls `timespec`, where a `long` has 64 bits.
    #[repr(C)]
    struct Parts {
        seconds: i64,
        nanoseconds: i64,
    }

    /// What the standard library's instants are of, too.
    const CLOCK_MONOTONIC: i32 = 1;

    unsafe extern "C" {
        fn clock_gettime(clock: i32, parts: *mut Parts) -> i32;
    }

    /// Nanoseconds since the machine was started, or thereabouts.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Reading(u64);

    impl Reading {
        #[inline]
        pub(super) fn now() -> Self {
            let mut parts = Parts { seconds: 0, nanoseconds: 0 };
            // SAFETY: this is how POSIX declares it on these targets, and the pointer is valid for a write.
            let failed = unsafe { clock_gettime(CLOCK_MONOTONIC, &raw mut parts) };
            assert!(failed == 0, "there is such a clock");
            // Neither is negative.
            Self(parts.seconds as u64 * 1_000_000_000 + parts.nanoseconds as u64)
        }

        #[inline]
        pub(super) fn since(self, earlier: Self) -> u64 {
            self.0.saturating_sub(earlier.0)
        }
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64", not(miri))))]
mod imp {
    use std::time::Instant;

    #[derive(Clone, Copy, Debug)]
    pub(super) struct Reading(Instant);

    impl Reading {
        #[inline]
        pub(super) fn now() -> Self {
            Self(Instant::now())
        }

        #[inline]
        pub(super) fn since(self, earlier: Self) -> u64 {
            let elapsed = self.0.saturating_duration_since(earlier.0);
            elapsed.as_secs().wrapping_mul(1_000_000_000).wrapping_add(elapsed.subsec_nanos().into())
        }
    }
}

#[cfg(all(test, not(wakeful_loom)))]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn it_tells_what_the_standard_library_tells() {
        let outer = Instant::now();
        let clock = Monotonic::new();
        let inner = Instant::now();
        let mut last = 0;
        for _ in 0..100_000 {
            let shorter = inner.elapsed().as_nanos();
            let told = clock.nanos();
            let longer = outer.elapsed().as_nanos();
            assert!(told >= last, "it goes on");
            assert!((shorter..=longer).contains(&told.into()), "{told} of {shorter} to {longer}");
            last = told;
        }
    }
}

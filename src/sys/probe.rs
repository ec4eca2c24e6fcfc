//! The hook for those who look on: what a pending poll waits for.
//!
//! A primitive calls [`waiting`] when it is about to return `Pending`. Whoever polls under [`record`] gets the notes of
//! that poll; elsewhere a note costs one thread-local read, and with neither `sim` nor another looker-on compiled in,
//! nothing at all.

pub(crate) use imp::*;

/// What a primitive waits for.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "sim"), expect(dead_code, reason = "read by those who look on"))]
pub(crate) struct Wait {
    /// What is waited for, as a report prints it: "queue send".
    pub(crate) what: &'static str,
    /// Which one, if that matters.
    pub(crate) id: Option<Id>,
    /// Until when at the latest, in nanoseconds of the clock; `u64::MAX`: no end.
    pub(crate) until: u64,
}

#[cfg(feature = "sim")]
mod imp {
    use super::Wait;
    use alloc::vec::Vec;
    use core::panic::Location;

    /// Which primitive, and where it was made. Numbers count from 1 within a simulated run; 0 elsewhere.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Id {
        /// The number in order of making.
        pub(crate) number: u32,
        /// The place of the call that made it.
        pub(crate) made: &'static Location<'static>,
    }

    impl Id {
        /// The identity of a primitive that the caller's caller makes.
        #[track_caller]
        pub(crate) fn new() -> Self {
            let number = with(|notes| match notes.counting {
                true => {
                    notes.made += 1;
                    notes.made
                }
                false => 0,
            });
            let number = number.unwrap_or(0);
            Self { number, made: Location::caller() }
        }
    }

    /// What is collected on this thread.
    struct Notes {
        made: u32,
        counting: bool,
        polling: bool,
        waits: Vec<Wait>,
    }

    impl Notes {
        const NONE: Self = Self { made: 0, counting: false, polling: false, waits: Vec::new() };
    }

    #[cfg(feature = "std")]
    fn with<R>(f: impl FnOnce(&mut Notes) -> R) -> Option<R> {
        use core::cell::RefCell;
        std::thread_local! {
            static NOTES: RefCell<Notes> = const { RefCell::new(Notes::NONE) };
        }
        NOTES.try_with(|notes| f(&mut notes.borrow_mut())).ok()
    }

    /// Without threads one set of notes serves all.
    #[cfg(not(feature = "std"))]
    fn with<R>(f: impl FnOnce(&mut Notes) -> R) -> Option<R> {
        use core::cell::RefCell;
        static NOTES: critical_section::Mutex<RefCell<Notes>> = critical_section::Mutex::new(RefCell::new(Notes::NONE));
        Some(critical_section::with(|cs| f(&mut NOTES.borrow_ref_mut(cs))))
    }

    /// Numbers what is made on this thread from 1 on (`true`), or stops doing so (`false`).
    pub(crate) fn count(on: bool) {
        with(|notes| {
            notes.made = 0;
            notes.counting = on;
        });
    }

    /// Whether what is made on this thread is numbered.
    pub(crate) fn counts() -> bool {
        with(|notes| notes.counting).unwrap_or(false)
    }

    /// Notes that the poll which is under way waits.
    pub(crate) fn waiting(what: &'static str, id: Option<Id>, until: u64) {
        with(|notes| {
            if notes.polling {
                notes.waits.push(Wait { what, id, until });
            }
        });
    }

    /// Runs `poll` and leaves in `waits` what it waits for.
    pub(crate) fn record<R>(waits: &mut Vec<Wait>, poll: impl FnOnce() -> R) -> R {
        /// Puts the outer recording back, also on unwinding.
        struct Back<'a>(bool, &'a mut Vec<Wait>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                with(|notes| {
                    notes.polling = self.0;
                    core::mem::swap(&mut notes.waits, self.1);
                });
            }
        }
        waits.clear();
        let before = with(|notes| {
            core::mem::swap(&mut notes.waits, waits);
            core::mem::replace(&mut notes.polling, true)
        });
        let _back = Back(before.unwrap_or(false), waits);
        poll()
    }
}

#[cfg(not(feature = "sim"))]
mod imp {
    /// Nothing: nobody can look on.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Id;

    impl Id {
        #[inline(always)]
        pub(crate) fn new() -> Self {
            Self
        }
    }

    /// Nothing: nobody can look on.
    #[inline(always)]
    pub(crate) fn waiting(_: &'static str, _: Option<Id>, _: u64) {}
}

//! The hook for those who look on: what a pending poll waits for, and what a poll reads and writes.
//!
//! A primitive calls [`waiting`] when it is about to return `Pending`. Whoever polls under [`record`] gets the notes of
//! that poll.
//!
//! What tasks share through a primitive is a [`Resource`], and the primitive [touches](Resource::touch) it whenever it
//! looks at that or changes it. It also says which wakers it [keeps](keeping) and [fires](firing): one that is not an
//! executor's own leads to state that no primitive knows of. Whoever polls under [`watch`] gets the touches of that poll.
//!
//! With the feature `observe` alone there are notes of what is waited for, and touches are nothing. Elsewhere a note costs one
//! thread-local read, and with neither `sim` nor `observe` compiled in, nothing at all.

pub(crate) use imp::*;

/// What a primitive waits for.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(any(feature = "observe", feature = "sim")), expect(dead_code, reason = "read by those who look on"))]
pub(crate) struct Wait {
    /// What is waited for, as a report prints it: "queue send".
    pub(crate) what: &'static str,
    /// Which one, if that matters.
    pub(crate) id: Option<Id>,
    /// Until when at the latest, in nanoseconds of the clock; `u64::MAX`: no end.
    pub(crate) until: u64,
}

/// How a poll touches a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It looks.
    Read,
    /// It changes something, and in whichever order such changes come, nobody can tell.
    Commute,
    /// It changes something.
    Write,
}

#[cfg(any(feature = "observe", feature = "sim"))]
#[cfg_attr(not(feature = "sim"), allow(dead_code, reason = "touches are watched by the simulator alone"))]
mod imp {
    use super::{Access, Wait};
    use alloc::vec::Vec;
    use core::panic::Location;
    use core::task::Waker;

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
            let number = with(|notes| {
                let run = notes.run.as_mut()?;
                run.made += 1;
                Some(run.made)
            });
            let number = number.flatten().unwrap_or(0);
            Self { number, made: Location::caller() }
        }
    }

    /// Something that tasks share.
    ///
    /// What is made under [`watch`] is told apart by the poll that made it and its number there, so it has the same
    /// identity in all schedules. All that is made elsewhere is one resource.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Resource(u64);

    impl Resource {
        /// The clock of a simulated run.
        pub(crate) const CLOCK: Self = Self(1);
        /// What is behind wakers that are not an executor's own.
        pub(crate) const FOREIGN: Self = Self(2);

        /// That one thing at most is dropped on purpose in a simulated run.
        pub(crate) const SWEEP: Self = Self(3);

        /// What can go wrong in a simulated run, and when that ends.
        pub(crate) const FAULTS: Self = Self(4);

        /// All there is, for one who looks at the state of tasks.
        pub(crate) const ALL: Self = Self(5);

        /// One that is being made.
        #[inline]
        pub(crate) fn new() -> Self {
            if is_watched() { Self::numbered() } else { Self(0) }
        }

        #[cold]
        fn numbered() -> Self {
            let number = with(|notes| {
                let watch = notes.watch.as_mut()?;
                watch.made += 1;
                Some((watch.poll ^ watch.made).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) ^ watch.made)
            });
            Self(number.flatten().unwrap_or(0))
        }

        /// Notes that the poll which is under way touches it.
        #[inline]
        pub(crate) fn touch(self, access: Access) {
            if is_watched() {
                self.note(access);
            }
        }

        #[cold]
        fn note(self, access: Access) {
            with(|notes| {
                if let Some(watch) = notes.watch.as_mut().filter(|watch| watch.touched.last() != Some(&(self, access)))
                {
                    watch.touched.push((self, access));
                }
            });
        }
    }

    /// What tells one waker from another, and one kind of them.
    pub(crate) fn address(waker: &Waker) -> [usize; 2] {
        [waker.data().addr(), core::ptr::from_ref(waker.vtable()).addr()]
    }

    /// Notes that a primitive keeps `waker`.
    #[inline]
    pub(crate) fn keeping(waker: &Waker) {
        if is_watched() {
            foreign(true, |own| address(waker) != own);
        }
    }

    /// Notes that a primitive wakes `waker`, or is about to.
    #[inline]
    pub(crate) fn firing(waker: &Waker) {
        if is_watched() {
            foreign(false, |own| address(waker)[1] != own[1]);
        }
    }

    /// Touches what is behind foreign wakers, if one is by the address of the poll's own.
    #[cold]
    fn foreign(kept: bool, is: impl FnOnce([usize; 2]) -> bool) {
        with(|notes| {
            if let Some(watch) = notes.watch.as_mut().filter(|watch| is(watch.waker)) {
                watch.kept |= kept;
                watch.touched.push((Resource::FOREIGN, Access::Write));
            }
        });
    }

    /// What is collected of a poll that is watched.
    struct Watch {
        /// Stands for the poll, the same in all schedules.
        poll: u64,
        waker: [usize; 2],
        made: u64,
        /// Whether a foreign waker was kept.
        kept: bool,
        touched: Vec<(Resource, Access)>,
    }

    /// Calls `f`, which polls with the waker of this [address]; leaves in `touched` what that touches, in order. `poll` stands for the poll.
    /// Also gives whether another waker was kept.
    pub(crate) fn watch<R>(
        poll: u64,
        waker: [usize; 2],
        touched: &mut Vec<(Resource, Access)>,
        f: impl FnOnce() -> R,
    ) -> (R, bool) {
        /// Puts the outer watch back, also on unwinding.
        struct Back<'a>(Option<Watch>, &'a mut Vec<(Resource, Access)>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                set_watched(self.0.is_some());
                let ended = with(|notes| core::mem::replace(&mut notes.watch, self.0.take())).flatten();
                *self.1 = ended.map(|watch| watch.touched).unwrap_or_default();
            }
        }
        touched.clear();
        let watch = Watch { poll, waker, made: 0, kept: false, touched: core::mem::take(touched) };
        let outer = with(|notes| notes.watch.replace(watch)).flatten();
        set_watched(true);
        let _back = Back(outer, touched);
        let r = f();
        (r, with(|notes| notes.watch.as_ref().is_some_and(|watch| watch.kept)).unwrap_or(false))
    }

    /// The simulated run that goes on on this thread.
    pub(crate) struct Run {
        /// How many primitives were made in it.
        made: u32,
        /// It waits for what other threads do.
        is_open: bool,
    }

    impl Run {
        pub(crate) fn new(is_open: bool) -> Self {
            Self { made: 0, is_open }
        }
    }

    /// What is collected on this thread.
    struct Notes {
        run: Option<Run>,
        polling: bool,
        waits: Vec<Wait>,
        watch: Option<Watch>,
    }

    impl Notes {
        const NONE: Self = Self { run: None, polling: false, waits: Vec::new(), watch: None };
    }

    // Whether a poll is being watched, apart from the rest: most of the time nobody watches, and this is cheap to ask. Without
    // the simulator nobody ever does.
    #[cfg(all(feature = "sim", feature = "std"))]
    std::thread_local! {
        static WATCHED: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
    }
    #[cfg(all(feature = "sim", not(feature = "std")))]
    static WATCHED: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

    #[cfg(all(feature = "sim", feature = "std"))]
    #[inline]
    fn is_watched() -> bool {
        WATCHED.with(core::cell::Cell::get)
    }
    #[cfg(all(feature = "sim", not(feature = "std")))]
    #[inline]
    fn is_watched() -> bool {
        WATCHED.load(core::sync::atomic::Ordering::Relaxed)
    }
    #[cfg(not(feature = "sim"))]
    #[inline(always)]
    fn is_watched() -> bool {
        false
    }

    #[cfg(all(feature = "sim", feature = "std"))]
    fn set_watched(on: bool) {
        WATCHED.with(|watched| watched.set(on));
    }
    #[cfg(all(feature = "sim", not(feature = "std")))]
    fn set_watched(on: bool) {
        WATCHED.store(on, core::sync::atomic::Ordering::Relaxed);
    }
    #[cfg(not(feature = "sim"))]
    fn set_watched(_: bool) {}

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

    /// Runs `f` as `run`, in which what is made is numbered from 1 on; the run around it goes on afterwards, also on unwinding.
    pub(crate) fn during<R>(run: Run, f: impl FnOnce() -> R) -> R {
        struct Back(Option<Run>);
        impl Drop for Back {
            fn drop(&mut self) {
                with(|notes| notes.run = self.0.take());
            }
        }
        let _back = Back(with(|notes| notes.run.replace(run)).flatten());
        f()
    }

    /// Whether it makes sense to block this thread: if a simulated run goes on on it, it waits for other threads too.
    pub(crate) fn may_block() -> bool {
        with(|notes| notes.run.as_ref().is_none_or(|run| run.is_open)).unwrap_or(true)
    }

    /// Notes that the poll which is under way waits.
    pub(crate) fn waiting(what: &'static str, id: Option<Id>, until: u64) {
        with(|notes| {
            if notes.polling {
                // Most wait for one thing, and there may be very many who wait.
                notes.waits.reserve_exact(1);
                notes.waits.push(Wait { what, id, until });
            }
        });
    }

    /// Runs `poll` and leaves in `waits` what it waits for.
    ///
    /// Most polls leave nothing, so buffers change places only if there is something in them.
    pub(crate) fn record<R>(waits: &mut Vec<Wait>, poll: impl FnOnce() -> R) -> R {
        /// Puts the outer recording back, if there is one, also on unwinding.
        struct Back<'a>(Option<Vec<Wait>>, &'a mut Vec<Wait>);
        impl Drop for Back<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                with(|notes| {
                    if !notes.waits.is_empty() {
                        core::mem::swap(&mut notes.waits, self.1);
                    }
                    notes.polling = self.0.is_some();
                    if let Some(outer) = self.0.take() {
                        notes.waits = outer;
                    }
                });
            }
        }
        waits.clear();
        let outer = with(|notes| {
            let outer = notes.polling.then(|| core::mem::take(&mut notes.waits));
            notes.polling = true;
            outer
        });
        let _back = Back(outer.flatten(), waits);
        poll()
    }

    /// Notes for the outer recording, if there is one, what an inner one has got.
    #[cfg(feature = "observe")]
    pub(crate) fn repeat(waits: &[Wait]) {
        waits.iter().for_each(|wait| waiting(wait.what, wait.id, wait.until));
    }
}

#[cfg(not(any(feature = "observe", feature = "sim")))]
mod imp {
    use super::Access;
    use core::task::Waker;

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
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Resource;

    impl Resource {
        #[inline(always)]
        pub(crate) fn new() -> Self {
            Self
        }

        /// Nothing: nobody can look on.
        #[inline(always)]
        pub(crate) fn touch(self, _: Access) {}
    }

    /// Always: nobody can look on.
    #[inline(always)]
    pub(crate) fn may_block() -> bool {
        true
    }

    /// Nothing: nobody can look on.
    #[inline(always)]
    pub(crate) fn waiting(_: &'static str, _: Option<Id>, _: u64) {}

    /// Nothing: nobody can look on.
    #[inline(always)]
    pub(crate) fn keeping(_: &Waker) {}

    /// Nothing: nobody can look on.
    #[inline(always)]
    pub(crate) fn firing(_: &Waker) {}
}

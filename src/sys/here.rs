//! Which place this thread watches: who finds that it is this thread which does so knows that nobody else is at the place now.

#[cfg(feature = "std")]
mod known {
    use core::cell::Cell;

    #[cfg(not(wakeful_loom))]
    std::thread_local! {
        static WATCHED: Cell<usize> = const { Cell::new(0) };
    }
    #[cfg(wakeful_loom)]
    loom::thread_local! {
        static WATCHED: Cell<usize> = Cell::new(0);
    }

    /// A call in which a place is watched.
    ///
    /// One inside of another ends that too: what is watched there is then as if it were not, which is seldom and only costs more.
    pub(crate) struct Watched;

    impl Watched {
        #[inline]
        pub(crate) fn new(place: usize) -> Self {
            let _ = WATCHED.try_with(|watched| watched.set(place));
            Self
        }
    }

    impl Drop for Watched {
        #[inline]
        fn drop(&mut self) {
            let _ = WATCHED.try_with(|watched| watched.set(0));
        }
    }

    #[inline]
    pub(crate) fn is_watched(place: usize) -> bool {
        WATCHED.try_with(Cell::get).is_ok_and(|watched| watched == place)
    }
}
/// Without thread-locals nobody knows.
#[cfg(not(feature = "std"))]
mod known {
    pub(crate) struct Watched;

    impl Watched {
        pub(crate) fn new(_: usize) -> Self {
            Self
        }
    }

    pub(crate) fn is_watched(_: usize) -> bool {
        false
    }
}

pub(crate) use known::*;

//! Waiting for the cancelling of the scope that many children lie in, once for all of them.
//!
//! # How it works
//!
//! Some child that is about to rest, having registered its own waker, finds that nobody waits for the scope and does so
//! with the waker of all (`arm`). When that one is fired, all are woken, and the first to rest waits anew.
//!
//! - **V1** `armed` is set before the wait is polled, and reset by its waker before that wakes the children. So a child that
//!   registered, and then found `armed` set, is woken by what fires it afterwards.
//! - **V2** Whoever polls the wait has taken it out of `place`. One who finds it taken leaves it to him: he looks at `armed`
//!   once more after he has put it back.

use crate::cancel::{Scope, UntilCancelled};
use crate::sys::Told;
use crate::sys::atomic::{AtomicBool, Ordering};
use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Waker};

pub(super) struct Watch {
    armed: AtomicBool,
    place: Told<Place>,
}

enum Place {
    Unmade,
    Wait(Pin<Box<UntilCancelled>>),
    Taken,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { armed: AtomicBool::new(false), place: Told::new(Place::Unmade) }
    }

    /// Sees to it that whoever has registered is woken when `scope`, always the same one, may be cancelled; `waker` makes the
    /// waker for that, which is to call [`fired`](Self::fired) first. True: the scope is cancelled, and others may not know
    /// yet.
    ///
    /// The caller looks at the flags afterwards.
    #[inline]
    pub(super) fn arm(&self, scope: &Scope, waker: impl Fn() -> Waker) -> bool {
        // Acquire: partner of the store in `fired`.
        !self.armed.load(Ordering::Acquire) && self.arm_now(scope, &waker)
    }

    #[cold]
    fn arm_now(&self, scope: &Scope, waker: &dyn Fn() -> Waker) -> bool {
        let mut cancelled = false;
        // Acquire: as in `arm`.
        while !self.armed.load(Ordering::Acquire) {
            let mut wait = match self.place.with(|place| core::mem::replace(place, Place::Taken)) {
                Place::Unmade => Box::pin(scope.cancelled()),
                Place::Wait(wait) => wait,
                Place::Taken => break,
            };
            // V1. Release: whoever finds it set sees what was done before.
            self.armed.store(true, Ordering::Release);
            cancelled |= wait.as_mut().poll_for_others(&mut Context::from_waker(&waker()));
            // V2. Nothing is dropped under the lock: the place holds nothing.
            self.place.with(|place| *place = Place::Wait(wait));
        }
        cancelled
    }

    /// The wait's waker was fired, and is about to wake the children.
    pub(super) fn fired(&self) {
        // Release: partner of the loads in `arm`.
        self.armed.store(false, Ordering::Release);
    }

    /// Waits for nothing any more: nobody is left to be told.
    pub(super) fn stop(&self) {
        let wait = self.place.with(|place| core::mem::replace(place, Place::Unmade));
        drop(wait);
    }
}

//! The clock of a run.

use crate::sys::probe::{Access, Resource};
use crate::sys::{Arc, Stamp};
use crate::time::{Clock, Instant};

/// An instant that the executor sets.
#[derive(Clone)]
pub(super) struct SimClock(Arc<Stamp>);

impl SimClock {
    pub(super) fn new() -> Self {
        Self(Arc::new(Stamp::new(Instant::EPOCH.as_nanos())))
    }

    /// The present instant, for the simulator itself.
    #[inline]
    pub(super) fn at(&self) -> Instant {
        Instant::from_nanos(self.0.get())
    }

    pub(super) fn set(&self, at: Instant) {
        Resource::CLOCK.touch(Access::Write);
        self.0.set(at.as_nanos());
    }
}

impl Clock for SimClock {
    #[inline]
    fn now(&self) -> Instant {
        Resource::CLOCK.touch(Access::Read);
        self.at()
    }

    /// Nothing: the executor asks the timer queue when nobody is ready.
    #[inline]
    fn arm(&self, _: Instant) {}
}

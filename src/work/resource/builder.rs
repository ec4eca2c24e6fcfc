//! Settings of a pool.

use super::manage::{Manage, Usage};
use super::state::State;
use super::{Inner, ResourcePool};
use crate::sync::{Event, Notify, Semaphore};
use crate::sys::{Arc, Told};
use crate::time::{Instant, Time};
use core::fmt;
use core::num::NonZeroUsize;
use core::time::Duration;

/// What a pool is told.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) max_size: NonZeroUsize,
    pub(super) min_idle: usize,
    pub(super) max_lifetime: Duration,
    pub(super) max_idle_time: Duration,
    pub(super) validate_after: Duration,
    pub(super) wait: Duration,
    pub(super) create: Duration,
    pub(super) recycle: Duration,
    pub(super) retry_after: Duration,
    pub(super) oldest_first: bool,
}

impl Options {
    #[inline]
    pub(super) fn counts_idle_time(&self) -> bool {
        self.max_idle_time != Duration::MAX || !self.validate_after.is_zero()
    }

    #[inline]
    pub(super) fn has_lifetimes(&self) -> bool {
        self.max_idle_time != Duration::MAX || self.max_lifetime != Duration::MAX
    }

    /// The reading of the clock by which objects are too old; the clock is not asked where none ever is.
    #[inline]
    pub(super) fn now(&self, time: &Time) -> Instant {
        if self.has_lifetimes() { time.now() } else { Instant::EPOCH }
    }

    /// The first instant at which the object is too old to be lent.
    pub(super) fn expiry(&self, usage: &Usage) -> Instant {
        (usage.created + self.max_lifetime).min(usage.idle_since + self.max_idle_time)
    }
}

/// A pool that is being set up; made by [`ResourcePool::builder`].
#[must_use = "there is no pool before it is built"]
pub struct ResourcePoolBuilder<M> {
    time: Time,
    manage: M,
    options: Options,
}

impl<M: Manage> ResourcePoolBuilder<M> {
    /// How many objects there may be, unless it is said otherwise.
    pub const MAX_SIZE: NonZeroUsize = NonZeroUsize::new(10).unwrap();
    /// How long [`keep`](ResourcePool::keep) waits after an object could not be made, unless it is said otherwise.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);

    pub(super) fn new(time: Time, manage: M) -> Self {
        let options = Options {
            max_size: Self::MAX_SIZE,
            min_idle: 0,
            max_lifetime: Duration::MAX,
            max_idle_time: Duration::MAX,
            validate_after: Duration::ZERO,
            wait: Duration::MAX,
            create: Duration::MAX,
            recycle: Duration::MAX,
            retry_after: Self::RETRY_AFTER,
            oldest_first: false,
        };
        Self { time, manage, options }
    }

    /// How many objects there may be, idle ones included; [`MAX_SIZE`](Self::MAX_SIZE) by default.
    ///
    /// # Panics
    /// If they are more than a [`Semaphore`] has [permits](Semaphore::MAX_PERMITS).
    #[track_caller]
    pub fn max_size(mut self, max_size: NonZeroUsize) -> Self {
        assert!(max_size.get() <= Semaphore::MAX_PERMITS, "a pool can't have {max_size} objects");
        self.options.max_size = max_size;
        self
    }

    /// How many objects are to be idle at all times, as long as the pool is [kept](ResourcePool::keep) and has room for them;
    /// none by default.
    pub fn min_idle(mut self, min_idle: usize) -> Self {
        self.options.min_idle = min_idle;
        self
    }

    /// An object that was made so long ago is not lent again; none is too old by default.
    pub fn max_lifetime(mut self, max_lifetime: Duration) -> Self {
        self.options.max_lifetime = max_lifetime;
        self
    }

    /// An object that was idle for so long is not lent again; none is idle for too long by default.
    pub fn max_idle_time(mut self, max_idle_time: Duration) -> Self {
        self.options.max_idle_time = max_idle_time;
        self
    }

    /// Only an object that was idle for so long is [validated](Manage::validate) before it is lent again; each is by default.
    pub fn validate_after(mut self, idle_time: Duration) -> Self {
        self.options.validate_after = idle_time;
        self
    }

    /// How long [`get`](ResourcePool::get) waits for its turn; for ever by default. Zero: not at all.
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.options.wait = timeout;
        self
    }

    /// How long making an object may take; any time by default.
    pub fn create_timeout(mut self, timeout: Duration) -> Self {
        self.options.create = timeout;
        self
    }

    /// How long validating and recycling an object may take together; any time by default. One that takes longer is dropped,
    /// and another one taken or made.
    pub fn recycle_timeout(mut self, timeout: Duration) -> Self {
        self.options.recycle = timeout;
        self
    }

    /// How long [`keep`](ResourcePool::keep) waits before it tries again, if an object could not be made;
    /// [`RETRY_AFTER`](Self::RETRY_AFTER) by default, a millisecond at least. One that is too old as soon as it is made counts as such.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.options.retry_after = delay.max(Duration::from_millis(1));
        self
    }

    /// Lends the object that has been idle for the longest time, instead of the shortest, so that all are used alike.
    pub fn oldest_first(mut self) -> Self {
        self.options.oldest_first = true;
        self
    }

    /// The pool. It has no objects yet.
    #[track_caller]
    pub fn build(self) -> ResourcePool<M> {
        let Self { time, manage, options } = self;
        let (slots, state) = (Semaphore::new(options.max_size.get()), State::new(options.max_size.get()));
        let (changed, gone) = (Notify::new(), Event::new());
        ResourcePool(Arc::new(Inner { manage, time, options, slots, state: Told::new(state), changed, gone }))
    }
}

impl<M> fmt::Debug for ResourcePoolBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourcePoolBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}

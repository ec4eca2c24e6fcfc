//! A value behind the lock that others than a hall share, each use of which is told to those who look on.

use super::Lock;
use super::probe::{Access, Resource};

/// A value that tasks share. For what is in a hall, the hall tells.
pub(crate) struct Told<T> {
    lock: Lock<T>,
    resource: Resource,
}

impl<T> Told<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { lock: Lock::new(value), resource: Resource::new() }
    }

    /// Runs `f` with the value, under the lock.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        self.resource.touch(Access::Write);
        self.lock.with(f)
    }

    /// Tells of a look at what stands beside the lock, and is written under it.
    #[inline]
    pub(crate) fn look(&self) {
        self.resource.touch(Access::Read);
    }

    /// Tells of a change of what stands beside the lock, and is not written under it.
    #[inline]
    pub(crate) fn touch(&self) {
        self.resource.touch(Access::Write);
    }

    /// Runs `f`, which changes nothing, under the lock.
    #[inline]
    pub(crate) fn read<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        self.resource.touch(Access::Read);
        self.lock.with(|value| f(value))
    }
}

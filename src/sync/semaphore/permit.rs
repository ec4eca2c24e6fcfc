//! Permits that are out.

use super::state::Room;
use crate::sys::Arc;
use core::fmt;
use core::mem;

/// Permits of a [`Semaphore`](super::Semaphore), given back when this is dropped.
///
/// It borrows the semaphore. One that is to outlive the handle, in a task of its own for instance, is had by
/// [`into_owned`](Self::into_owned).
#[must_use = "a permit that is dropped is given back"]
pub struct Permit<'a> {
    room: &'a Arc<Room>,
    count: usize,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(room: &'a Arc<Room>, count: usize) -> Self {
        Self { room, count }
    }

    /// How many permits these are.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The same permits, with a handle of their own instead of a borrowed one.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::Semaphore;
    ///
    /// wakeful::sim::check(|sim| async move {
    ///     let semaphore = Semaphore::new(1);
    ///     let permit = semaphore.acquire().await.unwrap().into_owned();
    ///     let task = sim.spawn("holds it", async move { drop(permit) });
    ///     let _next = semaphore.acquire().await.unwrap();
    ///     assert!(task.is_finished());
    /// });
    /// ```
    pub fn into_owned(self) -> OwnedPermit {
        let (room, count) = (self.room.clone(), self.count);
        mem::forget(self);
        OwnedPermit { room, count }
    }

    /// Leaves these permits out, for whoever says [`put_back`](super::Semaphore::put_back) in their stead.
    #[inline]
    pub(crate) fn keep_out(self) {
        mem::forget(self);
    }

    /// Takes `count` of these permits into a value of their own. None: these are fewer.
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self { room: self.room, count })
    }

    /// Adds the permits of `other` to these.
    ///
    /// # Errors
    /// `other` comes back if it is of another semaphore.
    pub fn merge(&mut self, other: Self) -> Result<(), Self> {
        if !Arc::ptr_eq(self.room, other.room) {
            return Err(other);
        }
        self.count += other.count;
        mem::forget(other);
        Ok(())
    }

    /// Doesn't give them back: the semaphore has so many fewer from now on, but for those that had to go anyway since its
    /// [total](super::Semaphore::set_total) was lowered.
    pub fn forget(self) {
        self.room.forget(self.count);
        mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.room.release(self.count);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Permits that hold a handle to their semaphore; made by [`Permit::into_owned`].
#[must_use = "a permit that is dropped is given back"]
pub struct OwnedPermit {
    room: Arc<Room>,
    count: usize,
}

impl OwnedPermit {
    /// How many permits these are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes `count` of these permits into a value of their own. None: these are fewer.
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self { room: self.room.clone(), count })
    }

    /// Adds the permits of `other` to these.
    ///
    /// # Errors
    /// `other` comes back if it is of another semaphore.
    pub fn merge(&mut self, mut other: Self) -> Result<(), Self> {
        if !Arc::ptr_eq(&self.room, &other.room) {
            return Err(other);
        }
        self.count += mem::take(&mut other.count);
        Ok(())
    }

    /// Doesn't give them back: the semaphore has so many fewer from now on, but for those that had to go anyway since its
    /// [total](super::Semaphore::set_total) was lowered.
    pub fn forget(mut self) {
        self.room.forget(mem::take(&mut self.count));
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        self.room.release(self.count);
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").field("count", &self.count).finish_non_exhaustive()
    }
}

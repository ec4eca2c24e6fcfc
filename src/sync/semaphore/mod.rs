//! Permits, of which there is a number.

mod acquire;
mod permit;
mod state;

pub use acquire::{Acquire, AcquireError, TryAcquireError};
pub use permit::{OwnedPermit, Permit};

use crate::sys::Arc;
use core::fmt;
use state::{Asked, Room};

/// A number of permits that tasks take and give back. Clones are the same semaphore.
///
/// To bound how many do something at once. One that should know *who* holds its permits is a
/// [`CapacityLimiter`](super::CapacityLimiter); one that bounds how often in a time is a
/// [`Limiter`](crate::limit::Limiter). To guard a value take a mutex, as that of `async-lock`.
///
/// # Fairness
/// First come, first served, counted from the first poll. A permit that is given back while somebody waits is theirs:
/// newcomers don't overtake, not even the task that gave it back. One who waits for many is not passed by those behind who
/// want few.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::sync::Semaphore;
///
/// wakeful::sim::check(|sim| async move {
///     let semaphore = Semaphore::new(2);
///     let tasks: Vec<_> = (0..6)
///         .map(|_| {
///             let (semaphore, time) = (semaphore.clone(), sim.time());
///             sim.spawn("download", async move {
///                 let _permit = semaphore.acquire().await.unwrap();
///                 time.sleep(Duration::from_secs(1)).await;
///             })
///         })
///         .collect();
///     for task in tasks {
///         task.await;
///     }
///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
/// });
/// ```
#[derive(Clone)]
pub struct Semaphore {
    room: Arc<Room>,
}

impl Semaphore {
    /// The most permits that there may be, those included that are out.
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    /// A semaphore with `permits`, of which there may be none at first.
    ///
    /// # Panics
    /// If they are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    #[must_use]
    pub fn new(permits: usize) -> Self {
        assert!(permits <= Self::MAX_PERMITS, "a semaphore can't have {permits} permits");
        Self { room: Room::semaphore(permits) }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// [`AcquireError`] if the semaphore is closed before there is one for it.
    #[inline]
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire::new(&self.room, 1)
    }

    /// Waits for `permits` at once. None at all are granted without waiting.
    ///
    /// More than there are in all will not be there until enough have been [added](Self::add_permits).
    ///
    /// # Errors
    /// [`AcquireError`] if the semaphore is closed before there are enough for it.
    ///
    /// # Panics
    /// If they are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::Semaphore;
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let megabytes = Semaphore::new(64);
    ///     let large = megabytes.acquire_many(48).await.unwrap();
    ///     assert_eq!((large.count(), megabytes.available()), (48, 16));
    /// });
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire_many(&self, permits: usize) -> Acquire<'_> {
        assert!(permits <= Self::MAX_PERMITS, "there are never {permits} permits");
        Acquire::new(&self.room, permits)
    }

    /// Takes a permit if there is one and nobody waits.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] or [`TryAcquireError::Closed`].
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `permits` if there are so many and nobody waits.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] or [`TryAcquireError::Closed`].
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::{Semaphore, TryAcquireError};
    ///
    /// let semaphore = Semaphore::new(3);
    /// let two = semaphore.try_acquire_many(2).unwrap();
    /// assert_eq!(semaphore.try_acquire_many(2).unwrap_err(), TryAcquireError::NoPermits);
    /// drop(two);
    /// assert!(semaphore.try_acquire_many(3).is_ok());
    /// ```
    #[inline]
    pub fn try_acquire_many(&self, permits: usize) -> Result<Permit<'_>, TryAcquireError> {
        // More than there ever are don't fit into the word either.
        if permits <= Self::MAX_PERMITS && self.room.take(permits) {
            return Ok(Permit::new(&self.room, permits));
        }
        match self.room.try_take(permits) {
            Asked::Granted => Ok(Permit::new(&self.room, permits)),
            Asked::Refused => Err(TryAcquireError::NoPermits),
            Asked::Closed => Err(TryAcquireError::Closed),
        }
    }

    /// Adds permits, and grants them to those who wait.
    ///
    /// # Panics
    /// If there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS) in all.
    #[track_caller]
    pub fn add_permits(&self, permits: usize) {
        let added = self.room.add(permits, Self::MAX_PERMITS);
        assert!(added, "a semaphore can't have {permits} permits more");
    }

    /// Takes up to `permits` away for good, of those that nobody has, and says how many. Those that are out are not
    /// touched: to take more, acquire them and [forget](Permit::forget) them.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(5);
    /// let two = semaphore.try_acquire_many(2).unwrap();
    /// assert_eq!(semaphore.forget_permits(4), 3);
    /// drop(two);
    /// assert_eq!((semaphore.available(), semaphore.total()), (2, 2));
    /// ```
    pub fn forget_permits(&self, permits: usize) -> usize {
        self.room.remove(permits)
    }

    /// Changes how many permits there are in all. More let those in who wait. Fewer take nothing away from anybody: the rest
    /// goes as permits come back, and until then nobody is granted any.
    ///
    /// # Panics
    /// If they are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(3);
    /// let (one, two) = (semaphore.try_acquire().unwrap(), semaphore.try_acquire_many(2).unwrap());
    /// semaphore.set_total(1);
    /// drop(two);
    /// assert!(semaphore.try_acquire().is_err(), "one is out, and there is no other");
    /// drop(one);
    /// assert!(semaphore.try_acquire().is_ok());
    /// ```
    #[track_caller]
    pub fn set_total(&self, total: usize) {
        assert!(total <= Self::MAX_PERMITS, "a semaphore can't have {total} permits");
        self.room.set_total(total);
    }

    /// How many permits nobody has. While somebody waits they are not to be had.
    pub fn available(&self) -> usize {
        self.room.available()
    }

    /// How many permits there are, those included that are out. More may be out while there are [fewer](Self::set_total).
    pub fn total(&self) -> usize {
        self.room.total()
    }

    /// Grants nothing more: whoever comes is turned away, and so is whoever waits, or was granted permits and has not been
    /// polled since. Permits that are out may be used and given back as before. It can't be undone; closing twice is
    /// closing once.
    ///
    /// # Examples
    /// ```
    /// use wakeful::sync::{AcquireError, Semaphore, TryAcquireError};
    ///
    /// wakeful::sim::run(|_| async move {
    ///     let semaphore = Semaphore::new(1);
    ///     semaphore.close();
    ///     assert_eq!(semaphore.acquire().await.unwrap_err(), AcquireError);
    ///     assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
    /// });
    /// ```
    pub fn close(&self) {
        self.room.close();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.room.is_closed()
    }

    /// Whether `self` and `other` are one semaphore.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.room, &other.room)
    }

    /// Gives back permits that were [kept out](Permit::keep_out).
    #[inline]
    pub(crate) fn put_back(&self, permits: usize) {
        self.room.release(permits);
    }

    /// Where it stands in an order of all semaphores: that in which they were made.
    pub(crate) fn order(&self) -> (u32, usize) {
        (self.room.shared.serial, Arc::as_ptr(&self.room).addr())
    }

    /// Checks the line and says who is in it; for tests.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.room.read(|held| held.validate())
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .field("total", &self.total())
            .field("closed", &self.is_closed())
            .finish()
    }
}

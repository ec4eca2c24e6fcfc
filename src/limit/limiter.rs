//! The limiter's handle.

use super::acquire::Acquire;
use super::quota::Quota;
use super::state::{self, Gate};
use crate::cancel::{Deadline, Scope};
use crate::sys::Arc;
use crate::time::{Instant, Time};
use crate::wait::Batch;
use core::error::Error;
use core::fmt;

/// Grants permits at a rate; clones share it. See the [room](crate::limit) for what it promises.
///
/// # Time
/// Reads the clock of the [`Time`] that it was made with, once a call. Exact to the nanosecond; a wait is as late as that
/// clock's timers are.
///
/// # Fairness
/// First come, first served. As long as anybody waits, nobody else is granted anything.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::limit::{Limiter, Quota, TryAcquireError};
/// use wakeful::time::ManualClock;
///
/// let clock = ManualClock::new();
/// let limiter = Limiter::new(&clock.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
/// assert_eq!(limiter.try_acquire(1), Ok(()));
///
/// let earliest = clock.time().now() + Duration::from_millis(100);
/// assert_eq!(limiter.try_acquire(1), Err(TryAcquireError::NotYet { earliest }));
/// clock.advance(Duration::from_millis(100));
/// assert_eq!(limiter.try_acquire(1), Ok(()));
/// ```
#[derive(Clone)]
pub struct Limiter {
    pub(super) gate: Arc<Gate>,
}

impl Limiter {
    /// A limiter by the clock of `time`, whose first burst is there from the start.
    #[track_caller]
    pub fn new(time: &Time, quota: Quota) -> Self {
        Self { gate: state::gate(time.clone(), quota) }
    }

    /// What it was made for.
    pub fn quota(&self) -> &Quota {
        &self.gate.shared.quota
    }

    /// Takes `permits` if nobody waits for any and the quota allows it at this instant. None at all are granted always.
    ///
    /// # Errors
    /// [`TryAcquireError`], which says when to come back.
    #[inline]
    pub fn try_acquire(&self, permits: u32) -> Result<(), TryAcquireError> {
        self.try_acquire_at(self.gate.shared.time.now(), permits)
    }

    /// As [`try_acquire`](Self::try_acquire), with a reading of the limiter's clock that the caller has already made. A
    /// reading earlier than the latest that the limiter was told counts as that.
    ///
    /// # Errors
    /// [`TryAcquireError`], which says when to come back.
    #[inline]
    pub fn try_acquire_at(&self, now: Instant, permits: u32) -> Result<(), TryAcquireError> {
        if permits == 0 {
            return Ok(());
        }
        let burst = self.gate.shared.quota.max_burst().get();
        if permits > burst {
            return Err(TryAcquireError::ExceedsBurst { permits, burst });
        }
        let mut batch = Batch::new();
        let (earliest, todo) = self.gate.with(|held| {
            let now = held.tell(now);
            let todo = held.settle(now, &mut batch);
            (if held.take(permits, now) { None } else { Some(held.due(permits)) }, todo)
        });
        state::follow(&self.gate, &mut batch, todo);
        match earliest {
            None => Ok(()),
            Some(earliest) => Err(TryAcquireError::NotYet { earliest: Instant::from_nanos(earliest) }),
        }
    }

    /// Waits for its turn and takes `permits`. None at all are granted at once.
    ///
    /// # Errors
    /// [`AcquireError::ExceedsBurst`](super::AcquireError::ExceedsBurst) at once, if they are more than the burst.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::limit::{Limiter, Quota};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
    ///     let start = sim.now();
    ///     for _ in 0..11 {
    ///         limiter.acquire(1).await.unwrap();
    ///     }
    ///     assert_eq!(sim.now() - start, Duration::from_secs(1));
    /// });
    /// ```
    #[inline]
    pub fn acquire(&self, permits: u32) -> Acquire<'_> {
        Acquire::new(self, permits, Deadline::Never)
    }

    /// Waits for its turn, if that comes before `deadline`, and takes `permits`.
    ///
    /// The turn is reckoned at the first poll, with those who wait already. It comes earlier if one of them goes away. It
    /// comes later only if grants are late by more than the credit; should it then not come before the deadline, the wait
    /// is given up when those ahead have been served. Nothing is granted at the deadline or after it.
    ///
    /// # Errors
    /// [`AcquireError::TooLate`](super::AcquireError::TooLate) at once, with the instant that it would have needed, and
    /// [`AcquireError::ExceedsBurst`](super::AcquireError::ExceedsBurst).
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::limit::{AcquireError, Limiter, Quota};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::MIN));
    ///     limiter.acquire(1).await.unwrap();
    ///     let earliest = sim.now() + Duration::from_secs(1);
    ///     let deadline = sim.now() + Duration::from_millis(300);
    ///     let refused = limiter.acquire_before(1, deadline).await;
    ///     assert_eq!(refused, Err(AcquireError::TooLate { earliest, deadline }));
    /// });
    /// ```
    #[inline]
    pub fn acquire_before(&self, permits: u32, deadline: Instant) -> Acquire<'_> {
        Acquire::new(self, permits, deadline.into())
    }

    /// As [`acquire_before`](Self::acquire_before), with the effective deadline that `scope` has at this call. The scope's
    /// clock is the limiter's.
    ///
    /// It does not wait for the scope to be cancelled: that drops the body in which this is awaited.
    ///
    /// # Errors
    /// As those of `acquire_before`, and [`AcquireError::Cancelled`](super::AcquireError::Cancelled) if the scope is
    /// cancelled at this call.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::cancel::Scope;
    /// use wakeful::limit::{AcquireError, Limiter, Quota};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::MIN));
    ///     let start = sim.now();
    ///     let scope = Scope::new(sim.time());
    ///     let done = scope.move_on_after(Duration::from_millis(2500), async |s| {
    ///         let mut done = 0;
    ///         while limiter.acquire_in(s, 1).await.is_ok() {
    ///             done += 1;
    ///         }
    ///         done
    ///     });
    ///     // At 0 s, 1 s and 2 s; the fourth can't come in time, and need not wait to know.
    ///     assert_eq!(done.await.done(), Some(3));
    ///     assert_eq!(sim.now() - start, Duration::from_secs(2));
    /// });
    /// ```
    pub fn acquire_in(&self, scope: &Scope, permits: u32) -> Acquire<'_> {
        Acquire::new(self, permits, scope.effective_deadline())
    }

    /// Whether `self` and `other` are one limiter.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.gate, &other.gate)
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queued = self.gate.read(|held| held.queued());
        f.debug_struct("Limiter").field("quota", self.quota()).field("queued", &queued).finish()
    }
}

/// Permits that were not granted at once. The limiter is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// They are more than are ever granted at once.
    ExceedsBurst {
        /// How many were asked for.
        permits: u32,
        /// How many may be asked for.
        burst: u32,
    },
    /// The quota does not allow them, or others wait for theirs.
    NotYet {
        /// The first instant at which they could be granted, if nobody else comes first.
        earliest: Instant,
    },
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExceedsBurst { permits, burst } => write!(f, "{permits} permits are more than the burst of {burst}"),
            Self::NotYet { earliest } => write!(f, "not allowed before {earliest}"),
        }
    }
}

impl Error for TryAcquireError {}

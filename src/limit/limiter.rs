//! The limiter's handle.

use super::acquire::{Acquire, Admit};
use super::book::Receipt;
use super::decide::Algorithm;
use super::error::TryAcquireError;
use super::gcra::Gcra;
use super::quick::Decision;
use super::quota::Quota;
use super::reserve::{Reservation, Reserve};
use super::state::{self, Gate};
use crate::cancel::{Deadline, Scope};
use crate::sys::Arc;
use crate::time::{Instant, Time};
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
pub struct Limiter<A: Algorithm = Gcra> {
    pub(super) gate: Arc<Gate<A>>,
}

impl Limiter {
    /// A limiter by the clock of `time`, whose first burst is there from the start. One that is to begin with less, or with
    /// nothing, takes it right away: `limiter.try_acquire(burst)`.
    #[track_caller]
    pub fn new(time: &Time, quota: Quota) -> Self {
        Self::with(time, Gcra::new(quota))
    }

    /// What it was made for.
    pub fn quota(&self) -> Quota {
        self.algorithm().quota()
    }
}

impl<A: Algorithm> Limiter<A> {
    /// A limiter that decides by `algorithm` and the clock of `time`, and has granted nothing so far.
    #[track_caller]
    pub fn with(time: &Time, algorithm: A) -> Self {
        Self { gate: state::gate(time.clone(), algorithm) }
    }

    /// What it decides by.
    pub fn algorithm(&self) -> A {
        self.gate.read(|held| held.state.book.algorithm.clone())
    }

    /// Takes `permits` if nobody waits for any and the quota allows it at this instant. None at all are granted always.
    ///
    /// # Errors
    /// [`TryAcquireError`], which says when to come back.
    #[inline(always)] // One attempt in a loop is little more than its reading of the clock: a call more is seen.
    pub fn try_acquire(&self, permits: u32) -> Result<(), TryAcquireError> {
        self.try_acquire_at(self.gate.shared.now(), permits)
    }

    /// As [`try_acquire`](Self::try_acquire), with a reading of the limiter's clock that the caller has already made. A
    /// reading earlier than the latest that the limiter was told counts as that.
    ///
    /// # Errors
    /// [`TryAcquireError`], which says when to come back.
    #[inline(always)] // As above.
    pub fn try_acquire_at(&self, now: Instant, permits: u32) -> Result<(), TryAcquireError> {
        match self.gate.decide(permits, now) {
            Decision::Granted(_) => Ok(()),
            Decision::NotYet(earliest) => Err(TryAcquireError::NotYet { earliest: Instant::from_nanos(earliest) }),
            Decision::Unknown => self.try_slowly(permits, now).map(|_| ()),
        }
    }

    /// As [`try_acquire`](Self::try_acquire), for permits that may be given back: see [`reserve`](Self::reserve).
    ///
    /// # Errors
    /// [`TryAcquireError`], which says when to come back.
    pub fn try_reserve(&self, permits: u32) -> Result<Reservation<'_, A>, TryAcquireError> {
        let now = self.gate.shared.now();
        let receipt = self.try_slowly(permits, now)?;
        Ok(Reservation::new(&self.gate, permits, receipt))
    }

    /// Whether `permits` could be taken at this instant, without taking them.
    ///
    /// # Errors
    /// What [`try_acquire`](Self::try_acquire) would say.
    pub fn peek(&self, permits: u32) -> Result<(), TryAcquireError> {
        let now = self.gate.shared.now();
        state::enter(&self.gate, now, |held, now| held.look(permits, now))
    }

    /// How many permits could be taken at once at this instant; none while anybody waits.
    pub fn available(&self) -> u32 {
        let now = self.gate.shared.now();
        state::enter(&self.gate, now, |held, now| held.available(now))
    }

    #[cold]
    pub(super) fn try_slowly(&self, permits: u32, now: Instant) -> Result<Receipt, TryAcquireError> {
        if permits == 0 {
            return Ok(Receipt::NONE);
        }
        state::enter(&self.gate, now, |held, now| held.try_take(permits, now))
    }

    /// Waits for its turn and takes `permits`. None at all are granted at once.
    ///
    /// # Errors
    /// At once: [`AcquireError::ExceedsBurst`](super::AcquireError::ExceedsBurst), if they are more than the burst, and
    /// [`AcquireError::Full`](super::AcquireError::Full), if the limiter is a [`LeakyQueue`](super::LeakyQueue) without room.
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
    pub fn acquire(&self, permits: u32) -> Acquire<'_, A> {
        Acquire::new(&self.gate, permits, Deadline::Never)
    }

    /// Waits for its turn, if that comes before `deadline`, and takes `permits`.
    ///
    /// The turn is reckoned at the first poll, with those who wait already. It comes earlier if one of them goes away. It
    /// comes later only if grants are late by more than the credit, or one of them waits at [other limits](super::Composite)
    /// too; should it then not come before the deadline, the wait is given up when those ahead have been served. Nothing
    /// is granted at the deadline or after it. For a wait that ends at its deadline come what may, there are scopes.
    ///
    /// # Errors
    /// [`AcquireError::TooLate`](super::AcquireError::TooLate) at once, with the instant that it would have needed, and
    /// those of [`acquire`](Self::acquire).
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
    pub fn acquire_before(&self, permits: u32, deadline: Instant) -> Acquire<'_, A> {
        Acquire::new(&self.gate, permits, deadline.into())
    }

    /// One permit, for one who keeps the wait beside the limiter.
    pub(crate) fn admit_before(&self, deadline: Instant) -> Admit<A> {
        Admit::new(self.gate.clone(), deadline.into())
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
    pub fn acquire_in(&self, scope: &Scope, permits: u32) -> Acquire<'_, A> {
        Acquire::new(&self.gate, permits, scope.effective_deadline())
    }

    /// As [`acquire`](Self::acquire), for permits that may be given back: those of a [`Reservation`] that is not committed.
    ///
    /// To wait with a deadline, make it of the others: `limiter.acquire_in(scope, 1).reserving()`.
    ///
    /// # Errors
    /// As those of `acquire`.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{Limiter, Quota};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::MIN));
    ///     let permit = limiter.reserve(1).await.unwrap();
    ///     drop(permit); // it was not needed
    ///     assert!(limiter.peek(1).is_ok());
    ///     limiter.reserve(1).await.unwrap().commit();
    ///     assert!(limiter.peek(1).is_err());
    /// });
    /// ```
    #[inline]
    pub fn reserve(&self, permits: u32) -> Reserve<'_, A> {
        self.acquire(permits).reserving()
    }

    /// Gives back `permits` that were acquired, as if the latest grants had been of so many fewer; no more than fit.
    ///
    /// To be counted against what is granted from now on: in any window, what was granted less what was given back is within
    /// the limit. A [`Reservation`] is given back more exactly: what was granted without it is.
    ///
    /// A [`FixedWindow`](super::FixedWindow) and a [`SlidingCounter`](super::SlidingCounter) count, and can't tell grants apart: if
    /// the latest one was reserved, and is given back too, both are taken off.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{Limiter, Quota};
    /// use wakeful::time::ManualClock;
    ///
    /// let five = NonZeroU32::new(5).unwrap();
    /// let limiter = Limiter::new(&ManualClock::new().time(), Quota::per_second(five).burst(five));
    /// limiter.try_acquire(5).unwrap();
    /// limiter.refund(2);
    /// assert_eq!(limiter.available(), 2);
    /// limiter.refund(100);
    /// assert_eq!(limiter.available(), 5);
    /// ```
    pub fn refund(&self, permits: u32) {
        state::adjust(&self.gate, |book, now| book.refund_latest(permits, now));
    }

    /// Whether `self` and `other` are one limiter.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.gate, &other.gate)
    }
}

impl<A: Algorithm> Clone for Limiter<A> {
    fn clone(&self) -> Self {
        Self { gate: self.gate.clone() }
    }
}

impl<A: Algorithm> fmt::Debug for Limiter<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queued = self.gate.read(|held| held.queued());
        f.debug_struct("Limiter").field("algorithm", &self.algorithm()).field("queued", &queued).finish()
    }
}

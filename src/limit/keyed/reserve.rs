//! Permits for a key that may be given back.

use super::limiter::KeyedLimiter;
use super::turn::{Granted, KeyTurn};
use crate::limit::decide::Algorithm;
use crate::limit::error::{AcquireError, TryAcquireError};
use crate::limit::gcra::Gcra;
use crate::limit::state;
use crate::sys::thread::contain;
use alloc::borrow::ToOwned;
use core::borrow::Borrow;
use core::fmt;
use core::future::Future;
use core::hash::{BuildHasher, Hash};
use core::pin::Pin;
use core::task::{Context, Poll};
use foldhash::fast::RandomState;
use pin_project_lite::pin_project;

/// Permits that were taken for a key, and are given back when this is dropped, unless it is [committed](Self::commit): as a
/// [`Reservation`](crate::limit::Reservation) is, of a [`Limiter`](crate::limit::Limiter) that the key has for itself.
///
/// As long as it is held its key has a limiter of its own, which takes more room than a key that is merely counted, and is
/// not dropped as idle.
#[must_use = "the permits go back when it is dropped"]
pub struct KeyReservation<K, A: Algorithm = Gcra, S = RandomState> {
    permits: u32,
    // None if there is nothing to give back.
    granted: Granted<K, A, S>,
}

impl<K, A: Algorithm, S> KeyReservation<K, A, S> {
    /// How many permits it holds.
    pub fn permits(&self) -> u32 {
        self.permits
    }

    /// Spends them.
    pub fn commit(mut self) {
        self.granted = None;
    }

    /// Spends so many of them, or all if it has no more, and gives the others back.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{KeyedLimiter, Quota};
    /// use wakeful::time::ManualClock;
    ///
    /// let words = NonZeroU32::new(1000).unwrap();
    /// let limiter = KeyedLimiter::<String>::new(&ManualClock::new().time(), Quota::per_minute(words).burst(words));
    /// limiter.try_reserve("ann", 800).unwrap().commit_only(300);
    /// assert_eq!(limiter.available("ann"), 700);
    /// ```
    pub fn commit_only(mut self, used: u32) {
        self.permits = self.permits.saturating_sub(used);
    }
}

impl<K, A: Algorithm, S> Drop for KeyReservation<K, A, S> {
    fn drop(&mut self) {
        if let (Some((tenant, receipt)), 1..) = (&self.granted, self.permits) {
            let (gate, permits, receipt) = (&tenant.limiter().gate, self.permits, *receipt);
            // A drop may be part of an unwinding, which a second panic would turn into the end of the process.
            contain(|| state::adjust(gate, |book, now| book.refund(permits, receipt, now)));
        }
    }
}

impl<K, A: Algorithm, S> fmt::Debug for KeyReservation<K, A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyReservation").field("permits", &self.permits).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, A: Algorithm, S: BuildHasher> KeyedLimiter<K, A, S> {
    /// As [`acquire`](Self::acquire), for permits that may be given back: those of a [`KeyReservation`] that is not committed.
    ///
    /// To wait with a deadline, make it of the others: `limiter.acquire_in(scope, key, 1).reserving()`.
    ///
    /// # Errors
    /// As those of `acquire`.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{KeyedLimiter, Quota};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let limiter = KeyedLimiter::<String>::new(&sim.time(), Quota::per_second(NonZeroU32::MIN));
    ///     let permit = limiter.reserve("ann", 1).await.unwrap();
    ///     drop(permit); // it was not needed
    ///     assert!(limiter.peek("ann", 1).is_ok());
    ///     limiter.reserve("ann", 1).await.unwrap().commit();
    ///     assert!(limiter.peek("ann", 1).is_err());
    /// });
    /// ```
    pub fn reserve<Q>(&self, key: &Q, permits: u32) -> ReserveKey<'_, K, A, S>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.acquire(key, permits).reserving()
    }

    /// As [`try_acquire`](Self::try_acquire), for permits that may be given back: see [`reserve`](Self::reserve).
    ///
    /// # Errors
    /// [`TryAcquireError`], which says when to come back.
    pub fn try_reserve<Q>(&self, key: &Q, permits: u32) -> Result<KeyReservation<K, A, S>, TryAcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        // A refusal needs neither a limiter nor room for a new key.
        self.peek(key, permits)?;
        if permits == 0 {
            return Ok(KeyReservation { permits, granted: None });
        }
        let tenant = self.tenancy(key.to_owned())?;
        let receipt = tenant.limiter().try_slowly(permits, self.keys.time.now())?;
        Ok(KeyReservation { permits, granted: Some((tenant, receipt)) })
    }
}

pin_project! {
    /// Waits for permits for a key that may be given back; made by [`KeyedLimiter::reserve`] and [`AcquireKey::reserving`].
    ///
    /// [`AcquireKey::reserving`]: super::AcquireKey::reserving
    ///
    /// # Time
    /// As that of [`AcquireKey`](super::AcquireKey).
    ///
    /// # Fairness
    /// For each key first come, first served, counted from the first poll, together with those who acquire.
    ///
    /// # Cancel safety
    /// Dropping it before it is ready takes no permits: its place in line is given up, permits that it was granted go back,
    /// and those behind it move forward at once.
    ///
    /// # Panics
    /// If it is polled after it was ready.
    #[must_use = "nothing is reserved unless this is awaited"]
    pub struct ReserveKey<'a, K, A: Algorithm = Gcra, S = RandomState> {
        #[pin]
        turn: KeyTurn<'a, K, A, S>,
    }
}

impl<'a, K, A: Algorithm, S> ReserveKey<'a, K, A, S> {
    pub(super) fn new(turn: KeyTurn<'a, K, A, S>) -> Self {
        Self { turn }
    }
}

impl<K: Hash + Eq, A: Algorithm, S: BuildHasher> Future for ReserveKey<'_, K, A, S> {
    type Output = Result<KeyReservation<K, A, S>, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let turn = self.project().turn;
        let permits = turn.permits();
        turn.poll(cx).map_ok(|granted| KeyReservation { permits, granted })
    }
}

impl<K, A: Algorithm, S> fmt::Debug for ReserveKey<'_, K, A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReserveKey").field(&self.turn).finish()
    }
}

//! What changes while the limiter is in use, for all keys and for one.

use super::limiter::KeyedLimiter;
use super::shard::Found;
use super::store::Ask;
use super::tenant::Tenant;
use crate::limit::decide::{Algorithm, Carry};
use crate::limit::error::TooManyKeys;
use crate::limit::gcra::Gcra;
use crate::limit::quota::Quota;
use crate::time::Instant;
use alloc::borrow::ToOwned;
use core::borrow::Borrow;
use core::hash::{BuildHasher, Hash};

impl<K, S> KeyedLimiter<K, Gcra, S> {
    /// What it grants to each key that has no quota of its own.
    pub fn quota(&self) -> Quota {
        self.algorithm().quota()
    }

    /// Has all keys [go on](Self::reconfigure) by another quota.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{Carry, KeyedLimiter, Quota};
    /// use wakeful::time::ManualClock;
    ///
    /// let [ten, forty] = [10, 40].map(|n| NonZeroU32::new(n).unwrap());
    /// let limiter = KeyedLimiter::<String>::new(&ManualClock::new().time(), Quota::per_second(ten).burst(ten));
    /// limiter.try_acquire("ann", 5).unwrap();
    /// limiter.set_quota(Quota::per_second(forty).burst(forty), Carry::Fraction);
    /// assert_eq!((limiter.available("ann"), limiter.available("bob")), (20, 40)); // half full as before, and full
    /// ```
    pub fn set_quota(&self, quota: Quota, carry: Carry) {
        self.reconfigure(Gcra::new(quota), carry);
    }
}

impl<K, A: Algorithm, S> KeyedLimiter<K, A, S> {
    /// Has all keys go on by other numbers, but for those that have [numbers of their own](Self::override_key). What a key has used
    /// or saved up is carried over as `carry` says, and whoever waits for it keeps his place: as
    /// [`Limiter::reconfigure`](crate::limit::Limiter::reconfigure) does. A key that is idle begins anew, with the first burst of
    /// the new numbers.
    ///
    /// It takes time for each key, and does some keys after the others: a thread that asks meanwhile may find the new numbers for
    /// one key and the old ones for another. Of two changes at once, one is the last for all keys.
    pub fn reconfigure(&self, algorithm: A, carry: Carry) {
        self.keys.renumber(algorithm, carry);
    }
}

impl<K: Hash + Eq, A: Algorithm, S: BuildHasher> KeyedLimiter<K, A, S> {
    /// Has `key` go on by numbers of its own, whether it is there already or not. What it has used or saved up is carried over as
    /// `carry` says, and whoever waits for it keeps his place: as [`Limiter::reconfigure`](crate::limit::Limiter::reconfigure)
    /// does.
    ///
    /// A key with numbers of its own is not dropped when it is idle, and takes the room of a limiter, until they are taken
    /// [back](Self::restore_key).
    ///
    /// # Errors
    /// [`TooManyKeys`] if the key is new, and there is no room for it.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{Carry, Gcra, KeyedLimiter, Quota};
    /// use wakeful::time::ManualClock;
    ///
    /// let [ten, hundred] = [10, 100].map(|n| NonZeroU32::new(n).unwrap());
    /// let limiter = KeyedLimiter::<String>::new(&ManualClock::new().time(), Quota::per_second(ten).burst(ten));
    /// limiter.override_key("paying", Gcra::new(Quota::per_second(hundred).burst(hundred)), Carry::Fraction).unwrap();
    /// assert_eq!((limiter.available("paying"), limiter.available("another")), (100, 10));
    /// limiter.try_acquire("paying", 50).unwrap();
    /// limiter.restore_key("paying", Carry::Fraction);
    /// assert_eq!(limiter.available("paying"), 5);
    /// ```
    pub fn override_key<Q>(&self, key: &Q, algorithm: A, carry: Carry) -> Result<(), TooManyKeys>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.enter(key)?.renumber(Some(algorithm), carry);
        Ok(())
    }

    /// Takes back what [`override_key`](Self::override_key) has given to `key`, if it has.
    pub fn restore_key<Q>(&self, key: &Q, carry: Carry)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(tenant) = self.busy(key) {
            tenant.renumber(None, carry);
        }
    }

    /// Grants nothing to `key` before `until`: as [`Limiter::penalize_until`](crate::limit::Limiter::penalize_until) does.
    ///
    /// # Errors
    /// [`TooManyKeys`] if the key is new, and there is no room for it.
    pub fn penalize_until<Q>(&self, key: &Q, until: Instant) -> Result<(), TooManyKeys>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.observe(key, 0, until)
    }

    /// Grants at most `remaining` permits to `key` until `reset`, and never more than it would by itself: as
    /// [`Limiter::observe`](crate::limit::Limiter::observe) does.
    ///
    /// # Errors
    /// [`TooManyKeys`] if the key is new, and there is no room for it.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::limit::{KeyedLimiter, Quota, TryAcquireError};
    /// use wakeful::time::ManualClock;
    ///
    /// let clock = ManualClock::new();
    /// let hosts = KeyedLimiter::<String>::new(&clock.time(), Quota::per_second(NonZeroU32::new(100).unwrap()));
    /// let reset = clock.time().now() + Duration::from_secs(60);
    /// hosts.observe("example.org", 0, reset).unwrap();
    /// assert_eq!(hosts.try_acquire("example.org", 1), Err(TryAcquireError::NotYet { earliest: reset }));
    /// assert_eq!(hosts.try_acquire("example.com", 1), Ok(()));
    /// ```
    pub fn observe<Q>(&self, key: &Q, remaining: u32, reset: Instant) -> Result<(), TooManyKeys>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.enter(key)?.limiter().observe(remaining, reset);
        Ok(())
    }

    /// Takes back what [`penalize_until`](Self::penalize_until) and [`observe`](Self::observe) have imposed on `key`.
    pub fn open<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(tenant) = self.busy(key) {
            tenant.limiter().open();
        }
    }

    /// Gives back `permits` that were acquired for `key`: as [`Limiter::refund`](crate::limit::Limiter::refund) does.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{KeyedLimiter, Quota};
    /// use wakeful::time::ManualClock;
    ///
    /// let five = NonZeroU32::new(5).unwrap();
    /// let limiter = KeyedLimiter::new(&ManualClock::new().time(), Quota::per_second(five).burst(five));
    /// limiter.try_acquire(&1, 5).unwrap();
    /// limiter.refund(&1, 2);
    /// assert_eq!(limiter.available(&1), 2);
    /// ```
    pub fn refund<Q>(&self, key: &Q, permits: u32)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        match self.busy(key) {
            Some(tenant) => tenant.limiter().refund(permits),
            None => self.keys.change(
                self.keys.place(key),
                |held| held.borrow() == key,
                |algorithm, state, now| {
                    algorithm.refund_latest(state, permits, now);
                },
            ),
        }
    }

    /// A user of `key`.
    fn enter<Q>(&self, key: &Q) -> Result<Tenant<K, A, S>, TooManyKeys>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.tenancy(key.to_owned())
    }

    /// A user of `key`, if it has a limiter of its own.
    fn busy<Q>(&self, key: &Q) -> Option<Tenant<K, A, S>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (place, now) = (self.keys.place(key), self.keys.time.now().as_nanos());
        let ask = Ask { permits: 0, now, takes: false };
        match self.keys.find(place, ask, |held| held.borrow() == key) {
            Found::Busy(gate, _) => Some(self.tenant(place, gate)),
            Found::Kept(_) | Found::Absent(_) => None,
        }
    }
}

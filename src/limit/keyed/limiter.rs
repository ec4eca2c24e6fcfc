//! The handle of a limiter for many keys.

use super::acquire::AcquireKey;
use super::keys::{Keys, Place};
use super::shard::{Found, Inside};
use super::store::{Answer, Ask};
use super::tenant::Tenant;
use crate::cancel::{Deadline, Scope};
use crate::limit::decide::Algorithm;
use crate::limit::error::{TooManyKeys, TryAcquireError};
use crate::limit::gcra::Gcra;
use crate::limit::quota::Quota;
use crate::limit::state::Gate;
use crate::sys::{Arc, Counter};
use crate::time::{Instant, Time};
use alloc::borrow::ToOwned;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::num::NonZeroUsize;
use foldhash::fast::RandomState;

/// Grants permits at a rate to each of many keys: clients by their address, tenants by their name. Clones share it. See the
/// [room](crate::limit) for what it promises.
///
/// Each key has what a [`Limiter`](crate::limit::Limiter) of its own would grant it, from its first burst on. A key that is full
/// again is *idle*: it is as good as one that never came, and is dropped, by the insertions of others, so that memory follows
/// the keys that are in use. While nobody waits for a key it takes its own size and 12 to 20 bytes for a [`Gcra`], times the
/// slack of a hash table.
///
/// # How many keys
/// As many as come, unless it is [bounded](Self::bounded). In one that is, a new key is refused while as many are held as may be
/// and none of them is idle. No other key makes way for it: that would forget what the other has spent, and whoever has many
/// names could have his debts forgotten. What to do with strangers in a flood is for the caller to say: let them pass, turn
/// them away, or have all of them share one key.
///
/// # Time
/// Reads the clock of the [`Time`] that it was made with, once a call, and twice where somebody begins to wait. Exact to the
/// nanosecond. A reading that is earlier than the latest which the key was told counts as one between that and the latest
/// which the limiter was told.
///
/// # Fairness
/// For each key first come, first served. Keys don't wait for each other.
///
/// # Hashing
/// Keys are hashed, cloned and dropped outside all locks; under one they are compared (`Eq`). The hash is seeded, and fast: it
/// keeps chance and simple mischief from piling keys up. Against somebody who chooses keys, sees how long answers take and
/// has patience take that of the [standard library](std::hash::RandomState), by [`with_hasher`](Self::with_hasher).
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use wakeful::limit::{KeyedLimiter, Quota};
/// use wakeful::time::ManualClock;
///
/// let quota = Quota::per_second(NonZeroU32::new(10).unwrap());
/// let limiter = KeyedLimiter::<String>::new(&ManualClock::new().time(), quota);
/// assert!(limiter.try_acquire("ann", 1).is_ok());
/// assert!(limiter.try_acquire("bob", 1).is_ok());
/// assert!(limiter.try_acquire("ann", 1).is_err());
/// ```
pub struct KeyedLimiter<K, A: Algorithm = Gcra, S = RandomState> {
    pub(in crate::limit) keys: Arc<Keys<K, A, S>>,
}

/// What came of an attempt by a counter.
enum Counted {
    Granted,
    /// Not before this instant.
    NotYet(u64),
    /// That is not to be told by the reading that was made, and the key alone.
    Unknown(u64),
}

impl<K: Hash + Eq> KeyedLimiter<K> {
    /// A limiter by the clock of `time` that grants `quota` to each key, of which there may be any number.
    pub fn new(time: &Time, quota: Quota) -> Self {
        Self::with(time, Gcra::new(quota))
    }
}

impl<K: Hash + Eq, A: Algorithm> KeyedLimiter<K, A> {
    /// A limiter that decides for each key by `algorithm`.
    pub fn with(time: &Time, algorithm: A) -> Self {
        Self::with_hasher(time, algorithm, None, RandomState::default())
    }

    /// The same, for `most` keys that are not idle.
    ///
    /// # Examples
    /// ```
    /// use core::num::{NonZeroU32, NonZeroUsize};
    /// use wakeful::limit::{Gcra, KeyedLimiter, Quota, TryAcquireError};
    /// use wakeful::time::ManualClock;
    ///
    /// let clock = ManualClock::new();
    /// let gcra = Gcra::new(Quota::per_second(NonZeroU32::MIN));
    /// let limiter = KeyedLimiter::bounded(&clock.time(), gcra, NonZeroUsize::new(2).unwrap());
    /// limiter.try_acquire(&1, 1).unwrap();
    /// limiter.try_acquire(&2, 1).unwrap();
    /// let Err(TryAcquireError::TooManyKeys(error)) = limiter.try_acquire(&3, 1) else { panic!("there is no room") };
    /// clock.advance_to(error.earliest());
    /// limiter.try_acquire(&3, 1).unwrap(); // the others are idle again
    /// ```
    pub fn bounded(time: &Time, algorithm: A, most: NonZeroUsize) -> Self {
        Self::with_hasher(time, algorithm, Some(most), RandomState::default())
    }
}

impl<K: Hash + Eq, A: Algorithm, S: BuildHasher> KeyedLimiter<K, A, S> {
    /// The same, with as many keys as come if there is no bound, and hashed by `hasher`.
    ///
    /// One that is not seeded at random makes runs the same that are compared in every detail, the simulator's among them. No
    /// decision depends on it.
    pub fn with_hasher(time: &Time, algorithm: A, most: Option<NonZeroUsize>, hasher: S) -> Self {
        Self { keys: Arc::new(Keys::new(time, algorithm, most, hasher)) }
    }

    /// Takes `permits` for `key` if nobody waits for it and its quota allows it at this instant. None at all are granted always.
    ///
    /// # Errors
    /// [`TryAcquireError`], which says when to come back.
    #[inline(always)] // What is called is below.
    pub fn try_acquire<Q>(&self, key: &Q, permits: u32) -> Result<(), TryAcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        match self.keys.reading.counter() {
            Some(counter) => match self.try_counting(counter, key, permits) {
                Counted::Granted => Ok(()),
                Counted::NotYet(at) => Err(TryAcquireError::NotYet { earliest: Instant::from_nanos(at) }),
                Counted::Unknown(now) => self.try_told(key, Instant::from_nanos(now), permits),
            },
            None => self.try_asking(key, permits),
        }
    }

    /// By a clock that may take its time, or is the user's, and so is read outside the lock. A call of its own, so that
    /// whoever asks gets no more than a short path to what is below.
    #[inline(never)]
    fn try_asking<Q>(&self, key: &Q, permits: u32) -> Result<(), TryAcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.try_acquire_at(key, self.keys.time.now(), permits)
    }

    #[cold]
    #[inline(never)]
    fn try_told<Q>(&self, key: &Q, now: Instant, permits: u32) -> Result<(), TryAcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.try_slowly(key, self.keys.place(key), now, permits)
    }

    /// By a counter, which is read under the lock, once the key is found: a processor that has to read before it locks does not
    /// look for the key in the meantime. It is one call, and its answer fits into registers, since more is seen.
    #[inline(never)]
    fn try_counting<Q>(&self, counter: &Counter, key: &Q, permits: u32) -> Counted
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut read = None;
        let now = || *read.insert(counter.nanos());
        match self.keys.take_quickly(self.keys.place(key), permits, now, |held| held.borrow() == key) {
            Some(Answer::Now) => Counted::Granted,
            Some(Answer::At(at)) => Counted::NotYet(at),
            _ => Counted::Unknown(read.unwrap_or_else(|| self.read())),
        }
    }

    #[cold]
    #[inline(never)]
    fn read(&self) -> u64 {
        self.keys.time.now().as_nanos()
    }

    /// As [`try_acquire`](Self::try_acquire), with a reading of the limiter's clock that the caller has already made.
    ///
    /// # Errors
    /// [`TryAcquireError`], which says when to come back.
    #[inline]
    pub fn try_acquire_at<Q>(&self, key: &Q, now: Instant, permits: u32) -> Result<(), TryAcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let place = self.keys.place(key);
        match self.keys.take_quickly(place, permits, || now.as_nanos(), |held| held.borrow() == key) {
            Some(answer) => Self::judge(permits, answer),
            None => self.try_slowly(key, place, now, permits),
        }
    }

    /// Whatever is in the way.
    #[cold]
    fn try_slowly<Q>(&self, key: &Q, place: Place, now: Instant, permits: u32) -> Result<(), TryAcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut ask = Self::ask(permits, now, true);
        loop {
            match self.keys.find(place, ask, |held| held.borrow() == key) {
                Found::Busy(gate, told) => return self.tenant(place, gate).limiter().try_acquire_at(told, permits),
                Found::Kept(answer) => return Self::judge(permits, answer),
                Found::Absent(_) if permits == 0 => return Ok(()),
                Found::Absent(told) => {
                    ask = Ask { now: told, ..ask };
                    if self.keys.enter(place, ask, key.to_owned())?.is_none() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// What an answer of the store comes to.
    #[inline]
    fn judge(permits: u32, answer: Answer) -> Result<(), TryAcquireError> {
        match answer {
            Answer::Now => Ok(()),
            Answer::At(at) => Err(TryAcquireError::NotYet { earliest: Instant::from_nanos(at) }),
            Answer::Exceeds(burst) => Err(TryAcquireError::ExceedsBurst { permits, burst }),
        }
    }

    /// Whether `permits` could be taken for `key` at this instant, without taking them.
    ///
    /// # Errors
    /// What [`try_acquire`](Self::try_acquire) would say, but for a key for which there may be no room.
    pub fn peek<Q>(&self, key: &Q, permits: u32) -> Result<(), TryAcquireError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (place, now) = (self.keys.place(key), self.keys.time.now());
        match self.keys.find(place, Self::ask(permits, now, false), |held| held.borrow() == key) {
            Found::Kept(answer) => Self::judge(permits, answer),
            Found::Busy(gate, _) => self.tenant(place, gate).limiter().peek(permits),
            Found::Absent(_) => Ok(()),
        }
    }

    /// How many permits could be taken at once for `key` at this instant; none while anybody waits for it.
    pub fn available<Q>(&self, key: &Q) -> u32
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (place, now) = (self.keys.place(key), self.keys.time.now().as_nanos());
        let available = |inside: &mut Inside<K, A>| inside.available(now, place.tag, |held| held.borrow() == key);
        match self.keys.shard(place).with(available) {
            Ok(available) => available,
            Err(gate) => self.tenant(place, gate).limiter().available(),
        }
    }

    #[inline]
    fn ask(permits: u32, now: Instant, takes: bool) -> Ask {
        Ask { permits, now: now.as_nanos(), takes }
    }

    /// The user that a limiter was found with.
    pub(super) fn tenant(&self, place: Place, gate: Arc<Gate<A>>) -> Tenant<K, A, S> {
        Tenant::of(&self.keys, place, gate)
    }

    /// A user of `key`.
    pub(in crate::limit) fn tenancy(&self, key: K) -> Result<Tenant<K, A, S>, TooManyKeys> {
        Tenant::new(&self.keys, self.keys.place(&key), key)
    }

    /// Waits for the turn of whoever comes for `key`, and takes `permits`. None at all are granted at once.
    ///
    /// A key has a line only while somebody waits for it.
    ///
    /// # Errors
    /// At once those of [`Limiter::acquire`], and [`AcquireError::TooManyKeys`](crate::limit::AcquireError::TooManyKeys).
    ///
    /// [`Limiter::acquire`]: crate::limit::Limiter::acquire
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::limit::{KeyedLimiter, Quota};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let limiter = KeyedLimiter::<u64>::new(&sim.time(), Quota::per_second(NonZeroU32::new(10).unwrap()));
    ///     let start = sim.now();
    ///     for _ in 0..11 {
    ///         limiter.acquire(&7, 1).await.unwrap();
    ///         limiter.acquire(&8, 1).await.unwrap();
    ///     }
    ///     assert_eq!(sim.now() - start, Duration::from_secs(1));
    /// });
    /// ```
    pub fn acquire<Q>(&self, key: &Q, permits: u32) -> AcquireKey<'_, K, A, S>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        AcquireKey::new(&self.keys, key.to_owned(), permits, Deadline::Never)
    }

    /// As [`acquire`](Self::acquire), if the turn comes before `deadline`: as [`Limiter::acquire_before`] does.
    ///
    /// # Errors
    /// [`AcquireError::TooLate`](crate::limit::AcquireError::TooLate) at once, with the instant that it would have needed, and
    /// those of `acquire`.
    ///
    /// [`Limiter::acquire_before`]: crate::limit::Limiter::acquire_before
    pub fn acquire_before<Q>(&self, key: &Q, permits: u32, deadline: Instant) -> AcquireKey<'_, K, A, S>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        AcquireKey::new(&self.keys, key.to_owned(), permits, deadline.into())
    }

    /// As [`acquire_before`](Self::acquire_before), with the effective deadline that `scope` has at this call: as
    /// [`Limiter::acquire_in`] does.
    ///
    /// # Errors
    /// As those of `acquire_before`, and [`AcquireError::Cancelled`](crate::limit::AcquireError::Cancelled) if the scope is
    /// cancelled at this call.
    ///
    /// [`Limiter::acquire_in`]: crate::limit::Limiter::acquire_in
    pub fn acquire_in<Q>(&self, scope: &Scope, key: &Q, permits: u32) -> AcquireKey<'_, K, A, S>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        AcquireKey::new(&self.keys, key.to_owned(), permits, scope.effective_deadline())
    }

    /// Whether `self` and `other` are one limiter.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.keys, &other.keys)
    }
}

impl<K, A: Algorithm, S> KeyedLimiter<K, A, S> {
    /// What it decides by for each key that has no numbers of its own.
    pub fn algorithm(&self) -> A {
        self.keys.algorithm()
    }

    /// How many keys there may be that are not idle, if that is bounded.
    pub fn most_keys(&self) -> Option<usize> {
        self.keys.most()
    }

    /// Drops all keys that are idle, gives back the memory that is not needed then, and says how many keys are left.
    ///
    /// Insertions do the first by and by. To be called, if at all, after a flood, or to know the number; it takes time for each
    /// key.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::limit::{KeyedLimiter, Quota};
    /// use wakeful::time::ManualClock;
    ///
    /// let clock = ManualClock::new();
    /// let limiter = KeyedLimiter::new(&clock.time(), Quota::per_second(NonZeroU32::MIN));
    /// for client in 0..1000 {
    ///     limiter.try_acquire(&client, 1).unwrap();
    /// }
    /// clock.advance(Duration::from_millis(999));
    /// assert_eq!(limiter.sweep(), 1000);
    /// clock.advance(Duration::from_millis(1));
    /// assert_eq!(limiter.sweep(), 0);
    /// ```
    pub fn sweep(&self) -> usize {
        self.keys.sweep()
    }
}

impl<K, A: Algorithm, S> Clone for KeyedLimiter<K, A, S> {
    fn clone(&self) -> Self {
        Self { keys: self.keys.clone() }
    }
}

impl<K, A: Algorithm, S> fmt::Debug for KeyedLimiter<K, A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedLimiter")
            .field("algorithm", &self.algorithm())
            .field("most_keys", &self.most_keys())
            .finish_non_exhaustive()
    }
}

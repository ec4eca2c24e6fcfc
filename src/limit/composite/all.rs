//! The value that says which limits.

use super::acquire::{AcquireAll, Pass};
use super::error::{AcquireAllError, TryAcquireAllError};
use super::source::{Key, Source};
use super::stand::{Ask, Decision, How, Stand, Stands};
use crate::cancel::{Deadline, Scope};
use crate::limit::decide::Algorithm;
use crate::limit::error::TooManyKeys;
use crate::limit::keyed::KeyedLimiter;
use crate::limit::limiter::Limiter;
use crate::sync::Semaphore;
use crate::time::Instant;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;

/// Several limits at once: a hundred a second, and two thousand a minute, and ten for each client, and five in flight.
///
/// All or nothing: the permits of all limiters are taken at one instant, the first at which each of them allows it, and nothing
/// before. Who is dropped half-way, or refused, has spent nothing anywhere. Permits of semaphores are held while those of
/// limiters are waited for: they come first, so that none of a limiter is out of date when there is room at last.
///
/// A composite is made of handles. It is made once and asked often, or made for a call, where a key is part of it. Asking
/// allocates for each limit, which a single [`Limiter`] does not.
///
/// # Fairness
/// At each limiter first come, first served, together with those who want that one alone; at each semaphore too. So the first
/// in a line who also wants what another limit does not grant yet keeps those behind it waiting, who are told no more than the
/// instant before which it can't be their turn. Nobody is overtaken, and nobody waits for ever.
///
/// Composites that share limits don't wait for each other in a circle, in whatever order they name them: each takes its
/// semaphores in one order that is the same for all, and then its places in all lines at once.
///
/// # Examples
/// ```
/// use core::num::NonZeroU32;
/// use core::time::Duration;
/// use wakeful::limit::{Composite, KeyedLimiter, Limiter, Quota};
/// use wakeful::sync::Semaphore;
///
/// wakeful::sim::run(|sim| async move {
///     let [ten, hundred, two_thousand] = [10, 100, 2_000].map(|n| NonZeroU32::new(n).unwrap());
///     let (second, minute) = (Quota::per_second(hundred), Quota::per_minute(two_thousand).burst(two_thousand));
///     let (second, minute) = (Limiter::new(&sim.time(), second), Limiter::new(&sim.time(), minute));
///     let clients = KeyedLimiter::<String>::new(&sim.time(), Quota::per_second(ten));
///     let in_flight = Semaphore::new(5);
///
///     let service = Composite::new().limiter(&second, 1).limiter(&minute, 1).semaphore(&in_flight, 1);
///     let start = sim.now();
///     for _ in 0..3 {
///         let for_ann = service.clone().key(&clients, "ann", 1);
///         let pass = for_ann.acquire().await.unwrap();
///         assert_eq!(in_flight.available(), 4);
///         drop(pass); // the call is over
///     }
///     assert_eq!(sim.now() - start, Duration::from_millis(200));
///     assert_eq!(minute.available(), 1_999);
/// });
/// ```
#[derive(Default)]
#[must_use = "nothing is limited unless it is asked"]
pub struct Composite {
    limits: Vec<(Box<dyn Source>, u32)>,
    pub(super) semaphores: Vec<(Semaphore, usize)>,
}

/// What it asks are limiters and semaphores, each of which is.
impl UnwindSafe for Composite {}
impl RefUnwindSafe for Composite {}

impl Composite {
    /// No limits so far: all is granted.
    pub fn new() -> Self {
        Self::default()
    }

    /// And `permits` of `limiter`. Of one that is named twice, the sum is wanted.
    pub fn limiter<A: Algorithm>(mut self, limiter: &Limiter<A>, permits: u32) -> Self {
        self.limits.push((Box::new(limiter.clone()), permits));
        self
    }

    /// And `permits` for a key of `limiter`.
    pub fn key<K, A, S, Q>(mut self, limiter: &KeyedLimiter<K, A, S>, key: &Q, permits: u32) -> Self
    where
        K: Hash + Eq + Clone + Send + Sync + Borrow<Q> + 'static,
        A: Algorithm,
        S: BuildHasher + Send + Sync + 'static,
        Q: ToOwned<Owned = K> + ?Sized,
    {
        self.limits.push((Box::new(Key { limiter: limiter.clone(), key: key.to_owned() }), permits));
        self
    }

    /// And `permits` of `semaphore`, which are given back with the [`Pass`].
    ///
    /// # Panics
    /// If they are more than [`Semaphore::MAX_PERMITS`].
    #[track_caller]
    pub fn semaphore(mut self, semaphore: &Semaphore, permits: usize) -> Self {
        let known = self.semaphores.iter().position(|(known, _)| known.same(semaphore));
        let place = known.unwrap_or_else(|| {
            self.semaphores.push((semaphore.clone(), 0));
            self.semaphores.len() - 1
        });
        let sum = self.semaphores[place].1.saturating_add(permits);
        assert!(sum <= Semaphore::MAX_PERMITS, "there are never {sum} permits");
        self.semaphores[place].1 = sum;
        // In one order for all who wait for several.
        self.semaphores.sort_by_key(|(semaphore, _)| semaphore.order());
        self
    }

    /// Takes all permits, if all of them can be had at this instant and nobody waits for any.
    ///
    /// # Errors
    /// [`TryAcquireAllError`], which says when to come back if it is for limiters.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{Composite, Limiter, Quota, TryAcquireAllError};
    /// use wakeful::sync::Semaphore;
    /// use wakeful::time::ManualClock;
    ///
    /// let clock = ManualClock::new();
    /// let two = NonZeroU32::new(2).unwrap();
    /// let (limiter, one) = (Limiter::new(&clock.time(), Quota::per_second(two).burst(two)), Semaphore::new(1));
    /// let both = Composite::new().limiter(&limiter, 1).semaphore(&one, 1);
    /// let pass = both.try_acquire().unwrap();
    /// assert_eq!(both.try_acquire().unwrap_err(), TryAcquireAllError::NoPermits);
    /// assert_eq!(limiter.available(), 1); // nothing of it was spent
    /// drop(pass);
    /// assert!(both.try_acquire().is_ok());
    /// ```
    pub fn try_acquire(&self) -> Result<Pass<'_>, TryAcquireAllError> {
        let mut permits = Vec::with_capacity(self.semaphores.len());
        for (semaphore, count) in &self.semaphores {
            permits.push(semaphore.try_acquire_many(*count)?);
        }
        let ask = Ask { how: How::Try, deadline: Deadline::Never };
        match self.stands()?.decide(ask, None) {
            Decision::Refuse(refusal) => Err(refusal.of_try().into()),
            _ => Ok(Pass::new(permits)),
        }
    }

    /// Waits until all permits can be had, and takes them.
    ///
    /// # Errors
    /// [`AcquireAllError`] at once, if more than a burst is wanted, or there is no room for a new key or in a
    /// [`LeakyQueue`](crate::limit::LeakyQueue); and if a semaphore is closed, be it while this waits for its permits.
    pub fn acquire(&self) -> AcquireAll<'_> {
        AcquireAll::new(self, Deadline::Never)
    }

    /// The same, if that is before `deadline`.
    ///
    /// What can be said of the limiters is said at once: the latest of the instants at which each would grant its own, those
    /// ahead counted. Where semaphores are waited for, or somebody ahead waits for several limits, it may come to be too late
    /// afterwards; then it is given up at the deadline, or when permits of semaphores come after it.
    ///
    /// # Errors
    /// As those of [`acquire`](Self::acquire), and [`AcquireError::TooLate`](crate::limit::AcquireError::TooLate).
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::limit::{AcquireAllError, AcquireError, Composite, Limiter, Quota};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let [one, sixty] = [1, 60].map(|n| NonZeroU32::new(n).unwrap());
    ///     let (second, minute) = (Quota::per_second(one).burst(sixty), Quota::per_minute(one));
    ///     let (second, minute) = (Limiter::new(&sim.time(), second), Limiter::new(&sim.time(), minute));
    ///     let both = Composite::new().limiter(&second, 1).limiter(&minute, 1);
    ///     both.acquire().await.unwrap();
    ///
    ///     let earliest = sim.now() + Duration::from_secs(60);
    ///     let deadline = sim.now() + Duration::from_secs(10);
    ///     let refused = both.acquire_before(deadline).await.unwrap_err();
    ///     assert_eq!(refused, AcquireAllError::Limit(AcquireError::TooLate { earliest, deadline }));
    ///     assert_eq!(second.available(), 59);
    /// });
    /// ```
    pub fn acquire_before(&self, deadline: Instant) -> AcquireAll<'_> {
        AcquireAll::new(self, deadline.into())
    }

    /// As [`acquire_before`](Self::acquire_before), with the effective deadline that `scope` has at this call.
    ///
    /// # Errors
    /// As those of `acquire_before`, and [`AcquireError::Cancelled`](crate::limit::AcquireError::Cancelled) if the scope is
    /// cancelled at this call.
    pub fn acquire_in(&self, scope: &Scope) -> AcquireAll<'_> {
        AcquireAll::new(self, scope.effective_deadline())
    }

    /// Waits until all permits can be had, takes them, and calls `f`; what semaphores gave goes back when it is over.
    ///
    /// # Fairness
    /// As that of [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    /// Dropped before its turn has come it takes nothing, and `f` is not called. As soon as `f` has been called, the permits of
    /// limiters are spent; those of semaphores go back when it is dropped.
    ///
    /// # Errors
    /// As those of `acquire`. `f` has not been called then.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use wakeful::limit::{Composite, Limiter, Quota};
    /// use wakeful::sync::Semaphore;
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let limiter = Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::MIN));
    ///     let both = Composite::new().limiter(&limiter, 1).semaphore(&Semaphore::new(1), 1);
    ///     assert_eq!(both.call(async || "hello").await, Ok("hello"));
    /// });
    /// ```
    pub async fn call<T>(&self, f: impl AsyncFnOnce() -> T) -> Result<T, AcquireAllError> {
        let _pass = self.acquire().await?;
        Ok(f().await)
    }

    /// Places at all limiters of which anything is wanted.
    pub(super) fn stands(&self) -> Result<Stands, TooManyKeys> {
        let mut stands: Vec<Pin<Box<dyn Stand>>> = Vec::with_capacity(self.limits.len());
        for (source, permits) in self.limits.iter().filter(|(_, permits)| *permits > 0) {
            let stand = source.stand(*permits)?;
            match stands.iter_mut().find(|known| known.address() == stand.address()) {
                Some(known) => known.as_mut().add(*permits),
                None => stands.push(stand),
            }
        }
        Ok(Stands::new(stands))
    }
}

impl Clone for Composite {
    fn clone(&self) -> Self {
        let limits = self.limits.iter().map(|(source, permits)| (source.again(), *permits)).collect();
        Self { limits, semaphores: self.semaphores.clone() }
    }
}

impl fmt::Debug for Composite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composite").field("limiters", &self.limits.len()).field("semaphores", &self.semaphores).finish()
    }
}

//! Calls that wait for their turn.

use super::decide::Algorithm;
use super::error::AcquireError;
use super::limiter::Limiter;
use crate::cancel::Scope;

impl<A: Algorithm> Limiter<A> {
    /// Waits for its turn, takes one permit, and calls `f`.
    ///
    /// For calls of a service that counts them: what would take a stack of layers elsewhere is a line here. What has to be
    /// given back if it turns out not to be needed takes a [reservation](Self::reserve).
    ///
    /// # Fairness
    /// First come, first served, counted from the first poll, together with those who acquire.
    ///
    /// # Cancel safety
    /// Dropped before its turn has come it takes nothing, and `f` is not called. As soon as `f` has been called, the permit is
    /// spent, whatever comes of it.
    ///
    /// # Errors
    /// [`AcquireError::Full`] at once, if the limiter is a [`LeakyQueue`](super::LeakyQueue) without room.
    ///
    /// # Examples
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use wakeful::limit::{Limiter, Quota};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let (limiter, time) = (Limiter::new(&sim.time(), Quota::per_second(NonZeroU32::new(2).unwrap())), sim.time());
    ///     let start = sim.now();
    ///     let mut pages = Vec::new();
    ///     for page in 1..=3 {
    ///         let called = limiter.call(async || {
    ///             time.sleep(Duration::from_millis(100)).await; // the server answers
    ///             (page, time.now() - start)
    ///         });
    ///         pages.push(called.await.unwrap());
    ///     }
    ///     assert_eq!(pages, [(1, 100), (2, 600), (3, 1100)].map(|(page, at)| (page, Duration::from_millis(at))));
    /// });
    /// ```
    pub async fn call<T>(&self, f: impl AsyncFnOnce() -> T) -> Result<T, AcquireError> {
        self.acquire(1).await?;
        Ok(f().await)
    }

    /// As [`call`](Self::call), if the turn comes before the effective deadline that `scope` has at the first poll: a call that
    /// could not begin in time is refused at once.
    ///
    /// # Cancel safety
    /// As that of `call`.
    ///
    /// # Errors
    /// As those of [`acquire_in`](Self::acquire_in). `f` has not been called then.
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
    ///     let scope = Scope::new(sim.time());
    ///     let called = scope.move_on_after(Duration::from_millis(900), async |s| {
    ///         assert_eq!(limiter.call_in(s, async || "hello").await, Ok("hello"));
    ///         limiter.call_in(s, async || "again").await
    ///     });
    ///     let refused = called.await.done().unwrap();
    ///     assert!(matches!(refused, Err(AcquireError::TooLate { .. })));
    ///     assert_eq!(sim.now().as_nanos(), 0);
    /// });
    /// ```
    pub async fn call_in<T>(&self, scope: &Scope, f: impl AsyncFnOnce() -> T) -> Result<T, AcquireError> {
        self.acquire_in(scope, 1).await?;
        Ok(f().await)
    }
}

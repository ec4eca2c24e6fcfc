//! Scopes with a deadline around a body that receives them.
#![expect(unsafe_code, reason = "the inner scope refers to the outer one, which its future borrows")]

use super::outcome::{FailError, Outcome};
use super::run::Run;
use super::scope::Scope;
use super::stay::refuse;
use crate::time::Instant;
use core::time::Duration;

impl Scope {
    /// Runs `body` in a scope inside this one that ends at `at`; goes on without its result if it is cut short.
    ///
    /// The inner scope lives in the returned future: nothing is allocated unless `body` clones it, cancels it or moves its
    /// deadline.
    ///
    /// # Cancel safety
    /// Dropping the future drops the body.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::{Deadline, Outcome, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let at = scope.now() + Duration::from_secs(3);
    ///     let outcome = scope.move_on_at(at, async |s| s.effective_deadline()).await;
    ///     assert_eq!(outcome, Outcome::Done(Deadline::At(at)));
    /// });
    /// ```
    pub async fn move_on_at<T>(&self, at: Instant, body: impl AsyncFnOnce(&Scope) -> T) -> Outcome<T> {
        // SAFETY: the inner scope is a local of this future, which borrows `self` for all of its life; `body` gets it by
        // shared reference for any lifetime, so it can't keep it.
        let inner = unsafe { Scope::inside(self, at) };
        if inner.check().is_err() {
            return refuse(&inner).await;
        }
        Run::checked(&inner, body(&inner)).await
    }

    /// As [`move_on_at`](Self::move_on_at), with `duration` counted from the first poll.
    ///
    /// # Cancel safety
    /// Dropping the future drops the body.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::{Outcome, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let read = async |s: &Scope| {
    ///         s.sleep(Duration::from_secs(2)).await;
    ///         "the page"
    ///     };
    ///     assert_eq!(scope.move_on_after(Duration::from_secs(3), read).await, Outcome::Done("the page"));
    ///     assert!(scope.move_on_after(Duration::from_secs(1), read).await.is_cancelled());
    ///     assert_eq!(sim.now().as_nanos(), 3_000_000_000);
    /// });
    /// ```
    pub async fn move_on_after<T>(&self, duration: Duration, body: impl AsyncFnOnce(&Scope) -> T) -> Outcome<T> {
        let now = self.now();
        // SAFETY: as in `move_on_at`.
        let inner = unsafe { Scope::inside(self, now + duration) };
        if inner.check_at(now).is_err() {
            return refuse(&inner).await;
        }
        Run::checked(&inner, body(&inner)).await
    }

    /// Runs `body` in a scope inside this one that ends at `at`; being cut short is an error.
    ///
    /// # Errors
    /// [`FailError::TimedOut`] if `at` was reached first, [`FailError::Cancelled`] if something else cancelled it. A body
    /// that returns a `Result` gives a nested one, so that its errors are not mixed with these.
    ///
    /// # Cancel safety
    /// Dropping the future drops the body.
    pub async fn fail_at<T>(&self, at: Instant, body: impl AsyncFnOnce(&Scope) -> T) -> Result<T, FailError> {
        Ok(self.move_on_at(at, body).await.into_result()?)
    }

    /// As [`fail_at`](Self::fail_at), with `duration` counted from the first poll.
    ///
    /// # Errors
    /// As [`fail_at`](Self::fail_at).
    ///
    /// # Cancel safety
    /// Dropping the future drops the body.
    ///
    /// # Examples
    /// ```
    /// use core::time::Duration;
    /// use wakeful::cancel::{FailError, Scope};
    ///
    /// wakeful::sim::run(|sim| async move {
    ///     let scope = Scope::new(sim.time());
    ///     let late = scope.fail_after(Duration::from_secs(1), async |s| s.sleep(Duration::MAX).await).await;
    ///     assert!(matches!(late, Err(FailError::TimedOut(_))));
    /// });
    /// ```
    pub async fn fail_after<T>(&self, duration: Duration, body: impl AsyncFnOnce(&Scope) -> T) -> Result<T, FailError> {
        Ok(self.move_on_after(duration, body).await.into_result()?)
    }
}

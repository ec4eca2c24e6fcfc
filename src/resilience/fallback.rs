//! Something else where a call has failed.

/// Calls `first`, and `second` with the error if that has failed.
///
/// For what is worse than an answer and better than none: one from a cache, a default, another service. It is not for hiding
/// errors: whoever reads the result should be able to tell. A panic is not an error, and what is cut short by a scope does not
/// fail: put the deadline of the first call inside it, so that there is time left for the second.
///
/// # Cancel safety
/// Dropping it drops the call that runs; `second` is not called then.
///
/// # Errors
/// That of `second`.
///
/// # Examples
/// ```
/// use core::time::Duration;
/// use wakeful::cancel::{FailError, Scope};
/// use wakeful::resilience::fallback;
///
/// wakeful::sim::run(|sim| async move {
///     let (scope, second) = (Scope::new(sim.time()), Duration::from_secs(1));
///     let price = fallback(
///         async || scope.fail_after(second, async |s| (s.sleep(9 * second).await, 120).1).await.map(|price| (price, "now")),
///         async |error: FailError| match error {
///             FailError::TimedOut(_) => Ok((117, "yesterday")),
///             FailError::Cancelled(cancelled) => Err(cancelled),
///         },
///     );
///     assert_eq!(price.await, Ok((117, "yesterday")));
///     assert_eq!(sim.now().as_nanos(), 1_000_000_000);
/// });
/// ```
pub async fn fallback<T, E, F>(
    first: impl AsyncFnOnce() -> Result<T, E>,
    second: impl AsyncFnOnce(E) -> Result<T, F>,
) -> Result<T, F> {
    match first().await {
        Ok(value) => Ok(value),
        Err(error) => second(error).await,
    }
}

//! Calls of services that fail, hang, or have too much to do.
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | call again what failed | [`Retry`] |
//! | say after which delays | a [`Schedule`]: [`Exponential`], [`Constant`], [`Fibonacci`], [`Decorrelated`] |
//! | not have all come back together | [`Schedule::jitter`] |
//! | retry some errors only, or when the server says | [`Retry::when`], [`retry_after`] |
//! | not multiply the load of a service that is down | [`RetryBudget`] |
//! | log or count retries | [`Retry::notify`] |
//! | not call what is known to fail | [`CircuitBreaker`], [`CircuitBreakers`] by key |
//! | say what counts as a failure of the service | [`CircuitBreaker::call_with`], [`CircuitBreaker::admit`] |
//! | hear of a breaker that opens | [`CircuitBreaker::with_listener`] |
//! | not have all tasks wait for one service | [`Bulkhead`] |
//! | cut off the few answers that take very long | [`Hedge`], after a delay or a quantile of [`Latencies`] |
//! | do something else when all is in vain | [`fallback`] |
//! | end in time | a [scope](crate::cancel::Scope) with a deadline, which a retry knows of beforehand |
//!
//! # What is promised
//!
//! - **R1** A schedule is a pure function of its state, the time passed and a seed. Delays saturate, and never is the end.
//! - **R2** An attempt begins exactly when the schedule says, or later if the server asks for that. A wait that would not be
//!   over before the effective deadline is not begun: the error comes at once.
//! - **R3** No more is retried than the budget allows, and what did not begin is not charged.
//! - **R4** A closed breaker opens by the first result with which a rate is reached, and lets nobody through from then on until its
//!   open time is over; half-open it lets in no more than its probes. Results count only for the state in which their calls
//!   began, dropped calls for none: a probe that is dropped makes room for another.
//! - **R5** Of a [`Bulkhead`] no more are in flight, and no more wait, than it says; nobody is turned away while there is room, and
//!   who waits is served in order.
//! - **R6** Of a [`Hedge`] the first that is well wins, and the others are dropped before its answer is given.
//!
//! # The order of composition
//!
//! Each of these is a function that takes a closure, so they compose by being called inside one another; there are no layers, and
//! nothing is boxed. The order says what is meant, from outside inwards:
//!
//! | order | means |
//! |---|---|
//! | deadline, then retry | all attempts together have so long; the retry gives up before one that would not begin in time |
//! | retry, then deadline | each attempt has so long, and one that times out is retried |
//! | retry, then breaker | each attempt is counted; when it opens, the attempts that are left wait for it, or fail at once |
//! | breaker, then retry | only what failed to the last attempt is counted: a service is asked long before it is left alone |
//! | retry, then bulkhead | a seat is held by attempts, not by the waits between them: what the service has to do is bounded |
//! | bulkhead, then retry | a seat is held until the end: how many callers wait for the service is bounded |
//! | bulkhead, then breaker | being full is no failure of the service |
//! | breaker, then bulkhead | being full counts as a failure, unless [`call_with`](CircuitBreaker::call_with) leaves it out |
//! | breaker, then deadline | what takes too long is a failure |
//! | deadline, then breaker | what takes too long is dropped, and not counted |
//! | retry, then hedge | each attempt may be doubled |
//! | hedge, then retry | each of the two retries for itself: as many calls as attempts times two |
//! | retry, then a [limiter](crate::limit::Limiter::call_in) | each attempt takes a permit |
//! | fallback, then all others | when everything has failed |
//!
//! For most calls: a fallback, a deadline for all of it, a retry, a bulkhead, a breaker, a deadline for each attempt.
//!
//! ```
//! use core::cell::Cell;
//! use core::num::NonZeroU32;
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::resilience::{
//!     BreakerConfig, Bulkhead, BulkheadConfig, CircuitBreaker, Exponential, Retry, Schedule, fallback,
//! };
//!
//! wakeful::sim::run(|sim| async move {
//!     let (scope, ms) = (Scope::new(sim.time()), Duration::from_millis);
//!     let bulkhead = Bulkhead::new(&sim.time(), BulkheadConfig::new(NonZeroU32::new(20).unwrap()).waiting(100));
//!     let breaker = CircuitBreaker::new(&sim.time(), BreakerConfig::time(Duration::from_secs(60))).unwrap();
//!     let retry = Retry::new(Exponential::new(ms(100)).up_to(5));
//!
//!     let asked = Cell::new(0);
//!     // It hangs until it is asked for the third time.
//!     let ask = async |s: &Scope| {
//!         asked.set(asked.get() + 1);
//!         s.sleep(if asked.get() < 3 { Duration::MAX } else { ms(20) }).await;
//!         Ok::<_, &str>(120)
//!     };
//!     let price = fallback(
//!         async || {
//!             let all = scope.fail_after(ms(2_000), async |s| {
//!                 let attempt = async |_| {
//!                     let call = async || s.fail_after(ms(500), ask).await.map_err(|late| late.to_string());
//!                     bulkhead.call(async || breaker.call(call).await).await
//!                 };
//!                 retry.run(s, attempt).await.map_err(|error| error.to_string())
//!             });
//!             all.await.unwrap_or_else(|late| Err(late.to_string()))
//!         },
//!         async |why| Err(format!("no price: {why}")),
//!     );
//!     assert_eq!(price.await, Ok(Ok(120)));
//!     assert_eq!(sim.now().as_nanos(), (500 + 100 + 500 + 200 + 20) * 1_000_000);
//! });
//! ```

mod breaker;
mod budget;
mod bulkhead;
mod error;
mod fallback;
mod hedge;
mod latency;
mod random;
mod retry;
mod schedule;

pub use breaker::{
    BreakerCause, BreakerChange, BreakerConfig, BreakerConfigError, BreakerCounts, BreakerState, Call, CircuitBreaker,
    CircuitBreakers, CircuitOpen, Mark, Window,
};
pub use budget::RetryBudget;
pub use bulkhead::{Bulkhead, BulkheadConfig, BulkheadError, Seat};
pub use error::CallError;
pub use fallback::fallback;
pub use hedge::Hedge;
pub use latency::Latencies;
pub use retry::{
    Always, GaveUp, Judge, Notify, Retry, RetryAfterError, RetryError, Retrying, Silent, Told, Verdict, When,
    retry_after,
};
pub use schedule::{
    Capped, Constant, Decorrelated, Delays, Exponential, Fibonacci, Jitter, Jittered, Schedule, Step, Then, UpTo,
    UpToTotal,
};

#[cfg(test)]
mod loom_tests;
#[cfg(all(test, not(wakeful_loom)))]
mod tests;

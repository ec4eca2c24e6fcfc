//! Calls of services that fail: retries and what they may cost, and circuit breakers.
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
//! | end in time | a [scope](crate::cancel::Scope) with a deadline, which a retry knows of beforehand |
//!
//! # What is promised
//!
//! Tests cite these by number.
//!
//! - **R1** A schedule is a pure function of its state, the time passed and a seed. Delays saturate, and never is the end.
//! - **R2** An attempt begins exactly when the schedule says, or later if the server asks for that. A wait that would not be
//!   over before the effective deadline is not begun: the error comes at once.
//! - **R3** No more is retried than the budget allows, and what did not begin is not charged.
//! - **R4** A closed breaker opens by the first result with which a rate is reached, and lets nobody through from then on until its
//!   open time is over; half-open it lets in no more than its probes. Results count only for the state in which their calls
//!   began, dropped calls for none: a probe that is dropped makes room for another.

mod breaker;
mod budget;
mod error;
mod random;
mod retry;
mod schedule;

pub use breaker::{
    BreakerCause, BreakerChange, BreakerConfig, BreakerConfigError, BreakerCounts, BreakerState, Call, CircuitBreaker,
    CircuitBreakers, CircuitOpen, Mark, Window,
};
pub use budget::RetryBudget;
pub use error::CallError;
pub use retry::{
    Always, GaveUp, Judge, Notify, Retry, RetryAfterError, RetryError, Retrying, Silent, Told, Verdict, When,
    retry_after,
};
pub use schedule::{
    Capped, Constant, Decorrelated, Delays, Exponential, Fibonacci, Jitter, Jittered, Schedule, Step, Then, UpTo,
    UpToTotal,
};

#[cfg(all(test, not(wakeful_loom)))]
mod tests;

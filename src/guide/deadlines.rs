//! Being done in time.
//!
//! # A deadline belongs to a scope
//!
//! A timeout around each call adds up: five calls with ten seconds each may take fifty. A deadline is an instant, set once where
//! the time is promised, and everything inside ends by it:
//!
//! ```
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//!
//! wakeful::sim::run(|sim| async move {
//!     let (scope, second) = (Scope::new(sim.time()), Duration::from_secs(1));
//!     let mut steps = 0;
//!     let outcome = scope.move_on_after(10 * second, async |s| {
//!         for _ in 0..5 {
//!             // Each may take four seconds, but all of them ten.
//!             let step = s.move_on_after(4 * second, async |s| s.sleep(3 * second).await).await;
//!             steps += usize::from(step.done().is_some());
//!         }
//!     }).await;
//!     assert!(outcome.is_cancelled());
//!     assert_eq!((steps, sim.now().as_nanos()), (3, 10_000_000_000));
//! });
//! ```
//!
//! | when time is up | take |
//! |---|---|
//! | go on without it | [`move_on_after`](crate::cancel::Scope::move_on_after), [`move_on_at`](crate::cancel::Scope::move_on_at) |
//! | it is an error | [`fail_after`](crate::cancel::Scope::fail_after), [`fail_at`](crate::cancel::Scope::fail_at) |
//! | a task elsewhere ends | [`child_after`](crate::cancel::Scope::child_after) and [`run`](crate::cancel::Scope::run) |
//!
//! `fail_after` is [`TimedOut`](crate::cancel::FailError::TimedOut) only by its own deadline. If it was an outer one that passed, it
//! says so: the inner operation was not too slow, there was no time left for it.
//!
//! # Code that knows how long it has
//!
//! [`effective_deadline`](crate::cancel::Scope::effective_deadline) is the earliest of a scope and all around it. Parts of the kit
//! ask for it *before* they wait, so that what can't succeed is not begun:
//!
//! | part | what it does with the deadline |
//! |---|---|
//! | [`Retry`](crate::resilience::Retry) | returns the error at once, if the next attempt would begin too late |
//! | [`Limiter::acquire_in`](crate::limit::Limiter::acquire_in) | refuses at once, if the turn would come too late, and takes no permit |
//! | [`work`](crate::work::work()) | starts nothing when less than [`min_time`](crate::work::Work::min_time) is left; what is not started stays in the source |
//! | a [shield](crate::cancel::Scope::shield) | adds its budget, for those inside |
//!
//! ```
//! use core::num::NonZeroU32;
//! use core::time::Duration;
//! use wakeful::cancel::Scope;
//! use wakeful::limit::{Limiter, Quota};
//!
//! wakeful::sim::run(|sim| async move {
//!     let limiter = Limiter::new(&sim.time(), Quota::per_minute(NonZeroU32::MIN));
//!     limiter.try_acquire(1).unwrap();
//!     let scope = Scope::new(sim.time()).child_after(Duration::from_secs(30));
//!     assert!(limiter.acquire_in(&scope, 1).await.is_err(), "the next permit is a minute away");
//!     assert_eq!(sim.now().as_nanos(), 0, "nobody waited to find out");
//! });
//! ```
//!
//! # At the very instant
//!
//! What is ready at the instant of its deadline is done; what would start at it is not started. Both hold to the nanosecond, and
//! in [virtual time](super::simulation) a test can say so: ten items of 100 ms against a deadline of one second are ten done,
//! not nine or ten.
//!
//! # Batches
//!
//! For many items against one deadline take [`work`](crate::work::work()) rather than a timeout around a loop. Its report says how
//! many were done, failed, cut short and not started, and gives back the rest of the source; `grace` lets those that have begun
//! finish, `min_time_observed` stops starting what by experience would not be done, and `workers_to_meet` asks for as many
//! workers as it takes.

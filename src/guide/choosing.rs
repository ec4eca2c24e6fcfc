//! Which part for which purpose.
//!
//! Begin with the question that your code has to answer, not with the name of a data structure.
//!
//! # Several things at once
//!
//! | what they are | take | because |
//! |---|---|---|
//! | two or three futures, known beforehand | [`join_all`](crate::task::join_all), [`race`](crate::task::race), or your favourite `join!` | nothing is spawned, nothing outlives the call |
//! | many futures of one type, inside this task | [`FutureSet`](crate::task::FutureSet), [`map_bounded`](crate::task::map_bounded) | they may borrow; only who was woken is polled |
//! | children that borrow, with policies and errors that are kept | [`local_group`](crate::task::local_group) | no spawner is needed |
//! | tasks that run in parallel | [`group`](crate::task::group()) | the same promises, on the threads of a runtime |
//! | many items, each to be accounted for | [`work`](crate::work::work()) | at the end every item is in one place, and what was not started comes back |
//! | items that come one by one, each with an answer | [`worker_pool`](crate::work::worker_pool()) | a ticket for each, also when the pool shuts down |
//! | the same thing again and again | [`periodic`](crate::work::periodic) | it does not drift, and says what it does about a tick that was missed |
//!
//! A group answers "are they all gone?", a run of `work` answers "what became of each?". If you find yourself counting outcomes in
//! a group's children, it is `work` that you want.
//!
//! # Between tasks
//!
//! | what is passed on | take |
//! |---|---|
//! | every item, to whoever is free, no faster than they are taken | [`bounded`](crate::queue::bounded) |
//! | one answer | [`oneshot`](crate::sync::oneshot) |
//! | the latest value, none of the older ones | [`watch`](crate::sync::watch) |
//! | that something has happened, for good | [`Event`](crate::sync::Event) |
//! | that something may have changed | [`Notify`](crate::sync::Notify) |
//! | a right to do something, of which there are so many | [`Semaphore`](crate::sync::Semaphore) |
//!
//! # Too much, too fast, too often
//!
//! | you have to | take |
//! |---|---|
//! | keep to a number of calls in a time | [`Limiter`](crate::limit::Limiter), [`KeyedLimiter`](crate::limit::KeyedLimiter) |
//! | have no more than so many in flight, a number you know | [`Semaphore`](crate::sync::Semaphore); with a queue in front, [`Bulkhead`](crate::resilience::Bulkhead) |
//! | the same, and you do not know the number | [`Concurrency`](crate::limit::Concurrency), which learns it |
//! | stop calling what is down | [`CircuitBreaker`](crate::resilience::CircuitBreaker) |
//! | try again, but not for ever, and not all at once | [`Retry`](crate::resilience::Retry) with [jitter](crate::resilience::Schedule::jitter) and a [budget](crate::resilience::RetryBudget) |
//!
//! # An example of all three
//!
//! Forty items at two a second, four at a time, each tried up to three times, all within a minute; and then the account:
//!
//! ```
//! use core::num::{NonZeroU32, NonZeroUsize};
//! use core::time::Duration;
//! use wakeful::cancel::{Scope, current};
//! use wakeful::limit::{Limiter, Quota};
//! use wakeful::resilience::{Exponential, Retry, Schedule};
//! use wakeful::work::{Count, Lease, work};
//!
//! wakeful::sim::run(|sim| async move {
//!     let (scope, time) = (Scope::new(sim.time()), sim.time());
//!     let limiter = Limiter::new(&time, Quota::new(NonZeroU32::new(2).unwrap(), Duration::from_secs(1)).unwrap());
//!     let retry = Retry::new(Exponential::new(Duration::from_millis(100)).up_to(2));
//!     let report = work(0..40)
//!         .workers(NonZeroUsize::new(4).unwrap())
//!         .rate(&limiter)
//!         .deadline_after(Duration::from_secs(60))
//!         .run(&scope, |item: Lease<u32>| {
//!             let retry = retry.clone();
//!             async move {
//!                 let scope = current().expect("a run has a scope");
//!                 // Each seventh item fails whatever is tried.
//!                 let attempt = async |_| if *item % 7 == 6 { Err("refused") } else { Ok(()) };
//!                 retry.run(&scope, attempt).await
//!             }
//!         }, Count::new())
//!         .await;
//!     assert_eq!((report.count.done, report.count.failed, report.not_started), (35, 5, Some(0)));
//! });
//! ```
//!
//! # What is not here
//!
//! A mutex, a read-write lock, a cell that is set once: take `async-lock`. Input and output: that is a runtime's, and the
//! parts of this kit do not mind which. Stream combinators: `futures-util` and `futures-lite` have them; what is here gives and
//! takes a `Stream` where that makes sense.

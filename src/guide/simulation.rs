//! Testing concurrent code, and replaying what failed.
//!
//! # One line to begin with
//!
//! [`sim::check`](crate::sim::check) runs an async body on one thread, in virtual time, under many schedules. Where several tasks
//! are ready it chooses; where none is, time moves to the next timer. Give the code under test
//! [`sim.time()`](crate::sim::Sim::time) and [`sim.spawner()`](crate::sim::Sim::spawner), and say what must hold:
//!
//! ```
//! use core::num::NonZeroUsize;
//! use core::time::Duration;
//! use wakeful::queue;
//!
//! wakeful::sim::check(|sim| async move {
//!     let (tx, rx) = queue::bounded(NonZeroUsize::MIN);
//!     let time = sim.time();
//!     let slow = sim.spawn("consumer", async move {
//!         let mut got = 0;
//!         while rx.recv().await.is_ok() {
//!             time.sleep(Duration::from_secs(1)).await;
//!             got += 1;
//!         }
//!         got
//!     });
//!     for n in 0..10 {
//!         tx.send(n).await.unwrap();
//!     }
//!     drop(tx);
//!     assert_eq!(slow.await, 10);
//!     assert_eq!(sim.now().as_nanos(), 10_000_000_000);
//! });
//! ```
//!
//! Ten virtual seconds take no time, so there is no reason for a short timeout in a test, and none for a tolerance.
//!
//! # When it fails
//!
//! The first schedule that fails is made smaller, drawn, and told with the line that replays it:
//!
//! ```text
//! replay with WAKEFUL_SIM=seed:1,bytes:
//! ```
//!
//! Set that in the environment and the same test takes the same way, poll by poll. In code,
//! [`Builder::explore`](crate::sim::Builder::explore) gives the failure as a value:
//!
//! ```
//! use wakeful::sim::{Builder, FailureKind, Sim};
//! use wakeful::sync::Notify;
//!
//! // Waits for a signal that may have been sent when nobody was there.
//! let failure = Builder::new().explore(|sim: Sim| async move {
//!     let notify = Notify::new();
//!     let signal = notify.clone();
//!     sim.spawn("sender", async move { signal.notify_all() });
//!     sim.spawn("waiter", async move { notify.notified().await }).await;
//! }).unwrap_err();
//! assert_eq!(failure.kind(), FailureKind::Deadlock);
//! assert!(failure.replay().starts_with("WAKEFUL_SIM="));
//! ```
//!
//! # What it looks for
//!
//! | it finds | how |
//! |---|---|
//! | races between tasks | the order of polls is chosen, by [strategies](crate::sim::Strategy) that differ in what they are good at |
//! | deadlocks, and tasks that nobody can wake | nobody is ready and no timer is left; the last waker is gone |
//! | lost wake-ups that a timeout hides | [`Builder::probe`](crate::sim::Builder::probe) polls who should not have anything to do |
//! | futures that take being polled for being woken | [`Builder::spurious`](crate::sim::Builder::spurious) |
//! | futures that keep their first waker | [`Builder::fresh_wakers`](crate::sim::Builder::fresh_wakers) |
//! | what is lost when a future is dropped anywhere | [`Sim::cancel_at_each`](crate::sim::Sim::cancel_at_each), [`Builder::sweep`](crate::sim::Builder::sweep) |
//! | what happens when things go wrong | [`buggify!`](crate::buggify), [`Builder::faults`](crate::sim::Builder::faults) |
//! | all of it, for something small | [`Strategy::Exhaustive`](crate::sim::Strategy::Exhaustive) |
//!
//! # How to write for it
//!
//! - **Take time and tasks as arguments.** Code that calls `std::time::Instant::now`, spawns a thread or opens a socket does something
//!   that the simulator can't replay. Give it a `Time`, a `Spawn`, and a trait for the network, of which the test has one in memory.
//! - **Say what holds, not what happens.** "Every item is in one place", "never more than four in flight", in the code itself too:
//!   [`always!`](crate::always) costs nothing outside.
//! - **See it fail once.** Break the code on purpose; a check that can't fail says nothing. [`sometimes!`](crate::sometimes) says
//!   that what you think is being tried is tried.
//! - **Exact instants.** If a test has to say "about", ask what else takes time in it.
//!
//! # How much is enough
//!
//! [`check`](crate::sim::check) makes 64 runs, in milliseconds. `WAKEFUL_SIM_RUNS=20000 cargo test` makes so many of each,
//! `WAKEFUL_SIM_SECONDS=60` as many as there is time for. Most bugs need few decisions to go wrong, and show early; the rest is why
//! a job at night is a good idea. A fuzzer may make the choices as well: [`Builder::bytes`](crate::sim::Builder::bytes).
//!
//! # What it can't find
//!
//! Everything runs on one thread, and a poll is one step: races inside a poll, between atomics and locks, are for
//! [loom](https://docs.rs/loom). What a real network does is as good as your model of it.

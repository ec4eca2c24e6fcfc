//! Scheduled, keyed, repeating tasks, in process.
//!
//! A [`Docket`] holds tasks, which are plain types; a [`Worker`] runs what is due.
//!
//! ```
//! use core::time::Duration;
//! use serde::{Deserialize, Serialize};
//! use wakeful::cancel::Scope;
//! use wakeful::docket::{Cx, Docket, Limit, Policy, Registry, Task};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Greet {
//!     user: u64,
//! }
//!
//! impl Task for Greet {
//!     const NAME: &'static str = "greet";
//!     const POLICY: Policy = Policy::new().timeout(Duration::from_secs(30)).limits(&[Limit::at_most(1).per("user")]);
//!     type Output = String;
//!     type Error = String;
//!
//!     async fn run(self, cx: Cx) -> Result<String, String> {
//!         cx.scope().sleep(Duration::from_secs(1)).await;
//!         Ok(format!("hello, {}", self.user))
//!     }
//! }
//!
//! wakeful::sim::run(|sim| async move {
//!     let docket = Docket::new(&sim.time(), Registry::new().task::<Greet>().unwrap());
//!     let minute = Duration::from_secs(60);
//!     let added = docket.add(&Greet { user: 7 }).unwrap().key("welcome 7").after(minute).send().await.unwrap();
//!     docket.worker("w1").until_finished(&Scope::new(sim.time())).await.unwrap();
//!     assert_eq!(added.handle.result().await.unwrap(), "hello, 7");
//!     assert_eq!(sim.now().as_nanos(), 61_000_000_000);
//! });
//! ```
//!
//! # Which part do I want?
//!
//! | you want to | use |
//! |---|---|
//! | make a type a task | [`Task`], with a [`Policy`]: timeout, retries, priority, limits, repeating |
//! | make a closure a task | [`Registry::closure`], [`Docket::raw`] |
//! | share connections and the like with all runs | [`Registry::provide`], [`Cx::get`] |
//! | add a task: now, later, at a date, under a key | [`Docket::add`], [`Add`] |
//! | wait for what it gives, see how far it is | [`Handle`], [`Cx::progress`] |
//! | run what is due | [`Worker::run`]; in tests [`Worker::until_finished`], [`Worker::drain`], [`Worker::run_at_most`] |
//! | repeat a task, or begin it by itself | [`Policy::every`], [`Policy::automatic`] |
//! | say from inside when and with what it runs next, or that it was the last run | [`Cx::again`], [`Cx::again_with`], [`Cx::last`] |
//! | have few at once for each value of a field, a rate, a cooldown | [`Limit`] |
//! | put off what comes again and again until it has settled | [`Add::settle`] |
//! | end it | [`Docket::cancel`], [`Docket::clear`] |
//! | keep tasks from being run, by name or by their fields | [`Docket::strike`] with a [`Strike`], [`Docket::restore`] |
//! | see all there is | [`Docket::snapshot`] |
//! | hear of all that happens | [`Worker::listen`] |
//! | keep tasks in memory | [`MemoryStore`], the default |
//! | keep them elsewhere | [`Store`], a trait of whole transitions, with [`Docket::on`] |
//!
//! # What is promised
//!
//! What stores promise stands at [`Store`], as D1–D7. Above that:
//!
//! - **D8** A task runs at least once, unless it is cancelled, struck or dropped before; if runs are lost in crashes, as often as
//!   its policy's `deliveries`, and then it ends as [`Ending::Dead`]. A run that finished is not run again.
//! - **D9** A run whose lease is lost is cut short, and what it gives is not taken.
//! - **D10** A task that repeats survives errors, panics and timeouts. Late runs are not made up for.
//!
//! # Two kinds of time
//!
//! Sleeps, timeouts and leases are measured by the clock. A date ("at") is Unix time, of the store's wall clock, which is looked at
//! when the task is added.

mod context;
mod error;
mod front;
mod handle;
mod registry;
mod store;
mod strike;
mod task;
mod worker;

pub use context::Cx;
pub use error::AddError;
pub use front::{Add, Added, Docket};
pub use handle::{Handle, NoResult};
pub use registry::{DuplicateTask, Registry};
pub use serde_json::Value;
pub use store::{
    Answer, Cancelled, Claim, Claimed, Claims, Close, Ending, Entry, Excess, Existing, Fence, Finished, Gate, GateUse,
    Generation, MemoryStore, Put, Renewal, Renewed, Row, Rule, Settle, Snapshot, State, Store, StoreError, StrikeId,
    Topic, When,
};
pub use strike::{Strike, Test};
pub use task::{Delays, Limit, Perpetual, Policy, Task};
pub use worker::{Event, EventKind, Worker, WorkerError};

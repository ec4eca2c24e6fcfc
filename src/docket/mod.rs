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
//! | add many at once | [`Docket::add_all`] |
//! | add many, spread over a while | [`Agenda`] |
//! | wait for what it gives, see how far it is | [`Handle`], [`Cx::progress`] |
//! | run what is due | [`Worker::run`]; in tests [`Worker::until_finished`], [`Worker::drain`], [`Worker::run_at_most`] |
//! | repeat a task, or begin it by itself | [`Policy::every`], [`Policy::automatic`] |
//! | repeat it at times of the day, in a time zone | [`Policy::cron`], with the feature `cron` |
//! | say from inside when and with what it runs next, or that it was the last run | [`Cx::again`], [`Cx::again_with`], [`Cx::last`] |
//! | have few at once for each value of a field, a rate, a cooldown | [`Limit`] |
//! | put off what comes again and again until it has settled | [`Add::settle`], [`Policy::settle`] |
//! | end it | [`Docket::cancel`], [`Docket::clear`] |
//! | keep tasks from being run, by name or by their fields | [`Docket::strike`] with a [`Strike`], [`Docket::restore`] |
//! | see all there is | [`Docket::snapshot`] |
//! | see how limits are used | [`Docket::gate_usage`] |
//! | try a docket out | [`Registry::builtins`]: [`Trace`], [`Fail`], [`Sleep`] |
//! | hear of all that happens | [`Docket::events`], a stream; [`Worker::listen`] |
//! | log what runs do, and see fields of tasks in logs, or how long they are; all others are hidden | [logging](self#logging), [`Policy::log`] |
//! | keep tasks in memory | [`MemoryStore`], the default |
//! | keep them in a file, which outlives the process, for one or several processes | `SqliteStore`, with the feature `sqlite` |
//! | keep them elsewhere | [`Store`], a trait of whole transitions, with [`Docket::on`] |
//!
//! # What is promised
//!
//! What stores promise stands at [`Store`], as D1–D7. Above that:
//!
//! - **D8** A task runs at least once, unless it is cancelled, struck or dropped before; if runs are lost in crashes, as often as
//!   its policy's `deliveries`, and then it ends as [`Ending::Dead`]. A run that finished is not run again.
//! - **D9** A run whose lease is lost is cut short, and what it gives is not taken. If the store has not said by then that it
//!   holds, it is cut short a tenth of the lease before another worker may begin it.
//!   A worker that stood still for longer, its process being stopped, may poll the run once more beside the new one before that.
//! - **D10** A task that repeats survives errors, panics and timeouts. Late runs are not made up for.
//!
//! # Logging
//!
//! With the feature `tracing` each run is in a [span](crate#spans-and-events) that has task, key, worker and attempt, so that
//! whatever it logs has them too. Programs that log by the `log` crate switch on that feature, and `tracing`'s own feature `log`:
//! `tracing = { version = "0.1", features = ["log"] }`. Then, while there is no subscriber, what the kit tells of a run comes as
//! records, of the same targets and levels and with the same fields. `log` knows no spans: what a run logs by itself says whose it
//! is by the [`Cx`], as in `log::info!("{cx}: sent")`. Of the arguments only what [`Policy::log`] shows is logged, in either way.
//!
//! # Two kinds of time
//!
//! Sleeps, timeouts and leases are measured by the clock. A date ("at"), and a tick of a cron expression, is Unix time, of the store's wall clock,
//! which is looked at when the task is added: if it jumps later, that moves no sleep. A tick is run once at most, since the next
//! is looked for after the tick that the run was for.
//!
//! # What differs from docket for Python
//!
//! The ideas are those of [docket](https://github.com/chrisguidry/docket), a task system over Redis. What is otherwise, and why:
//!
//! | | there | here | because |
//! |---|---|---|---|
//! | storage | Redis | a [trait](Store) of whole transitions; in memory, or in a file of SQLite that processes share | it works in process, without a server; every store passes the same suite |
//! | waiting | future tasks are looked for every so often, and so are blocked ones | every instant is exact, and nobody polls: whoever can run is woken | tests in virtual time say when, to the nanosecond |
//! | several limits on a task | each is checked by itself | [all are taken or none](Store), those that wait hold nothing, the first in line keeps its place | tasks that need two limits neither block each other nor starve |
//! | whose turn it is at a limit | that of whoever is looked at when there is room | priority, due time, order of adding | nobody is passed by newcomers |
//! | a cooldown, or a rate | drops what comes too early, or moves it to when there is room; counts in a sliding window | [waits](Limit::cooldown), unless it is [dropping](Limit::dropping); the generic cell rate algorithm | memory does not grow with the rate |
//! | when a cooldown begins | when a task is let through it | when the task runs: one that another limit blocks arms nothing | else it would be kept out by its own attempt |
//! | debouncing | the first submission wins, later ones are dropped and put it off | [by key](Add::settle): the last one wins, and a bound says when it runs anyway | what came last is what is known by then |
//! | strikes | by condition, and restored by the same condition | each has a number, and is [restored](Docket::restore) by it; also "between" | two strikes of one condition are two |
//! | comparing in a strike | as Python compares | numbers by value, [text by code points](Test), unlike kinds never in an order | no error, and no match that depends on a conversion |
//! | what is struck | is accepted, and then not run | is [refused](AddError::Struck) when it is added; what was queued before ends as [struck](Ending::Struck) | whoever adds it hears of it |
//! | tasks that begin by themselves | are put back by every worker as long as it runs, cancelled ones too | begin once for each worker that starts | what was cancelled stays so |
//! | an agenda with an unknown task | – | [adds nothing](Agenda::scatter); a store that fails half-way gives the handles of what was added | whoever tries again knows what is there |
//! | how a limit is used | keys in Redis | [`Docket::gate_usage`], [`Snapshot::gates`] | stores keep it in their own way |
//! | lost workers | tasks are delivered anew some time after a timeout, for ever | at the instant at which the lease lapses, [so often at most](Policy::deliveries) | a task that kills its workers ends as [`Ending::Dead`] |
//! | arguments, dependencies | parameters of functions, some of them injected | fields of a type; [`Cx`] has the rest | no macros |

mod agenda;
mod builtins;
mod context;
mod error;
mod front;
mod handle;
mod registry;
mod store;
mod strike;
mod task;
mod worker;

pub use agenda::{Agenda, Scatter, ScatterError};
pub use builtins::{Fail, Sleep, Trace};
pub use context::Cx;
pub use error::AddError;
pub use front::{Add, Added, Docket};
pub use handle::{Handle, NoResult};
pub use registry::{RegisterError, Registry};
pub use serde_json::Value;
pub use store::{
    Answer, Cancelled, Claim, Claimed, Claims, Close, Ending, Entry, Excess, Existing, Fence, Finished, Gate, GateUse,
    Generation, Listener, MemoryStore, Put, Renewal, Renewed, Row, Rule, Settle, Snapshot, State, Store, StoreError,
    StrikeId, Topic, When,
};
crate::sys::with_sqlite! {
    pub use store::{OpenError, SqliteBuilder, SqliteStore};
}
pub use strike::{Strike, Test};
pub use task::{Delays, Limit, Perpetual, Policy, Rhythm, Show, Task};
pub use worker::{Event, EventKind, Worker, WorkerError};

crate::sys::with_cron! {
    mod cron;
    pub use cron::{Cron, CronError};
}
